/*
 * session.c - one session, from its first call to its end.
 *
 *   session_open            it has a name, and no slot yet
 *   session_seat            it takes a slot, or waits for one
 *   session_submit_take     queues an execution
 *   session_on_timer        idle for too long, or too old
 *   session_turn            begins the next one when the worker is idle
 *   session_on_worker_gone  variables are lost, files are kept
 *   session_remove          everything of it ends, and its slot with it
 */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include <alloc.h>

#include "base/guid.h"
#include "http/fault.h"
#include "slot.h"
#include "telemetry/journal.h"

#define QUEUE_MAX         64
#define START_WAIT_S      20
#define FINISHED_MAX      16
#define FINISHED_SIZE_MAX (8u * 1024 * 1024)

struct session {
    pool_t *pool;
    session_t *next;
    slot_t *slot; /* NULL while it waits for one */
    execution_t *queue;
    execution_t *current;
    execution_t *finished; /* newest first */
    seat_waiter_t *seat_waiters;
    uv_timer_t timer;        /* until it is idle for too long, or too old */
    uint64_t born_ms;        /* the loop's time */
    uint64_t used_ms;        /* likewise */
    struct timespec created; /* real time */
    struct timespec used;
    bool removed;
    bool overdue;   /* too old, and removed as soon as what runs has ended */
    bool restarted; /* the next answer has to say that variables are lost */
    char identifier[IDENTIFIER_MAX + 1];
    char guid[GUID_SIZE];
};

static const char too_old_text[] = "it was too old";

static void session_turn(session_t *session);

static const config_t *session_config(const session_t *session)
{
    return pool_plan(session->pool)->config;
}

static bool session_is_idle(const session_t *session)
{
    return session->current == NULL && session->queue == NULL && session->seat_waiters == NULL;
}

/* Of its life, not counting that it may become idle. */
static uint64_t session_life_left_ms(const session_t *session)
{
    const uint64_t end_ms = session->born_ms + (uint64_t)session_config(session)->max_life * 1000;
    const uint64_t now_ms = uv_now(session->timer.loop);

    return end_ms > now_ms ? end_ms - now_ms : 0;
}

static void session_on_timer(uv_timer_t *timer)
{
    session_t *session = timer->data;

    if (session_life_left_ms(session) == 0) {
        session->overdue = true;
        if (session->current == NULL) {
            session_remove(session, too_old_text);
        }
    } else if (session_is_idle(session)) {
        session_remove(session, "it was idle");
    } else {
        session_touch(session);
    }
}

void session_touch(session_t *session)
{
    const uint64_t idle_ms = (uint64_t)session_config(session)->cooldown * 1000;
    const uint64_t life_ms = session_life_left_ms(session);

    (void)clock_gettime(CLOCK_REALTIME, &session->used);
    session->used_ms = uv_now(session->timer.loop);
    if (!session->removed && !session->overdue) {
        (void)uv_timer_start(&session->timer, session_on_timer,
                             idle_ms < life_ms ? idle_ms : life_ms, 0);
    }
}

session_t *session_find(pool_t *pool, const char *identifier)
{
    session_t *session = pool_sessions(pool)->newest;

    while (session != NULL && strcmp(session->identifier, identifier) != 0) {
        session = session->next;
    }
    return session;
}

/* NULL: it ends without one. */
static void session_tell_seated(session_t *session, session_t *seated)
{
    seat_waiter_t *waiters = session->seat_waiters;

    session->seat_waiters = NULL;
    while (waiters != NULL) { /* each may be gone after its call */
        seat_waiter_t *next = waiters->next;
        waiters->on_seat(waiters, seated);
        waiters = next;
    }
}

static void session_seat(session_t *session)
{
    failure_t failure = {""};
    slot_t *slot = pool_take_slot(session->pool, &failure);

    if (slot != NULL) {
        slot->session = session;
        session->slot = slot;
        session_turn(session);
        session_tell_seated(session, session);
    } else if (failure.text[0] != '\0') {
        journal_start_failed(failure.text);
        session_give_up(session, failure.text);
    }
}

