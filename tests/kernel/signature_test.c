/* Which descriptors of parameters the kernel takes, and what it makes of them. */
#include "signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "support/check.h"
#include "support/fail_alloc.h"

#define KEEP_ERROR                                                                                 \
    kernel_error_t error = KERNEL_ERROR_INIT;                                                      \
    kernel__signature_t signature

static kernel_status_t make(kernel__signature_t *signature, kernel__signature_kind_t kind,
                            const kp_param *params, size_t count, kernel_error_t *error)
{
    return kernel__signature_make(signature, kind, params, count, sizeof(*params),
                                  "function 'f' of plugin 'p'", error);
}

static const char *const colours[] = {"red", "green", NULL};
static const char *const sizes[] = {"1", "10", NULL};
static const char *const words_for_sizes[] = {"1", "ten", NULL};
static const char *const no_choices[] = {NULL};

static void parameters_are_copied_ready_for_binding(void)
{
    char name[] = "colour";
    char dflt[] = "\"green\"";
    char description[] = "Of the wall";
    kp_param params[] = {
        {.name = name,
         .type = KP_STRING,
         .description = description,
         .dflt = dflt,
         .choices = colours},
        {.name = "a_name_that_is_rather_long", .type = KP_INTEGER, .flags = KP_SECRET},
        {.name = "maybe", .type = KP_OBJECT, .flags = KP_OPTIONAL},
    };
    KEEP_ERROR;

    CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, params, 3, &error), KERNEL_OK);
    memset(name, 'x', sizeof(name) - 1);
    memset(dflt, 'x', sizeof(dflt) - 1);
    memset(description, 'x', sizeof(description) - 1);
    CHECK_EQ(signature.count, 3);
    CHECK(signature.has_secrets);
    CHECK_STR(signature.parameters[0].name, "colour");
    CHECK_STR(signature.parameters[0].description, "Of the wall");
    CHECK_STR(signature.parameters[0].dflt_text, "\"green\"");
    CHECK_EQ(signature.parameters[0].dflt.type, KP_STRING);
    CHECK_STR(signature.parameters[0].dflt.as.text.ptr, "green");
    CHECK_EQ(signature.parameters[0].choice_count, 2);
    CHECK_STR(signature.parameters[0].choices[1], "green");
    CHECK(signature.parameters[0].choices[2] == NULL);
    CHECK(!signature.parameters[0].is_required);
    CHECK(signature.parameters[1].is_required);
    CHECK_STR(signature.parameters[1].description, "");
    CHECK(signature.parameters[1].is_simple);
    CHECK(!signature.parameters[2].is_required);
    CHECK_EQ(signature.parameters[2].dflt.type, KP_NULL);
    kernel__signature_free(&signature);
}

static void no_parameters_are_fine(void)
{
    KEEP_ERROR;

    CHECK_EQ(
        kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, NULL, 0, 0, "f", &error),
        KERNEL_OK);
    CHECK_STR(signature.schema, "{\"type\":\"object\",\"properties\":{},\"required\":[],"
                                "\"additionalProperties\":false}");
    kernel__signature_free(&signature);
}

static void defaults_become_values_of_their_type(void)
{
    static const struct {
        uint32_t type;
        const char *dflt;
        const char *text; /* as it is shown */
    } cases[] = {
        {KP_BOOLEAN, "true", "true"},
        {KP_INTEGER, " 9223372036854775807 ", "9223372036854775807"},
        {KP_INTEGER, "5.0", "5"},
        {KP_NUMBER, "5", "5.0"},
        {KP_NUMBER, "1e-3", "0.001"},
        {KP_STRING, "\"\\u00e9\"", "\"\xC3\xA9\""},
        {KP_OBJECT, "{ \"a\" : 1 }", "{\"a\":1}"},
        {KP_ARRAY, "[ ]", "[]"},
        {KP_BYTES, "\"AAE=\"", "\"AAE=\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_param param = {.name = "x", .type = cases[i].type, .dflt = cases[i].dflt};
        KEEP_ERROR;

        CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, &param, 1, &error), KERNEL_OK);
        CHECK_EQ(signature.parameters[0].dflt.type, cases[i].type);
        CHECK_STR(signature.parameters[0].dflt_text, cases[i].text);
        CHECK(!signature.parameters[0].is_required);
        kernel__signature_free(&signature);
    }
}

