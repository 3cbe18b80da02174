/*
 * json_scan.c - one pass over a text that decides whether it is JSON of ours.
 *
 * No recursion: open arrays and objects stand on a stack of fixed size. Keys
 * of the objects that are open stand on another one, each object's together at
 * its top when it is closed; there they are compared.
 */
#include <stdarg.h>
#include <stdio.h>

#include "alloc.h"
#include "json_private.h"
#include "text.h"

#define DEFAULT_MAX_SIZE  ((size_t)16 << 20)
#define DEFAULT_MAX_DEPTH 64
#define KEYS_AT_HAND      64
#define KEYS_IN_PAIRS     16 /* up to here comparing each with each is faster than sorting */

typedef struct scanner {
    const char *text;
    const char *end;
    const char *at;
    bool strict;
    unsigned max_depth;
    sk_json_error_t *error; /* NULL ok */
    sk_json_status_t status;

    unsigned depth;
    bool is_object[SK__JSON_MAX_DEPTH];
    size_t first_key[SK__JSON_MAX_DEPTH];

    sk__json_key_t *keys; /* own_keys, or owned */
    size_t key_count;
    size_t key_room;
    sk__json_key_t own_keys[KEYS_AT_HAND];
} scanner_t;

static const char *const type_names[] = {
    [SK_JSON_NULL] = "null",     [SK_JSON_BOOLEAN] = "boolean", [SK_JSON_NUMBER] = "number",
    [SK_JSON_STRING] = "string", [SK_JSON_ARRAY] = "array",     [SK_JSON_OBJECT] = "object",
};

const char *sk_json_type_name(sk_json_type_t type)
{
    return type_names[type];
}

/* Always false, so that a failing step ends with `return refuse(...)`. */
__attribute__((cold, noinline, format(printf, 4, 5))) static bool
refuse(scanner_t *s, sk_json_status_t status, const char *at, const char *format, ...)
{
    s->status = status;
    if (s->error != NULL) {
        va_list arguments;

        s->error->status = status;
        s->error->offset = (size_t)(at - s->text);
        va_start(arguments, format);
        vsnprintf(s->error->text, sizeof(s->error->text), format, arguments);
        va_end(arguments);
    }
    return false;
}

__attribute__((cold, noinline)) static bool refuse_unexpected(scanner_t *s, const char *at,
                                                              const char *expected)
{
    size_t offset = (size_t)(at - s->text);

    if (at >= s->end) {
        return refuse(s, SK_JSON_INVALID, at, "expected %s at byte %zu, found the end of the text",
                      expected, offset);
    }
    if (*at > 0x20 && *at < 0x7F) {
        return refuse(s, SK_JSON_INVALID, at, "expected %s at byte %zu, found '%c'", expected,
                      offset, *at);
    }
    return refuse(s, SK_JSON_INVALID, at, "expected %s at byte %zu, found the byte 0x%02x",
                  expected, offset, (unsigned)(unsigned char)*at);
}

/* ---- strings ---- */