/* In how long at the latest its place can be another's, if it is not used any more. */
static uint64_t session_due_ms(const session_t *session)
{
    const config_t *config = session_config(session);
    const int64_t idle_s =
        config->reclaim_after < config->cooldown ? config->reclaim_after : config->cooldown;
    const uint64_t end_ms = session->used_ms + (uint64_t)idle_s * 1000;
    const uint64_t now_ms = uv_now(session->timer.loop);
    const uint64_t idle_ms = session_is_idle(session) ? (end_ms > now_ms ? end_ms - now_ms : 0)
                                                      : (uint64_t)idle_s * 1000;
    const uint64_t life_ms = session_life_left_ms(session);

    return idle_ms < life_ms ? idle_ms : life_ms;
}

/* Room for one more: as long as there are fewer than may be, or one that nobody seems to need. */
static bool pool_make_room(pool_t *pool)
{
    const config_t *config = pool_plan(pool)->config;
    session_table_t *sessions = pool_sessions(pool);
    session_t *longest = NULL;

    if (sessions->count < (size_t)config->max_sessions) {
        return true;
    }
    for (session_t *at = sessions->newest; at != NULL; at = at->next) {
        if (session_is_idle(at) && (longest == NULL || at->used_ms < longest->used_ms)) {
            longest = at;
        }
    }
    if (longest == NULL ||
        uv_now(longest->timer.loop) - longest->used_ms < (uint64_t)config->reclaim_after * 1000) {
        return false;
    }
    session_remove(longest, "its place was needed");
    return true;
}

session_t *session_open(pool_t *pool, const char *identifier)
{
    session_t *session = session_find(pool, identifier);

    if (session != NULL) {
        return session;
    }
    if (pool_is_closing(pool) || !pool_make_room(pool)) {
        return NULL;
    }
    session_table_t *sessions = pool_sessions(pool);
    session = sk_calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->pool = pool;
    (void)snprintf(session->identifier, sizeof(session->identifier), "%s", identifier);
    guid_make(session->guid);
    (void)uv_timer_init(pool_plan(pool)->loop, &session->timer);
    session->timer.data = session;
    session->born_ms = uv_now(session->timer.loop);
    session->next = sessions->newest;
    sessions->newest = session;
    sessions->count++;
    session_touch(session);
    session->created = session->used;
    journal_session_made(session->guid);
    return session;
}

const place_t *session_place(const session_t *session)
{
    return session->slot == NULL ? NULL : &session->slot->place;
}

const place_t *session_seat_for(session_t *session, seat_waiter_t *waiter)
{
    if (session->slot == NULL) {
        session_seat(session);
    }
    if (session->slot == NULL && !session->removed) {
        waiter->next = session->seat_waiters;
        session->seat_waiters = waiter;
    }
    return session_place(session);
}

const char *session_identifier(const session_t *session)
{
    return session->identifier;
}

session_times_t session_times(const session_t *session)
{
    session_times_t times = {session->created, session->used, session->used};

    const time_t end = session->created.tv_sec + (time_t)session_config(session)->max_life;

    times.expires.tv_sec += (time_t)session_config(session)->cooldown;
    if (times.expires.tv_sec >= end) {
        times.expires = (struct timespec){end, session->created.tv_nsec};
    }
    return times;
}

const char *session_guid(const session_t *session)
{
    return session->guid;
}

static void session_on_closed(uv_handle_t *handle)
{
    sk_free(handle->data);
}

