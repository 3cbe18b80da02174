/*
 * endpoint.h - the unix socket: its private directory, its name, its end.
 */
#ifndef SESSIONS_ENDPOINT_PRIVATE_H
#define SESSIONS_ENDPOINT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "base/failure.h"

typedef struct endpoint {
    int socket;
    int directory; /* held open: the path may not lead here any more after namespaces changed */
    bool own_directory; /* made by us, removed by us */
    bool own_socket;    /* likewise; not one that was handed over */
    bool is_private;    /* the directory is ours and nobody else can look into it */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int hold;  /* keeps own_directory from being taken for a dead server's */
    int above; /* the directory that holds own_directory */
} endpoint_t;

/* Bind to `path`, NULL: in a fresh private directory. Clients are let in later. */
bool endpoint_open(endpoint_t *endpoint, const char *path, failure_t *failure);
/* Use a listening socket that was handed over; it and its name stay whose they are. */
bool endpoint_adopt(endpoint_t *endpoint, int socket, failure_t *failure);
/* Write a file of mode 0600 beside the socket, named like it with an ending. */
bool endpoint_write_file(const endpoint_t *endpoint, const char *ending, const char *text,
                         size_t size, failure_t *failure);
void endpoint_remove_file(const endpoint_t *endpoint, const char *ending);
/* Remove the socket, and the directory if it is ours and now empty. */
void endpoint_close(endpoint_t *endpoint);

#endif /* SESSIONS_ENDPOINT_PRIVATE_H */
