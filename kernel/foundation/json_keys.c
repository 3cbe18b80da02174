/*
 * json_keys.c - finding equal keys among many.
 *
 * Sorted by hash, then by decoded content: keys made to collide cost
 * comparisons, never a quadratic number of them.
 */
#include "alloc.h"
#include "json_private.h"

/* The decoded bytes of a key, one by one. */
typedef struct reader {
    const char *at;
    const char *end;
    char ready[4];
    size_t ready_size;
    size_t ready_at;
} reader_t;

static reader_t reader_of(const sk__json_key_t *key)
{
    return (reader_t){.at = key->text, .end = key->text + key->size};
}

/* -1 at the end. */
static int reader_next(reader_t *reader)
{
    if (reader->ready_at == reader->ready_size) {
        if (reader->at == reader->end) {
            return -1;
        }
        sk__json_decode_char(&reader->at, reader->end, reader->ready, &reader->ready_size);
        reader->ready_at = 0;
    }
    return (unsigned char)reader->ready[reader->ready_at++];
}

static int compare_decoded(const sk__json_key_t *a, const sk__json_key_t *b)
{
    reader_t a_reader = reader_of(a);
    reader_t b_reader = reader_of(b);
    int a_byte = 0;
    int b_byte = 0;

    do {
        a_byte = reader_next(&a_reader);
        b_byte = reader_next(&b_reader);
    } while (a_byte == b_byte && a_byte >= 0);
    return a_byte - b_byte;
}

static int compare_content(const sk__json_key_t *a, const sk__json_key_t *b)
{
    size_t shared = a->size < b->size ? a->size : b->size;
    int order = 0;

    if (!a->plain || !b->plain) {
        return compare_decoded(a, b);
    }
    order = memcmp(a->text, b->text, shared);
    if (order == 0) {
        order = (a->size > b->size) - (a->size < b->size);
    }
    return order;
}

bool sk__json_keys_equal(const sk__json_key_t *a, const sk__json_key_t *b)
{
    if (a->plain && b->plain) {
        return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
    }
    return compare_decoded(a, b) == 0;
}

/* FNV-1a */
static uint32_t hash_of(const sk__json_key_t *key)
{
    reader_t reader = reader_of(key);
    uint32_t hash = UINT32_C(2166136261);

    if (key->plain) {
        for (size_t i = 0; i < key->size; i++) {
            hash = (hash ^ (unsigned char)key->text[i]) * UINT32_C(16777619);
        }
        return hash;
    }
    for (int byte = reader_next(&reader); byte >= 0; byte = reader_next(&reader)) {
        hash = (hash ^ (uint32_t)byte) * UINT32_C(16777619);
    }
    return hash;
}

static bool is_ordered(const sk__json_key_t *a, const sk__json_key_t *b)
{
    if (a->hash != b->hash) {
        return a->hash < b->hash;
    }
    return compare_content(a, b) <= 0;
}

static void merge(const sk__json_key_t *left, const sk__json_key_t *right,
                  const sk__json_key_t *end, sk__json_key_t *out)
{
    const sk__json_key_t *middle = right;

    while (left < middle && right < end) {
        *out++ = is_ordered(left, right) ? *left++ : *right++;
    }
    while (left < middle) {
        *out++ = *left++;
    }
    while (right < end) {
        *out++ = *right++;
    }
}

bool sk__json_keys_sort(sk__json_key_t *keys, size_t count)
{
    sk__json_key_t *scratch = sk_calloc(count, sizeof(*scratch));
    sk__json_key_t *from = keys;
    sk__json_key_t *to = scratch;

    if (scratch == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        keys[i].hash = hash_of(&keys[i]);
    }
    for (size_t width = 1; width < count; width *= 2) {
        sk__json_key_t *swap = from;

        for (size_t begin = 0; begin < count; begin += 2 * width) {
            size_t middle = begin + width < count ? begin + width : count;
            size_t end = begin + 2 * width < count ? begin + 2 * width : count;

            merge(from + begin, from + middle, from + end, to + begin);
        }
        from = to;
        to = swap;
    }
    if (from != keys) {
        memcpy(keys, from, count * sizeof(*keys));
    }
    sk_free(scratch);
    return true;
}
