/*
 * excerpt.h - a short line of foreign text, fit to stand in an error's text.
 */
#ifndef SESSIONS_PYTHON_EXCERPT_PRIVATE_H
#define SESSIONS_PYTHON_EXCERPT_PRIVATE_H

#include <stddef.h>

#define EXCERPT_SIZE 241 /* bytes, with the NUL */

/* The beginning on one line: markup tags and runs of white space become one blank, what is not
 * printable UTF-8 a question mark. */
void excerpt_write(char out[EXCERPT_SIZE], const char *text, size_t size);

#endif /* SESSIONS_PYTHON_EXCERPT_PRIVATE_H */
