/*
 * session.c - the table of sessions, the slots, the warm workers.
 *
 *   session_open      takes a warm slot, or a fresh one, or waits for one
 *   session_turn      begins the next execution when the worker is idle
 *   slot_on_gone      the worker is dead: replace it, or clear the slot away
 *   session_remove    everything of it ends; the slot is cleared away when it is dead
 *   pool_refill       keeps warm workers ready, one start at a time
 */
#include "session.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <alloc.h>

#include "guid.h"

#define SPAWN_PAUSE_MS    50
#define BACKOFF_FIRST_MS  1000
#define BACKOFF_LAST_MS   30000
#define CLOSE_MS          2000
#define QUEUE_MAX         64
#define START_WAIT_S      20
#define FINISHED_MAX      16
#define FINISHED_SIZE_MAX (8u * 1024 * 1024)

typedef enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_ENDING } slot_state_t;

typedef struct slot {
    slot_state_t state;
    unsigned number;
    pool_t *pool;
    place_t place;
    bool mounted;
    worker_t *worker;   /* NULL in a free slot */
    session_t *session; /* NULL: warm, or ending */
} slot_t;

struct session {
    pool_t *pool;
    session_t *next;
    slot_t *slot; /* NULL while it waits for one */
    execution_t *queue;
    execution_t *current;
    execution_t *finished; /* newest first */
    seat_waiter_t *seat_waiters;
    uv_timer_t idle_timer;
    struct timespec created; /* real time */
    struct timespec used;
    bool removed;
    bool restarted; /* the next answer has to say that variables are lost */
    char identifier[IDENTIFIER_MAX + 1];
    char guid[GUID_SIZE];
};

struct pool {
    const sandbox_plan_t *plan;
    slot_t *slots;
    size_t slot_count;
    session_t *sessions;
    size_t session_count;
    size_t running; /* executions */
    size_t cores;
    bool warming;
    bool pausing; /* between two starts */
    uint64_t backoff_ms;
    uv_timer_t refill_timer;
    uv_timer_t close_timer;
    bool closing;
    size_t holds;
    void (*on_closed)(void *data);
    void *on_closed_data;
    char python[24];
};

static void pool_refill(pool_t *pool);
static void pool_back_off(pool_t *pool);
static void pool_serve_waiting(pool_t *pool);
static void pool_check_closed(pool_t *pool);
static void session_turn(session_t *session);
static void slot_on_ready(worker_t *worker, void *data);
static void slot_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                          void *data);
static void slot_on_gone(worker_t *worker, void *data);

static const worker_events_t slot_events = {slot_on_ready, slot_on_frame, slot_on_gone};

static void report(const pool_t *pool, const char *what, unsigned slot, const char *why)
{
    if (pool->plan->config->verbose) {
        (void)fprintf(stderr, "semkernel-sessiond: slot %u: %s%s%s\n", slot, what,
                      why == NULL ? "" : ": ", why == NULL ? "" : why);
    }
}

/* ---- slots ---- */

static void slot_clear(slot_t *slot)
{
    if (slot->mounted) {
        namespace_unmount(&slot->place);
    }
    slot->mounted = false;
    slot->worker = NULL;
    slot->session = NULL;
    slot->state = SLOT_FREE;
}

/* Start a worker in a slot that is free, or whose worker is gone. */
static bool slot_start(slot_t *slot, failure_t *failure)
{
    const sandbox_plan_t *plan = slot->pool->plan;

    if (!slot->mounted &&
        !namespace_mount(&slot->place, slot->number, plan->facility, plan->config, failure)) {
        return false;
    }
    slot->mounted = true;
    /* The session owns its directory and may have shut itself out, and with it the next worker. */
    (void)chmod(slot->place.data, 0700);
    slot->worker = worker_start(plan, &slot->place, &slot_events, slot, failure);
    if (slot->worker == NULL) {
        return false;
    }
    slot->state = SLOT_LIVE;
    return true;
}

static void slot_on_ready(worker_t *worker, void *data)
{
    slot_t *slot = data;
    pool_t *pool = slot->pool;

    (void)snprintf(pool->python, sizeof(pool->python), "%s", worker_python(worker));
    pool->backoff_ms = 0;
    report(pool, "worker ready", slot->number, NULL);
    if (slot->session != NULL) {
        session_turn(slot->session);
    }
    pool_refill(pool);
}

