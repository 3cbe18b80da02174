/*
 * extension_invoke.c - kernel.invoke/1: functions that call functions.
 */
#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "kernel_state.h"
#include "operation.h"
#include "result.h"

typedef struct invoke_errand { /* whom to tell */
    kernel__task_t task;       /* of a call that could not begin */
    kernel_plugin_t *user;     /* entered for it */
    kernel_result_t *refusal;  /* owned */
    kp_result_fn on_result;
    void *result_arg;
    void (*on_chunk)(void *arg, uint32_t kind, const kp_value *chunk);
    void *chunk_arg;
} invoke_errand_t;

/* ---- the callbacks' two shapes ---- */

static void errand_report(const invoke_errand_t *errand, const kernel_result_t *result)
{
    kp_result view;

    if (errand->on_result != NULL) {
        kernel__result_view(result, &view);
        errand->on_result(errand->result_arg, &view);
    }
}

static void errand_on_result(const kernel_result_t *result, void *data)
{
    errand_report(data, result);
    sk_free(data);
}

static void errand_on_chunk(kernel_chunk_kind_t kind, const void *chunk, size_t size, void *data)
{
    const invoke_errand_t *errand = data;
    static const uint32_t types[] = {
        [KP_EMIT_TEXT] = KP_STRING, [KP_EMIT_JSON] = KP_OBJECT, [KP_EMIT_BYTES] = KP_BYTES};
    kp_value value = kp_of_text(types[kind], chunk, size);

    errand->on_chunk(errand->chunk_arg, (uint32_t)kind, &value);
}

/* ---- what to call ---- */

static kernel__request_t request_of(kp_call *parent, const kp_invoke_options *options,
                                    invoke_errand_t *errand, kernel_invoke_options_t *complete)
{
    const kernel_invoke_options_t defaults = KERNEL_INVOKE_OPTIONS_INIT;
    kernel__request_t request = {.parent = (kernel__call_t *)(void *)parent, .options = complete};

    *complete = defaults;
    complete->delivery = KERNEL_DELIVERY_LOOP;
    complete->stream_data = errand;
    if (options != NULL && options->timeout_ms > 0) {
        complete->timeout_ms = (uint64_t)options->timeout_ms;
    }
    if (options != NULL && options->on_chunk != NULL) {
        errand->on_chunk = options->on_chunk;
        errand->chunk_arg = options->arg;
        complete->on_chunk = errand_on_chunk;
    }
    return request;
}

static void request_set_named(kernel__request_t *request, const kp_named *args, size_t count)
{
    static const kp_named none;

    request->named = count > 0 ? args : &none;
    request->named_count = count;
}

static void request_set_json(kernel__request_t *request, const char *json, size_t size)
{
    request->is_json = true;
    request->json = json;
    request->json_size = json != NULL ? size : 0;
}

static int status_for_plugin(kernel_status_t status)
{
    return status == KERNEL_E_CLOSED || status == KERNEL_E_FORKED ? KP_E_UNAVAILABLE : (int)status;
}

/* A call that was answered calls nothing any more. */
static bool parent_is_over(const kernel__request_t *request)
{
    bool is_over = kernel__call_is_over(request->parent);

    if (is_over) {
        kernel__call_misuse(request->parent->kernel, request->parent,
                            "called a function after the call was over");
    }
    return is_over;
}

/* ---- the asynchronous form ---- */

/* There is no such function: an outcome like others, on the loop thread, with a text. */
static void errand_on_refusal(kernel__task_t *task)
{
    invoke_errand_t *errand =
        (invoke_errand_t *)(void *)((char *)task - offsetof(invoke_errand_t, task));
    kernel_plugin_t *user = errand->user;

    errand_report(errand, errand->refusal);
    kernel_result_free(errand->refusal);
    sk_free(errand);
    kernel__instance_leave(user);
}

static int invoke_refuse(const kernel__request_t *request, const char *name,
                         invoke_errand_t *errand)
{
    kernel_t *kernel = request->parent->kernel;
    kernel_function_t *by = atomic_load_explicit(&request->parent->function, memory_order_relaxed);

    if (kernel__instance_enter_owner(by->plugin) != KERNEL_OK) {
        sk_free(errand);
        return KP_E_UNAVAILABLE;
    }
    errand->user = by->plugin;
    errand->refusal = kernel__registry_not_found(kernel, name);
    errand->task.run = errand_on_refusal;
    if (kernel__loop_post(&kernel->loop, &errand->task) != KERNEL_OK) {
        kernel_result_free(errand->refusal);
        sk_free(errand);
        kernel__instance_leave(by->plugin);
        return KP_E_UNAVAILABLE;
    }
    return KP_OK;
}

