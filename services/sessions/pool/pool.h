/*
 * pool.h - the slots of the server, the workers kept warm in them, and their end.
 *
 * A slot is a number with a user id and file systems of its own; a worker runs
 * in it. Warm slots have a worker and no session; a session takes one when it
 * needs its files or runs something for the first time.
 */
#ifndef SESSIONS_POOL_PRIVATE_H
#define SESSIONS_POOL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sandbox/sandbox.h"
#include "telemetry/metrics.h"
#include "worker/worker.h"

typedef struct pool pool_t;

/* NULL when memory is out. */
pool_t *pool_new(const sandbox_plan_t *plan);
/* End everything; `cb` runs when nothing is left. Running executions are interrupted and get two
 * seconds, or with `at_once` none. May be called again to hurry. */
void pool_close(pool_t *pool, bool at_once, void (*cb)(void *data), void *data);
void pool_free(pool_t *pool);

/* Keep warm workers ready from now on. */
void pool_warm(pool_t *pool);
/* Let them import what sessions will need from now on: not before the server listens. */
void pool_import_ahead(pool_t *pool);

bool pool_is_closing(const pool_t *pool);
const char *pool_python(const pool_t *pool); /* version of the sessions' Python; "" if unknown */

/* Count its workers by what they do, and running executions. */
void pool_tally(const pool_t *pool, metrics_now_t *now);

/* The pool is not closed before everybody who holds it has let go. */
void pool_hold(pool_t *pool);
void pool_let_go(pool_t *pool);

/* For the watch: each slot in which user code may run; its sandbox's init. */
typedef void (*pool_visit_fn)(worker_t *worker, pid_t init, void *data);
void pool_visit(pool_t *pool, pool_visit_fn visit, void *data);

#endif /* SESSIONS_POOL_PRIVATE_H */
