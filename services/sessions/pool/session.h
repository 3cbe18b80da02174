/*
 * session.h - sessions: by identifier, with files, variables, and a queue of
 * executions.
 */
#ifndef SESSIONS_SESSION_PRIVATE_H
#define SESSIONS_SESSION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "pool.h"
#include "worker/execution.h"

#define IDENTIFIER_MIN 4
#define IDENTIFIER_MAX 128

typedef struct session session_t;

/* All of them; the pool's. */
typedef struct session_table {
    session_t *newest;
    size_t count;
} session_table_t;

size_t pool_session_count(pool_t *pool);
/* Seconds until there is room for a new one, if none of them is used meanwhile. */
unsigned pool_retry_after(pool_t *pool);
/* At most `most` of the sessions, oldest first, without the first `skip`; how many. */
size_t pool_list_sessions(pool_t *pool, size_t skip, const session_t **list, size_t most);

/* The session of this identifier, NULL if there is none. */
session_t *session_find(pool_t *pool, const char *identifier);
/* The same, made if need be, if need be in place of one that was idle for long; NULL if there are
 * as many as may be, or memory is out. */
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

/* Queue an execution. False, and nothing taken, if the session must not be waited for
 * (--queue-wait 0). */
bool session_submit_take(session_t *session, execution_t *execution);
/* By id, also one that has ended a while ago; NULL if there is none. */
execution_t *session_find_execution(const session_t *session, const char *id);

#endif /* SESSIONS_SESSION_PRIVATE_H */
