/* What the benchmark harness measures and how it judges. */
#include "bench/bench.h"

#include "support/check.h"

static void spin(void *data, size_t times)
{
    volatile size_t *sum = data;

    for (size_t i = 0; i < times; i++) {
        *sum = *sum + i;
    }
}

static void figure_within_its_budget_is_met(void)
{
    bench_t bench = {.scale = 1};

    bench_figure(&bench, "within", 59, BENCH_NS, 60);
    CHECK_EQ(bench.missed, 0);
    CHECK_EQ(bench_end(&bench), 0);
}

static void figure_over_its_budget_is_missed_but_does_not_fail(void)
{
    bench_t bench = {.scale = 1};

    bench_figure(&bench, "over", 2500, BENCH_US, 1);
    CHECK_EQ(bench.missed, 1);
    CHECK_EQ(bench_end(&bench), 0);
}

static void figure_beyond_three_times_its_budget_fails(void)
{
    bench_t bench = {.scale = 1};

    bench_figure(&bench, "beyond", 3.1e6, BENCH_MS, 1);
    CHECK_EQ(bench_end(&bench), 1);
}

static void figure_that_is_not_a_number_fails(void)
{
    bench_t bench = {.scale = 1};

    bench_figure(&bench, "nothing", 0.0 / 0.0, BENCH_NS, 1);
    CHECK_EQ(bench_end(&bench), 1);
}

static void rate_is_judged_by_the_time_that_one_takes(void)
{
    bench_t bench = {.scale = 1};

    bench_rate(&bench, "more", 26, 25);
    CHECK_EQ(bench.missed, 0);
    bench_rate(&bench, "fewer", 24, 25);
    CHECK_EQ(bench.missed, 1);
    bench_rate(&bench, "a third", 8, 25);
    CHECK_EQ(bench.failed, 1);
    bench_rate(&bench, "none", 0, 25);
    CHECK_EQ(bench.failed, 2);
}

static void slow_yardstick_widens_the_limit_of_times_alone(void)
{
    bench_t bench = {.scale = 1};

    bench_yardstick(&bench, "yardstick", 4, 2);
    bench_figure(&bench, "time", 500, BENCH_NS, 100);
    CHECK_EQ(bench.failed, 0);
    bench_figure(&bench, "memory", 500, BENCH_KIB, 100);
    CHECK_EQ(bench.failed, 1);
}

static void fast_yardstick_does_not_narrow_the_limit(void)
{
    bench_t bench = {.scale = 1};

    bench_yardstick(&bench, "yardstick", 1, 2);
    bench_figure(&bench, "time", 290, BENCH_NS, 100);
    CHECK_EQ(bench.failed, 0);
}

static void percentile_is_taken_of_the_sorted_values(void)
{
    double values[] = {5, 1, 4, 2, 3};

    CHECK(bench_percentile(values, 5, 0.5) == 3);
    CHECK(bench_percentile(values, 5, 1) == 5);
}

static void steady_samples_are_flat_and_growing_ones_are_not(void)
{
    bench_t bench = {.scale = 1};
    double steady[] = {100, 300, 301, 300, 301, 300};
    double growing[] = {100, 100, 100, 110, 120, 130};

    bench_flat(&bench, "steady", steady, 6);
    CHECK_EQ(bench.failed, 0);
    bench_flat(&bench, "growing", growing, 6);
    CHECK_EQ(bench.failed, 1);
}

static void time_of_one_is_that_of_many_divided(void)
{
    bench_t bench = {.is_short = true, .scale = 1};
    size_t sum = 0;
    double ns = bench_time(&bench, spin, &sum);

    CHECK(ns > 0 && ns < 1e5);
}

static void program_reports_its_time_and_memory(void)
{
    static const char *const argv[] = {"/bin/true", NULL};
    double ns = 0;
    double peak_kib = 0;

    bench_program(argv, &ns, &peak_kib);
    CHECK(ns > 0);
    CHECK(peak_kib > 100);
    CHECK(bench_resident_kib() > 100);
    CHECK(bench_descriptors() >= 3);
}

TESTS(TEST(figure_within_its_budget_is_met),
      TEST(figure_over_its_budget_is_missed_but_does_not_fail),
      TEST(figure_beyond_three_times_its_budget_fails), TEST(figure_that_is_not_a_number_fails),
      TEST(rate_is_judged_by_the_time_that_one_takes),
      TEST(slow_yardstick_widens_the_limit_of_times_alone),
      TEST(fast_yardstick_does_not_narrow_the_limit),
      TEST(percentile_is_taken_of_the_sorted_values),
      TEST(steady_samples_are_flat_and_growing_ones_are_not),
      TEST(time_of_one_is_that_of_many_divided), TEST(program_reports_its_time_and_memory))
