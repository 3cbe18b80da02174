/*
 * slot.h - one slot, and what slots, pool and sessions tell each other.
 *
 * A session keeps its slot with its files even when the worker is replaced, and
 * leaves it for good: a slot is used again only when every process in it is dead
 * and its files are unmounted.
 */
#ifndef SESSIONS_SLOT_PRIVATE_H
#define SESSIONS_SLOT_PRIVATE_H

#include <stdbool.h>

#include "session.h"

typedef enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_ENDING } slot_state_t;

typedef struct slot {
    slot_state_t state;
    unsigned number;
    pool_t *pool;
    place_t place;
    bool mounted;
    int64_t started_ns; /* the worker; monotonic */
    unsigned failures;  /* starts in a row that did not make one */
    worker_t *worker;   /* NULL in a free slot */
    session_t *session; /* NULL: warm, or ending */
} slot_t;

/* Start a worker in a slot that is free, or whose worker is gone. */
bool slot_start(slot_t *slot, failure_t *failure);
/* End its worker; the slot is free when that is gone. */
void slot_end(slot_t *slot, const char *why);
/* Its worker is dead, or never came to be: unmount its files. */
void slot_clear(slot_t *slot);
/* Has it a worker that waits for a session? */
bool slot_is_warm(const slot_t *slot);

/* ---- what a slot tells its pool ---- */

/* May workers that wait import? */
bool pool_imports_ahead(const pool_t *pool);
void pool_on_ready(pool_t *pool, const worker_t *worker);
void pool_on_start_failed(pool_t *pool, const char *why);
void pool_on_slot_free(pool_t *pool);

/* ---- what a slot tells its session ---- */

void session_on_ready(session_t *session);
/* False: its worker must end. */
bool session_on_frame(session_t *session, frame_type_t type, const char *payload, size_t size);
/* Its worker is dead: replace it, over the same files. False if that failed. */
bool session_on_worker_gone(session_t *session, const worker_t *worker);
/* No worker can be had for it: everybody who waits hears why, and it ends. */
void session_give_up(session_t *session, const char *why);

/* ---- what sessions ask of the pool ---- */

const sandbox_plan_t *pool_plan(const pool_t *pool);
session_table_t *pool_sessions(pool_t *pool);
/* A warm slot, the readiest first; else a free one, started; NULL if all are taken, or if none
 * could be started, and then `failure` says why. */
slot_t *pool_take_slot(pool_t *pool, failure_t *failure);
void pool_on_execution_begun(pool_t *pool);
void pool_on_execution_ended(pool_t *pool);
/* One more warm worker if there should be one and now is a good time. */
void pool_refill(pool_t *pool);
/* A session is gone: perhaps it was what the pool's end waited for. */
void pool_check_closed(pool_t *pool);

/* ---- what the pool asks of sessions ---- */

/* The oldest one without a slot takes the one that has become free. */
void sessions_seat_oldest(session_table_t *sessions);
/* End those that run nothing, or with `at_once` all; interrupt what the others run. */
void sessions_end(session_table_t *sessions, bool at_once, const char *why);

#endif /* SESSIONS_SLOT_PRIVATE_H */
