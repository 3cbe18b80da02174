/*
 * place.h - where this library lies, and what lies beside it. A tree that was
 * moved as a whole still finds its parts.
 */
#ifndef KERNEL_PLACE_PRIVATE_H
#define KERNEL_PLACE_PRIVATE_H

#include <limits.h>
#include <stdbool.h>

/* The directory of the shared library, or of the program that contains this code; without symbolic
 * links. False if the system does not tell. */
bool kernel__place_of_library(char directory[PATH_MAX]);

#endif /* KERNEL_PLACE_PRIVATE_H */
