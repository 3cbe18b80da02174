/* Arguments by name become one checked value per parameter, in three forms alike. */
#include "bind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "args.h"
#include "support/check.h"
#include "support/fail_alloc.h"

#define MOST 64

/* A signature and all that binding needs. */
typedef struct fixture {
    kernel__signature_t signature;
    kernel__limits_t limits;
    kernel__arena_t arena;
    kp_value argv[MOST];
    kernel_error_t error;
    kernel__binding_t binding;
} fixture_t;

static void fixture_init(fixture_t *f, const kp_param *params, size_t count)
{
    memset(f, 0, sizeof(*f));
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel__signature_make(&f->signature, KERNEL__SIGNATURE_FUNCTION, params, count,
                                    sizeof(*params), "f", &f->error),
             KERNEL_OK);
    f->limits = (kernel__limits_t){.argument_size = 1000, .json_size = 2000, .json_depth = 8};
    kernel__arena_init(&f->arena, NULL, 0);
    f->binding = (kernel__binding_t){
        .signature = &f->signature,
        .subject = "py-run",
        .limits = &f->limits,
        .arena = &f->arena,
        .argv = f->argv,
        .error = &f->error,
    };
}

static void fixture_fini(fixture_t *f)
{
    kernel__arena_reset(&f->arena);
    kernel__signature_free(&f->signature);
}

static kernel_status_t bind_json(fixture_t *f, const char *json)
{
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    return kernel__bind_json(&f->binding, json, json != NULL ? strlen(json) : 0);
}

/* The same through kernel_args_t. */
static kernel_status_t bind_args(fixture_t *f, const kernel_args_t *args)
{
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    return kernel__bind_args(&f->binding, args);
}

static kernel_status_t bind_named(fixture_t *f, const kp_named *named, size_t count)
{
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    return kernel__bind_named(&f->binding, named, count);
}

/* code, required; timeout with a default and bounds; mode with choices; extra, optional. */
static const char *const modes[] = {"fast", "careful", NULL};
static const kp_param run_params[] = {
    {.name = "code", .type = KP_STRING, .description = "Python"},
    {.name = "timeout", .type = KP_INTEGER, .dflt = "30", .schema = "{\"minimum\":1}"},
    {.name = "mode", .type = KP_STRING, .dflt = "\"fast\"", .choices = modes},
    {.name = "extra", .type = KP_OBJECT, .flags = KP_OPTIONAL},
};

static void check_run(const fixture_t *f, int64_t timeout, const char *mode)
{
    CHECK_EQ(f->argv[0].type, KP_STRING);
    CHECK_STR(f->argv[0].as.text.ptr, "print(1)");
    CHECK_EQ(f->argv[0].as.text.len, 8);
    CHECK_EQ(f->argv[1].type, KP_INTEGER);
    CHECK_EQ(f->argv[1].as.integer, timeout);
    CHECK_STR(f->argv[2].as.text.ptr, mode);
    CHECK_EQ(f->argv[3].type, KP_NULL);
}

static void all_forms_fill_what_is_absent_from_defaults(void)
{
    kernel_args_t *args = kernel_args_new();
    kp_named named[] = {{"mode", kp_of_string("careful")}, {"code", kp_of_string("print(1)")}};
    fixture_t f;

    fixture_init(&f, run_params, 4);
    kernel_args_set_string(args, "code", "print(1)");
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    check_run(&f, 30, "fast");
    CHECK_EQ(bind_named(&f, named, 2), KERNEL_OK);
    check_run(&f, 30, "careful");
    CHECK_EQ(bind_json(&f, "{\"timeout\": 5, \"code\": \"print(1)\"}"), KERNEL_OK);
    check_run(&f, 5, "fast");
    kernel_args_free(args);
    fixture_fini(&f);
}

static void null_is_the_same_as_absent(void)
{
    kernel_args_t *args = kernel_args_new();
    kp_named named[] = {{"code", kp_of_string("print(1)")},
                        {"timeout", {.type = KP_NULL}},
                        {"extra", {.type = KP_NULL}},
                        {"mode", kp_of_string(NULL)}};
    fixture_t f;

    fixture_init(&f, run_params, 4);
    kernel_args_set_null(args, "timeout");
    kernel_args_set_string(args, "code", "print(1)");
    kernel_args_set_null(args, "extra");
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    check_run(&f, 30, "fast");
    CHECK_EQ(bind_named(&f, named, 4), KERNEL_OK);
    check_run(&f, 30, "fast");
    CHECK_EQ(bind_json(&f, "{\"code\":\"print(1)\",\"timeout\":null,\"extra\":null}"), KERNEL_OK);
    check_run(&f, 30, "fast");
    CHECK_EQ(bind_json(&f, "{\"code\":null}"), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "py-run: missing argument 'code' (string)");
    kernel_args_free(args);
    fixture_fini(&f);
}

