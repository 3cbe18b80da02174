/* What happens to calls in flight when their kernel is closed or freed. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <sched.h>
#include <unistd.h>

#include "support/fixture.h"

/* ---- every call is reported once ---- */

static const char *const kinds[] = {"async-until_cancelled", "threads-poll_cancelled",
                                    "threads-wake",          "slow-wait",
                                    "counter-add",           "async-now"};
static const char *const kind_arguments[] = {
    "{}", "{}", "{}", "{\"ms\":60000}", "{\"amount\":1}", "{\"value\":1}"};
#define KINDS   6
#define FLIGHTS 60

static fixture_t fixture_of_all(const kernel_options_t *options)
{
    fixture_t f = fixture_with_options(options);

    fixture_add(&f, "async", NULL);
    fixture_add(&f, "threads:threads", NULL);
    fixture_add(&f, "threads:counter", NULL);
    fixture_add(&f, "slow", NULL);
    return f;
}

static void every_call_in_flight_is_reported_once(void)
{
    static const kernel_delivery_t deliveries[] = {KERNEL_DELIVERY_LOOP, KERNEL_DELIVERY_FD};

    for (int d = 0; d < 2; d++) {
        kernel_options_t options = fixture_options();
        kernel_call_t *calls[FLIGHTS];
        outcome_t outcomes[FLIGHTS];
        fixture_t f;

        options.delivery = deliveries[d];
        f = fixture_of_all(&options);
        for (int i = 0; i < FLIGHTS; i++) {
            outcomes[i] = (outcome_t)OUTCOME_INIT;
            outcome_start(&outcomes[i], &f, kinds[i % KINDS], NULL, &calls[i], "%s",
                          kind_arguments[i % KINDS]);
        }
        for (int i = 0; i < FLIGHTS; i++) {
            kernel_call_release(calls[i]);
        }
        fixture_free(&f);
        for (int i = 0; i < FLIGHTS; i++) {
            CHECK_EQ(outcome_times(&outcomes[i]), 1);
            CHECK(outcomes[i].status == KERNEL_E_CLOSED ||
                  (i % KINDS >= 4 && outcomes[i].status == KERNEL_OK));
        }
    }
}

