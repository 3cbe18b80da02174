/* What a call costs, from the ways to make it that a host has. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"

enum { INVOKES_FLAT = 1000000, SAMPLES = 40 };

KP_FUNCTION(integer, direct, "Add two integers.", (integer, a, "First addend"),
            (integer, b, "Second addend"))
{
    return a + b;
}

/* Answers at once: what is measured is the way to the loop thread and back. */
KP_FUNCTION(async, answer, "Add two integers.", (integer, a, "First addend"),
            (integer, b, "Second addend"))
{
    return kp_return_integer(call, a + b);
}

typedef struct state {
    kernel_t *kernel;
    const kernel_function_t *plain;
    const kernel_function_t *async;
    kernel_args_t *args;
    int64_t (*volatile add)(int64_t a, int64_t b);
} state_t;

static int64_t add(int64_t a, int64_t b)
{
    return a + b;
}

/* A benchmark of calls that fail would measure something else. */
static void expect(kernel_result_t *result)
{
    if (kernel_result_integer(result) != 3) {
        fprintf(stderr, "the call failed: %s\n", kernel_result_error(result));
        exit(2);
    }
    kernel_result_free(result);
}

static void call_directly(void *data, size_t times)
{
    state_t *state = data;

    for (size_t i = 0; i < times; i++) {
        if (state->add(1, 2) != 3) {
            abort();
        }
    }
}

static void invoke_plain(void *data, size_t times)
{
    state_t *state = data;

    for (size_t i = 0; i < times; i++) {
        expect(kernel_invoke(state->plain, state->args));
    }
}

static void invoke_async(void *data, size_t times)
{
    state_t *state = data;

    for (size_t i = 0; i < times; i++) {
        expect(kernel_invoke(state->async, state->args));
    }
}

/* Waking a processor that sleeps takes as long as the machine likes, 3 to 70 us each way on virtual
 * ones, whoever asks for it. What the kernel adds is seen when both threads share one. */
static void stay_on_one_processor(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0) {
        perror("cannot stay on one processor");
        exit(2);
    }
}

/* Two threads that take turns by a condition variable: what a hop costs at its least. */
typedef struct hop {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t asked;
    size_t answered;
    size_t times;
} hop_t;

static void *answer_hops(void *data)
{
    hop_t *hop = data;

    pthread_mutex_lock(&hop->lock);
    while (hop->answered < hop->times) {
        while (hop->asked == hop->answered) {
            pthread_cond_wait(&hop->changed, &hop->lock);
        }
        hop->answered++;
        pthread_cond_signal(&hop->changed);
    }
    pthread_mutex_unlock(&hop->lock);
    return NULL;
}

static void hop_there_and_back(void *data, size_t times)
{
    hop_t hop = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, times};
    pthread_t thread;

    (void)data;
    if (pthread_create(&thread, NULL, answer_hops, &hop) != 0) {
        abort();
    }
    pthread_mutex_lock(&hop.lock);
    for (size_t i = 0; i < times; i++) {
        hop.asked++;
        pthread_cond_signal(&hop.changed);
        while (hop.answered < hop.asked) {
            pthread_cond_wait(&hop.changed, &hop.lock);
        }
    }
    pthread_mutex_unlock(&hop.lock);
    pthread_join(thread, NULL);
}

static void invoke_json(void *data, size_t times)
{
    state_t *state = data;

    for (size_t i = 0; i < times; i++) {
        expect(kernel_invoke_json(state->kernel, "sums-direct", "{\"a\":1,\"b\":2}"));
    }
}

static kernel_filter_verdict_t before(kernel_filter_context_t *context, void *data)
{
    (void)context;
    (void)data;
    return KERNEL_FILTER_CONTINUE;
}

static kernel_filter_verdict_t after(kernel_filter_context_t *context,
                                     const kernel_result_t *result, void *data)
{
    (void)context;
    (void)result;
    (void)data;
    return KERNEL_FILTER_CONTINUE;
}

static void add_filters(kernel_t *kernel, kernel_error_t *error)
{
    static const char *const names[] = {"first", "second", "third"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        kernel_filter_t filter = KERNEL_FILTER_INIT;

        filter.name = names[i];
        filter.before = before;
        filter.after = after;
        kernel_add_filter(kernel, &filter, error);
    }
}

static void measure_flatness(bench_t *bench, state_t *state)
{
    double resident[SAMPLES];
    double descriptors[SAMPLES];
    size_t each = bench_times(bench, INVOKES_FLAT) / SAMPLES;

    for (size_t i = 0; i < SAMPLES; i++) {
        invoke_plain(state, each / 2);
        invoke_json(state, each / 2);
        resident[i] = bench_resident_kib();
        descriptors[i] = bench_descriptors();
    }
    bench_flat(bench, "memory while invoking", resident, SAMPLES);
    bench_flat(bench, "descriptors while invoking", descriptors, SAMPLES);
}

int main(int argc, char **argv)
{
    bench_t bench = bench_begin(argc, argv);
    kernel_error_t error = KERNEL_ERROR_INIT;
    state_t state = {.kernel = kernel_new(NULL, &error), .add = add};
    const kp_function *const *functions = KP_FUNCTIONS(direct, answer);
    double plain_ns;

    state.plain = kernel_add_function(state.kernel, "sums", functions[0], NULL, &error);
    state.async = kernel_add_function(state.kernel, "sums", functions[1], NULL, &error);
    state.args = kernel_args_new();
    kernel_args_set_integer(state.args, "a", 1);
    kernel_args_set_integer(state.args, "b", 2);

    bench_yardstick(&bench, "call through a pointer", bench_time(&bench, call_directly, &state), 2);
    plain_ns = bench_time(&bench, invoke_plain, &state);
    bench_figure(&bench, "invoke by handle", plain_ns, BENCH_NS, 60);
    bench_figure(&bench, "invoke by name, arguments as JSON",
                 bench_time(&bench, invoke_json, &state), BENCH_NS, 1000);
    measure_flatness(&bench, &state);

    add_filters(state.kernel, &error);
    bench_figure(&bench, "each of three no-op filters",
                 (bench_time(&bench, invoke_plain, &state) - plain_ns) / 3, BENCH_NS, 20);

    kernel_remove_filter(state.kernel, "first", &error);
    kernel_remove_filter(state.kernel, "second", &error);
    kernel_remove_filter(state.kernel, "third", &error);

    stay_on_one_processor(); /* before the kernel's loop thread begins, which inherits it */
    bench_yardstick(&bench, "thread hop and back", bench_time(&bench, hop_there_and_back, NULL),
                    4000);
    bench_figure(&bench, "synchronous call of an async function",
                 bench_time(&bench, invoke_async, &state), BENCH_US, 20);

    if (error.status != KERNEL_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(2);
    }
    kernel_args_free(state.args);
    kernel_free(state.kernel);
    return bench_end(&bench);
}
