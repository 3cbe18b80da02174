/*
 * execution.c - from queue to end.
 *
 *   execution_wait            behind others, or for a worker that starts
 *   execution_begin           pipes, order, deadline
 *   execution_on_pipe         output comes, is kept or dropped
 *   execution_interrupt       deadline, too much output, callers gone, shutdown
 *   execution_on_grace        interrupting did not help: the worker is ended
 *   execution_on_frame        result, error, done
 *   execution_settle          the one exit: texts are made, waiters told
 */
#include "execution.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <alloc.h>
#include <json.h>

#include "value.h"

#define GRACE_MS      2000
#define INTERRUPTS    2                 /* in that time: libraries catch one and go on */
#define PIPE_TURN     (1024 * 1024)     /* read of a pipe at a time, for fairness */
#define PIPE_LEFT_MAX (2 * 1024 * 1024) /* more than any pipe holds */

static const char timed_out_text[] = "Request timed out waiting for code execution to complete";
static const char aborted_text[] = "Execution aborted";

enum cause { CAUSE_NONE, CAUSE_DEADLINE, CAUSE_OUTPUT, CAUSE_ABANDONED, CAUSE_SHUTDOWN };

static void execution_on_pipe(uv_poll_t *handle, int status, int events);
static void execution_on_deadline(uv_timer_t *timer);
static void execution_on_grace(uv_timer_t *timer);
static void execution_on_waited(uv_timer_t *timer);
static void execution_settle(execution_t *execution, outcome_t outcome);

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

execution_t *execution_new_take(const sandbox_plan_t *plan, const execution_wish_t *wish,
                                char *code, size_t code_size)
{
    execution_t *execution = sk_calloc(1, sizeof(*execution));

    if (execution == NULL) {
        sk_free(code);
        return NULL;
    }
    execution->plan = plan;
    execution->made_ns = now_ns();
    execution->wish = *wish;
    execution->code = code;
    execution->code_size = code_size;
    execution->pipes[0] = execution->pipes[1] = -1;
    execution->streams[0].limit = (size_t)plan->config->output_limit;
    execution->streams[1].limit = (size_t)plan->config->output_limit;
    return execution;
}

static void execution_free(execution_t *execution)
{
    sk_buffer_fini(&execution->output);
    sk_buffer_fini(&execution->errors);
    sk_buffer_fini(&execution->result);
    sk_buffer_fini(&execution->traceback);
    for (size_t i = 0; i < execution->display_count; i++) {
        display_fini(&execution->displays[i]);
    }
    output_fini(&execution->streams[0]);
    output_fini(&execution->streams[1]);
    sk_free(execution->code);
    sk_free(execution);
}

static void execution_on_close(uv_handle_t *handle)
{
    execution_t *execution = handle->data;

    if (--execution->closing == 0 && execution->released) {
        execution_free(execution);
    }
}

void execution_release(execution_t *execution)
{
    execution->released = true;
    if (execution->closing == 0) {
        execution_free(execution);
    }
}

/* ---- waiting ---- */

static void execution_set_timer(execution_t *execution, uv_timer_cb cb, uint64_t ms)
{
    if (!execution->timer_ready) {
        (void)uv_timer_init(execution->plan->loop, &execution->timer);
        execution->timer.data = execution;
        execution->timer_ready = true;
        execution->closing++;
    }
    (void)uv_timer_start(&execution->timer, cb, ms, 0);
}

void execution_wait(execution_t *execution, uint64_t most_ms)
{
    execution_set_timer(execution, execution_on_waited, most_ms);
}

static void execution_on_waited(uv_timer_t *timer)
{
    execution_abort(timer->data, OUTCOME_BUSY, "waited too long behind other calls of the session");
}

void execution_add_waiter(execution_t *execution, waiter_t *waiter)
{
    waiter->next = execution->waiters;
    execution->waiters = waiter;
}

/* ---- begin ---- */

static bool open_pipes(int reads[2], int writes[2])
{
    for (int i = 0; i < 2; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            return false;
        }
        reads[i] = ends[0];
        writes[i] = ends[1];
        if (fcntl(reads[i], F_SETFL, O_NONBLOCK) != 0) {
            return false;
        }
    }
    return true;
}

static void watch_pipes(execution_t *execution)
{
    for (int i = 0; i < 2; i++) {
        uv_poll_t *watch = &execution->pipe_watches[i];
        if (uv_poll_init(execution->plan->loop, watch, execution->pipes[i]) == 0) {
            watch->data = execution;
            execution->closing++;
            (void)uv_poll_start(watch, UV_READABLE, execution_on_pipe);
        }
    }
}

static void close_pipe(execution_t *execution, int i)
{
    if (execution->pipes[i] >= 0) {
        if (execution->pipe_watches[i].data != NULL) {
            uv_close((uv_handle_t *)&execution->pipe_watches[i], execution_on_close);
        }
        (void)close(execution->pipes[i]);
        execution->pipes[i] = -1;
    }
}

