/*
 * freeze.c - stopping processes that may not want to be stopped.
 *
 * Control groups of version 2 can do it, and nothing inside can undo it. For all
 * others:
 *
 *   freeze_start        the pause after an execution
 *   freeze_on_round     SIGSTOP to each that runs, again and again ...
 *   freeze_survey       ... until two looks in a row find the same
 *   freeze_on_check     later, now and then: still the same?
 *   freeze_thaw         SIGCONT to those that were stopped here
 *
 * While one of them runs it can send SIGCONT to those that are stopped already,
 * and start new ones. So a look at them one by one proves nothing: the first may
 * be woken while the last is looked at. But the kernel counts how often each
 * thread was given a processor. Two looks that find the same threads, all of
 * them stopped, with the same counts, have between them a moment in which none
 * ran; from then on none is left that could wake another. (A process that both
 * looks miss would have to start with the numbers of processes going round once
 * during each of them.)
 *
 * A timer that sends SIGCONT is what remains to it. That is found by looking
 * again later, and a session that does it repeatedly is ended.
 *
 * What the session itself had stopped before stays so.
 */
#include "freeze.h"

#include <signal.h>
#include <string.h>

#include "processes.h"
#include "telemetry/metrics.h"

#define ROUND_MS       1
#define ROUND_LATER_MS 5
#define ROUNDS_SOON    16
#define DEAF_MS        100   /* wait so long for one that the kernel does not let stop: vfork() */
#define FAILED_MS      10000 /* a busy machine can take its time */
#define CHECK_FIRST_MS 100
#define CHECK_LAST_MS  12800
#define ESCAPES_MAX    3

typedef struct survey {
    freeze_t *freeze;
    bool act; /* stop and kill what is not yet */
    bool patient;
    bool init; /* that too: its turn comes last, since only it can reap orphans */
    bool still;
    bool others_still;
    uint64_t trace;
} survey_t;

static void freeze_on_round(uv_timer_t *timer);
static void freeze_on_check(uv_timer_t *timer);

void freeze_init(freeze_t *freeze, uv_loop_t *loop, const freeze_events_t *events, void *data)
{
    memset(freeze, 0, sizeof(*freeze));
    freeze->events = events;
    freeze->data = data;
    (void)uv_timer_init(loop, &freeze->timer);
    freeze->timer.data = freeze;
}

static uint64_t freeze_age(const freeze_t *freeze)
{
    return uv_now(freeze->timer.loop) - freeze->since;
}

static void freeze_begin(freeze_t *freeze, uint64_t after_ms)
{
    freeze->state = after_ms > 0 ? FREEZE_DUE : FREEZE_STOPPING;
    freeze->rounds = 0;
    freeze->still = false;
    freeze->others_still = false;
    (void)uv_timer_start(&freeze->timer, freeze_on_round, after_ms, 0);
}

void freeze_start(freeze_t *freeze, pid_t init, const cgroup_t *group, int spared,
                  uint64_t after_ms)
{
    freeze->init = init;
    freeze->group = group;
    freeze->spared = spared;
    freeze->escapes = 0;
    freeze_begin(freeze, after_ms);
}

/* ---- looking ---- */

static bool was_stopped_here(const freeze_t *freeze, int number)
{
    for (size_t at = 0; at < freeze->stopped.size; at += sizeof(number)) {
        if (memcmp(freeze->stopped.data + at, &number, sizeof(number)) == 0) {
            return true;
        }
    }
    return false;
}

static void survey_process(const process_t *process, void *data)
{
    survey_t *survey = data;
    freeze_t *freeze = survey->freeze;
    const process_state_t state = process_state(process);
    const bool spared =
        freeze->spared == 0 || process->number == freeze->spared || process->number == PROCESS_INIT;
    const bool done =
        state.dead || (spared && state.stopped && !(state.waiting && survey->patient));

    survey->trace = (survey->trace ^ state.trace) * UINT64_C(0x100000001b3);
    survey->still = survey->still && done;
    if (process->number != PROCESS_INIT) {
        survey->others_still = survey->others_still && done;
    } else if (!survey->init) {
        return;
    }
    if (!survey->act || (done && !state.waiting)) {
        return;
    }
    if (!spared) {
        process_signal(process, SIGKILL);
        return;
    }
    process_signal(process, SIGSTOP);
    if (!was_stopped_here(freeze, process->number)) {
        sk_buffer_append(&freeze->stopped, &process->number, sizeof(process->number));
    }
}

