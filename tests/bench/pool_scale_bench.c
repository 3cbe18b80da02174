/*
 * As many sessions at a time as a pool can have: how long it takes to open them, what they
 * hold together, and what a call of one costs while all the others idle.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/pool_client.h"
#include "bench/pool_server.h"
#include "bench/pool_visitors.h"

enum { SESSIONS = 256, SESSIONS_SHORT = 16, CALLS = 10000 };

static void measure_calls(bench_t *bench, const pool_server_t *server)
{
    pool_client_t client = pool_client_connect(server);
    size_t count = bench_times(bench, CALLS);
    double *ns = calloc(count, sizeof(*ns));

    if (ns == NULL) {
        exit(2);
    }
    for (size_t i = 0; i < count; i++) {
        double start = bench_now();

        pool_client_execute(&client, "visit-0", "print(1)");
        ns[i] = bench_now() - start;
    }
    bench_figure(bench, "call of one while the others idle, p50", bench_percentile(ns, count, 0.5),
                 BENCH_MS, 0.5);
    bench_figure(bench, "call of one while the others idle, p99", bench_percentile(ns, count, 0.99),
                 BENCH_MS, 5);
    free(ns);
    pool_client_close(&client);
}

int main(int argc, char **argv)
{
    static const char *const flags[] = {"--warm-min",     "0",   "--preimport", "none",
                                        "--max-sessions", "256", NULL};
    static process_tree_t tree;
    bench_t bench = bench_begin(argc, argv);
    pool_server_t server = pool_server_start(flags);
    size_t count = bench.is_short ? SESSIONS_SHORT : SESSIONS;
    char name[64];
    double start;

    pool_server_introduce(&bench, &server);
    pool_server_await_empty(&server);
    start = bench_now();
    pool_visitors_run(&server, count, pool_visitor_stay);
    snprintf(name, sizeof(name), "%zu sessions opened and used once", count);
    bench_rate(&bench, name, (double)count / ((bench_now() - start) / 1e9), 25);
    measure_calls(&bench, &server);
    pool_server_read_tree(&server, &tree);
    snprintf(name, sizeof(name), "memory of %zu sessions, of each", count);
    bench_figure(&bench, name, process_tree_share_kib(&tree) / 1024 / (double)count, BENCH_MIB, 8);
    bench_figure(&bench, "memory of the server", process_resident_kib(server.serving) / 1024,
                 BENCH_MIB, 16);
    pool_server_stop(&server);
    return bench_end(&bench);
}
