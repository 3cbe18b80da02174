/*
 * invoke.c - the host's ways to call a function.
 */
#include <kernel/invoke.h>

#include <string.h>

#include "alloc.h"
#include "kernel_state.h"
#include "operation.h"
#include "result.h"

/* Old callers have shorter options, newer ones longer: take what both know. */
static bool options_read(const kernel_invoke_options_t *given, kernel_invoke_options_t *options)
{
    const kernel_invoke_options_t defaults = KERNEL_INVOKE_OPTIONS_INIT;

    *options = defaults;
    if (given == NULL) {
        return true;
    }
    if (given->size < offsetof(kernel_invoke_options_t, timeout_ms) + sizeof(given->timeout_ms)) {
        return false;
    }
    memcpy(options, given, given->size < sizeof(*options) ? given->size : sizeof(*options));
    options->size = sizeof(*options);
    return options->delivery >= KERNEL_DELIVERY_DEFAULT && options->delivery <= KERNEL_DELIVERY_UV;
}

kernel_result_t *kernel_invoke(const kernel_function_t *function, const kernel_args_t *args)
{
    const kernel__request_t request = {.function = function, .args = args};

    return kernel__operation_call(&request);
}

kernel_result_t *kernel_invoke_with(const kernel_function_t *function, const kernel_args_t *args,
                                    const kernel_invoke_options_t *options)
{
    kernel_invoke_options_t complete;
    kernel__request_t request = {.function = function, .args = args, .options = &complete};

    if (!options_read(options, &complete)) {
        return kernel__result_error(KERNEL_E_INVALID,
                                    "the options of a call were not initialised: begin with "
                                    "KERNEL_INVOKE_OPTIONS_INIT");
    }
    return kernel__operation_call(&request);
}

kernel_result_t *kernel_invoke_json(kernel_t *kernel, const char *name, const char *json)
{
    kernel__request_t request = {.is_json = true, .json = json};
    kernel_error_t error = KERNEL_ERROR_INIT;

    if (kernel == NULL || name == NULL) {
        return kernel__result_error(KERNEL_E_INVALID, "cannot call a function by name: %s is NULL",
                                    kernel == NULL ? "the kernel" : "the name");
    }
    if (kernel__check_open(kernel, &error) != KERNEL_OK) {
        return kernel__result_from_error(&error);
    }
    request.function = kernel_find_function(kernel, name);
    if (request.function == NULL) {
        return kernel__registry_not_found(kernel, name);
    }
    request.json_size = json != NULL ? strlen(json) : 0;
    return kernel__operation_call(&request);
}

kernel_status_t kernel_invoke_async(const kernel_function_t *function, const kernel_args_t *args,
                                    const kernel_invoke_options_t *options, kernel_invoke_cb cb,
                                    void *data, kernel_call_t **call_out)
{
    kernel_invoke_options_t complete;
    kernel__request_t request = {.function = function, .args = args, .options = &complete};

    if (call_out != NULL) {
        *call_out = NULL;
    }
    if (function == NULL) {
        return KERNEL_E_NOT_FOUND;
    }
    if (cb == NULL || !options_read(options, &complete)) {
        return KERNEL_E_INVALID;
    }
    if (complete.delivery == KERNEL_DELIVERY_UV &&
        function->plugin->kernel->delivery.wake == NULL) {
        return KERNEL_E_INVALID;
    }
    return kernel__operation_start(&request, cb, data, call_out);
}

void kernel_call_cancel(kernel_call_t *call)
{
    if (call != NULL && !kernel__operation_is_forked(call)) {
        kernel__operation_cancel(call, KERNEL_E_CANCELLED);
    }
}

void kernel_call_release(kernel_call_t *call)
{
    if (call != NULL && !kernel__operation_is_forked(call)) {
        kernel__operation_drop(call);
    }
}
