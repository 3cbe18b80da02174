/*
 * watch.h - the memory of sessions, where no control group limits it.
 *
 * Ten times a second the resident memory of each session's processes is added
 * up, shared pages by their share. A session above the limit loses its worker
 * and keeps its files. Those lie in file systems with limits of their own.
 */
#ifndef SESSIONS_WATCH_PRIVATE_H
#define SESSIONS_WATCH_PRIVATE_H

#include <uv.h>

#include "pool.h"

typedef struct watch {
    uv_timer_t timer;
    pool_t *pool;
    int64_t limit;
    char reason[64];
} watch_t;

void watch_start(watch_t *watch, uv_loop_t *loop, pool_t *pool, int64_t limit);
void watch_stop(watch_t *watch);

#endif /* SESSIONS_WATCH_PRIVATE_H */
