/* What a host may rely on when it fills arguments. */
#include <kernel/kernel.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"
#include "support/fail_alloc.h"

#define LONG_NAME "a_name_that_is_too_long_to_stand_inside"

static void values_come_back_as_they_were_set(void)
{
    kernel_args_t *args = kernel_args_new();
    size_t size = 0;

    kernel_args_set_string(args, "text", "gr\xC3\xBC\xC3\x9F dich");
    kernel_args_set_integer(args, "smallest", INT64_MIN);
    kernel_args_set_number(args, "number", 0.1);
    kernel_args_set_boolean(args, "yes", true);
    kernel_args_set_null(args, "nothing");
    kernel_args_set_bytes(args, LONG_NAME, "a\0b", 3);
    kernel_args_set_json(args, "object", " { \"a\" : [1, 2] } ");

    CHECK_EQ(kernel_args_status(args, NULL), KERNEL_OK);
    CHECK_EQ(kernel_args_count(args), 7);
    CHECK_STR(kernel_args_text(args, "text", &size), "gr\xC3\xBC\xC3\x9F dich");
    CHECK_EQ(size, 11);
    CHECK(kernel_args_integer(args, "smallest") == INT64_MIN);
    CHECK(kernel_args_number(args, "number") == 0.1);
    CHECK(kernel_args_boolean(args, "yes"));
    CHECK(kernel_args_has(args, "nothing"));
    CHECK_EQ(kernel_args_type(args, "nothing"), KERNEL_TYPE_NULL);
    CHECK_EQ(kernel_args_type(args, LONG_NAME), KERNEL_TYPE_BYTES);
    CHECK(memcmp(kernel_args_text(args, LONG_NAME, &size), "a\0b", 4) == 0);
    CHECK_EQ(size, 3);
    CHECK_EQ(kernel_args_type(args, "object"), KERNEL_TYPE_OBJECT);
    CHECK_STR(kernel_args_text(args, "object", NULL), "{\"a\":[1,2]}");
    kernel_args_free(args);
}

static void questions_of_the_wrong_type_answer_nothing(void)
{
    kernel_args_t *args = kernel_args_new();
    size_t size = 9;

    kernel_args_set_integer(args, "five", 5);
    kernel_args_set_string(args, "text", "7");
    CHECK(kernel_args_number(args, "five") == 5.0);
    CHECK(kernel_args_text(args, "five", &size) == NULL);
    CHECK_EQ(size, 0);
    CHECK(!kernel_args_boolean(args, "five"));
    CHECK_EQ(kernel_args_integer(args, "text"), 0);
    CHECK(kernel_args_number(args, "text") == 0.0);
    CHECK(!kernel_args_has(args, "absent"));
    CHECK_EQ(kernel_args_type(args, "absent"), KERNEL_TYPE_NULL);
    kernel_args_free(args);
}

static void later_value_replaces_the_earlier_one_in_its_place(void)
{
    kernel_args_t *args = kernel_args_new();

    kernel_args_set_string(args, "a", "text");
    kernel_args_set_integer(args, "b", 2);
    kernel_args_set_integer(args, "a", 1);
    CHECK_EQ(kernel_args_count(args), 2);
    CHECK_STR(kernel_args_name_at(args, 0), "a");
    CHECK_EQ(kernel_args_integer(args, "a"), 1);
    kernel_args_free(args);
}

static void own_texts_may_be_set_again(void)
{
    kernel_args_t *args = kernel_args_new();

    kernel_args_set_string(args, LONG_NAME, "the text");
    kernel_args_set_string(args, LONG_NAME, kernel_args_text(args, LONG_NAME, NULL) + 4);
    CHECK_STR(kernel_args_text(args, LONG_NAME, NULL), "text");
    kernel_args_set_string(args, kernel_args_name_at(args, 0), kernel_args_name_at(args, 0));
    CHECK_EQ(kernel_args_count(args), 1);
    CHECK_STR(kernel_args_text(args, LONG_NAME, NULL), LONG_NAME);
    for (int i = 0; i < 20; i++) { /* also while the names move */
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        kernel_args_set_integer(args, name, i);
        kernel_args_set_string(args, kernel_args_name_at(args, 1), "first");
    }
    CHECK_STR(kernel_args_text(args, "n0", NULL), "first");
    kernel_args_free(args);
}

