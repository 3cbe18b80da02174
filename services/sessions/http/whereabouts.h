/*
 * whereabouts.h - where a server that runs can be reached, for shells.
 */
#ifndef SESSIONS_WHEREABOUTS_PRIVATE_H
#define SESSIONS_WHEREABOUTS_PRIVATE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"

/* Print assignments of variables that a shell can evaluate: of the server at this socket; NULL: of
 * the only one that this user runs. A server that begins when somebody connects is begun. */
bool whereabouts_print(const char *socket_path, FILE *out, failure_t *failure);

#endif /* SESSIONS_WHEREABOUTS_PRIVATE_H */
