/*
 * request_answer.c - the answer of a request: made once, given to the library.
 */
#include "request.h"

#include <string.h>

#include <alloc.h>

#include "base/guid.h"

#define SOURCE_BLOCK (64 * 1024)

void request_add_header(request_t *request, const char *name, const char *value)
{
    if (request->header_count < ANSWER_HEADERS) {
        answer_header_t *header = &request->headers[request->header_count++];
        header->name = name;
        header->value = request->header_values.size;
        sk_buffer_append(&request->header_values, value, strlen(value) + 1);
    }
}

/* The headers of every answer, and those that were added. */
static void add_headers(const request_t *request, struct MHD_Response *response, const char *type)
{
    char correlation[GUID_SIZE];

    guid_make(correlation);
    (void)MHD_add_response_header(response, "mise-correlation-id", correlation);
    (void)MHD_add_response_header(response, "semkernel-sandbox", request->http->options.level);
    if (type != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    }
    for (size_t i = 0; i < request->header_count && !request->header_values.failed; i++) {
        (void)MHD_add_response_header(response, request->headers[i].name,
                                      request->header_values.data + request->headers[i].value);
    }
}

static struct MHD_Response *make_response(request_t *request, const char *type, sk_buffer_t *body)
{
    size_t size = 0;
    char *content = body == NULL ? NULL : sk_buffer_take(body, &size);

    request->sent = size;
    struct MHD_Response *response =
        content == NULL
            ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
            : MHD_create_response_from_buffer_with_free_callback(size, content, sk_free);

    if (response == NULL) {
        sk_free(content);
        return NULL;
    }
    add_headers(request, response, type);
    return response;
}

static void request_answer(request_t *request, unsigned status, struct MHD_Response *response)
{
    request->response = response;
    request->status = status;
    request->on_hang_up = NULL;
    request_resume(request);
}

/* A body that goes out by a source, which can be cut off. */
typedef struct sent_buffer {
    sk_buffer_t body;
    size_t at;
} sent_buffer_t;

static long sent_buffer_give(char *bytes, size_t most, void *data)
{
    sent_buffer_t *sent = data;
    size_t size = sent->body.size - sent->at;

    size = size < most ? size : most;
    memcpy(bytes, sent->body.data + sent->at, size);
    sent->at += size;
    return (long)size;
}

static void sent_buffer_drop(void *data)
{
    sent_buffer_t *sent = data;

    sk_buffer_fini(&sent->body);
    sk_free(sent);
}

static void answer_from_buffer(request_t *request, unsigned status, const char *type,
                               sk_buffer_t *body)
{
    static const sk_buffer_t empty = SK_BUFFER_INIT;
    sent_buffer_t *sent = sk_calloc(1, sizeof(*sent));
    const body_source_t source = {sent_buffer_give, sent_buffer_drop, sent};

    if (sent == NULL) { /* without an answer the connection is closed */
        sk_buffer_fini(body);
        request_answer(request, status, NULL);
        return;
    }
    sent->body = *body;
    *body = empty;
    request_answer_source(request, status, type, sent->body.size, &source);
}

void request_answer_take(request_t *request, unsigned status, const char *type, sk_buffer_t *body)
{
    if (request_fault_cuts_body(request) && body != NULL && body->size > 0) {
        answer_from_buffer(request, status, type, body);
    } else {
        request_answer(request, status, make_response(request, type, body));
    }
}

static ssize_t request_on_give(void *data, uint64_t position, char *bytes, size_t most)
{
    request_t *request = data;
    const size_t room = request_fault_room(request, most);

    if (room == 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    long given = request->source.give(bytes, room, request->source.data);
    request->given += given > 0 ? (uint64_t)given : 0;

    (void)position;
    if (given == 0) {
        request_pause(request);
    }
    return given < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : given;
}

void request_answer_source(request_t *request, unsigned status, const char *type, uint64_t size,
                           const body_source_t *source)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(size, SOURCE_BLOCK, request_on_give, request, NULL);

    request->sent = size;
    request->source = *source;
    if (response != NULL) {
        add_headers(request, response, type);
    }
    request_answer(request, status, response);
}

enum MHD_Result request_queue_answer(request_t *request)
{
    struct MHD_Response *response = request->response;

    request->response = NULL;
    client_enter(request->client, PHASE_ANSWER, request->sent);
    const bool cut = request->http->severed || request_fault_cuts(request);
    if (response == NULL || cut) {
        request->sent = 0;
        request->status = 0;
    }
    if (response == NULL) { /* memory ran out: the connection is closed */
        return MHD_NO;
    }
    enum MHD_Result queued =
        cut ? MHD_NO : MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return queued;
}

void request_refuse(request_t *request, unsigned status, const char *code, const char *message)
{
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_appendf(&body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
    request_add_header(request, "x-ms-error-code", code);
    request_answer_take(request, status, "application/json; charset=utf-8", &body);
}
