/*
 * json_tree.c - the home of cJSON: trees that lose nothing.
 *
 * cJSON holds the tree and frees it; our scan has read the text before, and
 * the nodes are made here. So none of cJSON's own parsing and printing takes
 * part: 1.7.15 cuts strings at \u0000, reads numbers by the locale's decimal
 * point, changes integers from 2^53 on and keeps equal keys. Its allocator is
 * the one its process has set; cJSON_InitHooks is never ours to call.
 */
#include <math.h>

#include <cjson/cJSON.h>

#include "alloc.h"
#include "json_private.h"

#define KEYS_IN_PAIRS 16

/* From here on a double cannot be trusted to keep a decimal integer as written. */
#define LARGEST_SAFE 999999999999999.0

/* ---- making nodes ---- */

/* The decoded inside of a string, U+0000 as U+2400 since a node's text ends at a NUL. */
static size_t decode_for_tree(const sk_json_span_t *string, char *out)
{
    const char *at = string->text + 1;
    const char *end = string->text + string->size - 1;
    size_t size = 0;

    while (at < end) {
        char one[4];
        size_t step = 0;

        sk__json_decode_char(&at, end, one, &step);
        if (one[0] == '\0') {
            memcpy(one, "\xE2\x90\x80", 3);
            step = 3;
        }
        if (out != NULL) {
            memcpy(out + size, one, step);
        }
        size += step;
    }
    return size;
}

/* Owned by cJSON. */
static char *copy_for_tree(const sk_json_span_t *string)
{
    size_t size = string->plain ? string->size - 2 : decode_for_tree(string, NULL);
    char *copy = cJSON_malloc(size + 1);

    if (copy == NULL) {
        return NULL;
    }
    if (string->plain) {
        memcpy(copy, string->text + 1, size);
    } else {
        decode_for_tree(string, copy);
    }
    copy[size] = '\0';
    return copy;
}

static cJSON *make_string(const sk_json_span_t *string)
{
    cJSON *node = cJSON_CreateNull();

    if (node == NULL) {
        return NULL;
    }
    node->valuestring = copy_for_tree(string);
    if (node->valuestring == NULL) {
        cJSON_Delete(node);
        return NULL;
    }
    node->type = cJSON_String;
    return node;
}

static cJSON *make_raw_number(const sk_json_span_t *number)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    cJSON *node = NULL;

    sk__json_number_append(&text, number->text, number->size);
    if (!text.failed) {
        node = cJSON_CreateRaw(text.data);
    }
    sk_buffer_fini(&text);
    return node;
}

static cJSON *make_number(const sk_json_span_t *number)
{
    int64_t integer = 0;
    double value = 0;
    sk_json_number_t kind = sk_json_integer(number, &integer);
    bool is_large = kind == SK_JSON_INTEGER && fabs((double)integer) > LARGEST_SAFE;

    if (kind == SK_JSON_OUT_OF_RANGE) {
        is_large = memchr(number->text, '.', number->size) == NULL &&
                   memchr(number->text, 'e', number->size) == NULL &&
                   memchr(number->text, 'E', number->size) == NULL;
    }
    if (is_large || !sk_json_double(number, &value)) {
        return make_raw_number(number);
    }
    return cJSON_CreateNumber(value);
}

static cJSON *make_node(const sk_json_span_t *value)
{
    switch (value->type) {
    case SK_JSON_NULL:
        return cJSON_CreateNull();
    case SK_JSON_BOOLEAN:
        return cJSON_CreateBool(*value->text == 't');
    case SK_JSON_NUMBER:
        return make_number(value);
    case SK_JSON_STRING:
        return make_string(value);
    case SK_JSON_ARRAY:
        return cJSON_CreateArray();
    case SK_JSON_OBJECT:
        return cJSON_CreateObject();
    }
    return NULL;
}

/* ---- equal keys: the last one stays ---- */

static void drop(cJSON *object, cJSON *child)
{
    cJSON_Delete(cJSON_DetachItemViaPointer(object, child));
}

static void drop_repeated_pairwise(cJSON *object)
{
    cJSON *next = NULL;

    for (cJSON *child = object->child; child != NULL; child = next) {
        const cJSON *later = child->next;

        next = child->next;
        while (later != NULL && strcmp(later->string, child->string) != 0) {
            later = later->next;
        }
        if (later != NULL) {
            drop(object, child);
        }
    }
}

static bool drop_repeated_sorted(cJSON *object, size_t count)
{
    sk__json_key_t *keys = sk_calloc(count, sizeof(*keys));
    size_t filled = 0;

    if (keys == NULL) {
        return false;
    }
    for (cJSON *child = object->child; child != NULL; child = child->next) {
        keys[filled++] = (sk__json_key_t){
            .text = child->string, .size = strlen(child->string), .plain = true, .node = child};
    }
    if (!sk__json_keys_sort(keys, count)) {
        sk_free(keys);
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        if (sk__json_keys_equal(&keys[i - 1], &keys[i])) {
            drop(object, keys[i - 1].node);
        }
    }
    sk_free(keys);
    return true;
}

static bool drop_repeated(cJSON *object)
{
    size_t count = 0;

    for (const cJSON *child = object->child; child != NULL; child = child->next) {
        count++;
    }
    if (count > KEYS_IN_PAIRS) {
        return drop_repeated_sorted(object, count);
    }
    drop_repeated_pairwise(object);
    return true;
}

/* ---- building ---- */

typedef struct builder {
    cJSON *root;                     /* owned */
    cJSON *open[SK__JSON_MAX_DEPTH]; /* within root */
    sk_json_cursor_t cursors[SK__JSON_MAX_DEPTH];
    unsigned depth;
} builder_t;

