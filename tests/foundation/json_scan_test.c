/* Which texts each profile accepts, and how a refusal reads. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static const sk_json_limits_t strict = {SK_JSON_STRICT, 0, 0};
static const sk_json_limits_t reply = {SK_JSON_REPLY, 0, 0};

/* In a block of exactly the size, so that a sanitizer sees reads beyond it. */
static sk_json_status_t scan_exactly(const char *text, size_t size, const sk_json_limits_t *limits,
                                     sk_json_error_t *error)
{
    char *copy = malloc(size > 0 ? size : 1);
    sk_json_span_t root;
    sk_json_status_t status = SK_JSON_OK;

    CHECK(copy != NULL);
    memcpy(copy, text, size);
    status = sk_json_scan(copy, size, limits, &root, error);
    if (status == SK_JSON_OK) {
        CHECK(root.text >= copy && root.size > 0 && root.text + root.size <= copy + size);
    } else {
        CHECK(root.text == NULL && root.size == 0);
    }
    free(copy);
    return status;
}

typedef struct profile_case {
    const char *name;
    const char *text;
    bool by_strict; /* accepted? */
    bool by_reply;
    size_t size; /* 0: up to the NUL */
} profile_case_t;

static const profile_case_t profile_cases[] = {
    {"null", "null", true, true, 0},
    {"true", "true", true, true, 0},
    {"false", "false", true, true, 0},
    {"zero", "0", true, true, 0},
    {"minus zero", "-0", true, true, 0},
    {"fraction", "-0.5", true, true, 0},
    {"exponents", "[1e5,1E+5,1e-5,0.5E5,0e9]", true, true, 0},
    {"string", "\"text\"", true, true, 0},
    {"empty string", "\"\"", true, true, 0},
    {"escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u00E4\"", true, true, 0},
    {"surrogate pair", "\"\\ud83d\\ude00\\uD83D\\uDE00\"", true, true, 0},
    {"UTF-8", "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"", true, true, 0},
    {"DEL", "\"\x7f\"", true, true, 0},
    {"U+FEFF in a string", "\"\xEF\xBB\xBF\"", true, true, 0},
    {"empty array", "[]", true, true, 0},
    {"empty object", "{}", true, true, 0},
    {"empty ones with space", "[ { \n } , [\t] ]", true, true, 0},
    {"nested", "{\"a\":[1,{\"b\":[]},[[\"c\"]]],\"d\":{}}", true, true, 0},
    {"white space", " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : null } \n", true, true, 0},
    {"empty key", "{\"\":1}", true, true, 0},
    {"equal keys of different objects", "[{\"a\":1},{\"a\":{\"a\":2}}]", true, true, 0},
    {"keys that differ by case", "{\"a\":1,\"A\":2}", true, true, 0},
    {"number beyond int64", "92233720368547758080", true, true, 0},
    {"largest double", "1.7976931348623157e308", true, true, 0},
    {"too small for a double", "1e-400", true, true, 0},
    {"zero with any exponent", "0e999999999999999999999", true, true, 0},

    /* what the profiles differ in */
    {"invalid UTF-8", "\"a\xFFz\"", false, true, 0},
    {"overlong UTF-8", "\"\xC0\x80\"", false, true, 0},
    {"UTF-8 of a surrogate", "\"\xED\xA0\x80\"", false, true, 0},
    {"UTF-8 cut by the quote", "\"\xE2\x82\"", false, true, 0},
    {"invalid UTF-8 in a key", "{\"\xFF\":1}", false, true, 0},
    {"\\u0000", "\"a\\u0000b\"", false, true, 0},
    {"\\u0000 in a key", "{\"\\u0000\":1}", false, true, 0},
    {"lone high surrogate", "\"\\ud83d\"", false, true, 0},
    {"lone low surrogate", "\"\\ude00\"", false, true, 0},
    {"high surrogate before text", "\"\\ud83dx\"", false, true, 0},
    {"high surrogate before an escape", "\"\\ud83d\\n12345\"", false, true, 0},
    {"high surrogate before a letter", "\"\\ud83d\\u0041\"", false, true, 0},
    {"two high surrogates", "\"\\ud83d\\ud83d\\ude00\"", false, true, 0},
    {"surrogates the wrong way round", "\"\\ude00\\ud83d\"", false, true, 0},
    {"equal keys", "{\"a\":1,\"a\":2}", false, true, 0},
    {"equal keys, one escaped", "{\"a\":1,\"\\u0061\":2}", false, true, 0},
    {"equal keys, both escaped", "{\"\\u0061\":1,\"\\u0061\":2}", false, true, 0},
    {"equal keys, escaped otherwise", "{\"\\/\":1,\"/\":2}", false, true, 0},
    {"equal keys, pair and UTF-8", "{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}", false, true, 0},
    {"equal empty keys", "{\"\":1,\"\":2}", false, true, 0},
    {"equal keys around an object", "{\"a\":{\"b\":1,\"c\":2},\"a\":2}", false, true, 0},
    {"equal keys deep inside", "[[{\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}]]", false, true, 0},
    {"leading zero", "01", false, true, 0},
    {"leading zeros", "-007.5", false, true, 0},
    {"point without digits", "[1.]", false, true, 0},
    {"point before the exponent", "[1.e5]", false, true, 0},
    {"beyond a double", "1e400", false, true, 0},
    {"beyond a double, negative", "[-1e309]", false, true, 0},
    {"just beyond a double", "1.7976931348623159e308", false, true, 0},
    {"byte order mark", "\xEF\xBB\xBF{}", false, true, 0},
    {"raw control byte", "\"a\nb\"", false, true, 0},
    {"raw zero byte", "\"a\0b\"", false, true, 5},

    /* what both refuse */
    {"nothing", "", false, false, 0},
    {"white space only", " \n", false, false, 0},
    {"byte order mark only", "\xEF\xBB\xBF", false, false, 0},
    {"two byte order marks", "\xEF\xBB\xBF\xEF\xBB\xBF{}", false, false, 0},
    {"byte order mark inside",
     "[\xEF\xBB\xBF"
     "1]",
     false, false, 0},
    {"text after it", "{} x", false, false, 0},
    {"a second value", "1 2", false, false, 0},
    {"a zero byte after it", "{}\0", false, false, 3},
    {"NaN", "[NaN]", false, false, 0},
    {"nan", "nan", false, false, 0},
    {"Infinity", "Infinity", false, false, 0},
    {"-Infinity", "[-Infinity]", false, false, 0},
    {"undefined", "undefined", false, false, 0},
    {"True", "True", false, false, 0},
    {"tru", "tru", false, false, 0},
    {"nulls", "nulls", false, false, 0},
    {"line comment", "[1 // one\n]", false, false, 0},
    {"block comment", "[1 /* one */]", false, false, 0},
    {"hash comment", "# one\n1", false, false, 0},
    {"trailing comma in an array", "[1,]", false, false, 0},
    {"trailing comma in an object", "{\"a\":1,}", false, false, 0},
    {"leading comma", "[,1]", false, false, 0},
    {"two commas", "[1,,2]", false, false, 0},
    {"no comma", "[1 2]", false, false, 0},
    {"no colon", "{\"a\" 1}", false, false, 0},
    {"two colons", "{\"a\"::1}", false, false, 0},
    {"no value", "{\"a\":}", false, false, 0},
    {"key without quotes", "{a:1}", false, false, 0},
    {"key that is a number", "{1:1}", false, false, 0},
    {"single quotes", "{'a':'b'}", false, false, 0},
    {"array not closed", "[1", false, false, 0},
    {"object not closed", "{\"a\":1", false, false, 0},
    {"only opened", "[", false, false, 0},
    {"only closed", "]", false, false, 0},
    {"closed by the other one", "[1}", false, false, 0},
    {"closed by the other one, empty", "{]", false, false, 0},
    {"closed twice", "[1]]", false, false, 0},
    {"string not closed", "\"abc", false, false, 0},
    {"string closed by an escape", "\"abc\\\"", false, false, 0},
    {"backslash at the end", "\"abc\\", false, false, 0},
    {"unknown escape", "\"\\x41\"", false, false, 0},
    {"escaped zero byte", "\"\\\0\"", false, false, 4},
    {"capital U", "\"\\U0041\"", false, false, 0},
    {"three digits", "\"\\u041\"", false, false, 0},
    {"no hexadecimal", "\"\\u00g0\"", false, false, 0},
    {"digits cut off", "\"\\u00", false, false, 0},
    {"second half cut off", "\"\\ud83d\\ude0", false, false, 0},
    {"plus", "+1", false, false, 0},
    {"minus alone", "-", false, false, 0},
    {"minus minus", "--1", false, false, 0},
    {"no digit before the point", ".5", false, false, 0},
    {"no digit behind the minus", "-.5", false, false, 0},
    {"no digit in the exponent", "1e", false, false, 0},
    {"no digit behind its sign", "1e+", false, false, 0},
    {"two points", "1.2.3", false, false, 0},
    {"two exponents", "1e2e3", false, false, 0},
    {"hexadecimal", "0x10", false, false, 0},
    {"underscore", "1_000", false, false, 0},
    {"form feed between values", "[1,\f2]", false, false, 0},
    {"no-break space",
     "\xC2\xA0"
     "1",
     false, false, 0},
    {"UTF-16", "\xFF\xFE{\0}\0", false, false, 6},
};

static void each_profile_accepts_what_its_table_says(void)
{
    for (size_t i = 0; i < sizeof(profile_cases) / sizeof(profile_cases[0]); i++) {
        const profile_case_t *each = &profile_cases[i];
        size_t size = each->size > 0 ? each->size : strlen(each->text);
        sk_json_status_t by_strict = scan_exactly(each->text, size, &strict, NULL);
        sk_json_status_t by_reply = scan_exactly(each->text, size, &reply, NULL);

        if (by_strict != (each->by_strict ? SK_JSON_OK : SK_JSON_INVALID)) {
            check_fail(__FILE__, __LINE__, "%s: strict says %d", each->name, (int)by_strict);
        }
        if (by_reply != (each->by_reply ? SK_JSON_OK : SK_JSON_INVALID)) {
            check_fail(__FILE__, __LINE__, "%s: reply says %d", each->name, (int)by_reply);
        }
    }
}

static void no_limits_means_strict(void)
{
    CHECK_EQ(scan_exactly("[01]", 4, NULL, NULL), SK_JSON_INVALID);
    CHECK_EQ(scan_exactly("[1]", 3, NULL, NULL), SK_JSON_OK);
    CHECK_EQ(sk_json_scan(NULL, 0, NULL, NULL, NULL), SK_JSON_INVALID);
    CHECK_EQ(sk_json_scan("1", 1, NULL, NULL, NULL), SK_JSON_OK);
}

typedef struct error_case {
    const char *text;
    size_t offset;
    const char *wanted;
} error_case_t;

static void a_refusal_says_where_and_why(void)
{
    static const error_case_t cases[] = {
        {"", 0, "expected a value at byte 0, found the end of the text"},
        {"[1,}", 3, "expected a value at byte 3, found '}'"},
        {"[1,\x01", 3, "expected a value at byte 3, found the byte 0x01"},
        {"[1,\xFF", 3, "expected a value at byte 3, found the byte 0xff"},
        {"[1 2]", 3, "expected ',' or ']' at byte 3, found '2'"},
        {"{\"a\":1]", 6, "expected ',' or '}' at byte 6, found ']'"},
        {"{\"a\" 1}", 5, "expected ':' after a member name at byte 5, found '1'"},
        {"{a:1}", 1, "expected a member name in double quotes at byte 1, found 'a'"},
        {"{} {}", 3, "expected the end of the text at byte 3, found '{'"},
        {"[\"abc]", 1, "the string that begins at byte 1 is not closed"},
        {"\"a\\q\"", 3, "expected one of \"\\/bfnrtu after a backslash at byte 3, found 'q'"},
        {"\"\\u12\"", 3, "expected four hexadecimal digits at byte 3, found '1'"},
        {"\"\\u0000\"", 1, "\\u0000 at byte 1 is not allowed"},
        {"\"\\ud800\"", 1,
         "\\ud800 at byte 1 is half of a surrogate pair, the other half is missing"},
        {"\"a\nb\"", 2, "raw control character at byte 2, write it as \\u000a"},
        {"\"ab\xC3\"", 3, "invalid UTF-8 in a string at byte 3"},
        {"-x", 1, "expected a digit at byte 1, found 'x'"},
        {"[012]", 2, "expected no digit after a leading 0 at byte 2, found '1'"},
        {"[1e999]", 1, "the number at byte 1 is too large"},
        {"{\"key\":1,\"b\":2,\"key\":3}", 15, "the member \"key\" at byte 15 is given twice"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sk_json_error_t error;

        CHECK_EQ(scan_exactly(cases[i].text, strlen(cases[i].text), &strict, &error),
                 SK_JSON_INVALID);
        CHECK_STR(error.text, cases[i].wanted);
        CHECK_EQ(error.offset, cases[i].offset);
        CHECK_EQ(error.status, SK_JSON_INVALID);
    }
}

static void success_leaves_an_empty_error(void)
{
    sk_json_error_t error;

    memset(&error, 0x55, sizeof(error));
    CHECK_EQ(scan_exactly("{}", 2, &strict, &error), SK_JSON_OK);
    CHECK_EQ(error.status, SK_JSON_OK);
    CHECK_EQ(error.offset, 0);
    CHECK_STR(error.text, "");
}

static void every_beginning_of_a_text_is_refused(void)
{
    static const char text[] =
        "{\"k\\u00e4y\\n\":[true,false,null,-1.5e+3,\"\xC3\xA4\\ud83d\\ude00\"],"
        "\"b\":{\"c\":[[]],\"d\":{}}}";

    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        CHECK_EQ(scan_exactly(text, size, &strict, NULL), SK_JSON_INVALID);
        CHECK_EQ(scan_exactly(text, size, &reply, NULL), SK_JSON_INVALID);
    }
    CHECK_EQ(scan_exactly(text, sizeof(text) - 1, &strict, NULL), SK_JSON_OK);
}

static void the_root_is_pointed_out_without_what_surrounds_it(void)
{
    const char *text = "\xEF\xBB\xBF \n[1, 2]\t ";
    sk_json_span_t root;

    CHECK_EQ(sk_json_scan(text, strlen(text), &reply, &root, NULL), SK_JSON_OK);
    CHECK(root.text == text + 5);
    CHECK_EQ(root.size, 6);
    CHECK_EQ(root.type, SK_JSON_ARRAY);
}

typedef struct root_case {
    const char *text;
    sk_json_type_t type;
    bool plain;
} root_case_t;

static void the_root_has_its_type_and_plainness(void)
{
    static const root_case_t cases[] = {
        {"null", SK_JSON_NULL, false},
        {"true", SK_JSON_BOOLEAN, false},
        {"-1", SK_JSON_NUMBER, false},
        {"[]", SK_JSON_ARRAY, false},
        {"{}", SK_JSON_OBJECT, false},
        {"\"\"", SK_JSON_STRING, true},
        {"\"plain and longer\"", SK_JSON_STRING, true},
        {"\"\xC3\xA4\"", SK_JSON_STRING, true},
        {"\"a\\n\"", SK_JSON_STRING, false},
        {"\"\\u00e4\"", SK_JSON_STRING, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sk_json_span_t root;

        CHECK_EQ(sk_json_scan(cases[i].text, strlen(cases[i].text), NULL, &root, NULL), SK_JSON_OK);
        CHECK_EQ(root.type, cases[i].type);
        CHECK_EQ(root.plain, cases[i].plain);
        CHECK_EQ(root.size, strlen(cases[i].text));
    }
}

static void a_string_that_must_be_repaired_is_not_plain(void)
{
    static const char *const texts[] = {"\"\xFF\"", "\"a\nb\"", "\"\\ud800\""};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sk_json_span_t root;

        CHECK_EQ(sk_json_scan(texts[i], strlen(texts[i]), &reply, &root, NULL), SK_JSON_OK);
        CHECK(!root.plain);
    }
}

/* ---- limits ---- */

static sk_json_status_t scan_nested(unsigned depth, char open, const sk_json_limits_t *limits,
                                    sk_json_error_t *error)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_json_status_t status = SK_JSON_OK;

    for (unsigned i = 0; i < depth; i++) {
        sk_buffer_append_text(&text, open == '[' ? "[" : i + 1 < depth ? "{\"a\":" : "{");
    }
    for (unsigned i = 0; i < depth; i++) {
        sk_buffer_append_char(&text, open == '[' ? ']' : '}');
    }
    status = sk_json_scan(text.data, text.size, limits, NULL, error);
    sk_buffer_fini(&text);
    return status;
}

