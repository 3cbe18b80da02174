/*
 * trust_list.c - the list as an array; it is short and read once per file.
 */
#include "trust_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "error.h"
#include "json.h"
#include "sha256.h"

typedef struct trusted {
    char *module; /* owned */
    char hash[KERNEL__SHA256_TEXT];
} trusted_t;

struct kernel__trust_list {
    bool requires_hash;
    size_t count;
    trusted_t *items; /* owned */
};

static kernel_status_t read_entry(trusted_t *item, const sk_json_span_t *key,
                                  const sk_json_span_t *value, kernel_error_t *error)
{
    item->module = sk_json_string_copy(key, NULL);
    if (item->module == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY,
                                 "cannot read the option trust: memory ran out");
    }
    if (value->type != SK_JSON_STRING || !value->plain ||
        value->size != KERNEL__SHA256_TEXT - 1 + 2) {
        return kernel__error_set(
            error, KERNEL_E_INVALID,
            "option trust: \"sha256\" of '%s' must be a string of %d hexadecimal digits",
            item->module, KERNEL__SHA256_TEXT - 1);
    }
    for (size_t i = 0; i < KERNEL__SHA256_TEXT - 1; i++) {
        unsigned char digit = (unsigned char)value->text[1 + i];

        if (!isxdigit(digit)) {
            return kernel__error_set(
                error, KERNEL_E_INVALID,
                "option trust: \"sha256\" of '%s' has a character at place %zu that is no "
                "hexadecimal digit",
                item->module, i + 1);
        }
        item->hash[i] = (char)tolower(digit);
    }
    return KERNEL_OK;
}

static kernel_status_t read_hashes(kernel__trust_list_t *list, const sk_json_span_t *object,
                                   kernel_error_t *error)
{
    sk_json_cursor_t cursor = sk_json_enter(object);
    sk_json_span_t key;
    sk_json_span_t value;
    size_t count = 0;

    while (sk_json_next(&cursor, &key, &value)) {
        count++;
    }
    list->items = sk_calloc(count, sizeof(*list->items));
    if (list->items == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY,
                                 "cannot read the option trust: memory ran out");
    }
    cursor = sk_json_enter(object);
    while (sk_json_next(&cursor, &key, &value)) {
        kernel_status_t status = read_entry(&list->items[list->count++], &key, &value, error);

        if (status != KERNEL_OK) {
            return status;
        }
    }
    return KERNEL_OK;
}

static kernel_status_t read_member(kernel__trust_list_t *list, const sk_json_span_t *key,
                                   const sk_json_span_t *value, kernel_error_t *error)
{
    if (sk_json_string_equals(key, "require_hash", strlen("require_hash")) &&
        value->type == SK_JSON_BOOLEAN) {
        list->requires_hash = value->text[0] == 't';
        return KERNEL_OK;
    }
    if (sk_json_string_equals(key, "sha256", strlen("sha256")) && value->type == SK_JSON_OBJECT) {
        return read_hashes(list, value, error);
    }
    return kernel__error_set(error, KERNEL_E_INVALID,
                             "option trust: the member %.*s is not understood, expected "
                             "\"require_hash\": true or false, and \"sha256\": an object of module "
                             "names and hashes",
                             (int)(key->size < 64 ? key->size : 64), key->text);
}

kernel__trust_list_t *kernel__trust_list_new(const char *json, kernel_error_t *error)
{
    kernel__trust_list_t *list = NULL;
    sk_json_error_t json_error;
    sk_json_span_t root;
    sk_json_cursor_t cursor;
    sk_json_span_t key;
    sk_json_span_t value;

    if (sk_json_scan(json, strlen(json), NULL, &root, &json_error) != SK_JSON_OK) {
        kernel__error_set(
            error, json_error.status == SK_JSON_NO_MEMORY ? KERNEL_E_NO_MEMORY : KERNEL_E_INVALID,
            "option trust is not JSON: %s", json_error.text);
        return NULL;
    }
    if (root.type != SK_JSON_OBJECT) {
        kernel__error_set(error, KERNEL_E_INVALID, "option trust is %s, expected a JSON object",
                          sk_json_type_name(root.type));
        return NULL;
    }
    list = sk_calloc(1, sizeof(*list));
    if (list == NULL) {
        kernel__error_set(error, KERNEL_E_NO_MEMORY,
                          "cannot read the option trust: memory ran out");
        return NULL;
    }
    cursor = sk_json_enter(&root);
    while (sk_json_next(&cursor, &key, &value)) {
        if (read_member(list, &key, &value, error) != KERNEL_OK) {
            kernel__trust_list_free(list);
            return NULL;
        }
    }
    return list;
}

void kernel__trust_list_free(kernel__trust_list_t *list)
{
    if (list == NULL) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        sk_free(list->items[i].module);
    }
    sk_free(list->items);
    sk_free(list);
}

static bool hash_file(int fd, char text[KERNEL__SHA256_TEXT])
{
    kernel__sha256_t hash;
    unsigned char block[16384];
    off_t offset = 0;
    ssize_t got = 0;

    kernel__sha256_init(&hash);
    while ((got = pread(fd, block, sizeof(block), offset)) != 0) {
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (got > 0) {
            kernel__sha256_update(&hash, block, (size_t)got);
            offset += got;
        }
    }
    kernel__sha256_finish(&hash, text);
    return true;
}

static const trusted_t *list_find(const kernel__trust_list_t *list, const char *module, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->items[i].module) == size &&
            memcmp(list->items[i].module, module, size) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

kernel_status_t kernel__trust_list_judge(const kernel__trust_list_t *list, const char *path, int fd,
                                         char *why, size_t why_size)
{
    const char *slash = strrchr(path, '/');
    const char *module = slash != NULL ? slash + 1 : path;
    size_t size = strlen(module);
    const trusted_t *trusted = NULL;
    char hash[KERNEL__SHA256_TEXT];

    if (size > 3 && strcmp(module + size - 3, ".so") == 0) {
        size -= 3;
    }
    if (list == NULL) {
        return KERNEL_OK;
    }
    trusted = list_find(list, module, size);
    if (trusted == NULL && !list->requires_hash) {
        return KERNEL_OK;
    }
    if (!hash_file(fd, hash)) {
        snprintf(why, why_size, "%s cannot be read to compute its hash: %s", path, strerror(errno));
        return KERNEL_E_DENIED;
    }
    if (trusted == NULL) {
        snprintf(why, why_size,
                 "%s is not in the list of trusted files, which require_hash demands: if you trust "
                 "it, add \"%.*s\":\"%s\" to \"sha256\"",
                 path, (int)size, module, hash);
        return KERNEL_E_DENIED;
    }
    if (strcmp(trusted->hash, hash) != 0) {
        snprintf(why, why_size,
                 "%s has the SHA-256 %s, expected %s by the list of trusted files: put the trusted "
                 "file back, or list the new one",
                 path, hash, trusted->hash);
        return KERNEL_E_DENIED;
    }
    return KERNEL_OK;
}
