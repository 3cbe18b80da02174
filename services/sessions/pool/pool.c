/*
 * pool.c - the table of slots, and the workers kept warm.
 *
 *   pool_take_slot      a session gets a warm slot, or one that starts for it
 *   pool_refill         keeps warm workers ready, one start at a time
 *   pool_on_slot_free   for the session that has waited longest, else for warmth
 *   pool_close          everything ends; the last slot that is free tells
 */
#include "pool.h"

#include <stdio.h>
#include <unistd.h>

#include <alloc.h>

#include "slot.h"
#include "telemetry/journal.h"

#define SPAWN_PAUSE_MS   50
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_LAST_MS  30000
#define CLOSE_MS         2000

struct pool {
    const sandbox_plan_t *plan;
    slot_t *slots;
    size_t slot_count;
    session_table_t sessions;
    size_t running; /* executions */
    size_t cores;
    bool warming;
    bool imports_ahead;
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

static const char closing_text[] = "the session pool is shutting down";

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

/* ---- warmth ---- */

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

static slot_t *pool_find_free(pool_t *pool)
{
    for (size_t i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].state == SLOT_FREE) {
            return &pool->slots[i];
        }
    }
    return NULL;
}

void pool_refill(pool_t *pool)
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
        slot_clear(slot);
        pool_on_start_failed(pool, failure.text);
    }
}

void pool_warm(pool_t *pool)
{
    pool->warming = true;
    pool_refill(pool);
}

void pool_import_ahead(pool_t *pool)
{
    pool->imports_ahead = true;
    for (size_t i = 0; i < pool->slot_count; i++) {
        const slot_t *slot = &pool->slots[i];
        if (slot_is_warm(slot) && worker_is_idle(slot->worker)) {
            worker_warm(slot->worker, true);
        }
    }
}

bool pool_imports_ahead(const pool_t *pool)
{
    return pool->imports_ahead;
}

void pool_on_ready(pool_t *pool, const worker_t *worker)
{
    (void)snprintf(pool->python, sizeof(pool->python), "%s", worker_python(worker));
    pool->backoff_ms = 0;
    pool_refill(pool);
}

void pool_on_start_failed(pool_t *pool, const char *why)
{
    journal_start_failed(why);
    pool_back_off(pool);
}

/* ---- for sessions ---- */

const sandbox_plan_t *pool_plan(const pool_t *pool)
{
    return pool->plan;
}

session_table_t *pool_sessions(pool_t *pool)
{
    return &pool->sessions;
}

/* How soon a slot can run something: it starts, it waits, it has all imported. */
static int readiness(const slot_t *slot)
{
    return worker_is_idle(slot->worker) + worker_is_warm(slot->worker);
}

slot_t *pool_take_slot(pool_t *pool, failure_t *failure)
{
    slot_t *slot = NULL;

    for (size_t i = 0; i < pool->slot_count; i++) {
        slot_t *warm = &pool->slots[i];
        if (slot_is_warm(warm) && (slot == NULL || readiness(warm) > readiness(slot))) {
            slot = warm;
        }
    }
    if (slot == NULL) {
        slot = pool_find_free(pool);
        if (slot != NULL && !slot_start(slot, failure)) {
            slot_clear(slot);
            slot = NULL;
        }
    }
    if (slot != NULL) {
        pool_pause(pool, SPAWN_PAUSE_MS); /* its first execution has the machine */
    }
    return slot;
}

void pool_on_execution_begun(pool_t *pool)
{
    pool->running++;
}

void pool_on_execution_ended(pool_t *pool)
{
    pool->running--;
}

void pool_on_slot_free(pool_t *pool)
{
    if (!pool->closing) {
        sessions_seat_oldest(&pool->sessions);
    }
    pool_refill(pool);
    pool_check_closed(pool);
}

/* ---- for the rest of the server ---- */

bool pool_is_closing(const pool_t *pool)
{
    return pool->closing;
}

const char *pool_python(const pool_t *pool)
{
    return pool->python;
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

static uint64_t *tally_of(const slot_t *slot, metrics_now_t *now)
{
    if (slot->state == SLOT_ENDING) {
        return &now->workers_ending;
    }
    if (slot->worker == NULL || !worker_was_ready(slot->worker)) {
        return &now->workers_starting;
    }
    if (slot->session == NULL) {
        return &now->workers_warm;
    }
    if (!worker_is_idle(slot->worker)) {
        return &now->workers_busy;
    }
    return worker_is_frozen(slot->worker) ? &now->workers_frozen : &now->workers_idle;
}

void pool_tally(const pool_t *pool, metrics_now_t *now)
{
    now->executions_running = pool->running;
    for (size_t i = 0; i < pool->slot_count; i++) {
        if (pool->slots[i].state != SLOT_FREE) {
            ++*tally_of(&pool->slots[i], now);
        }
    }
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

/* ---- the end ---- */

static void pool_on_close_timer(uv_timer_t *timer)
{
    pool_t *pool = timer->data;

    sessions_end(&pool->sessions, true, closing_text);
}

void pool_close(pool_t *pool, bool at_once, void (*cb)(void *data), void *data)
{
    pool->on_closed = cb;
    pool->on_closed_data = data;
    pool->closing = true;
    (void)uv_timer_stop(&pool->refill_timer);
    for (size_t i = 0; i < pool->slot_count; i++) {
        if (slot_is_warm(&pool->slots[i])) {
            slot_end(&pool->slots[i], closing_text);
        }
    }
    sessions_end(&pool->sessions, at_once, closing_text);
    (void)uv_timer_start(&pool->close_timer, pool_on_close_timer, CLOSE_MS, 0);
    pool_check_closed(pool);
}

void pool_check_closed(pool_t *pool)
{
    if (!pool->closing || pool->on_closed == NULL || pool->sessions.count > 0 || pool->holds > 0) {
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
