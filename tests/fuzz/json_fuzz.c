/*
 * json_fuzz.c - scan, spans, compact text, trees and writer agree on any text.
 *
 * cJSON's own parser is the second opinion: what the strict profile accepts, it
 * must accept too, and read alike.
 */
#include <string.h>

#include <cjson/cJSON.h>

#include "alloc.h"
#include "json.h"
#include "support/fuzz.h"
#include "text.h"

static const sk_json_limits_t strict = {SK_JSON_STRICT, 0, 0};
static const sk_json_limits_t reply = {SK_JSON_REPLY, 0, 0};

/* ---- spans ---- */

static void check_string(const sk_json_span_t *string)
{
    size_t size = 0;
    char *copy = sk_json_string_copy(string, &size);
    char *out = malloc(string->size - 1);
    size_t decoded = 0;

    FUZZ_CHECK(copy != NULL && out != NULL);
    FUZZ_CHECK(sk_utf8_is_valid(copy, size, NULL));
    FUZZ_CHECK(sk_json_string_equals(string, copy, size));
    decoded = sk_json_string_decode(string, out);
    FUZZ_CHECK(decoded <= string->size - 2);
    FUZZ_CHECK(sk_utf8_is_valid(out, decoded, NULL));
    if (string->plain) {
        FUZZ_CHECK(size == string->size - 2 && memcmp(copy, string->text + 1, size) == 0);
    }
    free(out);
    sk_free(copy);
}

static void check_number(const sk_json_span_t *number)
{
    int64_t integer = 0;
    double value = 0;
    sk_json_number_t kind = sk_json_integer(number, &integer);
    bool fits = sk_json_double(number, &value);

    if (kind == SK_JSON_INTEGER) {
        FUZZ_CHECK(fits && value == (double)integer);
    }
}

/* Only the first levels: a cursor passes over what is below at each of them. */
static void check_span(const sk_json_span_t *span, int depth)
{
    sk_json_cursor_t cursor = sk_json_enter(span);
    sk_json_span_t key;
    sk_json_span_t value;
    const char *behind = span->text + span->size;

    if (span->type == SK_JSON_STRING) {
        check_string(span);
    } else if (span->type == SK_JSON_NUMBER) {
        check_number(span);
    }
    while (depth < 8 && sk_json_next(&cursor, &key, &value)) {
        FUZZ_CHECK(value.text > span->text && value.text + value.size < behind);
        FUZZ_CHECK(sk_json_scan(value.text, value.size, &reply, NULL, NULL) == SK_JSON_OK);
        if (span->type == SK_JSON_OBJECT) {
            char *name = sk_json_string_copy(&key, NULL);
            sk_json_span_t found;

            check_string(&key);
            FUZZ_CHECK(name != NULL);
            if (strlen(name) + 2 <= key.size && sk_json_string_equals(&key, name, strlen(name))) {
                FUZZ_CHECK(sk_json_member(span, name, &found) && found.text >= value.text);
            }
            sk_free(name);
        }
        check_span(&value, depth + 1);
    }
}

/* ---- compact text and trees ---- */

static void render(sk_buffer_t *out, const char *text, size_t size, const sk_json_limits_t *limits)
{
    cJSON *tree = sk_json_parse(text, size, limits, NULL);

    FUZZ_CHECK(tree != NULL);
    sk_json_write_node(out, tree);
    FUZZ_CHECK(!out->failed);
    sk_json_delete(tree);
}

static void check_compact(const char *text, size_t size, const sk_json_span_t *root,
                          const sk_json_limits_t *limits)
{
    sk_buffer_t compact = SK_BUFFER_INIT;
    sk_buffer_t again = SK_BUFFER_INIT;
    sk_buffer_t tree = SK_BUFFER_INIT;
    sk_buffer_t tree_of_compact = SK_BUFFER_INIT;
    sk_json_span_t compact_root;

    sk_json_compact(&compact, root);
    FUZZ_CHECK(sk_json_scan(compact.data, compact.size, limits, &compact_root, NULL) == SK_JSON_OK);
    sk_json_compact(&again, &compact_root);
    FUZZ_CHECK(again.size == compact.size && memcmp(again.data, compact.data, again.size) == 0);
    render(&tree, text, size, limits);
    render(&tree_of_compact, compact.data, compact.size, limits);
    FUZZ_CHECK(strcmp(tree.data, tree_of_compact.data) == 0);
    sk_buffer_fini(&compact);
    sk_buffer_fini(&again);
    sk_buffer_fini(&tree);
    sk_buffer_fini(&tree_of_compact);
}

