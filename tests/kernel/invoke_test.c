/* What a host may rely on when it calls a function and waits for it. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "support/fixture.h"

static void call_of_a_missing_function_is_a_result(void)
{
    kernel_result_t *result = kernel_invoke(kernel_plugin_find(NULL, "upper"), NULL);

    CHECK_STR_CONTAINS(kernel_result_error(result), "was not found");
    CHECK_STATUS(result, KERNEL_E_NOT_FOUND);
}

static void unknown_name_is_answered_with_the_closest_one(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result = kernel_invoke_json(f.kernel, "calls-eco", NULL);

    CHECK_STR_CONTAINS(kernel_result_error(result), "'calls-echo'");
    CHECK_STATUS(result, KERNEL_E_NOT_FOUND);
    CHECK_STATUS(kernel_invoke_json(f.kernel, NULL, NULL), KERNEL_E_INVALID);
    CHECK_STATUS(kernel_invoke_json(NULL, "calls-echo", NULL), KERNEL_E_INVALID);
    fixture_free(&f);
}

static void plain_calls_need_no_thread_of_the_kernel(void)
{
    int before = thread_count(); /* sanitizers have one of their own */
    fixture_t f = fixture_with_plugin("calls");

    for (int i = 0; i < 100; i++) {
        CHECK_CALL(&f, "calls-add", "{\"a\":40,\"b\":2}", "42");
    }
    CHECK_EQ(thread_count(), before);
    fixture_free(&f);
}

static void plugin_may_be_written_with_a_point(void)
{
    fixture_t f = fixture_with_plugin("calls");

    CHECK_CALL(&f, "calls.echo", "{\"text\":\"a\"}", "a");
    fixture_free(&f);
}

static void failure_comes_with_its_status_text_and_detail(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result =
        fixture_call(&f, "calls-fail_with_detail",
                     "{\"code\":%d,\"text\":\"full\",\"detail\":{\"http\":507}}", KERNEL_E_LIMIT);

    CHECK_EQ(kernel_result_status(result), KERNEL_E_LIMIT);
    CHECK_STR(kernel_result_error(result), "full");
    CHECK_STR(kernel_result_detail(result), "{\"http\":507}");
    kernel_result_free(result);
    fixture_free(&f);
}

static void failure_without_a_text_gets_one(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result =
        fixture_call(&f, "calls-fail_silently", "{\"code\":%d}", KERNEL_E_BUSY);

    CHECK_STR_CONTAINS(kernel_result_error(result), "calls-fail_silently failed: ");
    CHECK_STATUS(result, KERNEL_E_BUSY);
    fixture_free(&f);
}

static void taken_memory_is_copied_and_given_back_once(void)
{
    fixture_t f = fixture_with_plugin("calls");

    CHECK_CALL(&f, "calls-take", "{\"text\":\"mine\"}", "mine");
    CHECK_CALL(&f, "calls-take", "{\"text\":\"yours\"}", "yours");
    CHECK_CALL(&f, "calls-taken", "{}", "2");
    fixture_free(&f);
}

static void result_has_value_text_and_attachments_and_outlives_the_kernel(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result = fixture_call(&f, "calls-attach", "{\"count\":2,\"size\":3}");
    const kernel_attachment_t *second;

    fixture_free(&f);
    CHECK_EQ(kernel_result_integer(result), 42);
    CHECK_STR(kernel_result_text(result), "forty-two");
    CHECK_EQ(kernel_result_attachment_count(result), 2);
    second = kernel_result_attachment_at(result, 1);
    CHECK_STR(second->name, "part-1.bin");
    CHECK_STR(second->media_type, "application/octet-stream");
    CHECK_EQ(second->data_size, 3);
    CHECK(memcmp(second->data, "bbb", 3) == 0);
    CHECK(kernel_result_attachment_at(result, 2) == NULL);
    kernel_result_free(result);
}

static void too_many_attachments_are_refused(void)
{
    fixture_t f = fixture_with_plugin("calls");

    CHECK_STATUS(fixture_call(&f, "calls-attach", "{\"count\":64,\"size\":1}"), KERNEL_OK);
    CHECK_STATUS(fixture_call(&f, "calls-attach", "{\"count\":65,\"size\":1}"), KERNEL_E_LIMIT);
    fixture_free(&f);
}

