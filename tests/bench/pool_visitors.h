/*
 * pool_visitors.h - several clients at a time that use many sessions.
 *
 *     static void use(pool_client_t *client, const char *identifier)
 *     {
 *         pool_client_execute(client, identifier, "print(1)");
 *     }
 *
 *     pool_visitors_run(&server, 100, use);
 */
#ifndef BENCH_POOL_VISITORS_H
#define BENCH_POOL_VISITORS_H

#include "bench/pool_client.h"

/* What a visitor does in a session. Runs on threads of their own, several at a time. */
typedef void (*pool_visitor_fn)(pool_client_t *client, const char *identifier);

/* Visit the sessions visit-0, visit-1 and so on, once each, and wait for the last. */
void pool_visitors_run(const pool_server_t *server, size_t sessions, pool_visitor_fn fn);

/* Run the shortest code, and delete the session. */
void pool_visitor_pass(pool_client_t *client, const char *identifier);

/* Run the shortest code, and let the session stay. */
void pool_visitor_stay(pool_client_t *client, const char *identifier);

#endif /* BENCH_POOL_VISITORS_H */
