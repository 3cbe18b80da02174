/* What a deadline does, to each kind of call. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <sched.h>

#include "support/fixture.h"

static kernel_invoke_options_t within_ms(uint64_t timeout_ms)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    options.timeout_ms = timeout_ms;
    return options;
}

static kernel_result_t *call_within(const fixture_t *f, const char *name, const char *json,
                                    uint64_t timeout_ms)
{
    kernel_invoke_options_t options = within_ms(timeout_ms);
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result;

    CHECK_EQ(kernel_args_read_json(args, json, strlen(json), NULL), KERNEL_OK);
    result = kernel_invoke_with(fixture_function(f, name), args, &options);
    kernel_args_free(args);
    return result;
}

/* ---- waiting callers ---- */

static void plain_function_is_asked_to_stop(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");

    CHECK_STATUS(call_within(&f, "threads-poll_cancelled", "{}", 5), KERNEL_E_TIMEOUT);
    fixture_free(&f);
}

static void hook_of_a_plain_function_wakes_it(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");

    CHECK_STATUS(call_within(&f, "threads-wake", "{}", 5), KERNEL_E_TIMEOUT);
    fixture_free(&f);
}

static void late_success_of_a_plain_function_is_delivered(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");
    kernel_result_t *result = call_within(&f, "threads-late_success", "{}", 200);

    CHECK_STR(kernel_result_text(result), "in spite of all");
    CHECK_STATUS(result, KERNEL_OK);
    fixture_free(&f);
}

static void caller_of_an_async_function_is_released_although_it_is_deaf(void)
{
    fixture_t f = fixture_with_plugin("async");
    gate_t gate = gate_new();
    char json[64];
    kernel_result_t *result;

    snprintf(json, sizeof(json), "{\"fd\":%d}", gate.go[0]);
    result = call_within(&f, "async-when_told", json, 5);
    CHECK_STR_CONTAINS(kernel_result_error(result), "async-when_told did not answer within 5 ms");
    CHECK_STATUS(result, KERNEL_E_TIMEOUT);
    gate_open(&gate, 1); /* the late answer is dropped */
    fixture_free(&f);
    gate_free(&gate);
}

static void async_function_that_listens_is_cancelled(void)
{
    fixture_t f = fixture_with_plugin("async");

    CHECK_STATUS(call_within(&f, "async-until_cancelled", "{}", 5), KERNEL_E_TIMEOUT);
    fixture_free(&f); /* would wait for it */
}

static void deadline_that_does_not_pass_changes_nothing(void)
{
    fixture_t f = fixture_with_plugin("slow");

    fixture_add(&f, "calls", NULL);
    CHECK_STATUS(call_within(&f, "slow-wait", "{\"ms\":1}", FIXTURE_WAIT_MS), KERNEL_OK);
    CHECK_STATUS(call_within(&f, "calls-nothing", "{}", FIXTURE_WAIT_MS), KERNEL_OK);
    CHECK_STATUS(call_within(&f, "calls-nothing", "{}", UINT64_MAX), KERNEL_OK);
    fixture_free(&f);
}

static void function_can_ask_how_much_time_is_left(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result = call_within(&f, "calls-about", "{}", FIXTURE_WAIT_MS);

    CHECK(strstr(kernel_result_text(result), "\"time_left\":-1") == NULL);
    CHECK_STATUS(result, KERNEL_OK);
    result = fixture_call(&f, "calls-about", "{}");
    CHECK_STR_CONTAINS(kernel_result_text(result), "\"time_left\":-1");
    CHECK_STATUS(result, KERNEL_OK);
    fixture_free(&f);
}

/* ---- started calls ---- */

typedef struct started_case {
    const char *name;
    const char *json;
} started_case_t;

static void every_kind_of_started_call_is_reported_at_its_deadline(void)
{
    static const started_case_t cases[] = {
        {"async-until_cancelled", "{}"},
        {"slow-wait", "{\"ms\":60000}"},
    };
    kernel_invoke_options_t options = within_ms(5);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_t f = fixture_with_plugin("async");
        outcome_t outcome = OUTCOME_INIT;

        fixture_add(&f, "threads:threads", NULL);
        fixture_add(&f, "slow", NULL);
        outcome_start(&outcome, &f, cases[i].name, &options, NULL, "%s", cases[i].json);
        outcome_wait(&outcome);
        fixture_free(&f);
        CHECK_EQ(outcome.status, KERNEL_E_TIMEOUT);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
}

static void late_answer_of_a_started_call_is_dropped(void)
{
    fixture_t f = fixture_with_plugin("async");
    gate_t gate = gate_new();
    kernel_invoke_options_t options = within_ms(5);
    outcome_t outcome = OUTCOME_INIT;

    outcome_start(&outcome, &f, "async-when_told", &options, NULL, "{\"fd\":%d}", gate.go[0]);
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_TIMEOUT);
    gate_open(&gate, 1);
    fixture_free(&f);
    gate_free(&gate);
    CHECK_EQ(outcome_times(&outcome), 1);
}