static void default_of_null_makes_it_optional(void)
{
    kp_param param = {.name = "x", .type = KP_STRING, .dflt = "null"};
    KEEP_ERROR;

    CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, &param, 1, &error), KERNEL_OK);
    CHECK(!signature.parameters[0].is_required);
    CHECK_EQ(signature.parameters[0].dflt.type, KP_NULL);
    CHECK(signature.parameters[0].dflt_text == NULL);
    kernel__signature_free(&signature);
}

static void broken_descriptor_is_refused_with_its_fault(void)
{
    static const struct {
        kp_param param;
        const char *text;
    } cases[] = {
        {{.name = NULL, .type = KP_STRING}, "the parameter name is missing (parameter 1)"},
        {{.name = "", .type = KP_STRING}, "the parameter name is empty"},
        {{.name = "a-b", .type = KP_STRING}, "the parameter name 'a-b' is not valid at byte 1"},
        {{.name = "a__b", .type = KP_STRING}, "two underscores in a row"},
        {{.name = "x", .type = KP_NULL}, "parameter 'x' has the unknown type 0"},
        {{.name = "x", .type = 8}, "parameter 'x' has the unknown type 8"},
        {{.name = "x", .type = KP_STRING, .env = "X"},
         "parameter 'x' has .env = \"X\": only configuration is read from the environment"},
        {{.name = "x", .type = KP_STRING, .description = "abc\xFF"},
         "has a description that is not valid UTF-8 at byte 3"},
        {{.name = "x", .type = KP_STRING, .dflt = "hello"},
         "has the default hello, which is not JSON: expected a value at byte 0, found 'h'; a "
         "string "
         "needs its quotes: .dflt = \"\\\"text\\\"\""},
        {{.name = "x", .type = KP_INTEGER, .dflt = ""}, "has the default , which is not JSON"},
        {{.name = "x", .type = KP_INTEGER, .dflt = "5 6"},
         "has the default 5 6, which is not JSON"},
        {{.name = "x", .type = KP_INTEGER, .dflt = "\"5\""},
         "has the default \"5\", which is not a JSON number"},
        {{.name = "x", .type = KP_INTEGER, .dflt = "5.5"},
         "the default of parameter 'x' must be an integer, was given the number 5.5"},
        {{.name = "x", .type = KP_INTEGER, .dflt = "9223372036854775808"},
         "must be an integer of 64 bits"},
        {{.name = "x", .type = KP_NUMBER, .dflt = "9007199254740993"}, "has more digits"},
        {{.name = "x", .type = KP_BOOLEAN, .dflt = "1"}, "which is not true or false"},
        {{.name = "x", .type = KP_OBJECT, .dflt = "[]"}, "which is not a JSON object"},
        {{.name = "x", .type = KP_ARRAY, .dflt = "{}"}, "which is not a JSON array"},
        {{.name = "x", .type = KP_BYTES, .dflt = "\"?\""}, "must be bytes in base64"},
        {{.name = "x", .type = KP_STRING, .dflt = "\"blue\"", .choices = colours},
         "the default of parameter 'x' is none of its choices, was given the string 'blue'; legal: "
         "red, green"},
        {{.name = "x", .type = KP_INTEGER, .dflt = "-1", .schema = "{\"minimum\":0}"},
         "the default of parameter 'x' must be at least 0, was given the integer -1"},
        {{.name = "x", .type = KP_INTEGER, .choices = words_for_sizes},
         "a choice of parameter 'x' must be an integer, was given the string 'ten'"},
        {{.name = "x", .type = KP_INTEGER, .choices = sizes, .schema = "{\"maximum\":9}"},
         "a choice of parameter 'x' must be at most 9, was given the integer 10"},
        {{.name = "x", .type = KP_STRING, .choices = no_choices}, "has an empty list of choices"},
        {{.name = "x", .type = KP_BOOLEAN, .choices = colours},
         "has choices, which only strings, integers and numbers can have"},
        {{.name = "x", .type = KP_STRING, .schema = "minimum"},
         "has schema text that is not JSON: expected a value at byte 0"},
        {{.name = "x", .type = KP_STRING, .schema = ""}, "has schema text that is not JSON"},
        {{.name = "x", .type = KP_STRING, .schema = "[]"},
         "has schema text that is not a JSON object but array"},
        {{.name = "x", .type = KP_STRING, .schema = "{\"a\":1,\"a\":2}"},
         "has schema text that is not JSON"},
        {{.name = "x", .type = KP_INTEGER, .schema = "{\"minimum\":\"0\"}"},
         "has a schema whose \"minimum\" is not a number"},
        {{.name = "x", .type = KP_INTEGER, .schema = "{\"exclusiveMinimum\":true}"},
         "has a schema whose \"exclusiveMinimum\" is not a number"},
        {{.name = "x", .type = KP_INTEGER, .schema = "{\"minimum\":2,\"maximum\":1}"},
         "has a schema whose bounds let no value through"},
        {{.name = "x", .type = KP_INTEGER, .schema = "{\"minimum\":0.2,\"maximum\":0.8}"},
         "has a schema whose bounds let no value through"},
        {{.name = "x", .type = KP_INTEGER, .schema = "{\"minimum\":1e30}"},
         "has the impossible bound \"minimum\""},
        {{.name = "x", .type = KP_INTEGER, .schema = "{\"exclusiveMaximum\":-9223372036854775808}"},
         "has the impossible bound \"exclusiveMaximum\""},
        {{.name = "x", .type = KP_NUMBER, .schema = "{\"minimum\":1,\"exclusiveMaximum\":1}"},
         "has a schema whose bounds let no value through"},
        {{.name = "x", .type = KP_STRING, .schema = "{\"minLength\":-1}"},
         "has a schema whose \"minLength\" is not a whole number from 0 on"},
        {{.name = "x", .type = KP_STRING, .schema = "{\"maxLength\":1.5}"},
         "has a schema whose \"maxLength\" is not a whole number from 0 on"},
        {{.name = "x", .type = KP_ARRAY, .schema = "{\"minItems\":3,\"maxItems\":2}"},
         "has a schema whose bounds let no value through"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        KEEP_ERROR;

        CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, &cases[i].param, 1, &error),
                 KERNEL_E_INVALID);
        CHECK_EQ(error.status, KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(error.text, cases[i].text);
        CHECK(strncmp(error.text, "function 'f' of plugin 'p': ", 28) == 0);
        CHECK_EQ(signature.count, 0);
        kernel__signature_free(&signature);
    }
}