static void many_arguments_keep_order_names_and_values(void)
{
    kernel_args_t *args = kernel_args_new();

    for (int i = 0; i < 100; i++) {
        char name[64];

        snprintf(name, sizeof(name), i % 2 == 0 ? "n%d" : "a_rather_long_name_%d", i);
        kernel_args_set_integer(args, name, i);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(kernel_args_integer(args, kernel_args_name_at(args, (size_t)i)), i);
    }
    CHECK(kernel_args_name_at(args, 100) == NULL);
    kernel_args_unset(args, "n0");
    kernel_args_unset(args, "n50");
    kernel_args_unset(args, "a_rather_long_name_99");
    kernel_args_unset(args, "absent");
    CHECK_EQ(kernel_args_count(args), 97);
    CHECK_STR(kernel_args_name_at(args, 0), "a_rather_long_name_1");
    CHECK_EQ(kernel_args_integer(args, "n98"), 98);
    CHECK_EQ(kernel_args_integer(args, "a_rather_long_name_97"), 97);
    kernel_args_free(args);
}

static void set_nan(kernel_args_t *args)
{
    kernel_args_set_number(args, "x", (double)NAN);
}

static void set_infinity(kernel_args_t *args)
{
    kernel_args_set_number(args, "x", -HUGE_VAL);
}

static void set_bad_text(kernel_args_t *args)
{
    kernel_args_set_string(args, "x", "abc\xFF");
}

static void set_cut_text(kernel_args_t *args)
{
    kernel_args_set_text(args, "x", "\xE2\x82\xAC", 2);
}

static void set_text_with_zero(kernel_args_t *args)
{
    kernel_args_set_text(args, "x", "ab\0c", 4);
}

static void set_text_of_null(kernel_args_t *args)
{
    kernel_args_set_text(args, "x", NULL, 4);
}

static void set_bytes_of_null(kernel_args_t *args)
{
    kernel_args_set_bytes(args, "x", NULL, 4);
}

static void set_without_name(kernel_args_t *args)
{
    kernel_args_set_integer(args, NULL, 1);
}

static void set_empty_name(kernel_args_t *args)
{
    kernel_args_set_string(args, "", "x");
}

static void set_bad_name(kernel_args_t *args)
{
    kernel_args_set_boolean(args, "na\x80me", true);
}

static void set_long_name(kernel_args_t *args)
{
    char name[300];

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    kernel_args_set_null(args, name);
}

static void set_no_json(kernel_args_t *args)
{
    kernel_args_set_json(args, "x", "{\"a\":}");
}

static void set_json_of_null(kernel_args_t *args)
{
    kernel_args_set_json(args, "x", NULL);
}

static void set_json_with_equal_keys(kernel_args_t *args)
{
    kernel_args_set_json(args, "x", "{\"a\":1,\"a\":2}");
}

static void set_json_with_zero(kernel_args_t *args)
{
    kernel_args_set_json(args, "x", "\"a\\u0000b\"");
}

static void set_deep_json(kernel_args_t *args)
{
    char json[10001];

    memset(json, '[', sizeof(json));
    json[sizeof(json) - 1] = '\0';
    kernel_args_set_json(args, "x", json);
}

static void set_json_with_many_digits(kernel_args_t *args)
{
    kernel_args_set_json(args, "x", "9223372036854775809");
}

static void set_too_many(kernel_args_t *args)
{
    for (int i = 0; i <= 4096; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        kernel_args_set_integer(args, name, i);
    }
}

