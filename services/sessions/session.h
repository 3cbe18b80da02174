/*
 * session.h - sessions, the slots they live in, and the workers kept warm.
 *
 * A slot is a number with a user id and file systems of its own; a worker runs
 * in it. Warm slots have a worker and no session. A session takes one, keeps it
 * with its files even when the worker is replaced, and leaves it for good: a
 * slot is used again only when every process in it is dead and its files are
 * unmounted.
 */
#ifndef SESSIONS_SESSION_PRIVATE_H
#define SESSIONS_SESSION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "execution.h"
#include "sandbox.h"

#define IDENTIFIER_MIN 4
#define IDENTIFIER_MAX 128

typedef struct pool pool_t;
typedef struct session session_t;

/* NULL when memory is out. */
pool_t *pool_new(const sandbox_plan_t *plan);
/* End everything; `cb` runs when nothing is left. Running executions are interrupted and get two
 * seconds, or with `at_once` none. May be called again to hurry. */
void pool_close(pool_t *pool, bool at_once, void (*cb)(void *data), void *data);
void pool_free(pool_t *pool);

/* Keep warm workers ready from now on. */
void pool_warm(pool_t *pool);

bool pool_is_closing(const pool_t *pool);
size_t pool_session_count(const pool_t *pool);
const char *pool_python(const pool_t *pool); /* version of the sessions' Python; "" if unknown */
/* Seconds until a session may be free. */
unsigned pool_retry_after(const pool_t *pool);

/* The pool is not closed before everybody who holds it has let go. */
void pool_hold(pool_t *pool);
void pool_let_go(pool_t *pool);

/* For the watch: each slot in which user code may run; its sandbox's init. */
typedef void (*pool_visit_fn)(worker_t *worker, pid_t init, void *data);
void pool_visit(pool_t *pool, pool_visit_fn visit, void *data);

/* The session of this identifier, NULL if there is none. */
session_t *session_find(pool_t *pool, const char *identifier);
/* The same, made if need be; NULL if there are as many as may be, or memory is out. */
session_t *session_open(pool_t *pool, const char *identifier);
/* Its own name, which no other session has had. */
const char *session_guid(const session_t *session);
/* It was used: its idle time begins anew. */
void session_touch(session_t *session);
/* End it with everything in it. */
void session_remove(session_t *session, const char *why);

/* Who waits for a session's files. Embedded in what the waiter owns. */
typedef struct seat_waiter {
    void (*on_seat)(struct seat_waiter *waiter, session_t *session); /* NULL: it has ended */
    struct seat_waiter *next;
} seat_waiter_t;

/* Where the session's files are; NULL if it waits for a slot, and then the waiter is called. */
const place_t *session_seat_for(session_t *session, seat_waiter_t *waiter);
const place_t *session_place(const session_t *session);

const char *session_identifier(const session_t *session);
/* When it was made, last used, and when it will be removed if it is not used again; real time. */
typedef struct session_times {
    struct timespec created;
    struct timespec used;
    struct timespec expires;
} session_times_t;

session_times_t session_times(const session_t *session);
/* At most `most` of the sessions, oldest first, without the first `skip`; how many. */
size_t pool_list_sessions(const pool_t *pool, size_t skip, const session_t **list, size_t most);

/* Queue an execution. False, and nothing taken, if the session must not be waited for
 * (--queue-wait 0). */
bool session_submit_take(session_t *session, execution_t *execution);
/* By id, also one that has ended a while ago; NULL if there is none. */
execution_t *session_find_execution(const session_t *session, const char *id);

#endif /* SESSIONS_SESSION_PRIVATE_H */