typedef struct depth_case {
    unsigned max_depth;
    unsigned deepest;
} depth_case_t;

static void the_depth_is_limited_in_both_profiles(void)
{
    static const depth_case_t cases[] = {{0, 64}, {1, 1}, {200, 200}, {1000, 1000}, {5000, 1000}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int profile = SK_JSON_STRICT; profile <= SK_JSON_REPLY; profile++) {
            sk_json_limits_t limits = {(sk_json_profile_t)profile, 0, cases[i].max_depth};

            CHECK_EQ(scan_nested(cases[i].deepest, '[', &limits, NULL), SK_JSON_OK);
            CHECK_EQ(scan_nested(cases[i].deepest, '{', &limits, NULL), SK_JSON_OK);
            CHECK_EQ(scan_nested(cases[i].deepest + 1, '[', &limits, NULL), SK_JSON_TOO_DEEP);
            CHECK_EQ(scan_nested(cases[i].deepest + 1, '{', &limits, NULL), SK_JSON_TOO_DEEP);
        }
    }
}

static void too_deep_is_told_with_the_limit(void)
{
    sk_json_limits_t limits = {SK_JSON_STRICT, 0, 3};
    sk_json_error_t error;

    CHECK_EQ(scan_nested(4, '[', &limits, &error), SK_JSON_TOO_DEEP);
    CHECK_STR(error.text, "arrays and objects lie inside each other more than 3 deep at byte 3");
    CHECK_EQ(error.offset, 3);
}