static void escaped_name_is_the_same_name(void)
{
    fixture_t f;

    fixture_init(&f, run_params, 4);
    CHECK_EQ(bind_json(&f, "{\"c\\u006fde\":\"print\\u00281)\"}"), KERNEL_OK);
    check_run(&f, 30, "fast");
    fixture_fini(&f);
}

static void argument_that_does_not_fit_is_refused_with_what_would(void)
{
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"{}", "py-run: missing argument 'code' (string)"},
        {NULL, "py-run: missing argument 'code' (string)"},
        {"", "py-run: missing argument 'code' (string)"},
        {" \n\t ", "py-run: missing argument 'code' (string)"},
        {"{\"cod\":\"x\"}",
         "py-run: unknown argument 'cod'; did you mean 'code'? legal: code, timeout, mode, extra"},
        {"{\"Code\":\"x\"}", "unknown argument 'Code'; did you mean 'code'? legal: code"},
        {"{\"nothing_like_it\":1}",
         "py-run: unknown argument 'nothing_like_it'; legal: code, timeout, mode, extra"},
        {"{\"code\":\"x\",\"\":1}", "unknown argument ''; legal: "},
        {"{\"code\":\"x\",\"co\\nde\":1}", "py-run: unknown argument 'co\\nde'; did you mean"},
        {"{\"code\":[1]}", "py-run: argument 'code' must be a string, was given the array [1]"},
        {"{\"code\":{\"a\": 1}}", "must be a string, was given the object {\"a\": 1}"},
        {"{\"code\":\"x\",\"timeout\":\"soon\"}",
         "py-run: argument 'timeout' must be an integer, was given the string 'soon'"},
        {"{\"code\":\"x\",\"timeout\":5.5}",
         "argument 'timeout' must be an integer, was given the number 5.5"},
        {"{\"code\":\"x\",\"timeout\":\"5.5\"}", "must be an integer, was given the number 5.5"},
        {"{\"code\":\"x\",\"timeout\":9223372036854775808}",
         "must be an integer of 64 bits, but the number 9223372036854775808 is outside "
         "-9223372036854775808 to 9223372036854775807"},
        {"{\"code\":\"x\",\"timeout\":true}", "must be an integer, was given the boolean true"},
        {"{\"code\":\"x\",\"timeout\":0}",
         "py-run: argument 'timeout' must be at least 1, was given the integer 0"},
        {"{\"code\":\"x\",\"mode\":\"fats\"}", "py-run: argument 'mode' is none of its choices, "
                                               "was given the string 'fats'; did you mean "
                                               "'fast'? legal: fast, careful"},
        {"{\"code\":\"x\",\"mode\":\"Fast\"}", "did you mean 'fast'? legal: fast, careful"},
        {"{\"code\":\"x\",\"extra\":[]}", "'extra' must be a JSON object, was given the array []"},
        {"{\"code\":\"x\",\"extra\":\"[]\"}",
         "'extra' must be a JSON object, was given the JSON []"},
        {"{\"code\":\"x\",\"extra\":\"{\"}", "'extra' must be a JSON object, is not JSON: "},
        {"[1]", "py-run: the arguments must be a JSON object, found array"},
        {"null", "py-run: the arguments must be a JSON object, found null"},
        {"{\"code\":}", "py-run: the arguments are not valid JSON: expected a value at byte 8"},
        {"{\"code\":\"x\"}}", "py-run: the arguments are not valid JSON"},
        {"{\"code\":\"x\",\"code\":\"y\"}", "py-run: the arguments are not valid JSON"},
        {"{\"code\":\"a\\u0000b\"}", "py-run: the arguments are not valid JSON"},
        {"{\"code\":\"\xFF\"}", "py-run: the arguments are not valid JSON"},
        {"{\"code\":\"\\ud800\"}", "py-run: the arguments are not valid JSON"},
        {"{\"code\":\"x\",\"timeout\":NaN}", "py-run: the arguments are not valid JSON"},
        {"{\"code\":\"x\",\"timeout\":1e400}", "py-run: the arguments are not valid JSON"},
    };
    fixture_t f;

    fixture_init(&f, run_params, 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(bind_json(&f, cases[i].json), KERNEL_E_INVALID);
        CHECK_EQ(f.error.status, KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(f.error.text, cases[i].text);
    }
    fixture_fini(&f);
}

