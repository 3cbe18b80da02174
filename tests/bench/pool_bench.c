/*
 * How fast a session pool is, seen by a client on its socket that costs next to nothing.
 *
 *     first executions    in a session that did not exist, by a worker that was warm
 *     round trips         of the shortest execution in a session that is there
 *     wakings             of a session that was stopped since
 *     sessions in a row   made, used once and deleted by several clients at a time
 *     interrupts          from the deadline to the answer, the session's state kept
 *     ends                of a session with many processes, until none is left
 *     output              read to its end, and what it costs the server in memory
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/pool_client.h"
#include "bench/pool_server.h"
#include "bench/pool_visitors.h"

enum {
    FIRST_EXECUTIONS = 60,
    FIRST_PLOTS = 8,
    WAKINGS = 100,
    ROUND_TRIPS = 20000,
    SESSIONS = 400,
    INTERRUPTS = 2, /* of each kind, besides one */
    ENDS = 20,
    PROCESSES = 64,
    PATIENCE_MS = 10000
};

static double *new_values(size_t count)
{
    double *values = calloc(count, sizeof(*values));

    if (values == NULL) {
        exit(2);
    }
    return values;
}

static double time_execution(pool_client_t *client, const char *identifier, const char *code)
{
    double start = bench_now();

    pool_client_execute(client, identifier, code);
    return bench_now() - start;
}

/* Two workers are warm each time, and the machine has nothing else to do. */
static void measure_first_executions(bench_t *bench, const char *name, const char *imports,
                                     const char *code, size_t count, double budget_ms)
{
    const char *const flags[] = {"--warm-min",  "2",     "--preimport", imports,
                                 "--log-level", "debug", NULL};
    const char *event = strcmp(imports, "none") == 0 ? "worker_ready" : "worker_warm";
    pool_server_t server = pool_server_start(flags);
    pool_client_t client = pool_client_connect(&server);
    double *ns = new_values(count);
    char identifier[32];

    pool_server_await(&server, event);
    for (size_t i = 0; i < count; i++) {
        snprintf(identifier, sizeof(identifier), "first-%zu", i);
        pool_server_await(&server, event);
        ns[i] = time_execution(&client, identifier, code);
        pool_client_delete(&client, identifier);
    }
    bench_figure(bench, name, bench_percentile(ns, count, 0.5), BENCH_MS, budget_ms);
    free(ns);
    pool_client_close(&client);
    pool_server_stop(&server);
}

static void measure_round_trips(bench_t *bench, const pool_server_t *server)
{
    pool_client_t client = pool_client_connect(server);
    size_t count = bench_times(bench, ROUND_TRIPS);
    double *ns = new_values(count);

    pool_client_execute(&client, "round-trips", "print(1)");
    for (size_t i = 0; i < count; i++) {
        ns[i] = time_execution(&client, "round-trips", "print(1)");
    }
    bench_figure(bench, "round trip of print(1), p50", bench_percentile(ns, count, 0.5), BENCH_MS,
                 0.5);
    bench_figure(bench, "round trip of print(1), p99", bench_percentile(ns, count, 0.99), BENCH_MS,
                 5);
    pool_client_delete(&client, "round-trips");
    free(ns);
    pool_client_close(&client);
}

static void measure_sessions(bench_t *bench, const pool_server_t *server)
{
    size_t count = bench_times(bench, SESSIONS);
    double start = bench_now();

    pool_visitors_run(server, count, pool_visitor_pass);
    pool_server_await_empty(server);
    bench_rate(bench, "sessions made, used once, removed",
               (double)count / ((bench_now() - start) / 1e9), 25);
}

/* The session's processes have been stopped since its last execution. */
static void measure_wakings(bench_t *bench)
{
    static const char *const flags[] = {"--warm-min",     "0", "--preimport", "none",
                                        "--freeze-after", "0", NULL};
    pool_server_t server = pool_server_start(flags);
    pool_client_t client = pool_client_connect(&server);
    size_t count = bench_times(bench, WAKINGS);
    double *stop_ns = new_values(count);
    double *ns = new_values(count);

    pool_client_execute(&client, "wakings", "print(1)");
    for (size_t i = 0; i < count; i++) {
        double start = bench_now();

        pool_client_await(&client, "workers{state=\"frozen\"}", 1);
        stop_ns[i] = bench_now() - start;
        ns[i] = time_execution(&client, "wakings", "print(1)");
    }
    bench_figure(bench, "stopping a session, p50", bench_percentile(stop_ns, count, 0.5), BENCH_MS,
                 20);
    bench_figure(bench, "round trip to a stopped session, p50", bench_percentile(ns, count, 0.5),
                 BENCH_MS, 2);
    free(stop_ns);
    free(ns);
    pool_client_close(&client);
    pool_server_stop(&server);
}

/* ---- interrupts ---- */

