/*
 * What a session pool holds: a session that is idle, and the server that has made and
 * removed very many. Memory of processes is their share: a page in use by several counts
 * for each of them in part.
 */
#include <poll.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/pool_client.h"
#include "bench/pool_server.h"
#include "bench/pool_visitors.h"

enum { TOGETHER = 8, SAMPLES = 20, SESSIONS = 10000, SESSIONS_SHORT = 200 };

#define PATIENCE_NS 2e8

/* Of one session among several, as they come: they have the program of Python in common. */
static void measure_session(bench_t *bench, const char *name, const char *code, double budget_mib)
{
    static const char *const flags[] = {"--warm-min",     "0", "--preimport", "none",
                                        "--max-sessions", "8", NULL};
    static process_tree_t tree;
    pool_server_t server = pool_server_start(flags);
    pool_client_t client = pool_client_connect(&server);
    char identifier[32];

    pool_server_await_empty(&server);
    for (int i = 0; i < TOGETHER; i++) {
        snprintf(identifier, sizeof(identifier), "idle-%d", i);
        pool_client_execute(&client, identifier, code);
    }
    pool_server_read_tree(&server, &tree);
    bench_figure(bench, name, process_tree_share_kib(&tree) / 1024 / TOGETHER, BENCH_MIB,
                 budget_mib);
    pool_client_close(&client);
    pool_server_stop(&server);
}

/* Connections end a little later for the server than for their clients: it has time to come
 * down to `lowest`. */
static double settle_descriptors(const pool_server_t *server, double lowest)
{
    double deadline = bench_now() + PATIENCE_NS;
    double count;

    do {
        count = process_descriptors(server->serving);
    } while (count > lowest && bench_now() < deadline && poll(NULL, 0, 1) == 0);
    return count;
}

static void measure_many_sessions(bench_t *bench)
{
    static const char *const flags[] = {"--warm-min",     "0", "--preimport", "none",
                                        "--max-sessions", "8", NULL};
    pool_server_t server = pool_server_start(flags);
    size_t count = bench->is_short ? SESSIONS_SHORT : SESSIONS;
    double resident[SAMPLES];
    double descriptors[SAMPLES];
    double lowest = 0;
    char name[64];

    pool_server_introduce(bench, &server);
    pool_server_await_empty(&server);
    for (size_t i = 0; i < SAMPLES; i++) {
        pool_visitors_run(&server, count / SAMPLES, pool_visitor_pass);
        pool_server_await_empty(&server);
        resident[i] = process_resident_kib(server.serving);
        descriptors[i] = settle_descriptors(&server, lowest);
        lowest = i == 0 || descriptors[i] < lowest ? descriptors[i] : lowest;
    }
    snprintf(name, sizeof(name), "memory of the server, %zu sessions", count);
    bench_flat(bench, name, resident, SAMPLES);
    snprintf(name, sizeof(name), "descriptors of the server, %zu sessions", count);
    bench_flat(bench, name, descriptors, SAMPLES);
    pool_server_stop(&server);
}

int main(int argc, char **argv)
{
    bench_t bench = bench_begin(argc, argv);

    measure_many_sessions(&bench);
    measure_session(&bench, "idle session, one of 8", "print(1)", 8);
    measure_session(&bench, "idle session with pyplot, one of 8", "import matplotlib.pyplot", 45);
    return bench_end(&bench);
}
