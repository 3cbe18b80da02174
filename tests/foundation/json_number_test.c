/* Numbers are read without loss, whatever the locale. */
#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "locale_of_commas.h"
#include "support/check.h"

/* Scanned as a reply, whose grammar has all forms, in a block of exactly the size. */
static sk_json_span_t number_of(const char *text)
{
    static const sk_json_limits_t reply = {SK_JSON_REPLY, 0, 0};
    static char *copy;
    size_t size = strlen(text);
    sk_json_span_t root;

    free(copy);
    copy = malloc(size);
    CHECK(copy != NULL);
    memcpy(copy, text, size);
    CHECK_EQ(sk_json_scan(copy, size, &reply, &root, NULL), SK_JSON_OK);
    CHECK_EQ(root.type, SK_JSON_NUMBER);
    return root;
}

typedef struct integer_case {
    const char *text;
    sk_json_number_t kind;
    int64_t value;
} integer_case_t;

static const integer_case_t integer_cases[] = {
    {"0", SK_JSON_INTEGER, 0},
    {"-0", SK_JSON_INTEGER, 0},
    {"0.000", SK_JSON_INTEGER, 0},
    {"0e5", SK_JSON_INTEGER, 0},
    {"0e-99999999999999999999", SK_JSON_INTEGER, 0},
    {"0.0e99999999999999999999", SK_JSON_INTEGER, 0},
    {"5", SK_JSON_INTEGER, 5},
    {"-5", SK_JSON_INTEGER, -5},
    {"5.0", SK_JSON_INTEGER, 5},
    {"5.", SK_JSON_INTEGER, 5},
    {"005", SK_JSON_INTEGER, 5},
    {"50e-1", SK_JSON_INTEGER, 5},
    {"0.5e1", SK_JSON_INTEGER, 5},
    {"0.05E+2", SK_JSON_INTEGER, 5},
    {"500000000000000000000000e-23", SK_JSON_INTEGER, 5},
    {"0.000000000000000000000005e24", SK_JSON_INTEGER, 5},
    {"1e3", SK_JSON_INTEGER, 1000},
    {"1.5e3", SK_JSON_INTEGER, 1500},
    {"120.50e2", SK_JSON_INTEGER, 12050},
    {"1e18", SK_JSON_INTEGER, INT64_C(1000000000000000000)},
    {"9007199254740993", SK_JSON_INTEGER, INT64_C(9007199254740993)},
    {"-9007199254740993.00", SK_JSON_INTEGER, -INT64_C(9007199254740993)},
    {"9223372036854775807", SK_JSON_INTEGER, INT64_MAX},
    {"9223372036854775807.0", SK_JSON_INTEGER, INT64_MAX},
    {"922337203685477580.7e1", SK_JSON_INTEGER, INT64_MAX},
    {"-9223372036854775808", SK_JSON_INTEGER, INT64_MIN},
    {"0.5", SK_JSON_FRACTION, 0},
    {"-5.5", SK_JSON_FRACTION, 0},
    {"5.000000000000000000000000000001", SK_JSON_FRACTION, 0},
    {"5e-1", SK_JSON_FRACTION, 0},
    {"12345e-4", SK_JSON_FRACTION, 0},
    {"1e-99999999999999999999", SK_JSON_FRACTION, 0},
    {"9223372036854775807.5", SK_JSON_FRACTION, 0},
    {"9223372036854775808", SK_JSON_OUT_OF_RANGE, 0},
    {"-9223372036854775809", SK_JSON_OUT_OF_RANGE, 0},
    {"18446744073709551615", SK_JSON_OUT_OF_RANGE, 0},
    {"18446744073709551616", SK_JSON_OUT_OF_RANGE, 0},
    {"18446744073709551621", SK_JSON_OUT_OF_RANGE, 0},
    {"92233720368547758070", SK_JSON_OUT_OF_RANGE, 0},
    {"1e19", SK_JSON_OUT_OF_RANGE, 0},
    {"1e300", SK_JSON_OUT_OF_RANGE, 0},
    {"1e99999999999999999999", SK_JSON_OUT_OF_RANGE, 0},
};

