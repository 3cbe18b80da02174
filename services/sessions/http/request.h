/*
 * request.h - what the parts of the HTTP server know of a request.
 *
 *   client.c           connections, their number and their time
 *   client_watch.c     whether they are still there
 *   http.c             the library on the loop; the call-backs of a request's life
 *   request.c          what a request says, and its body
 *   request_answer.c   what it is answered
 *   request_fault.c    what is to go wrong with it, in tests of clients
 *   request_guard.c    whether it may ask at all
 *
 * Together they are the home of libmicrohttpd; nobody else includes this header.
 */
#ifndef SESSIONS_REQUEST_PRIVATE_H
#define SESSIONS_REQUEST_PRIVATE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <microhttpd.h>

#include <buffer.h>

#include "client.h"
#include "fault.h"
#include "http.h"
#include "request_log.h"

#define ANSWER_HEADERS 24
#define NOTE_MAX       128

/* The library serves either with TLS or without. */
typedef enum engine_kind { ENGINE_PLAIN, ENGINE_TLS, ENGINE_COUNT } engine_kind_t;

typedef struct engine {
    struct MHD_Daemon *daemon; /* NULL: not in use */
    uv_poll_t watch;
    uv_timer_t timer;
    bool turning; /* inside the library */
} engine_t;

struct http {
    http_options_t options;
    engine_t engines[ENGINE_COUNT];
    clients_t clients;
    bool severed; /* nobody is to be answered any more */
    int closing;  /* handles still to close */
};

typedef struct answer_header {
    const char *name;
    size_t value; /* where it begins in the values */
} answer_header_t;

typedef struct request_fault request_fault_t;

struct request {
    http_t *http;
    request_fault_t *fault; /* NULL without --faults */
    uint64_t given;         /* bytes of the answer's body, by its source */
    client_t *client;
    struct MHD_Connection *connection;
    const char *method;
    const char *path;
    int64_t arrived_ns;
    request_fn on_body;      /* once */
    const body_sink_t *sink; /* NULL: the body is kept here */
    body_source_t source;    /* of the answer */
    sk_buffer_t body;
    size_t discarded; /* of the body, after the answer was known */
    bool too_large;
    bool is_stranger; /* has not shown that it may ask */
    bool at_once;     /* answer at the head and close: where the request ends is in doubt */
    bool handled;     /* the whole body is with its taker */
    bool suspended;
    struct MHD_Response *response; /* NULL before the answer */
    unsigned status;
    answer_header_t headers[ANSWER_HEADERS];
    size_t header_count;
    sk_buffer_t header_values;
    const char *operation; /* these for the log; NULL or "" if unknown */
    char session[NOTE_MAX + 1];
    char execution[NOTE_MAX + 1];
    uint64_t received; /* of the body */
    uint64_t sent;
    void *data;
    void (*on_hang_up)(request_t *request);
    alignas(max_align_t) char room[REQUEST_ROOM];
};

/* Let the library work until it waits: for this client, for all. */
void http_turn(http_t *http, const client_t *client);
void http_turn_all(http_t *http);
/* Give an accepted connection to the library, which closes it also if that fails. */
bool http_take_connection(http_t *http, client_t *client);

/* Cut a connection. The library finds its end, or at least that nothing comes any more. */
void http_abandon(client_t *client);

/* NULL: memory ran out. */
request_t *request_new(http_t *http, struct MHD_Connection *connection, client_t *client,
                       const char *method, const char *path);
void request_free(request_t *request);
/* False: the connection is to be cut, so much comes that nobody wants. */
bool request_take_part(request_t *request, const char *part, size_t size);
/* Is the answer due before the body? */
bool request_is_over(const request_t *request);
/* The whole body is there: tell who takes it, once. */
void request_end_body(request_t *request);
/* Wait for the answer. */
void request_suspend(request_t *request);

/* Answer a request that is not for the handler. */
void request_refuse(request_t *request, unsigned status, const char *code, const char *message);
/* Hand the answer to the library. */
enum MHD_Result request_queue_answer(request_t *request);

/* With --faults: take or refuse the request, record it, hold its answer back, cut it off. */
bool request_fault_begin(request_t *request);
void request_fault_take_part(request_t *request, const char *part, size_t size);
bool request_fault_hold(request_t *request);
bool request_fault_cuts(const request_t *request);
bool request_fault_cuts_body(const request_t *request);
/* How many of the next `most` bytes of the body may be sent. */
size_t request_fault_room(const request_t *request, size_t most);
void request_fault_end(request_t *request);
/* The server ends: let go of all answers that are held back. */
void request_faults_release(void);

/* Refuse who may not ask. */
void request_check(request_t *request);

#endif /* SESSIONS_REQUEST_PRIVATE_H */
