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
#include <stdio.h>

#include <cjson/cJSON.h>

#include "alloc.h"
#include "json_private.h"

#define KEYS_IN_PAIRS 16

/* From here on a double cannot be trusted to keep a decimal integer as written. */
#define LARGEST_SAFE 999999999999999.0

/* Up to here every integer is a double of its own. */
#define LARGEST_EXACT 9007199254740991.0

/* ---- making nodes ---- */

/* The decoded inside of a string, U+0000 as U+2400 since a node's text ends at a NUL. */
static size_t decode_for_tree(const sk_json_span_t *string, char *out)
{
    const char *at = string->text + 1;
    const char *end = string->text + string->size - 1;
    size_t size = 0;

    while (at < end) {
        const char *run = at;
        char one[4];
        size_t step = 0;

        at = sk__json_skip_plain(at, end);
        if (out != NULL) {
            memcpy(out + size, run, (size_t)(at - run));
        }
        size += (size_t)(at - run);
        if (at == end) {
            break;
        }
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
    const char *at;
    const char *end;
    bool has_repeated;               /* the text may have equal keys */
    char *name;                      /* owned by cJSON; of the member whose value comes next */
    cJSON *open[SK__JSON_MAX_DEPTH]; /* borrowed; open[0] is owned */
    unsigned depth;
} builder_t;

static bool build_close(builder_t *b)
{
    cJSON *container = b->open[--b->depth];

    b->at++;
    return !b->has_repeated || !cJSON_IsObject(container) || drop_repeated(container);
}

static bool build_name(builder_t *b)
{
    sk_json_span_t name;

    b->at = sk__json_read_token(b->at, b->end, &name);
    b->name = copy_for_tree(&name);
    return b->name != NULL;
}

static bool build_value(builder_t *b)
{
    sk_json_span_t value;
    cJSON *node = NULL;

    b->at = sk__json_read_token(b->at, b->end, &value);
    node = make_node(&value);
    if (node == NULL) {
        return false;
    }
    if (b->depth > 0) {
        node->string = b->name;
        b->name = NULL;
        cJSON_AddItemToArray(b->open[b->depth - 1], node); /* a member, if it has a name */
    } else {
        b->open[0] = node;
    }
    if (value.type == SK_JSON_OBJECT || value.type == SK_JSON_ARRAY) {
        b->open[b->depth++] = node;
    }
    return true;
}

/* One token. The text is known to be right, so commas and colons tell nothing. */
static bool build_step(builder_t *b)
{
    while (sk__json_is_space(*b->at) || *b->at == ',' || *b->at == ':') {
        b->at++;
    }
    if (*b->at == '}' || *b->at == ']') {
        return build_close(b);
    }
    if (b->name == NULL && cJSON_IsObject(b->open[b->depth - 1])) {
        return build_name(b);
    }
    return build_value(b);
}

static cJSON *build_tree(const sk_json_span_t *root, bool has_repeated)
{
    builder_t b; /* not filled with zeros: the stack is large */
    bool built = false;

    b.at = root->text;
    b.end = root->text + root->size;
    b.has_repeated = has_repeated;
    b.name = NULL;
    b.open[0] = NULL;
    b.depth = 0;
    built = build_value(&b);
    while (built && b.depth > 0) {
        built = build_step(&b);
    }
    if (!built) {
        cJSON_free(b.name);
        cJSON_Delete(b.open[0]);
        return NULL;
    }
    return b.open[0];
}

struct cJSON *sk_json_parse(const char *text, size_t size, const sk_json_limits_t *limits,
                            sk_json_error_t *error)
{
    sk_json_span_t root;
    cJSON *tree = NULL;

    if (sk_json_scan(text, size, limits, &root, error) != SK_JSON_OK) {
        return NULL;
    }
    tree = build_tree(&root, limits != NULL && limits->profile == SK_JSON_REPLY);
    if (tree == NULL && error != NULL) {
        error->status = SK_JSON_NO_MEMORY;
        snprintf(error->text, sizeof(error->text),
                 "not enough memory for the tree of %zu bytes of JSON", size);
    }
    return tree;
}

void sk_json_delete(struct cJSON *node)
{
    cJSON_Delete(node);
}

/* ---- reading ---- */

struct cJSON *sk_json_get(const struct cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

const char *sk_json_node_text(const struct cJSON *node)
{
    return cJSON_IsString(node) ? node->valuestring : NULL;
}

/* A raw node that is one number. */
static bool raw_number(const cJSON *node, sk_json_span_t *number)
{
    const char *wrong = NULL;
    size_t size = 0;

    if (!cJSON_IsRaw(node) || node->valuestring == NULL) {
        return false;
    }
    size = strlen(node->valuestring);
    *number = (sk_json_span_t){node->valuestring, size, SK_JSON_NUMBER, false};
    return sk__json_number_end(node->valuestring, node->valuestring + size, false, &wrong) ==
           node->valuestring + size;
}

bool sk_json_node_integer(const struct cJSON *node, int64_t *value_out)
{
    sk_json_span_t number;

    *value_out = 0;
    if (raw_number(node, &number)) {
        return sk_json_integer(&number, value_out) == SK_JSON_INTEGER;
    }
    if (!cJSON_IsNumber(node) || !(fabs(node->valuedouble) <= LARGEST_EXACT) ||
        (double)(int64_t)node->valuedouble != node->valuedouble) {
        return false;
    }
    *value_out = (int64_t)node->valuedouble;
    return true;
}

bool sk_json_node_double(const struct cJSON *node, double *value_out)
{
    sk_json_span_t number;

    *value_out = 0;
    if (raw_number(node, &number)) {
        return sk_json_double(&number, value_out);
    }
    if (!cJSON_IsNumber(node)) {
        return false;
    }
    *value_out = node->valuedouble;
    return true;
}

/* ---- rendering ---- */

static void write_number(sk_buffer_t *out, double value)
{
    if (fabs(value) <= LARGEST_SAFE && (double)(int64_t)value == value &&
        (value != 0 || !signbit(value))) {
        sk_json_write_integer(out, (int64_t)value);
    } else {
        sk_json_write_double(out, value);
    }
}

/* A node without its children. */
static void write_leaf(sk_buffer_t *out, const cJSON *node)
{
    if (cJSON_IsString(node)) {
        sk_json_write_text(out, node->valuestring);
    } else if (cJSON_IsNumber(node)) {
        write_number(out, node->valuedouble);
    } else if (cJSON_IsBool(node)) {
        sk_buffer_append_text(out, cJSON_IsTrue(node) ? "true" : "false");
    } else if (cJSON_IsRaw(node) && node->valuestring != NULL) {
        sk_buffer_append_text(out, node->valuestring);
    } else {
        sk_buffer_append(out, "null", 4);
    }
}

void sk_json_write_node(sk_buffer_t *out, const struct cJSON *node)
{
    const cJSON *open[SK__JSON_MAX_DEPTH];
    unsigned depth = 0;

    for (;;) {
        bool is_object = cJSON_IsObject(node);

        if (depth > 0 && cJSON_IsObject(open[depth - 1])) {
            sk_json_write_string(out, node->string, strlen(node->string));
            sk_buffer_append_char(out, ':');
        }
        if (is_object || cJSON_IsArray(node)) {
            sk_buffer_append_char(out, is_object ? '{' : '[');
            if (node->child != NULL && depth == SK__JSON_MAX_DEPTH) {
                out->failed = true;
                return;
            }
            if (node->child != NULL) {
                open[depth++] = node;
                node = node->child;
                continue;
            }
            sk_buffer_append_char(out, is_object ? '}' : ']');
        } else {
            write_leaf(out, node);
        }
        while (depth > 0 && node->next == NULL) {
            node = open[--depth];
            sk_buffer_append_char(out, cJSON_IsObject(node) ? '}' : ']');
        }
        if (depth == 0) {
            return;
        }
        sk_buffer_append_char(out, ',');
        node = node->next;
    }
}
