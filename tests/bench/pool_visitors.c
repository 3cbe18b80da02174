/* pool_visitors.c - one thread and one connection for each client. */
#include "bench/pool_visitors.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { VISITORS = 4 };

typedef struct visitor {
    const pool_server_t *server;
    pool_visitor_fn fn;
    size_t first; /* of its sessions; the next is VISITORS later */
    size_t end;
    pthread_t thread;
} visitor_t;

static void *visit(void *data)
{
    const visitor_t *visitor = data;
    pool_client_t client = pool_client_connect(visitor->server);
    char identifier[48];

    for (size_t i = visitor->first; i < visitor->end; i += VISITORS) {
        snprintf(identifier, sizeof(identifier), "visit-%zu", i);
        visitor->fn(&client, identifier);
    }
    pool_client_close(&client);
    return NULL;
}

void pool_visitors_run(const pool_server_t *server, size_t sessions, pool_visitor_fn fn)
{
    visitor_t visitors[VISITORS];

    for (size_t i = 0; i < VISITORS; i++) {
        visitors[i] = (visitor_t){server, fn, i, sessions, 0};
        if (pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]) != 0) {
            fputs("cannot start a thread\n", stderr);
            exit(2);
        }
    }
    for (size_t i = 0; i < VISITORS; i++) {
        pthread_join(visitors[i].thread, NULL);
    }
}

void pool_visitor_pass(pool_client_t *client, const char *identifier)
{
    pool_client_execute(client, identifier, "print(1)");
    pool_client_delete(client, identifier);
}

void pool_visitor_stay(pool_client_t *client, const char *identifier)
{
    pool_client_execute(client, identifier, "print(1)");
}
