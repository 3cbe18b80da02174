/*
 * request.c - from what a caller asked for to a record with bound arguments.
 */
#include "request.h"

#include <stddef.h>

#include "error.h"
#include "kernel_state.h"
#include "operation.h"
#include "result.h"

static kernel_status_t request_bind(const kernel__request_t *request, kernel__call_t *call,
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

static kernel_result_t *request_refuse(const kernel_function_t *function, kernel_status_t status)
{
    static const char *const why[] = {"memory ran out", "the kernel is being closed",
                                      "its plugin was removed"};

    return kernel__result_error(status, "cannot call %s: %s", function->full_name,
                                status == KERNEL_E_NO_MEMORY ? why[0]
                                : status == KERNEL_E_CLOSED  ? why[1]
                                                             : why[2]);
}

kernel__call_t *kernel__request_prepare_here(const kernel__request_t *request,
                                             kernel_result_t **result_out)
{
    kernel_status_t status = KERNEL_E_NO_MEMORY;
    kernel__call_t *call =
        kernel__call_new_here(kernel__function_writable(request->function), &status);
    kernel_error_t error;

    if (call == NULL) {
        *result_out = request_refuse(request->function, status);
        return NULL;
    }
    error_clear(&error);
    if (request_bind(request, call, false, &error) != KERNEL_OK) {
        *result_out = kernel__result_from_error(&error);
        kernel__call_drop_here(call);
        return NULL;
    }
    return call;
}

static void request_inherit(const kernel__request_t *request, kernel_call_t *operation,
                            kernel__call_t *call)
{
    if (request->parent != NULL) {
        kernel__call_attach(call, request->parent);
    }
    call->deadline = operation->deadline;
    if (operation->context != NULL) {
        kernel__call_set_context(call, operation);
    }
    if (operation->on_chunk != NULL) {
        call->pub.flags |= KP_CALL_STREAM;
    }
    if (request->options != NULL && request->options->from_model != 0) {
        call->pub.flags |= KP_CALL_FROM_MODEL;
    }
}

kernel__call_t *kernel__request_prepare(const kernel__request_t *request, kernel_call_t *operation,
                                        kernel_result_t **result_out)
{
    kernel_function_t *function = kernel__function_writable(request->function);
    kernel_status_t status = kernel__instance_enter(function->plugin);
    kernel_error_t error;
    kernel__call_t *call;

    if (status != KERNEL_OK) {
        *result_out = request_refuse(function, status);
        return NULL;
    }
    call = kernel__call_new(function);
    if (call == NULL) {
        kernel__instance_leave(function->plugin);
        *result_out = request_refuse(function, KERNEL_E_NO_MEMORY);
        return NULL;
    }
    request_inherit(request, operation, call);
    error_clear(&error);
    if (call->depth > KERNEL__CALL_DEPTH_MAX) {
        status = kernel__error_set(&error, KERNEL_E_DEPTH,
                                   "cannot call %s: calls are nested deeper than %d",
                                   function->full_name, KERNEL__CALL_DEPTH_MAX);
    } else {
        status = request_bind(request, call, operation->kind != KERNEL__OPERATION_INLINE, &error);
    }
    if (status != KERNEL_OK) {
        *result_out = kernel__result_from_error(&error);
        kernel__call_abort(call);
        return NULL;
    }
    return call;
}

kernel__call_t *kernel__request_again(kernel__call_t *first)
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
    kernel__call_set_context(call, first->context_owner);
    return call;
}
