/*
 * operation.c - one invocation as the host sees it.
 *
 *     kernel__request_prepare     enter the instance, bind the arguments
 *     kernel__operation_attach    filters see the call
 *     kernel__operation_open      it may be settled from outside
 *     kernel__operation_begin     hand the call to the thread that runs it
 *     operation_run               that thread runs the function
 *     kernel__operation_answered  it has answered ...
 *     kernel__operation_cancel    ... or is given up: whichever is first
 *     operation_settle            decides the outcome
 *     operation_on_settled        filters see it (a started call: on the loop thread)
 *     operation_deliver           chunks, then the outcome, reach the host
 *
 * A waiting caller takes the outcome and runs the filters itself.
 */
#include "operation.h"

#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "cancel.h"
#include "clock.h"
#include "error.h"
#include "kernel_state.h"
#include "result.h"

#define OPERATION_OF(task, member)                                                                 \
    ((kernel_call_t *)(void *)((char *)(task)-offsetof(kernel_call_t, member)))

static void operation_on_begin(kernel__task_t *task);
static void operation_on_settled(kernel__task_t *task);
static void operation_deliver(kernel__task_t *task);

/* ---- making and freeing ---- */

void kernel__operation_keep(kernel_call_t *operation)
{
    (void)atomic_fetch_add_explicit(&operation->refs, 1, memory_order_relaxed);
}

/* Let go of all that belongs to the kernel: it may be gone when the host lets go of its handle. */
static void operation_drop_calls(kernel_call_t *operation)
{
    kernel__call_t *call;
    kernel__call_t *retried;

    (void)pthread_mutex_lock(&operation->lock);
    call = operation->call;
    retried = operation->retried;
    operation->call = NULL;
    operation->retried = NULL;
    (void)pthread_mutex_unlock(&operation->lock);
    if (call != NULL) {
        kernel__call_drop(call);
    }
    if (retried != NULL) {
        kernel__call_drop(retried);
    }
}

void kernel__operation_detach(kernel_call_t *operation)
{
    kernel__cancel_unlink(operation->cancel, operation);
    operation_drop_calls(operation);
    kernel__filter_end(&operation->filter);
    if (operation->user != NULL) {
        kernel__instance_leave(operation->user);
        operation->user = NULL;
    }
}

static void operation_free(kernel_call_t *operation)
{
    while (operation->chunks != NULL) {
        kernel__chunk_t *chunk = operation->chunks;

        operation->chunks = chunk->next;
        sk_free(chunk);
    }
    kernel__operation_detach(operation);
    kernel_cancel_free(operation->cancel);
    kernel_result_free(operation->outcome);
    kernel_args_free(operation->context);
    (void)pthread_cond_destroy(&operation->changed);
    (void)pthread_mutex_destroy(&operation->lock);
    sk_free(operation);
}

bool kernel__operation_is_forked(const kernel_call_t *operation)
{
    return operation->fork_count != atomic_load_explicit(&kernel__fork_count, memory_order_relaxed);
}

void kernel__operation_drop(kernel_call_t *operation)
{
    if (atomic_fetch_sub_explicit(&operation->refs, 1, memory_order_acq_rel) == 1) {
        operation_free(operation);
    }
}

kernel_call_t *kernel__operation_new(const kernel__request_t *request,
                                     kernel__operation_kind_t kind)
{
    static const kernel_invoke_options_t none = KERNEL_INVOKE_OPTIONS_INIT;
    const kernel_invoke_options_t *options = request->options != NULL ? request->options : &none;
    kernel_call_t *operation = sk_calloc(1, sizeof(*operation));

    if (operation == NULL) {
        return NULL;
    }
    if (options->context != NULL) {
        operation->context = kernel_args_copy(options->context);
        if (operation->context == NULL) {
            sk_free(operation);
            return NULL;
        }
    }
    operation->function = kernel__function_writable(request->function);
    operation->kernel = request->function->plugin->kernel;
    operation->fork_count = operation->kernel->fork_count;
    operation->kind = kind;
    operation->thread = pthread_self();
    operation->timeout_ms = options->timeout_ms;
    operation->deadline = kernel__clock_deadline(options->timeout_ms);
    if (request->parent != NULL) {
        operation->deadline = kernel__clock_earlier(operation->deadline, request->parent->deadline);
    }
    operation->on_chunk = options->on_chunk;
    operation->on_progress = options->on_progress;
    operation->stream_data = options->stream_data;
    operation->delivery = options->delivery != KERNEL_DELIVERY_DEFAULT
                              ? options->delivery
                              : operation->kernel->default_delivery;
    operation->last_chunk = &operation->chunks;
    operation->cancel = kernel__cancel_keep(options->cancel);
    atomic_init(&operation->refs, 1);
    (void)pthread_mutex_init(&operation->lock, NULL);
    kernel__condition_init(&operation->changed);
    return operation;
}