void session_remove(session_t *session, const char *why)
{
    pool_t *pool = session->pool;
    session_table_t *sessions = pool_sessions(pool);

    if (session->removed) {
        return;
    }
    session->removed = true;
    for (session_t **at = &sessions->newest; *at != NULL; at = &(*at)->next) {
        if (*at == session) {
            *at = session->next;
            break;
        }
    }
    sessions->count--;
    journal_session_removed(session->guid, why);
    if (session->slot != NULL) {
        slot_end(session->slot, why);
    }
    if (session->current != NULL) {
        execution_abort(session->current, OUTCOME_FAILED, why);
    }
    while (session->queue != NULL) {
        execution_abort(session->queue, OUTCOME_FAILED, why);
    }
    while (session->finished != NULL) {
        execution_t *execution = session->finished;
        session->finished = execution->next;
        execution_release(execution);
    }
    session_tell_seated(session, NULL);
    uv_close((uv_handle_t *)&session->timer, session_on_closed);
    pool_check_closed(pool);
}

/* ---- executions of a session ---- */

/* Keep the newest ones for who asks later, within bounds; the very newest always. */
static void session_keep(session_t *session, execution_t *execution)
{
    size_t count = 1;
    size_t size = execution_size(execution);

    execution->next = session->finished;
    session->finished = execution;
    for (execution_t **at = &execution->next; *at != NULL;) {
        size += execution_size(*at);
        if (++count > FINISHED_MAX || size > FINISHED_SIZE_MAX) {
            execution_t *old = *at;
            *at = old->next;
            execution_release(old);
        } else {
            at = &(*at)->next;
        }
    }
}

static void session_tell_restart(session_t *session, execution_t *execution)
{
    static const char line[] =
        "the session's Python was restarted: variables are lost, files are kept\n";
    sk_buffer_t text = SK_BUFFER_INIT;

    sk_buffer_append_text(&text, line);
    sk_buffer_append(&text, execution->errors.data, execution->errors.size);
    sk_buffer_fini(&execution->errors);
    execution->errors = text;
    session->restarted = false;
}

static void session_tell_journal(const session_t *session, const execution_t *execution)
{
    const bool ran = execution->started_ns != 0;
    const journal_execution_t entry = {
        execution->wish.id,
        session->guid,
        execution_end_name(execution),
        ran ? execution->started_ns - execution->made_ns : -1,
        ran ? execution->ended_ns - execution->started_ns : -1,
        execution->streams[0].total,
        execution->streams[1].total,
    };

    journal_execution(&entry);
}

static void session_on_execution_end(execution_t *execution, void *data)
{
    session_t *session = data;
    pool_t *pool = session->pool;

    if (session->current == execution) {
        session->current = NULL;
        pool_on_execution_ended(pool);
        if (session->restarted && !execution->state_lost) {
            session_tell_restart(session, execution);
        }
    } else {
        for (execution_t **at = &session->queue; *at != NULL; at = &(*at)->next) {
            if (*at == execution) {
                *at = execution->next;
                break;
            }
        }
    }
    session_tell_journal(session, execution);
    session_keep(session, execution);
    if (session->removed) {
        return;
    }
    session_touch(session);
    if (pool_is_closing(pool)) {
        if (session->current == NULL) {
            session_remove(session, "the session pool is shutting down");
        }
        return;
    }
    if (session->overdue) {
        session_remove(session, too_old_text);
        return;
    }
    session_turn(session);
    pool_refill(pool);
}

static void session_turn(session_t *session)
{
    execution_t *execution = session->queue;

    if (execution == NULL || session->current != NULL || session->slot == NULL ||
        session->slot->worker == NULL || !worker_is_idle(session->slot->worker)) {
        return;
    }
    session->queue = execution->next;
    execution->next = NULL;
    session->current = execution;
    pool_on_execution_begun(session->pool);
    execution_begin(execution, session->slot->worker);
}

bool session_submit_take(session_t *session, execution_t *execution)
{
    const config_t *config = pool_plan(session->pool)->config;
    const bool behind = session->current != NULL || session->queue != NULL;
    execution_t **end = &session->queue;
    size_t length = 0;
    int64_t wait_s = config->queue_wait;

    while (*end != NULL) {
        end = &(*end)->next;
        length++;
    }
    if (length >= QUEUE_MAX || (behind && wait_s == 0)) {
        return false;
    }
    if (!behind && wait_s < START_WAIT_S) {
        wait_s = START_WAIT_S; /* for its worker */
    }
    *end = execution;
    execution->on_end = session_on_execution_end;
    execution->data = session;
    session_touch(session);
    execution_wait(execution, (uint64_t)wait_s * 1000);
    if (session->slot == NULL) {
        session_seat(session);
    } else {
        session_turn(session);
    }
    return true;
}

