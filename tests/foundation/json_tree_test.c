/* Trees keep what the text says: integers, strings, the last of equal keys. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "alloc.h"
#include "json.h"
#include "locale_of_commas.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static const sk_json_limits_t strict = {SK_JSON_STRICT, 0, 0};
static const sk_json_limits_t reply = {SK_JSON_REPLY, 0, 0};

static cJSON *tree_of(const char *text, const sk_json_limits_t *limits)
{
    sk_json_error_t error;
    cJSON *tree = sk_json_parse(text, strlen(text), limits, &error);

    if (tree == NULL) {
        check_fail(__FILE__, __LINE__, "%s: %s", text, error.text);
    }
    return tree;
}

typedef struct tree_case {
    const char *json;
    const char *wanted;
} tree_case_t;

static const tree_case_t strict_cases[] = {
    {"null", "null"},
    {" true ", "true"},
    {"false", "false"},
    {"\"text\"", "\"text\""},
    {"\"\"", "\"\""},
    {"\"\\u00e4\\n\\ud83d\\ude00\\/\"", "\"\xC3\xA4\\n\xF0\x9F\x98\x80/\""},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[ [ ] , { } , [ [ 1 ] ] ]", "[[],{},[[1]]]"},
    {"{\"a\":{\"b\":[1,{\"c\":null}]},\"\\u0064\":\"e\"}",
     "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}"},
    {"{\"\":{\"\":1}}", "{\"\":{\"\":1}}"},
    {"[0,-1,5.0,50e-1,1e3]", "[0,-1,5,5,1000]"},
    {"[-0,0.1,-2.5e-7,1e300]", "[-0.0,0.1,-2.5e-7,1e300]"},
    {"[2147483648,999999999999999,-999999999999999]",
     "[2147483648,999999999999999,-999999999999999]"},
    {"[1000000000000000,9007199254740991,9007199254740993]",
     "[1000000000000000,9007199254740991,9007199254740993]"},
    {"[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]"},
    {"[9223372036854775808,123456789012345678901234567890]",
     "[9223372036854775808,123456789012345678901234567890]"},
};

static void strict_trees_render_as_what_was_parsed(void)
{
    for (size_t i = 0; i < sizeof(strict_cases) / sizeof(strict_cases[0]); i++) {
        cJSON *tree = tree_of(strict_cases[i].json, &strict);
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_json_write_node(&out, tree);
        CHECK_STR(sk_buffer_text(&out), strict_cases[i].wanted);
        sk_buffer_fini(&out);
        sk_json_delete(tree);
    }
}

static void reply_trees_are_repaired(void)
{
    static const tree_case_t cases[] = {
        {"\"a\xFFz\"", "\"a\xEF\xBF\xBDz\""},
        {"\"a\\u0000b\"", "\"a\xE2\x90\x80"
                          "b\""},
        {"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
        {"\"a\nb\"", "\"a\\nb\""},
        {"{\"a\\u0000\":1,\"\xFF\":2}", "{\"a\xE2\x90\x80\":1,\"\xEF\xBF\xBD\":2}"},
        {"[01,-007,1.,1.e2]", "[1,-7,1,100]"},
        {"[00009007199254740993]", "[9007199254740993]"},
        {"[1e400,-1e400]", "[1e400,-1e400]"},
        {"\xEF\xBB\xBF{}", "{}"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"},
        {"{\"a\":{\"x\":1},\"\\u0061\":[]}", "{\"a\":[]}"},
        {"{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":3}"},
        {"[{\"a\":{\"b\":1,\"b\":2},\"a\":{\"b\":3,\"b\":4}}]", "[{\"a\":{\"b\":4}}]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cJSON *tree = tree_of(cases[i].json, &reply);
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_json_write_node(&out, tree);
        CHECK_STR(sk_buffer_text(&out), cases[i].wanted);
        sk_buffer_fini(&out);
        sk_json_delete(tree);
    }
}

static void the_last_of_equal_keys_wins_among_many(void)
{
    for (int count = 1; count < 60; count++) {
        sk_buffer_t text = SK_BUFFER_INIT;
        cJSON *tree = NULL;
        int64_t value = 0;

        sk_buffer_append_char(&text, '{');
        for (int i = 0; i < 3 * count; i++) {
            sk_buffer_appendf(&text, "%s\"key%d\":%d", i > 0 ? "," : "", i % count, i);
        }
        sk_buffer_append_char(&text, '}');
        tree = tree_of(text.data, &reply);
        CHECK_EQ(cJSON_GetArraySize(tree), count);
        CHECK(sk_json_node_integer(sk_json_get(tree, "key0"), &value));
        CHECK_EQ(value, 2 * count);
        CHECK(sk_json_node_integer(tree->child->prev, &value));
        CHECK_EQ(value, 3 * count - 1);
        sk_buffer_fini(&text);
        sk_json_delete(tree);
    }
}

static void what_the_scan_refuses_has_no_tree(void)
{
    sk_json_error_t error;

    CHECK(sk_json_parse("[1,]", 4, &strict, &error) == NULL);
    CHECK_EQ(error.status, SK_JSON_INVALID);
    CHECK_STR(error.text, "expected a value at byte 3, found ']'");
    CHECK(sk_json_parse("{\"a\":1,\"a\":2}", 13, NULL, NULL) == NULL);
}

static void as_deep_as_the_limit_is_parsed_and_rendered(void)
{
    sk_json_limits_t deep = {SK_JSON_REPLY, 0, 1000};
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t out = SK_BUFFER_INIT;
    cJSON *tree = NULL;

    for (int i = 0; i < 500; i++) {
        sk_buffer_append_text(&text, "[{\"a\":");
    }
    sk_buffer_append_text(&text, "1");
    for (int i = 0; i < 500; i++) {
        sk_buffer_append_text(&text, "}]");
    }
    tree = tree_of(text.data, &deep);
    sk_json_write_node(&out, tree);
    CHECK_STR(sk_buffer_text(&out), text.data);
    sk_buffer_fini(&text);
    sk_buffer_fini(&out);
    sk_json_delete(tree);
}

static void a_tree_built_deeper_than_that_is_not_rendered(void)
{
    sk_buffer_t out = SK_BUFFER_INIT;
    cJSON *tree = cJSON_CreateArray();

    for (int i = 0; i < 1000; i++) {
        cJSON *outer = cJSON_CreateArray();

        CHECK(cJSON_AddItemToArray(outer, tree));
        tree = outer;
    }
    sk_json_write_node(&out, tree);
    CHECK(!out.failed);
    CHECK(cJSON_AddItemToArray(tree->child, cJSON_CreateNull()));
    sk_buffer_clear(&out);
    {
        cJSON *outer = cJSON_CreateArray();

        CHECK(cJSON_AddItemToArray(outer, tree));
        tree = outer;
    }
    sk_json_write_node(&out, tree);
    CHECK(out.failed);
    sk_buffer_fini(&out);
    sk_json_delete(tree);
}

/* ---- reading ---- */

