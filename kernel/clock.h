/*
 * clock.h - the monotonic clock, and conditions that wait by it.
 */
#ifndef KERNEL_CLOCK_PRIVATE_H
#define KERNEL_CLOCK_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define KERNEL__NS_PER_MS 1000000u

/* Nanoseconds of the monotonic clock; never 0. */
uint64_t kernel__clock_now(void);
/* Now + timeout, without overflow; 0 ms gives 0, which means never. */
uint64_t kernel__clock_deadline(uint64_t timeout_ms);
/* The earlier of two deadlines, 0 meaning never. */
uint64_t kernel__clock_earlier(uint64_t a, uint64_t b);
/* Whole milliseconds until then, rounded up, 0 if it has passed. */
uint64_t kernel__clock_ms_until(uint64_t deadline);

/* A condition that kernel__condition_wait can time. */
void kernel__condition_init(pthread_cond_t *condition);
/* False when `deadline` (0: never) has passed. Wakes for no reason at times. */
bool kernel__condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t deadline);

#endif /* KERNEL_CLOCK_PRIVATE_H */