static void configuration_names_its_variables(void)
{
    static const struct {
        kp_param param;
        const char *text; /* NULL: taken */
    } cases[] = {
        {{.name = "x", .type = KP_STRING, .env = "ONE"}, NULL},
        {{.name = "x", .type = KP_STRING, .env = "ONE|_two|T3"}, NULL},
        {{.name = "x", .type = KP_STRING, .env = ""}, NULL},
        {{.name = "x", .type = KP_STRING, .env = "ONE|"}, "expected names of variables"},
        {{.name = "x", .type = KP_STRING, .env = "|ONE"}, "expected names of variables"},
        {{.name = "x", .type = KP_STRING, .env = "A||B"}, "expected names of variables"},
        {{.name = "x", .type = KP_STRING, .env = "3X"}, "expected names of variables"},
        {{.name = "x", .type = KP_STRING, .env = "A=B"}, "has .env = \"A=B\": expected names"},
        {{.name = "x", .type = KP_STRING, .flags = KP_HIDDEN}, "is KP_HIDDEN"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        KEEP_ERROR;
        kernel_status_t status =
            make(&signature, KERNEL__SIGNATURE_CONFIG, &cases[i].param, 1, &error);

        CHECK_EQ(status, cases[i].text == NULL ? KERNEL_OK : KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(error.text, cases[i].text != NULL ? cases[i].text : "");
        kernel__signature_free(&signature);
    }
}

static void equal_names_are_refused(void)
{
    kp_param params[] = {{.name = "a", .type = KP_STRING}, {.name = "a", .type = KP_INTEGER}};
    KEEP_ERROR;

    CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, params, 2, &error), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "two parameters are named 'a'");
}

