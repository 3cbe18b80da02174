/*
 * delivery.h - where callbacks of the host run: the loop thread, kernel_dispatch(),
 * or the host's own uv loop.
 */
#ifndef KERNEL_DELIVERY_PRIVATE_H
#define KERNEL_DELIVERY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <kernel/kernel.h>

#include "loop.h"

typedef struct kernel__delivery_wake kernel__delivery_wake_t;

typedef struct kernel__delivery {
    pthread_mutex_t lock; /* guards all below */
    kernel__task_t *first;
    kernel__task_t **last;
    int fd;                        /* an eventfd, -1 until somebody asks for it */
    kernel__delivery_wake_t *wake; /* in the host's uv loop, NULL without one */
    atomic_long expected;          /* callbacks that will come there */
} kernel__delivery_t;

/* With a uv loop this runs on its thread. */
kernel_status_t kernel__delivery_init(kernel_t *kernel, struct uv_loop_s *loop,
                                      kernel_error_t *error);
/* A callback of this kind will come, and has come: meanwhile the host's uv loop is kept turning. */
void kernel__delivery_expect(kernel_t *kernel, kernel_delivery_t delivery);
void kernel__delivery_done(kernel_t *kernel, kernel_delivery_t delivery);
/* Run `task` where callbacks of this kind run. */
void kernel__delivery_post(kernel_t *kernel, kernel_delivery_t delivery, kernel__task_t *task);
/* Run what waits for kernel_dispatch() or the uv loop; how many. */
size_t kernel__delivery_run(kernel_t *kernel);
void kernel__delivery_fini(kernel_t *kernel);
/* In a forked child. */
void kernel__delivery_forget(kernel_t *kernel);

#endif /* KERNEL_DELIVERY_PRIVATE_H */