/* Started before the call began: the kernel is freed at any moment of its life. */
static void freeing_at_any_moment_reports_once(void)
{
    for (int i = 0; i < 200; i++) {
        kernel_options_t options = fixture_options();
        fixture_t f = fixture_of_all(&options);
        outcome_t outcome = OUTCOME_INIT;

        outcome_start(&outcome, &f, kinds[i % KINDS], NULL, NULL, "%s", kind_arguments[i % KINDS]);
        for (int spin = 0; spin < i * 20; spin++) {
            sched_yield();
        }
        fixture_free(&f);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
}

typedef struct waiter {
    const fixture_t *f;
    const char *name;
    const char *json;
    kernel_status_t status;
    pthread_t thread;
} waiter_t;

static void *wait_for_call(void *data)
{
    waiter_t *waiter = data;
    kernel_result_t *result = kernel_invoke_json(waiter->f->kernel, waiter->name, waiter->json);

    waiter->status = kernel_result_status(result);
    kernel_result_free(result);
    return NULL;
}

static void callers_that_wait_are_released(void)
{
    static const char *const names[] = {"async-until_cancelled", "threads-poll_cancelled",
                                        "threads-wake"};
    fixture_t f = fixture_with_plugin("async");
    gate_t gate = gate_new();
    waiter_t waiters[3];
    char json[3][64];

    fixture_add(&f, "threads:threads", NULL);
    for (int i = 0; i < 3; i++) {
        snprintf(json[i], sizeof(json[i]), "{\"%s\":%d}", i == 0 ? "fd" : "begun", gate.begun[1]);
        waiters[i] = (waiter_t){.f = &f, .name = names[i], .json = json[i]};
        CHECK_EQ(pthread_create(&waiters[i].thread, NULL, wait_for_call, &waiters[i]), 0);
    }
    gate_wait(&gate, 3);
    kernel_free(f.kernel);
    for (int i = 0; i < 3; i++) {
        pthread_join(waiters[i].thread, NULL);
        CHECK_EQ(waiters[i].status, i == 0 ? KERNEL_E_CLOSED : KERNEL_E_CANCELLED);
    }
    f.kernel = NULL;
    fixture_free(&f);
    gate_free(&gate);
}

/* ---- what never ends ---- */

static fixture_t fixture_impatient(uint64_t drain_ms)
{
    kernel_options_t options = fixture_options();

    options.drain_ms = drain_ms;
    return fixture_of_all(&options);
}

static void call_that_never_completes_is_leaked_loudly(void)
{
    fixture_t f = fixture_impatient(30);
    outcome_t outcome = OUTCOME_INIT;
    outcome_t again = OUTCOME_INIT;
    kernel_function_t *now = fixture_function(&f, "async-now");

    outcome_start(&outcome, &f, "async-never", NULL, NULL, "{}");
    CHECK_CALL(&f, "async-now", "{\"value\":1}", "1"); /* that one has begun */
    kernel_free(f.kernel);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK_EQ(outcome.status, KERNEL_E_CLOSED);
    CHECK_EQ(fixture_log_count(&f, "a call of async-never has not ended"), 1);
    CHECK_EQ(fixture_log_count(&f, "'async' is leaked"), 1);
    CHECK_EQ(fixture_log_count(&f, "the kernel is leaked"), 1);
    /* what is left refuses everything */
    CHECK_STATUS(kernel_invoke(now, NULL), KERNEL_E_CLOSED);
    CHECK_EQ(kernel_invoke_async(now, NULL, NULL, outcome_note, &again, NULL), KERNEL_E_CLOSED);
    f.kernel = NULL;
    fixture_leave(&f);
    CHECK_EQ(outcome_times(&again), 0);
}

KP_FUNCTION(async, keep_pending, "Stay pending until the test completes it.")
{
    kp_call **kept = call->self;

    *kept = call;
    return KP_PENDING;
}

static void late_end_in_a_leaked_kernel_meets_its_memory(void)
{
    fixture_t f = fixture_impatient(30);
    gate_t gate = gate_new();
    outcome_t pending = OUTCOME_INIT;
    outcome_t blocked = OUTCOME_INIT;
    kp_call *call = NULL;

    CHECK(kernel_add_function(f.kernel, "host", &kpf_keep_pending, &call, NULL) != NULL);
    outcome_start(&pending, &f, "host-keep_pending", NULL, NULL, "{}");
    outcome_start(&blocked, &f, "threads-block", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    CHECK_CALL(&f, "async-now", "{\"value\":1}", "1"); /* that one is pending */
    kernel_free(f.kernel);
    CHECK_EQ(fixture_log_count(&f, "the kernel is leaked"), 1);
    CHECK_EQ(pending.status, KERNEL_E_CLOSED);
    CHECK_EQ(blocked.status, KERNEL_E_CLOSED);
    kp_complete(call, kp_return_string(call, "at last"));
    kp_complete(call, KP_E_INTERNAL);
    CHECK_EQ(fixture_log_count(&f, "completed a second time"), 1);
    gate_open(&gate, 1);
    f.kernel = NULL;
    fixture_leave(&f);
    CHECK_EQ(outcome_times(&pending), 1);
    CHECK_EQ(outcome_times(&blocked), 1);
}

KP_FUNCTION(async, block_the_loop, "Block where that is forbidden.", (integer, begun, "A pipe."),
            (integer, go, "A pipe."))
{
    char byte;

    if (write((int)begun, "", 1) == 1) {
        while (read((int)go, &byte, 1) < 0) {
        }
    }
    return kp_return_null(call);
}

static void blocked_loop_thread_does_not_hold_up_freeing_for_ever(void)
{
    fixture_t f = fixture_impatient(30);
    gate_t gate = gate_new();
    outcome_t outcome = OUTCOME_INIT;

    CHECK(kernel_add_function(f.kernel, "host", &kpf_block_the_loop, NULL, NULL) != NULL);
    outcome_start(&outcome, &f, "host-block_the_loop", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    kernel_free(f.kernel);
    CHECK_EQ(fixture_log_count(&f, "the kernel is leaked"), 1);
    gate_open(&gate, 1);
    outcome_wait(&outcome); /* its callback was to run on the loop thread */
    f.kernel = NULL;
    fixture_leave(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
}

/* ---- where it is refused ---- */

static void free_in_callback(const kernel_result_t *result, void *data)
{
    fixture_t *f = data;

    (void)result;
    kernel_free(f->kernel);
}

static void freeing_inside_a_callback_is_refused_and_logged(void)
{
    kernel_options_t options = fixture_options();
    kernel_invoke_options_t on_loop = KERNEL_INVOKE_OPTIONS_INIT;
    fixture_t f;

    options.delivery = KERNEL_DELIVERY_FD;
    f = fixture_of_all(&options);
    kernel_args_set_integer(f.args, "value", 1);
    on_loop.delivery = KERNEL_DELIVERY_LOOP;
    CHECK_EQ(kernel_invoke_async(fixture_function(&f, "async-now"), f.args, NULL, free_in_callback,
                                 &f, NULL),
             KERNEL_OK);
    CHECK_EQ(kernel_invoke_async(fixture_function(&f, "async-now"), f.args, &on_loop,
                                 free_in_callback, &f, NULL),
             KERNEL_OK);
    while (kernel_dispatch(f.kernel) == 0) {
        sched_yield();
    }
    fixture_log_wait(&f, "is refused");
    CHECK_STATUS(kernel_invoke(fixture_function(&f, "async-now"), f.args), KERNEL_OK);
    while (fixture_log_count(&f, "is refused") < 2) {
        sched_yield();
    }
    fixture_free(&f);
}

static kernel_t *own_kernel;

KP_FUNCTION(none, free_own_kernel, "Free the kernel that runs this.")
{
    kernel_free(own_kernel);
}

static void freeing_inside_a_call_is_refused_and_logged(void)
{
    fixture_t f = fixture_new();
    outcome_t outcome = OUTCOME_INIT;

    own_kernel = f.kernel;
    CHECK(kernel_add_function(f.kernel, "host", &kpf_free_own_kernel, NULL, NULL) != NULL);
    CHECK_STATUS(fixture_call(&f, "host-free_own_kernel", "{}"), KERNEL_OK);
    outcome_start(&outcome, &f, "host-free_own_kernel", NULL, NULL, "{}");
    outcome_wait(&outcome);
    CHECK_EQ(fixture_log_count(&f, "is refused"), 2);
    fixture_free(&f);
}

/* Callbacks of two kernels inside each other: both are in use. */
typedef struct inside {
    kernel_t *first;
    kernel_t *second;
    outcome_t outcome;
    bool is_in_second;
} inside_t;

static void free_first_inside(const kernel_result_t *result, void *data)
{
    inside_t *inside = data;

    kernel_free(inside->first);
    outcome_note(result, &inside->outcome);
    inside->is_in_second = true;
}

static void dispatch_second(const kernel_result_t *result, void *data)
{
    inside_t *inside = data;

    (void)result;
    while (!inside->is_in_second) {
        (void)kernel_dispatch(inside->second);
    }
    kernel_free(inside->first);
}

static void callback_inside_another_kernels_callback_keeps_both(void)
{
    kernel_options_t options = fixture_options();
    inside_t inside = {.outcome = OUTCOME_INIT};
    fixture_t f;
    fixture_t other;

    options.delivery = KERNEL_DELIVERY_FD;
    f = fixture_of_all(&options);
    other = fixture_of_all(&options);
    inside.first = f.kernel;
    inside.second = other.kernel;
    kernel_args_set_integer(f.args, "value", 1);
    CHECK_EQ(kernel_invoke_async(fixture_function(&f, "async-now"), f.args, NULL, dispatch_second,
                                 &inside, NULL),
             KERNEL_OK);
    CHECK_EQ(kernel_invoke_async(fixture_function(&other, "async-now"), f.args, NULL,
                                 free_first_inside, &inside, NULL),
             KERNEL_OK);
    while (kernel_dispatch(f.kernel) == 0) {
        sched_yield();
    }
    CHECK_EQ(fixture_log_count(&f, "is refused"), 2);
    fixture_free(&other);
    fixture_free(&f);
}

/* ---- closing first ---- */

static void note_close(void *data)
{
    latch_open(data);
}

static void close_tells_when_all_is_reported_and_freeing_follows(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f = fixture_of_all(&options);
    latch_t closed = LATCH_INIT;
    outcome_t outcomes[FLIGHTS];
    kernel_function_t *now = fixture_function(&f, "async-now");

    for (int i = 0; i < FLIGHTS; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, kinds[i % KINDS], NULL, NULL, "%s",
                      kind_arguments[i % KINDS]);
    }
    CHECK_EQ(kernel_close(f.kernel, NULL, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_close(f.kernel, note_close, &closed), KERNEL_OK);
    CHECK_EQ(kernel_close(f.kernel, note_close, &closed), KERNEL_E_CLOSED);
    CHECK_STATUS(kernel_invoke(now, NULL), KERNEL_E_CLOSED);
    CHECK(kernel_add_plugin(f.kernel, "calls", NULL, NULL, NULL) == NULL);
    latch_wait(&closed);
    for (int i = 0; i < FLIGHTS; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
    }
    fixture_free(&f);
}

static void close_gives_up_when_the_drain_time_is_over(void)
{
    fixture_t f = fixture_impatient(30);
    latch_t closed = LATCH_INIT;
    outcome_t outcome = OUTCOME_INIT;

    outcome_start(&outcome, &f, "async-never", NULL, NULL, "{}");
    CHECK_CALL(&f, "async-now", "{\"value\":1}", "1"); /* that one has begun */
    CHECK_EQ(kernel_close(f.kernel, note_close, &closed), KERNEL_OK);
    latch_wait(&closed);
    CHECK_EQ(outcome_times(&outcome), 1);
    fixture_leave(&f);
}

static void freeing_waits_for_the_close_that_was_begun(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    latch_t closed = LATCH_INIT;

    options.delivery = KERNEL_DELIVERY_FD;
    f = fixture_of_all(&options);
    CHECK_EQ(kernel_close(f.kernel, note_close, &closed), KERNEL_OK);
    fixture_free(&f); /* dispatches by itself */
    latch_wait(&closed);
}

/* ---- nothing is left ---- */

static void freed_kernel_leaves_no_thread_and_no_descriptor(void)
{
    int threads = 0;
    int descriptors = 0;

    for (int i = 0; i < 5; i++) {
        kernel_options_t options = fixture_options();
        fixture_t f = fixture_of_all(&options);
        outcome_t outcomes[KINDS];

        CHECK(kernel_completion_fd(f.kernel) >= 0);
        for (int k = 0; k < KINDS; k++) {
            outcomes[k] = (outcome_t)OUTCOME_INIT;
            outcome_start(&outcomes[k], &f, kinds[k], NULL, NULL, "%s", kind_arguments[k]);
        }
        fixture_free(&f);
        if (i == 0) { /* libuv keeps a pipe for the whole process */
            threads = thread_count();
            descriptors = descriptor_count();
        }
    }
    CHECK_EQ(thread_count(), threads);
    CHECK_EQ(descriptor_count(), descriptors);
    kernel_free(NULL);
}

TESTS(TEST(every_call_in_flight_is_reported_once), TEST(freeing_at_any_moment_reports_once),
      TEST(callers_that_wait_are_released), TEST(call_that_never_completes_is_leaked_loudly),
      TEST(late_end_in_a_leaked_kernel_meets_its_memory),
      TEST(blocked_loop_thread_does_not_hold_up_freeing_for_ever),
      TEST(freeing_inside_a_callback_is_refused_and_logged),
      TEST(freeing_inside_a_call_is_refused_and_logged),
      TEST(callback_inside_another_kernels_callback_keeps_both),
      TEST(close_tells_when_all_is_reported_and_freeing_follows),
      TEST(close_gives_up_when_the_drain_time_is_over),
      TEST(freeing_waits_for_the_close_that_was_begun),
      TEST(freed_kernel_leaves_no_thread_and_no_descriptor))
