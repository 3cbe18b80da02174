/*
 * turn.h - one plain call per instance at a time, in order of arrival, and never
 * a wait that could not end.
 *
 * A free turn is taken and given by one atomic exchange. Who has to wait does so
 * under the kernel's one lock for waiting, where the graph of who waits for whom
 * is complete: the call that would close a cycle is refused.
 */
#ifndef KERNEL_TURN_PRIVATE_H
#define KERNEL_TURN_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kernel/status.h>

struct kernel__call;
struct kernel__turn_wait;

/* Of an instance. */
typedef struct kernel__turn {
    atomic_uintptr_t holder; /* the call that has it; bit 0: others wait */
    struct kernel__turn_wait *first;
    struct kernel__turn_wait **last;
} kernel__turn_t;

/* Of a kernel. */
typedef struct kernel__turns {
    pthread_mutex_t lock; /* guards all waits, and the parent and child links of calls */
} kernel__turns_t;

/* A place in the queue; its memory is whoever's who waits. */
typedef struct kernel__turn_wait {
    struct kernel__turn_wait *next;
    kernel__turn_t *turn;
    struct kernel__call *call;
    pthread_cond_t *condition; /* of a thread that sleeps; NULL: `granted` is called instead */
    void (*granted)(struct kernel__turn_wait *wait); /* with the lock held */
    bool is_granted;
    bool is_abandoned;
} kernel__turn_wait_t;

void kernel__turns_init(kernel__turns_t *turns);
void kernel__turns_fini(kernel__turns_t *turns);
void kernel__turn_init(kernel__turn_t *turn);

/* Take it if it is free and nobody waits. */
bool kernel__turn_try(kernel__turn_t *turn, struct kernel__call *call);
/*
 * Wait for it. KERNEL_E_WOULD_DEADLOCK: whoever has it waits for this call.
 * KERNEL_E_TIMEOUT: `deadline` (0: none) passed. KERNEL_E_CANCELLED: the call was cancelled.
 */
kernel_status_t kernel__turn_wait(kernel__turns_t *turns, kernel__turn_t *turn,
                                  struct kernel__call *call, uint64_t deadline);
/*
 * Queue up without sleeping: `granted` is called with the lock held once the turn is had, which may
 * be before this returns. Otherwise as kernel__turn_wait().
 */
kernel_status_t kernel__turn_queue(kernel__turns_t *turns, kernel__turn_t *turn,
                                   struct kernel__call *call, kernel__turn_wait_t *wait,
                                   void (*granted)(kernel__turn_wait_t *wait));
/* Leave the queue, if the call is in one: true when its `granted` will not be called, so that its
 * end is the caller's. A sleeping thread wakes with KERNEL_E_CANCELLED and goes on by itself. */
bool kernel__turn_abandon(kernel__turns_t *turns, struct kernel__call *call);
/* Give it to the next. */
void kernel__turn_give(kernel__turns_t *turns, kernel__turn_t *turn, struct kernel__call *call);

#endif /* KERNEL_TURN_PRIVATE_H */
