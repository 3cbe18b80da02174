/* kernel.context/1: ambient values of an invocation, and parameters filled from them. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "support/fixture.h"

static kernel_result_t *call_in_context(const fixture_t *f, const char *name, const char *json,
                                        const char *context_json)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_args_t *context = kernel_args_new();
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result;

    CHECK_EQ(kernel_args_read_json(args, json, strlen(json), NULL), KERNEL_OK);
    CHECK_EQ(kernel_args_read_json(context, context_json, strlen(context_json), NULL), KERNEL_OK);
    options.context = context;
    result = kernel_invoke_with(fixture_function(f, name), args, &options);
    kernel_args_free(context);
    kernel_args_free(args);
    return result;
}

static void function_reads_ambient_values(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");
    kernel_result_t *result =
        call_in_context(&f, "caller-context", "{\"key\":\"user\"}", "{\"user\":\"ada\"}");

    CHECK_STR(kernel_result_text(result), "ada");
    kernel_result_free(result);
    result = call_in_context(&f, "caller-context", "{\"key\":\"age\"}", "{\"age\":36}");
    CHECK_EQ(kernel_result_integer(result), 36);
    kernel_result_free(result);
    CHECK_STATUS(call_in_context(&f, "caller-context", "{\"key\":\"team\"}", "{\"user\":\"ada\"}"),
                 KERNEL_E_NOT_FOUND);
    CHECK_STATUS(fixture_call(&f, "caller-context", "{\"key\":\"user\"}"), KERNEL_E_NOT_FOUND);
    fixture_free(&f);
}

static void nested_calls_inherit_the_context(void)
{
    static const char *const ways[] = {"caller-call", "caller-start", "caller-start_and_wait"};
    fixture_t f = fixture_with_plugin("caller:caller");

    for (int i = 0; i < 3; i++) {
        kernel_result_t *result =
            call_in_context(&f, ways[i],
                            "{\"name\":\"caller-call\",\"arguments\":{\"name\":\"caller-context\","
                            "\"arguments\":{\"key\":\"user\"}}}",
                            "{\"user\":\"ada\"}");

        CHECK_STR(kernel_result_text(result), "ada");
        kernel_result_free(result);
    }
    fixture_free(&f);
}

static void started_calls_have_their_context(void)
{
    fixture_t f = fixture_with_plugin("caller:caller");
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_args_t *context = kernel_args_new();
    outcome_t outcome = OUTCOME_INIT;

    kernel_args_set_string(context, "user", "ada");
    options.context = context;
    outcome_start(&outcome, &f, "caller-context", &options, NULL, "{\"key\":\"user\"}");
    kernel_args_free(context); /* the kernel has a copy */
    outcome_wait(&outcome);
    CHECK_STR(outcome.text, "ada");
    fixture_free(&f);
}

/* ---- hidden parameters ---- */

static void hidden_parameter_is_filled_from_the_context(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result =
        call_in_context(&f, "calls-who", "{\"greeting\":\"hello\"}", "{\"user\":\"ada\"}");

    CHECK_STR(kernel_result_text(result), "hello ada");
    kernel_result_free(result);
    fixture_free(&f);
}

static void hidden_parameter_that_nobody_filled_is_an_error(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result = fixture_call(&f, "calls-who", "{\"greeting\":\"hello\"}");

    CHECK_STR_CONTAINS(kernel_result_error(result), "user");
    CHECK_STATUS(result, KERNEL_E_INVALID);
    fixture_free(&f);
}

static void hidden_parameter_cannot_be_given_as_an_argument(void)
{
    fixture_t f = fixture_with_plugin("calls");

    CHECK_STATUS(fixture_call(&f, "calls-who", "{\"greeting\":\"hello\",\"user\":\"eve\"}"),
                 KERNEL_E_INVALID);
    CHECK_STATUS(call_in_context(&f, "calls-who", "{\"greeting\":\"hello\",\"user\":\"eve\"}",
                                 "{\"user\":\"ada\"}"),
                 KERNEL_E_INVALID);
    CHECK(strstr(kernel_function_schema(fixture_function(&f, "calls-who")), "user") == NULL);
    fixture_free(&f);
}

static void hidden_parameter_of_a_nested_call_comes_from_the_inherited_context(void)
{
    fixture_t f = fixture_with_plugin("calls");
    kernel_result_t *result;

    fixture_add(&f, "caller:caller", NULL);
    result = call_in_context(&f, "caller-start",
                             "{\"name\":\"calls-who\",\"arguments\":{\"greeting\":\"hi\"}}",
                             "{\"user\":\"ada\"}");
    CHECK_STR(kernel_result_text(result), "hi ada");
    kernel_result_free(result);
    fixture_free(&f);
}

TESTS(TEST(function_reads_ambient_values), TEST(nested_calls_inherit_the_context),
      TEST(started_calls_have_their_context), TEST(hidden_parameter_is_filled_from_the_context),
      TEST(hidden_parameter_that_nobody_filled_is_an_error),
      TEST(hidden_parameter_cannot_be_given_as_an_argument),
      TEST(hidden_parameter_of_a_nested_call_comes_from_the_inherited_context))