static void the_size_is_limited_in_both_profiles(void)
{
    for (int profile = SK_JSON_STRICT; profile <= SK_JSON_REPLY; profile++) {
        sk_json_limits_t limits = {(sk_json_profile_t)profile, 6, 0};
        sk_json_error_t error;

        CHECK_EQ(scan_exactly("[1, 2]", 6, &limits, NULL), SK_JSON_OK);
        CHECK_EQ(scan_exactly("[1,  2]", 7, &limits, &error), SK_JSON_TOO_LONG);
        CHECK_STR(error.text, "the JSON text has 7 bytes, at most 6 are allowed");
    }
}

static void sixteen_mebibytes_are_the_default_limit(void)
{
    size_t size = (size_t)16 << 20;
    char *text = malloc(size + 1);

    CHECK(text != NULL);
    memset(text, ' ', size + 1);
    text[0] = '1';
    CHECK_EQ(sk_json_scan(text, size, NULL, NULL, NULL), SK_JSON_OK);
    CHECK_EQ(sk_json_scan(text, size + 1, NULL, NULL, NULL), SK_JSON_TOO_LONG);
    free(text);
}

/* ---- many keys ---- */

/* {"key0":0,...} with `extra` as its last member, if any. */
static void make_object(sk_buffer_t *text, int count, const char *extra)
{
    sk_buffer_append_char(text, '{');
    for (int i = 0; i < count; i++) {
        sk_buffer_appendf(text, "%s\"key%d\":%d", i > 0 ? "," : "", i, i);
    }
    sk_buffer_append_text(text, extra);
    sk_buffer_append_char(text, '}');
}

