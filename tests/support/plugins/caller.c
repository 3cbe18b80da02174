/*
 * caller.c - calls other functions and passes on what they answer: value, text,
 * attachments, chunks, failure.
 *
 * The types "caller" and "caller_with_state" have the same functions; calls of
 * one instance of the latter wait for each other.
 */
#include <kernel/plugin.h>

#include <pthread.h>
#include <stdlib.h>

static const kp_invoke *find_invoke(kp_call *call)
{
    const kp_invoke *invoke = kp_extension(call->instance, KP_EXT_INVOKE);

    if (invoke == NULL) {
        kp_fail(call, KP_E_UNSUPPORTED, "%s is not offered here", KP_EXT_INVOKE);
    }
    return invoke;
}

/* Becomes the result of `call`; returns its status. */
static int pass_on(kp_call *call, const kp_result *result)
{
    const kp_value *value = &result->value;

    if (result->status != KP_OK) {
        return kp_fail(call, result->status, "%s", result->error != NULL ? result->error : "");
    }
    if (result->text != NULL) {
        kp_set_text(call, result->text, result->text_len);
    }
    for (uint32_t i = 0; i < result->attachment_count; i++) {
        const void *at = (const char *)result->attachments + (size_t)i * result->attachment_stride;

        call->host->attach(call, at);
    }
    if (value->type >= KP_STRING) {
        return kp_return_copy(call, value->type, value->as.text.ptr, value->as.text.len);
    }
    call->result = *value;
    return KP_OK;
}

static void on_chunk(void *data, uint32_t kind, const kp_value *chunk)
{
    kp_call *call = data;

    call->host->emit(call, kind, chunk, chunk != NULL ? chunk->as.number : 0.0);
}

static kp_invoke_options options_of(kp_call *call, int64_t timeout_ms)
{
    kp_invoke_options options;

    memset(&options, 0, sizeof(options));
    options.size = (uint32_t)sizeof(options);
    options.timeout_ms = timeout_ms;
    options.on_chunk = on_chunk;
    options.arg = call;
    return options;
}

/* ---- blocking ---- */

static void note_result(void *data, const kp_result *result)
{
    kp_call *call = data;

    call->status = pass_on(call, result);
}

static int finish(kp_call *call, int status)
{
    return call->status != KP_OK ? call->status : status;
}

KP_FUNCTION_FLAGS(KP_F_STREAMS, status, call, "Call a function and wait for it.",
                  (string, name, "plugin-function"),
                  (object, arguments, "Its arguments.", .dflt = "{}"),
                  (integer, timeout_ms, "Its own deadline; 0: none.", .dflt = "0"))
{
    const kp_invoke *invoke = find_invoke(call);
    kp_invoke_options options = options_of(call, timeout_ms);

    if (invoke == NULL) {
        return KP_E_UNSUPPORTED;
    }
    return finish(call, invoke->call_json(invoke, call, name, arguments, kp_len(call, 1), &options,
                                          note_result, call));
}

KP_FUNCTION(status, call_typed, "Call a function with one text and wait for it.",
            (string, name, "plugin-function"), (string, argument, "The name of the argument."),
            (string, text, "Its value."))
{
    const kp_invoke *invoke = find_invoke(call);
    kp_named named = {argument, kp_of_text(KP_STRING, text, kp_len(call, 2))};

    if (invoke == NULL) {
        return KP_E_UNSUPPORTED;
    }
    return finish(call, invoke->call(invoke, call, name, &named, 1, NULL, note_result, call));
}

/* Calls itself through the kernel, `depth` times inside each other. */
KP_FUNCTION(status, nest, "Call this function inside itself.",
            (integer, depth, "How many more times."))
{
    const kp_invoke *invoke = find_invoke(call);
    char name[160];
    kp_named named = {"depth", kp_of_integer(depth - 1)};

    if (invoke == NULL) {
        return KP_E_UNSUPPORTED;
    }
    if (depth <= 0) {
        return kp_return_string(call, "bottom");
    }
    snprintf(name, sizeof(name), "%s-nest", call->instance->name);
    return finish(call, invoke->call(invoke, call, name, &named, 1, NULL, note_result, call));
}

typedef struct answer {
    kp_call *call;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    int is_there;
} answer_t;

static void on_answer(void *data, const kp_result *result)
{
    answer_t *answer = data;

    pthread_mutex_lock(&answer->mutex);
    answer->call->status = pass_on(answer->call, result);
    answer->is_there = 1;
    pthread_cond_signal(&answer->condition);
    pthread_mutex_unlock(&answer->mutex);
}

