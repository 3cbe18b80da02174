/* What a cancellation does, from whichever thread and to each kind of call. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <sched.h>

#include "support/fixture.h"

/* ---- a waiting caller, cancelled by another thread ---- */

typedef struct waiter {
    const kernel_function_t *function;
    kernel_args_t *args;
    kernel_cancel_t *cancel;
    kernel_result_t *result;
    pthread_t thread;
} waiter_t;

static void *wait_for_result(void *data)
{
    waiter_t *waiter = data;
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    options.cancel = waiter->cancel;
    waiter->result = kernel_invoke_with(waiter->function, waiter->args, &options);
    return NULL;
}

static void waiter_start(waiter_t *waiter, const fixture_t *f, const char *name, int begun)
{
    waiter->function = fixture_function(f, name);
    waiter->args = kernel_args_new();
    waiter->cancel = kernel_cancel_new();
    kernel_args_set_integer(waiter->args, strncmp(name, "async", 5) == 0 ? "fd" : "begun", begun);
    CHECK_EQ(pthread_create(&waiter->thread, NULL, wait_for_result, waiter), 0);
}

static kernel_result_t *waiter_end(waiter_t *waiter)
{
    pthread_join(waiter->thread, NULL);
    kernel_args_free(waiter->args);
    kernel_cancel_free(waiter->cancel);
    return waiter->result;
}

static void another_thread_ends_a_waiting_call_of_each_kind(void)
{
    static const char *const names[] = {"threads-poll_cancelled", "threads-wake",
                                        "async-until_cancelled"};

    for (int i = 0; i < 3; i++) {
        fixture_t f = fixture_with_plugin("async");
        gate_t gate = gate_new();
        waiter_t waiter = {0};

        fixture_add(&f, "threads:threads", NULL);
        waiter_start(&waiter, &f, names[i], gate.begun[1]);
        gate_wait(&gate, 1);
        kernel_cancel_trigger(waiter.cancel);
        CHECK_STATUS(waiter_end(&waiter), KERNEL_E_CANCELLED);
        fixture_free(&f);
        gate_free(&gate);
    }
}

static void success_in_spite_of_cancellation_is_delivered_from_a_plain_function(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");
    gate_t gate = gate_new();
    waiter_t waiter = {0};

    waiter_start(&waiter, &f, "threads-late_success", gate.begun[1]);
    gate_wait(&gate, 1);
    kernel_cancel_trigger(waiter.cancel);
    CHECK_STATUS(waiter_end(&waiter), KERNEL_OK);
    fixture_free(&f);
    gate_free(&gate);
}

/* ---- one switch for many calls ---- */

static void one_trigger_ends_all_calls_that_have_it(void)
{
    static const char *const names[] = {"threads-poll_cancelled", "threads-wake",
                                        "async-until_cancelled"};
    fixture_t f = fixture_with_plugin("async");
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    outcome_t outcomes[30];

    fixture_add(&f, "threads:threads", NULL);
    options.cancel = kernel_cancel_new();
    for (int i = 0; i < 30; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, names[i % 3], &options, NULL, "{}");
    }
    kernel_cancel_trigger(options.cancel);
    kernel_cancel_trigger(options.cancel);
    for (int i = 0; i < 30; i++) {
        outcome_wait(&outcomes[i]);
        CHECK_EQ(outcomes[i].status, KERNEL_E_CANCELLED);
    }
    kernel_cancel_free(options.cancel);
    fixture_free(&f);
    for (int i = 0; i < 30; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
    }
}

static atomic_int ran;

KP_FUNCTION(none, note_run, "Count how often this ran.")
{
    atomic_fetch_add(&ran, 1);
}

