/* What the plugin "math" computes, and what it refuses. */
#include <kernel/kernel.h>

#include <string.h>

#include "support/check.h"

/* Nothing but the name: the module lies beside the library. */
static kernel_t *kernel_with_math(kernel_plugin_t **math_out)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_t *kernel = kernel_new(NULL, &error);

    *math_out = kernel_add_plugin(kernel, "math", NULL, NULL, &error);
    CHECK_STR(error.text, "");
    return kernel;
}

static void check_number(const char *function, double input, double amount, double wanted)
{
    kernel_plugin_t *math = NULL;
    kernel_t *kernel = kernel_with_math(&math);
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result = NULL;

    kernel_args_set_number(args, "input", input);
    kernel_args_set_number(args, "amount", amount);
    result = kernel_invoke(kernel_plugin_find(math, function), args);
    CHECK_STR(kernel_result_error(result), "");
    CHECK_EQ(kernel_result_type(result), KERNEL_TYPE_NUMBER);
    CHECK(kernel_result_number(result) == wanted);
    kernel_result_free(result);
    kernel_args_free(args);
    kernel_free(kernel);
}

static void add_adds(void)
{
    check_number("Add", 1, 2, 3);
    check_number("Add", 0.5, -0.75, -0.25);
    check_number("Add", 1e300, 1e300, 2e300);
}

static void subtract_subtracts(void)
{
    check_number("Subtract", 1, 2, -1);
    check_number("Subtract", 0.5, -0.75, 1.25);
}

static kernel_status_t invoke_json(const char *name, const char *json, const char *part)
{
    kernel_plugin_t *math = NULL;
    kernel_t *kernel = kernel_with_math(&math);
    kernel_result_t *result = kernel_invoke_json(kernel, name, json);
    kernel_status_t status = kernel_result_status(result);

    CHECK_STR_CONTAINS(
        status == KERNEL_OK ? kernel_result_text(result) : kernel_result_error(result), part);
    kernel_result_free(result);
    kernel_free(kernel);
    return status;
}

static void models_may_write_numbers_as_text(void)
{
    CHECK_EQ(invoke_json("math-Add", "{\"input\":\"40\",\"amount\":2}", "42"), KERNEL_OK);
    CHECK_EQ(invoke_json("math.Subtract", "{\"input\":40,\"amount\":\"-2.5\"}", "42.5"), KERNEL_OK);
}

static void what_is_no_number_is_refused(void)
{
    CHECK_EQ(invoke_json("math-Add", "{\"input\":\"forty\",\"amount\":2}", "input"),
             KERNEL_E_INVALID);
    CHECK_EQ(invoke_json("math-Add", "{\"input\":1,\"amount\":null}", "amount"), KERNEL_E_INVALID);
    CHECK_EQ(invoke_json("math-Add", "{\"input\":1}", "amount"), KERNEL_E_INVALID);
    CHECK_EQ(invoke_json("math-Add", "{\"input\":1,\"amount\":2,\"more\":3}", "more"),
             KERNEL_E_INVALID);
}

static void plugin_describes_itself(void)
{
    kernel_plugin_t *math = NULL;
    kernel_t *kernel = kernel_with_math(&math);
    kernel_function_t *add = kernel_plugin_find(math, "Add");

    CHECK_STR(kernel_plugin_name(math), "math");
    CHECK_STR(kernel_plugin_version(math), "1.0.0");
    CHECK_EQ(kernel_plugin_function_count(math), 2);
    CHECK_STR(kernel_function_full_name(add), "math-Add");
    CHECK_STR(kernel_function_description(add), "Add an amount to a number and return the sum.");
    CHECK_STR_CONTAINS(kernel_function_schema(add), "\"required\":[\"input\",\"amount\"]");
    kernel_free(kernel);
}

TESTS(TEST(add_adds), TEST(subtract_subtracts), TEST(models_may_write_numbers_as_text),
      TEST(what_is_no_number_is_refused), TEST(plugin_describes_itself))