/* A tree renders as strict JSON, whatever profile its text was read with. */
static void check_rendered(const char *text, size_t size)
{
    sk_buffer_t tree = SK_BUFFER_INIT;
    sk_buffer_t again = SK_BUFFER_INIT;
    sk_json_error_t error;

    render(&tree, text, size, &reply);
    if (sk_json_scan(tree.data, tree.size, &strict, NULL, &error) != SK_JSON_OK) {
        FUZZ_CHECK(error.status == SK_JSON_TOO_LONG || strstr(error.text, "too large") != NULL);
    }
    render(&again, tree.data, tree.size, &reply);
    FUZZ_CHECK(strcmp(tree.data, again.data) == 0);
    sk_buffer_fini(&tree);
    sk_buffer_fini(&again);
}

/* ---- the second opinion ---- */

static void check_same(const cJSON *ours, const cJSON *theirs)
{
    double value = 0;

    if (cJSON_IsNumber(theirs)) {
        FUZZ_CHECK(sk_json_node_double(ours, &value) && value == theirs->valuedouble);
    } else {
        FUZZ_CHECK((ours->type & 0xFF) == (theirs->type & 0xFF));
    }
    if (cJSON_IsString(theirs)) {
        FUZZ_CHECK(strcmp(ours->valuestring, theirs->valuestring) == 0);
    }
    ours = ours->child;
    theirs = theirs->child;
    while (ours != NULL && theirs != NULL) {
        FUZZ_CHECK((ours->string == NULL) == (theirs->string == NULL));
        FUZZ_CHECK(ours->string == NULL || strcmp(ours->string, theirs->string) == 0);
        check_same(ours, theirs);
        ours = ours->next;
        theirs = theirs->next;
    }
    FUZZ_CHECK(ours == NULL && theirs == NULL);
}

static void check_against_cjson(const char *text, size_t size)
{
    char *copy = sk_memdup(text, size);
    cJSON *ours = sk_json_parse(text, size, &strict, NULL);
    cJSON *theirs = NULL;

    FUZZ_CHECK(copy != NULL && ours != NULL);
    theirs = cJSON_ParseWithLengthOpts(copy, size + 1, NULL, 1); /* the NUL is one of the bytes */
    FUZZ_CHECK(theirs != NULL);
    check_same(ours, theirs);
    cJSON_Delete(theirs);
    sk_json_delete(ours);
    sk_free(copy);
}

/* ---- the writer ---- */

static void check_written(const char *text, size_t size)
{
    sk_buffer_t json = SK_BUFFER_INIT;
    sk_buffer_t repaired = SK_BUFFER_INIT;
    sk_json_span_t root;

    sk_json_write_string(&json, text, size);
    sk_utf8_append_repaired(&repaired, text, size);
    FUZZ_CHECK(sk_json_scan(json.data, json.size, &reply, &root, NULL) == SK_JSON_OK);
    FUZZ_CHECK(root.type == SK_JSON_STRING && root.size == json.size);
    FUZZ_CHECK(sk_json_string_equals(&root, sk_buffer_text(&repaired), repaired.size));
    sk_buffer_fini(&json);
    sk_buffer_fini(&repaired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    sk_json_span_t root;
    sk_json_error_t error;
    bool is_strict = sk_json_scan(text, size, &strict, &root, &error) == SK_JSON_OK;

    FUZZ_CHECK(is_strict == (error.text[0] == '\0') && error.offset <= size);
    if (is_strict) {
        check_span(&root, 0);
        check_compact(text, size, &root, &strict);
        check_against_cjson(text, size);
    }
    if (sk_json_scan(text, size, &reply, &root, NULL) == SK_JSON_OK) {
        check_span(&root, 0);
        check_compact(text, size, &root, &reply);
        check_rendered(text, size);
    } else {
        FUZZ_CHECK(!is_strict);
    }
    check_written(text, size);
    return 0;
}
