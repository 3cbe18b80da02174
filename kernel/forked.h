/*
 * forked.h - is this process a child of the one that made the kernel? And what a
 * child must not hold on to.
 *
 * getpid() would cost more than a whole call; a counter that a fork handler
 * raises in the child does not.
 */
#ifndef KERNEL_FORKED_PRIVATE_H
#define KERNEL_FORKED_PRIVATE_H

#include <stdatomic.h>

extern atomic_uint kernel__fork_count; /* raised in each forked child */

/* Install the handlers, once a process. */
void kernel__fork_watch(void);

/* In a forked child, before anything else runs there: new locks in the place of
 * those of the process that threads of the parent may hold for ever. What they
 * guard is changed by single stores. */
void kernel__call_after_fork(void);
void kernel__image_after_fork(void);
void kernel__static_after_fork(void);

/*
 * A descriptor that forked children must not keep open: the end of a pipe by
 * which a program notices that this process has died. It is closed in every
 * child; one that goes on with exec() loses it by close-on-exec anyway.
 */
typedef struct kernel__fork_lifeline {
    struct kernel__fork_lifeline *next;
    struct kernel__fork_lifeline *previous;
    int fd;
} kernel__fork_lifeline_t;

void kernel__fork_guard(kernel__fork_lifeline_t *lifeline, int fd);
/* Close it here, too. */
void kernel__fork_release(kernel__fork_lifeline_t *lifeline);

#endif /* KERNEL_FORKED_PRIVATE_H */
