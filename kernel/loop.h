/*
 * loop.h - the kernel's one loop thread: tasks posted from anywhere, timers.
 *
 * The thread starts with the first post and ends in kernel__loop_stop(). Nothing
 * else ever turns its uv_loop_t.
 */
#ifndef KERNEL_LOOP_PRIVATE_H
#define KERNEL_LOOP_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <kernel/status.h>

#include "log.h"

/* Something to run once; embedded in what it works on. */
typedef struct kernel__task {
    struct kernel__task *next;
    void (*run)(struct kernel__task *task);
} kernel__task_t;

typedef enum kernel__loop_state {
    KERNEL__LOOP_NEW,
    KERNEL__LOOP_RUNNING,
    KERNEL__LOOP_STOPPING
} kernel__loop_state_t;

typedef struct kernel__loop {
    pthread_mutex_t lock; /* guards the next five */
    kernel__loop_state_t state;
    kernel__task_t *first;
    kernel__task_t **last;
    bool is_woken;
    pthread_t thread;
    const kernel__log_t *log; /* borrowed */
    uv_loop_t uv;
    uv_async_t wake;
} kernel__loop_t;

void kernel__loop_init(kernel__loop_t *loop, const kernel__log_t *log);
/* Start the thread if it does not run. KERNEL_E_UNAVAILABLE: no thread or descriptors are to be
 * had; KERNEL_E_CLOSED: it was stopped. [thread: any] */
kernel_status_t kernel__loop_start(kernel__loop_t *loop, kernel_error_t *error);
/* Run `task` on the loop thread, in the order of posting. Starts the thread. After a failure the
 * task never runs. [thread: any] */
kernel_status_t kernel__loop_post(kernel__loop_t *loop, kernel__task_t *task);
/* Is this the loop's own thread? */
bool kernel__loop_is_current(const kernel__loop_t *loop);
/* Run what was posted, close all handles, end the thread. [thread: any but loop] */
void kernel__loop_stop(kernel__loop_t *loop);
/* In a forked child, where the thread does not exist. */
void kernel__loop_forget(kernel__loop_t *loop);

/* ---- timers: all [thread: loop] ---- */

typedef struct kernel__timer kernel__timer_t;
/* Fires once; the handle is gone when `fn` starts. NULL: no memory. */
kernel__timer_t *kernel__timer_start(kernel__loop_t *loop, uint64_t ms, void (*fn)(void *),
                                     void *data);
void kernel__timer_stop(kernel__timer_t *timer);

#endif /* KERNEL_LOOP_PRIVATE_H */