/* ---- settling ---- */

/* False when it was settled before, or by the answer of an earlier attempt. */
static bool operation_settle(kernel_call_t *operation, const kernel__call_t *call,
                             kernel_result_t *result)
{
    bool is_first;

    (void)pthread_mutex_lock(&operation->lock);
    is_first = !operation->is_settled && (call == NULL || operation->call == call);
    if (is_first) {
        operation->is_settled = true;
        operation->outcome = result;
        (void)pthread_cond_broadcast(&operation->changed);
    }
    (void)pthread_mutex_unlock(&operation->lock);
    return is_first;
}

void kernel__operation_schedule(kernel_call_t *operation)
{
    bool is_due;

    (void)pthread_mutex_lock(&operation->lock);
    is_due = !operation->is_scheduled && !operation->is_reported;
    if (is_due) {
        operation->is_scheduled = true;
        kernel__operation_keep(operation);
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (is_due) {
        operation->deliver_task.run = operation_deliver;
        kernel__delivery_post(operation->kernel, operation->delivery, &operation->deliver_task);
    }
}

/* What waits to be delivered owns its memory. The records go now: a plugin may be removed by the
 * very thread that is to deliver. */
static void operation_finalise(kernel_call_t *operation)
{
    operation_drop_calls(operation);
    (void)pthread_mutex_lock(&operation->lock);
    operation->is_final = true;
    (void)pthread_mutex_unlock(&operation->lock);
    kernel__operation_schedule(operation);
}

/* A started operation has its outcome: filters first, on the loop thread, then the host. */
static void operation_go_on(kernel_call_t *operation)
{
    kernel__operation_disarm(operation);
    if (operation->filter.chain != NULL && operation->filter.entered > 0) {
        kernel__operation_keep(operation);
        operation->settle_task.run = operation_on_settled;
        if (kernel__loop_post(&operation->kernel->loop, &operation->settle_task) == KERNEL_OK) {
            return;
        }
        kernel__operation_drop(operation);
    }
    operation_finalise(operation);
}

/* What the function is told when its operation is given up. */
static int operation_stop_status(kernel_status_t status)
{
    return status == KERNEL_E_TIMEOUT ? KP_E_TIMEOUT : KP_E_CANCELLED;
}

int kernel__operation_again(kernel_call_t *operation, kernel__call_t *second)
{
    kernel_status_t stopped;
    bool was_ready;

    kernel__call_set_operation(second, operation);
    kernel__call_keep(second);
    (void)pthread_mutex_lock(&operation->lock);
    operation->retried = operation->call; /* has the arguments */
    operation->call = second;
    operation->is_settled = false;
    was_ready = operation->is_ready;
    operation->is_ready = true;
    (void)pthread_mutex_unlock(&operation->lock);
    if (!was_ready) {
        kernel__cancel_link(operation->cancel, operation);
    }
    (void)pthread_mutex_lock(&operation->lock);
    stopped = operation->stopped;
    (void)pthread_mutex_unlock(&operation->lock);
    return stopped == KERNEL_OK ? KP_OK : operation_stop_status(stopped);
}

/* A filter wants a second attempt: NULL when it is under way, else the outcome. */
static kernel_result_t *operation_try_again(kernel_call_t *operation)
{
    kernel_filter_context_t *filter = &operation->filter;
    kernel__call_t *second = kernel__request_again(filter->call);
    kernel_result_t *answer;
    int status;

    if (second == NULL) {
        answer = kernel__result_error(KERNEL_E_UNAVAILABLE, "cannot call %s once more",
                                      operation->function->full_name);
        return kernel__filter_after(filter, answer);
    }
    kernel__filter_retry(filter, second);
    answer = kernel__filter_before(filter);
    if (answer != NULL) {
        answer = kernel__filter_after(filter, answer);
        kernel__call_abort(second);
        return answer;
    }
    status = kernel__operation_again(operation, second);
    if (status != KP_OK) {
        kernel__call_finish(second, status);
    } else {
        kernel__operation_arm(operation);
        kernel__operation_begin(operation, second);
    }
    return NULL;
}

static void operation_on_settled(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, settle_task);
    kernel_result_t *outcome;

    (void)pthread_mutex_lock(&operation->lock);
    outcome = operation->outcome;
    operation->outcome = NULL;
    (void)pthread_mutex_unlock(&operation->lock);

    outcome = kernel__filter_after(&operation->filter, outcome);
    if (outcome == NULL) {
        outcome = operation_try_again(operation);
    }
    if (outcome != NULL) {
        (void)pthread_mutex_lock(&operation->lock);
        operation->outcome = outcome;
        (void)pthread_mutex_unlock(&operation->lock);
        operation_finalise(operation);
    }
    kernel__operation_drop(operation);
}

