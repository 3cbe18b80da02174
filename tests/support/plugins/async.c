/*
 * async.c - functions that answer later, well or badly.
 *
 * What happens "when told" waits for a byte from a pipe that the test holds, so
 * that no test has to sleep.
 */
#include <kernel/plugin.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 256

/* Threads of the functions below; all have ended when destroy() returns. */
typedef struct state {
    pthread_mutex_t mutex;
    pthread_t threads[THREADS_MAX];
    size_t count;
} state_t;

typedef struct task {
    kp_call *call;
    int fd;
} task_t;

static int create(kp_instance *instance)
{
    state_t *state = calloc(1, sizeof(*state));

    if (state == NULL) {
        return KP_E_NO_MEMORY;
    }
    pthread_mutex_init(&state->mutex, NULL);
    instance->self = state;
    return KP_OK;
}

static void destroy(kp_instance *instance)
{
    state_t *state = instance->self;

    for (size_t i = 0; i < state->count; i++) {
        pthread_join(state->threads[i], NULL);
    }
    pthread_mutex_destroy(&state->mutex);
    free(state);
}

/* KP_PENDING: the thread runs and will complete the call. */
static int start_thread(kp_call *call, int64_t fd, void *(*run)(void *))
{
    state_t *state = call->self;
    task_t *task = malloc(sizeof(*task));
    int status = KP_E_LIMIT;

    if (task == NULL) {
        return KP_E_NO_MEMORY;
    }
    task->call = call;
    task->fd = (int)fd;
    pthread_mutex_lock(&state->mutex);
    if (state->count < THREADS_MAX &&
        pthread_create(&state->threads[state->count], NULL, run, task) == 0) {
        state->count++;
        status = KP_PENDING;
    }
    pthread_mutex_unlock(&state->mutex);
    if (status != KP_PENDING) {
        free(task);
    }
    return status;
}

static void wait_for_byte(int fd)
{
    char byte;

    while (read(fd, &byte, 1) < 0) {
    }
}

KP_FUNCTION(async, now, "Return without ever being pending.", (integer, value, "To be returned."))
{
    return kp_return_integer(call, value);
}

KP_FUNCTION(async, complete_inside, "Complete before returning KP_PENDING.",
            (integer, value, "To be returned."))
{
    kp_complete(call, kp_return_integer(call, value));
    return KP_PENDING;
}

static void *run_complete(void *data)
{
    task_t *task = data;

    kp_complete(task->call, kp_return_integer(task->call, kp_integer(task->call, 0)));
    free(task);
    return NULL;
}

KP_FUNCTION(async, from_thread, "Complete from a thread of the plugin's own.",
            (integer, value, "To be returned."))
{
    return start_thread(call, -1, run_complete);
}

static void *run_when_told(void *data)
{
    task_t *task = data;

    wait_for_byte(task->fd);
    kp_complete(task->call, kp_return_string(task->call, "told"));
    free(task);
    return NULL;
}

KP_FUNCTION(async, when_told, "Complete when told, deaf to cancellation.",
            (integer, fd, "A pipe to read one byte from."))
{
    return start_thread(call, fd, run_when_told);
}

static void on_cancel(kp_call *call, void *data)
{
    (void)data;
    kp_complete(call, KP_E_CANCELLED);
}

KP_FUNCTION(async, until_cancelled, "Complete only when cancelled.",
            (integer, fd, "Written one byte to once it can be cancelled; -1: none.", .dflt = "-1"))
{
    if (kp_on_cancel(call, on_cancel, NULL) != KP_OK) {
        return KP_E_CANCELLED;
    }
    if (fd >= 0 && write((int)fd, "", 1) != 1) {
        return kp_fail(call, KP_E_INVALID, "cannot write to descriptor %lld", (long long)fd);
    }
    return KP_PENDING;
}

/* ---- against the rules ---- */

KP_FUNCTION(async, never, "Never complete.")
{
    return KP_PENDING;
}

KP_FUNCTION(async, complete_twice, "Complete two times at once.",
            (integer, value, "To be returned."))
{
    kp_complete(call, kp_return_integer(call, value));
    kp_complete(call, KP_E_INTERNAL);
    return KP_PENDING;
}

