/*
 * operation.c - one invocation as the host sees it.
 *
 *     operation_prepare      enter the instance, bind the arguments
 *     operation_begin        hand the call to the thread that runs it
 *     operation_run          that thread runs the function
 *     kernel__operation_answered  it has answered ...
 *     kernel__operation_cancel    ... or is given up: whichever is first
 *     operation_settle       decides the outcome
 *     operation_on_settled   filters see it (a started call: on the loop thread)
 *     operation_deliver      chunks, then the outcome, reach the host
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

static void operation_begin(kernel_call_t *operation);
static void operation_on_begin(kernel__task_t *task);
static void operation_on_settled(kernel__task_t *task);
static void operation_deliver(kernel__task_t *task);

/* ---- making and freeing ---- */

void kernel__operation_keep(kernel_call_t *operation)
{
    (void)atomic_fetch_add_explicit(&operation->refs, 1, memory_order_relaxed);
}

/* Let go of all that belongs to the kernel, which may be gone when the host lets go of its handle. */
static void operation_detach(kernel_call_t *operation)
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
    kernel__filter_end(&operation->filter);
    if (operation->user != NULL) {
        kernel__instance_leave(operation->user);
        operation->user = NULL;
    }
}

static void operation_free(kernel_call_t *operation)
{
    if (operation->cancel != NULL) {
        kernel__cancel_unlink(operation->cancel, operation);
        kernel_cancel_free(operation->cancel);
    }
    while (operation->chunks != NULL) {
        kernel__chunk_t *chunk = operation->chunks;

        operation->chunks = chunk->next;
        sk_free(chunk);
    }
    operation_detach(operation);
    kernel_result_free(operation->outcome);
    kernel_args_free(operation->context);
    (void)pthread_cond_destroy(&operation->changed);
    (void)pthread_mutex_destroy(&operation->lock);
    sk_free(operation);
}

void kernel__operation_drop(kernel_call_t *operation)
{
    if (atomic_fetch_sub_explicit(&operation->refs, 1, memory_order_acq_rel) == 1) {
        operation_free(operation);
    }
}