void kernel__operation_answered(kernel_call_t *operation, kernel__call_t *call,
                                kernel_result_t *result)
{
    if (!operation_settle(operation, call, result)) {
        kernel_result_free(result);
        return;
    }
    if (operation->kind == KERNEL__OPERATION_STARTED) {
        operation_go_on(operation);
    }
}

static kernel_result_t *operation_cancel_result(const kernel_call_t *operation,
                                                kernel_status_t status)
{
    const char *name = operation->function->full_name;

    switch (status) {
    case KERNEL_E_TIMEOUT:
        if (operation->timeout_ms != 0) {
            return kernel__result_error(status, "%s did not answer within %llu ms", name,
                                        (unsigned long long)operation->timeout_ms);
        }
        return kernel__result_error(status, "%s did not answer before its caller's deadline", name);
    case KERNEL_E_NO_MEMORY:
        return kernel__result_error(
            status, "the call of %s was given up: no memory to watch its deadline", name);
    case KERNEL_E_CLOSED:
        return kernel__result_error(
            status, "the call of %s was given up: the kernel is being closed", name);
    case KERNEL_E_UNAVAILABLE:
        return kernel__result_error(
            status, "the call of %s was given up: its plugin is being removed", name);
    default:
        return kernel__result_error(status, "the call of %s was cancelled", name);
    }
}

void kernel__operation_cancel(kernel_call_t *operation, kernel_status_t status)
{
    kernel__call_t *call;
    bool is_open;
    bool is_first = false;

    (void)pthread_mutex_lock(&operation->lock);
    if (operation->stopped == KERNEL_OK) {
        operation->stopped = status;
    }
    is_open = operation->is_ready && !operation->is_settled;
    call = operation->call;
    if (call != NULL) {
        kernel__call_keep(call);
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (is_open && operation->kind != KERNEL__OPERATION_INLINE) {
        kernel_result_t *result = operation_cancel_result(operation, status);

        is_first = operation_settle(operation, NULL, result);
        if (!is_first) {
            kernel_result_free(result);
        }
    }
    if (call != NULL) {
        kernel__call_cancel(call, operation_stop_status(status));
        kernel__call_drop(call);
    }
    if (is_first && operation->kind == KERNEL__OPERATION_STARTED) {
        operation_go_on(operation);
    }
}

/* ---- beginning ---- */

static void operation_run(kernel_call_t *operation)
{
    kernel__call_t *call = operation->begin_call;
    int status = atomic_load_explicit(&call->cancelled, memory_order_acquire);

    if (operation->begin_status != KERNEL_OK) {
        static const char text[] =
            "no thread is free for this call: too many calls wait for others";

        kernel__call_fail(call, (int)operation->begin_status, text, sizeof(text) - 1, NULL);
        status = (int)operation->begin_status;
    }
    if (status != 0 || kernel__call_run(call, &status)) {
        kernel__call_finish(call, status);
    }
}

static void operation_on_begin(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, begin_task);

    operation_run(operation);
    kernel__operation_drop(operation);
}

/* To the pool; on failure the loop thread reports it, since the caller may hold locks. */
static void operation_to_pool(kernel_call_t *operation)
{
    kernel_status_t status = kernel__pool_post(&operation->kernel->pool, &operation->begin_task,
                                               operation->begin_call->depth > 1);

    if (status != KERNEL_OK) {
        operation->begin_status = status;
        (void)kernel__loop_post(&operation->kernel->loop, &operation->begin_task);
    }
}

static void operation_on_turn(kernel__turn_wait_t *wait)
{
    kernel_call_t *operation = OPERATION_OF(wait, turn_wait);

    operation->begin_call->has_turn = true;
    operation_to_pool(operation);
}

static void operation_queue_for_turn(kernel_call_t *operation)
{
    kernel__call_t *call = operation->begin_call;
    kernel_plugin_t *plugin = operation->function->plugin;
    kernel_status_t status = kernel__turn_queue(&operation->kernel->turns, &plugin->turn, call,
                                                &operation->turn_wait, operation_on_turn);
    char text[256];
    int size;

    if (status == KERNEL_OK) {
        return; /* operation_on_turn() goes on, or has already */
    }
    size = snprintf(text, sizeof(text),
                    "cannot call %s: the call that '%s' is busy with waits for this one; declare "
                    "the function KP_F_CONCURRENT if it guards its state itself",
                    operation->function->full_name, plugin->name);
    if (status == KERNEL_E_WOULD_DEADLOCK) {
        kernel__call_fail(call, KP_E_WOULD_DEADLOCK, text, (size_t)size, NULL);
    }
    kernel__call_finish(call, (int)status);
    kernel__operation_drop(operation);
}