static int invoke_begin(kernel__request_t *request, const char *name, invoke_errand_t *errand,
                        kp_invocation **out)
{
    kernel_call_t *operation = NULL;
    kernel_status_t status;

    if (parent_is_over(request)) {
        sk_free(errand);
        return KP_E_CANCELLED;
    }
    request->function = kernel_find_function(request->parent->kernel, name);
    if (request->function == NULL) {
        return invoke_refuse(request, name, errand);
    }
    status =
        kernel__operation_start(request, errand_on_result, errand, out != NULL ? &operation : NULL);
    if (status != KERNEL_OK) {
        sk_free(errand);
        return status_for_plugin(status);
    }
    if (out != NULL) {
        *out = (kp_invocation *)(void *)operation;
    }
    return KP_OK;
}

static invoke_errand_t *errand_new(kp_result_fn on_result, void *arg)
{
    invoke_errand_t *errand = sk_calloc(1, sizeof(*errand));

    if (errand != NULL) {
        errand->on_result = on_result;
        errand->result_arg = arg;
    }
    return errand;
}

static int invoke_start(const kp_invoke *table, kp_call *parent, const char *name,
                        const kp_named *args, size_t count, const kp_invoke_options *options,
                        kp_result_fn on_result, void *arg, kp_invocation **out)
{
    invoke_errand_t *errand = errand_new(on_result, arg);
    kernel_invoke_options_t complete;
    kernel__request_t request;

    (void)table;
    if (out != NULL) {
        *out = NULL;
    }
    if (errand == NULL) {
        return KP_E_NO_MEMORY;
    }
    request = request_of(parent, options, errand, &complete);
    request_set_named(&request, args, count);
    return invoke_begin(&request, name, errand, out);
}

static int invoke_start_json(const kp_invoke *table, kp_call *parent, const char *name,
                             const char *json, size_t size, const kp_invoke_options *options,
                             kp_result_fn on_result, void *arg, kp_invocation **out)
{
    invoke_errand_t *errand = errand_new(on_result, arg);
    kernel_invoke_options_t complete;
    kernel__request_t request;

    (void)table;
    if (out != NULL) {
        *out = NULL;
    }
    if (errand == NULL) {
        return KP_E_NO_MEMORY;
    }
    request = request_of(parent, options, errand, &complete);
    request_set_json(&request, json, size);
    return invoke_begin(&request, name, errand, out);
}

static void invoke_cancel(const kp_invoke *table, kp_invocation *invocation)
{
    (void)table;
    kernel_call_cancel((kernel_call_t *)(void *)invocation);
}

static void invoke_release(const kp_invoke *table, kp_invocation *invocation)
{
    (void)table;
    kernel_call_release((kernel_call_t *)(void *)invocation);
}

/* ---- the blocking form ---- */

static int invoke_wait(kernel__request_t *request, const char *name, invoke_errand_t *errand)
{
    kernel_t *kernel = request->parent->kernel;
    kernel_result_t *result;
    kernel_status_t status;

    if (parent_is_over(request)) {
        result = kernel__result_error(KERNEL_E_CANCELLED, "cannot call %s for a call that is over",
                                      name);
    } else {
        request->function = kernel_find_function(kernel, name);
        result = request->function != NULL ? kernel__operation_call(request)
                                           : kernel__registry_not_found(kernel, name);
    }
    status = kernel_result_status(result);
    errand_report(errand, result);
    kernel_result_free(result);
    return status_for_plugin(status);
}

static int invoke_call(const kp_invoke *table, kp_call *parent, const char *name,
                       const kp_named *args, size_t count, const kp_invoke_options *options,
                       kp_result_fn on_result, void *arg)
{
    invoke_errand_t errand = {.on_result = on_result, .result_arg = arg};
    kernel_invoke_options_t complete;
    kernel__request_t request = request_of(parent, options, &errand, &complete);

    (void)table;
    request_set_named(&request, args, count);
    return invoke_wait(&request, name, &errand);
}

static int invoke_call_json(const kp_invoke *table, kp_call *parent, const char *name,
                            const char *json, size_t size, const kp_invoke_options *options,
                            kp_result_fn on_result, void *arg)
{
    invoke_errand_t errand = {.on_result = on_result, .result_arg = arg};
    kernel_invoke_options_t complete;
    kernel__request_t request = request_of(parent, options, &errand, &complete);

    (void)table;
    request_set_json(&request, json, size);
    return invoke_wait(&request, name, &errand);
}

void kernel__extension_invoke_fill(kp_invoke *table)
{
    *table = (kp_invoke){.size = sizeof(*table),
                         .start = invoke_start,
                         .start_json = invoke_start_json,
                         .cancel = invoke_cancel,
                         .release = invoke_release,
                         .call = invoke_call,
                         .call_json = invoke_call_json};
}
