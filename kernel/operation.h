/*
 * operation.h - one invocation as the host sees it: started, settled once,
 * reported once.
 *
 * It outlives the plugin's execution when a deadline or a cancellation settles
 * it first, and the execution outlives it when the plugin answers late.
 */
#ifndef KERNEL_OPERATION_PRIVATE_H
#define KERNEL_OPERATION_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kernel/kernel.h>

#include "call.h"
#include "filters.h"
#include "loop.h"
#include "request.h"

#define KERNEL__CHUNKS_MAX 256u

typedef enum kernel__operation_kind {
    KERNEL__OPERATION_INLINE,  /* a plain function on the caller's thread, which cannot be left */
    KERNEL__OPERATION_WAITING, /* the caller sleeps until it is settled */
    KERNEL__OPERATION_STARTED  /* reported to a callback */
} kernel__operation_kind_t;

typedef struct kernel__chunk {
    struct kernel__chunk *next;
    uint32_t kind; /* KP_EMIT_ */
    double fraction;
    size_t size;
    char data[];
} kernel__chunk_t;

struct kernel_call {
    kernel_t *kernel;
    kernel_function_t *function;
    unsigned fork_count;
    kernel_plugin_t *user; /* of a nested call: the instance that asked; entered. NULL: the host */
    kernel__operation_kind_t kind;
    pthread_t thread; /* INLINE: the caller's */
    uint64_t timeout_ms;
    uint64_t deadline; /* 0: none */
    kernel_invoke_cb cb;
    void *data;
    kernel_chunk_fn on_chunk;
    kernel_progress_fn on_progress;
    void *stream_data;
    kernel_delivery_t delivery;
    kernel_args_t *context; /* owned */
    kernel_filter_context_t filter;

    atomic_uint refs;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    kernel__call_t *call;    /* held; the present execution */
    kernel__call_t *retried; /* held; the first one, which has the arguments */
    kernel_status_t stopped; /* not KERNEL_OK: given up, and so is every attempt that follows */
    bool is_ready;           /* filters have let it pass: it may be settled from outside */
    bool is_settled;         /* `outcome` stands; filters may yet replace it */
    bool is_final;           /* nothing replaces it any more */
    bool is_reported;
    bool is_delivering;
    bool is_scheduled;
    bool is_starved;          /* emit answered BUSY */
    kernel_result_t *outcome; /* owned, once settled */
    kernel__chunk_t *chunks;
    kernel__chunk_t **last_chunk;
    unsigned chunk_count;
    kernel_cancel_t *cancel;       /* held */
    kernel_call_t *next_of_cancel; /* guarded by the cancellation's lock, like the next three */
    kernel_call_t *previous_of_cancel;
    bool is_linked;
    bool is_triggered;          /* a trigger is at work on it */
    kernel__timer_t *timer;     /* [thread: loop] */
    kernel__call_t *begin_call; /* what begin_task runs; held by its own execution */
    kernel__task_t begin_task;
    kernel__task_t settle_task;
    kernel__task_t deliver_task;
    kernel__task_t arm_task;
    kernel__task_t disarm_task;
    bool is_armed;
    kernel_status_t begin_status; /* not KERNEL_OK: no thread could be had */
    kernel__turn_wait_t turn_wait;
};

void kernel__operation_keep(kernel_call_t *operation);
void kernel__operation_drop(kernel_call_t *operation);

/* Is it an operation of the process that this one was forked from? */
bool kernel__operation_is_forked(const kernel_call_t *operation);

/* Call and wait. Never NULL. */
kernel_result_t *kernel__operation_call(const kernel__request_t *request);
/* Start; see kernel_invoke_async(). */
kernel_status_t kernel__operation_start(const kernel__request_t *request, kernel_invoke_cb cb,
                                        void *data, kernel_call_t **operation_out);

/* The execution has answered; takes `result`. */
void kernel__operation_answered(kernel_call_t *operation, kernel__call_t *call,
                                kernel_result_t *result);
/* Settle with a failure, unless it is settled; ask the function to stop. */
void kernel__operation_cancel(kernel_call_t *operation, kernel_status_t status);
/* A chunk of the execution; KP_OK, KP_E_BUSY, KP_E_CANCELLED, KP_E_NO_MEMORY. */
int kernel__operation_emit(kernel_call_t *operation, uint32_t kind, const kp_value *value,
                           double fraction);
/* ---- its parts, for those who wait ---- */

kernel_call_t *kernel__operation_new(const kernel__request_t *request,
                                     kernel__operation_kind_t kind);
/* Take a prepared record as the present execution; begins the filters' way. */
void kernel__operation_attach(kernel_call_t *operation, kernel__call_t *call);
/* From here on cancellation, deadline and removal may settle it; what came before takes effect. */
void kernel__operation_open(kernel_call_t *operation);
/* Take a second record in the place of the first, for a retry. Not KP_OK: the operation was given
 * up, the second is to end with this status and not to run. */
int kernel__operation_again(kernel_call_t *operation, kernel__call_t *second);
/* Let go of all that belongs to the kernel: it may be gone when the host lets go of its handle. */
void kernel__operation_detach(kernel_call_t *operation);
/* Hand the present execution to the thread that runs it. */
void kernel__operation_begin(kernel_call_t *operation, kernel__call_t *call);
/* See that chunks and outcome are delivered. */
void kernel__operation_schedule(kernel_call_t *operation);
/* With the lock held, which is let go of meanwhile: hand out the chunks that wait. */
void kernel__operation_hand_out(kernel_call_t *operation);
/* The same without the lock. */
void kernel__operation_take_chunks(kernel_call_t *operation);
/* Is there room for chunks? Else the drain hook of its call runs when there is. */
bool kernel__operation_has_room(kernel_call_t *operation);
/* See that the deadline is noticed although the caller's thread is busy in the function. */
void kernel__operation_arm(kernel_call_t *operation);
void kernel__operation_disarm(kernel_call_t *operation);

#endif /* KERNEL_OPERATION_PRIVATE_H */
