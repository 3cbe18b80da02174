/*
 * caller.c - callers that wait: here, where a plain function runs on their own
 * thread, or asleep until an async one has answered.
 *
 *     kernel__operation_call  decides between
 *         call_here           a plain function without options: no operation
 *         call_inline         a plain function with options, or inside another call
 *         call_waiting        an async function
 */
#include <stddef.h>

#include "cancel.h"
#include "clock.h"
#include "kernel_state.h"
#include "operation.h"
#include "result.h"

/* ---- a plain function on the caller's own thread ---- */

static int here_take_turn(kernel__call_t *call, kernel_function_t *function)
{
    kernel_t *kernel = call->kernel;
    kernel_status_t status;
    char text[256];

    if (kernel__turn_try(&function->plugin->turn, call)) {
        call->has_turn = true;
        return KP_OK;
    }
    kernel__pool_block_enter(&kernel->pool);
    status = kernel__turn_wait(&kernel->turns, &function->plugin->turn, call, call->deadline);
    kernel__pool_block_leave(&kernel->pool);
    call->has_turn = status == KERNEL_OK;
    if (status == KERNEL_E_WOULD_DEADLOCK) {
        int size = snprintf(text, sizeof(text),
                            "cannot call %s: the call that '%s' is busy with waits for this one; "
                            "declare the function KP_F_CONCURRENT if it guards its state itself",
                            function->full_name, function->plugin->name);

        kernel__call_fail(call, KP_E_WOULD_DEADLOCK, text, (size_t)size, NULL);
    } else if (status == KERNEL_E_CANCELLED) {
        return atomic_load_explicit(&call->cancelled, memory_order_acquire);
    }
    return (int)status;
}

/* Has it answered with a bare value of the declared type, and left nothing behind to end? */
static bool here_is_simple(const kernel__call_t *call, const kernel_function_t *function)
{
    return call->pub.result.type <= KP_NUMBER && call->pub.status == KP_OK &&
           call->pub.result_free == NULL && call->pub.result.type == function->descriptor.returns &&
           call->text == NULL && call->attachments == NULL && !call->has_turn &&
           call->parent == NULL && !atomic_load_explicit(&call->is_touched, memory_order_acquire);
}

/* Run it and make the result; the execution is over then, the record still held. */
static kernel_result_t *here_run(kernel__call_t *call)
{
    kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    int status = kernel__call_stop_status(call);
    kernel_result_t *result;

    if (status == KP_OK && function->takes_turn) {
        status = here_take_turn(call, function);
    }
    if (status == KP_OK) {
        (void)kernel__call_run(call, &status);
        if (status == KP_OK && here_is_simple(call, function)) {
            return kernel__result_value(&call->pub.result);
        }
        status = kernel__call_status(call, status);
    }
    result = kernel__call_result(call, status);
    kernel__call_end(call);
    return result;
}