static void slot_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                          void *data)
{
    slot_t *slot = data;
    session_t *session = slot->session;

    if (session != NULL && session->current != NULL &&
        !execution_on_frame(session->current, type, payload, size)) {
        worker_kill(worker, "a frame that is not what it must be");
    }
}

/* No worker can be had for this session: everybody who waits hears why. */
static void session_give_up(session_t *session, const char *why)
{
    while (session->queue != NULL) {
        execution_abort(session->queue, OUTCOME_NOT_STARTED, why);
    }
    session_remove(session, why);
}

/* The worker of a session is gone: what ran is lost, the files stay for the next one. */
static void slot_replace(slot_t *slot, const worker_t *worker)
{
    session_t *session = slot->session;
    const char *reason = worker_reason(worker);
    failure_t failure = {""};
    char why[256];

    (void)snprintf(why, sizeof(why),
                   "the session's Python %s%s; variables are lost, files are kept",
                   reason == NULL ? "has ended" : "was ended: ", reason == NULL ? "" : reason);
    slot->worker = NULL;
    session->restarted = true;
    if (session->current != NULL) {
        execution_abort(session->current, OUTCOME_FAILED, why);
    }
    if (session->removed) { /* by a waiter */
        return;
    }
    if (!slot_start(slot, &failure)) {
        session_give_up(session, failure.text);
    }
}

static void slot_on_gone(worker_t *worker, void *data)
{
    slot_t *slot = data;
    pool_t *pool = slot->pool;
    failure_t failure = {""};

    report(pool, "worker gone", slot->number, worker_reason(worker));
    if (slot->session != NULL && worker_was_ready(worker)) {
        slot_replace(slot, worker);
        if (slot->worker != NULL) {
            return;
        }
    } else if (!worker_was_ready(worker) && slot->state == SLOT_LIVE) {
        (void)facility_explain_sandbox(worker_diagnosis(worker), &failure);
        (void)fprintf(stderr, "semkernel-sessiond: %s\n", failure.text);
        pool_back_off(pool);
        slot->worker = NULL;
        if (slot->session != NULL) {
            session_give_up(slot->session, failure.text);
        }
    }
    slot_clear(slot);
    pool_serve_waiting(pool);
    pool_refill(pool);
    pool_check_closed(pool);
}

/* ---- pool ---- */

static void pool_on_refill_timer(uv_timer_t *timer)
{
    pool_t *pool = timer->data;

    pool->pausing = false;
    pool_refill(pool);
}

/* No start for warmth during this time. */
static void pool_pause(pool_t *pool, uint64_t ms)
{
    pool->pausing = true;
    (void)uv_timer_start(&pool->refill_timer, pool_on_refill_timer, ms, 0);
}

/* A start has failed: longer and longer pauses, until one succeeds. */
static void pool_back_off(pool_t *pool)
{
    pool->backoff_ms = pool->backoff_ms == 0 ? BACKOFF_FIRST_MS : pool->backoff_ms * 2;
    pool->backoff_ms = pool->backoff_ms > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : pool->backoff_ms;
    if (!pool->closing) {
        pool_pause(pool, pool->backoff_ms);
    }
}

static void pool_on_close_timer(uv_timer_t *timer)
{
    pool_t *pool = timer->data;

    while (pool->sessions != NULL) {
        session_remove(pool->sessions, "the session pool is shutting down");
    }
}

pool_t *pool_new(const sandbox_plan_t *plan)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pool_t *pool = sk_calloc(1, sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    pool->plan = plan;
    pool->cores = cores < 1 ? 1 : (size_t)cores;
    pool->slot_count = (size_t)plan->config->max_sessions;
    pool->slots = sk_calloc(pool->slot_count, sizeof(*pool->slots));
    if (pool->slots == NULL) {
        sk_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < pool->slot_count; i++) {
        pool->slots[i].pool = pool;
        pool->slots[i].number = (unsigned)i;
    }
    (void)uv_timer_init(plan->loop, &pool->refill_timer);
    (void)uv_timer_init(plan->loop, &pool->close_timer);
    pool->refill_timer.data = pool;
    pool->close_timer.data = pool;
    return pool;
}

void pool_free(pool_t *pool)
{
    if (pool != NULL) {
        sk_free(pool->slots);
        sk_free(pool);
    }
}

void pool_warm(pool_t *pool)
{
    pool->warming = true;
    pool_refill(pool);
}