static void integers_are_read_digit_by_digit(void)
{
    for (size_t i = 0; i < sizeof(integer_cases) / sizeof(integer_cases[0]); i++) {
        const integer_case_t *each = &integer_cases[i];
        sk_json_span_t number = number_of(each->text);
        int64_t value = 77;
        sk_json_number_t kind = sk_json_integer(&number, &value);

        if (kind != each->kind || value != each->value) {
            check_fail(__FILE__, __LINE__, "%s: kind %d, value %lld", each->text, (int)kind,
                       (long long)value);
        }
    }
}

typedef struct double_case {
    const char *text;
    double value;
} double_case_t;

static const double_case_t double_cases[] = {
    {"0", 0},
    {"0e999999999999999999", 0},
    {"5", 5},
    {"5.", 5},
    {"007", 7},
    {"-1.5", -1.5},
    {"0.1", 0.1},
    {"123456789012345e22", 123456789012345e22},
    {"1e22", 1e22},
    {"1e23", 1e23},
    {"1e-22", 1e-22},
    {"1e-23", 1e-23},
    {"3.141592653589793238462643", 3.141592653589793238462643},
    {"9007199254740993", 9007199254740992.0},
    {"9007199254740995", 9007199254740996.0},
    {"1.7976931348623157e308", DBL_MAX},
    {"179769313486231570000000000000000000000e270", DBL_MAX},
    {"0.00000000000000000000000000000000000017976931348623157e345", DBL_MAX},
    {"2.2250738585072014e-308", DBL_MIN},
    {"2.2250738585072011e-308", 2.2250738585072011e-308},
    {"5e-324", 4.9406564584124654e-324},
    {"2e-324", 0},
    {"1e-400", 0},
    {"1e-99999999999999999999", 0},
};

static void doubles_are_the_nearest_ones(void)
{
    for (size_t i = 0; i < sizeof(double_cases) / sizeof(double_cases[0]); i++) {
        sk_json_span_t number = number_of(double_cases[i].text);
        double value = 77;

        if (!sk_json_double(&number, &value) ||
            memcmp(&value, &double_cases[i].value, sizeof(value)) != 0) {
            check_fail(__FILE__, __LINE__, "%s: read as %a", double_cases[i].text, value);
        }
    }
}

static void minus_zero_stays_negative(void)
{
    static const char *const texts[] = {"-0", "-0.0", "-0e5", "-1e-400"};
    double wanted = -0.0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sk_json_span_t number = number_of(texts[i]);
        double value = 77;

        CHECK(sk_json_double(&number, &value));
        CHECK_EQ(memcmp(&value, &wanted, sizeof(value)), 0);
    }
}

static void what_is_beyond_a_double_is_false_and_zero(void)
{
    static const char *const texts[] = {"1e309", "-1e400", "1.7976931348623159e308",
                                        "1e99999999999999999999"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sk_json_span_t number = number_of(texts[i]);
        double value = 77;

        CHECK(!sk_json_double(&number, &value));
        CHECK_EQ(value, 0);
    }
}

/* Halfway between two doubles, a digit far behind decides. */
static void digits_far_behind_decide_the_rounding(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_json_span_t number;
    double value = 0;

    sk_buffer_append_text(&text, "9007199254740993.");
    for (int i = 0; i < 2000; i++) {
        sk_buffer_append_char(&text, '0');
    }
    number = number_of(text.data);
    CHECK(sk_json_double(&number, &value));
    CHECK_EQ(value, INT64_C(9007199254740992));
    sk_buffer_append_char(&text, '1');
    number = number_of(text.data);
    CHECK(sk_json_double(&number, &value));
    CHECK_EQ(value, INT64_C(9007199254740994));
    sk_buffer_fini(&text);
}

