/*
 * What happens when memory runs out: the n-th allocation of the kernel fails, for
 * every n. Nothing crashes, nothing hangs, nothing is left behind, and a call that
 * was started is reported once.
 */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "support/check.h"
#include "support/fail_alloc.h"

/* A kernel without a fixture: whatever it needs may fail. */
static kernel_t *new_kernel(void)
{
    static const char *const paths[] = {TEST_PLUGIN_DIR, NULL};
    kernel_options_t options = KERNEL_OPTIONS_INIT;

    options.plugin_paths = paths;
    options.env_file = "";
    options.pool_threads = 1;
    return kernel_new(&options, NULL);
}

/* ---- the registry ---- */

KP_FUNCTION(integer, one, "Return 1.", (integer, ignored, "Ignored.", .dflt = "5"))
{
    (void)ignored;
    return 1;
}

static void add_find_and_remove(void)
{
    kernel_t *kernel = new_kernel();
    kernel_plugin_t *plugin;

    if (kernel == NULL) {
        return;
    }
    plugin = kernel_add_plugin(kernel, "calls", NULL, NULL, NULL);
    (void)kernel_add_plugin(kernel, "configured", NULL, "{\"endpoint\":\"x\",\"record\":{\"a\":1}}",
                            NULL);
    (void)kernel_add_plugin(kernel, "nowhere", NULL, NULL, NULL);
    (void)kernel_add_function(kernel, "host", &kpf_one, NULL, NULL);
    (void)kernel_find_function(kernel, "calls-echo");
    (void)kernel_plugin_find(plugin, "echo");
    (void)kernel_replace_plugin(kernel, "calls", "calls", NULL, NULL);
    (void)kernel_remove_plugin(kernel_find_plugin(kernel, "calls"), NULL);
    kernel_free(kernel);
}

static void registry_survives_any_failing_allocation(void)
{
    fail_alloc_each(add_find_and_remove);
}

/* ---- calls that wait ---- */

static kernel_filter_verdict_t retry_once(kernel_filter_context_t *context,
                                          const kernel_result_t *result, void *data)
{
    (void)result;
    (void)data;
    (void)kernel_filter_slot(context);
    return KERNEL_FILTER_RETRY;
}

static kernel_filter_verdict_t look_at_args(kernel_filter_context_t *context, void *data)
{
    (void)data;
    (void)kernel_filter_args(context);
    return KERNEL_FILTER_CONTINUE;
}

static kernel_t *kernel_with_plugins(bool has_filter)
{
    kernel_t *kernel = new_kernel();
    kernel_filter_t filter = KERNEL_FILTER_INIT;

    if (kernel == NULL) {
        return NULL;
    }
    (void)kernel_add_plugin(kernel, "calls", NULL, NULL, NULL);
    (void)kernel_add_plugin(kernel, "async", NULL, NULL, NULL);
    (void)kernel_add_plugin(kernel, "slow", NULL, NULL, NULL);
    (void)kernel_add_plugin(kernel, "caller:caller", NULL, NULL, NULL);
    (void)kernel_add_plugin(kernel, "threads:counter", NULL, NULL, NULL);
    if (has_filter) {
        filter.name = "again";
        filter.before = look_at_args;
        filter.after = retry_once;
        (void)kernel_add_filter(kernel, &filter, NULL);
    }
    return kernel;
}

static void ignore_chunk(kernel_chunk_kind_t kind, const void *data, size_t size, void *user_data)
{
    (void)kind;
    (void)data;
    (void)size;
    (void)user_data;
}

static void ignore_progress(double fraction, void *user_data)
{
    (void)fraction;
    (void)user_data;
}

/* A result comes back, whatever it says. */
static void call(kernel_t *kernel, const char *name, const char *json)
{
    kernel_result_t *result = kernel_invoke_json(kernel, name, json);

    CHECK(result != NULL);
    (void)kernel_result_text(result);
    (void)kernel_result_json(result);
    kernel_result_free(result);
}

static void call_with_options(kernel_t *kernel, const char *name, const char *json)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_args_t *args = kernel_args_new();
    kernel_args_t *context = kernel_args_new();
    kernel_result_t *result;

    (void)kernel_args_read_json(args, json, strlen(json), NULL);
    kernel_args_set_string(context, "user", "ada");
    options.timeout_ms = 30000;
    options.cancel = kernel_cancel_new();
    options.context = context;
    options.on_chunk = ignore_chunk;
    options.on_progress = ignore_progress;
    result = kernel_invoke_with(kernel_find_function(kernel, name), args, &options);
    CHECK(result != NULL);
    kernel_result_free(result);
    kernel_cancel_free(options.cancel);
    kernel_args_free(context);
    kernel_args_free(args);
}

static void call_plain(void)
{
    kernel_t *kernel = kernel_with_plugins(false);

    if (kernel != NULL) {
        call(kernel, "calls-add", "{\"a\":1}");
        call(kernel, "calls-echo", "{\"text\":\"\\u00e9\"}");
        call(kernel, "calls-attach", "{\"count\":2,\"size\":5}");
        call(kernel, "calls-fail_with_detail", "{\"code\":-10,\"text\":\"no\",\"detail\":{}}");
        call(kernel, "calls-nowhere", "{}");
        call(kernel, "counter-add", "{\"amount\":1}");
        call_with_options(kernel, "calls-who", "{\"greeting\":\"hi\"}");
        call_with_options(kernel, "async-kinds_of_chunks", "{}");
        kernel_free(kernel);
    }
}

static void plain_calls_survive_any_failing_allocation(void)
{
    fail_alloc_each(call_plain);
}