static void all_missing_ones_are_named_at_once(void)
{
    static const kp_param params[] = {{.name = "a", .type = KP_INTEGER},
                                      {.name = "b", .type = KP_BYTES},
                                      {.name = "c", .type = KP_NUMBER, .dflt = "1"}};
    fixture_t f;

    fixture_init(&f, params, 3);
    CHECK_EQ(bind_args(&f, NULL), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "py-run: missing arguments 'a' (integer), 'b' (bytes)");
    fixture_fini(&f);
}

static void function_without_parameters_takes_none(void)
{
    fixture_t f;

    fixture_init(&f, run_params, 0);
    CHECK_EQ(bind_args(&f, NULL), KERNEL_OK);
    CHECK_EQ(bind_json(&f, NULL), KERNEL_OK);
    CHECK_EQ(bind_json(&f, "{}"), KERNEL_OK);
    CHECK_EQ(bind_named(&f, NULL, 0), KERNEL_OK);
    CHECK_EQ(bind_json(&f, "{\"a\":1}"), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "py-run: unknown argument 'a'; there are none to give");
    fixture_fini(&f);
}

static void failed_setter_is_reported_by_the_call(void)
{
    kernel_args_t *args = kernel_args_new();
    fixture_t f;

    fixture_init(&f, run_params, 4);
    kernel_args_set_string(args, "code", "ab\xC3");
    CHECK_EQ(bind_args(&f, args), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "py-run: cannot set argument 'code': not valid UTF-8 at byte 2");
    kernel_args_free(args);
    fixture_fini(&f);
}

