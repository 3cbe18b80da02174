/*
 * pool_server.h - a session pool that was started by hand, for benchmarks.
 *
 *     static const char *const flags[] = {"--preimport", "none", NULL};
 *     pool_server_t server = pool_server_start(flags);
 *     pool_client_t client = pool_client_connect(&server);
 *
 *     pool_client_execute(&client, "demo", "print(6 * 7)");
 *     pool_client_close(&client);
 *     pool_server_stop(&server);
 *
 * What must not fail ends the program with exit status 2; a machine that cannot sandbox
 * with 77, unless SEMKERNEL_REQUIRE_SANDBOX is set. A server does not outlive the program.
 */
#ifndef BENCH_POOL_SERVER_H
#define BENCH_POOL_SERVER_H

#include <sys/types.h>

#include "bench/bench.h"
#include "bench/process_tree.h"

typedef struct pool_server {
    pid_t started; /* the process that was started */
    pid_t serving; /* the one that does the work; sandboxes are below it */
    int lifeline;
    int log; /* what the server logs, if it has a --log-level; else -1 */
    char announcement[1024];
    char socket[108];
    char level[24]; /* of isolation */
} pool_server_t;

/* Start a server with these flags, up to a NULL, and wait until it listens. */
pool_server_t pool_server_start(const char *const *flags);

void pool_server_stop(pool_server_t *server);

/* Copy the text that the server has announced under this name. */
void pool_server_copy(const pool_server_t *server, const char *name, char *value, size_t size);

/* Wait until the server logs this event once more. */
void pool_server_await(const pool_server_t *server, const char *event);

/* All processes of its sandboxes. */
void pool_server_read_tree(const pool_server_t *server, process_tree_t *tree);

/* Wait until there are none: what was removed is gone, and the start of the server over. */
void pool_server_await_empty(const pool_server_t *server);

/* Print the level of isolation that is in force, and take a process of Python, which each
 * session needs, as the yardstick. */
void pool_server_introduce(bench_t *bench, const pool_server_t *server);

#endif /* BENCH_POOL_SERVER_H */