static void first_failure_is_kept_with_its_text(void)
{
    static const struct {
        void (*set)(kernel_args_t *args);
        kernel_status_t status;
        const char *text;
    } cases[] = {
        {set_nan, KERNEL_E_INVALID, "cannot set argument 'x': NaN is not a number of JSON"},
        {set_infinity, KERNEL_E_INVALID, "cannot set argument 'x': an infinity is not a number"},
        {set_bad_text, KERNEL_E_INVALID, "cannot set argument 'x': not valid UTF-8 at byte 3"},
        {set_cut_text, KERNEL_E_INVALID, "cannot set argument 'x': not valid UTF-8 at byte 0"},
        {set_text_with_zero, KERNEL_E_INVALID,
         "cannot set argument 'x': a text cannot hold U+0000, which is at byte 2: set it as bytes"},
        {set_text_of_null, KERNEL_E_INVALID, "cannot set argument 'x': there is no text"},
        {set_bytes_of_null, KERNEL_E_INVALID, "cannot set argument 'x': there are no bytes"},
        {set_without_name, KERNEL_E_INVALID, "its name is missing or empty"},
        {set_empty_name, KERNEL_E_INVALID, "its name is missing or empty"},
        {set_bad_name, KERNEL_E_INVALID,
         "cannot set argument 'na?me': its name is not valid UTF-8 at byte 2"},
        {set_long_name, KERNEL_E_INVALID, "its name has more than 255 bytes"},
        {set_no_json, KERNEL_E_INVALID, "cannot set argument 'x': not valid JSON: expected"},
        {set_json_of_null, KERNEL_E_INVALID, "cannot set argument 'x': there is no JSON text"},
        {set_json_with_equal_keys, KERNEL_E_INVALID, "cannot set argument 'x': not valid JSON"},
        {set_json_with_zero, KERNEL_E_INVALID, "cannot set argument 'x': not valid JSON"},
        {set_deep_json, KERNEL_E_LIMIT, "cannot set argument 'x': JSON is not taken"},
        {set_json_with_many_digits, KERNEL_E_INVALID,
         "cannot set argument 'x': 9223372036854775809 has more digits than a number can keep"},
        {set_too_many, KERNEL_E_LIMIT, "cannot set argument 'n4096': there are 4096 already"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_args_t *args = kernel_args_new();
        kernel_error_t error = KERNEL_ERROR_INIT;

        cases[i].set(args);
        set_nan(args);
        kernel_args_set_integer(args, "after", 1);
        CHECK_EQ(kernel_args_status(args, &error), cases[i].status);
        CHECK_EQ(error.status, cases[i].status);
        CHECK_STR_CONTAINS(error.text, cases[i].text);
        kernel_args_free(args);
    }
}

static void json_values_have_the_type_that_they_look_like(void)
{
    static const struct {
        const char *json;
        kernel_type_t type;
        const char *text;
        int64_t integer;
        double number;
    } cases[] = {
        {"null", KERNEL_TYPE_NULL, NULL, 0, 0},
        {"true", KERNEL_TYPE_BOOLEAN, NULL, 0, 0},
        {"5", KERNEL_TYPE_INTEGER, NULL, 5, 5},
        {"-9223372036854775808", KERNEL_TYPE_INTEGER, NULL, INT64_MIN, -9223372036854775808.0},
        {"9007199254740993", KERNEL_TYPE_INTEGER, NULL, 9007199254740993, 9007199254740992.0},
        {"9007199254740993.0", KERNEL_TYPE_INTEGER, NULL, 9007199254740993, 9007199254740992.0},
        {"5.0", KERNEL_TYPE_NUMBER, NULL, 0, 5},
        {"1e3", KERNEL_TYPE_NUMBER, NULL, 0, 1000},
        {"9223372036854775808", KERNEL_TYPE_NUMBER, NULL, 0, 9223372036854775808.0},
        {"1e300", KERNEL_TYPE_NUMBER, NULL, 0, 1e300},
        {"\"a\\nb\\u00e9\"", KERNEL_TYPE_STRING, "a\nb\xC3\xA9", 0, 0},
        {"\"plain\"", KERNEL_TYPE_STRING, "plain", 0, 0},
        {"\"\"", KERNEL_TYPE_STRING, "", 0, 0},
        {" [ 1 , 2.50 ] ", KERNEL_TYPE_ARRAY, "[1,2.50]", 0, 0},
        {"{ }", KERNEL_TYPE_OBJECT, "{}", 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_args_t *args = kernel_args_new();
        const char *text = NULL;

        kernel_args_set_json(args, "x", cases[i].json);
        CHECK_EQ(kernel_args_status(args, NULL), KERNEL_OK);
        CHECK(kernel_args_has(args, "x"));
        CHECK_EQ(kernel_args_type(args, "x"), cases[i].type);
        CHECK(kernel_args_integer(args, "x") == cases[i].integer);
        CHECK(kernel_args_number(args, "x") == cases[i].number);
        text = kernel_args_text(args, "x", NULL);
        CHECK((text == NULL) == (cases[i].text == NULL));
        if (text != NULL) {
            CHECK_STR(text, cases[i].text);
        }
        kernel_args_free(args);
    }
}

static void object_is_read_member_by_member(void)
{
    static const char json[] =
        "{\"a\":1,\"tex\\u0074\":\"x\",\"none\":null,\"list\":[1],\"" LONG_NAME "\":true}";
    kernel_args_t *args = kernel_args_new();

    kernel_args_set_string(args, "text", "old");
    CHECK_EQ(kernel_args_read_json(args, json, strlen(json), NULL), KERNEL_OK);
    CHECK_EQ(kernel_args_count(args), 5);
    CHECK_STR(kernel_args_text(args, "text", NULL), "x");
    CHECK_EQ(kernel_args_integer(args, "a"), 1);
    CHECK_STR(kernel_args_text(args, "list", NULL), "[1]");
    CHECK(kernel_args_boolean(args, LONG_NAME));
    kernel_args_free(args);
}

static void object_that_is_refused_changes_nothing(void)
{
    static const struct {
        const char *json;
        kernel_status_t status;
        const char *text;
    } cases[] = {
        {"", KERNEL_E_INVALID, "cannot read arguments: not valid JSON"},
        {"[1]", KERNEL_E_INVALID, "cannot read arguments: expected a JSON object, found array"},
        {"null", KERNEL_E_INVALID, "expected a JSON object, found null"},
        {"{\"old\":2,\"b\":}", KERNEL_E_INVALID, "not valid JSON: expected a value at byte 13"},
        {"{\"old\":2} x", KERNEL_E_INVALID, "not valid JSON"},
        {"{\"b\":1,\"b\":2}", KERNEL_E_INVALID, "not valid JSON"},
        {"{\"b\":1,\"\\u0062\":2}", KERNEL_E_INVALID, "not valid JSON"},
        {"{\"old\":2,\"b\":\"\xFF\"}", KERNEL_E_INVALID, "not valid JSON"},
        {"{\"old\":2,\"b\":\"\\u0000\"}", KERNEL_E_INVALID, "not valid JSON"},
        {"{\"old\":2,\"\":3}", KERNEL_E_INVALID, "its name is missing or empty"},
        {"{\"old\":2,\"b\":12345678901234567890123}", KERNEL_E_INVALID,
         "cannot set argument 'b': 12345678901234567890123 has more digits"},
        {"{\"old\":NaN}", KERNEL_E_INVALID, "not valid JSON"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_args_t *args = kernel_args_new();
        kernel_error_t error = KERNEL_ERROR_INIT;

        kernel_args_set_integer(args, "old", 1);
        CHECK_EQ(kernel_args_read_json(args, cases[i].json, strlen(cases[i].json), &error),
                 cases[i].status);
        CHECK_STR_CONTAINS(error.text, cases[i].text);
        CHECK_EQ(kernel_args_count(args), 1);
        CHECK_EQ(kernel_args_integer(args, "old"), 1);
        CHECK_EQ(kernel_args_status(args, NULL), KERNEL_OK);
        kernel_args_free(args);
    }
}

static void json_beyond_a_limit_is_told_from_bad_json(void)
{
    size_t size = ((size_t)16 << 20) + 1;
    char *json = malloc(size);
    kernel_args_t *args = kernel_args_new();
    kernel_error_t error = KERNEL_ERROR_INIT;

    memset(json, ' ', size);
    CHECK_EQ(kernel_args_read_json(args, json, size, &error), KERNEL_E_LIMIT);
    memset(json, '[', 10000);
    memcpy(json, "{\"a\":", 5);
    error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel_args_read_json(args, json, 10000, &error), KERNEL_E_LIMIT);
    CHECK_STR_CONTAINS(error.text, "64");
    kernel_args_free(args);
    free(json);
}

static void text_of_a_megabyte_is_kept(void)
{
    size_t size = (size_t)1 << 20;
    char *text = malloc(size);
    kernel_args_t *args = kernel_args_new();
    size_t got = 0;

    memset(text, 'x', size);
    kernel_args_set_text(args, "code", text, size);
    CHECK(memcmp(kernel_args_text(args, "code", &got), text, size) == 0);
    CHECK_EQ(got, size);
    kernel_args_free(args);
    free(text);
}

static void copy_is_deep_and_knows_the_first_failure(void)
{
    kernel_args_t *args = kernel_args_new();
    kernel_args_t *copy = NULL;
    kernel_error_t error = KERNEL_ERROR_INIT;

    kernel_args_set_string(args, LONG_NAME, "text");
    for (int i = 0; i < 9; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        kernel_args_set_integer(args, name, i);
    }
    set_bad_text(args);
    copy = kernel_args_copy(args);
    kernel_args_free(args);
    CHECK_EQ(kernel_args_count(copy), 10);
    CHECK_STR(kernel_args_text(copy, LONG_NAME, NULL), "text");
    CHECK_EQ(kernel_args_integer(copy, "n8"), 8);
    CHECK_EQ(kernel_args_status(copy, &error), KERNEL_E_INVALID);
    CHECK_STR(error.text, "cannot set argument 'x': not valid UTF-8 at byte 3");
    kernel_args_free(copy);
}

static void null_is_accepted_everywhere(void)
{
    size_t size = 1;

    kernel_args_free(NULL);
    CHECK(kernel_args_copy(NULL) == NULL);
    kernel_args_set_string(NULL, "x", "y");
    kernel_args_set_text(NULL, "x", "y", 1);
    kernel_args_set_integer(NULL, "x", 1);
    kernel_args_set_number(NULL, "x", 1);
    kernel_args_set_boolean(NULL, "x", true);
    kernel_args_set_null(NULL, "x");
    kernel_args_set_bytes(NULL, "x", "y", 1);
    kernel_args_set_json(NULL, "x", "1");
    kernel_args_unset(NULL, "x");
    CHECK_EQ(kernel_args_read_json(NULL, "{}", 2, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_args_status(NULL, NULL), KERNEL_OK);
    CHECK_EQ(kernel_args_count(NULL), 0);
    CHECK(kernel_args_name_at(NULL, 0) == NULL);
    CHECK(!kernel_args_has(NULL, "x"));
    CHECK_EQ(kernel_args_type(NULL, "x"), KERNEL_TYPE_NULL);
    CHECK_EQ(kernel_args_integer(NULL, "x"), 0);
    CHECK(kernel_args_number(NULL, "x") == 0);
    CHECK(!kernel_args_boolean(NULL, "x"));
    CHECK(kernel_args_text(NULL, "x", &size) == NULL);
    CHECK_EQ(size, 0);
}

static void string_of_null_is_null(void)
{
    kernel_args_t *args = kernel_args_new();

    kernel_args_set_string(args, "x", NULL);
    CHECK(kernel_args_has(args, "x"));
    CHECK_EQ(kernel_args_type(args, "x"), KERNEL_TYPE_NULL);
    CHECK(!kernel_args_has(args, NULL));
    CHECK_EQ(kernel_args_status(args, NULL), KERNEL_OK);
    kernel_args_free(args);
}

static void fill(void)
{
    static const char json[] = "{\"read\":\"\\u00e9\",\"" LONG_NAME "\":[1,2],\"last\":5}";
    kernel_args_t *args = kernel_args_new();
    kernel_args_t *copy = NULL;
    bool failed = fail_alloc_happened();

    CHECK((args == NULL) == failed);
    kernel_args_set_string(args, "text", "x");
    kernel_args_set_integer(args, LONG_NAME, 1);
    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        kernel_args_set_integer(args, name, i);
    }
    kernel_args_set_json(args, "object", "{\"a\":[1, 2]}");
    kernel_args_set_json(args, "string", "\"a\\nb\"");
    if (args != NULL) {
        CHECK_EQ(kernel_args_status(args, NULL),
                 fail_alloc_happened() ? KERNEL_E_NO_MEMORY : KERNEL_OK);
        failed = fail_alloc_happened();
        kernel_status_t status = kernel_args_read_json(args, json, strlen(json), NULL);
        CHECK(status == KERNEL_OK || status == KERNEL_E_NO_MEMORY);
        CHECK(status == KERNEL_OK || !kernel_args_has(args, "last"));
        CHECK_EQ(kernel_args_has(args, "read"), kernel_args_has(args, "last"));
    }
    copy = kernel_args_copy(args);
    CHECK(copy == NULL || kernel_args_count(copy) == kernel_args_count(args));
    kernel_args_free(copy);
    set_bad_text(args);
    kernel_args_free(args);
}

static void any_allocation_may_fail(void)
{
    fail_alloc_each(fill);
}

TESTS(TEST(values_come_back_as_they_were_set), TEST(questions_of_the_wrong_type_answer_nothing),
      TEST(later_value_replaces_the_earlier_one_in_its_place), TEST(own_texts_may_be_set_again),
      TEST(many_arguments_keep_order_names_and_values), TEST(first_failure_is_kept_with_its_text),
      TEST(json_values_have_the_type_that_they_look_like), TEST(object_is_read_member_by_member),
      TEST(object_that_is_refused_changes_nothing), TEST(json_beyond_a_limit_is_told_from_bad_json),
      TEST(text_of_a_megabyte_is_kept), TEST(copy_is_deep_and_knows_the_first_failure),
      TEST(null_is_accepted_everywhere), TEST(string_of_null_is_null),
      TEST(any_allocation_may_fail))