static void value_of_another_type_than_declared_is_logged(void)
{
    fixture_t f = fixture_with_plugin("calls");

    CHECK_CALL(&f, "calls-wrong_type", "{}", "no integer");
    CHECK_EQ(fixture_log_count(&f, "calls-wrong_type returned a value of type"), 1);
    fixture_free(&f);
}

static void pending_from_a_plain_function_is_an_error(void)
{
    fixture_t f = fixture_with_plugin("async");
    kernel_result_t *result = fixture_call(&f, "async-pending_but_plain", "{}");

    CHECK_STR_CONTAINS(kernel_result_error(result), "async-pending_but_plain returned KP_PENDING");
    CHECK_STATUS(result, KERNEL_E_INTERNAL);
    fixture_free(&f);
}

static void waiting_caller_gets_the_answer_of_an_async_function(void)
{
    fixture_t f = fixture_with_plugin("async");

    CHECK_CALL(&f, "async-now", "{\"value\":1}", "1");
    CHECK_CALL(&f, "async-complete_inside", "{\"value\":2}", "2");
    CHECK_CALL(&f, "async-from_thread", "{\"value\":3}", "3");
    CHECK_CALL(&f, "async-complete_twice", "{\"value\":4}", "4");
    fixture_free(&f);
}

static void options_that_were_not_initialised_are_refused(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_invoke_options_t options = {0};
    kernel_function_t *nothing = kernel_plugin_find(f.plugin, "nothing");

    CHECK_STATUS(kernel_invoke_with(nothing, NULL, &options), KERNEL_E_INVALID);
    options = (kernel_invoke_options_t)KERNEL_INVOKE_OPTIONS_INIT;
    options.delivery = (kernel_delivery_t)7;
    CHECK_STATUS(kernel_invoke_with(nothing, NULL, &options), KERNEL_E_INVALID);
    CHECK_STATUS(kernel_invoke_with(nothing, NULL, NULL), KERNEL_OK);
    fixture_free(&f);
}

/* The options of a program that was compiled when there were fewer. */
static void shorter_options_of_an_older_caller_are_understood(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    options.size = offsetof(kernel_invoke_options_t, cancel);
    options.timeout_ms = 1;
    options.on_chunk = (kernel_chunk_fn)(uintptr_t)1; /* beyond its end: not looked at */
    CHECK_STATUS(kernel_invoke_with(kernel_plugin_find(f.plugin, "poll_cancelled"), NULL, &options),
                 KERNEL_E_TIMEOUT);
    fixture_free(&f);
}

static void function_of_a_removed_plugin_is_unavailable(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_function_t *nothing = kernel_plugin_find(f.plugin, "nothing");

    CHECK_EQ(kernel_remove_plugin(f.plugin, NULL), KERNEL_OK);
    CHECK_STATUS(kernel_invoke(nothing, NULL), KERNEL_E_UNAVAILABLE);
    CHECK_STATUS(kernel_invoke_json(f.kernel, "calls-nothing", NULL), KERNEL_E_NOT_FOUND);
    fixture_free(&f);
}

/* Of the host's own, so that a test sees the call as a plugin does. */
KP_FUNCTION(integer, flags_of, "Return the call's flags.")
{
    return call->flags;
}

static void ignore_chunk(kernel_chunk_kind_t kind, const void *data, size_t size, void *user_data)
{
    (void)kind;
    (void)data;
    (void)size;
    (void)user_data;
}

static int64_t flags_with(const kernel_function_t *function, kernel_invoke_options_t options)
{
    kernel_result_t *result = kernel_invoke_with(function, NULL, &options);
    int64_t flags = kernel_result_integer(result);

    kernel_result_free(result);
    return flags;
}

static void flags_tell_who_asked_and_whether_chunks_are_wanted(void)
{
    fixture_t f = fixture_new();
    kernel_function_t *flags = kernel_add_function(f.kernel, "host", &kpf_flags_of, NULL, NULL);
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    CHECK_EQ(flags_with(flags, options), 0);
    options.from_model = 1;
    CHECK_EQ(flags_with(flags, options), KP_CALL_FROM_MODEL);
    options.on_chunk = ignore_chunk;
    CHECK_EQ(flags_with(flags, options), KP_CALL_FROM_MODEL | KP_CALL_STREAM);
    fixture_free(&f);
}

