/*
 * json_span.c - walking, comparing, decoding and compacting accepted text.
 */
#include "alloc.h"
#include "json_private.h"
#include "text.h"

/* ---- characters ---- */

static unsigned hex4(const char *at)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];

        value = value * 16 + (c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10);
    }
    return value;
}

static size_t encode_utf8(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(unsigned char)(0xC0 | code >> 6);
        out[1] = (char)(unsigned char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(unsigned char)(0xE0 | code >> 12);
        out[1] = (char)(unsigned char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(unsigned char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(unsigned char)(0xF0 | code >> 18);
    out[1] = (char)(unsigned char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(unsigned char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(unsigned char)(0x80 | (code & 0x3F));
    return 4;
}

/* *at is behind \u. */
static sk__json_char_t decode_unicode(const char **at, const char *end, char out[4],
                                      size_t *size_out)
{
    unsigned code = hex4(*at);
    unsigned low = 0;

    *at += 4;
    if (code >= 0xD800 && code < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        low = hex4(*at + 2);
    }
    if (low >= 0xDC00 && low <= 0xDFFF) {
        *at += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code <= 0xDFFF) {
        *size_out = encode_utf8(0xFFFD, out);
        return SK__JSON_CHAR_LONE;
    }
    *size_out = encode_utf8(code, out);
    return SK__JSON_CHAR_ESCAPE;
}

sk__json_char_t sk__json_decode_char(const char **at, const char *end, char out[4],
                                     size_t *size_out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    bool valid = true;

    if (**at != '\\') {
        *size_out = sk_utf8_step(*at, (size_t)(end - *at), &valid);
        memcpy(out, *at, *size_out);
        *at += *size_out;
        if (!valid) {
            *size_out = encode_utf8(0xFFFD, out);
            return SK__JSON_CHAR_INVALID;
        }
        return SK__JSON_CHAR_RAW;
    }
    *at += 2;
    if ((*at)[-1] == 'u') {
        return decode_unicode(at, end, out, size_out);
    }
    out[0] = values[strchr(names, (*at)[-1]) - names];
    *size_out = 1;
    return SK__JSON_CHAR_ESCAPE;
}

/* The closing quote of the string whose inside begins at `at`. */
static const char *string_end(const char *at, const char *end, bool *plain_out)
{
    bool valid = true;

    *plain_out = true;
    for (;;) {
        at = sk__json_skip_plain(at, end);
        if (*at == '"') {
            return at;
        }
        if (*at == '\\') {
            *plain_out = false;
            at += 2;
            continue;
        }
        if ((unsigned char)*at < 0x20) {
            *plain_out = false;
        }
        at += sk_utf8_step(at, (size_t)(end - at), &valid);
        *plain_out = *plain_out && valid;
    }
}

/* ---- walking ---- */

/* Behind the value that begins at `at`. */
static const char *value_end(const char *at, const char *end)
{
    bool plain = false;
    int depth = 0;

    do {
        switch (*at) {
        case '"':
            at = string_end(at + 1, end, &plain);
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        at++;
    } while (depth > 0);
    return at;
}

/* Behind a number or a word. */
static const char *token_end(const char *at, const char *end)
{
    while (at < end && !sk__json_is_space(*at) && *at != ',' && *at != '}' && *at != ']') {
        at++;
    }
    return at;
}

const char *sk__json_read_token(const char *at, const char *end, sk_json_span_t *token)
{
    const char *behind = NULL;

    token->plain = false;
    switch (*at) {
    case '"':
        token->type = SK_JSON_STRING;
        behind = string_end(at + 1, end, &token->plain) + 1;
        break;
    case '{':
    case '[':
        token->type = *at == '{' ? SK_JSON_OBJECT : SK_JSON_ARRAY;
        behind = at + 1;
        break;
    case 't':
    case 'f':
        token->type = SK_JSON_BOOLEAN;
        behind = token_end(at, end);
        break;
    case 'n':
        token->type = SK_JSON_NULL;
        behind = token_end(at, end);
        break;
    default:
        token->type = SK_JSON_NUMBER;
        behind = token_end(at, end);
        break;
    }
    token->text = at;
    token->size = (size_t)(behind - at);
    return behind;
}

static const char *read_value(const char *at, const char *end, sk_json_span_t *value)
{
    const char *behind = sk__json_read_token(at, end, value);

    if (value->type == SK_JSON_OBJECT || value->type == SK_JSON_ARRAY) {
        behind = value_end(at, end);
        value->size = (size_t)(behind - at);
    }
    return behind;
}

sk_json_cursor_t sk_json_enter(const sk_json_span_t *span)
{
    sk_json_cursor_t cursor = {span->text, span->text, span->type};

    if (span->type == SK_JSON_ARRAY || span->type == SK_JSON_OBJECT) {
        cursor.at = span->text + 1;
        cursor.end = span->text + span->size - 1;
    }
    return cursor;
}

bool sk_json_next(sk_json_cursor_t *cursor, sk_json_span_t *key, sk_json_span_t *value)
{
    const char *end = cursor->end;
    const char *at = sk__json_skip_space(cursor->at, end);

    if (at < end && *at == ',') {
        at = sk__json_skip_space(at + 1, end);
    }
    if (at == end) {
        cursor->at = end;
        return false;
    }
    if (cursor->type == SK_JSON_OBJECT) {
        sk_json_span_t unwanted;

        at = read_value(at, end, key != NULL ? key : &unwanted);
        at = sk__json_skip_space(at, end) + 1; /* the colon */
        at = sk__json_skip_space(at, end);
    }
    cursor->at = read_value(at, end, value);
    return true;
}

bool sk_json_member(const sk_json_span_t *object, const char *name, sk_json_span_t *value)
{
    sk_json_cursor_t cursor = sk_json_enter(object);
    size_t size = strlen(name);
    sk_json_span_t key;
    sk_json_span_t each;
    bool found = false;

    if (object->type != SK_JSON_OBJECT) {
        return false;
    }
    while (sk_json_next(&cursor, &key, &each)) {
        if (sk_json_string_equals(&key, name, size)) {
            *value = each;
            found = true;
        }
    }
    return found;
}

/* ---- strings ---- */

bool sk_json_string_equals(const sk_json_span_t *string, const char *text, size_t size)
{
    const char *at = string->text + 1;
    const char *end = string->text + string->size - 1;
    size_t done = 0;

    if (string->plain) {
        return size == (size_t)(end - at) && memcmp(at, text, size) == 0;
    }
    while (at < end) {
        char one[4];
        size_t step = 0;

        sk__json_decode_char(&at, end, one, &step);
        if (step > size - done || memcmp(text + done, one, step) != 0) {
            return false;
        }
        done += step;
    }
    return done == size;
}

size_t sk_json_string_decode(const sk_json_span_t *string, char *out)
{
    const char *at = string->text + 1;
    const char *end = string->text + string->size - 1;
    size_t size = 0;

    while (at < end) {
        const char *run = at;
        char one[4];
        size_t step = 0;

        at = sk__json_skip_plain(at, end);
        memcpy(out + size, run, (size_t)(at - run));
        size += (size_t)(at - run);
        if (at == end) {
            break;
        }
        if (sk__json_decode_char(&at, end, one, &step) == SK__JSON_CHAR_INVALID) {
            one[0] = '?';
            step = 1;
        }
        memcpy(out + size, one, step);
        size += step;
    }
    out[size] = '\0';
    return size;
}

void sk_json_string_append(sk_buffer_t *out, const sk_json_span_t *string)
{
    const char *at = string->text + 1;
    const char *end = string->text + string->size - 1;

    sk_buffer_reserve(out, string->size - 2);
    while (at < end) {
        const char *run = at;
        char one[4];
        size_t step = 0;

        at = sk__json_skip_plain(at, end);
        sk_buffer_append(out, run, (size_t)(at - run));
        if (at < end) {
            sk__json_decode_char(&at, end, one, &step);
            sk_buffer_append(out, one, step);
        }
    }
}

char *sk_json_string_copy(const sk_json_span_t *string, size_t *size_out)
{
    sk_buffer_t copy = SK_BUFFER_INIT;

    sk_json_string_append(&copy, string);
    return sk_buffer_take(&copy, size_out);
}

/* ---- compacting ---- */

/* Proper escapes keep their spelling; what the strict profile refuses is put right. */
static void compact_string(sk_buffer_t *out, const char *at, const char *end)
{
    while (at < end) {
        const char *run = at;
        char one[4];
        size_t step = 0;
        sk__json_char_t kind = SK__JSON_CHAR_RAW;

        at = sk__json_skip_plain(at, end);
        sk_buffer_append(out, run, (size_t)(at - run));
        if (at == end) {
            break;
        }
        run = at;
        kind = sk__json_decode_char(&at, end, one, &step);
        if (kind == SK__JSON_CHAR_RAW && (unsigned char)*run < 0x20) {
            sk_buffer_appendf(out, "\\u%04x", (unsigned)*run);
        } else if (kind == SK__JSON_CHAR_RAW || kind == SK__JSON_CHAR_ESCAPE) {
            sk_buffer_append(out, run, (size_t)(at - run));
        } else {
            sk_buffer_append(out, one, step);
        }
    }
}

void sk_json_compact(sk_buffer_t *out, const sk_json_span_t *span)
{
    const char *at = span->text;
    const char *end = span->text + span->size;
    bool plain = false;

    sk_buffer_reserve(out, span->size);
    while (at < end) {
        const char *begin = at;

        if (sk__json_is_space(*at)) {
            at++;
        } else if (*at == '"') {
            at = string_end(at + 1, end, &plain) + 1;
            sk_buffer_append_char(out, '"');
            if (plain) {
                sk_buffer_append(out, begin + 1, (size_t)(at - begin - 2));
            } else {
                compact_string(out, begin + 1, at - 1);
            }
            sk_buffer_append_char(out, '"');
        } else if (*at == '-' || sk__json_is_digit(*at)) {
            at = token_end(at, end);
            sk__json_number_append(out, begin, (size_t)(at - begin));
        } else {
            sk_buffer_append_char(out, *at);
            at++;
        }
    }
}