static void one_equal_key_among_any_number_is_found(void)
{
    for (int count = 1; count < 200; count++) {
        sk_buffer_t text = SK_BUFFER_INIT;
        sk_json_error_t error;
        char extra[64];

        make_object(&text, count, "");
        CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, NULL), SK_JSON_OK);
        sk_buffer_clear(&text);
        snprintf(extra, sizeof(extra), ",\"k\\u0065y%d\":1", count / 2);
        make_object(&text, count, extra);
        CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, &error), SK_JSON_INVALID);
        CHECK_EQ(error.offset, text.size - strlen(extra));
        CHECK_EQ(sk_json_scan(text.data, text.size, &reply, NULL, NULL), SK_JSON_OK);
        sk_buffer_fini(&text);
    }
}

static void the_first_repetition_is_told(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_json_error_t error;

    make_object(&text, 50, ",\"key40\":1,\"key7\":2");
    CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, &error), SK_JSON_INVALID);
    CHECK_STR_CONTAINS(error.text, "the member \"key40\"");
    sk_buffer_fini(&text);
}

static void keys_of_open_objects_are_kept_apart(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;

    /* The same hundred keys on three levels, the outer objects open meanwhile. */
    make_object(&text, 100, ",\"in\":");
    text.size--;
    make_object(&text, 100, ",\"in\":");
    text.size--;
    make_object(&text, 100, "");
    sk_buffer_append_text(&text, ",\"more\":1},\"more\":1}");
    CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, NULL), SK_JSON_OK);
    text.size--;
    sk_buffer_append_text(&text, ",\"key99\":1}");
    CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, NULL), SK_JSON_INVALID);
    sk_buffer_fini(&text);
}

