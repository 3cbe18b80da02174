/* Calls inside calls: how deep, on which thread, with what they inherit. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "support/fixture.h"

/* ---- depth ---- */

static void calls_nest_to_depth_64_and_no_deeper(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");
    kernel_result_t *result;
    outcome_t outcome = OUTCOME_INIT;

    CHECK_CALL(&f, "caller-nest", "{\"depth\":63}", "bottom");
    result = fixture_call(&f, "caller-nest", "{\"depth\":64}");
    CHECK_STR_CONTAINS(kernel_result_error(result), "nested deeper than 64");
    CHECK_STATUS(result, KERNEL_E_DEPTH);
    outcome_start(&outcome, &f, "caller-nest", NULL, NULL, "{\"depth\":64}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_DEPTH);
    CHECK_CALL(&f, "caller-nest", "{\"depth\":63}", "bottom");
    fixture_free(&f);
}

static kernel_t *recursing;

KP_FUNCTION(status, recurse, "Call this function by the host's API.")
{
    kernel_result_t *result = kernel_invoke_json(recursing, "host-recurse", "{}");
    kernel_status_t status = kernel_result_status(result);

    (void)call;
    kernel_result_free(result);
    return (int)status;
}

static void host_functions_that_use_the_host_api_nest_too(void)
{
    fixture_t f = fixture_new();

    recursing = f.kernel;
    CHECK(kernel_add_function(f.kernel, "host", &kpf_recurse, NULL, NULL) != NULL);
    CHECK_STATUS(fixture_call(&f, "host-recurse", "{}"), KERNEL_E_DEPTH);
    fixture_free(&f);
}

/* Two kernels whose functions call each other. */
typedef struct ping {
    kernel_t *other;
    kernel_plugin_t *plugin; /* of its own kernel's */
    kernel_status_t removal;
    int calls;
} ping_t;

KP_FUNCTION(status, ping_pong, "Call the other kernel's function of this name.")
{
    ping_t *ping = call->self;
    kernel_result_t *result;
    kernel_status_t status;

    ping->calls++;
    result = kernel_invoke_json(ping->other, "host-ping_pong", "{}");
    status = kernel_result_status(result);
    kernel_result_free(result);
    return (int)status;
}

static void calls_between_two_kernels_nest_no_deeper(void)
{
    fixture_t f[2] = {fixture_new(), fixture_new()};
    ping_t pings[2] = {{.other = f[1].kernel}, {.other = f[0].kernel}};

    for (int i = 0; i < 2; i++) {
        CHECK(kernel_add_function(f[i].kernel, "host", &kpf_ping_pong, &pings[i], NULL) != NULL);
    }
    CHECK_STATUS(fixture_call(&f[0], "host-ping_pong", "{}"), KERNEL_E_DEPTH);
    CHECK_EQ(pings[0].calls + pings[1].calls, 64);
    fixture_free(&f[0]);
    fixture_free(&f[1]);
}

KP_FUNCTION(none, end_the_other, "Free the kernel whose call waits for this one.")
{
    ping_t *ping = call->self;

    ping->removal = kernel_remove_plugin(ping->plugin, NULL);
    kernel_free(ping->other);
}

KP_FUNCTION(status, call_end, "Call the function that would end this kernel.")
{
    ping_t *ping = call->self;
    kernel_result_t *result = kernel_invoke_json(ping->other, "host-end_the_other", "{}");
    kernel_status_t status = kernel_result_status(result);

    kernel_result_free(result);
    return (int)status;
}

static void kernel_in_whose_call_another_ones_runs_stays(void)
{
    fixture_t f[2] = {fixture_new(), fixture_new()};
    ping_t there = {.other = f[1].kernel};
    ping_t back = {.other = f[0].kernel};

    CHECK(kernel_add_function(f[0].kernel, "host", &kpf_call_end, &there, NULL) != NULL);
    CHECK(kernel_add_function(f[1].kernel, "host", &kpf_end_the_other, &back, NULL) != NULL);
    back.plugin = kernel_find_plugin(f[0].kernel, "host");
    CHECK_STATUS(fixture_call(&f[0], "host-call_end", "{}"), KERNEL_OK);
    CHECK_EQ(back.removal, KERNEL_E_WOULD_DEADLOCK);
    CHECK_EQ(fixture_log_count(&f[0], "is refused"), 1);
    CHECK(kernel_plugin_is_available(back.plugin));
    fixture_free(&f[0]);
    fixture_free(&f[1]);
}

/* ---- what comes back ---- */

static void value_text_attachments_and_failure_come_through(void)
{
    static const char *const ways[] = {"caller-call", "caller-start", "caller-start_and_wait"};

    for (int i = 0; i < 3; i++) {
        fixture_t f = fixture_with_plugin("caller:caller");
        kernel_result_t *result;

        fixture_add(&f, "calls", NULL);
        result = fixture_call(&f, ways[i],
                              "{\"name\":\"calls-attach\",\"arguments\":"
                              "{\"count\":1,\"size\":2}}");
        CHECK_STR(kernel_result_text(result), "forty-two");
        CHECK_EQ(kernel_result_integer(result), 42);
        CHECK_EQ(kernel_result_attachment_count(result), 1);
        CHECK_STR(kernel_result_attachment_at(result, 0)->name, "part-0.bin");
        kernel_result_free(result);
        result = fixture_call(&f, ways[i],
                              "{\"name\":\"calls-fail\",\"arguments\":"
                              "{\"code\":%d,\"text\":\"no more\"}}",
                              KERNEL_E_REMOTE);
        CHECK_STR(kernel_result_error(result), "no more");
        CHECK_STATUS(result, KERNEL_E_REMOTE);
        fixture_free(&f);
    }
}

static void typed_arguments_come_through(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");

    fixture_add(&f, "calls", NULL);
    CHECK_CALL(&f, "caller-call_typed",
               "{\"name\":\"calls-echo\",\"argument\":\"text\",\"text\":\"a\"}", "a");
    CHECK_CALL(&f, "caller-start_typed",
               "{\"name\":\"calls-echo\",\"argument\":\"text\",\"text\":\"b\"}", "b");
    CHECK_STATUS(fixture_call(&f, "caller-call_typed",
                              "{\"name\":\"calls-echo\",\"argument\":\"test\",\"text\":\"a\"}"),
                 KERNEL_E_INVALID);
    fixture_free(&f);
}

static void unknown_name_is_an_outcome_with_the_closest_one(void)
{
    static const char *const ways[] = {"caller-call", "caller-start", "caller-start_and_wait"};
    fixture_t f = fixture_with_plugin("caller:caller");

    fixture_add(&f, "calls", NULL);
    for (int i = 0; i < 3; i++) {
        kernel_result_t *result = fixture_call(&f, ways[i], "{\"name\":\"calls-eco\"}");

        CHECK_STR_CONTAINS(kernel_result_error(result), "'calls-echo'");
        CHECK_STATUS(result, KERNEL_E_NOT_FOUND);
    }
    fixture_free(&f);
}

/* ---- the loop thread never waits ---- */

typedef struct on_loop {
    const fixture_t *f;
    kernel_status_t statuses[8];
    char text[256];
    latch_t done;
} on_loop_t;

/* Every entry point that waits. */
static void wait_on_loop(const kernel_result_t *result, void *data)
{
    on_loop_t *on_loop = data;
    const fixture_t *f = on_loop->f;
    kernel_function_t *nothing = kernel_plugin_find(f->plugin, "nothing");
    kernel_error_t errors[4] = {KERNEL_ERROR_INIT, KERNEL_ERROR_INIT, KERNEL_ERROR_INIT,
                                KERNEL_ERROR_INIT};
    kernel_result_t *results[3];

    (void)result;
    results[0] = kernel_invoke(nothing, NULL);
    results[1] = kernel_invoke_with(nothing, NULL, NULL);
    results[2] = kernel_invoke_json(f->kernel, "calls-nothing", "{}");
    snprintf(on_loop->text, sizeof(on_loop->text), "%s", kernel_result_error(results[0]));
    for (int i = 0; i < 3; i++) {
        on_loop->statuses[i] = kernel_result_status(results[i]);
        kernel_result_free(results[i]);
    }
    (void)kernel_add_plugin(f->kernel, "slow", NULL, NULL, &errors[0]);
    (void)kernel_add_service(f->kernel, "http", NULL, NULL, &errors[1]);
    (void)kernel_replace_plugin(f->kernel, "calls", "calls", NULL, &errors[2]);
    (void)kernel_remove_plugin(f->plugin, &errors[3]);
    for (int i = 0; i < 4; i++) {
        on_loop->statuses[3 + i] = errors[i].status;
    }
    kernel_free(f->kernel); /* refused, logged */
    latch_open(&on_loop->done);
}

static void waiting_on_the_loop_thread_is_refused_at_once(void)
{
    fixture_t f = fixture_with_plugin("calls");
    on_loop_t on_loop = {.f = &f, .done = LATCH_INIT};

    CHECK_EQ(kernel_invoke_async(kernel_plugin_find(f.plugin, "nothing"), NULL, NULL, wait_on_loop,
                                 &on_loop, NULL),
             KERNEL_OK);
    latch_wait(&on_loop.done);
    for (int i = 0; i < 7; i++) {
        CHECK_EQ(on_loop.statuses[i], KERNEL_E_WOULD_DEADLOCK);
    }
    CHECK_STR_CONTAINS(on_loop.text, "kernel_invoke_async()");
    CHECK_EQ(fixture_log_count(&f, "kernel_free() inside a callback"), 1);
    CHECK(kernel_plugin_is_available(f.plugin));
    fixture_free(&f);
}

static void blocking_form_is_refused_on_the_loop_thread(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");

    fixture_add(&f, "calls", NULL);
    CHECK_STATUS(fixture_call(&f, "caller-call_on_loop", "{\"name\":\"calls-nothing\"}"),
                 KERNEL_E_WOULD_DEADLOCK);
    fixture_free(&f);
}

/* ---- many at once ---- */

#define ROOTS 400

static void hundreds_of_calls_that_each_wait_for_a_nested_one_end(void)
{
    static const char *const ways[] = {"caller-start_and_wait", "caller-call", "caller-start"};
    static outcome_t outcomes[ROOTS];

    for (int i = 0; i < 3; i++) {
        fixture_t f = fixture_with_plugin("caller:caller");

        fixture_add(&f, "calls", NULL);
        fixture_add(&f, "threads:counter", NULL);
        for (int k = 0; k < ROOTS; k++) {
            outcomes[k] = (outcome_t)OUTCOME_INIT;
            outcome_start(&outcomes[k], &f, ways[i], NULL, NULL,
                          k % 2 == 0 ? "{\"name\":\"calls-add\",\"arguments\":{\"a\":%d}}"
                                     : "{\"name\":\"counter-add\",\"arguments\":{\"amount\":%d}}",
                          k % 2 == 0 ? k : 1);
        }
        for (int k = 0; k < ROOTS; k++) {
            outcome_wait(&outcomes[k]);
            CHECK_EQ(outcomes[k].status, KERNEL_OK);
        }
        CHECK(i == 2 || thread_count() < 100); /* nested work never waits for a thread */
        CHECK_CALL(&f, "counter-add", "{\"amount\":0}", "200");
        fixture_free(&f);
    }
}

/* A pool so small that nested work finds no thread. */
static void nested_call_without_a_thread_is_refused_rather_than_queued(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    kernel_result_t *result;
    outcome_t outcome = OUTCOME_INIT;

    options.pool_threads = 1;
    options.pool_limit = 1;
    f = fixture_with_options(&options);
    fixture_add(&f, "caller:caller", NULL);
    fixture_add(&f, "calls", NULL);
    outcome_start(&outcome, &f, "caller-start_and_wait", NULL, NULL,
                  "{\"name\":\"calls-nothing\"}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_BUSY);
    CHECK_STR_CONTAINS(outcome.text, "no thread is free");
    result = fixture_call(&f, "caller-start_and_wait", "{\"name\":\"calls-nothing\"}");
    CHECK_STATUS(result, KERNEL_OK); /* this thread waits, the one of the pool is free */
    fixture_free(&f);
}

/* ---- a child that outlives its parent ---- */

typedef struct orphan {
    latch_t parent_is_over;
    latch_t read;
    char text[64];
    int status;
} orphan_t;

KP_FUNCTION(async, leave_a_child, "Start a function and answer without waiting for it.")
{
    const kp_invoke *invoke = kp_extension(call->instance, KP_EXT_INVOKE);

    return invoke->start(invoke, call, "host-read_context", NULL, 0, NULL, NULL, NULL, NULL);
}

KP_FUNCTION(none, read_context, "Read the context when the parent is over.")
{
    const kp_context *context = kp_extension(call->instance, KP_EXT_CONTEXT);
    orphan_t *orphan = call->self;
    kp_value value;

    latch_wait(&orphan->parent_is_over);
    orphan->status = context->get(context, call, "user", &value);
    if (orphan->status == KP_OK) {
        snprintf(orphan->text, sizeof(orphan->text), "%s", value.as.text.ptr);
    }
    latch_open(&orphan->read);
}

static void context_lives_as_long_as_the_last_call_that_inherited_it(void)
{
    fixture_t f = fixture_new();
    orphan_t orphan = {.parent_is_over = LATCH_INIT, .read = LATCH_INIT};
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_args_t *context = kernel_args_new();

    CHECK(kernel_add_function(f.kernel, "host", &kpf_leave_a_child, NULL, NULL) != NULL);
    CHECK(kernel_add_function(f.kernel, "host", &kpf_read_context, &orphan, NULL) != NULL);
    kernel_args_set_string(context, "user", "ada");
    options.context = context;
    CHECK_STATUS(kernel_invoke_with(fixture_function(&f, "host-leave_a_child"), NULL, &options),
                 KERNEL_OK);
    kernel_args_free(context);
    latch_open(&orphan.parent_is_over);
    latch_wait(&orphan.read);
    fixture_free(&f);
    CHECK_EQ(orphan.status, KP_OK);
    CHECK_STR(orphan.text, "ada");
}

TESTS(TEST(calls_nest_to_depth_64_and_no_deeper),
      TEST(host_functions_that_use_the_host_api_nest_too),
      TEST(calls_between_two_kernels_nest_no_deeper),
      TEST(kernel_in_whose_call_another_ones_runs_stays),
      TEST(value_text_attachments_and_failure_come_through), TEST(typed_arguments_come_through),
      TEST(unknown_name_is_an_outcome_with_the_closest_one),
      TEST(waiting_on_the_loop_thread_is_refused_at_once),
      TEST(blocking_form_is_refused_on_the_loop_thread),
      TEST(hundreds_of_calls_that_each_wait_for_a_nested_one_end),
      TEST(nested_call_without_a_thread_is_refused_rather_than_queued),
      TEST(context_lives_as_long_as_the_last_call_that_inherited_it))
