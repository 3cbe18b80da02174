/*
 * broken.c - one type for each mistake in a descriptor, named after it.
 */
#include <kernel/plugin.h>

static int invoke(kp_call *call)
{
    return kp_return_null(call);
}

#define FUNCTION_AS_IS(...)                                                                        \
    (const kp_function *const[])                                                                   \
    {                                                                                              \
        &(const kp_function){__VA_ARGS__}, NULL                                                    \
    }
/* clang-format off */
#define WELL .size = sizeof(kp_function), .param_stride = sizeof(kp_param), .invoke = invoke
/* clang-format on */
#define FUNCTION(...) FUNCTION_AS_IS(WELL, __VA_ARGS__)
#define ONE_PARAMETER(...)                                                                         \
    FUNCTION(.name = "run", .params = (const kp_param[]){{__VA_ARGS__}}, .param_count = 1)
#define TYPE_DESCRIBED(name_, ...)                                                                 \
    static const kp_plugin name_ = {                                                               \
        .size = sizeof(kp_plugin), .name = #name_, .version = "1.0.0", .description = __VA_ARGS__}
#define TYPE(name_, ...) TYPE_DESCRIBED(name_, "Broken on purpose.", __VA_ARGS__)

/* ---- functions ---- */

TYPE(same_functions,
     .functions = (const kp_function *const[]){&(const kp_function){WELL, .name = "run"},
                                               &(const kp_function){WELL, .name = "run"}, NULL});
TYPE(dash_in_function, .functions = FUNCTION(.name = "do-it"));
TYPE(underscores_in_function, .functions = FUNCTION(.name = "do__it"));
TYPE(nameless_function, .functions = FUNCTION(.name = NULL));
TYPE(empty_function_name, .functions = FUNCTION(.name = ""));
/* 59 bytes: with a short instance name it fits, with the type's own it does not. */
TYPE(long_function_name,
     .functions = FUNCTION(.name = "a23456789_123456789_123456789_123456789_123456789_123456789"));
TYPE(small_function,
     .functions = FUNCTION_AS_IS(.size = 40, .name = "run", .param_stride = sizeof(kp_param),
                                 .invoke = invoke));
TYPE(function_without_code, .functions = FUNCTION_AS_IS(.size = sizeof(kp_function), .name = "run",
                                                        .param_stride = sizeof(kp_param)));
TYPE(unknown_result_type, .functions = FUNCTION(.name = "run", .returns = 99));
TYPE(result_schema_not_json,
     .functions = FUNCTION(.name = "run", .returns = KP_OBJECT, .returns_schema = "{\"type\":"));

/* ---- parameters ---- */

TYPE(nameless_parameter, .functions = ONE_PARAMETER(.name = NULL, .type = KP_INTEGER));
TYPE(blank_in_parameter, .functions = ONE_PARAMETER(.name = "a b", .type = KP_INTEGER));
TYPE(unknown_parameter_type, .functions = ONE_PARAMETER(.name = "a", .type = 99));
TYPE(default_not_json, .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER, .dflt = "[1"));
TYPE(default_of_another_type,
     .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER, .dflt = "\"one\""));
TYPE(default_not_a_choice,
     .functions = ONE_PARAMETER(.name = "a", .type = KP_STRING, .dflt = "\"c\"",
                                .choices = (const char *const[]){"a", "b", NULL}));
TYPE(choice_of_another_type,
     .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER,
                                .choices = (const char *const[]){"1", "two", NULL}));
TYPE(schema_not_json,
     .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER, .schema = "{minimum: 1"));
TYPE(schema_not_an_object,
     .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER, .schema = "[1]"));
TYPE(impossible_bounds, .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER,
                                                   .schema = "{\"minimum\":2,\"maximum\":1}"));
TYPE(environment_for_parameter,
     .functions = ONE_PARAMETER(.name = "a", .type = KP_INTEGER, .env = "BROKEN_A"));
TYPE(same_parameters,
     .functions = FUNCTION(.name = "run", .param_count = 2,
                           .params = (const kp_param[]){{.name = "a", .type = KP_INTEGER},
                                                        {.name = "a", .type = KP_STRING}}));
TYPE(small_stride,
     .functions = FUNCTION_AS_IS(.size = sizeof(kp_function), .name = "run", .invoke = invoke,
                                 .param_count = 1, .param_stride = 32,
                                 .params = (const kp_param[]){{.name = "a", .type = KP_INTEGER}}));

#define P(n)                                                                                       \
    {                                                                                              \
        .name = "p" #n, .type = KP_INTEGER, .dflt = "0"                                            \
    }
#define P8(n) P(n##0), P(n##1), P(n##2), P(n##3), P(n##4), P(n##5), P(n##6), P(n##7)
static const kp_param many[] = {P8(1), P8(2), P8(3), P8(4), P8(5), P8(6), P8(7), P8(8), P(90)};
TYPE(too_many_parameters, .functions = FUNCTION(.name = "run", .params = many, .param_count = 65));
TYPE_DESCRIBED(most_parameters, "Not broken: as many parameters as there may be.",
               .functions = FUNCTION(.name = "run", .params = many, .param_count = 64));

/* ---- configuration and life ---- */

TYPE(configuration_default_not_json,
     .config = (const kp_param[]){{.name = "a", .type = KP_INTEGER, .dflt = "1x"}},
     .config_count = 1, .config_stride = sizeof(kp_param));

static int create_fails_create(kp_instance *instance)
{
    kp_log(instance, KP_LOG_ERROR, "nobody is signed in");
    return KP_E_AUTH;
}

/* After a failed create() nothing is destroyed. */
static void create_fails_destroy(kp_instance *instance)
{
    kp_log(instance, KP_LOG_ERROR, "destroyed what was never made");
}

TYPE(create_fails, .functions = FUNCTION(.name = "run"), .create = create_fails_create,
     .destroy = create_fails_destroy);

static int create_pending_create(kp_instance *instance)
{
    (void)instance;
    return KP_PENDING;
}

TYPE(create_pending, .functions = FUNCTION(.name = "run"), .create = create_pending_create);
TYPE_DESCRIBED(without_functions, "Not broken: services have none, either.");

KP_MODULE(&same_functions, &dash_in_function, &underscores_in_function, &nameless_function,
          &empty_function_name, &long_function_name, &small_function, &function_without_code,
          &unknown_result_type, &result_schema_not_json, &nameless_parameter, &blank_in_parameter,
          &unknown_parameter_type, &default_not_json, &default_of_another_type,
          &default_not_a_choice, &choice_of_another_type, &schema_not_json, &schema_not_an_object,
          &impossible_bounds, &environment_for_parameter, &same_parameters, &small_stride,
          &too_many_parameters, &most_parameters, &configuration_default_not_json, &create_fails,
          &create_pending, &without_functions);
