/*
 * client.h - connections: let in, turned away, and given their time.
 *
 * The server accepts connections itself and hands them to the library one by one, so that it knows
 * how many there are and what each is doing. A connection that keeps the server waiting for longer
 * than its phase allows is cut, with 408 where that can still be said.
 */
#ifndef SESSIONS_CLIENT_PRIVATE_H
#define SESSIONS_CLIENT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "http.h"

typedef struct client client_t;

typedef enum phase {
    PHASE_HEAD,    /* new: the head of its first request is to come */
    PHASE_BODY,    /* the body is to come */
    PHASE_SERVED,  /* its request is being worked on: it may wait for as long as that takes */
    PHASE_ANSWER,  /* it is to read the answer */
    PHASE_KEPT,    /* answered: the next request may come */
    PHASE_LEAVING, /* turned away: it is to read that, and to hang up */
} phase_t;

struct client {
    http_t *http;
    client_t *next;
    client_t *previous;
    struct MHD_Connection *connection; /* the library's; NULL when leaving */
    int socket;                        /* the library's, once it has it; ours when leaving */
    transport_t transport;
    phase_t phase;
    int64_t deadline_ns; /* INT64_MAX: none */
    uv_poll_t poll;      /* for its end; when leaving, for what it still sends */
    request_t *request;  /* NULL: none */
    char *target;        /* of the latest request, as it came; kept for faults alone, else NULL */
};

typedef struct gate gate_t;

/* Who is connected, and where more come from. */
typedef struct clients {
    client_t *first;
    client_t *arriving; /* is being handed to the library */
    size_t count;       /* without those that leave */
    size_t leaving;
    gate_t *gates;
    size_t gate_count;
    uv_timer_t clock; /* at the earliest deadline, or earlier */
    int64_t clock_ns; /* when it strikes; INT64_MAX: it does not */
} clients_t;

/* Accept from all listeners of the options. */
bool clients_start(http_t *http, failure_t *failure);
void clients_quiesce(http_t *http);
/* After the library has closed its connections; each handle that closes is told to `on_close` as
 * one of http->closing. */
void clients_stop(http_t *http, uv_close_cb on_close);

/* The client enters a phase in which `size` bytes are expected of it, or by it. */
void client_enter(client_t *client, phase_t phase, uint64_t size);
/* Look for the end of the connection. */
void client_watch(client_t *client);
/* So many bytes have come, which earns more time. */
void client_credit(client_t *client, size_t size);
/* The connection is closed: forget it. */
void client_free(client_t *client);

#endif /* SESSIONS_CLIENT_PRIVATE_H */
