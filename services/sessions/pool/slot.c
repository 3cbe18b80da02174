/*
 * slot.c - from free to live and back: file systems and a worker over them.
 *
 *   slot_start      mounts what is not mounted yet, starts a worker
 *   slot_on_ready   the session in it may run something
 *   slot_on_frame   goes on to the session
 *   slot_on_gone    the worker is dead: the session replaces it, or the slot is
 *                   cleared away
 */
#include "slot.h"

#include <sys/stat.h>
#include <time.h>

#include "telemetry/journal.h"

#define STARTS_MAX 3

static void slot_on_ready(worker_t *worker, void *data);
static void slot_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                          void *data);
static void slot_on_warm(worker_t *worker, void *data);
static void slot_on_gone(worker_t *worker, void *data);

static const worker_events_t slot_events = {slot_on_ready, slot_on_frame, slot_on_warm,
                                            slot_on_gone};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool slot_is_warm(const slot_t *slot)
{
    return slot->state == SLOT_LIVE && slot->session == NULL;
}

bool slot_start(slot_t *slot, failure_t *failure)
{
    const sandbox_plan_t *plan = pool_plan(slot->pool);

    if (!slot->mounted &&
        !namespace_mount(&slot->place, slot->number, plan->facility, plan->config, failure)) {
        return false;
    }
    slot->mounted = true;
    /* The session owns its directory and may have shut itself out, and with it the next worker. */
    (void)chmod(slot->place.data, 0700);
    slot->started_ns = now_ns();
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

    slot->failures = 0;
    journal_worker_ready(slot->number, now_ns() - slot->started_ns);
    if (slot->session != NULL || pool_imports_ahead(slot->pool)) {
        worker_warm(worker, slot->session == NULL);
    }
    if (slot->session != NULL) {
        session_on_ready(slot->session);
    }
    pool_on_ready(slot->pool, worker);
}

static void slot_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                          void *data)
{
    slot_t *slot = data;

    if (slot->session != NULL && !session_on_frame(slot->session, type, payload, size)) {
        worker_violate(worker, "a frame that is not what it must be");
    }
}

static void slot_on_warm(worker_t *worker, void *data)
{
    const slot_t *slot = data;

    journal_worker_warm(slot->number, now_ns() - slot->started_ns, worker_is_warm(worker),
                        worker_missing(worker));
}

void slot_end(slot_t *slot, const char *why)
{
    slot->session = NULL;
    slot->state = SLOT_ENDING;
    if (slot->worker != NULL) {
        worker_kill(slot->worker, why);
    }
}

void slot_clear(slot_t *slot)
{
    if (slot->mounted) {
        namespace_unmount(&slot->place);
    }
    slot->mounted = false;
    slot->failures = 0;
    slot->worker = NULL;
    slot->session = NULL;
    slot->state = SLOT_FREE;
}

/* It never became one. For warmth a machine that cannot start them is not asked again at once; a
 * session, which may have files, gets some more attempts: something may have killed just this
 * one. But where its files have used up its memory, that is its own doing. */
static bool slot_on_start_failed(slot_t *slot, const worker_t *worker)
{
    failure_t failure = {""};

    slot->worker = NULL;
    if (slot->session != NULL && worker_reason(worker) == pool_plan(slot->pool)->memory_reason) {
        (void)fail(&failure, "the session's Python cannot start beside the session's files: %s",
                   worker_reason(worker));
    } else {
        (void)facility_explain_sandbox(worker_diagnosis(worker), &failure);
        pool_on_start_failed(slot->pool, failure.text);
        if (slot->session != NULL && ++slot->failures < STARTS_MAX && slot_start(slot, &failure)) {
            return true;
        }
    }
    if (slot->session != NULL) {
        session_give_up(slot->session, failure.text);
    }
    return false;
}

static void slot_on_gone(worker_t *worker, void *data)
{
    slot_t *slot = data;

    journal_worker_gone(slot->number, slot->session == NULL ? NULL : session_guid(slot->session),
                        worker_reason(worker), worker_has_violated(worker));
    if (slot->session != NULL && worker_was_ready(worker)) {
        slot->worker = NULL;
        if (session_on_worker_gone(slot->session, worker)) {
            return;
        }
    } else if (!worker_was_ready(worker) && slot->state == SLOT_LIVE) {
        if (slot_on_start_failed(slot, worker)) {
            return;
        }
    }
    slot_clear(slot);
    pool_on_slot_free(slot->pool);
}