static void number_of_parameters_is_limited(void)
{
    kp_param params[65];
    char names[65][16];
    KEEP_ERROR;

    memset(params, 0, sizeof(params));
    for (int i = 0; i < 65; i++) {
        snprintf(names[i], sizeof(names[i]), "p%d", i);
        params[i].name = names[i];
        params[i].type = KP_INTEGER;
    }
    CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, params, 64, &error), KERNEL_OK);
    CHECK_EQ(signature.count, 64);
    kernel__signature_free(&signature);
    CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, params, 65, &error), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "there are 65 parameters, at most 64 are allowed");
}

static void records_are_walked_by_their_stride(void)
{
    /* A later header's record: whatever was appended is passed over. */
    typedef struct later {
        kp_param param;
        const char *more;
        uint32_t even_more[3];
    } later_t;
    later_t params[] = {
        {{.name = "a", .type = KP_INTEGER}, "x", {1, 2, 3}},
        {{.name = "b", .type = KP_STRING}, "y", {1, 2, 3}},
    };
    KEEP_ERROR;

    CHECK_EQ(kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, &params[0].param, 2,
                                    sizeof(later_t), "f", &error),
             KERNEL_OK);
    CHECK_STR(signature.parameters[1].name, "b");
    CHECK_EQ(signature.parameters[1].type, KP_STRING);
    kernel__signature_free(&signature);
}

static void records_smaller_than_the_first_ones_are_refused(void)
{
    kp_param param = {.name = "a", .type = KP_INTEGER};
    KEEP_ERROR;

    CHECK_EQ(
        kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, &param, 1, 56, "f", &error),
        KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "have 56 bytes, expected at least 64");
    error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, NULL, 1, sizeof(param),
                                    "f", &error),
             KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "no records");
}

static void signature_may_be_moved(void)
{
    kp_param param = {.name = "a", .type = KP_STRING, .dflt = "\"x\""};
    kernel__signature_t moved;
    KEEP_ERROR;

    CHECK_EQ(make(&signature, KERNEL__SIGNATURE_FUNCTION, &param, 1, &error), KERNEL_OK);
    moved = signature;
    memset(&signature, 0xA5, sizeof(signature));
    CHECK_STR(moved.parameters[0].name, "a");
    kernel__signature_free(&moved);
}

static void make_and_free(void)
{
    static const kp_param params[] = {
        {.name = "a", .type = KP_STRING, .description = "A", .dflt = "\"x\\n\"", .env = "A|B"},
        {.name = "b", .type = KP_INTEGER, .choices = sizes, .schema = "{\"minimum\":1}"},
        {.name = "c", .type = KP_BYTES, .dflt = "\"AAE=\""},
        {.name = "d", .type = KP_OBJECT, .dflt = "{\"a\":1}"},
    };
    KEEP_ERROR;
    kernel_status_t status = make(&signature, KERNEL__SIGNATURE_CONFIG, params, 4, &error);
    char *returns = NULL;

    CHECK_EQ(status, fail_alloc_happened() ? KERNEL_E_NO_MEMORY : KERNEL_OK);
    CHECK_EQ(error.status, status);
    kernel__signature_free(&signature);
    returns =
        kernel__signature_returns_schema(KP_OBJECT, "What", "{\"properties\":{}}", "f", &error);
    CHECK((returns == NULL) == (error.status == KERNEL_E_NO_MEMORY) || status != KERNEL_OK);
    sk_free(returns);
}

static void any_allocation_may_fail(void)
{
    static const sk_allocator_t allocator = {fail_alloc_malloc, fail_alloc_realloc,
                                             fail_alloc_free};

    sk_set_allocator(&allocator);
    fail_alloc_each(make_and_free);
}

TESTS(TEST(parameters_are_copied_ready_for_binding), TEST(no_parameters_are_fine),
      TEST(defaults_become_values_of_their_type), TEST(default_of_null_makes_it_optional),
      TEST(broken_descriptor_is_refused_with_its_fault), TEST(configuration_names_its_variables),
      TEST(equal_names_are_refused), TEST(number_of_parameters_is_limited),
      TEST(records_are_walked_by_their_stride),
      TEST(records_smaller_than_the_first_ones_are_refused), TEST(signature_may_be_moved),
      TEST(any_allocation_may_fail))
