/*
 * announcement.c - reading what the pool program prints.
 */
#include "announcement.h"

#include <stdio.h>
#include <string.h>

#include <alloc.h>
#include <json.h>
#include <text.h>

#define TAIL_MAX      4096
#define COMPLAINT_MAX 1000 /* of a complaint that is passed on */
#define PREFIX        "semkernel-sessiond: "

static char *copy_member(const sk_json_span_t *root, const char *name, char *error,
                         size_t error_size)
{
    sk_json_span_t value;
    char *copy = NULL;

    if (!sk_json_member(root, name, &value) || value.type != SK_JSON_STRING || value.size == 2) {
        (void)snprintf(error, error_size, "its line has no \"%s\"", name);
        return NULL;
    }
    copy = sk_json_string_copy(&value, NULL);
    if (copy == NULL) {
        (void)snprintf(error, error_size, "memory ran out");
    }
    return copy;
}

bool announcement_read(announcement_t *announcement, const char *line, size_t size, char *error,
                       size_t error_size)
{
    sk_json_span_t root;
    sk_json_error_t problem;

    memset(announcement, 0, sizeof(*announcement));
    if (sk_json_scan(line, size, NULL, &root, &problem) != SK_JSON_OK) {
        (void)snprintf(error, error_size, "its line is not JSON: %s", problem.text);
        return false;
    }
    if (root.type != SK_JSON_OBJECT) {
        (void)snprintf(error, error_size, "its line is not a JSON object");
        return false;
    }
    announcement->socket = copy_member(&root, "socket", error, error_size);
    if (announcement->socket == NULL) {
        goto failed;
    }
    if (announcement->socket[0] != '/') {
        (void)snprintf(error, error_size, "its socket is not an absolute path");
        goto failed;
    }
    announcement->endpoint = copy_member(&root, "endpoint", error, error_size);
    if (announcement->endpoint == NULL) {
        goto failed;
    }
    announcement->level = copy_member(&root, "level", error, error_size);
    if (announcement->level == NULL) {
        goto failed;
    }
    return true;

failed:
    announcement_fini(announcement);
    return false;
}

void announcement_fini(announcement_t *announcement)
{
    sk_free(announcement->socket);
    sk_free(announcement->endpoint);
    sk_free(announcement->level);
    memset(announcement, 0, sizeof(*announcement));
}

void complaint_append(sk_buffer_t *tail, const char *text, size_t size)
{
    if (size > TAIL_MAX) {
        text += size - TAIL_MAX;
        size = TAIL_MAX;
    }
    sk_buffer_append(tail, text, size);
    if (tail->size > TAIL_MAX) {
        sk_buffer_consume(tail, tail->size - TAIL_MAX);
    }
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void complaint_write(sk_buffer_t *out, const sk_buffer_t *tail)
{
    const char *text = sk_buffer_text(tail);
    const char *end = text + tail->size;
    const char *at = NULL;

    sk_buffer_clear(out);
    while (end > text && is_space(end[-1])) {
        end--;
    }
    for (at = end; at > text && at[-1] != '\n';) {
        at--;
    }
    if ((size_t)(end - at) > strlen(PREFIX) && memcmp(at, PREFIX, strlen(PREFIX)) == 0) {
        at += strlen(PREFIX);
    }
    sk_utf8_append_repaired(out, at, sk_utf8_cut(at, (size_t)(end - at), COMPLAINT_MAX));
}
