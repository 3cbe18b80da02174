/* Accepted text is walked, compared, decoded and compacted. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "support/check.h"
#include "support/fail_alloc.h"
#include "text.h"

static const sk_json_limits_t reply = {SK_JSON_REPLY, 0, 0};

static sk_json_span_t root_of(const char *text)
{
    sk_json_span_t root;

    CHECK_EQ(sk_json_scan(text, strlen(text), &reply, &root, NULL), SK_JSON_OK);
    return root;
}

/* Each member as key=value of its type, in what order they come. */
static void render_walk(sk_buffer_t *out, const sk_json_span_t *span)
{
    sk_json_cursor_t cursor = sk_json_enter(span);
    sk_json_span_t key = {NULL, 0, SK_JSON_NULL, false};
    sk_json_span_t value;

    while (sk_json_next(&cursor, &key, &value)) {
        sk_buffer_appendf(out, "%.*s=%.*s:%s%s;", (int)key.size, key.text != NULL ? key.text : "",
                          (int)value.size, value.text, sk_json_type_name(value.type),
                          value.plain ? " plain" : "");
    }
    CHECK(!sk_json_next(&cursor, &key, &value));
}

typedef struct walk_case {
    const char *text;
    const char *wanted;
} walk_case_t;

static void members_and_elements_come_in_their_order(void)
{
    static const walk_case_t cases[] = {
        {"[]", ""},
        {"{}", ""},
        {"[ \n ]", ""},
        {"{ \t }", ""},
        {"[1]", "=1:number;"},
        {"[1 , -2.5e3,true ,null,false]",
         "=1:number;=-2.5e3:number;=true:boolean;=null:null;=false:boolean;"},
        {"[\"a\",\"b\\n\",\"\"]", "=\"a\":string plain;=\"b\\n\":string;=\"\":string plain;"},
        {"[[],{},[[1,\"]\"]],{\"}\":\"\\\"}\"}]",
         "=[]:array;={}:object;=[[1,\"]\"]]:array;={\"}\":\"\\\"}\"}:object;"},
        {"{\"a\":1,\"b\":\"x\"}", "\"a\"=1:number;\"b\"=\"x\":string plain;"},
        {" { \"a\" : { \"b\" : [ 1 ] } , \"c\" : [ ] } ",
         "\"a\"={ \"b\" : [ 1 ] }:object;\"c\"=[ ]:array;"},
        {"{\"a\":1,\"a\":2}", "\"a\"=1:number;\"a\"=2:number;"},
        {"[01,1.]", "=01:number;=1.:number;"},
        {"[\"\xFF\",\"\n\"]", "=\"\xFF\":string;=\"\n\":string;"},
        {"[\"\xC3\xA4\"]", "=\"\xC3\xA4\":string plain;"},
        {"17", ""},
        {"\"text, [1,2]\"", ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sk_json_span_t root = root_of(cases[i].text);
        sk_buffer_t out = SK_BUFFER_INIT;

        render_walk(&out, &root);
        CHECK_STR(sk_buffer_text(&out), cases[i].wanted);
        sk_buffer_fini(&out);
    }
}

static void the_key_may_be_left_out(void)
{
    sk_json_span_t root = root_of("{\"a\":1,\"b\":2}");
    sk_json_cursor_t cursor = sk_json_enter(&root);
    sk_json_span_t value;

    CHECK(sk_json_next(&cursor, NULL, &value));
    CHECK(sk_json_next(&cursor, NULL, &value));
    CHECK_EQ(*value.text, '2');
    CHECK(!sk_json_next(&cursor, NULL, &value));
}

static void a_member_is_found_by_its_decoded_name(void)
{
    sk_json_span_t root =
        root_of("{\"a\":1,\"A\":2,\"\\u00e4\\n\":3,\"in\":{\"deep\":4},\"a\":5,\"\":6}");
    sk_json_span_t value;

    CHECK(sk_json_member(&root, "A", &value));
    CHECK_EQ(*value.text, '2');
    CHECK(sk_json_member(&root, "\xC3\xA4\n", &value));
    CHECK_EQ(*value.text, '3');
    CHECK(sk_json_member(&root, "", &value));
    CHECK_EQ(*value.text, '6');
    CHECK(!sk_json_member(&root, "deep", &value));
    CHECK(!sk_json_member(&root, "b", &value));
    CHECK(sk_json_member(&root, "in", &value));
    CHECK(sk_json_member(&value, "deep", &value));
    CHECK_EQ(*value.text, '4');
}

static void the_last_of_equal_members_is_found(void)
{
    sk_json_span_t root = root_of("{\"a\":1,\"b\":2,\"\\u0061\":3}");
    sk_json_span_t value;

    CHECK(sk_json_member(&root, "a", &value));
    CHECK_EQ(*value.text, '3');
}

static void what_is_no_object_has_no_members(void)
{
    static const char *const texts[] = {"[1,2]", "\"a\"", "1", "null"};
    sk_json_span_t value;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sk_json_span_t root = root_of(texts[i]);

        CHECK(!sk_json_member(&root, "a", &value));
    }
}

