/*
 * directories.h - places of sessions where nothing can be mounted: directories
 * of a file system of the host.
 *
 * They lie in one fresh directory, below $TMPDIR or /tmp, that goes with the server,
 * however it ends; what servers and their keepers left that were all killed at
 * once, the next one of the same user removes.
 */
#ifndef SESSIONS_DIRECTORIES_PRIVATE_H
#define SESSIONS_DIRECTORIES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"
#include "config/config.h"
#include "facility.h"
#include "namespace.h"

/* Make the directory of all places, with the worker's program in it. */
bool directories_open(const void *program, size_t size, failure_t *failure);
/* Remove it with all there is in it, when no session runs any more; may be called twice. */
void directories_close(void);

/* Make a slot's empty directories. */
bool directories_make(place_t *place, unsigned number, const facility_t *facility,
                      const config_t *config, failure_t *failure);
/* Remove them, when no process of the session is left. */
void directories_remove(const place_t *place);

#endif /* SESSIONS_DIRECTORIES_PRIVATE_H */
