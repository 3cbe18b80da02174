/*
 * json_number.c - numbers read by their digits, never by the locale.
 *
 * A number is taken apart into its significant digits and a power of ten:
 * -0120.50e3 is -, 1205, 10^2. What is an integer, and which one, follows from
 * these; only what no double can multiply out exactly goes to strtod, as digits
 * and exponent, where no decimal point can be misread.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "json_private.h"

/* An exponent beyond this is no different from it: no text has as many digits. */
#define FARTHEST_EXPONENT (INT64_MAX / 4)

/* More digits never change which double is nearest, except for whether all of them are zero. */
#define DECISIVE_DIGITS 780

typedef struct decimal {
    bool negative;
    const char *first; /* significant digit, NULL if the number is zero */
    const char *last;  /* one; a point may stand between */
    int64_t digits;    /* from first to last */
    int64_t exponent;  /* of ten, at the last digit */
    int64_t magnitude; /* the number is 0.<digits> * 10^magnitude */
} decimal_t;

static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = *at == '-';
    int64_t exponent = 0;

    if (*at == '-' || *at == '+') {
        at++;
    }
    for (; at < end; at++) {
        exponent =
            exponent < FARTHEST_EXPONENT / 10 ? exponent * 10 + (*at - '0') : FARTHEST_EXPONENT;
    }
    return negative ? -exponent : exponent;
}

static decimal_t decimal_of(const sk_json_span_t *number)
{
    decimal_t decimal = {.negative = number->text[0] == '-'};
    const char *end = number->text + number->size;
    const char *point = NULL;
    const char *at = number->text + decimal.negative;
    int64_t digits = 0; /* since the first significant one */

    for (; at < end && (sk__json_is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            point = at;
            continue;
        }
        if (*at != '0') {
            decimal.first = decimal.first != NULL ? decimal.first : at;
            decimal.last = at;
            decimal.digits = digits + 1;
        }
        digits += decimal.first != NULL;
    }
    if (decimal.first == NULL) {
        return decimal;
    }
    decimal.exponent = digits - decimal.digits;
    if (point != NULL) {
        decimal.exponent -= at - point - 1;
    }
    if (at < end) {
        decimal.exponent += read_exponent(at + 1, end);
    }
    decimal.magnitude = decimal.exponent + decimal.digits;
    return decimal;
}

static bool append_digit(uint64_t *value, unsigned digit)
{
    if (*value > (UINT64_MAX - digit) / 10) {
        return false;
    }
    *value = *value * 10 + digit;
    return true;
}

sk_json_number_t sk_json_integer(const sk_json_span_t *number, int64_t *value_out)
{
    decimal_t decimal = decimal_of(number);
    uint64_t value = 0;
    bool fits = decimal.magnitude <= 19;

    *value_out = 0;
    if (decimal.first == NULL) {
        return SK_JSON_INTEGER;
    }
    if (decimal.exponent < 0) {
        return SK_JSON_FRACTION;
    }
    for (const char *at = decimal.first; fits && at <= decimal.last; at++) {
        fits = *at == '.' || append_digit(&value, (unsigned)(*at - '0'));
    }
    for (int64_t i = 0; fits && i < decimal.exponent; i++) {
        fits = append_digit(&value, 0);
    }
    if (!fits || value > (uint64_t)INT64_MAX + decimal.negative) {
        return SK_JSON_OUT_OF_RANGE;
    }
    /* The smallest one has no positive counterpart. */
    *value_out = decimal.negative ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return SK_JSON_INTEGER;
}

/* Whole numbers below 2^53 and powers of ten up to 22 are doubles, so one operation rounds once. */
static bool multiply_out(const decimal_t *decimal, double *value_out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t whole = 0;

    if (FLT_EVAL_METHOD != 0 || decimal->digits > 15 || decimal->exponent < -22 ||
        decimal->exponent > 22) {
        return false;
    }
    for (const char *at = decimal->first; at <= decimal->last; at++) {
        whole = *at == '.' ? whole : whole * 10 + (uint64_t)(*at - '0');
    }
    *value_out = decimal->exponent < 0 ? (double)whole / powers[-decimal->exponent]
                                       : (double)whole * powers[decimal->exponent];
    return true;
}