/* ---- strings ---- */

typedef struct decode_case {
    const char *json;
    const char *text;
    size_t size; /* 0: up to the NUL */
} decode_case_t;

static const decode_case_t decode_cases[] = {
    {"\"\"", "", 0},
    {"\"plain and longer than eight\"", "plain and longer than eight", 0},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 0},
    {"\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", "A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 0},
    {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"",
     "\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 0},
    {"\"a\\u0000b\"", "a\0b", 3},
    {"\"\xC3\xA4 and text\\n\"", "\xC3\xA4 and text\n", 0},
    {"\"\\ud83d\"", "\xEF\xBF\xBD", 0},
    {"\"\\ude00x\"", "\xEF\xBF\xBDx", 0},
    {"\"\\ud83d\\u0041\"",
     "\xEF\xBF\xBD"
     "A",
     0},
    {"\"\\ud83d\\n\"", "\xEF\xBF\xBD\n", 0},
    {"\"\\ud83d\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80", 0},
    {"\"\\ude00\\ud83d\"", "\xEF\xBF\xBD\xEF\xBF\xBD", 0},
    {"\"a\nb\"", "a\nb", 0},
};

static void strings_are_decoded_and_compared(void)
{
    for (size_t i = 0; i < sizeof(decode_cases) / sizeof(decode_cases[0]); i++) {
        const decode_case_t *each = &decode_cases[i];
        sk_json_span_t root = root_of(each->json);
        size_t wanted = each->size > 0 ? each->size : strlen(each->text);
        char *out = malloc(root.size - 1); /* the room that is promised to be enough */
        sk_buffer_t appended = SK_BUFFER_INIT;
        size_t size = 0;
        char *copy = sk_json_string_copy(&root, &size);

        CHECK(out != NULL);
        CHECK_EQ(sk_json_string_decode(&root, out), wanted);
        CHECK_EQ(memcmp(out, each->text, wanted), 0);
        CHECK_EQ(out[wanted], '\0');
        CHECK_EQ(size, wanted);
        CHECK_EQ(memcmp(copy, each->text, wanted + 1), 0);
        sk_json_string_append(&appended, &root);
        CHECK_EQ(appended.size, wanted);
        CHECK_EQ(memcmp(sk_buffer_text(&appended), each->text, wanted), 0);
        CHECK(sk_json_string_equals(&root, each->text, wanted));
        CHECK(!sk_json_string_equals(&root, "something quite different", 25));
        CHECK(wanted == 0 || !sk_json_string_equals(&root, each->text, wanted - 1));
        sk_buffer_append_char(&appended, 'x');
        CHECK(!sk_json_string_equals(&root, appended.data, appended.size));
        free(out);
        sk_free(copy);
        sk_buffer_fini(&appended);
    }
}

static void invalid_utf8_is_repaired_where_there_is_room(void)
{
    sk_json_span_t root = root_of("\"a\xFF\xE2\x82z\"");
    char *copy = sk_json_string_copy(&root, NULL);
    char out[16];

    CHECK_STR(copy, "a\xEF\xBF\xBD\xEF\xBF\xBDz");
    CHECK_EQ(sk_json_string_decode(&root, out), 4);
    CHECK_STR(out, "a??z");
    CHECK(sk_json_string_equals(&root, "a\xEF\xBF\xBD\xEF\xBF\xBDz", 8));
    sk_free(copy);
}

static void every_escape_of_the_basic_plane_is_decoded(void)
{
    for (unsigned code = 0; code < 0x10000; code++) {
        char json[16];
        char out[16];
        sk_json_span_t root;
        size_t size = 0;

        snprintf(json, sizeof(json), "\"\\u%04X\"", code);
        root = root_of(json);
        size = sk_json_string_decode(&root, out);
        if (size != (code < 0x80    ? 1
                     : code < 0x800 ? 2
                                    : 3) ||
            !sk_utf8_is_valid(out, size, NULL)) {
            check_fail(__FILE__, __LINE__, "U+%04X is decoded to %zu bytes", code, size);
        }
    }
}

/* ---- compacting ---- */

typedef struct compact_case {
    const char *json;
    const char *wanted;
} compact_case_t;

static const compact_case_t compact_cases[] = {
    {"null", "null"},
    {" [ 1 , 2 ]\n", "[1,2]"},
    {"{ \"a b\" : [ true , { } , \"  \" ] }", "{\"a b\":[true,{},\"  \"]}"},
    {"\"\\u00e4\\/\\n\xC3\xA4\\ud83d\\ude00\"", "\"\\u00e4\\/\\n\xC3\xA4\\ud83d\\ude00\""},
    {"[-0,1.50,1E5,9007199254740993]", "[-0,1.50,1E5,9007199254740993]"},
    {"[01,-007,1.,-1.e5,00.5]", "[1,-7,1.0,-1.0e5,0.5]"},
    {"[000]", "[0]"},
    {"\"\xFF\\ud83dx\"", "\"\xEF\xBF\xBD\xEF\xBF\xBDx\""},
    {"\"a\nb\"", "\"a\\u000ab\""},
    {"{\"\xFF\":1}", "{\"\xEF\xBF\xBD\":1}"},
};

static void compact_text_is_strict_and_says_the_same(void)
{
    for (size_t i = 0; i < sizeof(compact_cases) / sizeof(compact_cases[0]); i++) {
        sk_json_span_t root = root_of(compact_cases[i].json);
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_json_compact(&out, &root);
        CHECK_STR(sk_buffer_text(&out), compact_cases[i].wanted);
        CHECK_EQ(sk_json_scan(out.data, out.size, NULL, NULL, NULL), SK_JSON_OK);
        sk_buffer_fini(&out);
    }
}

static void a_member_alone_is_compacted(void)
{
    sk_json_span_t root = root_of("{\"a\" : [ 1 , 2 ] , \"b\" : 3}");
    sk_json_span_t value;
    sk_buffer_t out = SK_BUFFER_INIT;

    CHECK(sk_json_member(&root, "a", &value));
    sk_json_compact(&out, &value);
    CHECK_STR(sk_buffer_text(&out), "[1,2]");
    sk_buffer_fini(&out);
}

static void types_have_names(void)
{
    CHECK_STR(sk_json_type_name(SK_JSON_NULL), "null");
    CHECK_STR(sk_json_type_name(SK_JSON_BOOLEAN), "boolean");
    CHECK_STR(sk_json_type_name(SK_JSON_NUMBER), "number");
    CHECK_STR(sk_json_type_name(SK_JSON_STRING), "string");
    CHECK_STR(sk_json_type_name(SK_JSON_ARRAY), "array");
    CHECK_STR(sk_json_type_name(SK_JSON_OBJECT), "object");
}

/* ---- memory ---- */

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void copy_and_compact(void)
{
    sk_json_span_t root =
        root_of("\"some text\\n and more of it \xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\"");
    sk_buffer_t out = SK_BUFFER_INIT;
    char *copy = sk_json_string_copy(&root, NULL);

    sk_json_compact(&out, &root);
    CHECK((copy == NULL || out.failed) == fail_alloc_happened());
    sk_buffer_fini(&out);
    sk_free(copy);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(copy_and_compact);
}

TESTS(TEST(members_and_elements_come_in_their_order), TEST(the_key_may_be_left_out),
      TEST(a_member_is_found_by_its_decoded_name), TEST(the_last_of_equal_members_is_found),
      TEST(what_is_no_object_has_no_members), TEST(strings_are_decoded_and_compared),
      TEST(invalid_utf8_is_repaired_where_there_is_room),
      TEST(every_escape_of_the_basic_plane_is_decoded),
      TEST(compact_text_is_strict_and_says_the_same), TEST(a_member_alone_is_compacted),
      TEST(types_have_names), TEST(any_failing_allocation_is_survived))
