/*
 * request.c - a request from its head to the end of its body.
 */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <alloc.h>

#include "telemetry/journal.h"

#define STRANGER_MAX ((size_t)1024 * 1024)       /* read of a body that is refused .. */
#define DISCARD_MAX  ((size_t)160 * 1024 * 1024) /* .. of clients that may ask */

/* ---- life ---- */

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

request_t *request_new(http_t *http, struct MHD_Connection *connection, client_t *client,
                       const char *method, const char *path)
{
    request_t *request = sk_calloc(1, sizeof(*request));

    if (request != NULL) {
        request->arrived_ns = now_ns();
        request->http = http;
        request->connection = connection;
        request->client = client;
        client->request = request;
        request->method = method;
        request->path = path;
    }
    return request;
}

static void request_tell(const request_t *request)
{
    const journal_request_t entry = {
        request->method,   request->operation, request->status,  now_ns() - request->arrived_ns,
        request->received, request->sent,      request->session, request->execution};

    journal_request(&entry);
}

void request_free(request_t *request)
{
    request_tell(request);
    request_fault_end(request);
    request->client->request = NULL;
    if (request->on_hang_up != NULL) {
        request->on_hang_up(request);
    }
    if (request->sink != NULL) {
        request->sink->drop(request);
    }
    if (request->source.drop != NULL) {
        request->source.drop(request->source.data);
    }
    if (request->response != NULL) {
        MHD_destroy_response(request->response);
    }
    sk_buffer_fini(&request->header_values);
    sk_buffer_fini(&request->body);
    sk_free(request);
}

/* ---- what it says ---- */

const char *request_method(const request_t *request)
{
    return request->method;
}

const char *request_path(const request_t *request)
{
    return request->path;
}

const char *request_query(const request_t *request, const char *name)
{
    const char *value = NULL;
    size_t size = 0;

    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
                                      strlen(name), &value, &size) != MHD_YES ||
        value == NULL || strlen(value) != size) {
        return NULL;
    }
    return value;
}

const char *request_header(const request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

int64_t request_arrived_ns(const request_t *request)
{
    return request->arrived_ns;
}

void *request_room(request_t *request)
{
    return request->room;
}

void request_note_operation(request_t *request, const char *operation)
{
    request->operation = operation;
}

void request_note_session(request_t *request, const char *guid)
{
    (void)snprintf(request->session, sizeof(request->session), "%s", guid);
}

void request_note_execution(request_t *request, const char *id)
{
    (void)snprintf(request->execution, sizeof(request->execution), "%s", id);
}

void request_stream_body(request_t *request, const body_sink_t *sink)
{
    request->on_body = sink->end;
    request->sink = sink;
}

void request_read_body(request_t *request, request_fn cb)
{
    request->on_body = cb;
}

const char *request_body(const request_t *request, size_t *size_out)
{
    *size_out = request->body.size;
    return sk_buffer_text(&request->body);
}

void request_set_data(request_t *request, void *data, void (*on_hang_up)(request_t *request))
{
    request->data = data;
    request->on_hang_up = on_hang_up;
}

void *request_data(const request_t *request)
{
    return request->data;
}

/* ---- its body ---- */

/* Read to the end also when the request is refused: else the client sees no answer. But not for
 * ever, and not for strangers. */
static bool request_discard(request_t *request, size_t size)
{
    size_t most = request->is_stranger ? STRANGER_MAX : DISCARD_MAX;

    sk_buffer_fini(&request->body);
    request->discarded += size < most ? size : most;
    return request->discarded < most;
}

bool request_take_part(request_t *request, const char *part, size_t size)
{
    request->received += size;
    request_fault_take_part(request, part, size);
    if (request->response != NULL) {
        return request_discard(request, size);
    }
    if (request->sink != NULL) {
        request->sink->take(request, part, size);
    } else if (request->too_large || request->body.size + size > request->http->options.body_max) {
        request->too_large = true;
        return request_discard(request, size);
    } else {
        sk_buffer_append(&request->body, part, size);
    }
    return true;
}

bool request_is_over(const request_t *request)
{
    return request->response != NULL &&
           (request->at_once || request_header(request, MHD_HTTP_HEADER_EXPECT) != NULL);
}

void request_end_body(request_t *request)
{
    const request_fn cb = request->on_body;

    request->on_body = NULL;
    request->handled = true;
    if (request->too_large || request->body.failed) {
        request_refuse(request, 413, "RequestBodyTooLarge", "the request body is too large");
    } else {
        cb(request);
    }
}

void request_suspend(request_t *request)
{
    client_enter(request->client, PHASE_SERVED, 0);
    request_pause(request);
}

/* ---- waiting ---- */

void request_pause(request_t *request)
{
    if (!request->suspended) {
        MHD_suspend_connection(request->connection);
        request->suspended = true;
        if (request->client->phase == PHASE_BODY) {
            client_enter(request->client, PHASE_SERVED, 0); /* that it waits is our doing */
        }
    }
}

void request_resume(request_t *request)
{
    if (request->suspended) {
        request->suspended = false;
        if (!request->handled && request->client->phase == PHASE_SERVED) {
            client_enter(request->client, PHASE_BODY, 0);
        }
        MHD_resume_connection(request->connection);
        http_turn(request->http, request->client);
    }
}
