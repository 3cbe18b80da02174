/*
 * execution.h - one piece of code on its way through a worker.
 *
 * Queued, running, ended. Status, times and the reasons why it was cut short are
 * the host's findings; from the worker come a value or an exception. A result is
 * data from untrusted code.
 */
#ifndef SESSIONS_EXECUTION_PRIVATE_H
#define SESSIONS_EXECUTION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <buffer.h>

#include "display.h"
#include "output.h"
#include "worker.h"

#define EXECUTION_ID_MAX 128

typedef struct execution execution_t;

typedef enum execution_state { EXECUTION_QUEUED, EXECUTION_RUNNING, EXECUTION_ENDED } exec_state_t;

typedef enum execution_outcome {
    OUTCOME_SUCCEEDED,
    OUTCOME_FAILED,
    OUTCOME_CANCELED,   /* its callers went away */
    OUTCOME_BUSY,       /* never ran: waited too long behind others */
    OUTCOME_NOT_STARTED /* never ran: no worker; why is in `errors` */
} outcome_t;

/* Someone who waits for the end. Embedded in what the waiter owns. */
typedef struct waiter {
    void (*on_end)(struct waiter *waiter, execution_t *execution);
    struct waiter *next;
} waiter_t;

/* What a request asks for. */
typedef struct execution_wish {
    char id[EXECUTION_ID_MAX + 1];
    bool asynchronous;
    bool as_repr;
    bool apart; /* sees none of the session's variables and leaves none */
    unsigned timeout_s;
    size_t characters; /* of each output stream, cut silently; 0: the server's limit, with a note */
} execution_wish_t;

struct execution {
    execution_wish_t wish;
    exec_state_t state;
    outcome_t outcome;
    bool state_lost; /* the session's variables are gone */
    int64_t ms;
    int64_t made_ns;    /* monotonic */
    int64_t started_ns; /* monotonic; 0: it never ran */
    int64_t ended_ns;
    sk_buffer_t output; /* UTF-8 */
    sk_buffer_t errors;
    sk_buffer_t result; /* JSON; empty: no value */
    display_t displays[FRAME_DISPLAYS_MAX];
    size_t display_count;

    /* the session's */
    execution_t *next;
    void (*on_end)(execution_t *execution, void *data); /* before the waiters hear of it */
    void *data;

    /* private to execution.c */
    waiter_t *waiters;
    char *code; /* owned; NULL once ended */
    size_t code_size;
    const sandbox_plan_t *plan;
    worker_t *worker; /* while running */
    int cause;        /* why it is being interrupted; enum cause */
    int interrupts;   /* so often */
    bool raised;      /* the worker reported an exception */
    bool lost_memory; /* a process that it or another had started was ended */
    sk_buffer_t traceback;
    const char *aborted_because; /* the caller's, until the end of execution_abort() */
    output_t streams[2];
    int pipes[2]; /* read ends; -1 when closed */
    uv_poll_t pipe_watches[2];
    uv_timer_t timer; /* waiting, then deadline, then grace */
    bool timer_ready;
    int closing; /* handles still to close */
    bool released;
};

/* Takes `code`. NULL when memory is out, and then `code` is freed. */
execution_t *execution_new_take(const sandbox_plan_t *plan, const execution_wish_t *wish,
                                char *code, size_t code_size);
/* The owner lets go of an ended execution; it is freed as soon as its handles are closed. */
void execution_release(execution_t *execution);

/* Give up the wait for a worker after so long: OUTCOME_BUSY. */
void execution_wait(execution_t *execution, uint64_t most_ms);
void execution_begin(execution_t *execution, worker_t *worker);

/* Tell of the end; for one that has not ended. */
void execution_add_waiter(execution_t *execution, waiter_t *waiter);
/* The waiter is not interested any more; a synchronous execution without any is interrupted. */
void execution_remove_waiter(execution_t *execution, waiter_t *waiter);

/* The server is about to end: interrupt it. */
void execution_shut_down(execution_t *execution);

/* End it without, or after the loss of, its worker. `why` is one line. */
void execution_abort(execution_t *execution, outcome_t outcome, const char *why);

/* Bytes that it keeps once it has ended. */
size_t execution_size(const execution_t *execution);

/* How it has ended, in one word; a literal. */
const char *execution_end_name(const execution_t *execution);

/* What its worker sent. False if that was no frame of ours: the worker must end. */
bool execution_on_frame(execution_t *execution, frame_type_t type, const char *payload,
                        size_t size);

#endif /* SESSIONS_EXECUTION_PRIVATE_H */
