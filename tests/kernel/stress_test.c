/*
 * Everything at once, for a while: whatever happens to calls, each is reported
 * exactly once and nothing is leaked.
 *
 * The seed is printed; STRESS_SEED=n runs the same choices again.
 */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support/fixture.h"

#define STORM_MS 2000

/* ---- choices ---- */

typedef struct dice {
    uint64_t state;
} dice_t;

static uint32_t roll(dice_t *dice, uint32_t sides)
{
    uint64_t z = dice->state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 33) % sides;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t choose_seed(void)
{
    const char *given = getenv("STRESS_SEED");
    uint64_t seed =
        given != NULL ? strtoull(given, NULL, 10) : now_ms() * 1000003 + (uint64_t)clock();

    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

/* ---- a plugin with state whose functions do whatever may happen ---- */

#define LATE_MAX 256

/* Calls that another thread completes, later. */
typedef struct late {
    pthread_mutex_t lock;
    pthread_cond_t more;
    kp_call *calls[LATE_MAX];
    size_t count;
    bool is_over;
    pthread_t thread;
} late_t;

static late_t late = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void *complete_late(void *data)
{
    dice_t dice = {(uint64_t)(uintptr_t)data};

    pthread_mutex_lock(&late.lock);
    while (!late.is_over || late.count > 0) {
        kp_call *call;
        uint32_t at;

        if (late.count == 0) {
            pthread_cond_wait(&late.more, &late.lock);
            continue;
        }
        at = roll(&dice, (uint32_t)late.count);
        call = late.calls[at];
        late.calls[at] = late.calls[--late.count];
        pthread_mutex_unlock(&late.lock);
        for (uint32_t i = roll(&dice, 20); i > 0; i--) {
            sched_yield();
        }
        (void)kp_emit_text(call, "late", 4);
        kp_complete(call, kp_return_integer(call, 1));
        if (roll(&dice, 50) == 0) {
            kp_complete(call, KP_E_INTERNAL); /* against the rules */
        }
        pthread_mutex_lock(&late.lock);
    }
    pthread_mutex_unlock(&late.lock);
    return NULL;
}

static int create(kp_instance *instance)
{
    instance->self = instance;
    return KP_OK;
}

KP_FUNCTION(async, later, "Be completed by another thread.")
{
    int status = KP_PENDING;

    pthread_mutex_lock(&late.lock);
    if (late.count < LATE_MAX) {
        late.calls[late.count++] = call;
        pthread_cond_signal(&late.more);
    } else {
        status = KP_E_BUSY;
    }
    pthread_mutex_unlock(&late.lock);
    return status;
}

static void on_cancel(kp_call *call, void *data)
{
    (void)data;
    kp_complete(call, KP_E_CANCELLED);
}

KP_FUNCTION(async, until_cancelled, "Wait to be cancelled.")
{
    return kp_on_cancel(call, on_cancel, NULL) == KP_OK ? KP_PENDING : KP_E_CANCELLED;
}

KP_FUNCTION(async, twice, "Complete two times.")
{
    kp_complete(call, kp_return_integer(call, 1));
    kp_complete(call, KP_E_INTERNAL);
    return KP_PENDING;
}

KP_FUNCTION(status, poll_a_while, "Look a while whether it is cancelled.")
{
    for (int i = 0; i < 200; i++) {
        if (kp_cancelled(call)) {
            return KP_E_CANCELLED;
        }
        (void)kp_emit_text(call, "here", 4);
        sched_yield();
    }
    return kp_return_integer(call, 1);
}

KP_FUNCTION_FLAGS(KP_F_QUICK, status, quick, "Be quick.")
{
    return kp_return_integer(call, 1);
}

/* Calls itself or another instance, so that waits close to rings. */
KP_FUNCTION(status, around, "Call on, `left` more times.", (integer, left, "How often."),
            (integer, next, "Which instance."))
{
    const kp_invoke *invoke = kp_extension(call->instance, KP_EXT_INVOKE);
    kp_named args[2] = {{"left", kp_of_integer(left - 1)}, {"next", kp_of_integer(next * 7 + 3)}};
    char name[32];

    if (left <= 0) {
        return kp_return_integer(call, 1);
    }
    snprintf(name, sizeof(name), "p%d-around", (int)((uint64_t)next % 4));
    return invoke->call(invoke, call, name, args, 2, NULL, NULL, NULL) == KP_OK
               ? kp_return_integer(call, 1)
               : KP_E_REMOTE;
}

static void on_result(void *arg, const kp_result *result)
{
    kp_call *call = arg;

    kp_complete(call, result->status == KP_OK ? kp_return_integer(call, 1) : KP_E_REMOTE);
}

KP_FUNCTION(async, around_async, "Start `around` of another instance.",
            (integer, next, "Which instance."))
{
    const kp_invoke *invoke = kp_extension(call->instance, KP_EXT_INVOKE);
    kp_named args[2] = {{"left", kp_of_integer(3)}, {"next", kp_of_integer(next)}};
    char name[32];

    snprintf(name, sizeof(name), "p%d-around", (int)((uint64_t)next % 4));
    return invoke->start(invoke, call, name, args, 2, NULL, on_result, call, NULL) == KP_OK
               ? KP_PENDING
               : KP_E_REMOTE;
}

static const kp_plugin storm_type = {
    .size = sizeof(kp_plugin),
    .name = "storm",
    .version = "1.0.0",
    .description = "Does whatever may happen.",
    .functions =
        KP_FUNCTIONS(later, until_cancelled, twice, poll_a_while, quick, around, around_async),
    .create = create,
};
static const kp_plugin *const storm_types[] = {&storm_type, NULL};
static const kp_module storm_module = {sizeof(kp_module), KP_MINOR, 0, 0, storm_types};

static const kp_module *storm_entry(const kp_host *host)
{
    (void)host;
    return &storm_module;
}

static const char *const storm_functions[] = {
    "later", "until_cancelled", "twice", "poll_a_while", "quick", "around", "around_async"};

/* ---- a filter that tries again ---- */

static atomic_long unmatched; /* calls that one half alone has seen */

static kernel_filter_verdict_t before_call(kernel_filter_context_t *context, void *data)
{
    (void)data;
    *kernel_filter_slot(context) = context;
    return kernel_filter_args(context) != NULL ? KERNEL_FILTER_CONTINUE : KERNEL_FILTER_ANSWER;
}

static kernel_filter_verdict_t after_call(kernel_filter_context_t *context,
                                          const kernel_result_t *result, void *data)
{
    (void)data;
    if (*kernel_filter_slot(context) != context) {
        atomic_fetch_add(&unmatched, 1);
    }
    return kernel_result_status(result) == KERNEL_OK ? KERNEL_FILTER_CONTINUE : KERNEL_FILTER_RETRY;
}

static void add_filter(const fixture_t *f)
{
    kernel_filter_t filter = KERNEL_FILTER_INIT;

    filter.name = "again";
    filter.before = before_call;
    filter.after = after_call;
    CHECK_EQ(kernel_add_filter(f->kernel, &filter, NULL), KERNEL_OK);
}

/* ---- the storm ---- */

typedef struct counts {
    atomic_long started;
    atomic_long reported;
    atomic_long chunks;
    atomic_long after_the_end;
    atomic_long waited;
    atomic_long by_status[32];
} counts_t;

static counts_t counts;

typedef struct report {
    atomic_int times;
} report_t;

static void note_status(kernel_status_t status)
{
    int index = status == KERNEL_OK ? 0 : status > -32 ? -status : 31;

    atomic_fetch_add(&counts.by_status[index], 1);
}

static void on_report(const kernel_result_t *result, void *data)
{
    report_t *report = data;

    if (atomic_fetch_add(&report->times, 1) > 0) {
        atomic_fetch_add(&counts.after_the_end, 1);
        return;
    }
    note_status(kernel_result_status(result));
    atomic_fetch_add(&counts.reported, 1);
}

static void on_chunk(kernel_chunk_kind_t kind, const void *data, size_t size, void *user_data)
{
    const report_t *report = user_data;

    (void)kind;
    (void)data;
    (void)size;
    atomic_fetch_add(&counts.chunks, 1);
    if (report != NULL && atomic_load(&report->times) > 0) {
        atomic_fetch_add(&counts.after_the_end, 1);
    }
}

#define REPORTS 4096

typedef struct thread {
    pthread_t thread;
    dice_t dice;
    kernel_t *kernels[2];
    kernel_cancel_t *cancel; /* changes now and then */
    uint64_t end_ms;
    report_t *reports; /* one for each started call */
    int report_count;
} thread_t;

static kernel_function_t *choose_function(thread_t *thread, kernel_t *kernel, kernel_args_t *args)
{
    const char *function = storm_functions[roll(&thread->dice, 7)];
    char name[64];

    snprintf(name, sizeof(name), "p%u-%s", roll(&thread->dice, 4), function);
    if (strncmp(function, "around", 6) == 0) {
        kernel_args_set_integer(args, "next", (int64_t)roll(&thread->dice, 1000));
        if (strcmp(function, "around") == 0) {
            kernel_args_set_integer(args, "left", (int64_t)roll(&thread->dice, 5));
        }
    }
    return kernel_find_function(kernel, name);
}

static void start_one(thread_t *thread, kernel_function_t *function, const kernel_args_t *args,
                      kernel_invoke_options_t *options)
{
    report_t *report = &thread->reports[thread->report_count];
    kernel_call_t *call = NULL;
    bool wants_handle = roll(&thread->dice, 2) == 0;

    options->delivery = roll(&thread->dice, 2) == 0 ? KERNEL_DELIVERY_FD : KERNEL_DELIVERY_LOOP;
    options->stream_data = report;
    if (kernel_invoke_async(function, args, options, on_report, report,
                            wants_handle ? &call : NULL) != KERNEL_OK) {
        return;
    }
    thread->report_count++;
    atomic_fetch_add(&counts.started, 1);
    if (wants_handle) {
        for (uint32_t i = roll(&thread->dice, 10); i > 0; i--) {
            sched_yield();
        }
        if (roll(&thread->dice, 2) == 0) {
            kernel_call_cancel(call);
        }
        kernel_call_release(call);
    }
}

static void one_round(thread_t *thread)
{
    kernel_t *kernel = thread->kernels[roll(&thread->dice, 2)];
    kernel_args_t *args = kernel_args_new();
    kernel_function_t *function = choose_function(thread, kernel, args);
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    bool may_wait_for_ever = function != NULL && strstr(kernel_function_name(function), "until");

    if (roll(&thread->dice, 3) == 0 || may_wait_for_ever) {
        options.timeout_ms = 1 + roll(&thread->dice, 5);
    }
    if (roll(&thread->dice, 3) == 0) {
        options.cancel = thread->cancel;
    }
    if (roll(&thread->dice, 3) == 0) {
        options.on_chunk = on_chunk;
    }
    if (roll(&thread->dice, 4) != 0 && thread->report_count < REPORTS) {
        start_one(thread, function, args, &options);
    } else {
        kernel_result_t *result = kernel_invoke_with(function, args, &options);

        note_status(kernel_result_status(result));
        atomic_fetch_add(&counts.waited, 1);
        kernel_result_free(result);
    }
    kernel_args_free(args);
    if (roll(&thread->dice, 20) == 0) {
        kernel_cancel_trigger(thread->cancel);
        kernel_cancel_free(thread->cancel);
        thread->cancel = kernel_cancel_new();
    }
}

static void *storm(void *data)
{
    thread_t *thread = data;

    thread->cancel = kernel_cancel_new();
    while (now_ms() < thread->end_ms) {
        one_round(thread);
    }
    kernel_cancel_free(thread->cancel);
    return NULL;
}

/* One instance comes and goes; another thread dispatches. */
static void *change_plugins(void *data)
{
    thread_t *thread = data;

    while (now_ms() < thread->end_ms) {
        kernel_t *kernel = thread->kernels[roll(&thread->dice, 2)];
        kernel_plugin_t *plugin = kernel_find_plugin(kernel, "p3");

        if (plugin == NULL) {
            (void)kernel_add_plugin(kernel, "storm", "p3", NULL, NULL);
        } else if (roll(&thread->dice, 2) == 0) {
            (void)kernel_replace_plugin(kernel, "storm", "p3", NULL, NULL);
        } else {
            (void)kernel_remove_plugin(plugin, NULL);
        }
        for (int i = 0; i < 20; i++) {
            sched_yield();
        }
    }
    return NULL;
}

static void *dispatch(void *data)
{
    thread_t *thread = data;
    struct pollfd ends[2] = {
        {.fd = kernel_completion_fd(thread->kernels[0]), .events = POLLIN},
        {.fd = kernel_completion_fd(thread->kernels[1]), .events = POLLIN},
    };

    while (now_ms() < thread->end_ms) {
        if (poll(ends, 2, 10) > 0) {
            (void)kernel_dispatch(thread->kernels[0]);
            (void)kernel_dispatch(thread->kernels[1]);
        }
    }
    return NULL;
}

#define STORM_THREADS 8

static void calls_in_a_storm_are_reported_once_each(void)
{
    static void *(*const others[])(void *) = {change_plugins, dispatch, dispatch};
    static thread_t threads[STORM_THREADS + 3];
    uint64_t seed = choose_seed();
    fixture_t f[2] = {fixture_new(), fixture_new()};
    uint64_t end_ms;

    CHECK_EQ(kernel_register_static("storm", storm_entry, NULL), KERNEL_OK);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 4; i++) {
            char name[16];

            snprintf(name, sizeof(name), "p%d", i);
            fixture_add(&f[k], "storm", name);
        }
    }
    add_filter(&f[0]);
    CHECK_EQ(pthread_create(&late.thread, NULL, complete_late, (void *)(uintptr_t)seed), 0);
    end_ms = now_ms() + STORM_MS;
    for (int i = 0; i < STORM_THREADS + 3; i++) {
        threads[i] = (thread_t){.dice = {seed + (uint64_t)i},
                                .kernels = {f[0].kernel, f[1].kernel},
                                .end_ms = end_ms,
                                .reports = calloc(REPORTS, sizeof(report_t))};
        CHECK(threads[i].reports != NULL);
        CHECK_EQ(pthread_create(&threads[i].thread, NULL,
                                i < STORM_THREADS ? storm : others[i - STORM_THREADS], &threads[i]),
                 0);
    }
    for (int i = 0; i < STORM_THREADS + 3; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    for (int k = 0; k < 2; k++) {
        kernel_free(f[k].kernel);
        CHECK_EQ(fixture_log_count(&f[k], "leaked"), 0);
        CHECK_EQ(fixture_log_count(&f[k], "left open"), 0);
        f[k].kernel = NULL;
        fixture_free(&f[k]);
    }
    pthread_mutex_lock(&late.lock);
    late.is_over = true;
    pthread_cond_signal(&late.more);
    pthread_mutex_unlock(&late.lock);
    pthread_join(late.thread, NULL);
    printf("%ld started, %ld waited for, %ld chunks;", atomic_load(&counts.started),
           atomic_load(&counts.waited), atomic_load(&counts.chunks));
    for (int i = 0; i < 32; i++) {
        if (atomic_load(&counts.by_status[i]) > 0) {
            printf(" %ld of %d", atomic_load(&counts.by_status[i]), i == 31 ? -100 : -i);
        }
    }
    printf("\n");
    CHECK_EQ(atomic_load(&counts.after_the_end), 0);
    CHECK_EQ(atomic_load(&unmatched), 0);
    CHECK_EQ(atomic_load(&counts.reported), atomic_load(&counts.started));
    CHECK(atomic_load(&counts.started) > 100);
    for (int i = 0; i < STORM_THREADS + 3; i++) {
        for (int k = 0; k < threads[i].report_count; k++) {
            CHECK_EQ(atomic_load(&threads[i].reports[k].times), 1);
        }
        free(threads[i].reports);
    }
}

