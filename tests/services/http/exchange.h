/*
 * exchange.h - a kernel with the service http and the plugin "requester", and
 * exchanges that are started through it and looked at afterwards.
 *
 *     client_t client = client_open(NULL);
 *     exchange_t exchange;
 *
 *     exchange_init(&exchange, "GET", url);
 *     exchange_run(&client, &exchange);
 *     CHECK_EQ(exchange.http_status, 200);
 *     exchange_fini(&exchange);
 *     client_close(&client);
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdatomic.h>

#include <kernel/kernel.h>

#include "buffer.h"
#include "requester.h"
#include "support/check.h"
#include "support/replay_server.h"

typedef struct client {
    kernel_t *kernel;
    kernel_plugin_t *plugin;
    kernel_function_t *send;
    kernel_function_t *send_and_wait;
    pthread_mutex_t lock; /* guards log */
    sk_buffer_t log;      /* every line */
} client_t;

/* `config` is the service's, NULL: none. */
void client_open(client_t *client, const char *config);
void client_open_trusting(client_t *client, const replay_server_t *server);
/* The service comes when it is asked for. */
void client_open_without_service(client_t *client);
/* Free the kernel; nothing of it may be left. */
void client_close(client_t *client);
/* Is `text` in the log? */
bool client_has_logged(client_t *client, const char *text);

typedef struct exchange {
    requester_plan_t plan; /* must be first */
    latch_t done;          /* opened by on_done */
    latch_t reported;      /* opened when a call started by exchange_start() was reported */
    atomic_int done_count;
    atomic_int report_count;
    pthread_t thread; /* of the callbacks */
    bool has_thread;
    bool is_on_one_thread;

    /* what on_done was told, copied */
    int status;
    uint32_t http_status;
    uint32_t attempts;
    int64_t retry_after_ms;
    uint32_t flags;
    sk_buffer_t headers; /* "Name: value\n" */
    sk_buffer_t body;    /* of the response, or of its chunks */
    sk_buffer_t error;
    size_t chunk_count;

    /* what the call answered */
    kernel_status_t call_status;
    char call_error[512];

    void (*on_chunk)(struct exchange *exchange, size_t size); /* after it was copied; NULL: none */
    void (*on_done)(struct exchange *exchange);               /* after all was copied */
    void *data;
} exchange_t;

void exchange_init(exchange_t *exchange, const char *method, const char *url);
void exchange_fini(exchange_t *exchange);
/* The body is to be taken in chunks. */
void exchange_stream(exchange_t *exchange);
/* Call, and wait for the answer and for on_done. */
void exchange_run(client_t *client, exchange_t *exchange);
void exchange_run_until(client_t *client, exchange_t *exchange, uint64_t timeout_ms);
/* Start; the answer opens `reported`. The handle is to be released; NULL: nobody wants it. */
void exchange_start(client_t *client, exchange_t *exchange, kernel_call_t **call_out);
/* Wait until it was reported and on_done has run. */
void exchange_wait(exchange_t *exchange);
/* Run `fn` on the loop thread, and wait for it; after exchange_start(). */
void exchange_on_loop(exchange_t *exchange, void (*fn)(exchange_t *exchange));

/* How many descriptors this process has open. */
size_t descriptor_count(void);

#endif /* HTTP_EXCHANGE_H */