static bool slot_is_warm(const slot_t *slot)
{
    return slot->state == SLOT_LIVE && slot->session == NULL;
}

static slot_t *pool_find_free(pool_t *pool)
{
    for (size_t i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].state == SLOT_FREE) {
            return &pool->slots[i];
        }
    }
    return NULL;
}

/* One more warm worker if there should be one and now is a good time. */
static void pool_refill(pool_t *pool)
{
    failure_t failure = {""};
    int64_t warm = 0;

    if (!pool->warming || pool->closing || pool->pausing || pool->running >= pool->cores) {
        return; /* the next start, execution's end, or tick comes back here */
    }
    for (size_t i = 0; i < pool->slot_count; i++) {
        warm += slot_is_warm(&pool->slots[i]);
    }
    slot_t *slot = warm < pool->plan->config->warm_min ? pool_find_free(pool) : NULL;
    if (slot == NULL) {
        return;
    }
    pool_pause(pool, SPAWN_PAUSE_MS);
    if (!slot_start(slot, &failure)) {
        (void)fprintf(stderr, "semkernel-sessiond: %s\n", failure.text);
        slot_clear(slot);
        pool_back_off(pool);
    }
}

bool pool_is_closing(const pool_t *pool)
{
    return pool->closing;
}

size_t pool_session_count(const pool_t *pool)
{
    return pool->session_count;
}

const char *pool_python(const pool_t *pool)
{
    return pool->python;
}

unsigned pool_retry_after(const pool_t *pool)
{
    uint64_t soonest = (uint64_t)pool->plan->config->cooldown * 1000;

    for (const session_t *session = pool->sessions; session != NULL; session = session->next) {
        uint64_t due = uv_timer_get_due_in(&session->idle_timer);
        soonest = due < soonest ? due : soonest;
    }
    return (unsigned)(soonest / 1000 + 1);
}

void pool_visit(pool_t *pool, pool_visit_fn visit, void *data)
{
    for (size_t i = 0; i < pool->slot_count; i++) {
        slot_t *slot = &pool->slots[i];
        pid_t init = slot->session != NULL && slot->worker != NULL ? worker_init(slot->worker) : 0;
        if (init > 0 && worker_was_ready(slot->worker)) {
            visit(slot->worker, init, data);
        }
    }
}

void pool_close(pool_t *pool, bool at_once, void (*cb)(void *data), void *data)
{
    pool->on_closed = cb;
    pool->on_closed_data = data;
    pool->closing = true;
    (void)uv_timer_stop(&pool->refill_timer);
    for (size_t i = 0; i < pool->slot_count; i++) {
        slot_t *slot = &pool->slots[i];
        if (slot_is_warm(slot)) {
            slot->state = SLOT_ENDING;
            worker_kill(slot->worker, "the session pool is shutting down");
        }
    }
    session_t *next = NULL;
    for (session_t *session = pool->sessions; session != NULL; session = next) {
        next = session->next;
        if (at_once || session->current == NULL) {
            session_remove(session, "the session pool is shutting down");
        } else {
            execution_shut_down(session->current);
        }
    }
    (void)uv_timer_start(&pool->close_timer, pool_on_close_timer, CLOSE_MS, 0);
    pool_check_closed(pool);
}

void pool_hold(pool_t *pool)
{
    pool->holds++;
}

void pool_let_go(pool_t *pool)
{
    pool->holds--;
    pool_check_closed(pool);
}

static void pool_check_closed(pool_t *pool)
{
    if (!pool->closing || pool->on_closed == NULL || pool->sessions != NULL || pool->holds > 0) {
        return;
    }
    for (size_t i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].state != SLOT_FREE) {
            return;
        }
    }
    uv_close((uv_handle_t *)&pool->refill_timer, NULL);
    uv_close((uv_handle_t *)&pool->close_timer, NULL);
    void (*cb)(void *data) = pool->on_closed;
    pool->on_closed = NULL;
    cb(pool->on_closed_data);
}

/* ---- sessions ---- */

static void session_on_idle(uv_timer_t *timer)
{
    session_t *session = timer->data;

    if (session->current != NULL || session->queue != NULL) {
        session_touch(session);
    } else {
        session_remove(session, "it was idle");
    }
}

void session_touch(session_t *session)
{
    (void)clock_gettime(CLOCK_REALTIME, &session->used);
    if (!session->removed) {
        (void)uv_timer_start(&session->idle_timer, session_on_idle,
                             (uint64_t)session->pool->plan->config->cooldown * 1000, 0);
    }
}

