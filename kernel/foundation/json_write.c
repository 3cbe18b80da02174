/*
 * json_write.c - rendering single values.
 *
 * What is written is JSON whatever comes in: invalid UTF-8 becomes U+FFFD, no
 * number depends on the locale.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_private.h"
#include "text.h"

static void write_escaped(sk_buffer_t *out, char c)
{
    static const char short_names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char escape[8] = {'\\', '\0'};

    for (size_t i = 0; i + 1 < sizeof(short_names); i += 2) {
        if (short_names[i] == c) {
            escape[1] = short_names[i + 1];
        }
    }
    if (escape[1] == '\0') {
        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(unsigned char)c);
    }
    sk_buffer_append_text(out, escape);
}

void sk_json_write_string(sk_buffer_t *out, const char *text, size_t size)
{
    const char *at = text;
    const char *end = size > 0 ? text + size : text;

    sk_buffer_reserve(out, size < SIZE_MAX - 2 ? size + 2 : size);
    sk_buffer_append_char(out, '"');
    while (at < end) {
        const char *run = at;
        bool valid = true;

        /* A run of what stands for itself, ASCII or not. */
        for (;;) {
            at = sk__json_skip_plain(at, end);
            if (at == end || (unsigned char)*at < 0x80) {
                break;
            }
            size_t step = sk_utf8_step(at, (size_t)(end - at), &valid);
            if (!valid) {
                break;
            }
            at += step;
        }
        sk_buffer_append(out, run, (size_t)(at - run));
        if (at == end) {
            break;
        }
        if (valid) {
            write_escaped(out, *at++);
        } else {
            sk_buffer_append_text(out, SK__JSON_REPAIRED);
            at += sk_utf8_step(at, (size_t)(end - at), &valid);
        }
    }
    sk_buffer_append_char(out, '"');
}

void sk_json_write_text(sk_buffer_t *out, const char *text)
{
    if (text == NULL) {
        sk_buffer_append(out, "null", 4);
        return;
    }
    sk_json_write_string(out, text, strlen(text));
}

void sk_json_write_integer(sk_buffer_t *out, int64_t value)
{
    char text[24];
    char *at = text + sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    sk_buffer_append(out, at, (size_t)(text + sizeof(text) - at));
}

/* The fewest digits that read back as the same value, and the exponent of the first. */
static size_t shortest_digits(double value, char digits[24], int *exponent_out)
{
    /* Fifteen digits survive a double of full precision; only those near zero have less. */
    int precision = value < DBL_MIN ? 1 : 15;

    for (;; precision++) {
        char text[40];
        const char *at = text;
        size_t size = 0;

        /* d.ddde-07, the point being the locale's: between the first digit and the second. */
        snprintf(text, sizeof(text), "%.*e", precision - 1, value);
        for (; *at != 'e'; at++) {
            if (sk__json_is_digit(*at)) {
                digits[size++] = *at;
            }
        }
        while (size > 1 && digits[size - 1] == '0') {
            size--;
        }
        *exponent_out = (int)strtol(at + 1, NULL, 10);
        if (precision >= 17 ||
            sk__json_digits_double(digits, size, *exponent_out + 1 - (int64_t)size) == value) {
            return size;
        }
    }
}

/* Positional as long as it is short, else with an exponent; always with a mark of its type. */
void sk_json_write_double(sk_buffer_t *out, double value)
{
    char digits[24];
    size_t size = 0;
    int exponent = 0;

    if (!isfinite(value)) {
        sk_buffer_append(out, "null", 4);
        return;
    }
    if (signbit(value)) {
        sk_buffer_append_char(out, '-');
        value = -value;
    }
    if (value < 1e15 && value == (double)(int64_t)value) {
        sk_json_write_integer(out, (int64_t)value);
        sk_buffer_append(out, ".0", 2);
        return;
    }
    size = shortest_digits(value, digits, &exponent);
    if (exponent >= (int)size - 1 || exponent < -5) {
        sk_buffer_append(out, digits, 1);
        sk_buffer_append(out, ".", size > 1 ? 1 : 0);
        sk_buffer_append(out, digits + 1, size - 1);
        sk_buffer_appendf(out, "e%d", exponent);
    } else if (exponent < 0) {
        sk_buffer_append(out, "0.00000", (size_t)(1 - exponent));
        sk_buffer_append(out, digits, size);
    } else {
        sk_buffer_append(out, digits, (size_t)exponent + 1);
        sk_buffer_append_char(out, '.');
        sk_buffer_append(out, digits + exponent + 1, size - (size_t)exponent - 1);
    }
}
