/*
 * resource.c - what a session is, and what the pool is.
 */
#include "resource.h"

#include <stdio.h>
#include <string.h>

#include <json.h>

#include "reply.h"

#define PAGE_SIZE 20

static void write_session(sk_buffer_t *body, const session_t *session)
{
    const session_times_t times = session_times(session);

    sk_buffer_append_text(body, "{\"identifier\":");
    sk_json_write_text(body, session_identifier(session));
    sk_buffer_append_text(body, ",\"createdAt\":");
    reply_write_time(body, &times.created, 7);
    sk_buffer_append_text(body, ",\"lastAccessedAt\":");
    reply_write_time(body, &times.used, 7);
    sk_buffer_append_text(body, ",\"expireAt\":");
    reply_write_time(body, &times.expires, 7);
    sk_buffer_appendf(body, ",\"etag\":\"%s\"}", session_guid(session));
}

void resource_get_session(call_t *call)
{
    const session_t *session = session_find(call->protocol->pool, call->identifier);
    sk_buffer_t body = SK_BUFFER_INIT;
    char message[IDENTIFIER_MAX + 64];

    if (session == NULL) {
        (void)snprintf(message, sizeof(message), "Could not find session with name '%s'.",
                       call->identifier);
        refuse(call, 404, "NoSessionFoundError", NULL, message);
        return;
    }
    write_session(&body, session);
    request_answer_take(call->request, 200, TYPE_JSON, &body);
}

void resource_list_sessions(call_t *call)
{
    const session_t *page[PAGE_SIZE];
    sk_buffer_t body = SK_BUFFER_INIT;
    sk_buffer_t link = SK_BUFFER_INIT;
    size_t skip = 0;

    if (!reply_read_skip(call, &skip)) {
        return;
    }
    const size_t count = pool_list_sessions(call->protocol->pool, skip, page, PAGE_SIZE);
    sk_buffer_append_text(&body, "{\"sessions\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            sk_buffer_append_char(&body, ',');
        }
        write_session(&body, page[i]);
    }
    sk_buffer_append_char(&body, ']');
    if (skip + count < pool_session_count(call->protocol->pool) && count > 0) {
        reply_write_link(&link, call, "listSessions");
        sk_buffer_appendf(&link, "&skip=%zu", skip + count);
        sk_buffer_append_text(&body, ",\"nextLink\":");
        sk_json_write_text(&body, sk_buffer_text(&link));
        sk_buffer_fini(&link);
    }
    sk_buffer_append_char(&body, '}');
    request_answer_take(call->request, 200, TYPE_JSON, &body);
}

/* The pool's name is the last one of its resource id. */
void resource_stop_session(call_t *call)
{
    session_t *session = session_find(call->protocol->pool, call->identifier);
    const char *path = request_path(call->request);
    size_t end = call->base_size;
    sk_buffer_t body = SK_BUFFER_INIT;

    if (session == NULL) {
        refuse(call, 400, "SessionWithIdentifierNotFound", NULL,
               "There is no session of this identifier.");
        return;
    }
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    sk_buffer_appendf(&body, "Session %s in session pool %.*s stopped.", call->identifier,
                      end > start ? (int)(end - start) : (int)strlen("local"),
                      end > start ? path + start : "local");
    session_remove(session, "the session was stopped");
    request_answer_take(call->request, 200, "text/plain; charset=utf-8", &body);
}

void resource_delete_session(call_t *call)
{
    session_t *session = session_find(call->protocol->pool, call->identifier);

    if (session != NULL) {
        session_remove(session, "the session was deleted");
    }
    request_answer_take(call->request, 204, NULL, NULL);
}