static void deadline_wins_over_a_late_cancellation_and_reports_once(void)
{
    fixture_t f = fixture_with_plugin("slow");
    kernel_invoke_options_t options = within_ms(5);
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = NULL;

    outcome_start(&outcome, &f, "slow-wait", &options, &call, "{\"ms\":60000}");
    outcome_wait(&outcome);
    kernel_call_cancel(call);
    kernel_call_release(call);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK_EQ(outcome.status, KERNEL_E_TIMEOUT);
}

/* One thread for all: what is queued behind it never begins. */
static void call_that_waits_for_a_thread_is_reported_at_its_deadline(void)
{
    kernel_options_t options = fixture_options();
    kernel_invoke_options_t soon = within_ms(5);
    fixture_t f;
    gate_t gate = gate_new();
    outcome_t first = OUTCOME_INIT;
    outcome_t second = OUTCOME_INIT;

    options.pool_threads = 1;
    f = fixture_with_options(&options);
    fixture_add(&f, "threads:threads", NULL);
    outcome_start(&first, &f, "threads-block", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    outcome_start(&second, &f, "threads-block", &soon, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    outcome_wait(&second);
    CHECK_EQ(second.status, KERNEL_E_TIMEOUT);
    gate_open(&gate, 1);
    outcome_wait(&first);
    CHECK_EQ(first.status, KERNEL_OK);
    fixture_free(&f);
    CHECK(!gate_has_begun(&gate));
    gate_free(&gate);
}

/* ---- calls inside calls ---- */

static void nested_call_has_its_parents_deadline(void)
{
    static const char *const ways[] = {"caller-call", "caller-start", "caller-start_and_wait"};
    static const char *const inner[] = {"async-until_cancelled", "threads-poll_cancelled",
                                        "threads-wake"};

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            fixture_t f = fixture_with_plugin("caller:caller");
            char json[64];

            fixture_add(&f, "async", NULL);
            fixture_add(&f, "threads:threads", NULL);
            snprintf(json, sizeof(json), "{\"name\":\"%s\"}", inner[j]);
            CHECK_STATUS(call_within(&f, ways[i], json, 10), KERNEL_E_TIMEOUT);
            fixture_free(&f);
        }
    }
}

static void nested_call_may_have_an_earlier_deadline_of_its_own(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");

    fixture_add(&f, "async", NULL);
    CHECK_STATUS(
        fixture_call(&f, "caller-call", "{\"name\":\"async-until_cancelled\",\"timeout_ms\":5}"),
        KERNEL_E_TIMEOUT);
    CHECK_STATUS(
        fixture_call(&f, "caller-start", "{\"name\":\"async-until_cancelled\",\"timeout_ms\":5}"),
        KERNEL_E_TIMEOUT);
    fixture_free(&f);
}

/* ---- a call whose time is over before it begins ---- */

static atomic_int ran;

KP_FUNCTION(none, note_run, "Count how often this ran.")
{
    atomic_fetch_add(&ran, 1);
}

typedef struct nesting {
    kernel_t *kernel;
    kernel_status_t inner;
} nesting_t;

/* Waits out its own deadline, then calls another function. */
KP_FUNCTION(status, call_too_late, "Call a function when the time is over.")
{
    nesting_t *nesting = call->self;
    kernel_result_t *result;

    while (!kp_cancelled(call)) {
        sched_yield();
    }
    result = kernel_invoke_json(nesting->kernel, "host-note_run", "{}");
    nesting->inner = kernel_result_status(result);
    kernel_result_free(result);
    return KP_OK;
}

static void function_does_not_begin_after_its_deadline(void)
{
    fixture_t f = fixture_new();
    nesting_t nesting = {.kernel = f.kernel};
    kernel_invoke_options_t options = within_ms(200);

    atomic_store(&ran, 0);
    CHECK(kernel_add_function(f.kernel, "host", &kpf_note_run, NULL, NULL) != NULL);
    CHECK_STATUS(kernel_invoke_with(
                     kernel_add_function(f.kernel, "host", &kpf_call_too_late, &nesting, NULL),
                     NULL, &options),
                 KERNEL_OK);
    CHECK_EQ(nesting.inner, KERNEL_E_TIMEOUT);
    CHECK_EQ(atomic_load(&ran), 0);
    fixture_free(&f);
}

TESTS(TEST(plain_function_is_asked_to_stop), TEST(hook_of_a_plain_function_wakes_it),
      TEST(late_success_of_a_plain_function_is_delivered),
      TEST(caller_of_an_async_function_is_released_although_it_is_deaf),
      TEST(async_function_that_listens_is_cancelled),
      TEST(deadline_that_does_not_pass_changes_nothing),
      TEST(function_can_ask_how_much_time_is_left),
      TEST(every_kind_of_started_call_is_reported_at_its_deadline),
      TEST(late_answer_of_a_started_call_is_dropped),
      TEST(deadline_wins_over_a_late_cancellation_and_reports_once),
      TEST(call_that_waits_for_a_thread_is_reported_at_its_deadline),
      TEST(nested_call_has_its_parents_deadline),
      TEST(nested_call_may_have_an_earlier_deadline_of_its_own),
      TEST(function_does_not_begin_after_its_deadline))
