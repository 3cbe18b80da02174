/*
 * bench.h - measure something against its budget and against a yardstick.
 *
 *     int main(int argc, char **argv)
 *     {
 *         bench_t bench = bench_begin(argc, argv);
 *
 *         bench_yardstick(&bench, "call through a pointer", bench_time(&bench, direct, &state), 2);
 *         bench_figure(&bench, "invoke", bench_time(&bench, invoke, &state), BENCH_NS, 60);
 *         return bench_end(&bench);
 *     }
 *
 * prints one line a figure: the value, the budget, the verdict. A yardstick is
 * something simple that is measured in the same run (a direct call, a bare
 * request); what it usually takes stands beside it. On a machine or at a moment
 * where it takes longer, the limit grows in proportion. A figure beyond three
 * times its budget, so scaled, makes bench_end() return 1; `--short` measures
 * for less time and judges alike.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum bench_unit {
    BENCH_NS,
    BENCH_US,
    BENCH_MS,
    BENCH_KIB,
    BENCH_MIB,
    BENCH_COUNT
} bench_unit_t;

typedef struct bench {
    bool is_short;
    double scale; /* of the last yardstick: how much slower than usual, at least 1 */
    int missed;   /* figures over their budget */
    int failed;   /* figures beyond three times the scaled budget */
} bench_t;

/* Does the thing that is measured `times` times. */
typedef void (*bench_fn)(void *data, size_t times);

bench_t bench_begin(int argc, char **argv);

/* Nanoseconds for one time: the median of several rounds, after one to warm up. */
double bench_time(const bench_t *bench, bench_fn fn, void *data);

/* The value below which the share `p` (0.5: the median) of `count` values lies. Sorts them. */
double bench_percentile(double *values, size_t count, double p);

/* How often to repeat what is too long or too rare for bench_time(): `full`, or a
 * twentieth of it, at least 3, in the short form. */
size_t bench_times(const bench_t *bench, size_t full);

/* Time in nanoseconds, monotonic. */
double bench_now(void);

/* What the figures that follow are compared with: the time it took, in nanoseconds, and
 * the time it usually takes. */
void bench_yardstick(bench_t *bench, const char *name, double ns, double usual_ns);

/* Print and judge one figure. Times are given in nanoseconds whatever the unit
 * they are shown and budgeted in; memory in the unit
 * itself. Only times are scaled. */
void bench_figure(bench_t *bench, const char *name, double value, bench_unit_t unit, double budget);

/* The same for something of which there should be much in a second. */
void bench_rate(bench_t *bench, const char *name, double per_second, double budget);

/* Judge `count` samples of something that must not grow (bytes, descriptors): the second
 * half may rise by less than 1 %. */
void bench_flat(bench_t *bench, const char *name, const double *samples, size_t count);

/* Memory that this process occupies now, in KiB, and the descriptors it has open. */
double bench_resident_kib(void);
double bench_descriptors(void);

/* Run a program to its end: how long it took, in nanoseconds, and the most memory it
 * occupied, in KiB. Ends the benchmark if the program fails. */
void bench_program(const char *const *argv, double *ns_out, double *peak_kib_out);

/* The exit status: 0, or 1 if a figure failed. */
int bench_end(const bench_t *bench);

#endif /* BENCH_BENCH_H */