/* These four pairs have equal 32-bit FNV-1a hashes. */
static const char *const colliding =
    ",\"costarring\":1,\"liquid\":1,\"declinate\":1,\"macallums\":1"
    ",\"altarage\":1,\"zinke\":1,\"altarages\":1,\"zinkes\":1";

static void keys_with_equal_hashes_are_different_keys(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_json_error_t error;

    make_object(&text, 30, colliding);
    CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, NULL), SK_JSON_OK);
    text.size--;
    sk_buffer_append_text(&text, ",\"\\u006ciquid\":1}");
    CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, &error), SK_JSON_INVALID);
    CHECK_STR_CONTAINS(error.text, "\\u006ciquid");
    sk_buffer_fini(&text);
}

static void a_long_key_is_cut_in_the_error(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_json_error_t error;

    sk_buffer_append_text(&text, "{\"");
    for (int i = 0; i < 100; i++) {
        sk_buffer_append_text(&text, "\xC3\xA4");
    }
    sk_buffer_append_text(&text, "\":1,");
    sk_buffer_append(&text, text.data + 1, 0);
    sk_buffer_reserve(&text, 400);
    sk_buffer_append(&text, text.data + 1, 204);
    sk_buffer_append_text(&text, "1}");
    CHECK_EQ(sk_json_scan(text.data, text.size, NULL, NULL, &error), SK_JSON_INVALID);
    CHECK_STR_CONTAINS(error.text, "\xA4\" at byte");
    CHECK_STR_CONTAINS(error.text, "is given twice");
    sk_buffer_fini(&text);
}