static void *run_complete_again(void *data)
{
    task_t *task = data;

    kp_complete(task->call, kp_return_string(task->call, "first"));
    wait_for_byte(task->fd);
    kp_complete(task->call, KP_E_INTERNAL);
    free(task);
    return NULL;
}

KP_FUNCTION(async, complete_again, "Complete, and once more when told.",
            (integer, fd, "A pipe to read one byte from."))
{
    return start_thread(call, fd, run_complete_again);
}

KP_FUNCTION(async, emit_after_completion, "Complete, then send a chunk.")
{
    kp_complete(call, kp_return_string(call, "complete"));
    kp_emit_text(call, "late", 4);
    return KP_PENDING;
}

static void *run_emit_again(void *data)
{
    task_t *task = data;

    kp_complete(task->call, kp_return_string(task->call, "complete"));
    wait_for_byte(task->fd);
    kp_emit_text(task->call, "late", 4);
    free(task);
    return NULL;
}

KP_FUNCTION(async, emit_again, "Complete, and send a chunk when told.",
            (integer, fd, "A pipe to read one byte from."))
{
    return start_thread(call, fd, run_emit_again);
}

KP_FUNCTION(status, pending_but_plain, "Return KP_PENDING without being declared async.")
{
    (void)call;
    return KP_PENDING;
}

/* ---- streams ---- */

static int emit_number(kp_call *call, int64_t number)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "chunk %lld", (long long)number);

    return kp_emit_text(call, text, (size_t)size);
}

static void stream_on(kp_call *call, void *data);

/* From call->data on, until all are sent or the consumer is slow. */
static int stream_go(kp_call *call)
{
    int64_t count = kp_integer(call, 0);

    while ((intptr_t)call->data < count) {
        int status = emit_number(call, (intptr_t)call->data);

        if (status == KP_E_BUSY) {
            status = kp_on_drain(call, stream_on, NULL);
            return status == KP_OK ? KP_PENDING : status;
        }
        if (status != KP_OK) {
            return status;
        }
        call->data = (void *)((intptr_t)call->data + 1);
        kp_progress(call, (double)(intptr_t)call->data / (double)count);
    }
    return kp_return_integer(call, count);
}

static void stream_on(kp_call *call, void *data)
{
    int status = stream_go(call);

    (void)data;
    if (status != KP_PENDING) {
        kp_complete(call, status);
    }
}

KP_FUNCTION_FLAGS(KP_F_STREAMS, async, stream, "Send chunks as fast as they are taken.",
                  (integer, count, "How many."))
{
    return stream_go(call);
}

KP_FUNCTION_FLAGS(KP_F_STREAMS, integer, flood,
                  "Send chunks, taken or not, and return how many were not.",
                  (integer, count, "How many."))
{
    int64_t refused = 0;

    for (int64_t i = 0; i < count; i++) {
        refused += emit_number(call, i) != KP_OK;
    }
    return refused;
}

KP_FUNCTION_FLAGS(KP_F_STREAMS, none, kinds_of_chunks, "Send a text, JSON, bytes, and progress.")
{
    kp_emit_text(call, "text", 4);
    kp_emit_json(call, "{\"a\":1}", 7);
    kp_emit_bytes(call, "\0\1\2", 3);
    kp_progress(call, 0.5);
}

static const kp_function *const functions[] = {
    &kpf_now,
    &kpf_complete_inside,
    &kpf_from_thread,
    &kpf_when_told,
    &kpf_until_cancelled,
    &kpf_never,
    &kpf_complete_twice,
    &kpf_complete_again,
    &kpf_emit_after_completion,
    &kpf_emit_again,
    &kpf_pending_but_plain,
    &kpf_stream,
    &kpf_flood,
    &kpf_kinds_of_chunks,
    NULL,
};

KP_PLUGIN_EX(.name = "async", .version = "1.0.0", .description = "Answers that come later.",
             .functions = functions, .create = create, .destroy = destroy);