session_t *session_find(pool_t *pool, const char *identifier)
{
    session_t *session = pool->sessions;

    while (session != NULL && strcmp(session->identifier, identifier) != 0) {
        session = session->next;
    }
    return session;
}

/* A warm slot, the readiest first; else a free one, started; NULL if all are taken. */
static slot_t *pool_take_slot(pool_t *pool, failure_t *failure)
{
    slot_t *starting = NULL;

    for (size_t i = 0; i < pool->slot_count; i++) {
        slot_t *slot = &pool->slots[i];
        if (slot_is_warm(slot)) {
            if (worker_is_idle(slot->worker)) {
                return slot;
            }
            starting = slot;
        }
    }
    if (starting != NULL) {
        return starting;
    }
    slot_t *slot = pool_find_free(pool);
    if (slot != NULL && !slot_start(slot, failure)) {
        slot_clear(slot);
        return NULL;
    }
    return slot;
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
        pool_pause(session->pool, SPAWN_PAUSE_MS); /* its first execution has the machine */
    } else if (failure.text[0] != '\0') {
        (void)fprintf(stderr, "semkernel-sessiond: %s\n", failure.text);
        session_give_up(session, failure.text);
    }
}

/* The oldest session without a slot gets the one that has become free. */
static void pool_serve_waiting(pool_t *pool)
{
    session_t *oldest = NULL;

    for (session_t *session = pool->sessions; session != NULL; session = session->next) {
        oldest = session->slot == NULL ? session : oldest; /* new ones stand in front */
    }
    if (oldest != NULL && !pool->closing) {
        session_seat(oldest);
    }
}

session_t *session_open(pool_t *pool, const char *identifier)
{
    session_t *session = session_find(pool, identifier);

    if (session != NULL) {
        return session;
    }
    if (pool->closing || pool->session_count >= pool->slot_count) {
        return NULL;
    }
    session = sk_calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->pool = pool;
    (void)snprintf(session->identifier, sizeof(session->identifier), "%s", identifier);
    guid_make(session->guid);
    (void)uv_timer_init(pool->plan->loop, &session->idle_timer);
    session->idle_timer.data = session;
    session->next = pool->sessions;
    pool->sessions = session;
    pool->session_count++;
    session_touch(session);
    session->created = session->used;
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

    times.expires.tv_sec += (time_t)session->pool->plan->config->cooldown;
    return times;
}

size_t pool_list_sessions(const pool_t *pool, size_t skip, const session_t **list, size_t most)
{
    size_t behind = pool->session_count; /* of those still to come: new ones stand in front */
    size_t count = 0;

    for (const session_t *session = pool->sessions; session != NULL; session = session->next) {
        behind--;
        if (behind >= skip && behind - skip < most) {
            list[behind - skip] = session;
            count++;
        }
    }
    return count;
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

    if (session->removed) {
        return;
    }
    session->removed = true;
    for (session_t **at = &pool->sessions; *at != NULL; at = &(*at)->next) {
        if (*at == session) {
            *at = session->next;
            break;
        }
    }
    pool->session_count--;
    if (session->slot != NULL) {
        slot_t *slot = session->slot;
        report(pool, "session removed", slot->number, why);
        slot->session = NULL;
        slot->state = SLOT_ENDING;
        if (slot->worker != NULL) {
            worker_kill(slot->worker, why);
        }
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
    uv_close((uv_handle_t *)&session->idle_timer, session_on_closed);
    pool_check_closed(pool);
}

/* ---- executions of a session ---- */

static size_t execution_size(const execution_t *execution)
{
    return execution->output.capacity + execution->errors.capacity + execution->result.capacity;
}

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

static void session_on_execution_end(execution_t *execution, void *data)
{
    session_t *session = data;
    pool_t *pool = session->pool;

    if (session->current == execution) {
        session->current = NULL;
        pool->running--;
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
    session_keep(session, execution);
    if (session->removed) {
        return;
    }
    session_touch(session);
    if (pool->closing) {
        if (session->current == NULL) {
            session_remove(session, "the session pool is shutting down");
        }
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
    session->pool->running++;
    execution_begin(execution, session->slot->worker);
}

bool session_submit_take(session_t *session, execution_t *execution)
{
    const config_t *config = session->pool->plan->config;
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
