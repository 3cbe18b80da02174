/* Values become values of another type without loss, or are refused. */
#include "coerce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "support/check.h"

/* One parameter of a type, with schema text, ready to coerce for. */
typedef struct fixture {
    kernel__signature_t signature;
    kernel__arena_t arena;
    kernel_error_t error;
    kernel__coercion_t coercion;
} fixture_t;

static void fixture_init(fixture_t *f, uint32_t type, const char *schema)
{
    kp_param param = {.name = "x", .type = type, .schema = schema};

    memset(f, 0, sizeof(*f));
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel__signature_make(&f->signature, KERNEL__SIGNATURE_FUNCTION, &param, 1,
                                    sizeof(param), "f", &f->error),
             KERNEL_OK);
    kernel__arena_init(&f->arena, NULL, 0);
    f->coercion = (kernel__coercion_t){
        .subject = "f",
        .what = "argument",
        .arena = &f->arena,
        .error = &f->error,
        .is_valid = true,
    };
}

static void fixture_fini(fixture_t *f)
{
    kernel__arena_reset(&f->arena);
    kernel__signature_free(&f->signature);
}

static kernel_status_t coerce_span(fixture_t *f, const char *json, kp_value *out)
{
    sk_json_span_t span;

    CHECK_EQ(sk_json_scan(json, strlen(json), NULL, &span, NULL), SK_JSON_OK);
    return kernel__coerce_span(&f->coercion, f->signature.parameters, &span, out);
}

/* The same value by way of kernel_args_t. */
static kernel_status_t coerce_arg(fixture_t *f, const char *json, kp_value *out)
{
    kernel_args_t *args = kernel_args_new();
    kernel_status_t status = KERNEL_OK;

    kernel_args_set_json(args, "x", json);
    status = kernel_args_status(args, &f->error);
    if (status == KERNEL_OK) {
        f->coercion.copy = true;
        status = kernel__coerce_value(&f->coercion, f->signature.parameters,
                                      &kernel__args_find(args, "x")->value, out);
    }
    kernel_args_free(args);
    return status;
}

static kernel_status_t coerce_text(fixture_t *f, const char *text, kp_value *out)
{
    return kernel__coerce_text(&f->coercion, f->signature.parameters, text, strlen(text), out);
}

/* A value is of the parameter's type and prints as wanted; NULL: it was refused. */
static void check_value(const fixture_t *f, kernel_status_t status, const kp_value *value,
                        const char *wanted, const char *given)
{
    sk_buffer_t printed = SK_BUFFER_INIT;

    if (wanted == NULL) {
        if (status != KERNEL_E_INVALID) {
            check_fail(__FILE__, __LINE__, "%s was not refused", given);
        }
        CHECK(f->error.text[0] != '\0');
        return;
    }
    if (status != KERNEL_OK) {
        check_fail(__FILE__, __LINE__, "%s: %s", given, f->error.text);
    }
    CHECK_EQ(value->type, f->signature.parameters[0].type);
    kernel__value_write_json(&printed, value);
    CHECK_STR(sk_buffer_text(&printed), wanted);
    if (value->type >= KP_STRING) {
        CHECK_EQ(value->as.text.ptr[value->as.text.len], '\0');
    }
    sk_buffer_fini(&printed);
}

