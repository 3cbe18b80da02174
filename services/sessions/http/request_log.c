/*
 * request_log.c - records of requests, the oldest gone first.
 */
#include "request_log.h"

#include <string.h>
#include <strings.h>

#include <alloc.h>
#include <json.h>
#include <text.h>

#define RECORDS_MAX 256
#define BODY_MAX    (256 * 1024)
#define TOTAL_MAX   (16 * 1024 * 1024)

struct request_record {
    request_record_t *next; /* newer */
    sk_buffer_t head;       /* JSON: method, target and, still open, the headers */
    sk_buffer_t body;       /* its beginning */
    size_t body_size;       /* all of it */
    size_t header_count;
    unsigned status;
};

static struct {
    request_record_t *oldest;
    request_record_t *newest;
    size_t count;
    size_t size;
} state; /* of the one server in this process */

request_record_t *request_record_new(const char *method, const char *target)
{
    request_record_t *record = sk_calloc(1, sizeof(*record));

    if (record != NULL) {
        sk_buffer_append_text(&record->head, "{\"method\":");
        sk_json_write_text(&record->head, method);
        sk_buffer_append_text(&record->head, ",\"target\":");
        sk_json_write_text(&record->head, target);
        sk_buffer_append_text(&record->head, ",\"headers\":[");
    }
    return record;
}

static void record_free(request_record_t *record)
{
    sk_buffer_fini(&record->head);
    sk_buffer_fini(&record->body);
    sk_free(record);
}

void request_record_add_header(request_record_t *record, const char *name, const char *value)
{
    if (record == NULL || strcasecmp(name, "Authorization") == 0) {
        return;
    }
    sk_buffer_append_text(&record->head, record->header_count++ == 0 ? "[" : ",[");
    sk_json_write_text(&record->head, name);
    sk_buffer_append_char(&record->head, ',');
    sk_json_write_text(&record->head, value == NULL ? "" : value);
    sk_buffer_append_char(&record->head, ']');
}

void request_record_add_body(request_record_t *record, const char *bytes, size_t size)
{
    if (record != NULL) {
        size_t room = BODY_MAX - record->body.size;
        sk_buffer_append(&record->body, bytes, size < room ? size : room);
        record->body_size += size;
    }
}

static size_t record_size(const request_record_t *record)
{
    return sizeof(*record) + record->head.capacity + record->body.capacity;
}

static void drop_oldest(void)
{
    request_record_t *oldest = state.oldest;

    state.oldest = oldest->next;
    state.newest = state.oldest == NULL ? NULL : state.newest;
    state.count--;
    state.size -= record_size(oldest);
    record_free(oldest);
}

void request_record_keep_take(request_record_t *record, unsigned status)
{
    if (record == NULL) {
        return;
    }
    record->status = status;
    if (state.newest == NULL) {
        state.oldest = record;
    } else {
        state.newest->next = record;
    }
    state.newest = record;
    state.count++;
    state.size += record_size(record);
    while (state.count > RECORDS_MAX || (state.size > TOTAL_MAX && state.count > 1)) {
        drop_oldest();
    }
}

void request_log_clear(void)
{
    while (state.oldest != NULL) {
        drop_oldest();
    }
}

/* Text as text, all else as base64. */
static void write_body(sk_buffer_t *out, const request_record_t *record)
{
    const char *bytes = sk_buffer_text(&record->body);

    sk_buffer_appendf(out, "],\"status\":%u,\"bodySize\":%zu,", record->status, record->body_size);
    if (sk_utf8_is_valid(bytes, record->body.size, NULL)) {
        sk_buffer_append_text(out, "\"body\":");
        sk_json_write_string(out, bytes, record->body.size);
    } else {
        sk_buffer_append_text(out, "\"bodyBase64\":\"");
        sk_base64_append(out, bytes, record->body.size);
        sk_buffer_append_char(out, '"');
    }
    sk_buffer_append_char(out, '}');
}

void request_log_write(sk_buffer_t *out)
{
    sk_buffer_append_char(out, '[');
    for (const request_record_t *at = state.oldest; at != NULL; at = at->next) {
        if (at != state.oldest) {
            sk_buffer_append_char(out, ',');
        }
        sk_buffer_append(out, at->head.data, at->head.size);
        write_body(out, at);
    }
    sk_buffer_append_char(out, ']');
}