/* ---- two kernels, 32 threads, 4 plugins ---- */

typedef struct caller {
    const fixture_t *f;
    int number;
    int wrong;
    pthread_t thread;
} caller_t;

static int64_t call_integer(const fixture_t *f, const char *name, const char *argument,
                            int64_t value)
{
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result;
    int64_t integer;

    kernel_args_set_integer(args, argument, value);
    result = kernel_invoke(kernel_find_function(f->kernel, name), args);
    integer = kernel_result_status(result) == KERNEL_OK ? kernel_result_integer(result) : -1;
    kernel_result_free(result);
    kernel_args_free(args);
    return integer;
}

static void *call_everything(void *data)
{
    caller_t *caller = data;

    for (int i = 0; i < 50; i++) {
        outcome_t outcome = OUTCOME_INIT;

        caller->wrong += call_integer(caller->f, "calls-add", "a", i) != i + 1;
        if (i < 3) { /* the plugin has room for 256 threads */
            caller->wrong += call_integer(caller->f, "async-from_thread", "value", i) != i;
        }
        caller->wrong += call_integer(caller->f, "async-complete_inside", "value", i) != i;
        caller->wrong += call_integer(caller->f, "threads-quick", "value", i) != i;
        caller->wrong += call_integer(caller->f, "counter-add", "amount", 1) < 1;
        outcome_start(&outcome, caller->f, "caller-call", NULL, NULL,
                      "{\"name\":\"counter-add\",\"arguments\":{\"amount\":1}}");
        outcome_wait(&outcome);
        caller->wrong += outcome.status != KERNEL_OK;
    }
    return NULL;
}

static void two_kernels_serve_32_threads_with_4_plugins(void)
{
    fixture_t f[2] = {fixture_new(), fixture_new()};
    caller_t callers[32];

    for (int k = 0; k < 2; k++) {
        fixture_add(&f[k], "calls", NULL);
        fixture_add(&f[k], "async", NULL);
        fixture_add(&f[k], "threads:threads", NULL);
        fixture_add(&f[k], "threads:counter", NULL);
        fixture_add(&f[k], "caller:caller", NULL);
    }
    for (int i = 0; i < 32; i++) {
        callers[i] = (caller_t){.f = &f[i % 2], .number = i};
        CHECK_EQ(pthread_create(&callers[i].thread, NULL, call_everything, &callers[i]), 0);
    }
    for (int i = 0; i < 32; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK_EQ(callers[i].wrong, 0);
    }
    for (int k = 0; k < 2; k++) {
        CHECK_CALL(&f[k], "counter-add", "{\"amount\":0}", "1600");
        CHECK_CALL(&f[k], "counter-most", "{}", "1");
        fixture_free(&f[k]);
    }
}

TESTS(TEST(calls_in_a_storm_are_reported_once_each),
      TEST(two_kernels_serve_32_threads_with_4_plugins))
