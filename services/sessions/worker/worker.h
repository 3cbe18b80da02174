/*
 * worker.h - one Python in its sandbox, and the frames between it and us.
 *
 * What the worker says is a claim of untrusted code: events carry it on, and
 * who listens decides what it is worth. Rules that a frame can break are held
 * here; breaking one ends the worker.
 */
#ifndef SESSIONS_WORKER_PRIVATE_H
#define SESSIONS_WORKER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "frame.h"
#include "sandbox/sandbox.h"

typedef struct worker worker_t;

typedef struct worker_events {
    void (*on_ready)(worker_t *worker, void *data);
    /* A frame of the open execution; payload borrowed until return. */
    void (*on_frame)(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                     void *data);
    /* The imports of worker_warm() are done. NULL: nobody wants to know. */
    void (*on_warm)(worker_t *worker, void *data);
    /* All its processes are dead; the worker frees itself after the return. */
    void (*on_gone)(worker_t *worker, void *data);
} worker_events_t;

/* Start one over the files of `place`. NULL on failure, and then no event comes. */
worker_t *worker_start(const sandbox_plan_t *plan, const place_t *place,
                       const worker_events_t *events, void *data, failure_t *failure);

/* May it be given an execution? */
bool worker_is_idle(const worker_t *worker);

/* Make an idle worker that has run nothing yet faster for what is to come: give it matplotlib's
 * font cache, and with `preimport` let it import modules until an execution comes. */
void worker_warm(worker_t *worker, bool preimport);
/* Has it imported all that it could? */
bool worker_is_warm(const worker_t *worker);
/* Modules that it should have imported and could not, each after a blank; "" before on_warm. */
const char *worker_missing(const worker_t *worker);

typedef struct worker_order {
    const char *code; /* UTF-8 */
    size_t size;
    bool as_repr; /* primitive results as text of their repr */
    bool apart;   /* in empty variables of its own */
    int output;   /* write ends of the pipes; stay the caller's */
    int errors;
} worker_order_t;

/* Open an execution. False if it could not be begun: then the worker is being ended. */
bool worker_execute(worker_t *worker, const worker_order_t *order);

/* Can it have more memory than when this was asked before? Not if it was frozen ever since. */
bool worker_may_have_grown(worker_t *worker);

/* SIGINT to the worker and the processes that its code has started. */
void worker_interrupt(worker_t *worker);

/* Has the kernel ended a process of it because it had too much memory, since this was last asked?
 * That may have been the worker, or one that its code had started. */
bool worker_lost_memory(worker_t *worker);

/* End it for this reason, a text that outlives the worker; on_gone follows. The first reason
 * stands. */
void worker_kill(worker_t *worker, const char *reason);
/* The same, and its files are not for another worker. */
void worker_kill_with_files(worker_t *worker, const char *reason);
bool worker_leaves_files(const worker_t *worker);
/* The same, because it broke a rule of the protocol. */
void worker_violate(worker_t *worker, const char *reason);
bool worker_has_violated(const worker_t *worker);

const char *worker_python(const worker_t *worker); /* version, "3.11.2"; "" before it is ready */
bool worker_is_frozen(const worker_t *worker);     /* nothing of it runs until its next execution */
pid_t worker_init(const worker_t *worker);         /* of its sandbox; 0 if unknown */
const place_t *worker_place(const worker_t *worker);
/* In on_gone: why, NULL if it ended by itself; and what the sandbox printed before ready. */
const char *worker_reason(const worker_t *worker);
const char *worker_diagnosis(const worker_t *worker);
bool worker_was_ready(const worker_t *worker);

#endif /* SESSIONS_WORKER_PRIVATE_H */