void execution_begin(execution_t *execution, worker_t *worker)
{
    int writes[2] = {-1, -1};

    if (!open_pipes(execution->pipes, writes)) {
        execution_abort(execution, OUTCOME_NOT_STARTED, strerror(errno));
    } else {
        const worker_order_t order = {execution->code,
                                      execution->code_size,
                                      execution->wish.as_repr,
                                      execution->wish.apart,
                                      writes[0],
                                      writes[1]};
        watch_pipes(execution);
        execution->state = EXECUTION_RUNNING;
        execution->worker = worker;
        execution->started_ns = now_ns();
        uv_update_time(execution->plan->loop); /* else the deadline counts from the turn's start */
        execution_set_timer(execution, execution_on_deadline,
                            (uint64_t)execution->wish.timeout_s * 1000 + 1); /* never early */
        (void)worker_execute(worker, &order); /* if not: its end comes as an event */
    }
    for (int i = 0; i < 2; i++) {
        if (writes[i] >= 0) {
            (void)close(writes[i]);
        }
    }
}

/* ---- while it runs ---- */

static void execution_press(execution_t *execution)
{
    execution->interrupts++;
    worker_interrupt(execution->worker);
    execution_set_timer(execution, execution_on_grace, GRACE_MS / INTERRUPTS);
}

static void execution_interrupt(execution_t *execution, enum cause cause)
{
    if (execution->state != EXECUTION_RUNNING || execution->cause != CAUSE_NONE) {
        return;
    }
    execution->cause = (int)cause;
    execution_press(execution);
}

static void execution_on_deadline(uv_timer_t *timer)
{
    execution_interrupt(timer->data, CAUSE_DEADLINE);
}

static void execution_on_grace(uv_timer_t *timer)
{
    execution_t *execution = timer->data;

    if (execution->interrupts < INTERRUPTS) {
        execution_press(execution);
        return;
    }
    worker_kill(execution->worker, "an interrupt did not end its execution");
}

static void execution_on_pipe(uv_poll_t *handle, int status, int events)
{
    execution_t *execution = handle->data;
    int i = handle == &execution->pipe_watches[1];
    output_t *stream = &execution->streams[i];

    (void)events;
    if (status < 0 || !output_read(stream, execution->pipes[i], PIPE_TURN)) {
        close_pipe(execution, i);
        return;
    }
    if (stream->total > (uint64_t)execution->plan->config->output_drain) {
        execution_interrupt(execution, CAUSE_OUTPUT);
    }
}

void execution_remove_waiter(execution_t *execution, waiter_t *waiter)
{
    for (waiter_t **at = &execution->waiters; *at != NULL; at = &(*at)->next) {
        if (*at == waiter) {
            *at = waiter->next;
            break;
        }
    }
    if (execution->waiters != NULL || execution->wish.asynchronous) {
        return;
    }
    if (execution->state == EXECUTION_QUEUED) {
        execution_abort(execution, OUTCOME_CANCELED, "its caller went away");
    } else {
        execution_interrupt(execution, CAUSE_ABANDONED);
    }
}

void execution_shut_down(execution_t *execution)
{
    execution_interrupt(execution, CAUSE_SHUTDOWN);
}

size_t execution_size(const execution_t *execution)
{
    size_t size =
        execution->output.capacity + execution->errors.capacity + execution->result.capacity;

    for (size_t i = 0; i < execution->display_count; i++) {
        size += execution->displays[i].data.capacity;
    }
    return size;
}

bool execution_on_frame(execution_t *execution, frame_type_t type, const char *payload, size_t size)
{
    switch (type) {
    case FRAME_RESULT:
        return value_read_result(payload, size, &execution->result);
    case FRAME_ERROR:
        execution->raised = true;
        return value_read_error(payload, size, &execution->traceback);
    case FRAME_DISPLAY:
        assert(execution->display_count < FRAME_DISPLAYS_MAX); /* frame_read() has counted */
        if (!display_read(&execution->displays[execution->display_count], payload, size)) {
            return false;
        }
        execution->display_count++;
        return true;
    case FRAME_DONE:
        for (int i = 0; i < 2; i++) { /* what was written before it is in the pipes by now */
            if (execution->pipes[i] >= 0) {
                (void)output_read(&execution->streams[i], execution->pipes[i], PIPE_LEFT_MAX);
            }
        }
        execution->lost_memory = worker_lost_memory(execution->worker);
        execution_settle(execution, execution->raised ? OUTCOME_FAILED : OUTCOME_SUCCEEDED);
        return true;
    default:
        return false;
    }
}

