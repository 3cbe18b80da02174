/*
 * freeze.h - nothing of a session runs between its executions.
 *
 * Stops the processes of a sandbox, threads and daemons included, some time after
 * an execution, or kills those that it has left behind and stops the rest; lets
 * all of them go on before the next one.
 */
#ifndef SESSIONS_FREEZE_PRIVATE_H
#define SESSIONS_FREEZE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include <buffer.h>

#include "cgroup.h"

typedef enum freeze_state { FREEZE_OFF, FREEZE_DUE, FREEZE_STOPPING, FREEZE_FROZEN } fz_state_t;

typedef struct freeze_events {
    void (*on_frozen)(void *data);
    void (*on_failed)(void *data); /* its processes do not stop, or do not stay so */
} freeze_events_t;

typedef struct freeze {
    fz_state_t state;
    const freeze_events_t *events;
    void *data;
    pid_t init;
    const cgroup_t *group; /* borrowed */
    bool by_group;         /* it is what stops them */
    int spared;            /* the process that is not killed, by its number inside; 0: kill none */
    sk_buffer_t stopped;   /* numbers of the processes that are stopped by us */
    uint64_t trace;        /* of the last survey */
    bool still;            /* nothing ran then */
    bool others_still;     /* nothing but perhaps init */
    unsigned rounds;
    unsigned escapes;
    uint64_t since; /* the loop's time in ms */
    uv_timer_t timer;
} freeze_t;

void freeze_init(freeze_t *freeze, uv_loop_t *loop, const freeze_events_t *events, void *data);

/* Stop the processes below `init`, which are those of `group`, after so many milliseconds; with
 * `spared`, kill all others but init. */
void freeze_start(freeze_t *freeze, pid_t init, const cgroup_t *group, int spared,
                  uint64_t after_ms);

/* Let them go on, or take back that they are to be stopped. */
void freeze_thaw(freeze_t *freeze);

/* Has it been reached that none of them runs? */
bool freeze_is_frozen(const freeze_t *freeze);

/* They have been killed: nothing happens any more. */
void freeze_stop(freeze_t *freeze);
/* The same, and close its handle: `cb` finds `data` in it. */
void freeze_close(freeze_t *freeze, uv_close_cb cb, void *data);

#endif /* SESSIONS_FREEZE_PRIVATE_H */
