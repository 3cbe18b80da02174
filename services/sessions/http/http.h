/*
 * http.h - HTTP on unix sockets, TCP and TLS: connections, limits, who may ask.
 *
 * libmicrohttpd, driven by the server's loop without a thread (request.h). A
 * handler sees the head of each request of an allowed peer. It answers at once, or
 * says who takes the body and answers later; each request exactly once.
 */
#ifndef SESSIONS_HTTP_PRIVATE_H
#define SESSIONS_HTTP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <buffer.h>

#include "base/failure.h"
#include "tls.h"

typedef struct http http_t;
typedef struct request request_t;

#define REQUEST_ROOM 512

typedef void (*http_handler_fn)(request_t *request, void *data);
typedef void (*request_fn)(request_t *request);

typedef enum transport { TRANSPORT_UNIX, TRANSPORT_TCP, TRANSPORT_TLS } transport_t;

typedef struct listener {
    int socket; /* listening, non-blocking; stays the caller's */
    transport_t transport;
} listener_t;

typedef struct http_options {
    uv_loop_t *loop;
    const listener_t *listeners;
    size_t listener_count;
    unsigned connections; /* at a time; more are turned away */
    unsigned patience_s;  /* for the head of a request, and for a body that does not go on */
    size_t body_max;      /* of request_read_body() */
    http_handler_fn handler;
    void *data;
    bool faults;       /* obey and record, for tests of clients */
    const char *level; /* goes into each answer's header semkernel-sandbox */
    const char *token; /* that clients over TCP must show */
    const char *hosts; /* names of this server beside localhost, separated by commas; NULL: none */
    const tls_t *tls;  /* NULL: no listener speaks it */
} http_options_t;

http_t *http_start(const http_options_t *options, failure_t *failure);
/* Take no new connections. */
void http_quiesce(http_t *http);
/* Close connections instead of answering from now on. */
void http_sever(http_t *http);
/* Close everything; only with no request unanswered. Freed on a later turn of the loop. */
void http_stop(http_t *http);

const char *request_method(const request_t *request);
const char *request_path(const request_t *request); /* decoded; begins with / */
/* A query value, NULL if absent. Here and in the path a NUL is read as the byte 1, so that what it
 * stands in is refused as any text with a control character is. */
const char *request_query(const request_t *request, const char *name);
const char *request_header(const request_t *request, const char *name);
int64_t request_arrived_ns(const request_t *request);
/* REQUEST_ROOM zeroed bytes that are the handler's as long as the request lives. */
void *request_room(request_t *request);

/* What the log says of it: the operation, a literal; the session's guid; the execution's id. */
void request_note_operation(request_t *request, const char *operation);
void request_note_session(request_t *request, const char *guid);
void request_note_execution(request_t *request, const char *id);

/* In the handler, if it has not answered: `cb` runs with the whole body. A larger one than may be
 * is refused without it. */
void request_read_body(request_t *request, request_fn cb);
const char *request_body(const request_t *request, size_t *size_out);

/* The same, but the body goes to a sink as it comes. `take` may pause the request; then nothing
 * more comes until it is resumed, except what had been read already. `drop` ends its life. */
typedef struct body_sink {
    void (*take)(request_t *request, const char *bytes, size_t size);
    void (*end)(request_t *request);
    void (*drop)(request_t *request);
} body_sink_t;

void request_stream_body(request_t *request, const body_sink_t *sink);
void request_pause(request_t *request);
void request_resume(request_t *request);

/* Its caller's data, freed by nobody here. */
void request_set_data(request_t *request, void *data, void (*on_hang_up)(request_t *request));
void *request_data(const request_t *request);

/* Add a header to the answer to come; the value is copied, the name a literal. */
void request_add_header(request_t *request, const char *name, const char *value);
/* Answer with the buffer's content, which is taken, and left empty. `type` NULL: no body. */
void request_answer_take(request_t *request, unsigned status, const char *type, sk_buffer_t *body);

/* Answer with `size` bytes, above 0, that come from a source. `give` copies up to `most` bytes and
 * returns how many; 0: none are there yet, and request_resume() will be called; below 0: there
 * will be no more, the connection is cut. `drop` is called once, when it is done with. */
typedef struct body_source {
    long (*give)(char *bytes, size_t most, void *data);
    void (*drop)(void *data);
    void *data;
} body_source_t;

void request_answer_source(request_t *request, unsigned status, const char *type, uint64_t size,
                           const body_source_t *source);

#endif /* SESSIONS_HTTP_PRIVATE_H */
