/*
 * bubblewrap.h - the recipe of a sandbox out of namespaces.
 */
#ifndef SESSIONS_BUBBLEWRAP_PRIVATE_H
#define SESSIONS_BUBBLEWRAP_PRIVATE_H

#include "sandbox.h"

/* Start one; the ends stay the caller's. -1 and errno on failure. */
pid_t bubblewrap_start(const sandbox_plan_t *plan, const place_t *place,
                       const sandbox_ends_t *ends);

#endif /* SESSIONS_BUBBLEWRAP_PRIVATE_H */