/* e-123 and a NUL; room for ten digits. */
static void append_exponent(char *at, int exponent)
{
    unsigned rest = exponent < 0 ? 0 - (unsigned)exponent : (unsigned)exponent;
    char digits[10];
    size_t size = 0;

    *at++ = 'e';
    if (exponent < 0) {
        *at++ = '-';
    }
    do {
        digits[size++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    while (size > 0) {
        *at++ = digits[--size];
    }
    *at = '\0';
}

/* The digits as one whole number and its exponent, which every locale reads alike. */
static double convert(const decimal_t *decimal)
{
    char text[DECISIVE_DIGITS + 32];
    size_t size = 0;
    int64_t exponent = decimal->exponent;
    const char *at = decimal->first;

    for (; at <= decimal->last && size < DECISIVE_DIGITS; at++) {
        if (*at != '.') {
            text[size++] = *at;
        }
    }
    if (at <= decimal->last) {
        text[size++] = '1'; /* the last digit is not 0: there is more */
        exponent += decimal->digits - (int64_t)size;
    }
    append_exponent(text + size, (int)exponent);
    return strtod(text, NULL);
}

static double nearest_double(const decimal_t *decimal)
{
    double value = 0;

    if (decimal->first == NULL || decimal->magnitude < -400) {
        return 0;
    }
    if (decimal->magnitude > 400) {
        return HUGE_VAL;
    }
    return multiply_out(decimal, &value) ? value : convert(decimal);
}

double sk__json_digits_double(const char *digits, size_t size, int64_t exponent)
{
    decimal_t decimal = {
        .first = digits,
        .last = digits + size - 1,
        .digits = (int64_t)size,
        .exponent = exponent,
        .magnitude = exponent + (int64_t)size,
    };

    return nearest_double(&decimal);
}

bool sk_json_double(const sk_json_span_t *number, double *value_out)
{
    decimal_t decimal = decimal_of(number);
    double value = nearest_double(&decimal);

    if (isinf(value)) {
        *value_out = 0;
        return false;
    }
    *value_out = decimal.negative ? -value : value;
    return true;
}

const char *sk__json_number_end(const char *at, const char *end, bool harmless,
                                const char **wrong_out)
{
    const char *digits = NULL;

    at += at < end && *at == '-';
    digits = at;
    at = sk__json_skip_digits(at, end);
    if (at == digits) {
        *wrong_out = at;
        return NULL;
    }
    if (!harmless && *digits == '0' && at - digits > 1) {
        *wrong_out = digits + 1;
        return NULL;
    }
    if (at < end && *at == '.') {
        digits = ++at;
        at = sk__json_skip_digits(at, end);
        if (at == digits && !harmless) {
            *wrong_out = at;
            return NULL;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = sk__json_skip_digits(at, end);
        if (at == digits) {
            *wrong_out = at;
            return NULL;
        }
    }
    return at;
}

bool sk_json_number_text(const char *text, size_t size, sk_json_span_t *number)
{
    const char *wrong = NULL;
    double value = 0;

    *number = (sk_json_span_t){text, size, SK_JSON_NUMBER, false};
    return size > 0 && sk__json_number_end(text, text + size, false, &wrong) == text + size &&
           sk_json_double(number, &value);
}

void sk__json_number_append(sk_buffer_t *out, const char *text, size_t size)
{
    const char *end = text + size;
    const char *digits = text + (*text == '-');
    const char *point = sk__json_skip_digits(digits, end);

    sk_buffer_append(out, text, (size_t)(digits - text));
    while (point - digits > 1 && *digits == '0') {
        digits++;
    }
    if (point < end && *point == '.' && (point + 1 == end || !sk__json_is_digit(point[1]))) {
        sk_buffer_append(out, digits, (size_t)(point - digits));
        sk_buffer_append_text(out, ".0");
        digits = point + 1;
    }
    sk_buffer_append(out, digits, (size_t)(end - digits));
}
