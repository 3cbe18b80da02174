/*
 * forked.h - is this process a child of the one that made the kernel?
 *
 * getpid() would cost more than a whole call; a counter that a fork handler
 * raises in the child does not.
 */
#ifndef KERNEL_FORKED_PRIVATE_H
#define KERNEL_FORKED_PRIVATE_H

#include <stdatomic.h>

extern atomic_uint kernel__fork_count; /* raised in each forked child */

/* Install the handler, once a process. */
void kernel__fork_watch(void);

#endif /* KERNEL_FORKED_PRIVATE_H */
