/* What the writer renders is strict JSON that reads back equal. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc.h"
#include "json.h"
#include "locale_of_commas.h"
#include "support/check.h"
#include "support/fail_alloc.h"

typedef struct string_case {
    const char *text;
    size_t size; /* 0: up to the NUL */
    const char *json;
} string_case_t;

static void strings_are_escaped_where_they_must_be(void)
{
    static const string_case_t cases[] = {
        {"", 0, "\"\""},
        {"plain text, longer than eight", 0, "\"plain text, longer than eight\""},
        {"\"quoted\" \\ /", 0, "\"\\\"quoted\\\" \\\\ /\""},
        {"\b\f\n\r\t", 0, "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f", 0, "\"\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", 0, "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\""},
        {"\xE2\x80\xA8", 0, "\"\xE2\x80\xA8\""},
        {"a\xFF"
         "b\xC3",
         0,
         "\"a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 0, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;
        size_t size = cases[i].size > 0 ? cases[i].size : strlen(cases[i].text);

        sk_json_write_string(&out, cases[i].text, size);
        CHECK_STR(sk_buffer_text(&out), cases[i].json);
        sk_buffer_fini(&out);
    }
}

static void null_text_is_null(void)
{
    sk_buffer_t out = SK_BUFFER_INIT;

    sk_json_write_text(&out, NULL);
    sk_json_write_text(&out, "a");
    sk_json_write_string(&out, NULL, 0);
    CHECK_STR(sk_buffer_text(&out), "null\"a\"\"\"");
    sk_buffer_fini(&out);
}

static void every_byte_alone_becomes_a_strict_string(void)
{
    for (int byte = 0; byte < 256; byte++) {
        char text[1] = {(char)byte};
        sk_buffer_t out = SK_BUFFER_INIT;
        sk_json_span_t root;

        sk_json_write_string(&out, text, 1);
        /* U+0000 can be written, but is not accepted from others. */
        CHECK_EQ(sk_json_scan(out.data, out.size, NULL, &root, NULL),
                 byte == 0 ? SK_JSON_INVALID : SK_JSON_OK);
        sk_buffer_fini(&out);
    }
}

static void integers_are_written_in_full(void)
{
    static const int64_t values[] = {0, 7, -7, 10, INT64_MAX, INT64_MIN, 9007199254740993};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "%lld", (long long)values[i]);
        sk_json_write_integer(&out, values[i]);
        CHECK_STR(sk_buffer_text(&out), wanted);
        sk_buffer_fini(&out);
    }
}

typedef struct double_case {
    double value;
    const char *json;
} double_case_t;

static const double_case_t double_cases[] = {
    {0, "0.0"},
    {-0.0, "-0.0"},
    {5, "5.0"},
    {-5, "-5.0"},
    {0.1, "0.1"},
    {-0.25, "-0.25"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1 / 3.0, "0.3333333333333333"},
    {123456.789, "123456.789"},
    {999999999999999, "999999999999999.0"},
    {1e15, "1e15"},
    {1e22, "1e22"},
    {1e23, "1e23"},
    {9007199254740992, "9.007199254740992e15"},
    {1.5e300, "1.5e300"},
    {0.00001, "0.00001"},
    {0.000025, "0.000025"},
    {0.0000012, "1.2e-6"},
    {DBL_MAX, "1.7976931348623157e308"},
    {DBL_MIN, "2.2250738585072014e-308"},
    {5e-324, "5e-324"},
    {1.5e-310, "1.5e-310"},
};

static void doubles_are_as_short_as_can_be(void)
{
    for (size_t i = 0; i < sizeof(double_cases) / sizeof(double_cases[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_json_write_double(&out, double_cases[i].value);
        CHECK_STR(sk_buffer_text(&out), double_cases[i].json);
        sk_buffer_fini(&out);
    }
}

static void what_is_no_number_is_null(void)
{
    sk_buffer_t out = SK_BUFFER_INIT;

    sk_json_write_double(&out, (double)NAN);
    sk_json_write_double(&out, (double)INFINITY);
    sk_json_write_double(&out, -(double)INFINITY);
    CHECK_STR(sk_buffer_text(&out), "nullnullnull");
    sk_buffer_fini(&out);
}

static void doubles_of_all_sizes_read_back_equal(void)
{
    uint64_t state = 88172645463325252u; /* xorshift: the same numbers each time */

    for (int i = 0; i < 20000; i++) {
        sk_buffer_t out = SK_BUFFER_INIT;
        sk_json_span_t root;
        double value = 0;
        double back = 0;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(&value, &state, sizeof(value));
        if (!isfinite(value)) {
            continue;
        }
        sk_json_write_double(&out, value);
        CHECK_EQ(sk_json_scan(out.data, out.size, NULL, &root, NULL), SK_JSON_OK);
        CHECK(sk_json_double(&root, &back));
        if (memcmp(&back, &value, sizeof(value)) != 0) {
            check_fail(__FILE__, __LINE__, "%a is written as %s", value, out.data);
        }
        sk_buffer_fini(&out);
    }
}

static void the_locale_changes_nothing(void)
{
    use_locale_of_commas();
    doubles_are_as_short_as_can_be();
    doubles_of_all_sizes_read_back_equal();
}

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void write_each(void)
{
    sk_buffer_t out = SK_BUFFER_INIT;

    for (int i = 0; i < 50; i++) {
        sk_json_write_text(&out, "some \"text\" \xFF");
        sk_json_write_integer(&out, i);
        sk_json_write_double(&out, i * 0.3);
    }
    CHECK(out.failed == fail_alloc_happened());
    sk_buffer_fini(&out);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(write_each);
}

TESTS(TEST(strings_are_escaped_where_they_must_be), TEST(null_text_is_null),
      TEST(every_byte_alone_becomes_a_strict_string), TEST(integers_are_written_in_full),
      TEST(doubles_are_as_short_as_can_be), TEST(what_is_no_number_is_null),
      TEST(doubles_of_all_sizes_read_back_equal), TEST(the_locale_changes_nothing),
      TEST(any_failing_allocation_is_survived))
