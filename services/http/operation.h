/*
 * operation.h - one request of a plugin from its start to its on_done.
 */
#ifndef HTTP_OPERATION_PRIVATE_H
#define HTTP_OPERATION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/plugin.h>
#include <kernel/service.h>

#include "buffer.h"
#include "client.h"
#include "deadlines.h"
#include "failure.h"
#include "lookups.h"
#include "request.h"
#include "transfer.h"

#define HTTP__HEADERS_MAX    (256u * 1024u) /* bytes of all headers of one answer */
#define HTTP__ERROR_BODY_MAX (64u * 1024u)  /* kept of an answer that is not 2xx */

typedef enum http__operation_state {
    HTTP__OPERATION_NEW,     /* on its way to the loop thread */
    HTTP__OPERATION_WAITING, /* for another one's look-up of the same name */
    HTTP__OPERATION_RUNNING, /* there is a transfer */
    HTTP__OPERATION_SETTLED, /* the outcome is known, on_done is due */
    HTTP__OPERATION_REPORTED /* on_done runs or has run */
} http__operation_state_t;

struct kp_http_op {
    http__client_t *client;
    uint64_t id; /* begins every log line */
    kp_instance *user;
    kp_hold *hold;
    bool is_refused; /* it could not be held; guarded by the client's intake */
    int stop_status; /* KP_OK, or why it is to end, told before it began */
    http__operation_state_t state;
    http__request_t request;
    http__transfer_t *transfer; /* NULL: none */
    kp_http_op *next_due;
    bool is_due; /* in the client's list */
    http__lookup_t lookup;

    /* the clocks, ms */
    http__deadline_t deadline;
    bool has_deadline_room;
    uint64_t started_at;
    uint64_t connect_until; /* HTTP__NEVER: connected, or not begun */
    uint64_t total_until;
    uint64_t last_io; /* a byte in either direction, or connected, or resumed */
    uint64_t moved;   /* bytes in both directions when last told */

    /* the answer so far */
    uint32_t attempts;
    bool is_sent;         /* some of the request may have left */
    uint32_t http_status; /* 0: its headers have not come */
    uint64_t max_response;
    uint64_t received; /* bytes of a 2xx body, decoded */
    size_t header_bytes;
    sk_buffer_t body;
    sk_buffer_t header_texts; /* names and values, each with a NUL */
    kp_http_header *headers;  /* owned; made at the end */
    size_t header_count;
    bool is_paused;
    bool has_ended; /* whole */

    /* the outcome */
    int status;
    uint32_t response_flags; /* KP_HTTP_BODY_CUT */
    sk_buffer_t error;
};

/* kp_http.request. [any] */
int http__operation_start(http__client_t *client, kp_instance *user, const kp_http_request *request,
                          kp_http_op **op_out);

/* ---- all that follows: [loop] ---- */

void http__operation_cancel(kp_http_op *op);
void http__operation_pause(kp_http_op *op);
void http__operation_resume(kp_http_op *op);

/* Go on after the wait for a look-up. */
void http__operation_proceed(http__lookup_t *lookup);
/* Its time has come: has any of its clocks run out? */
void http__operation_on_deadline(http__deadline_t *deadline, uint64_t now);
/* There is nothing that would tell when its time has come. */
void http__operation_on_no_timer(http__deadline_t *deadline);
/* It is in the list of the client: resume it, or report it. */
void http__operation_on_due(kp_http_op *op);

/* ---- what its transfer tells; all but the last inside libcurl ---- */

typedef enum http__taken {
    HTTP__TAKEN,
    HTTP__TAKEN_LATER, /* paused: offer it again */
    HTTP__TAKEN_NEVER  /* settled: let the transfer fail */
} http__taken_t;

/* Stop the transfer? */
bool http__operation_is_over(const kp_http_op *op);
void http__operation_settle(kp_http_op *op, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The name has been resolved. */
void http__operation_on_address(kp_http_op *op);
void http__operation_on_connected(kp_http_op *op);
http__taken_t http__operation_on_header_bytes(kp_http_op *op, size_t size);
/* The headers of the answer are whole. */
void http__operation_on_head(kp_http_op *op, uint32_t http_status);
http__taken_t http__operation_on_body(kp_http_op *op, const void *data, size_t size);
void http__operation_on_progress(kp_http_op *op, uint64_t sent, uint64_t send_total,
                                 uint64_t received, uint64_t receive_total);
/* NULL: the answer came whole. */
void http__operation_on_end(kp_http_op *op, const http__failure_t *failure);

#endif /* HTTP_OPERATION_PRIVATE_H */
