/*
 * requester.h - what a test and the plugin "requester" share.
 *
 * The test fills in a plan and hands its address to one of the plugin's
 * functions, which sends the plan's request and passes every callback on.
 */
#ifndef HTTP_REQUESTER_H
#define HTTP_REQUESTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <kernel/plugin.h>

typedef struct requester_plan requester_plan_t;
struct requester_plan {
    kp_http_request request; /* but for call, callbacks and arg, which the plugin sets */
    bool is_of_instance;     /* the request belongs to the instance, not to the call */

    /* each may be NULL; [loop] */
    void (*on_started)(requester_plan_t *plan); /* request() has answered KP_OK; of "send" only */
    void (*on_chunk)(requester_plan_t *plan, const void *data, size_t size);
    void (*on_progress)(requester_plan_t *plan, uint64_t sent, uint64_t send_total,
                        uint64_t received, uint64_t receive_total);
    void (*on_done)(requester_plan_t *plan, const kp_http_response *response);
    void *data; /* the test's */

    /* the plugin's to fill */
    kp_instance *instance;
    kp_call *call;
    const kp_http *http;
    const kp_loop *loop;
    kp_http_op *op;      /* as request() gave it */
    kp_http_op *seen_op; /* as a callback gave it */
    atomic_int begun;    /* what request() answered; 1: not asked yet */

    /* "send_and_wait" sleeps on these */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_over;
    int outcome; /* the status of the call */
};

#endif /* HTTP_REQUESTER_H */
