/*
 * activation.h - being started by a service manager: sockets that it hands over, and telling it how
 * far the server is.
 *
 * The protocol of systemd: LISTEN_PID, LISTEN_FDS, NOTIFY_SOCKET.
 */
#ifndef SESSIONS_ACTIVATION_PRIVATE_H
#define SESSIONS_ACTIVATION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

#define ACTIVATION_MAX 8

typedef struct activation {
    int sockets[ACTIVATION_MAX]; /* listening, non-blocking, closed on exec */
    size_t count;
    char notify[108]; /* path of the manager's socket, @ for an abstract one; "": none */
} activation_t;

/* Take what is meant for this process out of the environment, so that no child has it. */
bool activation_take(activation_t *activation, failure_t *failure);
/* "READY=1", "STOPPING=1"; nobody there: nothing. */
void activation_notify(const activation_t *activation, const char *state);

#endif /* SESSIONS_ACTIVATION_PRIVATE_H */
