/*
 * pool_client.h - requests to a session pool over its socket, as bare as can be.
 *
 * One connection that stays open. What must not fail ends the program with exit status 2.
 */
#ifndef BENCH_POOL_CLIENT_H
#define BENCH_POOL_CLIENT_H

#include <stddef.h>

#include "bench/pool_server.h"

typedef struct pool_client {
    int socket;
    char *answer; /* owned: the last one; NUL-terminated */
    size_t size;
    size_t capacity;
    const char *body; /* borrowed, until the next request */
} pool_client_t;

pool_client_t pool_client_connect(const pool_server_t *server);

void pool_client_close(pool_client_t *client);

/* Run code in a session, which begins if it is new, for at most that many seconds; true if it
 * has succeeded. */
bool pool_client_try(pool_client_t *client, const char *identifier, const char *code,
                     int timeout_s);

/* Run code that must succeed. */
void pool_client_execute(pool_client_t *client, const char *identifier, const char *code);

void pool_client_delete(pool_client_t *client, const char *identifier);

/* Wait until a figure of the server's own, such as workers{state="frozen"}, has this value. */
void pool_client_await(pool_client_t *client, const char *figure, double value);

#endif /* BENCH_POOL_CLIENT_H */