static void measure_interrupts(bench_t *bench, const pool_server_t *server)
{
    static const char *const endless[] = {
        "while True: pass",
        "import time; time.sleep(30)",
        "import os; os.system('sleep 30')",
    };
    enum { KINDS = sizeof(endless) / sizeof(endless[0]) };
    pool_client_t client = pool_client_connect(server);
    size_t each = bench->is_short ? 1 : INTERRUPTS;
    double latest = 0;

    pool_client_execute(&client, "interrupts", "kept = 42");
    for (size_t i = 0; i < each * KINDS; i++) {
        double start = bench_now();

        if (pool_client_try(&client, "interrupts", endless[i % KINDS], 1)) {
            fputs("an endless execution has succeeded\n", stderr);
            exit(2);
        }
        double late = bench_now() - start - 1e9;
        latest = late > latest ? late : latest;
        pool_client_execute(&client, "interrupts", "assert kept == 42");
    }
    bench_figure(bench, "interrupt behind the deadline, the latest", latest, BENCH_MS, 100);
    pool_client_delete(&client, "interrupts");
    pool_client_close(&client);
}

/* ---- ends ---- */

/* Wait until all of these are reaped. First sleep until each is dead. */
static void await_end(const process_tree_t *tree, const int *ends)
{
    double deadline = bench_now() + PATIENCE_MS * 1e6;

    for (size_t i = 0; i < tree->count; i++) {
        struct pollfd end = {ends[i], POLLIN, 0};

        if (poll(&end, 1, PATIENCE_MS) != 1) {
            fputs("a process outlives its session\n", stderr);
            exit(2);
        }
    }
    for (size_t i = 0; i < tree->count; i++) {
        while (kill(tree->pids[i], 0) == 0) {
            if (bench_now() > deadline) {
                fputs("a dead process is not reaped\n", stderr);
                exit(2);
            }
        }
    }
}

static double time_end(pool_client_t *client, const pool_server_t *server)
{
    static process_tree_t tree;
    static int ends[PROCESS_TREE_MAX];
    double start;

    pool_client_execute(client, "many-processes",
                        "import os, signal\n"
                        "for _ in range(63):\n"
                        "    if os.fork() == 0:\n"
                        "        signal.pause()");
    pool_server_read_tree(server, &tree);
    if (tree.count < PROCESSES) {
        fprintf(stderr, "the session has %zu processes only\n", tree.count);
        exit(2);
    }
    for (size_t i = 0; i < tree.count; i++) {
        ends[i] = (int)syscall(SYS_pidfd_open, tree.pids[i], 0);
    }
    start = bench_now();
    pool_client_delete(client, "many-processes");
    await_end(&tree, ends);
    double ns = bench_now() - start;
    for (size_t i = 0; i < tree.count; i++) {
        (void)close(ends[i]);
    }
    return ns;
}

static void measure_ends(bench_t *bench)
{
    static const char *const flags[] = {
        "--warm-min", "0", "--preimport", "none", "--max-sessions", "1", "--processes", "80", NULL};
    pool_server_t server = pool_server_start(flags);
    pool_client_t client = pool_client_connect(&server);
    size_t count = bench_times(bench, ENDS);
    double *ns = new_values(count);

    pool_server_await_empty(&server);
    for (size_t i = 0; i < count; i++) {
        ns[i] = time_end(&client, &server);
    }
    bench_figure(bench, "end of a session of 64 processes, p50", bench_percentile(ns, count, 0.5),
                 BENCH_MS, 100);
    free(ns);
    pool_client_close(&client);
    pool_server_stop(&server);
}

/* ---- output ---- */

static void measure_output(bench_t *bench)
{
    static const char *const flags[] = {"--warm-min",     "0",    "--preimport", "none",
                                        "--output-drain", "600M", NULL};
    pool_server_t server = pool_server_start(flags);
    pool_client_t client = pool_client_connect(&server);

    pool_client_execute(&client, "output", "import os; block = b'x' * (1 << 20); print(1)");
    process_forget_peak(server.serving);
    double resident = process_resident_kib(server.serving);
    double ns = time_execution(&client, "output",
                               "for _ in range(500):\n    assert os.write(1, block) == 1 << 20");
    bench_figure(bench, "500 MiB of output", ns, BENCH_MS, 1000);
    bench_figure(bench, "memory of the server meanwhile",
                 (process_peak_kib(server.serving) - resident) / 1024, BENCH_MIB, 4);
    pool_client_close(&client);
    pool_server_stop(&server);
}

int main(int argc, char **argv)
{
    static const char *const flags[] = {"--warm-min",     "0",  "--preimport", "none",
                                        "--max-sessions", "16", NULL};
    bench_t bench = bench_begin(argc, argv);
    pool_server_t server;

    server = pool_server_start(flags);
    pool_server_introduce(&bench, &server);
    measure_first_executions(&bench, "hand-out and first execution, p50", "none", "print(1)",
                             bench_times(&bench, FIRST_EXECUTIONS), 2);
    measure_first_executions(&bench, "hand-out and import of pyplot, p50",
                             "numpy,matplotlib.pyplot", "import matplotlib.pyplot",
                             bench_times(&bench, FIRST_PLOTS), 5);
    measure_round_trips(&bench, &server);
    measure_sessions(&bench, &server);
    measure_interrupts(&bench, &server);
    pool_server_stop(&server);
    measure_wakings(&bench);
    measure_ends(&bench);
    measure_output(&bench);
    return bench_end(&bench);
}
