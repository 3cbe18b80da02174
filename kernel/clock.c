/*
 * clock.c - the monotonic clock, and conditions that wait by it.
 */
#include "clock.h"

#include <errno.h>
#include <time.h>

#define CLOCK_NS_PER_S 1000000000u

uint64_t kernel__clock_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec + 1;
}

uint64_t kernel__clock_deadline(uint64_t timeout_ms)
{
    uint64_t now = kernel__clock_now();

    if (timeout_ms == 0 || timeout_ms > (UINT64_MAX - now) / KERNEL__NS_PER_MS) {
        return 0;
    }
    return now + timeout_ms * KERNEL__NS_PER_MS;
}

uint64_t kernel__clock_earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0) {
        return a + b;
    }
    return a < b ? a : b;
}

uint64_t kernel__clock_ms_until(uint64_t deadline)
{
    uint64_t now = kernel__clock_now();

    return deadline <= now ? 0 : (deadline - now + KERNEL__NS_PER_MS - 1) / KERNEL__NS_PER_MS;
}

void kernel__condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool kernel__condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t deadline)
{
    struct timespec until;

    if (deadline == 0) {
        (void)pthread_cond_wait(condition, lock);
        return true;
    }
    until.tv_sec = (time_t)(deadline / CLOCK_NS_PER_S);
    until.tv_nsec = (long)(deadline % CLOCK_NS_PER_S);
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}