static void call_that_is_cancelled_already_does_not_run(void)
{
    static const uint32_t flags[] = {0, KP_F_QUICK, KP_F_ASYNC};

    for (int i = 0; i < 3; i++) {
        fixture_t f = fixture_new();
        kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
        kp_function descriptor = kpf_note_run;
        outcome_t outcome = OUTCOME_INIT;
        kernel_function_t *function;

        atomic_store(&ran, 0);
        descriptor.flags |= flags[i];
        function = kernel_add_function(f.kernel, "host", &descriptor, NULL, NULL);
        options.cancel = kernel_cancel_new();
        kernel_cancel_trigger(options.cancel);
        CHECK_STATUS(kernel_invoke_with(function, NULL, &options), KERNEL_E_CANCELLED);
        CHECK_EQ(kernel_invoke_async(function, NULL, &options, outcome_note, &outcome, NULL),
                 KERNEL_OK);
        outcome_wait(&outcome);
        CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
        kernel_cancel_free(options.cancel);
        fixture_free(&f);
        CHECK_EQ(atomic_load(&ran), 0);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
}

static void trigger_after_the_kernel_is_gone_is_harmless(void)
{
    fixture_t f = fixture_with_plugin("async");
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    outcome_t outcome = OUTCOME_INIT;

    options.cancel = kernel_cancel_new();
    outcome_start(&outcome, &f, "async-now", &options, NULL, "{\"value\":1}");
    kernel_args_set_integer(f.args, "value", 1);
    CHECK_STATUS(kernel_invoke_with(fixture_function(&f, "async-now"), f.args, &options),
                 KERNEL_OK);
    outcome_wait(&outcome);
    fixture_free(&f);
    kernel_cancel_trigger(options.cancel);
    kernel_cancel_free(options.cancel);
    CHECK_EQ(outcome_times(&outcome), 1);
}

typedef struct trigger {
    kernel_cancel_t *cancel;
    atomic_bool go;
} trigger_t;

static void *pull_trigger(void *data)
{
    trigger_t *trigger = data;

    while (!atomic_load(&trigger->go)) {
        sched_yield();
    }
    kernel_cancel_trigger(trigger->cancel);
    return NULL;
}

/* The trigger may be at work on a call while that ends and the kernel goes. */
static void trigger_while_the_kernel_is_freed_is_harmless(void)
{
    for (int i = 0; i < 100; i++) {
        fixture_t f = fixture_with_plugin("async");
        trigger_t trigger = {.cancel = kernel_cancel_new()};
        kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
        outcome_t outcome = OUTCOME_INIT;
        pthread_t thread;

        options.cancel = trigger.cancel;
        CHECK_EQ(pthread_create(&thread, NULL, pull_trigger, &trigger), 0);
        outcome_start(&outcome, &f, "async-from_thread", &options, NULL, "{\"value\":1}");
        atomic_store(&trigger.go, true);
        fixture_free(&f);
        pthread_join(thread, NULL);
        kernel_cancel_free(trigger.cancel);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
}

/* ---- started calls by their handles ---- */

static void handle_cancels_each_kind_of_started_call(void)
{
    static const char *const names[] = {"threads-poll_cancelled", "threads-wake",
                                        "threads-late_success", "async-until_cancelled",
                                        "slow-wait"};

    for (int i = 0; i < 5; i++) {
        fixture_t f = fixture_with_plugin("async");
        outcome_t outcome = OUTCOME_INIT;
        kernel_call_t *call = NULL;

        fixture_add(&f, "threads:threads", NULL);
        fixture_add(&f, "slow", NULL);
        outcome_start(&outcome, &f, names[i], NULL, &call, i == 4 ? "{\"ms\":60000}" : "{}");
        kernel_call_cancel(call);
        kernel_call_cancel(call);
        outcome_wait(&outcome);
        kernel_call_release(call);
        fixture_free(&f);
        CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
}

static void call_that_never_completes_is_reported_when_cancelled(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = NULL;

    options.drain_ms = 20;
    f = fixture_with_options(&options);
    fixture_add(&f, "async", NULL);
    outcome_start(&outcome, &f, "async-never", NULL, &call, "{}");
    kernel_call_cancel(call);
    kernel_call_release(call);
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
    fixture_leave(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
}

/* ---- hooks ---- */

typedef struct hooked {
    kp_call *call;
    latch_t pending;
    latch_t in_hook;
    latch_t completed;
    atomic_int hooks;
    atomic_bool hook_is_over;
    kp_cancel_fn hook;
} hooked_t;

KP_FUNCTION(async, wait_for_hook, "Stay pending, with the test's cancel hook.")
{
    hooked_t *hooked = call->self;

    hooked->call = call;
    if (kp_on_cancel(call, hooked->hook, hooked) != KP_OK) {
        return KP_E_CANCELLED;
    }
    latch_open(&hooked->pending);
    return KP_PENDING;
}

KP_FUNCTION(async, nothing, "Do nothing, on the loop thread.")
{
    return kp_return_null(call);
}

/* Until its function has returned, too. */
static kernel_call_t *hooked_start(hooked_t *hooked, outcome_t *outcome, const fixture_t *f)
{
    kernel_call_t *call = NULL;

    CHECK(kernel_add_function(f->kernel, "host", &kpf_wait_for_hook, hooked, NULL) != NULL);
    CHECK(kernel_add_function(f->kernel, "host", &kpf_nothing, NULL, NULL) != NULL);
    outcome_start(outcome, f, "host-wait_for_hook", NULL, &call, "{}");
    latch_wait(&hooked->pending);
    CHECK_CALL(f, "host-nothing", "{}", "");
    return call;
}

static void hook_waits_for_completion(kp_call *call, void *data)
{
    hooked_t *hooked = data;

    (void)call;
    atomic_fetch_add(&hooked->hooks, 1);
    latch_open(&hooked->in_hook);
    latch_wait(&hooked->completed);
    call->data = hooked; /* the call's memory is still there */
    atomic_store(&hooked->hook_is_over, true);
}

static void hook_does_nothing(kp_call *call, void *data)
{
    hooked_t *hooked = data;

    (void)call;
    atomic_fetch_add(&hooked->hooks, 1);
    latch_open(&hooked->in_hook);
}

static void completion_beside_the_hook_takes_effect_after_it(void)
{
    fixture_t f = fixture_new();
    hooked_t hooked = {.pending = LATCH_INIT,
                       .in_hook = LATCH_INIT,
                       .completed = LATCH_INIT,
                       .hook = hook_waits_for_completion};
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = hooked_start(&hooked, &outcome, &f);

    kernel_call_cancel(call);
    latch_wait(&hooked.in_hook);
    kp_complete(hooked.call, KP_E_CANCELLED);
    latch_open(&hooked.completed);
    kernel_call_release(call);
    fixture_free(&f); /* waits for the end of the call */
    CHECK(atomic_load(&hooked.hook_is_over));
    CHECK_EQ(outcome_times(&outcome), 1);
}

static void hook_never_starts_after_completion(void)
{
    fixture_t f = fixture_new();
    hooked_t hooked = {.pending = LATCH_INIT, .in_hook = LATCH_INIT, .hook = hook_does_nothing};
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = hooked_start(&hooked, &outcome, &f);

    kp_complete(hooked.call, KP_OK);
    kernel_call_cancel(call);
    kernel_call_release(call);
    fixture_free(&f);
    CHECK_EQ(atomic_load(&hooked.hooks), 0);
    CHECK_EQ(outcome.status, KERNEL_OK);
}

static void hook_runs_once_and_only_the_function_ends_the_call(void)
{
    fixture_t f = fixture_new();
    hooked_t hooked = {.pending = LATCH_INIT, .in_hook = LATCH_INIT, .hook = hook_does_nothing};
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = hooked_start(&hooked, &outcome, &f);

    for (int i = 0; i < 10; i++) {
        kernel_call_cancel(call);
    }
    latch_wait(&hooked.in_hook);
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
    CHECK(kp_cancelled(hooked.call)); /* it still has its memory */
    CHECK(kp_alloc(hooked.call, 100) != NULL);
    kp_complete(hooked.call, KP_OK);
    kernel_call_release(call);
    fixture_free(&f);
    CHECK_EQ(atomic_load(&hooked.hooks), 1);
    CHECK_EQ(outcome_times(&outcome), 1);
}

KP_FUNCTION(integer, hook_too_late, "Install a cancel hook when it is too late.")
{
    latch_t *installed = call->self;

    latch_open(installed);
    while (!kp_cancelled(call)) {
        sched_yield();
    }
    return kp_on_cancel(call, hook_does_nothing, NULL);
}

static void hook_is_refused_when_the_call_is_cancelled_already(void)
{
    fixture_t f = fixture_new();
    latch_t begun = LATCH_INIT;
    waiter_t waiter = {.cancel = kernel_cancel_new()};
    kernel_result_t *result;

    waiter.function = kernel_add_function(f.kernel, "host", &kpf_hook_too_late, &begun, NULL);
    CHECK_EQ(pthread_create(&waiter.thread, NULL, wait_for_result, &waiter), 0);
    latch_wait(&begun);
    kernel_cancel_trigger(waiter.cancel);
    result = waiter_end(&waiter);
    CHECK_EQ(kernel_result_integer(result), KP_E_CANCELLED);
    kernel_result_free(result);
    fixture_free(&f);
}

/* ---- calls inside calls ---- */

static void cancellation_reaches_nested_calls_of_each_kind(void)
{
    static const char *const ways[] = {"caller-call", "caller-start", "caller-start_and_wait"};
    static const char *const inner[] = {"async-until_cancelled", "threads-poll_cancelled",
                                        "threads-wake"};

    for (int i = 0; i < 9; i++) {
        fixture_t f = fixture_with_plugin("caller:caller");
        gate_t gate = gate_new();
        outcome_t outcome = OUTCOME_INIT;
        kernel_call_t *call = NULL;

        fixture_add(&f, "async", NULL);
        fixture_add(&f, "threads:threads", NULL);
        outcome_start(&outcome, &f, ways[i / 3], NULL, &call,
                      "{\"name\":\"%s\",\"arguments\":{\"%s\":%d}}", inner[i % 3],
                      i % 3 == 0 ? "fd" : "begun", gate.begun[1]);
        gate_wait(&gate, 1);
        kernel_call_cancel(call);
        kernel_call_release(call);
        outcome_wait(&outcome);
        CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
        fixture_free(&f); /* would wait for the nested call */
        CHECK_EQ(outcome_times(&outcome), 1);
        gate_free(&gate);
    }
}

static void plugin_cancels_what_it_started(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");

    fixture_add(&f, "async", NULL);
    CHECK_STATUS(
        fixture_call(&f, "caller-start_and_cancel", "{\"name\":\"async-until_cancelled\"}"),
        KERNEL_E_CANCELLED);
    fixture_free(&f);
}

static kernel_call_t *own_call;

KP_FUNCTION(async, cancel_then_start, "Cancel this call, then start another function.")
{
    const kp_invoke *invoke = kp_extension(call->instance, KP_EXT_INVOKE);
    latch_t *started = call->self;
    int status;

    kernel_call_cancel(own_call);
    if (!kp_cancelled(call)) {
        return kp_fail(call, KP_E_INTERNAL, "this call should be cancelled");
    }
    status = invoke->start(invoke, call, "host-note_run", NULL, 0, NULL, NULL, NULL, NULL);
    latch_open(started);
    return status;
}

static void call_that_a_cancelled_call_starts_is_cancelled(void)
{
    fixture_t f = fixture_new();
    latch_t started = LATCH_INIT;
    outcome_t outcome = OUTCOME_INIT;

    atomic_store(&ran, 0);
    own_call = NULL;
    CHECK(kernel_add_function(f.kernel, "host", &kpf_note_run, NULL, NULL) != NULL);
    CHECK(kernel_add_function(f.kernel, "host", &kpf_cancel_then_start, &started, NULL) != NULL);
    outcome_start(&outcome, &f, "host-cancel_then_start", NULL, &own_call, "{}");
    latch_wait(&started);
    outcome_wait(&outcome);
    kernel_call_release(own_call);
    fixture_free(&f);
    CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
    CHECK_EQ(atomic_load(&ran), 0);
}

TESTS(TEST(another_thread_ends_a_waiting_call_of_each_kind),
      TEST(success_in_spite_of_cancellation_is_delivered_from_a_plain_function),
      TEST(one_trigger_ends_all_calls_that_have_it),
      TEST(call_that_is_cancelled_already_does_not_run),
      TEST(trigger_after_the_kernel_is_gone_is_harmless),
      TEST(trigger_while_the_kernel_is_freed_is_harmless),
      TEST(handle_cancels_each_kind_of_started_call),
      TEST(call_that_never_completes_is_reported_when_cancelled),
      TEST(completion_beside_the_hook_takes_effect_after_it),
      TEST(hook_never_starts_after_completion),
      TEST(hook_runs_once_and_only_the_function_ends_the_call),
      TEST(hook_is_refused_when_the_call_is_cancelled_already),
      TEST(cancellation_reaches_nested_calls_of_each_kind), TEST(plugin_cancels_what_it_started),
      TEST(call_that_a_cancelled_call_starts_is_cancelled))
