/*
 * http.h - HTTP on the unix socket: connections, limits, who may ask.
 *
 * The home of libmicrohttpd, driven by the server's loop without a thread. A
 * handler sees whole requests from allowed peers, and answers each exactly once,
 * now or later.
 */
#ifndef SESSIONS_HTTP_PRIVATE_H
#define SESSIONS_HTTP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include <buffer.h>

#include "failure.h"

typedef struct http http_t;
typedef struct request request_t;

typedef void (*http_handler_fn)(request_t *request, void *data);

typedef struct http_options {
    uv_loop_t *loop;
    int socket; /* listening; stays the caller's */
    unsigned connections;
    size_t body_max;
    http_handler_fn handler;
    void *data;
    const char *level; /* goes into each answer's header semkernel-sandbox */
} http_options_t;

http_t *http_start(const http_options_t *options, failure_t *failure);
/* Take no new connections. */
void http_quiesce(http_t *http);
/* Close everything; only with no request unanswered. Freed on a later turn of the loop. */
void http_stop(http_t *http);

const char *request_method(const request_t *request);
const char *request_path(const request_t *request); /* decoded; begins with / */
/* A query value, NULL if absent. A value with a NUL in it counts as absent. */
const char *request_query(const request_t *request, const char *name);
const char *request_header(const request_t *request, const char *name);
const char *request_body(const request_t *request, size_t *size_out);

/* Its caller's data, freed by nobody here. */
void request_set_data(request_t *request, void *data, void (*on_hang_up)(request_t *request));
void *request_data(const request_t *request);

/* Add a header to the answer to come; both are copied. */
void request_add_header(request_t *request, const char *name, const char *value);
/* Answer with the buffer's content, which is taken, and left empty. `type` NULL: no body. */
void request_answer_take(request_t *request, unsigned status, const char *type, sk_buffer_t *body);

#endif /* SESSIONS_HTTP_PRIVATE_H */
