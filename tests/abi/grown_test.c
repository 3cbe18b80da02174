/*
 * What a kernel makes of a plugin that was compiled with another header: its
 * own, and one of a later release in which every struct has grown.
 */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "support/check.h"

static const char *const modules[] = {TEST_PLUGIN_DIR "/macros.so",
                                      TEST_PLUGIN_DIR "/macros_grown.so"};

enum { MODULES = sizeof(modules) / sizeof(modules[0]) };

typedef struct loaded {
    kernel_t *kernel;
    kernel_plugin_t *plugin;
} loaded_t;

static loaded_t load(const char *module)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    loaded_t loaded = {.kernel = kernel_new(NULL, &error)};

    loaded.plugin = kernel_add_plugin(loaded.kernel, module, "macros", NULL, &error);
    CHECK_STR(error.text, "");
    return loaded;
}

/* Calls with the arguments as a model writes them; the caller frees the result. */
static kernel_result_t *call(loaded_t loaded, const char *name, const char *json)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_args_t *args = kernel_args_new();
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_result_t *result;

    CHECK_EQ(kernel_args_read_json(args, json, strlen(json), &error), KERNEL_OK);
    options.timeout_ms = 50;
    result = kernel_invoke_with(kernel_plugin_find(loaded.plugin, name), args, &options);
    kernel_args_free(args);
    return result;
}

static void every_function_is_there(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);

        CHECK_EQ(kernel_plugin_function_count(loaded.plugin), 13);
        CHECK_STR(kernel_function_name(kernel_plugin_function_at(loaded.plugin, 12)), "sixteen");
        kernel_free(loaded.kernel);
    }
}

static void default_of_a_later_parameter_is_found(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);
        kernel_result_t *result = call(loaded, "add", "{\"a\":41}");

        CHECK_EQ(kernel_result_integer(result), 42);
        kernel_result_free(result);
        kernel_free(loaded.kernel);
    }
}

static void sixteen_arguments_arrive_in_order(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);
        kernel_result_t *result =
            call(loaded, "sixteen",
                 "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,"
                 "\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,\"p\":16}");

        CHECK_EQ(kernel_result_integer(result), 136);
        kernel_result_free(result);
        kernel_free(loaded.kernel);
    }
}

static void choice_that_is_not_listed_is_refused(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);
        kernel_result_t *result = call(loaded, "echo", "{\"text\":\"perhaps\"}");

        CHECK_EQ(kernel_result_status(result), KERNEL_E_INVALID);
        kernel_result_free(result);
        kernel_free(loaded.kernel);
    }
}

static void failure_brings_its_text(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);
        kernel_result_t *result = call(loaded, "refuse", "{\"limit\":7}");

        CHECK_EQ(kernel_result_status(result), KERNEL_E_LIMIT);
        CHECK_STR(kernel_result_error(result), "at most 7 is allowed");
        kernel_result_free(result);
        kernel_free(loaded.kernel);
    }
}

static void bytes_and_json_come_back_as_they_went(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);
        kernel_result_t *bytes = call(loaded, "same", "{\"data\":\"AAEC\"}");
        kernel_result_t *json = call(loaded, "first", "{\"a\":{\"x\":1}}");

        CHECK_STR(kernel_result_json(bytes), "\"AAEC\"");
        CHECK_STR(kernel_result_json(json), "{\"x\":1}");
        kernel_result_free(bytes);
        kernel_result_free(json);
        kernel_free(loaded.kernel);
    }
}

static void async_function_is_left_at_its_deadline(void)
{
    for (size_t i = 0; i < MODULES; i++) {
        loaded_t loaded = load(modules[i]);
        kernel_result_t *result = call(loaded, "wait", "{}");

        CHECK_EQ(kernel_result_status(result), KERNEL_E_TIMEOUT);
        kernel_result_free(result);
        kernel_free(loaded.kernel);
    }
}

TESTS(TEST(every_function_is_there), TEST(default_of_a_later_parameter_is_found),
      TEST(sixteen_arguments_arrive_in_order), TEST(choice_that_is_not_listed_is_refused),
      TEST(failure_brings_its_text), TEST(bytes_and_json_come_back_as_they_went),
      TEST(async_function_is_left_at_its_deadline))
