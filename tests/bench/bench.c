/*
 * bench.c - measuring and judging, for all benchmarks.
 */
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, ROUNDS_SHORT = 5, TOLERANCE = 3 };

static const struct {
    const char *name;
    double ns; /* that make one; 0: not a time */
} units[] = {
    [BENCH_NS] = {"ns", 1},   [BENCH_US] = {"us", 1e3}, [BENCH_MS] = {"ms", 1e6},
    [BENCH_KIB] = {"KiB", 0}, [BENCH_MIB] = {"MiB", 0}, [BENCH_COUNT] = {"", 0},
};

static void print_line(const char *name, const char *value, const char *budget, const char *verdict)
{
    printf("%-44s %14s %14s  %s\n", name, value, budget, verdict);
    fflush(stdout);
}

bench_t bench_begin(int argc, char **argv)
{
    bench_t bench = {.scale = 1};

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--short") != 0)) {
        fprintf(stderr, "usage: %s [--short]\n", argv[0]);
        exit(2);
    }
    bench.is_short = argc == 2;
    print_line("figure", "value", "budget", "verdict");
    return bench;
}

double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

size_t bench_times(const bench_t *bench, size_t full)
{
    size_t times = bench->is_short ? full / 20 : full;

    return times < 3 ? 3 : times;
}

static double time_once(bench_fn fn, void *data, size_t times)
{
    double start = bench_now();

    fn(data, times);
    return bench_now() - start;
}

double bench_time(const bench_t *bench, bench_fn fn, void *data)
{
    double round_ns = bench->is_short ? 5e6 : 50e6;
    size_t rounds = bench->is_short ? ROUNDS_SHORT : ROUNDS;
    double values[ROUNDS];
    size_t times = 1;

    /* Warms up, and finds out how many times fill a round. */
    while (time_once(fn, data, times) < round_ns && times < SIZE_MAX / 2) {
        times *= 2;
    }
    for (size_t i = 0; i < rounds; i++) {
        values[i] = time_once(fn, data, times) / (double)times;
    }
    return bench_percentile(values, rounds, 0.5);
}

static int compare_values(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

double bench_percentile(double *values, size_t count, double p)
{
    size_t index = (size_t)(p * (double)count);

    qsort(values, count, sizeof(*values), compare_values);
    return values[index < count ? index : count - 1];
}

void bench_yardstick(bench_t *bench, const char *name, double ns, double usual_ns)
{
    bench_unit_t unit = usual_ns < 1e3 ? BENCH_NS : usual_ns < 1e6 ? BENCH_US : BENCH_MS;
    char value[32];
    char usual[32];

    bench->scale = ns > usual_ns ? ns / usual_ns : 1;
    snprintf(value, sizeof(value), "%.2f %s", ns / units[unit].ns, units[unit].name);
    snprintf(usual, sizeof(usual), "(%g %s)", usual_ns / units[unit].ns, units[unit].name);
    print_line(name, value, usual, "yardstick");
}

/* What to say of a value that may be `budget` and must not be beyond `limit`. Written so that
 * one that is not a number fails. */
static const char *judge(bench_t *bench, double value, double budget, double limit)
{
    if (!(value <= limit)) {
        bench->failed++;
        return "FAILED: beyond three times the budget";
    }
    if (value > budget) {
        bench->missed++;
        return "missed";
    }
    return "met";
}

void bench_figure(bench_t *bench, const char *name, double value, bench_unit_t unit, double budget)
{
    bool is_time = units[unit].ns > 0;
    double shown = is_time ? value / units[unit].ns : value;
    double limit = TOLERANCE * budget * (is_time ? bench->scale : 1);
    const char *verdict = judge(bench, shown, budget, limit);
    char value_text[32];
    char budget_text[32];

    snprintf(value_text, sizeof(value_text), "%.*f %s", shown < 100 ? 2 : 0, shown,
             units[unit].name);
    snprintf(budget_text, sizeof(budget_text), "%g %s", budget, units[unit].name);
    print_line(name, value_text, budget_text, verdict);
}

void bench_rate(bench_t *bench, const char *name, double per_second, double budget)
{
    const char *verdict =
        judge(bench, 1 / per_second, 1 / budget, TOLERANCE * bench->scale / budget);
    char value_text[32];
    char budget_text[32];

    snprintf(value_text, sizeof(value_text), "%.1f /s", per_second);
    snprintf(budget_text, sizeof(budget_text), "%g /s", budget);
    print_line(name, value_text, budget_text, verdict);
}

void bench_flat(bench_t *bench, const char *name, const double *samples, size_t count)
{
    size_t first = count / 2;
    double n = (double)(count - first);
    double mean_x = (n - 1) / 2;
    double mean_y = 0;
    double covariance = 0;
    double variance = 0;
    double rise;
    char text[32];

    for (size_t i = first; i < count; i++) {
        mean_y += samples[i] / n;
    }
    for (size_t i = first; i < count; i++) {
        double x = (double)(i - first) - mean_x;

        covariance += x * (samples[i] - mean_y);
        variance += x * x;
    }
    /* The straight line through the second half, from its start to its end. */
    rise = 100 * covariance / variance * (n - 1) / mean_y;
    snprintf(text, sizeof(text), "%+.2f %%", rise);
    if (!(rise < 1)) {
        bench->failed++;
    }
    print_line(name, text, "< 1 %", rise < 1 ? "met" : "FAILED: it grows");
}

double bench_resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0;
    long resident = 0;

    if (file == NULL || fscanf(file, "%ld %ld", &total, &resident) != 2) {
        fputs("cannot read /proc/self/statm\n", stderr);
        exit(2);
    }
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

double bench_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    double count = -3; /* ".", ".." and the descriptor of the directory itself */

    if (directory == NULL) {
        fputs("cannot read /proc/self/fd\n", stderr);
        exit(2);
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

void bench_program(const char *const *argv, double *ns_out, double *peak_kib_out)
{
    struct rusage usage;
    double start = bench_now();
    int status = 0;
    int failure;
    pid_t pid;

    failure = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
    if (failure != 0) {
        fprintf(stderr, "cannot start %s: %s\n", argv[0], strerror(failure));
        exit(2);
    }
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    *ns_out = bench_now() - start;
    *peak_kib_out = (double)usage.ru_maxrss;
    if (status != 0) {
        fprintf(stderr, "%s failed with status %d\n", argv[0], status);
        exit(2);
    }
}

int bench_end(const bench_t *bench)
{
    if (bench->missed > 0 || bench->failed > 0) {
        printf("%d over budget, %d of them failed\n", bench->missed + bench->failed, bench->failed);
    }
    return bench->failed > 0 ? 1 : 0;
}
