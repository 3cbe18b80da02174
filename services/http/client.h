/*
 * client.h - one instance of the service: what all its requests share.
 *
 * Any thread may start a request; everything else happens on the kernel's loop
 * thread. Whatever wants to happen - a transfer ended, an operation was
 * cancelled or resumed, a time is over - is noted, and http__client_run() does
 * it when neither libcurl nor a callback of a plugin is on the stack below.
 */
#ifndef HTTP_CLIENT_PRIVATE_H
#define HTTP_CLIENT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/plugin.h>
#include <kernel/service.h>

#include "deadlines.h"
#include "engine.h"
#include "lookups.h"

typedef struct http__config { /* texts are the instance's; NULL: not given */
    const char *http_proxy;
    const char *https_proxy;
    const char *all_proxy;
    const char *no_proxy;
    const char *ca_file;
    const char *user_agent;
    uint32_t connect_ms;
    uint32_t first_byte_ms; /* 0: none, as the next two */
    uint32_t idle_ms;
    uint32_t total_ms;
    uint64_t max_response;
    uint32_t max_connections;
    bool is_polling_lazily;
} http__config_t;

struct http__client {
    kp_http table; /* must be first: by it the functions find the client */
    kp_instance *instance;
    const kp_loop *loop;
    const kp_poll *poll;
    const kp_provider *provider;
    http__config_t config;

    pthread_mutex_t intake; /* held while a request is admitted: see operation.c */
    atomic_uint_fast64_t last_id;
    atomic_bool is_loop_known;
    pthread_t loop_thread; /* written before is_loop_known */

    /* the loop thread's */
    http__engine_t *engine; /* NULL until the first request */
    kp_http_op *first_due;  /* operations to look at, in the order of asking */
    kp_http_op **last_due;
    http__deadlines_t deadlines;
    http__lookups_t lookups;
    kp_timer *timer; /* NULL: none */
    uint64_t timer_at;
    bool is_running;
    bool is_kicked;
};

/* NULL: no memory. [owner] */
http__client_t *http__client_new(kp_instance *instance);
/* When no operation is left; waits for the loop thread. [owner] */
void http__client_free(http__client_t *client);

/* Is this the loop thread? [any] */
bool http__client_is_on_loop(const http__client_t *client);

/* Do what is due. Within libcurl or itself it does nothing: it is going to. [loop] */
void http__client_run(http__client_t *client);
/* The same on a later turn of the loop. [loop] */
void http__client_kick(http__client_t *client);

/* Milliseconds of the monotonic clock. [any] */
uint64_t http__now(void);

#endif /* HTTP_CLIENT_PRIVATE_H */
