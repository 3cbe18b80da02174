/* What a host may rely on when it starts a call and is told its outcome. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <sys/prctl.h>

#include "support/fixture.h"

/* ---- which thread, how often ---- */

KP_FUNCTION(string, thread_name, "Return the name of the thread that this runs on.")
{
    char *name = kp_alloc(call, 32);

    if (name != NULL) {
        prctl(PR_GET_NAME, name, 0, 0, 0);
    }
    return name;
}

static void started_plain_function_runs_on_the_pool(void)
{
    fixture_t f = fixture_new();
    outcome_t outcome = OUTCOME_INIT;

    CHECK(kernel_add_function(f.kernel, "host", &kpf_thread_name, NULL, NULL) != NULL);
    outcome_start(&outcome, &f, "host-thread_name", NULL, NULL, "{}");
    outcome_wait(&outcome);
    CHECK_STR(outcome.text, "semkernel-pool");
    fixture_free(&f);
}

static void quick_and_async_functions_run_on_the_loop_thread(void)
{
    static const uint32_t flags[] = {KP_F_QUICK, KP_F_ASYNC, KP_F_ASYNC | KP_F_QUICK};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        fixture_t f = fixture_new();
        outcome_t outcome = OUTCOME_INIT;
        kp_function function = kpf_thread_name;

        function.flags |= flags[i];
        CHECK(kernel_add_function(f.kernel, "host", &function, NULL, NULL) != NULL);
        outcome_start(&outcome, &f, "host-thread_name", NULL, NULL, "{}");
        outcome_wait(&outcome);
        CHECK_STR(outcome.text, "semkernel-loop");
        fixture_free(&f);
    }
}

static void callback_runs_once_on_the_loop_thread(void)
{
    static const char *const names[] = {"async-now", "async-complete_inside", "async-from_thread",
                                        "async-complete_twice", "threads-quick"};
    fixture_t f = fixture_with_plugin("async");
    outcome_t outcomes[5];

    fixture_add(&f, "threads:threads", NULL);
    for (int i = 0; i < 5; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, names[i], NULL, NULL, "{\"value\":%d}", i);
    }
    for (int i = 0; i < 5; i++) {
        outcome_wait(&outcomes[i]);
    }
    fixture_free(&f);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
        CHECK_EQ(outcomes[i].status, KERNEL_OK);
        CHECK_EQ(outcomes[i].integer, i);
        CHECK(pthread_equal(outcomes[i].thread, outcomes[0].thread));
        CHECK(!pthread_equal(outcomes[i].thread, pthread_self()));
    }
}

/* On the loop thread itself nothing could run in between, so a callback inside the starting
 * function would be seen. */
typedef struct chain {
    outcome_t outcome;
    kernel_function_t *function;
    int left;
    bool is_starting;
    int inside;
} chain_t;

static void chain_on_result(const kernel_result_t *result, void *data)
{
    chain_t *chain = data;

    chain->inside += chain->is_starting;
    if (chain->left-- > 0 && kernel_result_status(result) == KERNEL_OK) {
        chain->is_starting = true;
        if (kernel_invoke_async(chain->function, NULL, NULL, chain_on_result, chain, NULL) !=
            KERNEL_OK) {
            chain->inside = 1000;
        }
        chain->is_starting = false;
        return;
    }
    outcome_note(result, &chain->outcome);
}

KP_FUNCTION_FLAGS(KP_F_QUICK, none, nothing, "Do nothing.")
{
}

KP_FUNCTION(async, nothing_async, "Do nothing, asynchronously.")
{
    return kp_return_null(call);
}

static void callback_never_runs_inside_the_starting_function(void)
{
    static const kp_function *const functions[] = {&kpf_nothing, &kpf_nothing_async};

    for (int i = 0; i < 2; i++) {
        fixture_t f = fixture_new();
        chain_t chain = {.outcome = OUTCOME_INIT, .left = 50};

        chain.function = kernel_add_function(f.kernel, "host", functions[i], NULL, NULL);
        CHECK_EQ(kernel_invoke_async(chain.function, NULL, NULL, chain_on_result, &chain, NULL),
                 KERNEL_OK);
        outcome_wait(&chain.outcome);
        fixture_free(&f);
        CHECK_EQ(chain.inside, 0);
        CHECK_EQ(chain.left, -1);
    }
}

