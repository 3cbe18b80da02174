/*
 * activation.c - the environment's word on sockets and on whom to tell.
 */
#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 3 /* the descriptors begin behind the standard ones */

/* A whole number and nothing else; -1 if it is none. */
static long read_number(const char *text)
{
    char *end = NULL;

    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return -1;
    }
    long number = strtol(text, &end, 10);
    return *end == '\0' ? number : -1;
}

static bool take_socket(int socket, failure_t *failure)
{
    int type = 0;
    int listening = 0;
    socklen_t size = sizeof(type);

    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM ||
        getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
        return fail(failure,
                    "cannot use descriptor %d, which LISTEN_FDS names: it is no listening stream "
                    "socket",
                    socket);
    }
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(socket, F_SETFD, FD_CLOEXEC) != 0) {
        return fail(failure, "cannot use descriptor %d: %s", socket, strerror(errno));
    }
    return true;
}

bool activation_take(activation_t *activation, failure_t *failure)
{
    const char *notify = getenv("NOTIFY_SOCKET");
    const long count = read_number(getenv("LISTEN_FDS"));
    const bool is_ours = read_number(getenv("LISTEN_PID")) == getpid();

    memset(activation, 0, sizeof(*activation));
    if (notify != NULL && strlen(notify) < sizeof(activation->notify) &&
        (notify[0] == '/' || notify[0] == '@')) {
        (void)snprintf(activation->notify, sizeof(activation->notify), "%s", notify);
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    if (!is_ours || count <= 0) {
        return true;
    }
    if (count > ACTIVATION_MAX) {
        return fail(failure, "cannot use %ld sockets: at most %d can be handed over", count,
                    ACTIVATION_MAX);
    }
    for (int i = 0; i < count; i++) {
        if (!take_socket(FIRST + i, failure)) {
            return false;
        }
        activation->sockets[activation->count++] = FIRST + i;
    }
    return true;
}

void activation_notify(const activation_t *activation, const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(activation->notify);

    if (length == 0) {
        return;
    }
    memcpy(address.sun_path, activation->notify, length);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file >= 0) {
        (void)sendto(file, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
        (void)close(file);
    }
}