KP_FUNCTION(none, returns_garbage, "Answer with a status that there is not.")
{
    call->status = 0;
}

static int invoke_positive(kp_call *call)
{
    (void)call;
    return 17;
}

static void status_that_there_is_not_is_an_error(void)
{
    fixture_t f = fixture_new();
    kp_function wrong = kpf_returns_garbage;
    kernel_result_t *result;

    wrong.invoke = invoke_positive;
    result = kernel_invoke(kernel_add_function(f.kernel, "host", &wrong, NULL, NULL), NULL);
    CHECK_STR_CONTAINS(kernel_result_error(result), "returned 17");
    CHECK_STATUS(result, KERNEL_E_INTERNAL);
    fixture_free(&f);
}

KP_FUNCTION(status, completes_though_plain, "Call kp_complete() where returning is the answer.")
{
    kp_complete(call, KP_E_BUSY);
    return kp_return_string(call, "returned");
}

static void plain_function_answers_by_returning_alone(void)
{
    fixture_t f = fixture_new();

    CHECK(kernel_add_function(f.kernel, "host", &kpf_completes_though_plain, NULL, NULL) != NULL);
    CHECK_CALL(&f, "host-completes_though_plain", "{}", "returned");
    CHECK_EQ(fixture_log_count(&f, "a plain function called kp_complete()"), 1);
    fixture_free(&f);
}

KP_FUNCTION(status, broken_object, "Return an object that is none.")
{
    return kp_return_copy(call, KP_OBJECT, "{\"a\":", 5);
}

KP_FUNCTION(status, broken_text, "Return text that is not UTF-8.")
{
    return kp_return_copy(call, KP_STRING, "a\xFF", 2);
}

static void text_that_is_not_what_it_claims_is_caught(void)
{
    fixture_t f = fixture_new();

    CHECK(kernel_add_function(f.kernel, "host", &kpf_broken_object, NULL, NULL) != NULL);
    CHECK(kernel_add_function(f.kernel, "host", &kpf_broken_text, NULL, NULL) != NULL);
    CHECK_STATUS(fixture_call(&f, "host-broken_object", "{}"), KERNEL_E_INTERNAL);
    CHECK_CALL(&f, "host-broken_text", "{}", "a\xEF\xBF\xBD");
    fixture_free(&f);
}

typedef struct caller {
    const fixture_t *fixture;
    pthread_t thread;
    int wrong;
} caller_t;

static void *call_often(void *data)
{
    caller_t *caller = data;

    for (int i = 0; i < 200; i++) {
        kernel_result_t *result =
            fixture_call(caller->fixture, "calls-add", "{\"a\":%d,\"b\":%d}", i, i);

        caller->wrong += kernel_result_integer(result) != 2 * i;
        kernel_result_free(result);
    }
    return NULL;
}

static void any_number_of_threads_call_at_once(void)
{
    fixture_t f = fixture_with_plugin("calls");
    caller_t callers[16];

    for (int i = 0; i < 16; i++) {
        callers[i] = (caller_t){.fixture = &f};
        CHECK_EQ(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK_EQ(callers[i].wrong, 0);
    }
    fixture_free(&f);
}

TESTS(TEST(call_of_a_missing_function_is_a_result),
      TEST(unknown_name_is_answered_with_the_closest_one),
      TEST(plain_calls_need_no_thread_of_the_kernel), TEST(plugin_may_be_written_with_a_point),
      TEST(failure_comes_with_its_status_text_and_detail), TEST(failure_without_a_text_gets_one),
      TEST(taken_memory_is_copied_and_given_back_once),
      TEST(result_has_value_text_and_attachments_and_outlives_the_kernel),
      TEST(too_many_attachments_are_refused), TEST(value_of_another_type_than_declared_is_logged),
      TEST(pending_from_a_plain_function_is_an_error),
      TEST(waiting_caller_gets_the_answer_of_an_async_function),
      TEST(options_that_were_not_initialised_are_refused),
      TEST(shorter_options_of_an_older_caller_are_understood),
      TEST(function_of_a_removed_plugin_is_unavailable),
      TEST(flags_tell_who_asked_and_whether_chunks_are_wanted),
      TEST(status_that_there_is_not_is_an_error), TEST(plain_function_answers_by_returning_alone),
      TEST(text_that_is_not_what_it_claims_is_caught), TEST(any_number_of_threads_call_at_once))