static void operation_on_begin_quick(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, begin_task);
    kernel__call_t *call = operation->begin_call;

    operation->begin_task.run = operation_on_begin;
    if (operation->function->takes_turn) {
        if (!kernel__turn_try(&operation->function->plugin->turn, call)) {
            operation_queue_for_turn(operation);
            return;
        }
        call->has_turn = true;
    }
    operation_on_begin(task);
}

/* Hand the call to the thread that runs it; the task holds the operation. */
void kernel__operation_begin(kernel_call_t *operation, kernel__call_t *call)
{
    kernel_function_t *function = operation->function;
    kernel_status_t status = KERNEL_OK;

    kernel__operation_keep(operation);
    operation->begin_call = call;
    operation->begin_task.run = operation_on_begin;
    if (function->is_async || function->is_quick) {
        if (function->is_quick && !function->is_async) {
            operation->begin_task.run = operation_on_begin_quick;
        }
        status = kernel__loop_post(&operation->kernel->loop, &operation->begin_task);
        if (status != KERNEL_OK) {
            kernel__call_finish(call, (int)KP_E_UNAVAILABLE);
            kernel__operation_drop(operation);
        }
    } else if (!function->takes_turn) {
        operation_to_pool(operation);
    } else if (kernel__turn_try(&function->plugin->turn, call)) {
        call->has_turn = true;
        operation_to_pool(operation);
    } else {
        operation_queue_for_turn(operation);
    }
}

void kernel__operation_attach(kernel_call_t *operation, kernel__call_t *call)
{
    kernel__filter_chain_t *chain =
        atomic_load_explicit(&operation->kernel->filters.chain, memory_order_acquire);

    kernel__call_keep(call);
    (void)pthread_mutex_lock(&operation->lock);
    operation->call = call;
    (void)pthread_mutex_unlock(&operation->lock);
    kernel__call_set_operation(call, operation);
    if (chain != NULL) {
        kernel__filter_begin(&operation->filter, chain, operation->function, call,
                             (call->pub.flags & KP_CALL_FROM_MODEL) != 0);
    }
}

void kernel__operation_open(kernel_call_t *operation)
{
    const kernel__call_t *parent = operation->call->parent;
    kernel_status_t stopped;
    int of_parent = KP_OK;

    if (parent != NULL) { /* cancelled before this child could be told */
        of_parent = atomic_load_explicit(&parent->cancelled, memory_order_acquire);
    }
    (void)pthread_mutex_lock(&operation->lock);
    operation->is_ready = true;
    stopped = operation->stopped != KERNEL_OK ? operation->stopped : (kernel_status_t)of_parent;
    (void)pthread_mutex_unlock(&operation->lock);
    kernel__cancel_link(operation->cancel, operation);
    if (stopped != KERNEL_OK) {
        kernel__operation_cancel(operation, stopped);
    }
}

/* ---- starting ---- */

static void operation_start_prepared(kernel_call_t *operation, kernel__call_t *call)
{
    kernel_result_t *answer;

    kernel__operation_attach(operation, call);
    answer = operation->filter.chain != NULL ? kernel__filter_before(&operation->filter) : NULL;
    if (answer != NULL) {
        (void)operation_settle(operation, NULL, answer); /* nobody else may, yet */
        kernel__call_abort(call);
        operation_go_on(operation);
        return;
    }
    kernel__operation_open(operation);
    kernel__operation_arm(operation);
    kernel__operation_begin(operation, call);
}

