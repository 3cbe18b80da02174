/* What it costs to run Python code in a session of the local pool. */
#include <kernel/kernel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { COLD_STARTS = 20, EXECUTIONS = 10000, SAMPLES = 40, PROCESSES = 9, SKIPPED = 77 };

typedef struct host {
    kernel_t *kernel;
    kernel_function_t *execute_code;
    kernel_args_t *args;
} host_t;

static host_t host_open(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    host_t host = {.kernel = kernel_new(NULL, &error), .args = kernel_args_new()};

    host.execute_code = kernel_plugin_find(
        kernel_add_plugin(host.kernel, "sessions_python", NULL, NULL, &error), "execute_code");
    kernel_args_set_string(host.args, "code", "print(1)");
    if (error.status != KERNEL_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(2);
    }
    return host;
}

static void host_close(host_t *host)
{
    kernel_args_free(host->args);
    kernel_free(host->kernel);
}

/* A machine without a sandbox measures nothing; where one is required, that is a failure. */
static void execute(const host_t *host)
{
    kernel_result_t *result = kernel_invoke(host->execute_code, host->args);
    kernel_status_t status = kernel_result_status(result);

    if (status != KERNEL_OK || strstr(kernel_result_text(result), "1") == NULL) {
        fprintf(stderr, "print(1) failed: %s\n", kernel_result_text(result));
        exit(status == KERNEL_E_UNAVAILABLE && getenv("SEMKERNEL_REQUIRE_SANDBOX") == NULL ? SKIPPED
                                                                                           : 2);
    }
    kernel_result_free(result);
}

static double time_execution(const host_t *host)
{
    double start = bench_now();

    execute(host);
    return bench_now() - start;
}

static double median_cold_start(const bench_t *bench)
{
    double ns[COLD_STARTS];
    size_t count = bench_times(bench, COLD_STARTS);

    for (size_t i = 0; i < count; i++) {
        host_t host = host_open();

        ns[i] = time_execution(&host);
        host_close(&host);
    }
    return bench_percentile(ns, count, 0.5);
}

static void measure_executions(bench_t *bench)
{
    host_t host = host_open();
    size_t each = bench_times(bench, EXECUTIONS) / SAMPLES;
    double *ns = calloc(each * SAMPLES, sizeof(*ns));
    double resident[SAMPLES];
    double descriptors[SAMPLES];

    if (ns == NULL) {
        exit(2);
    }
    execute(&host);
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t j = 0; j < each; j++) {
            ns[i * each + j] = time_execution(&host);
        }
        resident[i] = bench_resident_kib();
        descriptors[i] = bench_descriptors();
    }
    bench_figure(bench, "execute_code of print(1), warm, p50",
                 bench_percentile(ns, each * SAMPLES, 0.5), BENCH_MS, 0.5);
    bench_figure(bench, "execute_code of print(1), warm, p99",
                 bench_percentile(ns, each * SAMPLES, 0.99), BENCH_MS, 5);
    bench_flat(bench, "memory while executing", resident, SAMPLES);
    bench_flat(bench, "descriptors while executing", descriptors, SAMPLES);
    free(ns);
    host_close(&host);
}

int main(int argc, char **argv)
{
    bench_t bench = bench_begin(argc, argv);
    static const char *const python[] = {"/usr/bin/python3", "-I", "-c", "pass", NULL};
    double ns[PROCESSES];
    double peak_kib = 0;

    for (size_t i = 0; i < PROCESSES; i++) {
        bench_program(python, &ns[i], &peak_kib);
    }
    bench_yardstick(&bench, "a process of Python alone", bench_percentile(ns, PROCESSES, 0.5),
                    15e6);
    bench_figure(&bench, "cold first execute_code, p50", median_cold_start(&bench), BENCH_MS, 500);
    /* What warm workers import ahead would have the machine meanwhile. */
    setenv("SEMKERNEL_SESSIOND_PREIMPORT", "none", 1);
    measure_executions(&bench);
    return bench_end(&bench);
}
