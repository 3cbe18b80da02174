/*
 * child.h - the process between fork and exec that becomes a sandbox.
 *
 * It keeps the descriptors it is given, under the numbers it is given them for,
 * and no others; the slot's user id and control group; no capability; the tie to
 * the server's life.
 */
#ifndef SESSIONS_CHILD_PRIVATE_H
#define SESSIONS_CHILD_PRIVATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "namespace.h"

#define CHILD_CONTROL   3
#define CHILD_WORKER    8
#define CHILD_FILTER    9
#define CHILD_INFO      10
#define CHILD_ARGUMENTS 11
#define CHILD_LAST      11

typedef struct child {
    const char *program;
    const char *const *arguments; /* NULL behind the last */
    const place_t *place;
    bool switch_user;          /* become the place's user */
    bool keep_rights;          /* the program drops them itself */
    int files[CHILD_LAST + 1]; /* by the number they get; -1: none */
} child_t;

/* No files yet. */
void child_init(child_t *child, const char *program, const char *const *arguments,
                const place_t *place);

/* Fork and run it; what goes wrong in it is said on its descriptor 2. -1 and errno on failure. */
pid_t child_start(child_t *child);

/* Give up all capabilities. */
bool child_drop_capabilities(void);

#endif /* SESSIONS_CHILD_PRIVATE_H */
