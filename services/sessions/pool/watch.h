/*
 * watch.h - the memory of sessions, where no control group limits it.
 *
 * Ten times a second the resident memory of each session's processes is added
 * up, shared pages by their share. A session above the limit loses its worker
 * and keeps its files. Those lie in file systems with limits of their own; at
 * level landlock they do not, and they and the processes are counted, too.
 *
 * A process with very many mappings takes long to measure, so that is done on a
 * thread of its own, which uses half a core at most and starts no process: what a
 * thread has started dies with it.
 */
#ifndef SESSIONS_WATCH_PRIVATE_H
#define SESSIONS_WATCH_PRIVATE_H

#include "pool.h"

typedef struct watch watch_t;

/* NULL, and a text, if there is no memory or no thread for it. */
watch_t *watch_start(const sandbox_plan_t *plan, pool_t *pool, failure_t *failure);
/* Ends with the loop's next turns; NULL is fine. */
void watch_stop(watch_t *watch);

#endif /* SESSIONS_WATCH_PRIVATE_H */
