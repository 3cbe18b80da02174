/*
 * forked.c - a counter that grows in forked children, and descriptors that are
 * closed there.
 */
#include "forked.h"

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

atomic_uint kernel__fork_count;

static pthread_once_t forked_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t forked_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next */
static kernel__fork_lifeline_t *forked_lifelines;

static void forked_before(void)
{
    (void)pthread_mutex_lock(&forked_lock);
}

static void forked_in_parent(void)
{
    (void)pthread_mutex_unlock(&forked_lock);
}

static void forked_in_child(void)
{
    atomic_fetch_add_explicit(&kernel__fork_count, 1, memory_order_relaxed);
    for (kernel__fork_lifeline_t *one = forked_lifelines; one != NULL; one = one->next) {
        (void)close(one->fd);
        one->fd = -1;
    }
    (void)pthread_mutex_unlock(&forked_lock);
    kernel__call_after_fork();
    kernel__image_after_fork();
    kernel__static_after_fork();
}

static void forked_install(void)
{
    (void)pthread_atfork(forked_before, forked_in_parent, forked_in_child);
}

void kernel__fork_watch(void)
{
    (void)pthread_once(&forked_once, forked_install);
}

void kernel__fork_guard(kernel__fork_lifeline_t *lifeline, int fd)
{
    lifeline->fd = fd;
    lifeline->previous = NULL;
    (void)pthread_mutex_lock(&forked_lock);
    lifeline->next = forked_lifelines;
    if (forked_lifelines != NULL) {
        forked_lifelines->previous = lifeline;
    }
    forked_lifelines = lifeline;
    (void)pthread_mutex_unlock(&forked_lock);
}

void kernel__fork_release(kernel__fork_lifeline_t *lifeline)
{
    (void)pthread_mutex_lock(&forked_lock);
    if (lifeline->previous != NULL) {
        lifeline->previous->next = lifeline->next;
    } else {
        forked_lifelines = lifeline->next;
    }
    if (lifeline->next != NULL) {
        lifeline->next->previous = lifeline->previous;
    }
    (void)pthread_mutex_unlock(&forked_lock);
    if (lifeline->fd >= 0) {
        (void)close(lifeline->fd);
    }
    lifeline->fd = -1;
}