static void members_are_found_by_their_exact_name(void)
{
    cJSON *tree = tree_of("{\"Name\":1,\"name\":2,\"list\":[3]}", &strict);

    CHECK_EQ(sk_json_get(tree, "name")->valueint, 2);
    CHECK_EQ(sk_json_get(tree, "Name")->valueint, 1);
    CHECK(sk_json_get(tree, "NAME") == NULL);
    CHECK(sk_json_get(sk_json_get(tree, "list"), "name") == NULL);
    CHECK(sk_json_get(sk_json_get(tree, "nothing"), "name") == NULL);
    CHECK(sk_json_get(NULL, "name") == NULL);
    sk_json_delete(tree);
    sk_json_delete(NULL);
}

static void only_strings_have_text(void)
{
    cJSON *tree = tree_of("{\"a\":\"x\",\"b\":1,\"c\":null,\"d\":9007199254740993}", &strict);

    CHECK_STR(sk_json_node_text(sk_json_get(tree, "a")), "x");
    CHECK(sk_json_node_text(sk_json_get(tree, "b")) == NULL);
    CHECK(sk_json_node_text(sk_json_get(tree, "c")) == NULL);
    CHECK(sk_json_node_text(sk_json_get(tree, "d")) == NULL);
    CHECK(sk_json_node_text(NULL) == NULL);
    sk_json_delete(tree);
}

typedef struct number_case {
    const char *json;
    bool is_integer;
    int64_t integer;
    bool is_double;
    double value;
} number_case_t;