static void thousands_of_digits_before_the_point_are_read(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_json_span_t number;
    double value = 0;
    int64_t integer = 0;

    for (int i = 0; i < 3000; i++) {
        sk_buffer_append_char(&text, (char)('1' + i % 9));
    }
    sk_buffer_append_text(&text, "e-2999");
    number = number_of(text.data);
    CHECK(sk_json_double(&number, &value));
    CHECK(value == 1.234567891234567891234567891);
    CHECK_EQ(sk_json_integer(&number, &integer), SK_JSON_FRACTION);
    sk_buffer_fini(&text);
}

static void print_form(char *text, size_t room, int form, double value)
{
    switch (form) {
    case 0:
        snprintf(text, room, "%.17g", value);
        break;
    case 1:
        snprintf(text, room, "%.5e", value);
        break;
    case 2:
        snprintf(text, room, "%.25e", value);
        break;
    case 3:
        snprintf(text, room, "%.3f", value);
        break;
    default:
        snprintf(text, room, "%.0f.", value);
        break;
    }
}

static void doubles_agree_with_the_c_library_in_every_form(void)
{
    uint64_t state = 88172645463325252u; /* xorshift: the same numbers each time */

    for (int i = 0; i < 20000; i++) {
        char text[512];
        double wanted = 0;
        double value = 0;
        sk_json_span_t number;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        /* Half of them near everyday numbers, half of any size. */
        wanted = (double)(int64_t)(state >> 20) / 65536;
        if (i % 2 == 0) {
            memcpy(&wanted, &state, sizeof(wanted));
        }
        print_form(text, sizeof(text), i % 5, wanted);
        if (strpbrk(text, "in") != NULL) {
            continue; /* no number */
        }
        number = number_of(text);
        wanted = strtod(text, NULL);
        CHECK(sk_json_double(&number, &value));
        if (memcmp(&value, &wanted, sizeof(value)) != 0) {
            check_fail(__FILE__, __LINE__, "%s: read as %a, wanted %a", text, value, wanted);
        }
    }
}

static void the_locale_changes_nothing(void)
{
    use_locale_of_commas();
    doubles_are_the_nearest_ones();
    integers_are_read_digit_by_digit();
    digits_far_behind_decide_the_rounding();
}

static void a_text_is_one_strict_number_or_none(void)
{
    static const char *const numbers[] = {"0",   "-5",      "1.5",
                                          "1e3", "-0.5E-7", "18446744073709551616"};
    static const char *const others[] = {"",    " 1",  "1 ",    "01",  "1.",  ".5",
                                         "+1",  "-",   "1e",    "0x1", "1,5", "1e400",
                                         "NaN", "1\n", "\"1\"", "true"};
    sk_json_span_t number;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        CHECK(sk_json_number_text(numbers[i], strlen(numbers[i]), &number));
        CHECK(number.text == numbers[i]);
        CHECK_EQ(number.size, strlen(numbers[i]));
        CHECK_EQ(number.type, SK_JSON_NUMBER);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (sk_json_number_text(others[i], strlen(others[i]), &number)) {
            check_fail(__FILE__, __LINE__, "\"%s\" is accepted", others[i]);
        }
    }
    CHECK(!sk_json_number_text("1\0", 2, &number));
    CHECK(sk_json_number_text("12", 1, &number));
}

TESTS(TEST(integers_are_read_digit_by_digit), TEST(doubles_are_the_nearest_ones),
      TEST(minus_zero_stays_negative), TEST(what_is_beyond_a_double_is_false_and_zero),
      TEST(digits_far_behind_decide_the_rounding),
      TEST(thousands_of_digits_before_the_point_are_read),
      TEST(doubles_agree_with_the_c_library_in_every_form), TEST(the_locale_changes_nothing),
      TEST(a_text_is_one_strict_number_or_none))