static void call_async(void)
{
    kernel_t *kernel = kernel_with_plugins(false);

    if (kernel != NULL) {
        call(kernel, "async-now", "{\"value\":1}");
        call(kernel, "async-complete_inside", "{\"value\":1}");
        call(kernel, "slow-wait", "{\"ms\":0}");
        call_with_options(kernel, "async-stream", "{\"count\":5}");
        kernel_free(kernel);
    }
}

static void waiting_calls_survive_any_failing_allocation(void)
{
    fail_alloc_each(call_async);
}

static void call_nested(void)
{
    kernel_t *kernel = kernel_with_plugins(false);

    if (kernel != NULL) {
        call(kernel, "caller-call",
             "{\"name\":\"calls-attach\",\"arguments\":"
             "{\"count\":1,\"size\":3}}");
        call(kernel, "caller-start", "{\"name\":\"calls-add\",\"arguments\":{\"a\":1}}");
        call(kernel, "caller-start_and_wait",
             "{\"name\":\"async-now\",\"arguments\":"
             "{\"value\":1}}");
        kernel_free(kernel);
    }
}

static void nested_calls_survive_any_failing_allocation(void)
{
    fail_alloc_each(call_nested);
}

static void call_with_filters(void)
{
    kernel_t *kernel = kernel_with_plugins(true);

    if (kernel != NULL) {
        call(kernel, "calls-add", "{\"a\":1}");
        call(kernel, "async-now", "{\"value\":1}");
        call_with_options(kernel, "counter-add", "{\"amount\":1}");
        (void)kernel_remove_filter(kernel, "again", NULL);
        kernel_free(kernel);
    }
}

static void filters_survive_any_failing_allocation(void)
{
    fail_alloc_each(call_with_filters);
}

/* ---- calls that are started ---- */

typedef struct told {
    latch_t done;
    int times;
} told_t;

static void on_told(const kernel_result_t *result, void *data)
{
    told_t *told = data;

    (void)result;
    told->times++;
    latch_open(&told->done);
}

/* Reported if it was started, and not otherwise. */
static void start(kernel_t *kernel, const char *name, const char *json, uint64_t timeout_ms)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_args_t *args = kernel_args_new();
    kernel_function_t *function = kernel_find_function(kernel, name);
    kernel_call_t *call = NULL;
    told_t told = {.done = LATCH_INIT};
    kernel_status_t status;

    (void)kernel_args_read_json(args, json, strlen(json), NULL);
    options.timeout_ms = timeout_ms;
    options.on_chunk = ignore_chunk;
    status = kernel_invoke_async(function, args, &options, on_told, &told, &call);
    CHECK((status == KERNEL_OK) == (call != NULL));
    if (status == KERNEL_OK) {
        latch_wait(&told.done);
    }
    kernel_call_release(call);
    kernel_args_free(args);
    CHECK_EQ(told.times, status == KERNEL_OK);
}

static void start_calls(void)
{
    kernel_t *kernel = kernel_with_plugins(false);

    if (kernel != NULL) {
        start(kernel, "calls-add", "{\"a\":1}", 0);
        start(kernel, "counter-add", "{\"amount\":1}", 30000);
        start(kernel, "async-now", "{\"value\":1}", 30000);
        start(kernel, "async-until_cancelled", "{}", 1); /* also without memory to watch it */
        start(kernel, "async-stream", "{\"count\":5}", 0);
        start(kernel, "caller-start", "{\"name\":\"calls-add\",\"arguments\":{\"a\":1}}", 0);
        kernel_free(kernel);
    }
}

static void started_calls_survive_any_failing_allocation(void)
{
    fail_alloc_each(start_calls);
}

static void start_calls_with_filters(void)
{
    kernel_t *kernel = kernel_with_plugins(true);

    if (kernel != NULL) {
        start(kernel, "calls-add", "{\"a\":1}", 0);
        start(kernel, "async-now", "{\"value\":1}", 30000);
        kernel_free(kernel);
    }
}

static void started_calls_with_filters_survive_any_failing_allocation(void)
{
    fail_alloc_each(start_calls_with_filters);
}

/* ---- in flight ---- */

static void free_in_flight(void)
{
    kernel_t *kernel = kernel_with_plugins(false);
    told_t told[4] = {
        {.done = LATCH_INIT}, {.done = LATCH_INIT}, {.done = LATCH_INIT}, {.done = LATCH_INIT}};
    bool was_started[4];

    if (kernel == NULL) {
        return;
    }
    for (int i = 0; i < 4; i++) {
        was_started[i] = kernel_invoke_async(kernel_find_function(kernel, "async-until_cancelled"),
                                             NULL, NULL, on_told, &told[i], NULL) == KERNEL_OK;
    }
    (void)kernel_remove_plugin(kernel_find_plugin(kernel, "async"), NULL);
    kernel_free(kernel);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(told[i].times, was_started[i]);
    }
}

static void removal_and_freeing_survive_any_failing_allocation(void)
{
    fail_alloc_each(free_in_flight);
}

TESTS(TEST(registry_survives_any_failing_allocation),
      TEST(plain_calls_survive_any_failing_allocation),
      TEST(waiting_calls_survive_any_failing_allocation),
      TEST(nested_calls_survive_any_failing_allocation),
      TEST(filters_survive_any_failing_allocation),
      TEST(started_calls_survive_any_failing_allocation),
      TEST(started_calls_with_filters_survive_any_failing_allocation),
      TEST(removal_and_freeing_survive_any_failing_allocation))
