/* How long a host takes from nothing to the result of its first call, and what it holds. */
#include <stdlib.h>

#include "bench/bench.h"

enum { STARTS = 200 };

static double median_start(const bench_t *bench, const char *program, double *peak_kib_out)
{
    const char *const argv[] = {program, NULL};
    size_t count = bench_times(bench, STARTS);
    double *ns = calloc(count, sizeof(*ns));
    double median;

    if (ns == NULL) {
        exit(2);
    }
    bench_program(argv, &ns[0], peak_kib_out); /* warms up */
    for (size_t i = 0; i < count; i++) {
        bench_program(argv, &ns[i], peak_kib_out);
    }
    median = bench_percentile(ns, count, 0.5);
    free(ns);
    return median;
}

int main(int argc, char **argv)
{
    bench_t bench = bench_begin(argc, argv);
    double peak_kib = 0;

    bench_yardstick(&bench, "start /bin/true", median_start(&bench, "/bin/true", &peak_kib), 6e5);
    bench_figure(&bench, "start, load a plugin, first invoke",
                 median_start(&bench, START_PROGRAM, &peak_kib), BENCH_MS, 2);
    bench_figure(&bench, "memory at its peak", peak_kib, BENCH_KIB, 3072);
    return bench_end(&bench);
}
