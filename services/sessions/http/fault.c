/*
 * fault.c - reads what is to go wrong, and when.
 */
#include "fault.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <alloc.h>
#include <buffer.h>
#include <json.h>
#include <text.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef enum item_kind { ITEM_NUMBER, ITEM_TEXT, ITEM_WORD } item_kind_t;

static const struct item {
    const char *name;
    item_kind_t kind;
    size_t offset;
    int64_t smallest; /* of a text: nothing */
    int64_t largest;  /* of a text: its room */
} items[] = {
    {"delay", ITEM_NUMBER, offsetof(fault_t, delay_ms), 0, 600000},
    {"status", ITEM_NUMBER, offsetof(fault_t, status), 400, 599},
    {"retry-after", ITEM_NUMBER, offsetof(fault_t, retry_after), 0, 86400},
    {"cut-body", ITEM_NUMBER, offsetof(fault_t, cut_body), 0, INT32_MAX},
    {"every", ITEM_NUMBER, offsetof(fault_t, every), 1, INT32_MAX},
    {"times", ITEM_NUMBER, offsetof(fault_t, times), 1, INT32_MAX},
    {"cut", ITEM_WORD, offsetof(fault_t, cut), 0, 0},
    {"abort-queued", ITEM_WORD, offsetof(fault_t, abort_queued), 0, 0},
    {"method", ITEM_TEXT, offsetof(fault_t, method), 0, sizeof(((fault_t *)NULL)->method)},
    {"path", ITEM_TEXT, offsetof(fault_t, path), 0, sizeof(((fault_t *)NULL)->path)},
    {"audience", ITEM_TEXT, offsetof(fault_t, audience), 0, sizeof(((fault_t *)NULL)->audience)},
};

static const struct item *find_item(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(items); i++) {
        if (strlen(items[i].name) == length && memcmp(items[i].name, name, length) == 0) {
            return &items[i];
        }
    }
    return NULL;
}

static bool read_item(fault_t *fault, char *text, failure_t *failure)
{
    const size_t length = strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    const struct item *item = find_item(text, length);
    char *field = item == NULL ? NULL : (char *)fault + item->offset;
    const bool on = true;

    if (item == NULL) {
        return fail(failure, "unknown fault \"%s\"", text);
    }
    if (item->kind == ITEM_WORD) {
        memcpy(field, &on, sizeof(on));
        return value == NULL || fail(failure, "the fault %s takes no value", item->name);
    }
    if (value == NULL) {
        return fail(failure, "the fault %s takes a value", item->name);
    }
    if (item->kind == ITEM_TEXT) {
        if (*value == '\0' || strlen(value) >= (size_t)item->largest) {
            return fail(failure, "the fault %s takes 1 to %lld characters", item->name,
                        (long long)item->largest - 1);
        }
        (void)snprintf(field, (size_t)item->largest, "%s", value);
    } else {
        int64_t number = strtoll(value, NULL, 10);
        if (strspn(value, "0123456789") != strlen(value) || *value == '\0' ||
            number < item->smallest || number > item->largest) {
            return fail(failure, "the fault %s takes a number from %lld to %lld, not \"%s\"",
                        item->name, (long long)item->smallest, (long long)item->largest, value);
        }
        memcpy(field, &number, sizeof(number));
    }
    return true;
}

bool fault_read(fault_t *fault, const char *text, failure_t *failure)
{
    char copy[FAULT_TEXT_MAX];
    char *at = copy;

    *fault = (fault_t){.retry_after = -1, .cut_body = -1, .every = 1, .times = -1};
    if (strlen(text) >= sizeof(copy)) {
        return fail(failure, "a fault is described in less than %zu characters", sizeof(copy));
    }
    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *next = NULL; at != NULL; at = next) {
        next = strchr(at, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        at += strspn(at, " \t\r\n");
        at[strcspn(at, " \t\r\n")] = '\0';
        if (*at != '\0' && !read_item(fault, at, failure)) {
            return false;
        }
    }
    return true;
}

bool fault_take_turn(fault_t *fault, uint64_t *seen, const char *method, const char *path)
{
    if (fault->times == 0 || (fault->method[0] != '\0' && strcmp(fault->method, method) != 0) ||
        strstr(path, fault->path) == NULL || ++*seen % (uint64_t)fault->every != 0) {
        return false;
    }
    fault->times -= fault->times > 0;
    return true;
}

/* ---- audience ---- */

/* The payload of a JWT: base64 with another alphabet. */
static bool decode_payload(const char *token, sk_buffer_t *payload)
{
    const char *begin = strchr(token, '.');
    const char *end = begin == NULL ? NULL : strchr(begin + 1, '.');
    sk_buffer_t text = SK_BUFFER_INIT;

    if (end == NULL) {
        return false;
    }
    for (const char *at = begin + 1; at < end; at++) {
        sk_buffer_append_char(&text, *at == '-' ? '+' : *at == '_' ? '/' : *at);
    }
    bool decoded = !text.failed && text.size > 0 && sk_base64_decode(text.data, text.size, payload);
    sk_buffer_fini(&text);
    return decoded;
}

bool fault_is_for_audience(const char *authorization, const char *audience)
{
    const sk_json_limits_t limits = {SK_JSON_STRICT, 64 * 1024, 0};
    sk_buffer_t payload = SK_BUFFER_INIT;
    sk_json_span_t root;
    sk_json_span_t value;
    bool is = false;

    if (authorization != NULL && strncasecmp(authorization, "Bearer ", 7) == 0 &&
        decode_payload(authorization + 7, &payload) &&
        sk_json_scan(payload.data, payload.size, &limits, &root, NULL) == SK_JSON_OK &&
        sk_json_member(&root, "aud", &value) && value.type == SK_JSON_STRING) {
        char *text = sk_json_string_copy(&value, NULL);
        is = text != NULL && strcmp(text, audience) == 0;
        sk_free(text);
    }
    sk_buffer_fini(&payload);
    return is;
}