void execution_abort(execution_t *execution, outcome_t outcome, const char *why)
{
    if (execution->state == EXECUTION_ENDED) {
        return;
    }
    execution->state_lost = execution->state == EXECUTION_RUNNING || outcome == OUTCOME_FAILED;
    execution->aborted_because = why;
    for (int i = 0; i < 2; i++) {
        if (execution->pipes[i] >= 0) {
            (void)output_read(&execution->streams[i], execution->pipes[i], PIPE_LEFT_MAX);
        }
    }
    sk_buffer_clear(&execution->traceback);
    execution_settle(execution, outcome);
}

/* ---- the end ---- */

const char *execution_end_name(const execution_t *execution)
{
    static const char *const causes[] = {
        [CAUSE_NONE] = NULL,
        [CAUSE_DEADLINE] = "timeout",
        [CAUSE_OUTPUT] = "output_limit",
        [CAUSE_ABANDONED] = "canceled",
        [CAUSE_SHUTDOWN] = "shutdown",
    };
    static const char *const outcomes[] = {
        [OUTCOME_SUCCEEDED] = "succeeded",     [OUTCOME_FAILED] = "failed",
        [OUTCOME_CANCELED] = "canceled",       [OUTCOME_BUSY] = "busy",
        [OUTCOME_NOT_STARTED] = "not_started",
    };

    if (causes[execution->cause] != NULL) {
        return causes[execution->cause];
    }
    if (execution->outcome == OUTCOME_FAILED && execution->state_lost) {
        return "lost";
    }
    return outcomes[execution->outcome];
}

static void append_line(sk_buffer_t *text, const char *line)
{
    if (text->size > 0 && text->data[text->size - 1] != '\n') {
        sk_buffer_append_char(text, '\n');
    }
    sk_buffer_append_text(text, line);
}

/* What the host knows beats what the worker says. */
static outcome_t execution_judge(const execution_t *execution, outcome_t outcome,
                                 const char **text_out)
{
    switch ((enum cause)execution->cause) {
    case CAUSE_NONE:
        *text_out =
            outcome == OUTCOME_FAILED && execution->aborted_because != NULL ? aborted_text : NULL;
        return outcome;
    case CAUSE_DEADLINE:
        *text_out = timed_out_text;
        return OUTCOME_FAILED;
    case CAUSE_OUTPUT:
        *text_out = "output limit exceeded";
        return OUTCOME_FAILED;
    case CAUSE_ABANDONED:
        *text_out = "its caller went away";
        return OUTCOME_CANCELED;
    case CAUSE_SHUTDOWN:
        *text_out = aborted_text;
        return OUTCOME_FAILED;
    }
    return outcome;
}

static void execution_write_texts(execution_t *execution, const char *host_text)
{
    const size_t characters = execution->wish.characters;
    sk_buffer_t *errors = &execution->errors;

    output_render(&execution->streams[0], characters, &execution->output);
    output_render(&execution->streams[1], characters, errors);
    if (execution->traceback.size > 0 && execution->cause == CAUSE_NONE) { /* not of our SIGINT */
        append_line(errors, "");
        sk_buffer_append(errors, execution->traceback.data, execution->traceback.size);
        if (characters > 0) {
            output_cut(errors, 0, characters);
        }
    }
    if (host_text != NULL) {
        append_line(errors, host_text);
    }
    if (execution->aborted_because != NULL) {
        append_line(errors, execution->aborted_because);
    }
    if (execution->lost_memory) {
        append_line(errors, "a process of the session was ended: ");
        sk_buffer_append_text(errors, execution->plan->memory_reason);
        sk_buffer_append_char(errors, '\n');
    }
    if (host_text != NULL || execution->cause != CAUSE_NONE) {
        sk_buffer_clear(&execution->result);
    }
}

static void execution_settle(execution_t *execution, outcome_t outcome)
{
    const char *host_text = NULL;

    execution->closing++; /* on_end may release it */
    execution->ended_ns = now_ns();
    if (execution->started_ns != 0) {
        execution->ms = (execution->ended_ns - execution->started_ns) / 1000000;
    }
    execution->outcome = execution_judge(execution, outcome, &host_text);
    execution_write_texts(execution, host_text);
    execution->state = EXECUTION_ENDED;
    execution->worker = NULL;
    close_pipe(execution, 0);
    close_pipe(execution, 1);
    if (execution->timer_ready) {
        uv_close((uv_handle_t *)&execution->timer, execution_on_close);
    }
    output_fini(&execution->streams[0]);
    output_fini(&execution->streams[1]);
    sk_buffer_fini(&execution->traceback);
    sk_free(execution->code);
    execution->code = NULL;

    execution->on_end(execution, execution->data);
    waiter_t *waiters = execution->waiters;
    execution->waiters = NULL;
    while (waiters != NULL) { /* each may be gone after its call */
        waiter_t *next = waiters->next;
        waiters->on_end(waiters, execution);
        waiters = next;
    }
    if (--execution->closing == 0 && execution->released) {
        execution_free(execution);
    }
}