kernel_status_t kernel__operation_start(const kernel__request_t *request, kernel_invoke_cb cb,
                                        void *data, kernel_call_t **operation_out)
{
    kernel_t *kernel;
    kernel_call_t *operation;
    kernel_result_t *failure = NULL;
    kernel__call_t *call;
    kernel_status_t status;

    if (request->function == NULL) {
        return KERNEL_E_NOT_FOUND;
    }
    kernel = request->function->plugin->kernel;
    status = kernel__check_open(kernel, NULL);
    if (status == KERNEL_OK) {
        status = kernel__loop_start(&kernel->loop, NULL);
    }
    if (status != KERNEL_OK) {
        return status;
    }
    operation = kernel__operation_new(request, KERNEL__OPERATION_STARTED);
    if (operation == NULL) {
        return KERNEL_E_NO_MEMORY;
    }
    kernel__operation_keep(operation); /* it may be over before this function is */
    operation->cb = cb;
    operation->data = data;
    if (request->parent != NULL) {
        kernel_function_t *by =
            atomic_load_explicit(&request->parent->function, memory_order_relaxed);

        if (kernel__instance_enter_owner(by->plugin) != KERNEL_OK) {
            kernel__operation_drop(operation);
            kernel__operation_drop(operation);
            return KERNEL_E_UNAVAILABLE;
        }
        operation->user = by->plugin;
    }
    (void)atomic_fetch_add_explicit(&kernel->unreported, 1, memory_order_seq_cst);
    kernel__delivery_expect(kernel, operation->delivery);
    if (operation_out != NULL) {
        kernel__operation_keep(operation);
        *operation_out = operation;
    }
    call = kernel__request_prepare(request, operation, &failure);
    if (call != NULL) {
        operation_start_prepared(operation, call);
    } else if (operation_settle(operation, NULL, failure)) {
        operation_finalise(operation);
    }
    kernel__operation_drop(operation);
    return KERNEL_OK;
}

/* ---- delivering ---- */

static void operation_deliver(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, deliver_task);
    kernel_t *kernel = operation->kernel;
    kernel_delivery_t delivery = operation->delivery;
    bool is_report = false;

    (void)pthread_mutex_lock(&operation->lock);
    operation->is_scheduled = false;
    if (!operation->is_delivering) {
        operation->is_delivering = true;
        kernel__operation_hand_out(operation);
        operation->is_delivering = false;
        is_report = operation->is_final && !operation->is_reported;
        operation->is_reported = operation->is_reported || is_report;
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (is_report) {
        operation->cb(operation->outcome, operation->data);
        kernel__operation_detach(operation);
        kernel__operation_drop(operation); /* what kernel__operation_start() made */
    }
    kernel__operation_drop(operation);
    if (is_report) {
        kernel__delivery_done(kernel, delivery);
        kernel__report_end(kernel);
    }
}

/* ---- the deadline, noticed by the loop thread ---- */

static void operation_on_deadline(void *data)
{
    kernel_call_t *operation = data;

    operation->timer = NULL;
    kernel__operation_cancel(operation, KERNEL_E_TIMEOUT);
    kernel__operation_drop(operation);
}

static void operation_on_arm(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, arm_task);
    bool is_settled;

    (void)pthread_mutex_lock(&operation->lock);
    is_settled = operation->is_settled;
    (void)pthread_mutex_unlock(&operation->lock);
    if (!is_settled) {
        operation->timer = kernel__timer_start(&operation->kernel->loop,
                                               kernel__clock_ms_until(operation->deadline),
                                               operation_on_deadline, operation);
        if (operation->timer == NULL) {
            kernel__operation_cancel(operation, KERNEL_E_NO_MEMORY);
        }
    }
    if (operation->timer == NULL) {
        kernel__operation_drop(operation);
    }
}

static void operation_on_disarm(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, disarm_task);

    if (operation->timer != NULL) {
        kernel__timer_stop(operation->timer);
        operation->timer = NULL;
        kernel__operation_drop(operation);
    }
    kernel__operation_drop(operation);
}

void kernel__operation_arm(kernel_call_t *operation)
{
    bool is_due;

    if (operation->deadline == 0 || operation->kind == KERNEL__OPERATION_WAITING) {
        return;
    }
    (void)pthread_mutex_lock(&operation->lock);
    is_due = !operation->is_armed && !operation->is_settled;
    operation->is_armed = operation->is_armed || is_due;
    (void)pthread_mutex_unlock(&operation->lock);
    if (is_due) {
        kernel__operation_keep(operation);
        operation->arm_task.run = operation_on_arm;
        if (kernel__loop_post(&operation->kernel->loop, &operation->arm_task) != KERNEL_OK) {
            kernel__operation_drop(operation);
        }
    }
}

void kernel__operation_disarm(kernel_call_t *operation)
{
    bool is_due;

    (void)pthread_mutex_lock(&operation->lock);
    is_due = operation->is_armed;
    operation->is_armed = false;
    (void)pthread_mutex_unlock(&operation->lock);
    if (is_due) {
        kernel__operation_keep(operation);
        operation->disarm_task.run = operation_on_disarm;
        if (kernel__loop_post(&operation->kernel->loop, &operation->disarm_task) != KERNEL_OK) {
            kernel__operation_drop(operation);
        }
    }
}