static void numbers_are_read_without_loss_or_not_at_all(void)
{
    static const number_case_t cases[] = {
        {"5", true, 5, true, 5},
        {"5.0", true, 5, true, 5},
        {"-50e-1", true, -5, true, -5},
        {"5.5", false, 0, true, 5.5},
        {"9007199254740993", true, INT64_C(9007199254740993), true, 9007199254740992.0},
        {"1e17", true, INT64_C(100000000000000000), true, 1e17},
        {"9223372036854775807", true, INT64_MAX, true, 9223372036854775808.0},
        {"-9223372036854775808", true, INT64_MIN, true, -9223372036854775808.0},
        {"9223372036854775808", false, 0, true, 9223372036854775808.0},
        {"1e300", false, 0, true, 1e300},
        {"1e400", false, 0, false, 0},
        {"\"5\"", false, 0, false, 0},
        {"true", false, 0, false, 0},
        {"null", false, 0, false, 0},
        {"[5]", false, 0, false, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cJSON *tree = tree_of(cases[i].json, &reply);
        int64_t integer = 77;
        double value = 77;

        if (sk_json_node_integer(tree, &integer) != cases[i].is_integer ||
            integer != cases[i].integer) {
            check_fail(__FILE__, __LINE__, "%s: %lld", cases[i].json, (long long)integer);
        }
        if (sk_json_node_double(tree, &value) != cases[i].is_double || value != cases[i].value) {
            check_fail(__FILE__, __LINE__, "%s: %a", cases[i].json, value);
        }
        sk_json_delete(tree);
    }
}

static void nodes_made_by_hand_are_read_with_care(void)
{
    cJSON *words = cJSON_CreateRaw("{\"no\":\"number\"}");
    cJSON *beyond = cJSON_CreateNumber(1e17);
    cJSON *infinite = cJSON_CreateNumber((double)INFINITY);
    int64_t integer = 77;
    double value = 77;

    CHECK(!sk_json_node_integer(words, &integer));
    CHECK(!sk_json_node_double(words, &value));
    CHECK(!sk_json_node_integer(beyond, &integer)); /* perhaps rounded: who knows */
    CHECK(!sk_json_node_integer(infinite, &integer));
    CHECK(!sk_json_node_integer(NULL, &integer));
    CHECK(!sk_json_node_double(NULL, &value));
    CHECK_EQ(integer, 0);
    sk_json_delete(words);
    sk_json_delete(beyond);
    sk_json_delete(infinite);
}

static void nodes_made_by_hand_render_as_json(void)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON *invalid = cJSON_CreateNull();
    sk_buffer_t out = SK_BUFFER_INIT;

    invalid->type = cJSON_Invalid;
    CHECK(cJSON_AddItemToObject(tree, "raw", cJSON_CreateRaw("[1, 2]")) != 0);
    CHECK(cJSON_AddItemToObject(tree, "nan", cJSON_CreateNumber((double)NAN)) != 0);
    CHECK(cJSON_AddItemToObject(tree, "bad\xFF", cJSON_CreateString("\xC3\x01")) != 0);
    CHECK(cJSON_AddItemToObject(tree, "invalid", invalid) != 0);
    sk_json_write_node(&out, tree);
    CHECK_STR(sk_buffer_text(&out), "{\"raw\":[1, 2],\"nan\":null,\"bad\xEF\xBF\xBD\":"
                                    "\"\xEF\xBF\xBD\\u0001\",\"invalid\":null}");
    sk_buffer_fini(&out);
    sk_json_delete(tree);
}

static void the_locale_changes_nothing(void)
{
    use_locale_of_commas();
    strict_trees_render_as_what_was_parsed();
    numbers_are_read_without_loss_or_not_at_all();
}

/* ---- memory ---- */

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void parse_and_render(void)
{
    char text[1024] = "{\"list\":[1,\"a\\n\",9007199254740993,null],\"k\":1,\"k\":2";
    size_t size = strlen(text);
    sk_json_error_t error;
    cJSON *tree = NULL;

    for (int i = 0; i < 20; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, ",\"k%d\":{\"a\":%d}", i, i);
    }
    size += (size_t)snprintf(text + size, sizeof(text) - size, "}");
    tree = sk_json_parse(text, size, &reply, &error);
    if (tree == NULL) {
        CHECK(fail_alloc_happened());
        CHECK_EQ(error.status, SK_JSON_NO_MEMORY);
    } else {
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_json_write_node(&out, tree);
        CHECK(out.failed == fail_alloc_happened());
        sk_buffer_fini(&out);
    }
    sk_json_delete(tree);
}

static void any_failing_allocation_is_survived(void)
{
    cJSON_Hooks hooks = {fail_alloc_malloc, fail_alloc_free};

    cJSON_InitHooks(&hooks);
    sk_set_allocator(&counting);
    fail_alloc_each(parse_and_render);
}

TESTS(TEST(strict_trees_render_as_what_was_parsed), TEST(reply_trees_are_repaired),
      TEST(the_last_of_equal_keys_wins_among_many), TEST(what_the_scan_refuses_has_no_tree),
      TEST(as_deep_as_the_limit_is_parsed_and_rendered),
      TEST(a_tree_built_deeper_than_that_is_not_rendered),
      TEST(members_are_found_by_their_exact_name), TEST(only_strings_have_text),
      TEST(numbers_are_read_without_loss_or_not_at_all),
      TEST(nodes_made_by_hand_are_read_with_care), TEST(nodes_made_by_hand_render_as_json),
      TEST(the_locale_changes_nothing), TEST(any_failing_allocation_is_survived))