/* ---- what is refused, what is an outcome ---- */

static void call_that_cannot_be_started_has_no_callback(void)
{
    fixture_t f = fixture_with_plugin("calls");
    outcome_t outcome = OUTCOME_INIT;
    kernel_invoke_options_t bad = {0};
    kernel_invoke_options_t no_loop = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_function_t *nothing = kernel_plugin_find(f.plugin, "nothing");
    kernel_call_t *call = (kernel_call_t *)&f;

    CHECK_EQ(kernel_invoke_async(NULL, NULL, NULL, outcome_note, &outcome, &call),
             KERNEL_E_NOT_FOUND);
    CHECK(call == NULL);
    CHECK_EQ(kernel_invoke_async(nothing, NULL, NULL, NULL, NULL, &call), KERNEL_E_INVALID);
    CHECK_EQ(kernel_invoke_async(nothing, NULL, &bad, outcome_note, &outcome, &call),
             KERNEL_E_INVALID);
    no_loop.delivery = KERNEL_DELIVERY_UV;
    CHECK_EQ(kernel_invoke_async(nothing, NULL, &no_loop, outcome_note, &outcome, &call),
             KERNEL_E_INVALID);
    CHECK(call == NULL);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&outcome), 0);
}

static void arguments_that_do_not_fit_are_an_outcome(void)
{
    fixture_t f = fixture_with_plugin("calls");
    outcome_t outcome = OUTCOME_INIT;
    outcome_t of_removed = OUTCOME_INIT;
    kernel_function_t *nothing = kernel_plugin_find(f.plugin, "nothing");

    outcome_start(&outcome, &f, "calls-add", NULL, NULL, "{\"a\":\"x\"}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_INVALID);
    CHECK_EQ(kernel_remove_plugin(f.plugin, NULL), KERNEL_OK);
    CHECK_EQ(kernel_invoke_async(nothing, NULL, NULL, outcome_note, &of_removed, NULL), KERNEL_OK);
    outcome_wait(&of_removed);
    CHECK_EQ(of_removed.status, KERNEL_E_UNAVAILABLE);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK_EQ(outcome_times(&of_removed), 1);
}

static void handle_outlives_the_call_and_is_harmless_then(void)
{
    fixture_t f = fixture_with_plugin("async");
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = NULL;

    outcome_start(&outcome, &f, "async-now", NULL, &call, "{\"value\":7}");
    outcome_wait(&outcome);
    kernel_call_cancel(call);
    kernel_call_release(call);
    kernel_call_cancel(NULL);
    kernel_call_release(NULL);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK_EQ(outcome.status, KERNEL_OK);
}

typedef struct early {
    kernel_call_t *call;
    latch_t done;
    bool was_set;
} early_t;

static void early_on_result(const kernel_result_t *result, void *data)
{
    early_t *early = data;

    (void)result;
    early->was_set = early->call != NULL;
    latch_open(&early->done);
}

static void handle_is_there_before_the_callback_can_run(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");
    kernel_function_t *quick = kernel_plugin_find(f.plugin, "quick");

    kernel_args_set_integer(f.args, "value", 1);
    for (int i = 0; i < 50; i++) {
        early_t early = {.done = LATCH_INIT};

        CHECK_EQ(kernel_invoke_async(quick, f.args, NULL, early_on_result, &early, &early.call),
                 KERNEL_OK);
        latch_wait(&early.done);
        CHECK(early.was_set);
        kernel_call_release(early.call);
    }
    fixture_free(&f);
}

/* ---- functions that break their contract ---- */

static void second_completion_is_logged_and_ignored(void)
{
    fixture_t f = fixture_with_plugin("async");
    outcome_t outcome = OUTCOME_INIT;

    outcome_start(&outcome, &f, "async-complete_twice", NULL, NULL, "{\"value\":5}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.integer, 5);
    CHECK_EQ(fixture_log_count(&f, "async-complete_twice: completed a second time"), 1);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
}

static void completion_long_after_the_end_is_logged_and_ignored(void)
{
    fixture_t f = fixture_with_plugin("async");
    gate_t gate = gate_new();
    outcome_t outcome = OUTCOME_INIT;

    outcome_start(&outcome, &f, "async-complete_again", NULL, NULL, "{\"fd\":%d}", gate.go[0]);
    outcome_wait(&outcome);
    CHECK_STR(outcome.text, "first");
    gate_open(&gate, 1);
    fixture_log_wait(&f, "async-complete_again: completed a second time");
    fixture_free(&f);
    gate_free(&gate);
    CHECK_EQ(outcome_times(&outcome), 1);
}

/* The record is not used again at once, so that it is recognised. */
static void completion_after_other_calls_does_not_end_one_of_them(void)
{
    fixture_t f = fixture_with_plugin("async");
    gate_t gate = gate_new();
    gate_t other = gate_new();
    outcome_t outcome = OUTCOME_INIT;
    outcome_t pending = OUTCOME_INIT;

    outcome_start(&outcome, &f, "async-complete_again", NULL, NULL, "{\"fd\":%d}", gate.go[0]);
    outcome_wait(&outcome);
    for (int i = 0; i < 10; i++) {
        CHECK_CALL(&f, "async-now", "{\"value\":1}", "1");
    }
    outcome_start(&pending, &f, "async-when_told", NULL, NULL, "{\"fd\":%d}", other.go[0]);
    gate_open(&gate, 1);
    fixture_log_wait(&f, "completed a second time");
    gate_open(&other, 1);
    outcome_wait(&pending);
    CHECK_STR(pending.text, "told");
    fixture_free(&f);
    gate_free(&gate);
    gate_free(&other);
    CHECK_EQ(outcome_times(&pending), 1);
}

static void chunk_after_completion_is_not_delivered(void)
{
    fixture_t f = fixture_with_plugin("async");
    gate_t gate = gate_new();
    outcome_t outcome = OUTCOME_INIT;
    outcome_t again = OUTCOME_INIT;
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    outcome_start(&outcome, &f, "async-emit_after_completion", &options, NULL, "{}");
    outcome_start(&again, &f, "async-emit_again", &options, NULL, "{\"fd\":%d}", gate.go[0]);
    outcome_wait(&outcome);
    outcome_wait(&again);
    CHECK_STR(outcome.text, "complete");
    gate_open(&gate, 1);
    fixture_log_wait(&f, "async-emit_again: emitted after the call was over");
    fixture_free(&f);
    gate_free(&gate);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK_EQ(outcome_times(&again), 1);
}

static void started_function_that_answers_pending_but_is_plain_fails(void)
{
    fixture_t f = fixture_with_plugin("async");
    outcome_t outcome = OUTCOME_INIT;

    outcome_start(&outcome, &f, "async-pending_but_plain", NULL, NULL, "{}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_INTERNAL);
    CHECK_STR_CONTAINS(outcome.text, "async-pending_but_plain");
    fixture_free(&f);
}

TESTS(TEST(started_plain_function_runs_on_the_pool),
      TEST(quick_and_async_functions_run_on_the_loop_thread),
      TEST(callback_runs_once_on_the_loop_thread),
      TEST(callback_never_runs_inside_the_starting_function),
      TEST(call_that_cannot_be_started_has_no_callback),
      TEST(arguments_that_do_not_fit_are_an_outcome),
      TEST(handle_outlives_the_call_and_is_harmless_then),
      TEST(handle_is_there_before_the_callback_can_run),
      TEST(second_completion_is_logged_and_ignored),
      TEST(completion_long_after_the_end_is_logged_and_ignored),
      TEST(completion_after_other_calls_does_not_end_one_of_them),
      TEST(chunk_after_completion_is_not_delivered),
      TEST(started_function_that_answers_pending_but_is_plain_fails))