/* ---- memory ---- */

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void usual_texts_are_scanned_without_memory(void)
{
    static const char text[] = "{\"city\":\"K\\u00f6ln\",\"days\":3,\"units\":[\"c\",\"f\"],"
                               "\"more\":{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6}}";

    sk_set_allocator(&counting);
    fail_alloc_at(1, FAIL_ALLOC_REST);
    CHECK_EQ(sk_json_scan(text, strlen(text), &strict, NULL, NULL), SK_JSON_OK);
    CHECK_EQ(sk_json_scan(text, strlen(text), &reply, NULL, NULL), SK_JSON_OK);
    CHECK(!fail_alloc_happened());
}

static void scan_many_keys(void)
{
    char text[4096];
    size_t size = (size_t)snprintf(text, sizeof(text), "{\"k\":0");
    sk_json_error_t error;
    sk_json_status_t status = SK_JSON_OK;

    for (int i = 0; i < 150; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, ",\"k%d\":%d", i, i);
    }
    size += (size_t)snprintf(text + size, sizeof(text) - size, "}");
    status = sk_json_scan(text, size, &strict, NULL, &error);
    CHECK_EQ(status, fail_alloc_happened() ? SK_JSON_NO_MEMORY : SK_JSON_OK);
    CHECK_EQ(error.status, status);
    CHECK_EQ(error.text[0] != '\0', status != SK_JSON_OK);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(scan_many_keys);
}

TESTS(TEST(each_profile_accepts_what_its_table_says), TEST(no_limits_means_strict),
      TEST(a_refusal_says_where_and_why), TEST(success_leaves_an_empty_error),
      TEST(every_beginning_of_a_text_is_refused),
      TEST(the_root_is_pointed_out_without_what_surrounds_it),
      TEST(the_root_has_its_type_and_plainness), TEST(a_string_that_must_be_repaired_is_not_plain),
      TEST(the_depth_is_limited_in_both_profiles), TEST(too_deep_is_told_with_the_limit),
      TEST(the_size_is_limited_in_both_profiles), TEST(sixteen_mebibytes_are_the_default_limit),
      TEST(one_equal_key_among_any_number_is_found), TEST(the_first_repetition_is_told),
      TEST(keys_of_open_objects_are_kept_apart), TEST(keys_with_equal_hashes_are_different_keys),
      TEST(a_long_key_is_cut_in_the_error), TEST(usual_texts_are_scanned_without_memory),
      TEST(any_failing_allocation_is_survived))