static void records_of_a_plugin_are_not_trusted(void)
{
    static const struct {
        kp_named named[2];
        size_t count;
        const char *text;
    } cases[] = {
        {{{NULL, {.type = KP_INTEGER}}}, 1, "py-run: unknown argument ''; legal: code"},
        {{{"code", {.type = KP_STRING, .as.text = {"ab\xFF", 3}}}},
         1,
         "py-run: argument 'code' is not valid UTF-8 at byte 2"},
        {{{"code", {.type = KP_STRING, .as.text = {"a\0b", 3}}}},
         1,
         "py-run: argument 'code' has U+0000 at byte 1: only bytes may"},
        {{{"code", {.type = 9}}}, 1, "'code' was given a value of the unknown type 9"},
        {{{"timeout", {.type = KP_NUMBER, .as.number = (double)NAN}}}, 1, "must be finite"},
        {{{"extra", {.type = KP_OBJECT, .as.text = {"{\"a\":}", 6}}}},
         1,
         "'extra' must be a JSON object, is not JSON: expected a value"},
        {{{"extra", {.type = KP_OBJECT, .as.text = {"[1]", 3}}}},
         1,
         "'extra' must be a JSON object, was given the JSON [1]"},
        {{{"code", {.type = KP_BYTES, .as.text = {"a", 1}}}},
         1,
         "'code' must be a string, was given bytes (1 of them)"},
        {{{"timeout", {.type = KP_INTEGER, .as.integer = 5}},
          {"timeout", {.type = KP_INTEGER, .as.integer = 6}}},
         2,
         "py-run: argument 'timeout' is given twice"},
    };
    fixture_t f;

    fixture_init(&f, run_params, 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(bind_named(&f, cases[i].named, cases[i].count), KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(f.error.text, cases[i].text);
    }
    fixture_fini(&f);
}

static void records_need_no_nul_and_are_copied(void)
{
    char text[] = {'a', 'b'};
    char json[] = "{ \"a\" : [ ] }x";
    kp_named named[] = {{"code", kp_of_text(KP_STRING, text, 2)},
                        {"extra", kp_of_text(KP_OBJECT, json, 13)}};
    fixture_t f;

    fixture_init(&f, run_params, 4);
    CHECK_EQ(bind_named(&f, named, 2), KERNEL_OK);
    memset(text, 'x', sizeof(text));
    CHECK_STR(f.argv[0].as.text.ptr, "ab");
    CHECK_STR(f.argv[3].as.text.ptr, "{\"a\":[]}");
    fixture_fini(&f);
}

static void texts_are_borrowed_unless_a_copy_is_asked_for(void)
{
    kernel_args_t *args = kernel_args_new();
    fixture_t f;

    fixture_init(&f, run_params, 4);
    kernel_args_set_string(args, "code", "print(1)");
    kernel_args_set_json(args, "extra", "{}");
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    CHECK(f.argv[0].as.text.ptr == kernel_args_text(args, "code", NULL));
    CHECK(f.argv[3].as.text.ptr == kernel_args_text(args, "extra", NULL));
    f.binding.copy = true;
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    kernel_args_free(args);
    CHECK_STR(f.argv[0].as.text.ptr, "print(1)");
    CHECK_STR(f.argv[3].as.text.ptr, "{}");
    fixture_fini(&f);
}

static void hidden_parameters_come_from_the_context_alone(void)
{
    static const kp_param params[] = {
        {.name = "code", .type = KP_STRING},
        {.name = "session", .type = KP_STRING, .flags = KP_HIDDEN},
        {.name = "user", .type = KP_INTEGER, .flags = KP_HIDDEN | KP_OPTIONAL},
        {.name = "tries", .type = KP_INTEGER, .flags = KP_HIDDEN, .dflt = "3"},
    };
    kernel_args_t *context = kernel_args_new();
    fixture_t f;

    fixture_init(&f, params, 4);
    kernel_args_set_string(context, "session", "s1");
    kernel_args_set_string(context, "user", "42");
    kernel_args_set_string(context, "traceparent", "ignored");
    f.binding.context = context;
    CHECK_EQ(bind_json(&f, "{\"code\":\"x\"}"), KERNEL_OK);
    CHECK_STR(f.argv[1].as.text.ptr, "s1");
    CHECK_EQ(f.argv[2].as.integer, 42);
    CHECK_EQ(f.argv[3].as.integer, 3);

    CHECK_EQ(bind_json(&f, "{\"code\":\"x\",\"session\":\"mine\"}"), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "py-run: argument 'session' comes from the invocation's context, it "
                            "cannot be given");
    CHECK_EQ(bind_json(&f, "{\"sessions\":1}"), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "py-run: unknown argument 'sessions'; legal: code");

    f.binding.context = NULL;
    CHECK_EQ(bind_json(&f, "{\"code\":\"x\"}"), KERNEL_E_INVALID);
    CHECK_STR(f.error.text,
              "py-run: missing argument 'session' (string, from the invocation's context)");
    kernel_args_set_string(context, "user", "somebody");
    f.binding.context = context;
    CHECK_EQ(bind_json(&f, "{\"code\":\"x\"}"), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(f.error.text, "argument 'user' must be an integer");
    kernel_args_free(context);
    fixture_fini(&f);
}

static void secret_values_stay_out_of_errors(void)
{
    static const kp_param params[] = {
        {.name = "key", .type = KP_STRING, .flags = KP_SECRET, .choices = modes},
        {.name = "pin", .type = KP_INTEGER, .flags = KP_SECRET, .schema = "{\"maximum\":9999}"},
        {.name = "blob", .type = KP_BYTES, .flags = KP_SECRET},
        {.name = "bag", .type = KP_OBJECT, .flags = KP_SECRET},
        {.name = "share", .type = KP_NUMBER, .flags = KP_SECRET, .schema = "{\"minimum\":1}"},
    };
    static const char *const cases[] = {
        "{\"key\":\"hunter2\"}",
        "{\"key\":[\"hunter2\"]}",
        "{\"pin\":\"hunter2\"}",
        "{\"pin\":77777.5}",
        "{\"pin\":77777777777777777777}",
        "{\"pin\":77777}",
        "{\"blob\":\"hunter2!\"}",
        "{\"bag\":\"hunter2\"}",
        "{\"bag\":\"[77777]\"}",
        "{\"share\":\"hunter2\"}",
        "{\"share\":0.77777}",
        "{\"share\":777777777777777777}",
        "{\"share\":hunter2}",
    };
    fixture_t f;

    fixture_init(&f, params, 5);
    CHECK(f.signature.has_secrets);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(bind_json(&f, cases[i]), KERNEL_E_INVALID);
        CHECK(f.error.text[0] != '\0');
        CHECK(strstr(f.error.text, "hunter") == NULL);
        CHECK(strstr(f.error.text, "'h'") == NULL);
        CHECK(strstr(f.error.text, "7777") == NULL);
    }
    fixture_fini(&f);
}

static void limits_are_named(void)
{
    char json[3000];
    char text[1200];
    kernel_args_t *args = kernel_args_new();
    kp_named named[] = {{"code", {.type = KP_STRING}}};
    fixture_t f;

    fixture_init(&f, run_params, 4);
    memset(text, 'x', sizeof(text));
    text[1000] = '\0';
    kernel_args_set_string(args, "code", text);
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    text[1000] = 'x';
    text[1001] = '\0';
    kernel_args_set_string(args, "code", text);
    CHECK_EQ(bind_args(&f, args), KERNEL_E_LIMIT);
    CHECK_STR(f.error.text, "py-run: argument 'code' has 1001 bytes, more than the 1000 that "
                            "max_argument_size allows");
    named[0].value = kp_of_string(text);
    CHECK_EQ(bind_named(&f, named, 1), KERNEL_E_LIMIT);
    snprintf(json, sizeof(json), "{\"code\":\"%s\"}", text);
    CHECK_EQ(bind_json(&f, json), KERNEL_E_LIMIT);
    CHECK_STR_CONTAINS(f.error.text, "max_argument_size");

    memset(json, ' ', sizeof(json));
    json[2001] = '\0';
    memcpy(json, "{}", 2);
    CHECK_EQ(bind_json(&f, json), KERNEL_E_LIMIT);
    CHECK_STR(f.error.text, "py-run: the arguments are not taken: the JSON text has 2001 bytes, at "
                            "most 2000 are allowed (max_json_size)");
    CHECK_EQ(bind_json(&f, "{\"code\":[[[[[[[[1]]]]]]]]}"), KERNEL_E_LIMIT);
    CHECK_STR_CONTAINS(f.error.text, "(max_json_depth)");
    CHECK_EQ(bind_json(&f, "{\"extra\":\"{\\\"a\\\":[[[[[[[[[1]]]]]]]]]}\"}"), KERNEL_E_LIMIT);
    kernel_args_free(args);
    fixture_fini(&f);
}

static void argument_of_a_megabyte_works(void)
{
    size_t size = (size_t)1 << 20;
    char *json = malloc(size + 32);
    fixture_t f;

    fixture_init(&f, run_params, 4);
    f.limits = (kernel__limits_t){
        .argument_size = (size_t)64 << 20, .json_size = (size_t)16 << 20, .json_depth = 64};
    memcpy(json, "{\"code\":\"", 9);
    memset(json + 9, 'x', size);
    memcpy(json + 9 + size, "\"}", 3);
    CHECK_EQ(bind_json(&f, json), KERNEL_OK);
    CHECK_EQ(f.argv[0].as.text.len, size);
    CHECK(memcmp(f.argv[0].as.text.ptr, json + 9, size) == 0);
    free(json);
    fixture_fini(&f);
}

static void json_ten_thousand_deep_is_a_limit(void)
{
    char json[10010];
    fixture_t f;

    fixture_init(&f, run_params, 4);
    f.limits.json_size = 0;
    memset(json, '[', sizeof(json));
    memcpy(json, "{\"extra\":", 9);
    json[sizeof(json) - 1] = '\0';
    CHECK_EQ(bind_json(&f, json), KERNEL_E_LIMIT);
    fixture_fini(&f);
}

static void many_parameters_are_found_in_any_order(void)
{
    kp_param params[MOST];
    char names[MOST][40];
    kernel_args_t *args = kernel_args_new();
    fixture_t f;

    memset(params, 0, sizeof(params));
    for (int i = 0; i < MOST; i++) {
        snprintf(names[i], sizeof(names[i]), i % 2 == 0 ? "p%d" : "a_parameter_of_a_long_name_%d",
                 i);
        params[i].name = names[i];
        params[i].type = KP_INTEGER;
    }
    fixture_init(&f, params, MOST);
    for (int i = MOST - 1; i >= 0; i--) {
        kernel_args_set_integer(args, names[i], i);
    }
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    for (int i = 0; i < MOST; i++) {
        CHECK_EQ(f.argv[i].as.integer, i);
    }
    kernel_args_free(args);
    fixture_fini(&f);
}

static void names_of_one_length_are_told_apart(void)
{
    static const kp_param params[] = {{.name = "fifteen_letter1", .type = KP_INTEGER},
                                      {.name = "fifteen_letter2", .type = KP_INTEGER},
                                      {.name = "sixteen_letters1", .type = KP_INTEGER},
                                      {.name = "sixteen_letters2", .type = KP_INTEGER}};
    kernel_args_t *args = kernel_args_new();
    fixture_t f;

    fixture_init(&f, params, 4);
    for (int i = 0; i < 4; i++) {
        kernel_args_set_integer(args, params[3 - i].name, 3 - i);
    }
    CHECK_EQ(bind_args(&f, args), KERNEL_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(f.argv[i].as.integer, i);
    }
    kernel_args_free(args);
    fixture_fini(&f);
}

static const kp_param mixed_params[] = {
    {.name = "code", .type = KP_STRING},
    {.name = "data", .type = KP_BYTES},
    {.name = "extra", .type = KP_OBJECT},
    {.name = "text", .type = KP_STRING},
};
static fixture_t mixed; /* lives as long as the process */

static void bind_all_forms(void)
{
    static const char *const texts[] = {
        "{\"code\":\"a\\nb\",\"data\":\"AAE=\",\"extra\":{\"a\":1},\"text\":5}",
        "{\"code\":\"plain\",\"data\":\"\\u0041AE=\",\"extra\":\"{\\\"a\\\":1}\",\"text\":true}",
    };
    kernel_args_t *args = kernel_args_new();
    kp_named named[] = {{"code", kp_of_string("x")},
                        {"data", kp_of_text(KP_BYTES, "y", 1)},
                        {"extra", kp_of_text(KP_OBJECT, "{ }", 3)},
                        {"text", kp_of_number(0.5)}};

    kernel_args_set_string(args, "code", "x");
    kernel_args_set_string(args, "data", "AAE=");
    kernel_args_set_string(args, "extra", "{\"a\":[1]}");
    kernel_args_set_integer(args, "text", 12);
    for (int i = args != NULL ? 0 : 1; i < 4; i++) {
        kernel_status_t status = i == 0   ? bind_args(&mixed, args)
                                 : i == 1 ? bind_named(&mixed, named, 4)
                                          : bind_json(&mixed, texts[i - 2]);

        CHECK(status == KERNEL_OK || (status == KERNEL_E_NO_MEMORY && fail_alloc_happened()));
        CHECK_EQ(mixed.error.status, status);
        CHECK(status != KERNEL_OK || mixed.argv[3].type == KP_STRING);
        kernel__arena_reset(&mixed.arena);
    }
    kernel_args_free(args);
}

static void any_allocation_may_fail(void)
{
    static const sk_allocator_t allocator = {fail_alloc_malloc, fail_alloc_realloc,
                                             fail_alloc_free};

    sk_set_allocator(&allocator);
    fixture_init(&mixed, mixed_params, 4);
    mixed.binding.copy = true;
    fail_alloc_each(bind_all_forms);
    fixture_fini(&mixed);
    CHECK_EQ(fail_alloc_live(), 0);
}

TESTS(TEST(all_forms_fill_what_is_absent_from_defaults), TEST(null_is_the_same_as_absent),
      TEST(escaped_name_is_the_same_name),
      TEST(argument_that_does_not_fit_is_refused_with_what_would),
      TEST(all_missing_ones_are_named_at_once), TEST(function_without_parameters_takes_none),
      TEST(failed_setter_is_reported_by_the_call), TEST(records_of_a_plugin_are_not_trusted),
      TEST(records_need_no_nul_and_are_copied), TEST(texts_are_borrowed_unless_a_copy_is_asked_for),
      TEST(hidden_parameters_come_from_the_context_alone), TEST(secret_values_stay_out_of_errors),
      TEST(limits_are_named), TEST(argument_of_a_megabyte_works),
      TEST(json_ten_thousand_deep_is_a_limit), TEST(many_parameters_are_found_in_any_order),
      TEST(names_of_one_length_are_told_apart), TEST(any_allocation_may_fail))
