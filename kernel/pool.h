/*
 * pool.h - the kernel's own elastic pool of threads for plain functions.
 *
 * It keeps `target` threads unblocked: a worker that waits inside the kernel is
 * compensated for. Nested work (of a call inside a call) is taken first and
 * always finds a thread, up to the limit, so that callers which wait for it
 * cannot starve it; work from outside is taken while fewer than
 * KERNEL__POOL_ROOTS of its kind run.
 */
#ifndef KERNEL_POOL_PRIVATE_H
#define KERNEL_POOL_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/status.h>

#include "log.h"
#include "loop.h"

#define KERNEL__POOL_ROOTS 32u

typedef struct kernel__pool_queue {
    kernel__task_t *first;
    kernel__task_t **last;
} kernel__pool_queue_t;

typedef struct kernel__pool {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* something to take, or stopping */
    pthread_cond_t gone;  /* a thread has left */
    kernel__pool_queue_t nested;
    kernel__pool_queue_t roots;
    uint32_t target;
    uint32_t limit;
    uint32_t total;   /* threads */
    uint32_t idle;    /* of them, waiting for work */
    uint32_t blocked; /* of them, waiting inside the kernel */
    uint32_t running_roots;
    uint32_t queued_nested;
    size_t stack_size;
    bool is_stopping;
    bool has_leaver;
    pthread_t leaver; /* the last thread that left; joined by the next, or by stop */
} kernel__pool_t;

void kernel__pool_init(kernel__pool_t *pool, uint32_t target, uint32_t limit, size_t stack_size);
/* KERNEL_E_BUSY: nested work and every thread is taken up to the limit; KERNEL_E_UNAVAILABLE: no
 * thread can be started. After a failure the task never runs. [thread: any] */
kernel_status_t kernel__pool_post(kernel__pool_t *pool, kernel__task_t *task, bool is_nested);
/* Around a wait inside the kernel; does nothing on threads that are not the pool's. */
void kernel__pool_block_enter(kernel__pool_t *pool);
void kernel__pool_block_leave(kernel__pool_t *pool);
/* Run what is queued, end and join all threads. [thread: any but the pool's] */
void kernel__pool_stop(kernel__pool_t *pool);

#endif /* KERNEL_POOL_PRIVATE_H */