/* With filters around it: `before` may answer, `after` may want a second attempt. */
static kernel_result_t *here_filter(kernel__call_t *call, kernel_call_t *operation,
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
            result = here_run(now);
        } else {
            kernel__call_end(now);
        }
        result = kernel__filter_after(&context, result);
        if (result == NULL) {
            second = kernel__request_again(call);
            if (second == NULL) {
                result = kernel__result_error(KERNEL_E_UNAVAILABLE, "cannot call %s once more",
                                              context.function->full_name);
                result = kernel__filter_after(&context, result);
                break;
            }
            if (operation != NULL) {
                int stopped = kernel__operation_again(operation, second);

                if (stopped != KP_OK) {
                    kernel__call_cancel(second, stopped); /* here_run() will not run it */
                }
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

static kernel_result_t *call_here(const kernel__request_t *request)
{
    kernel_t *kernel = request->function->plugin->kernel;
    kernel__filter_chain_t *chain =
        atomic_load_explicit(&kernel->filters.chain, memory_order_acquire);
    kernel_result_t *result = NULL;
    kernel__call_t *call = kernel__request_prepare_here(request, &result);

    if (call == NULL) {
        return result;
    }
    result = chain == NULL ? here_run(call) : here_filter(call, NULL, chain, false);
    kernel__call_drop_here(call);
    return result;
}

static kernel_result_t *call_inline(const kernel__request_t *request)
{
    kernel_call_t *operation = kernel__operation_new(request, KERNEL__OPERATION_INLINE);
    kernel__filter_chain_t *chain;
    kernel_result_t *result = NULL;
    kernel__call_t *call;

    if (operation == NULL) {
        return kernel__result_error(KERNEL_E_NO_MEMORY, "no memory to call %s",
                                    request->function->full_name);
    }
    call = kernel__request_prepare(request, operation, &result);
    if (call != NULL) {
        kernel__call_keep(call);
        (void)pthread_mutex_lock(&operation->lock);
        operation->call = call;
        (void)pthread_mutex_unlock(&operation->lock);
        kernel__call_set_operation(call, operation);
        kernel__operation_open(operation);
        chain = atomic_load_explicit(&operation->kernel->filters.chain, memory_order_acquire);
        result = chain == NULL ? here_run(call)
                               : here_filter(call, operation, chain,
                                             (call->pub.flags & KP_CALL_FROM_MODEL) != 0);
        kernel__operation_take_chunks(operation);
        (void)pthread_mutex_lock(&operation->lock);
        operation->is_settled = true;
        (void)pthread_mutex_unlock(&operation->lock);
        kernel__operation_disarm(operation);
        kernel__operation_detach(operation);
        kernel__call_drop(call);
    }
    kernel__operation_drop(operation);
    if (call != NULL) {
        kernel__instance_leave(request->function->plugin);
    }
    return result;
}

/* ---- a caller that sleeps ---- */

/* Sleep until it is settled; the outcome is the caller's. */
static kernel_result_t *waiting_sleep(kernel_call_t *operation)
{
    kernel_result_t *outcome;
    bool in_time = true;

    kernel__pool_block_enter(&operation->kernel->pool);
    (void)pthread_mutex_lock(&operation->lock);
    for (;;) {
        kernel__operation_hand_out(operation);
        if (operation->is_settled) {
            break;
        }
        if (!in_time) {
            (void)pthread_mutex_unlock(&operation->lock);
            kernel__operation_cancel(operation, KERNEL_E_TIMEOUT);
            (void)pthread_mutex_lock(&operation->lock);
            continue;
        }
        in_time =
            kernel__condition_wait(&operation->changed, &operation->lock, operation->deadline);
    }
    outcome = operation->outcome;
    operation->outcome = NULL;
    (void)pthread_mutex_unlock(&operation->lock);
    kernel__pool_block_leave(&operation->kernel->pool);
    return outcome;
}

/* A filter wants a second attempt. */
static kernel_result_t *waiting_try_again(kernel_call_t *operation)
{
    kernel_filter_context_t *filter = &operation->filter;
    kernel__call_t *second = kernel__request_again(filter->call);
    kernel_result_t *result;
    int stopped;

    if (second == NULL) {
        result = kernel__result_error(KERNEL_E_UNAVAILABLE, "cannot call %s once more",
                                      operation->function->full_name);
        return kernel__filter_after(filter, result);
    }
    kernel__filter_retry(filter, second);
    result = kernel__filter_before(filter);
    if (result != NULL) {
        result = kernel__filter_after(filter, result);
        kernel__call_abort(second);
        return result;
    }
    stopped = kernel__operation_again(operation, second);
    if (stopped != KP_OK) {
        kernel__call_finish(second, stopped);
    } else {
        kernel__operation_begin(operation, second);
    }
    return kernel__filter_after(filter, waiting_sleep(operation));
}

static kernel_result_t *waiting_filter(kernel_call_t *operation, kernel__call_t *call)
{
    kernel_filter_context_t *filter = &operation->filter;
    kernel_result_t *result = kernel__filter_before(filter);

    if (result != NULL) {
        kernel__call_abort(call);
    } else {
        kernel__operation_open(operation);
        kernel__operation_begin(operation, call);
        result = waiting_sleep(operation);
    }
    result = kernel__filter_after(filter, result);
    return result != NULL ? result : waiting_try_again(operation);
}

static kernel_result_t *call_waiting(const kernel__request_t *request)
{
    kernel_call_t *operation = kernel__operation_new(request, KERNEL__OPERATION_WAITING);
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
    call = kernel__request_prepare(request, operation, &result);
    if (call != NULL) {
        kernel__operation_attach(operation, call);
        if (operation->filter.chain != NULL) {
            result = waiting_filter(operation, call);
        } else {
            kernel__operation_open(operation);
            kernel__operation_begin(operation, call);
            result = waiting_sleep(operation);
        }
    }
    kernel__operation_detach(operation);
    kernel__operation_drop(operation);
    if (is_inside) {
        kernel__instance_leave(plugin);
    }
    return result;
}

/* ---- entry points ---- */

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
    if (outer == NULL && !function->is_async && given->parent == NULL && given->options == NULL) {
        return call_here(given);
    }
    if (kernel__call_stack_depth() >=
        KERNEL__CALL_DEPTH_MAX) { /* two kernels that call each other */
        return kernel__result_error(KERNEL_E_DEPTH,
                                    "cannot call %s: calls are nested deeper than %d on one thread",
                                    function->full_name, KERNEL__CALL_DEPTH_MAX);
    }
    request = *given;
    if (request.parent == NULL && outer != NULL && outer->kernel == kernel) {
        request.parent = outer;
    }
    return function->is_async ? call_waiting(&request) : call_inline(&request);
}
