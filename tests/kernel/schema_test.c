/* The JSON Schema that models and people are shown. */
#include "schema.h"

#include <string.h>

#include "alloc.h"
#include "support/check.h"

static const char *const colours[] = {"red", "gr\"een", NULL};
static const char *const sizes[] = {"1", "10", NULL};

/* A parameter's schema is as wanted, and the whole is JSON. */
static void check_schema(const kp_param *param, const char *wanted)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__signature_t signature;

    CHECK_EQ(kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, param, 1,
                                    sizeof(*param), "f", &error),
             KERNEL_OK);
    CHECK_STR(signature.parameters[0].schema, wanted);
    CHECK_EQ(sk_json_scan(signature.schema, strlen(signature.schema), NULL, NULL, NULL),
             SK_JSON_OK);
    kernel__signature_free(&signature);
}

static void members_stand_in_one_order(void)
{
    static const struct {
        kp_param param;
        const char *schema;
    } cases[] = {
        {{.name = "x", .type = KP_INTEGER}, "{\"type\":\"integer\"}"},
        {{.name = "x", .type = KP_BOOLEAN, .description = ""}, "{\"type\":\"boolean\"}"},
        {{.name = "x", .type = KP_OBJECT, .description = "An \"object\"\n"},
         "{\"type\":\"object\",\"description\":\"An \\\"object\\\"\\n\"}"},
        {{.name = "x",
          .type = KP_STRING,
          .description = "A colour",
          .dflt = "\"red\"",
          .choices = colours,
          .schema = "{ \"x-order\" : 1 }"},
         "{\"type\":\"string\",\"description\":\"A colour\",\"enum\":[\"red\",\"gr\\\"een\"],"
         "\"default\":\"red\",\"x-order\":1}"},
        {{.name = "x", .type = KP_NUMBER, .choices = sizes},
         "{\"type\":\"number\",\"enum\":[1.0,10.0]}"},
        {{.name = "x", .type = KP_INTEGER, .dflt = "10", .choices = sizes},
         "{\"type\":\"integer\",\"enum\":[1,10],\"default\":10}"},
        {{.name = "x", .type = KP_BYTES, .dflt = "\"AAE=\"", .schema = "{\"maxLength\":9}"},
         "{\"type\":\"string\",\"default\":\"AAE=\",\"contentEncoding\":\"base64\","
         "\"maxLength\":9}"},
        {{.name = "x", .type = KP_ARRAY, .schema = "{\"items\":{\"type\":\"string\"}}"},
         "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_schema(&cases[i].param, cases[i].schema);
    }
}

static void authors_own_member_replaces_the_one_made(void)
{
    static const struct {
        kp_param param;
        const char *schema;
    } cases[] = {
        {{.name = "x",
          .type = KP_INTEGER,
          .description = "old",
          .schema = "{\"description\":\"new\",\"minimum\":0}"},
         "{\"type\":\"integer\",\"description\":\"new\",\"minimum\":0}"},
        {{.name = "x", .type = KP_STRING, .schema = "{\"type\":[\"string\",\"null\"]}"},
         "{\"type\":[\"string\",\"null\"]}"},
        {{.name = "x", .type = KP_STRING, .schema = "{\"typ\\u0065\":\"string\"}"},
         "{\"typ\\u0065\":\"string\"}"},
        {{.name = "x", .type = KP_STRING, .schema = "{}"}, "{\"type\":\"string\"}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_schema(&cases[i].param, cases[i].schema);
    }
}

static void default_of_a_secret_is_not_shown(void)
{
    kp_param param = {.name = "x", .type = KP_STRING, .dflt = "\"hush\"", .flags = KP_SECRET};

    check_schema(&param, "{\"type\":\"string\"}");
}

static void whole_names_what_is_required_and_hides_what_is_hidden(void)
{
    static const kp_param params[] = {
        {.name = "a", .type = KP_INTEGER},
        {.name = "session", .type = KP_STRING, .flags = KP_HIDDEN},
        {.name = "b", .type = KP_INTEGER, .dflt = "1"},
        {.name = "c", .type = KP_STRING, .flags = KP_OPTIONAL},
        {.name = "d", .type = KP_STRING},
    };
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__signature_t signature;

    CHECK_EQ(kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, params, 5,
                                    sizeof(params[0]), "f", &error),
             KERNEL_OK);
    CHECK_STR(signature.schema,
              "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
              "\"b\":{\"type\":\"integer\",\"default\":1},\"c\":{\"type\":\"string\"},"
              "\"d\":{\"type\":\"string\"}},\"required\":[\"a\",\"d\"],"
              "\"additionalProperties\":false}");
    kernel__signature_free(&signature);
}

static void result_has_a_schema_too(void)
{
    static const struct {
        uint32_t type;
        const char *description;
        const char *schema;
        const char *wanted; /* NULL: refused */
        const char *error;
    } cases[] = {
        {KP_NULL, NULL, NULL, "{}", ""},
        {KP_NULL, "", NULL, "{}", ""},
        {KP_INTEGER, NULL, NULL, "{\"type\":\"integer\"}", ""},
        {KP_BYTES, NULL, NULL, "{\"type\":\"string\",\"contentEncoding\":\"base64\"}", ""},
        {KP_OBJECT, "The sum", "{\"properties\":{\"a\":{}}}",
         "{\"type\":\"object\",\"description\":\"The sum\",\"properties\":{\"a\":{}}}", ""},
        {KP_NULL, NULL, "{\"type\":[\"string\",\"null\"]}", "{\"type\":[\"string\",\"null\"]}", ""},
        {8, NULL, NULL, NULL, "f: its result has the unknown type 8"},
        {KP_STRING, "\xFF", NULL, NULL, "f: the description of its result is not valid UTF-8"},
        {KP_STRING, NULL, "{", NULL, "f: the schema text of its result is not JSON"},
        {KP_STRING, NULL, "3", NULL, "f: the schema text of its result is not a JSON object"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_error_t error = KERNEL_ERROR_INIT;
        char *schema = kernel__signature_returns_schema(cases[i].type, cases[i].description,
                                                        cases[i].schema, "f", &error);

        CHECK_STR_CONTAINS(error.text, cases[i].error);
        CHECK((schema == NULL) == (cases[i].wanted == NULL));
        if (schema != NULL) {
            CHECK_STR(schema, cases[i].wanted);
        } else {
            CHECK_EQ(error.status, KERNEL_E_INVALID);
        }
        sk_free(schema);
    }
}

TESTS(TEST(members_stand_in_one_order), TEST(authors_own_member_replaces_the_one_made),
      TEST(default_of_a_secret_is_not_shown),
      TEST(whole_names_what_is_required_and_hides_what_is_hidden), TEST(result_has_a_schema_too))
