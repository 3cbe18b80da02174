/*
 * forked.c - a counter that grows in forked children.
 */
#include "forked.h"

#include <pthread.h>

atomic_uint kernel__fork_count;

static pthread_once_t forked_once = PTHREAD_ONCE_INIT;

static void forked_on_child(void)
{
    atomic_fetch_add_explicit(&kernel__fork_count, 1, memory_order_relaxed);
}

static void forked_install(void)
{
    (void)pthread_atfork(NULL, NULL, forked_on_child);
}

void kernel__fork_watch(void)
{
    (void)pthread_once(&forked_once, forked_install);
}