KP_FUNCTION(status, start_and_wait, "Start a function, then wait on a condition of its own.",
            (string, name, "plugin-function"), (object, arguments, "Its arguments.", .dflt = "{}"))
{
    const kp_invoke *invoke = find_invoke(call);
    answer_t answer = {call, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    int status = KP_E_UNSUPPORTED;

    if (invoke == NULL) {
        return status;
    }
    status = invoke->start_json(invoke, call, name, arguments, kp_len(call, 1), NULL, on_answer,
                                &answer, NULL);
    if (status != KP_OK) {
        return finish(call, status);
    }
    pthread_mutex_lock(&answer.mutex);
    while (!answer.is_there) {
        pthread_cond_wait(&answer.condition, &answer.mutex);
    }
    pthread_mutex_unlock(&answer.mutex);
    return call->status;
}

/* ---- asynchronous ---- */

static void on_result(void *data, const kp_result *result)
{
    kp_call *call = data;

    kp_complete(call, pass_on(call, result));
}

static int started(int status)
{
    return status == KP_OK ? KP_PENDING : status;
}

KP_FUNCTION_FLAGS(KP_F_STREAMS, async, start, "Start a function and answer when it does.",
                  (string, name, "plugin-function"),
                  (object, arguments, "Its arguments.", .dflt = "{}"),
                  (integer, timeout_ms, "Its own deadline; 0: none.", .dflt = "0"))
{
    const kp_invoke *invoke = find_invoke(call);
    kp_invoke_options options = options_of(call, timeout_ms);

    if (invoke == NULL) {
        return KP_E_UNSUPPORTED;
    }
    return started(invoke->start_json(invoke, call, name, arguments, kp_len(call, 1), &options,
                                      on_result, call, NULL));
}

KP_FUNCTION(async, start_typed, "Start a function with one text and answer when it does.",
            (string, name, "plugin-function"), (string, argument, "The name of the argument."),
            (string, text, "Its value."))
{
    const kp_invoke *invoke = find_invoke(call);
    kp_named named = {argument, kp_of_text(KP_STRING, text, kp_len(call, 2))};

    if (invoke == NULL) {
        return KP_E_UNSUPPORTED;
    }
    return started(invoke->start(invoke, call, name, &named, 1, NULL, on_result, call, NULL));
}

KP_FUNCTION(async, start_and_cancel, "Start a function, cancel it, and answer when it does.",
            (string, name, "plugin-function"), (object, arguments, "Its arguments.", .dflt = "{}"))
{
    const kp_invoke *invoke = find_invoke(call);
    kp_invocation *invocation = NULL;
    int status = KP_E_UNSUPPORTED;

    if (invoke == NULL) {
        return status;
    }
    status = invoke->start_json(invoke, call, name, arguments, kp_len(call, 1), NULL, on_result,
                                call, &invocation);
    if (status == KP_OK) {
        invoke->cancel(invoke, invocation);
        invoke->release(invoke, invocation);
    }
    return started(status);
}

/* The waiting form, where it must be refused. */
KP_FUNCTION(async, call_on_loop, "Call a function and wait for it, on the loop thread.",
            (string, name, "plugin-function"))
{
    const kp_invoke *invoke = find_invoke(call);

    if (invoke == NULL) {
        return KP_E_UNSUPPORTED;
    }
    return finish(call, invoke->call(invoke, call, name, NULL, 0, NULL, note_result, call));
}

/* ---- other extensions ---- */

KP_FUNCTION(status, context, "Return an ambient value.", (string, key, "Its name."))
{
    const kp_context *context = kp_extension(call->instance, KP_EXT_CONTEXT);
    kp_value value;
    int status = KP_E_UNSUPPORTED;

    if (context != NULL) {
        status = context->get(context, call, key, &value);
    }
    if (status != KP_OK) {
        return kp_fail(call, status, "there is no ambient value '%s'", key);
    }
    return value.type >= KP_STRING
               ? kp_return_copy(call, value.type, value.as.text.ptr, value.as.text.len)
               : (call->result = value, KP_OK);
}

KP_FUNCTION(boolean, offers, "Tell whether the kernel offers an extension.",
            (string, id, "kernel.loop/1, for instance."))
{
    return kp_extension(call->instance, id) != NULL;
}

static const kp_function *const functions[] = {
    &kpf_call,
    &kpf_call_typed,
    &kpf_nest,
    &kpf_start,
    &kpf_start_typed,
    &kpf_start_and_wait,
    &kpf_start_and_cancel,
    &kpf_call_on_loop,
    &kpf_context,
    &kpf_offers,
    NULL,
};

static const kp_plugin caller = {
    .size = sizeof(kp_plugin),
    .name = "caller",
    .version = "1.0.0",
    .description = "Calls others.",
    .functions = functions,
};

static int create(kp_instance *instance)
{
    instance->self = instance;
    return KP_OK;
}

static const kp_plugin caller_with_state = {
    .size = sizeof(kp_plugin),
    .name = "caller_with_state",
    .version = "1.0.0",
    .description = "Calls others, one call at a time.",
    .functions = functions,
    .create = create,
};

KP_MODULE(&caller, &caller_with_state);
