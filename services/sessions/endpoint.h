/*
 * endpoint.h - the unix socket: its private directory, its name, its end.
 */
#ifndef SESSIONS_ENDPOINT_PRIVATE_H
#define SESSIONS_ENDPOINT_PRIVATE_H

#include <stdbool.h>
#include <sys/un.h>

#include "failure.h"

typedef struct endpoint {
    int socket;
    int directory; /* held open: the path may not lead here any more after namespaces changed */
    bool own_directory; /* made by us, removed by us */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int above; /* the directory that holds own_directory */
} endpoint_t;

/* Bind to `path`, NULL: in a fresh private directory. Clients are let in later. */
bool endpoint_open(endpoint_t *endpoint, const char *path, failure_t *failure);
bool endpoint_listen(endpoint_t *endpoint, failure_t *failure);
/* Remove the socket, and the directory if it is ours. */
void endpoint_close(endpoint_t *endpoint);

#endif /* SESSIONS_ENDPOINT_PRIVATE_H */