/* Is all of it at rest, and was so already at the look before? */
static bool freeze_survey(freeze_t *freeze, bool act)
{
    survey_t survey = {.freeze = freeze,
                       .act = act,
                       .patient = freeze_age(freeze) < DEAF_MS,
                       .init = freeze->others_still,
                       .still = true,
                       .others_still = true};

    if (!processes_visit(freeze->init, survey_process, &survey)) {
        survey.still = false; /* its end is on the way as an event */
    }
    const bool same = survey.still && freeze->still && survey.trace == freeze->trace;
    freeze->still = survey.still;
    freeze->others_still = survey.others_still;
    freeze->trace = survey.trace;
    return same;
}

static void freeze_on_round(uv_timer_t *timer)
{
    freeze_t *freeze = timer->data;

    if (freeze->rounds++ == 0) {
        freeze->state = FREEZE_STOPPING;
        freeze->since = uv_now(timer->loop);
    }
    if (freeze->spared == 0 && cgroup_freeze(freeze->group)) {
        freeze->by_group = true;
        freeze->state = FREEZE_FROZEN;
        freeze->events->on_frozen(freeze->data);
    } else if (freeze_survey(freeze, true)) {
        freeze->state = FREEZE_FROZEN;
        (void)uv_timer_start(timer, freeze_on_check, CHECK_FIRST_MS, 0);
        freeze->events->on_frozen(freeze->data);
    } else if (freeze->stopped.failed || freeze_age(freeze) > FAILED_MS) {
        freeze_stop(freeze);
        freeze->events->on_failed(freeze->data);
    } else {
        (void)uv_timer_start(timer, freeze_on_round,
                             freeze->rounds < ROUNDS_SOON ? ROUND_MS : ROUND_LATER_MS, 0);
    }
}

bool freeze_is_frozen(const freeze_t *freeze)
{
    return freeze->state == FREEZE_FROZEN;
}

static void freeze_on_check(uv_timer_t *timer)
{
    freeze_t *freeze = timer->data;

    if (freeze_survey(freeze, false)) { /* less and less often: a check costs, too */
        const uint64_t age = freeze_age(freeze);
        (void)uv_timer_start(timer, freeze_on_check, age < CHECK_LAST_MS ? age : CHECK_LAST_MS, 0);
        return;
    }
    metrics_add(METRIC_ESCAPES, 1);
    if (++freeze->escapes > ESCAPES_MAX) {
        freeze_stop(freeze);
        freeze->events->on_failed(freeze->data);
    } else {
        freeze_begin(freeze, 0);
    }
}

/* ---- letting go ---- */

static void thaw_process(const process_t *process, void *data)
{
    if (was_stopped_here(data, process->number)) {
        process_signal(process, SIGCONT);
    }
}

void freeze_thaw(freeze_t *freeze)
{
    if (!freeze->by_group && (freeze->state == FREEZE_STOPPING || freeze->state == FREEZE_FROZEN)) {
        (void)processes_visit(freeze->init, thaw_process, freeze);
    }
    sk_buffer_clear(&freeze->stopped);
    freeze_stop(freeze);
}

void freeze_stop(freeze_t *freeze)
{
    if (freeze->by_group) { /* it outlives them, and the next worker is to run in it */
        (void)cgroup_thaw(freeze->group);
        freeze->by_group = false;
    }
    freeze->state = FREEZE_OFF;
    (void)uv_timer_stop(&freeze->timer);
}

void freeze_close(freeze_t *freeze, uv_close_cb cb, void *data)
{
    freeze_stop(freeze);
    sk_buffer_fini(&freeze->stopped);
    freeze->timer.data = data;
    uv_close((uv_handle_t *)&freeze->timer, cb);
}