execution_t *session_find_execution(const session_t *session, const char *id)
{
    execution_t *const lists[] = {session->queue, session->finished};

    if (session->current != NULL && strcmp(session->current->wish.id, id) == 0) {
        return session->current;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (execution_t *at = lists[i]; at != NULL; at = at->next) {
            if (strcmp(at->wish.id, id) == 0) {
                return at;
            }
        }
    }
    return NULL;
}

/* ---- its slot and worker ---- */

void session_on_ready(session_t *session)
{
    session_turn(session);
}

bool session_on_frame(session_t *session, frame_type_t type, const char *payload, size_t size)
{
    return session->current == NULL || execution_on_frame(session->current, type, payload, size);
}

void session_give_up(session_t *session, const char *why)
{
    while (session->queue != NULL) {
        execution_abort(session->queue, OUTCOME_NOT_STARTED, why);
    }
    session_remove(session, why);
}

bool session_on_worker_gone(session_t *session, const worker_t *worker)
{
    slot_t *slot = session->slot;
    const char *reason = worker_reason(worker);
    failure_t failure = {""};
    char why[256];

    (void)snprintf(why, sizeof(why), "the session's Python %s%s; variables are lost, files are %s",
                   reason == NULL ? "has ended" : "was ended: ", reason == NULL ? "" : reason,
                   worker_leaves_files(worker) ? "kept" : "lost, too");
    session->restarted = true;
    if (session->current != NULL) {
        execution_abort(session->current, OUTCOME_FAILED, why);
    }
    while (faults_abort_queue() && session->queue != NULL) {
        execution_abort(session->queue, OUTCOME_FAILED, why);
    }
    if (slot->session == NULL) { /* removed by a waiter */
        return false;
    }
    if (!worker_leaves_files(worker)) {
        session_give_up(session, why);
        return false;
    }
    if (!slot_start(slot, &failure)) {
        session_give_up(session, failure.text);
        return false;
    }
    return true;
}

/* ---- all of them ---- */

size_t pool_session_count(pool_t *pool)
{
    return pool_sessions(pool)->count;
}

unsigned pool_retry_after(pool_t *pool)
{
    uint64_t soonest = (uint64_t)pool_plan(pool)->config->cooldown * 1000;

    for (const session_t *at = pool_sessions(pool)->newest; at != NULL; at = at->next) {
        const uint64_t due = session_due_ms(at);
        soonest = due < soonest ? due : soonest;
    }
    return (unsigned)((soonest + 999) / 1000 + (soonest == 0));
}

size_t pool_list_sessions(pool_t *pool, size_t skip, const session_t **list, size_t most)
{
    size_t behind =
        pool_sessions(pool)->count; /* of those still to come: new ones stand in front */
    size_t count = 0;

    for (const session_t *session = pool_sessions(pool)->newest; session != NULL;
         session = session->next) {
        behind--;
        if (behind >= skip && behind - skip < most) {
            list[behind - skip] = session;
            count++;
        }
    }
    return count;
}

void sessions_seat_oldest(session_table_t *sessions)
{
    session_t *oldest = NULL;

    for (session_t *session = sessions->newest; session != NULL; session = session->next) {
        oldest = session->slot == NULL ? session : oldest;
    }
    if (oldest != NULL) {
        session_seat(oldest);
    }
}

void sessions_end(session_table_t *sessions, bool at_once, const char *why)
{
    session_t *next = NULL;

    for (session_t *session = sessions->newest; session != NULL; session = next) {
        next = session->next;
        if (at_once || session->current == NULL) {
            session_remove(session, why);
        } else {
            execution_shut_down(session->current);
        }
    }
}