/* The four digits of \uXXXX, or -1. */
static int hex4(const char *at, const char *end)
{
    int value = 0;

    if (end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* s->at is at the u of \uXXXX. */
static bool scan_unicode_escape(scanner_t *s)
{
    const char *begin = s->at - 1;
    int unit = hex4(s->at + 1, s->end);
    int low = -1;

    if (unit < 0) {
        return refuse_unexpected(s, s->at + 1, "four hexadecimal digits");
    }
    s->at += 5;
    if (!s->strict) {
        return true; /* what is half a pair or U+0000 is seen to by the decoder */
    }
    if (unit == 0) {
        return refuse(s, SK_JSON_INVALID, begin, "\\u0000 at byte %zu is not allowed",
                      (size_t)(begin - s->text));
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        return true;
    }
    if (unit < 0xDC00 && s->end - s->at > 6 && s->at[0] == '\\' && s->at[1] == 'u') {
        low = hex4(s->at + 2, s->end);
    }
    if (low < 0xDC00 || low > 0xDFFF) {
        return refuse(s, SK_JSON_INVALID, begin,
                      "\\u%04x at byte %zu is half of a surrogate pair, the other half is missing",
                      (unsigned)unit, (size_t)(begin - s->text));
    }
    s->at += 6;
    return true;
}

/* s->at is at a byte within a string that is not plain ASCII and no quote. */
static bool scan_special(scanner_t *s)
{
    unsigned char byte = (unsigned char)*s->at;
    bool valid = true;
    size_t step = 0;

    if (byte == '\\') {
        s->at++;
        if (s->at < s->end && *s->at == 'u') {
            return scan_unicode_escape(s);
        }
        if (s->at == s->end || *s->at == '\0' || strchr("\"\\/bfnrt", *s->at) == NULL) {
            return refuse_unexpected(s, s->at, "one of \"\\/bfnrtu after a backslash");
        }
        s->at++;
        return true;
    }
    if (byte < 0x20) {
        if (s->strict) {
            return refuse(s, SK_JSON_INVALID, s->at,
                          "raw control character at byte %zu, write it as \\u%04x",
                          (size_t)(s->at - s->text), (unsigned)byte);
        }
        s->at++;
        return true;
    }
    step = sk_utf8_step(s->at, (size_t)(s->end - s->at), &valid);
    if (!valid && s->strict) {
        return refuse(s, SK_JSON_INVALID, s->at, "invalid UTF-8 in a string at byte %zu",
                      (size_t)(s->at - s->text));
    }
    s->at += step;
    return true;
}

/* s->at is at the opening quote. */
static bool scan_string(scanner_t *s, sk_json_span_t *string)
{
    const char *begin = s->at;
    bool plain = true;

    s->at++;
    for (;;) {
        s->at = sk__json_skip_plain(s->at, s->end);
        if (s->at == s->end) {
            return refuse(s, SK_JSON_INVALID, begin,
                          "the string that begins at byte %zu is not closed",
                          (size_t)(begin - s->text));
        }
        if (*s->at == '"') {
            s->at++;
            *string = (sk_json_span_t){begin, (size_t)(s->at - begin), SK_JSON_STRING, plain};
            return true;
        }
        /* In strict text other bytes than escapes are what they seem to be. */
        plain = plain && s->strict && *s->at != '\\';
        if (!scan_special(s)) {
            return false;
        }
    }
}

/* ---- keys ---- */

static bool keys_push(scanner_t *s, const sk_json_span_t *key)
{
    if (s->key_count == s->key_room) {
        size_t size = s->key_count * sizeof(*s->keys);
        sk__json_key_t *keys = sk_realloc(s->keys == s->own_keys ? NULL : s->keys, 2 * size);

        if (keys == NULL) {
            return refuse(s, SK_JSON_NO_MEMORY, key->text,
                          "not enough memory to compare %zu member names", s->key_count);
        }
        if (s->keys == s->own_keys) {
            memcpy(keys, s->own_keys, size);
        }
        s->keys = keys;
        s->key_room *= 2;
    }
    s->keys[s->key_count++] =
        (sk__json_key_t){.text = key->text + 1, .size = key->size - 2, .plain = key->plain};
    return true;
}

/* Most keys differ in size already. */
static inline bool may_be_equal(const sk__json_key_t *a, const sk__json_key_t *b)
{
    return a->size == b->size || !a->plain || !b->plain;
}

/* The later one of two equal keys; the first such one in the text, NULL if all differ. */
static const sk__json_key_t *first_repetition(const sk__json_key_t *keys, size_t count,
                                              bool is_sorted)
{
    const sk__json_key_t *found = NULL;

    for (size_t i = 1; i < count; i++) {
        for (size_t j = is_sorted ? i - 1 : 0; j < i; j++) {
            if (may_be_equal(&keys[i], &keys[j]) && (found == NULL || keys[i].text < found->text) &&
                sk__json_keys_equal(&keys[i], &keys[j])) {
                found = &keys[i];
            }
        }
    }
    return found;
}

static bool keys_differ(scanner_t *s, size_t first)
{
    sk__json_key_t *keys = s->keys + first;
    size_t count = s->key_count - first;
    bool is_sorted = count > KEYS_IN_PAIRS;
    const sk__json_key_t *repeated = NULL;

    if (is_sorted && !sk__json_keys_sort(keys, count)) {
        return refuse(s, SK_JSON_NO_MEMORY, s->at, "not enough memory to compare %zu member names",
                      count);
    }
    repeated = first_repetition(keys, count, is_sorted);
    if (repeated != NULL) {
        return refuse(s, SK_JSON_INVALID, repeated->text - 1,
                      "the member \"%.*s\" at byte %zu is given twice",
                      (int)sk_utf8_cut(repeated->text, repeated->size, 64), repeated->text,
                      (size_t)(repeated->text - 1 - s->text));
    }
    s->key_count = first;
    return true;
}

/* ---- values ---- */

/* Whatever is no short integer. */
static bool scan_long_number(scanner_t *s)
{
    sk_json_span_t number = {s->at, 0, SK_JSON_NUMBER, false};
    const char *wrong = NULL;
    const char *end = sk__json_number_end(s->at, s->end, !s->strict, &wrong);
    double value = 0;

    if (end == NULL) {
        bool extra = wrong < s->end && sk__json_is_digit(*wrong);

        return refuse_unexpected(s, wrong, extra ? "no digit after a leading 0" : "a digit");
    }
    number.size = (size_t)(end - s->at);
    /* Without an exponent it takes more than 300 digits to leave the range of a double. */
    if (s->strict && (number.size > 300 || memchr(s->at, 'e', number.size) != NULL ||
                      memchr(s->at, 'E', number.size) != NULL)) {
        if (!sk_json_double(&number, &value)) {
            return refuse(s, SK_JSON_INVALID, s->at, "the number at byte %zu is too large",
                          (size_t)(s->at - s->text));
        }
    }
    s->at = end;
    return true;
}

static bool scan_number(scanner_t *s)
{
    const char *digits = s->at + (*s->at == '-');
    const char *end = sk__json_skip_digits(digits, s->end);
    bool is_short = end > digits && end - digits < 20 && (*digits != '0' || end == digits + 1);

    if (!is_short || (end < s->end && (*end == '.' || *end == 'e' || *end == 'E'))) {
        return scan_long_number(s);
    }
    s->at = end;
    return true;
}

static inline bool scan_word(scanner_t *s, const char *word, size_t size)
{
    if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0) {
        return refuse_unexpected(s, s->at, "a value");
    }
    s->at += size;
    return true;
}

/* A member's name and colon. */
static bool scan_key(scanner_t *s)
{
    sk_json_span_t key;

    s->at = sk__json_skip_space(s->at, s->end);
    if (s->at == s->end || *s->at != '"') {
        return refuse_unexpected(s, s->at, "a member name in double quotes");
    }
    if (!scan_string(s, &key) || (s->strict && !keys_push(s, &key))) {
        return false;
    }
    s->at = sk__json_skip_space(s->at, s->end);
    if (s->at == s->end || *s->at != ':') {
        return refuse_unexpected(s, s->at, "':' after a member name");
    }
    s->at++;
    return true;
}

/* s->at is at a bracket. Enters up to the first value, or passes over what is empty. */
static bool scan_open(scanner_t *s)
{
    bool is_object = *s->at == '{';

    if (s->depth == s->max_depth) {
        return refuse(s, SK_JSON_TOO_DEEP, s->at,
                      "arrays and objects lie inside each other more than %u deep at byte %zu",
                      s->max_depth, (size_t)(s->at - s->text));
    }
    s->at = sk__json_skip_space(s->at + 1, s->end);
    if (s->at < s->end && *s->at == (is_object ? '}' : ']')) {
        s->at++;
        return true;
    }
    s->is_object[s->depth] = is_object;
    s->first_key[s->depth] = s->key_count;
    s->depth++;
    return !is_object || scan_key(s);
}

/* Behind a value: close what ends here, up to the next value or the end of the root. */
static bool scan_close(scanner_t *s)
{
    while (s->depth > 0) {
        bool is_object = s->is_object[s->depth - 1];
        size_t first_key = s->first_key[s->depth - 1];

        s->at = sk__json_skip_space(s->at, s->end);
        if (s->at < s->end && *s->at == ',') {
            s->at++;
            return !is_object || scan_key(s);
        }
        if (s->at == s->end || *s->at != (is_object ? '}' : ']')) {
            return refuse_unexpected(s, s->at, is_object ? "',' or '}'" : "',' or ']'");
        }
        if (s->key_count - first_key > 1 && !keys_differ(s, first_key)) {
            return false;
        }
        s->key_count = first_key;
        s->depth--;
        s->at++;
    }
    return true;
}

/* A value, or the beginning of one: then s->depth has grown. */
static bool scan_value(scanner_t *s, sk_json_span_t *value)
{
    value->text = s->at;
    value->plain = false;
    switch (s->at < s->end ? *s->at : '\0') {
    case '{':
        value->type = SK_JSON_OBJECT;
        return scan_open(s);
    case '[':
        value->type = SK_JSON_ARRAY;
        return scan_open(s);
    case '"':
        return scan_string(s, value);
    case 't':
        value->type = SK_JSON_BOOLEAN;
        return scan_word(s, "true", 4);
    case 'f':
        value->type = SK_JSON_BOOLEAN;
        return scan_word(s, "false", 5);
    case 'n':
        value->type = SK_JSON_NULL;
        return scan_word(s, "null", 4);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        value->type = SK_JSON_NUMBER;
        return scan_number(s);
    default:
        return refuse_unexpected(s, s->at, "a value");
    }
}

static bool scan_root(scanner_t *s, sk_json_span_t *root)
{
    s->at = sk__json_skip_space(s->at, s->end);
    if (!scan_value(s, root)) {
        return false;
    }
    while (s->depth > 0) {
        sk_json_span_t value;
        unsigned depth = s->depth;

        s->at = sk__json_skip_space(s->at, s->end);
        if (!scan_value(s, &value)) {
            return false;
        }
        if (s->depth == depth && !scan_close(s)) {
            return false;
        }
    }
    root->size = (size_t)(s->at - root->text);
    s->at = sk__json_skip_space(s->at, s->end);
    if (s->at < s->end) {
        return refuse_unexpected(s, s->at, "the end of the text");
    }
    return true;
}

static void skip_byte_order_mark(scanner_t *s)
{
    if (!s->strict && s->end - s->at >= 3 && memcmp(s->at, "\xEF\xBB\xBF", 3) == 0) {
        s->at += 3;
    }
}

sk_json_status_t sk_json_scan(const char *text, size_t size, const sk_json_limits_t *limits,
                              sk_json_span_t *root, sk_json_error_t *error)
{
    static const sk_json_limits_t defaults = {SK_JSON_STRICT, 0, 0};
    sk_json_span_t value = {NULL, 0, SK_JSON_NULL, false};
    size_t max_size = 0;
    scanner_t s; /* not filled with zeros: the stacks are large */

    limits = limits != NULL ? limits : &defaults;
    max_size = limits->max_size > 0 ? limits->max_size : DEFAULT_MAX_SIZE;
    s.text = text != NULL ? text : "";
    s.end = s.text + (text != NULL ? size : 0);
    s.at = s.text;
    s.strict = limits->profile == SK_JSON_STRICT;
    s.max_depth = limits->max_depth > 0 ? limits->max_depth : DEFAULT_MAX_DEPTH;
    s.max_depth = s.max_depth < SK__JSON_MAX_DEPTH ? s.max_depth : SK__JSON_MAX_DEPTH;
    s.error = error;
    s.status = SK_JSON_OK;
    s.depth = 0;
    s.keys = s.own_keys;
    s.key_count = 0;
    s.key_room = KEYS_AT_HAND;
    if (error != NULL) {
        error->status = SK_JSON_OK;
        error->offset = 0;
        error->text[0] = '\0';
    }

    if (size > max_size) {
        refuse(&s, SK_JSON_TOO_LONG, s.text, "the JSON text has %zu bytes, at most %zu are allowed",
               size, max_size);
    } else {
        skip_byte_order_mark(&s);
        if (!scan_root(&s, &value)) {
            value = (sk_json_span_t){NULL, 0, SK_JSON_NULL, false};
        }
    }
    if (s.keys != s.own_keys) {
        sk_free(s.keys);
    }
    if (root != NULL) {
        *root = value;
    }
    return s.status;
}
