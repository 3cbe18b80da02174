/*
 * value.c - scan, then write again what was scanned.
 */
#include "value.h"

#include <stdlib.h>
#include <string.h>

#include <alloc.h>
#include <json.h>

#include "frame.h"

static const sk_json_limits_t limits = {SK_JSON_REPLY, FRAME_TOTAL_MAX, 64};

/* A worker sends what is not text up to this size: beyond it, a value of many small parts would
 * keep the server busy and grow to many times its size. */
#define STRUCTURE_MAX (1024 * 1024)

static void write_value(sk_buffer_t *out, const sk_json_span_t *value);

static void write_string(sk_buffer_t *out, const sk_json_span_t *value)
{
    char *text = sk_malloc(value->size);

    if (text == NULL) {
        out->failed = true;
        return;
    }
    sk_json_write_string(out, text, sk_json_string_decode(value, text));
    sk_free(text);
}

static size_t digits(const char *text, size_t size, size_t at)
{
    const size_t start = at;

    while (at < size && text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    return at - start;
}

/* JSON's grammar alone: an integer may have any number of digits. */
static bool is_number(const char *text, size_t size)
{
    size_t at = size > 0 && text[0] == '-';
    size_t count = digits(text, size, at);

    if (count == 0 || (count > 1 && text[at] == '0')) {
        return false;
    }
    at += count;
    if (at < size && text[at] == '.') {
        count = digits(text, size, ++at);
        at += count;
    }
    if (count > 0 && at < size && (text[at] | 0x20) == 'e') {
        at++;
        at += at < size && (text[at] == '+' || text[at] == '-');
        count = digits(text, size, at);
        at += count;
    }
    return count > 0 && at == size;
}

/* A number as it stands, if it stands as JSON has it. */
static void write_number(sk_buffer_t *out, const sk_json_span_t *value)
{
    if (is_number(value->text, value->size)) {
        sk_buffer_append(out, value->text, value->size);
    } else {
        sk_json_write_string(out, value->text, value->size);
    }
}

static void write_array(sk_buffer_t *out, const sk_json_span_t *array)
{
    sk_json_cursor_t cursor = sk_json_enter(array);
    sk_json_span_t value;
    const char *separator = "[";

    while (sk_json_next(&cursor, NULL, &value)) {
        sk_buffer_append_char(out, *separator);
        separator = ",";
        write_value(out, &value);
    }
    sk_buffer_append_text(out, *separator == '[' ? "[]" : "]");
}

/* ---- objects: of equal names, which can be what is left of unequal ones, the last stands ---- */

typedef struct member {
    char *name; /* decoded; owned */
    size_t size;
    sk_json_span_t value;
    size_t index;
    bool stands;
} member_t;

static int by_name(const void *a, const void *b)
{
    const member_t *left = a;
    const member_t *right = b;
    size_t shorter = left->size < right->size ? left->size : right->size;
    int order = memcmp(left->name, right->name, shorter);

    if (order == 0) {
        order = (left->size > right->size) - (left->size < right->size);
    }
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static int by_index(const void *a, const void *b)
{
    const member_t *left = a;
    const member_t *right = b;

    return (left->index > right->index) - (left->index < right->index);
}

static bool same_name(const member_t *a, const member_t *b)
{
    return a->size == b->size && memcmp(a->name, b->name, a->size) == 0;
}

static void write_members(sk_buffer_t *out, member_t *members, size_t count)
{
    const char *separator = "";

    qsort(members, count, sizeof(*members), by_name);
    for (size_t i = 0; i < count; i++) {
        members[i].stands = i + 1 == count || !same_name(&members[i], &members[i + 1]);
    }
    qsort(members, count, sizeof(*members), by_index);
    sk_buffer_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (members[i].stands) {
            sk_buffer_append_text(out, separator);
            separator = ",";
            sk_json_write_string(out, members[i].name, members[i].size);
            sk_buffer_append_char(out, ':');
            write_value(out, &members[i].value);
        }
    }
    sk_buffer_append_char(out, '}');
}

static void write_object(sk_buffer_t *out, const sk_json_span_t *object)
{
    sk_json_cursor_t cursor = sk_json_enter(object);
    sk_json_span_t key;
    sk_json_span_t value;
    size_t count = 0;

    while (sk_json_next(&cursor, &key, &value)) {
        count++;
    }
    if (count == 0) {
        sk_buffer_append_text(out, "{}");
        return;
    }
    member_t *members = sk_calloc(count, sizeof(*members));
    bool whole = members != NULL;
    cursor = sk_json_enter(object);
    for (size_t i = 0; whole && i < count && sk_json_next(&cursor, &key, &value); i++) {
        members[i].name = sk_json_string_copy(&key, &members[i].size);
        members[i].value = value;
        members[i].index = i;
        whole = members[i].name != NULL;
    }
    if (whole) {
        write_members(out, members, count);
    } else {
        out->failed = true;
    }
    for (size_t i = 0; members != NULL && i < count; i++) {
        sk_free(members[i].name);
    }
    sk_free(members);
}

static void write_value(sk_buffer_t *out, const sk_json_span_t *value)
{
    switch (value->type) {
    case SK_JSON_NULL:
    case SK_JSON_BOOLEAN:
        sk_buffer_append(out, value->text, value->size);
        break;
    case SK_JSON_NUMBER:
        write_number(out, value);
        break;
    case SK_JSON_STRING:
        write_string(out, value);
        break;
    case SK_JSON_ARRAY:
        write_array(out, value);
        break;
    case SK_JSON_OBJECT:
        write_object(out, value);
        break;
    }
}

/* ---- frames ---- */

static bool read_member(const char *frame, size_t size, const char *name, sk_json_span_t *value)
{
    sk_json_span_t root;

    return sk_json_scan(frame, size, &limits, &root, NULL) == SK_JSON_OK &&
           root.type == SK_JSON_OBJECT && sk_json_member(&root, name, value);
}

bool value_read_result(const char *frame, size_t size, sk_buffer_t *json)
{
    sk_json_span_t value;

    if (!read_member(frame, size, "value", &value) ||
        (value.type != SK_JSON_STRING && value.size > STRUCTURE_MAX)) {
        return false;
    }
    sk_buffer_clear(json);
    write_value(json, &value);
    return !json->failed;
}

bool value_read_error(const char *frame, size_t size, sk_buffer_t *text)
{
    sk_json_span_t value;
    size_t length = 0;

    if (!read_member(frame, size, "traceback", &value) || value.type != SK_JSON_STRING) {
        return false;
    }
    char *copy = sk_json_string_copy(&value, &length);
    sk_buffer_clear(text);
    sk_buffer_append(text, copy, copy == NULL ? 0 : length);
    sk_free(copy);
    return copy != NULL && !text->failed;
}
