/*
 * launcher.h - the recipe of a sandbox where there are no namespaces: Landlock,
 * the system call filter, and a process that ends all others.
 */
#ifndef SESSIONS_LAUNCHER_PRIVATE_H
#define SESSIONS_LAUNCHER_PRIVATE_H

#include "sandbox.h"

#define LAUNCHER_NAME "semkernel-launcher" /* the program's first argument, where it is one */

/* Start one; the ends stay the caller's. It ends its sandbox upon SIGTERM. -1 and errno on
 * failure. */
pid_t launcher_start(const sandbox_plan_t *plan, const place_t *place, const sandbox_ends_t *ends);

/* What this program does under that name; returns its exit status. */
int launcher_main(int count, char **arguments);

#endif /* SESSIONS_LAUNCHER_PRIVATE_H */
