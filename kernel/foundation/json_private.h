/*
 * json_private.h - what the JSON files share: runs, characters, keys.
 *
 * All but sk__json_number_end() is for text that a scan has accepted, or for
 * the part of it that the scan has passed.
 */
#ifndef SK_JSON_PRIVATE_H
#define SK_JSON_PRIVATE_H

#include <stdint.h>
#include <string.h>

#include "json.h"

#define SK__JSON_MAX_DEPTH 1000
#define SK__JSON_REPAIRED  "\xEF\xBF\xBD" /* U+FFFD */

static inline bool sk__json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *sk__json_skip_space(const char *at, const char *end)
{
    while (at < end && sk__json_is_space(*at)) {
        at++;
    }
    return at;
}

static inline bool sk__json_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline const char *sk__json_skip_digits(const char *at, const char *end)
{
    while (at < end && sk__json_is_digit(*at)) {
        at++;
    }
    return at;
}

/* ASCII that stands for itself within quotes: no quote, backslash or control. */
static inline bool sk__json_is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Pass over plain bytes, eight at a time. */
static inline const char *sk__json_skip_plain(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = UINT64_C(0x8080808080808080);

    while (end - at >= 8) {
        uint64_t word = 0;
        uint64_t quotes = 0;
        uint64_t backslashes = 0;
        uint64_t special = 0;

        memcpy(&word, at, 8);
        quotes = word ^ ones * '"';
        backslashes = word ^ ones * '\\';
        /* In each: is a byte zero, below 0x20, above 0x7F? The lowest one found is right;
         * a borrow may point out others above it. */
        special = (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) |
                   ((word - ones * 0x20) & ~word) | word) &
                  tops;
        if (special != 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
            return at + (__builtin_ctzll(special) >> 3);
        }
        if (special != 0) {
            break;
        }
        at += 8;
    }
    while (at < end && sk__json_is_plain(*at)) {
        at++;
    }
    return at;
}

/* Read a value, of an array or object only the bracket, and return what is behind it. */
const char *sk__json_read_token(const char *at, const char *end, sk_json_span_t *token);

/* ---- characters within a string ---- */

typedef enum sk__json_char {
    SK__JSON_CHAR_RAW,    /* stands for itself */
    SK__JSON_CHAR_ESCAPE, /* a proper escape */
    SK__JSON_CHAR_LONE,   /* half a surrogate pair: U+FFFD */
    SK__JSON_CHAR_INVALID /* not UTF-8: U+FFFD */
} sk__json_char_t;

/* Decode one character, 1 to 4 bytes, and pass over it. */
sk__json_char_t sk__json_decode_char(const char **at, const char *end, char out[4],
                                     size_t *size_out);

/* ---- numbers ---- */

/* The end of the number at `at`; NULL if none by the profile's grammar, `wrong_out` then says
 * where. `harmless` accepts 01 and 1. too. */
const char *sk__json_number_end(const char *at, const char *end, bool harmless,
                                const char **wrong_out);
/* 123 and 4 are 123e4: the nearest double, which may be infinite. No digit needs to be a 0. */
double sk__json_digits_double(const char *digits, size_t size, int64_t exponent);
/* Append the number so that the strict grammar accepts it. */
void sk__json_number_append(sk_buffer_t *out, const char *text, size_t size);

/* ---- equal keys ---- */

typedef struct sk__json_key {
    const char *text; /* within the quotes */
    size_t size;
    uint32_t hash; /* set by sk__json_keys_sort */
    bool plain;
    void *node; /* whose key it is, if in a tree */
} sk__json_key_t;

bool sk__json_keys_equal(const sk__json_key_t *a, const sk__json_key_t *b);
/* Bring equal keys together, those in the order given; false: no memory. */
bool sk__json_keys_sort(sk__json_key_t *keys, size_t count);

#endif /* SK_JSON_PRIVATE_H */
