/*
 * descriptors.h - as many open descriptors as the configuration can need.
 */
#ifndef SESSIONS_DESCRIPTORS_PRIVATE_H
#define SESSIONS_DESCRIPTORS_PRIVATE_H

#include <stdbool.h>

#include "base/failure.h"
#include "config/config.h"

/* Raise this process's own limit. False if the machine does not allow so many. */
bool descriptors_raise(const config_t *config, failure_t *failure);

#endif /* SESSIONS_DESCRIPTORS_PRIVATE_H */