static void json_is_converted_alike_directly_and_as_an_argument(void)
{
    static const struct {
        uint32_t type;
        const char *json;
        const char *value; /* as JSON; NULL: refused */
    } cases[] = {
        {KP_BOOLEAN, "true", "true"},
        {KP_BOOLEAN, "\"true\"", "true"},
        {KP_BOOLEAN, "\"False\"", "false"},
        {KP_BOOLEAN, "\"yes\"", NULL},
        {KP_BOOLEAN, "\"\"", NULL},
        {KP_BOOLEAN, "1", NULL},
        {KP_BOOLEAN, "\"1\"", NULL},
        {KP_BOOLEAN, "[]", NULL},
        {KP_INTEGER, "5", "5"},
        {KP_INTEGER, "5.0", "5"},
        {KP_INTEGER, "-0.0", "0"},
        {KP_INTEGER, "50e-1", "5"},
        {KP_INTEGER, "\"5\"", "5"},
        {KP_INTEGER, "\"\\u0035\"", "5"},
        {KP_INTEGER, "\"5.0\"", "5"},
        {KP_INTEGER, "9223372036854775807", "9223372036854775807"},
        {KP_INTEGER, "-9223372036854775808", "-9223372036854775808"},
        {KP_INTEGER, "\"-9223372036854775808\"", "-9223372036854775808"},
        {KP_INTEGER, "9007199254740993", "9007199254740993"},
        {KP_INTEGER, "9007199254740993.0", "9007199254740993"},
        {KP_INTEGER, "1e18", "1000000000000000000"},
        {KP_INTEGER, "9223372036854775808", NULL},
        {KP_INTEGER, "-9223372036854775809", NULL},
        {KP_INTEGER, "\"9223372036854775808\"", NULL},
        {KP_INTEGER, "1e19", NULL},
        {KP_INTEGER, "5.5", NULL},
        {KP_INTEGER, "\"5.5\"", NULL},
        {KP_INTEGER, "\" 5\"", NULL},
        {KP_INTEGER, "\"+5\"", NULL},
        {KP_INTEGER, "\"05\"", NULL},
        {KP_INTEGER, "\"0x5\"", NULL},
        {KP_INTEGER, "\"\"", NULL},
        {KP_INTEGER, "\"five\"", NULL},
        {KP_INTEGER, "false", NULL},
        {KP_INTEGER, "{}", NULL},
        {KP_NUMBER, "0.1", "0.1"},
        {KP_NUMBER, "5", "5.0"},
        {KP_NUMBER, "\"5\"", "5.0"},
        {KP_NUMBER, "\"1e-3\"", "0.001"},
        {KP_NUMBER, "9007199254740992", "9.007199254740992e15"},
        {KP_NUMBER, "9007199254740993", NULL},
        {KP_NUMBER, "-9007199254740993", NULL},
        {KP_NUMBER, "9223372036854775807", NULL},
        {KP_NUMBER, "-9223372036854775808", "-9.223372036854776e18"},
        {KP_NUMBER, "18446744073709551616", "1.8446744073709552e19"},
        {KP_NUMBER, "18446744073709551617", NULL},
        {KP_NUMBER, "1e300", "1e300"},
        {KP_INTEGER, "9007199254740.00000000000000000001", NULL},
        {KP_NUMBER, "9007199254740.00000000000000000001", NULL},
        {KP_NUMBER, "1e-400", NULL},
        {KP_NUMBER, "1e-320", "1e-320"},
        {KP_NUMBER, "0.1000000000000000055", "0.1"},
        {KP_NUMBER, "\"NaN\"", NULL},
        {KP_NUMBER, "\"Infinity\"", NULL},
        {KP_NUMBER, "\"1,5\"", NULL},
        {KP_NUMBER, "true", NULL},
        {KP_STRING, "\"a\\tb\"", "\"a\\tb\""},
        {KP_STRING, "\"\"", "\"\""},
        {KP_STRING, "5", "\"5\""},
        {KP_STRING, "-9223372036854775808", "\"-9223372036854775808\""},
        {KP_STRING, "5.0", "\"5.0\""},
        {KP_STRING, "0.1", "\"0.1\""},
        {KP_STRING, "true", "\"true\""},
        {KP_STRING, "[\"a\"]", NULL},
        {KP_STRING, "{\"a\":1}", NULL},
        {KP_OBJECT, "{ \"a\" : 1.50 }", "{\"a\":1.50}"},
        {KP_OBJECT, "\"{ \\\"a\\\" : [ ] }\"", "{\"a\":[]}"},
        {KP_OBJECT, "[]", NULL},
        {KP_OBJECT, "\"[]\"", NULL},
        {KP_OBJECT, "\"text\"", NULL},
        {KP_OBJECT, "\"{\\\"a\\\":1,\\\"a\\\":2}\"", NULL},
        {KP_OBJECT, "5", NULL},
        {KP_ARRAY, "[ 1, 12345678901234567890 ]", "[1,12345678901234567890]"},
        {KP_ARRAY, "\"[1]\"", "[1]"},
        {KP_ARRAY, "{}", NULL},
        {KP_BYTES, "\"AAE=\"", "\"AAE=\""},
        {KP_BYTES, "\"AAE\"", "\"AAE=\""},
        {KP_BYTES, "\"\\u0041AE=\"", "\"AAE=\""},
        {KP_BYTES, "\"\"", "\"\""},
        {KP_BYTES, "\"AA E=\"", NULL},
        {KP_BYTES, "\"A\"", NULL},
        {KP_BYTES, "\"\xC3\xA4\"", NULL},
        {KP_BYTES, "5", NULL},
        {KP_BYTES, "[0]", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_value value = {.type = KP_NULL};
        fixture_t f;

        fixture_init(&f, cases[i].type, NULL);
        check_value(&f, coerce_span(&f, cases[i].json, &value), &value, cases[i].value,
                    cases[i].json);
        f.error = (kernel_error_t)KERNEL_ERROR_INIT;
        check_value(&f, coerce_arg(&f, cases[i].json, &value), &value, cases[i].value,
                    cases[i].json);
        fixture_fini(&f);
    }
}

static void text_of_the_environment_is_read_by_the_declared_type(void)
{
    static const struct {
        uint32_t type;
        const char *text;
        const char *value; /* as JSON; NULL: refused */
    } cases[] = {
        {KP_STRING, "5", "\"5\""},
        {KP_STRING, "\"quoted\"", "\"\\\"quoted\\\"\""},
        {KP_STRING, "null", "\"null\""},
        {KP_STRING, "a\xFF", NULL},
        {KP_BYTES, "AAE=", "\"AAE=\""},
        {KP_BYTES, "?", NULL},
        {KP_BOOLEAN, "true", "true"},
        {KP_BOOLEAN, "FALSE", "false"},
        {KP_BOOLEAN, "1", "true"},
        {KP_BOOLEAN, "0", "false"},
        {KP_BOOLEAN, "on", NULL},
        {KP_BOOLEAN, "2", NULL},
        {KP_INTEGER, "42", "42"},
        {KP_INTEGER, " 42 ", "42"},
        {KP_INTEGER, "\"42\"", "42"},
        {KP_INTEGER, "4.5", NULL},
        {KP_INTEGER, "null", NULL},
        {KP_INTEGER, "abc", NULL},
        {KP_NUMBER, "0.5", "0.5"},
        {KP_NUMBER, "0,5", NULL},
        {KP_OBJECT, "{ \"a\": 1 }", "{\"a\":1}"},
        {KP_OBJECT, "{a:1}", NULL},
        {KP_OBJECT, "null", NULL},
        {KP_ARRAY, "[1, 2]", "[1,2]"},
        {KP_ARRAY, "1,2", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_value value = {.type = KP_NULL};
        fixture_t f;

        fixture_init(&f, cases[i].type, NULL);
        check_value(&f, coerce_text(&f, cases[i].text, &value), &value, cases[i].value,
                    cases[i].text);
        fixture_fini(&f);
    }
}

static void typed_numbers_that_may_have_lost_digits_are_refused(void)
{
    static const struct {
        double given;
        const char *text; /* NULL: taken */
    } cases[] = {
        {5.0, NULL},
        {-9007199254740991.0, NULL},
        {9007199254740992.0,
         "was given the number 9.007199254740992e15, from 2^53 on, where a number "
         "has lost digits"},
        {1e300, "where a number has lost digits"},
        {0.5, "f: argument 'x' must be an integer, was given the number 0.5"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_value given = {.type = KP_NUMBER, .as.number = cases[i].given};
        kp_value value = {.type = KP_NULL};
        fixture_t f;

        fixture_init(&f, KP_INTEGER, NULL);
        CHECK_EQ(kernel__coerce_value(&f.coercion, f.signature.parameters, &given, &value),
                 cases[i].text == NULL ? KERNEL_OK : KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(f.error.text, cases[i].text != NULL ? cases[i].text : "");
        fixture_fini(&f);
    }
}

static void bounds_are_enforced(void)
{
    static const struct {
        uint32_t type;
        const char *schema;
        const char *json;
        const char *text; /* NULL: taken */
    } cases[] = {
        {KP_INTEGER, "{\"minimum\":1}", "1", NULL},
        {KP_INTEGER, "{\"minimum\":1}", "0", "must be at least 1, was given the integer 0"},
        {KP_INTEGER, "{\"exclusiveMinimum\":1}", "1", "must be at least 2"},
        {KP_INTEGER, "{\"minimum\":5,\"exclusiveMinimum\":1}", "4", "must be at least 5"},
        {KP_INTEGER, "{\"minimum\":0.5}", "0", "must be at least 1"},
        {KP_INTEGER, "{\"maximum\":-0.5}", "0", "must be at most -1"},
        {KP_INTEGER, "{\"maximum\":9007199254740993}", "9007199254740994",
         "must be at most 9007199254740993"},
        {KP_INTEGER, "{\"maximum\":9007199254740993}", "9007199254740993", NULL},
        {KP_INTEGER, "{\"maximum\":1e30,\"minimum\":-1e30}", "9223372036854775807", NULL},
        {KP_INTEGER, "{\"maximum\":10}", "\"11\"", "must be at most 10"},
        {KP_NUMBER, "{\"minimum\":0.1}", "0.1", NULL},
        {KP_NUMBER, "{\"minimum\":0.1}", "0.09", "must be at least 0.1, was given the number 0.09"},
        {KP_NUMBER, "{\"exclusiveMinimum\":0}", "0", "must be greater than 0.0"},
        {KP_NUMBER, "{\"exclusiveMinimum\":0,\"minimum\":0}", "0", "must be greater than 0.0"},
        {KP_NUMBER, "{\"exclusiveMaximum\":1}", "1", "must be less than 1.0"},
        {KP_NUMBER, "{\"maximum\":1,\"exclusiveMaximum\":2}", "1.5", "must be at most 1.0"},
        {KP_STRING, "{\"minLength\":2}", "\"\xC3\xA4\"", "has 1 characters, must have at least 2"},
        {KP_STRING, "{\"maxLength\":2}", "\"\xC3\xA4\\u00f6\"", NULL},
        {KP_STRING, "{\"maxLength\":2}", "\"abc\"", "has 3 characters, may have at most 2"},
        {KP_STRING, "{\"minimum\":3,\"pattern\":\"^a\"}", "\"b\"", NULL},
        {KP_BYTES, "{\"maxLength\":1}", "\"AAE=\"", "has 2 bytes, may have at most 1"},
        {KP_ARRAY, "{\"minItems\":1}", "[ ]", "has 0 elements, must have at least 1"},
        {KP_ARRAY, "{\"maxItems\":2}", "[[1,2],{\"a\":[3,4]}]", NULL},
        {KP_ARRAY, "{\"maxItems\":2}", "[1,2,3]", "has 3 elements, may have at most 2"},
        {KP_OBJECT, "{\"maxItems\":0,\"minimum\":9}", "{\"a\":1}", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_value value = {.type = KP_NULL};
        fixture_t f;

        fixture_init(&f, cases[i].type, cases[i].schema);
        CHECK_EQ(coerce_span(&f, cases[i].json, &value),
                 cases[i].text == NULL ? KERNEL_OK : KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(f.error.text, cases[i].text != NULL ? cases[i].text : "");
        fixture_fini(&f);
    }
}

static void long_values_are_quoted_short(void)
{
    char json[2000];
    kp_value value = {.type = KP_NULL};
    fixture_t f;

    memset(json, 'y', sizeof(json));
    json[0] = '"';
    memcpy(json + sizeof(json) - 2, "\"", 2);
    fixture_init(&f, KP_INTEGER, NULL);
    CHECK_EQ(coerce_span(&f, json, &value), KERNEL_E_INVALID);
    CHECK(strlen(f.error.text) < 160);
    CHECK_STR_CONTAINS(f.error.text, "yyy...'");
    fixture_fini(&f);
}

static void source_of_a_value_is_named(void)
{
    kp_value value = {.type = KP_NULL};
    fixture_t f;

    fixture_init(&f, KP_INTEGER, NULL);
    f.coercion.source = "LIMIT in the environment";
    CHECK_EQ(coerce_text(&f, "abc", &value), KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "f: argument 'x' (LIMIT in the environment) must be an integer, was "
                            "given the string 'abc'");
    fixture_fini(&f);
}

static void many_choices_and_names_fit_into_the_text(void)
{
    static const char *choices[200];
    static char words[200][32];
    kp_param params[64];
    char names[64][32];
    kernel__signature_t signature;
    kp_value value = {.type = KP_NULL};
    fixture_t f;

    for (int i = 0; i < 199; i++) {
        snprintf(words[i], sizeof(words[i]), "choice_%d", i);
        choices[i] = words[i];
    }
    memset(params, 0, sizeof(params));
    for (int i = 0; i < 64; i++) {
        snprintf(names[i], sizeof(names[i]), "a_parameter_of_many_%d", i);
        params[i] = (kp_param){.name = names[i], .type = KP_STRING, .choices = choices};
    }
    fixture_init(&f, KP_STRING, NULL);
    CHECK_EQ(kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, params, 64,
                                    sizeof(params[0]), "f", &f.error),
             KERNEL_OK);
    value = kp_of_string("chioce_7");
    CHECK_EQ(kernel__coerce_check(&f.coercion, &signature.parameters[0], &value), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(f.error.text, "did you mean 'choice_7'? legal: choice_0, choice_1, ");
    CHECK_STR_CONTAINS(f.error.text, ", ...");
    f.error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel__coerce_refuse_name(&f.coercion, &signature, "b", 1), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(f.error.text, "legal: a_parameter_of_many_0, ");
    CHECK_STR_CONTAINS(f.error.text, ", ...");
    kernel__signature_free(&signature);
    fixture_fini(&f);
}

TESTS(TEST(json_is_converted_alike_directly_and_as_an_argument),
      TEST(text_of_the_environment_is_read_by_the_declared_type),
      TEST(typed_numbers_that_may_have_lost_digits_are_refused), TEST(bounds_are_enforced),
      TEST(long_values_are_quoted_short), TEST(source_of_a_value_is_named),
      TEST(many_choices_and_names_fit_into_the_text))