static kernel_call_t *operation_new(const kernel__request_t *request,
                                    kernel__operation_kind_t kind)
{
    const kernel_invoke_options_t *options = &request->options;
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
    operation->kind = kind;
    operation->thread = pthread_self();
    operation->timeout_ms = options->timeout_ms;
    operation->deadline = kernel__clock_deadline(options->timeout_ms);
    if (request->parent != NULL) {
        operation->deadline =
            kernel__clock_earlier(operation->deadline, request->parent->deadline);
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

/* ---- binding ---- */

static kernel_status_t operation_bind(const kernel__request_t *request, kernel__call_t *call,
                                      bool copy, kernel_error_t *error)
{
    const kernel_function_t *function = request->function;
    size_t count = function->signature.count;
    kernel__binding_t binding = {.signature = &function->signature,
                                 .subject = function->full_name,
                                 .limits = &call->kernel->limits,
                                 .context = call->context,
                                 .arena = &call->arena,
                                 .copy = copy,
                                 .error = error};

    if (count > 0) {
        binding.argv = kernel__arena_alloc(&call->arena, count * sizeof(kp_value));
        if (binding.argv == NULL) {
            return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for the arguments of %s",
                                     function->full_name);
        }
    }
    call->pub.argv = binding.argv;
    if (request->is_json) {
        return kernel__bind_json(&binding, request->json, request->json_size);
    }
    if (request->named != NULL) {
        return kernel__bind_named(&binding, request->named, request->named_count);
    }
    return kernel__bind_args(&binding, request->args);
}

static void error_clear(kernel_error_t *error)
{
    error->size = sizeof(*error); /* the initialiser would clear 512 bytes */
    error->status = KERNEL_OK;
    error->text[0] = '\0';
}

/* Enter the instance and take a record with bound arguments. NULL: *result_out says why not. */
static kernel__call_t *operation_prepare(const kernel__request_t *request, bool is_here,
                                         kernel_call_t *operation, kernel_result_t **result_out)
{
    kernel_function_t *function = kernel__function_writable(request->function);
    kernel_error_t error;
    kernel__call_t *call;
    kernel_status_t status = kernel__instance_enter(function->plugin);

    if (status != KERNEL_OK) {
        *result_out = kernel__result_error(
            status, "cannot call %s: %s", function->full_name,
            status == KERNEL_E_CLOSED ? "the kernel is being closed" : "its plugin was removed");
        return NULL;
    }
    call = is_here ? kernel__call_new_here(function) : kernel__call_new(function);
    if (call == NULL) {
        kernel__instance_leave(function->plugin);
        *result_out = kernel__result_error(KERNEL_E_NO_MEMORY, "no memory to call %s",
                                           function->full_name);
        return NULL;
    }
    if (request->parent != NULL) {
        kernel__call_attach(call, request->parent);
    }
    if (operation != NULL) {
        call->deadline = operation->deadline;
        call->context = operation->context != NULL ? operation->context : call->context;
        call->pub.flags = (operation->on_chunk != NULL ? KP_CALL_STREAM : 0u) |
                          (request->options.from_model != 0 ? KP_CALL_FROM_MODEL : 0u);
    }
    error_clear(&error);
    if (call->depth > KERNEL__CALL_DEPTH_MAX) {
        status = kernel__error_set(&error, KERNEL_E_DEPTH,
                                   "cannot call %s: calls are nested deeper than %d",
                                   function->full_name, KERNEL__CALL_DEPTH_MAX);
    } else {
        status = operation_bind(request, call, !is_here, &error);
    }
    if (status != KERNEL_OK) {
        *result_out = kernel__result_from_error(&error);
        kernel__call_abort(call);
        return NULL;
    }
    return call;
}

/* A second record for a retry, with the arguments of the first, which stays held. NULL: no memory. */
static kernel__call_t *operation_again(kernel__call_t *first)
{
    kernel_function_t *function = atomic_load_explicit(&first->function, memory_order_relaxed);
    kernel__call_t *call;

    if (kernel__instance_enter(function->plugin) != KERNEL_OK) {
        return NULL;
    }
    call = kernel__call_new(function);
    if (call == NULL) {
        kernel__instance_leave(function->plugin);
        return NULL;
    }
    if (first->parent != NULL) {
        kernel__call_attach(call, first->parent);
    }
    call->pub.argv = first->pub.argv;
    call->pub.flags = first->pub.flags;
    call->deadline = first->deadline;
    call->context = first->context;
    return call;
}

/* ---- a plain function on the caller's own thread ---- */

static int operation_take_turn(kernel__call_t *call, kernel_function_t *function)
{
    kernel_t *kernel = call->kernel;
    kernel_status_t status;
    char text[256];

    if (!function->takes_turn || kernel__turn_try(&function->plugin->turn, call)) {
        call->has_turn = function->takes_turn;
        return KP_OK;
    }
    kernel__pool_block_enter(&kernel->pool);
    status =
        kernel__turn_wait(&kernel->turns, &function->plugin->turn, call, call->deadline);
    kernel__pool_block_leave(&kernel->pool);
    call->has_turn = status == KERNEL_OK;
    if (status == KERNEL_E_WOULD_DEADLOCK) {
        int size = snprintf(text, sizeof(text),
                            "cannot call %s: the call that '%s' is busy with waits for this one; "
                            "declare the function KP_F_CONCURRENT if it guards its state itself",
                            function->full_name, function->plugin->name);

        kernel__host.fail(&call->pub, KP_E_WOULD_DEADLOCK, text, (size_t)size, NULL);
    } else if (status == KERNEL_E_CANCELLED) {
        return atomic_load_explicit(&call->cancelled, memory_order_acquire);
    }
    return (int)status;
}

/* Run it and make the result; the execution is over then, the record still held. */
static kernel_result_t *operation_run_here(kernel__call_t *call)
{
    kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    int status = operation_take_turn(call, function);
    kernel_result_t *result;

    if (status == KP_OK) {
        (void)kernel__call_run(call, &status);
        if (status != KP_OK && kernel__call_stop_status(call) == KP_E_TIMEOUT) {
            status = KP_E_TIMEOUT;
            call->pub.status = KP_E_TIMEOUT;
        }
    }
    result = kernel__call_result(call, status);
    kernel__call_end(call);
    return result;
}

/* With filters around it: `before` may answer, `after` may want a second attempt. */
static kernel_result_t *operation_filter_here(kernel__call_t *call, kernel_call_t *operation,
                                              kernel__filter_chain_t *chain, bool from_model)
{
    kernel_filter_context_t context;
    kernel__call_t *second = NULL;
    kernel_result_t *result = NULL;

    kernel__filter_begin(&context, chain,
                         atomic_load_explicit(&call->function, memory_order_relaxed), call,
                         from_model);
    while (result == NULL) {
        kernel__call_t *now = second != NULL ? second : call;

        result = kernel__filter_before(&context);
        if (result == NULL) {
            result = operation_run_here(now);
        } else {
            kernel__call_end(now);
        }
        result = kernel__filter_after(&context, result);
        if (result == NULL) {
            second = operation_again(call);
            if (second == NULL) {
                result = kernel__result_error(KERNEL_E_UNAVAILABLE, "cannot call %s once more",
                                              context.function->full_name);
                break;
            }
            if (operation != NULL) {
                (void)pthread_mutex_lock(&operation->lock);
                kernel__call_drop(operation->call);
                operation->call = second;
                kernel__call_keep(second);
                (void)pthread_mutex_unlock(&operation->lock);
                kernel__call_set_operation(second, operation);
            }
            kernel__filter_retry(&context, second);
        }
    }
    kernel__filter_end(&context);
    if (second != NULL) {
        kernel__call_drop(second);
        kernel__instance_leave(context.function->plugin);
    }
    return result;
}

static kernel_result_t *operation_call_here(const kernel__request_t *request)
{
    kernel_t *kernel = request->function->plugin->kernel;
    kernel__filter_chain_t *chain =
        atomic_load_explicit(&kernel->filters.chain, memory_order_acquire);
    kernel_result_t *result = NULL;
    kernel__call_t *call = operation_prepare(request, true, NULL, &result);

    if (call == NULL) {
        return result;
    }
    result = chain == NULL ? operation_run_here(call)
                           : operation_filter_here(call, NULL, chain, false);
    kernel__call_drop_here(call);
    kernel__instance_leave(request->function->plugin);
    return result;
}

static void operation_take_chunks(kernel_call_t *operation);
static void operation_disarm(kernel_call_t *operation);

static kernel_result_t *operation_call_inline(const kernel__request_t *request)
{
    kernel_call_t *operation = operation_new(request, KERNEL__OPERATION_INLINE);
    kernel__filter_chain_t *chain;
    kernel_result_t *result = NULL;
    kernel__call_t *call;

    if (operation == NULL) {
        return kernel__result_error(KERNEL_E_NO_MEMORY, "no memory to call %s",
                                    request->function->full_name);
    }
    call = operation_prepare(request, true, operation, &result);
    if (call != NULL) {
        kernel__call_keep(call);
        operation->call = call;
        kernel__call_set_operation(call, operation);
        kernel__cancel_link(operation->cancel, operation);
        chain = atomic_load_explicit(&operation->kernel->filters.chain, memory_order_acquire);
        result = chain == NULL ? operation_run_here(call)
                               : operation_filter_here(call, operation, chain,
                                                       request->options.from_model != 0);
        operation_take_chunks(operation);
        (void)pthread_mutex_lock(&operation->lock);
        operation->is_settled = true;
        (void)pthread_mutex_unlock(&operation->lock);
        operation_disarm(operation);
        operation_detach(operation);
        kernel__call_drop(call);
    }
    kernel__operation_drop(operation);
    if (call != NULL) {
        kernel__instance_leave(request->function->plugin);
    }
    return result;
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

static void operation_schedule(kernel_call_t *operation)
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

static void operation_finalise(kernel_call_t *operation)
{
    (void)pthread_mutex_lock(&operation->lock);
    operation->is_final = true;
    (void)pthread_mutex_unlock(&operation->lock);
    operation_schedule(operation);
}

/* A started operation has its outcome: filters first, on the loop thread, then the host. */
static void operation_go_on(kernel_call_t *operation)
{
    operation_disarm(operation);
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

static void operation_on_settled(kernel__task_t *task)
{
    kernel_call_t *operation = OPERATION_OF(task, settle_task);
    kernel_result_t *outcome;
    kernel__call_t *first;
    kernel__call_t *second;

    (void)pthread_mutex_lock(&operation->lock);
    outcome = operation->outcome;
    operation->outcome = NULL;
    (void)pthread_mutex_unlock(&operation->lock);

    outcome = kernel__filter_after(&operation->filter, outcome);
    if (outcome == NULL) {
        first = operation->filter.call;
        second = operation_again(first);
        if (second == NULL) {
            outcome = kernel__result_error(KERNEL_E_UNAVAILABLE, "cannot call %s once more",
                                           operation->function->full_name);
        } else {
            kernel__filter_retry(&operation->filter, second);
            outcome = kernel__filter_before(&operation->filter);
            if (outcome != NULL) {
                kernel__call_keep(second);
                kernel__call_abort(second);
                outcome = kernel__filter_after(&operation->filter, outcome);
                kernel__call_drop(second);
            } else {
                kernel__call_set_operation(second, operation);
                (void)pthread_mutex_lock(&operation->lock);
                kernel__call_keep(second);
                operation->retried = operation->call;
                operation->call = second;
                operation->is_settled = false;
                (void)pthread_mutex_unlock(&operation->lock);
                kernel__operation_arm(operation);
                operation_begin(operation);
                kernel__operation_drop(operation);
                return;
            }
        }
    }
    (void)pthread_mutex_lock(&operation->lock);
    operation->outcome = outcome;
    (void)pthread_mutex_unlock(&operation->lock);
    operation_finalise(operation);
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
    case KERNEL_E_CLOSED:
        return kernel__result_error(status, "the call of %s was given up: the kernel is being closed",
                                    name);
    case KERNEL_E_UNAVAILABLE:
        return kernel__result_error(status,
                                    "the call of %s was given up: its plugin is being removed",
                                    name);
    default:
        return kernel__result_error(status, "the call of %s was cancelled", name);
    }
}

void kernel__operation_cancel(kernel_call_t *operation, kernel_status_t status)
{
    kernel__call_t *call = NULL;
    bool is_first = false;

    if (operation->kind != KERNEL__OPERATION_INLINE) {
        kernel_result_t *result = operation_cancel_result(operation, status);

        is_first = operation_settle(operation, NULL, result);
        if (!is_first) {
            kernel_result_free(result);
        }
    }
    (void)pthread_mutex_lock(&operation->lock);
    call = operation->call;
    if (call != NULL) {
        kernel__call_keep(call);
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (call != NULL) {
        kernel__call_cancel(call, status == KERNEL_E_TIMEOUT ? KP_E_TIMEOUT : KP_E_CANCELLED);
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
        static const char text[] = "no thread is free for this call: too many calls wait for others";

        kernel__host.fail(&call->pub, (int)operation->begin_status, text, sizeof(text) - 1, NULL);
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
        kernel__host.fail(&call->pub, KP_E_WOULD_DEADLOCK, text, (size_t)size, NULL);
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
static void operation_begin(kernel_call_t *operation)
{
    kernel_function_t *function = operation->function;
    kernel__call_t *call = operation->call;
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

/* ---- a caller that sleeps ---- */

static kernel__chunk_t *operation_pop_chunk(kernel_call_t *operation)
{
    kernel__chunk_t *chunk = operation->chunks;

    if (chunk != NULL) {
        operation->chunks = chunk->next;
        if (operation->chunks == NULL) {
            operation->last_chunk = &operation->chunks;
        }
        operation->chunk_count--;
    }
    return chunk;
}

static void operation_hand_out(kernel_call_t *operation, const kernel__chunk_t *chunk)
{
    if (chunk->kind == KP_EMIT_PROGRESS) {
        if (operation->on_progress != NULL) {
            operation->on_progress(chunk->fraction, operation->stream_data);
        }
    } else if (operation->on_chunk != NULL) {
        operation->on_chunk((kernel_chunk_kind_t)chunk->kind, chunk->data, chunk->size,
                            operation->stream_data);
    }
}

/* With the lock held, which is let go of meanwhile: hand out what waits. */
static void operation_hand_out_all(kernel_call_t *operation)
{
    kernel__chunk_t *chunk;

    while ((chunk = operation_pop_chunk(operation)) != NULL) {
        kernel__call_t *drained = NULL;

        if (operation->is_starved && operation->chunk_count <= KERNEL__CHUNKS_MAX / 2) {
            operation->is_starved = false;
            drained = operation->call;
            if (drained != NULL) {
                kernel__call_keep(drained);
            }
        }
        (void)pthread_mutex_unlock(&operation->lock);
        if (drained != NULL) {
            kernel__call_drain(drained);
            kernel__call_drop(drained);
        }
        operation_hand_out(operation, chunk);
        sk_free(chunk);
        (void)pthread_mutex_lock(&operation->lock);
    }
}

static void operation_take_chunks(kernel_call_t *operation)
{
    (void)pthread_mutex_lock(&operation->lock);
    operation_hand_out_all(operation);
    (void)pthread_mutex_unlock(&operation->lock);
}

/* Sleep until it is settled; the outcome is the caller's. */
static kernel_result_t *operation_wait(kernel_call_t *operation)
{
    kernel_result_t *outcome;
    bool in_time = true;

    kernel__pool_block_enter(&operation->kernel->pool);
    (void)pthread_mutex_lock(&operation->lock);
    for (;;) {
        operation_hand_out_all(operation);
        if (operation->is_settled) {
            break;
        }
        if (!in_time) {
            (void)pthread_mutex_unlock(&operation->lock);
            kernel__operation_cancel(operation, KERNEL_E_TIMEOUT);
            (void)pthread_mutex_lock(&operation->lock);
            continue;
        }
        in_time = kernel__condition_wait(&operation->changed, &operation->lock,
                                         operation->deadline);
    }
    outcome = operation->outcome;
    operation->outcome = NULL;
    (void)pthread_mutex_unlock(&operation->lock);
    kernel__pool_block_leave(&operation->kernel->pool);
    return outcome;
}

static kernel_result_t *operation_filter_waiting(kernel_call_t *operation)
{
    kernel_filter_context_t *filter = &operation->filter;
    kernel_result_t *result = NULL;
    kernel__call_t *second;

    while (result == NULL) {
        result = filter->chain != NULL ? kernel__filter_before(filter) : NULL;
        if (result == NULL) {
            operation_begin(operation);
            result = operation_wait(operation);
        } else {
            kernel__call_abort(operation->call);
        }
        if (filter->chain == NULL) {
            return result;
        }
        result = kernel__filter_after(filter, result);
        if (result != NULL) {
            return result;
        }
        second = operation_again(filter->call);
        if (second == NULL) {
            return kernel__result_error(KERNEL_E_UNAVAILABLE, "cannot call %s once more",
                                        operation->function->full_name);
        }
        kernel__filter_retry(filter, second);
        kernel__call_set_operation(second, operation);
        (void)pthread_mutex_lock(&operation->lock);
        kernel__call_keep(second);
        operation->retried = operation->call;
        operation->call = second;
        operation->is_settled = false;
        (void)pthread_mutex_unlock(&operation->lock);
    }
    return result;
}

/* The operation's own reference of the first record, of a retry's, and what the filters hold. */
static void operation_attach(kernel_call_t *operation, kernel__call_t *call, bool from_model)
{
    kernel__filter_chain_t *chain =
        atomic_load_explicit(&operation->kernel->filters.chain, memory_order_acquire);

    kernel__call_keep(call);
    operation->call = call;
    kernel__call_set_operation(call, operation);
    if (chain != NULL) {
        kernel__filter_begin(&operation->filter, chain, operation->function, call, from_model);
    }
}

static kernel_result_t *operation_call_waiting(const kernel__request_t *request)
{
    kernel_call_t *operation = operation_new(request, KERNEL__OPERATION_WAITING);
    kernel_result_t *result = NULL;
    kernel_plugin_t *plugin = request->function->plugin;
    bool is_inside;
    kernel__call_t *call;

    if (operation == NULL) {
        return kernel__result_error(KERNEL_E_NO_MEMORY, "no memory to call %s",
                                    request->function->full_name);
    }
    /* Its own stay in the instance: the execution may end before this thread wakes. */
    is_inside = kernel__instance_enter(plugin) == KERNEL_OK;
    call = operation_prepare(request, false, operation, &result);
    if (call != NULL) {
        operation_attach(operation, call, request->options.from_model != 0);
        kernel__cancel_link(operation->cancel, operation);
        result = operation_filter_waiting(operation);
    }
    operation_detach(operation);
    kernel__operation_drop(operation);
    if (is_inside) {
        kernel__instance_leave(plugin);
    }
    return result;
}

/* ---- entry points ---- */

static bool request_is_bare(const kernel__request_t *request)
{
    const kernel_invoke_options_t *options = &request->options;

    return request->parent == NULL && options->timeout_ms == 0 && options->cancel == NULL &&
           options->on_chunk == NULL && options->on_progress == NULL && options->context == NULL &&
           options->from_model == 0;
}

kernel_result_t *kernel__operation_call(const kernel__request_t *given)
{
    const kernel_function_t *function = given->function;
    kernel__request_t request;
    kernel_t *kernel;
    kernel__call_t *outer;

    if (function == NULL) {
        return kernel__result_error(KERNEL_E_NOT_FOUND,
                                    "cannot call a function that was not found");
    }
    kernel = function->plugin->kernel;
    if (kernel__is_forked(kernel)) {
        return kernel__result_error(KERNEL_E_FORKED,
                                    "cannot call %s: the kernel was made before fork(); make one "
                                    "in the child",
                                    function->full_name);
    }
    if (kernel__loop_is_current(&kernel->loop)) {
        return kernel__result_error(KERNEL_E_WOULD_DEADLOCK,
                                    "cannot call %s and wait on the kernel's loop thread: use "
                                    "kernel_invoke_async()",
                                    function->full_name);
    }
    outer = kernel__call_current();
    if (given->parent == NULL && outer == NULL && !function->is_async && request_is_bare(given)) {
        return operation_call_here(given);
    }
    request = *given;
    if (request.parent == NULL && outer != NULL && outer->kernel == kernel) {
        request.parent = outer;
    }
    return function->is_async ? operation_call_waiting(&request)
                              : operation_call_inline(&request);
}

static void operation_start_prepared(const kernel__request_t *request, kernel_call_t *operation,
                                     kernel__call_t *call)
{
    kernel_result_t *answer;

    operation_attach(operation, call, request->options.from_model != 0);
    answer = operation->filter.chain != NULL ? kernel__filter_before(&operation->filter) : NULL;
    if (operation->deadline != 0) {
        kernel__operation_arm(operation);
    }
    if (answer != NULL) {
        bool is_first = operation_settle(operation, NULL, answer);

        kernel__call_abort(call);
        if (is_first) {
            operation_go_on(operation);
        } else {
            kernel_result_free(answer);
        }
        return;
    }
    operation_begin(operation);
    kernel__cancel_link(operation->cancel, operation);
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
    operation = operation_new(request, KERNEL__OPERATION_STARTED);
    if (operation == NULL) {
        return KERNEL_E_NO_MEMORY;
    }
    kernel__operation_keep(operation); /* it may be over before this function is */
    operation->cb = cb;
    operation->data = data;
    if (request->parent != NULL) {
        kernel_function_t *by =
            atomic_load_explicit(&request->parent->function, memory_order_relaxed);

        (void)kernel__instance_enter_owner(by->plugin);
        operation->user = by->plugin;
    }
    (void)atomic_fetch_add_explicit(&kernel->unreported, 1, memory_order_seq_cst);
    if (operation_out != NULL) {
        kernel__operation_keep(operation);
        *operation_out = operation;
    }
    call = operation_prepare(request, false, operation, &failure);
    if (call != NULL) {
        operation_start_prepared(request, operation, call);
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
    bool is_report = false;

    (void)pthread_mutex_lock(&operation->lock);
    operation->is_scheduled = false;
    if (!operation->is_delivering) {
        operation->is_delivering = true;
        operation_hand_out_all(operation);
        operation->is_delivering = false;
        is_report = operation->is_final && !operation->is_reported;
        operation->is_reported = operation->is_reported || is_report;
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (is_report) {
        operation->cb(operation->outcome, operation->data);
        operation_detach(operation);
        kernel__operation_drop(operation); /* what kernel__operation_start() made */
    }
    kernel__operation_drop(operation);
    if (is_report) {
        (void)atomic_fetch_sub_explicit(&kernel->unreported, 1, memory_order_seq_cst);
        kernel__idle_notify(kernel);
    }
}

static kernel__chunk_t *chunk_new(uint32_t kind, const kp_value *value, double fraction)
{
    size_t size = value != NULL ? value->as.text.len : 0;
    kernel__chunk_t *chunk = sk_malloc(sizeof(*chunk) + size + 1);

    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->kind = kind;
        chunk->fraction = fraction;
        chunk->size = size;
        if (size > 0) {
            memcpy(chunk->data, value->as.text.ptr, size);
        }
        chunk->data[size] = '\0';
    }
    return chunk;
}

int kernel__operation_emit(kernel_call_t *operation, uint32_t kind, const kp_value *value,
                           double fraction)
{
    kernel__chunk_t *chunk;
    int status = KP_OK;

    if (kind == KP_EMIT_PROGRESS ? operation->on_progress == NULL : operation->on_chunk == NULL) {
        return KP_OK;
    }
    chunk = chunk_new(kind, kind != KP_EMIT_PROGRESS ? value : NULL, fraction);
    if (chunk == NULL) {
        return KP_E_NO_MEMORY;
    }
    if (operation->kind == KERNEL__OPERATION_INLINE &&
        pthread_equal(operation->thread, pthread_self())) {
        operation_take_chunks(operation);
        operation_hand_out(operation, chunk);
        sk_free(chunk);
        return KP_OK;
    }
    (void)pthread_mutex_lock(&operation->lock);
    if (operation->is_settled) {
        status = KP_E_CANCELLED;
    } else if (operation->chunk_count >= KERNEL__CHUNKS_MAX) {
        operation->is_starved = true;
        status = KP_E_BUSY;
    } else {
        *operation->last_chunk = chunk;
        operation->last_chunk = &chunk->next;
        operation->chunk_count++;
        (void)pthread_cond_broadcast(&operation->changed);
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (status != KP_OK) {
        sk_free(chunk);
    } else if (operation->kind == KERNEL__OPERATION_STARTED) {
        operation_schedule(operation);
    }
    return status;
}

bool kernel__operation_has_room(kernel_call_t *operation)
{
    bool has_room;

    (void)pthread_mutex_lock(&operation->lock);
    has_room = operation->chunk_count <= KERNEL__CHUNKS_MAX / 2;
    operation->is_starved = !has_room;
    (void)pthread_mutex_unlock(&operation->lock);
    return has_room;
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

static void operation_disarm(kernel_call_t *operation)
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
