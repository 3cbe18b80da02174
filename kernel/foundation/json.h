/*
 * json.h - JSON: a strict scan, spans, a lossless tree by cJSON, a writer.
 *
 * Everything that reads JSON scans it first. Two profiles (what others send us
 * to act on is read strictly, what a far side answers leniently):
 *
 *                       SK_JSON_STRICT               SK_JSON_REPLY
 *   invalid UTF-8       refused                      U+FFFD
 *   \u0000              refused                      U+2400 in trees
 *   lone surrogate      refused                      U+FFFD
 *   equal keys          refused                      last one wins
 *   01, [1.], 1e400     refused                      accepted
 *   raw control bytes   refused                      accepted in strings
 *   text after it       refused                      refused
 *   depth, size         limits->..., beyond: SK_JSON_TOO_DEEP, SK_JSON_TOO_LONG
 *
 * In both, NaN, Infinity, comments, trailing commas and a byte order mark
 * inside the text are refused; one byte order mark at the start is skipped in
 * the reply profile.
 */
#ifndef SK_JSON_H
#define SK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct cJSON;

typedef enum sk_json_profile { SK_JSON_STRICT, SK_JSON_REPLY } sk_json_profile_t;

typedef enum sk_json_status {
    SK_JSON_OK,
    SK_JSON_INVALID,
    SK_JSON_TOO_DEEP,
    SK_JSON_TOO_LONG,
    SK_JSON_NO_MEMORY
} sk_json_status_t;

typedef struct sk_json_limits {
    sk_json_profile_t profile;
    size_t max_size;    /* bytes; 0: 16 MiB */
    unsigned max_depth; /* arrays and objects inside each other; 0: 64; never above 1000 */
} sk_json_limits_t;

/* Where and why a text was refused. */
typedef struct sk_json_error {
    sk_json_status_t status;
    size_t offset;  /* byte */
    char text[192]; /* "expected a value at byte 17, found '}'" */
} sk_json_error_t;

typedef enum sk_json_type {
    SK_JSON_NULL,
    SK_JSON_BOOLEAN,
    SK_JSON_NUMBER,
    SK_JSON_STRING,
    SK_JSON_ARRAY,
    SK_JSON_OBJECT
} sk_json_type_t;

const char *sk_json_type_name(sk_json_type_t type);

/* A value within a scanned text; a string's span includes its quotes. Borrowed
 * from that text. */
typedef struct sk_json_span {
    const char *text;
    size_t size;
    sk_json_type_t type;
    bool plain; /* a string whose bytes are its value: no escapes, nothing to repair */
} sk_json_span_t;

/* ---- scan ---- */

/* Check a whole text in one pass and point out its root value. `limits` NULL:
 * strict with default limits. `root` and `error` may be NULL. Allocates only in the strict profile,
 * when the objects around one place have more than 64 members together, or one has more than
 * 16. */
sk_json_status_t sk_json_scan(const char *text, size_t size, const sk_json_limits_t *limits,
                              sk_json_span_t *root, sk_json_error_t *error);

/* ---- spans: only of texts that a scan has accepted ---- */

/* Walk the members of an object or the elements of an array:
 *     sk_json_cursor_t cursor = sk_json_enter(&span);
 *     while (sk_json_next(&cursor, &key, &value)) ...
 * `key` may be NULL; for arrays it is not written. */
typedef struct sk_json_cursor {
    const char *at;
    const char *end;
    sk_json_type_t type;
} sk_json_cursor_t;

sk_json_cursor_t sk_json_enter(const sk_json_span_t *span);
bool sk_json_next(sk_json_cursor_t *cursor, sk_json_span_t *key, sk_json_span_t *value);
/* A member by name, key escapes decoded; the last one of equal keys; false if absent. */
bool sk_json_member(const sk_json_span_t *object, const char *name, sk_json_span_t *value);

/* Is this string span, decoded, equal to the text? */
bool sk_json_string_equals(const sk_json_span_t *string, const char *text, size_t size);
/* Decoded length is never above span.size - 2. Decode into `out` (room for that plus a NUL);
 * returns the length. U+0000 is kept as a byte 0; lone halves become U+FFFD. Invalid UTF-8, which
 * only the reply profile lets through, becomes '?' here, since U+FFFD would need more room. */
size_t sk_json_string_decode(const sk_json_span_t *string, char *out);
/* Append the decoded string, invalid UTF-8 as U+FFFD. */
void sk_json_string_append(sk_buffer_t *out, const sk_json_span_t *string);
/* The same as a copy, sk_free; NULL when memory is out. `size_out` may be NULL. */
char *sk_json_string_copy(const sk_json_span_t *string, size_t *size_out);

typedef enum sk_json_number {
    SK_JSON_INTEGER,     /* fits int64, value exact: 5, 5.0, 50e-1 */
    SK_JSON_FRACTION,    /* has a fraction */
    SK_JSON_OUT_OF_RANGE /* integral, beyond int64 */
} sk_json_number_t;
/* Read a number span as int64 without loss, digits by digits (never through a double). */
sk_json_number_t sk_json_integer(const sk_json_span_t *number, int64_t *value_out);
/* As double, locale-independent; false if it overflows to infinity. */
bool sk_json_double(const sk_json_span_t *number, double *value_out);
/* Point at a text that is one JSON number by the strict grammar and nothing else; false if not. */
bool sk_json_number_text(const char *text, size_t size, sk_json_span_t *number);

/* Append without insignificant white space. What the reply profile let through comes out as
 * strict JSON, except equal keys, U+0000 and numbers beyond a double. */
void sk_json_compact(sk_buffer_t *out, const sk_json_span_t *span);

/* ---- writer: appends, escapes what must be escaped ---- */

/* With quotes; invalid UTF-8 as U+FFFD. */
void sk_json_write_string(sk_buffer_t *out, const char *text, size_t size);
void sk_json_write_text(sk_buffer_t *out, const char *text); /* NULL: null */
void sk_json_write_integer(sk_buffer_t *out, int64_t value);
/* Shortest form that reads back equal, in the C locale; NaN and infinities: null. An integral
 * value keeps a mark of its type: 5.0. */
void sk_json_write_double(sk_buffer_t *out, double value);

/* ---- trees, the only home of cJSON ---- */

/* Scan, then parse. Integers beyond 15 digits and what no double holds keep their text (cJSON_Raw
 * nodes; read with sk_json_node_integer, sk_json_node_double). Free with sk_json_delete. */
struct cJSON *sk_json_parse(const char *text, size_t size, const sk_json_limits_t *limits,
                            sk_json_error_t *error);
void sk_json_delete(struct cJSON *node);
struct cJSON *sk_json_get(const struct cJSON *object,
                          const char *name);             /* case-sensitive; NULL ok */
const char *sk_json_node_text(const struct cJSON *node); /* of a string; else NULL */
bool sk_json_node_integer(const struct cJSON *node, int64_t *value_out); /* lossless or false */
bool sk_json_node_double(const struct cJSON *node, double *value_out);   /* of any number */
/* Render compactly, numbers without loss. A tree deeper than 1000 makes `out` fail. */
void sk_json_write_node(sk_buffer_t *out, const struct cJSON *node);

#endif /* SK_JSON_H */
