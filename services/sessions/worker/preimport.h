/*
 * preimport.h - the modules that warm workers have imported when a session comes.
 */
#ifndef SESSIONS_PREIMPORT_PRIVATE_H
#define SESSIONS_PREIMPORT_PRIVATE_H

#include <stdbool.h>

#include <buffer.h>

#include "base/failure.h"
#include "config/config.h"

/* Is the list of --preimport one of module names? */
bool preimport_check(const config_t *config, failure_t *failure);

/* Is there any module to import? */
bool preimport_is_wanted(const config_t *config);

/* The names as JSON texts with commas between them. */
void preimport_write(const config_t *config, sk_buffer_t *out);

#endif /* SESSIONS_PREIMPORT_PRIVATE_H */
