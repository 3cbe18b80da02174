/*
 * host.c - the vtable that every object handed to a plugin carries.
 *
 * Each function may meet a call that is over, because a plugin kept a pointer
 * too long: it says so in the log and changes nothing.
 */
#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "kernel_state.h"
#include "operation.h"
#include "text.h"

#define HOST_ATTACHMENTS_MAX 64u

static kernel__call_t *host_call(kp_call *pub)
{
    return (kernel__call_t *)(void *)pub; /* the first member */
}

static const kernel__call_t *host_const_call(const kp_call *pub)
{
    return (const kernel__call_t *)(const void *)pub;
}

/* The call, or NULL and a log line if it is over. */
static kernel__call_t *host_live(kp_call *pub, const char *misuse)
{
    kernel__call_t *call = host_call(pub);

    if (kernel__call_is_over(call)) {
        kernel__call_misuse(call->kernel, call, misuse);
        return NULL;
    }
    return call;
}

static void *host_alloc(kp_call *pub, size_t size)
{
    kernel__call_t *call = host_live(pub, "kp_alloc() after the call was over");

    return call != NULL ? kernel__arena_alloc(&call->arena, size) : NULL;
}

static void host_fail(kp_call *pub, int code, const char *text, size_t size,
                      const char *detail_json)
{
    kernel__call_t *call = host_live(pub, "kp_fail() after the call was over");

    if (call != NULL) {
        kernel__call_fail(call, code, text, size, detail_json);
    }
}

static void host_complete(kp_call *pub, int status)
{
    kernel__call_complete(host_call(pub), status);
}

static int host_emit(kp_call *pub, uint32_t kind, const kp_value *value, double progress)
{
    kernel__call_t *call = host_live(pub, "emitted after the call was over");
    kernel_call_t *operation;
    int status;

    if (call == NULL) {
        return KP_E_CANCELLED;
    }
    status = kernel__call_stop_status(call);
    if (status != 0) {
        return KP_E_CANCELLED;
    }
    if (kind < KP_EMIT_TEXT || kind > KP_EMIT_PROGRESS ||
        (kind != KP_EMIT_PROGRESS && value == NULL)) {
        return KP_E_INVALID;
    }
    (void)pthread_mutex_lock(&call->lock);
    operation = call->operation;
    if (operation != NULL) {
        kernel__operation_keep(operation);
    }
    (void)pthread_mutex_unlock(&call->lock);
    if (operation == NULL) {
        return KP_OK;
    }
    status = kernel__operation_emit(operation, kind, value, progress);
    kernel__operation_drop(operation);
    return status;
}

static int host_on_cancel(kp_call *pub, kp_cancel_fn fn, void *arg)
{
    kernel__call_t *call = host_live(pub, "kp_on_cancel() after the call was over");
    kernel_call_t *operation = NULL;
    int status = KP_OK;

    if (call == NULL) {
        return KP_E_CANCELLED;
    }
    kernel__call_touch(call);
    (void)pthread_mutex_lock(&call->lock);
    if (kernel__call_is_over(call) ||
        atomic_load_explicit(&call->cancelled, memory_order_acquire) != 0) {
        status = KP_E_CANCELLED;
    } else {
        call->hook = fn;
        call->hook_arg = arg;
        call->hook_state = fn != NULL ? KERNEL__HOOK_INSTALLED : KERNEL__HOOK_NONE;
        operation = call->operation;
        if (operation != NULL) {
            kernel__operation_keep(operation);
        }
    }
    (void)pthread_mutex_unlock(&call->lock);
    if (operation != NULL) {
        kernel__operation_arm(operation);
        kernel__operation_drop(operation);
    }
    return status;
}

static int host_cancelled(const kp_call *pub)
{
    return kernel__call_stop_status(host_const_call(pub)) != 0;
}

static int64_t host_time_left(const kp_call *pub)
{
    const kernel__call_t *call = host_const_call(pub);

    return call->deadline != 0 ? (int64_t)kernel__clock_ms_until(call->deadline) : -1;
}

static void host_log(kp_instance *pub, int level, const char *text, size_t size)
{
    kernel_plugin_t *plugin = (kernel_plugin_t *)(void *)pub;

    if (level >= KP_LOG_ERROR && plugin->create_text == NULL &&
        atomic_load_explicit(&plugin->state, memory_order_relaxed) == KERNEL__INSTANCE_CREATING) {
        plugin->create_text = sk_memdup(text, size); /* becomes the text of the failure */
    }
    kernel__log_write(&plugin->kernel->log, level, "%s: %.*s", plugin->name,
                      (int)(size < 4096 ? size : 4096), text);
}

static const void *host_extension(kp_instance *pub, const char *id)
{
    return id != NULL ? kernel__extension_find((kernel_plugin_t *)(void *)pub, id) : NULL;
}

static int host_text(kp_call *pub, const char *text, size_t size)
{
    kernel__call_t *call = host_live(pub, "kp_set_text() after the call was over");
    sk_buffer_t repaired = SK_BUFFER_INIT;
    char *copy;

    if (call == NULL) {
        return KP_E_CANCELLED;
    }
    if (size > call->kernel->limits.argument_size) {
        return KP_E_LIMIT;
    }
    if (sk_utf8_is_valid(text, size, NULL)) {
        copy = kernel__arena_copy(&call->arena, text, size);
    } else {
        sk_utf8_append_repaired(&repaired, text, size);
        size = repaired.size;
        copy = repaired.failed ? NULL
                               : kernel__arena_copy(&call->arena, sk_buffer_text(&repaired), size);
        sk_buffer_fini(&repaired);
    }
    if (copy == NULL) {
        return KP_E_NO_MEMORY;
    }
    call->text = copy;
    call->text_size = size;
    return KP_OK;
}

static const char *host_copy_name(kernel__call_t *call, const char *name, const char *otherwise,
                                  bool *is_out_of_memory)
{
    const char *copy;

    if (name == NULL) {
        return otherwise;
    }
    copy = kernel__arena_copy(&call->arena, name, strlen(name));
    *is_out_of_memory = *is_out_of_memory || copy == NULL;
    return copy;
}

static int host_attach(kp_call *pub, const kp_attachment *given)
{
    kernel__call_t *call = host_live(pub, "kp_attach() after the call was over");
    kernel__attachment_t *one;
    bool is_out_of_memory = false;

    if (call == NULL) {
        return KP_E_CANCELLED;
    }
    if (given == NULL || given->size < offsetof(kp_attachment, len) + sizeof(given->len)) {
        return KP_E_INVALID;
    }
    if (call->attachment_count >= HOST_ATTACHMENTS_MAX ||
        given->len > call->kernel->limits.argument_size - call->attachment_size) {
        return KP_E_LIMIT;
    }
    one = kernel__arena_alloc(&call->arena, sizeof(*one));
    if (one == NULL) {
        return KP_E_NO_MEMORY;
    }
    memset(one, 0, sizeof(*one));
    one->pub.size = sizeof(one->pub);
    one->pub.name = host_copy_name(call, given->name, "", &is_out_of_memory);
    one->pub.media_type =
        host_copy_name(call, given->media_type, "application/octet-stream", &is_out_of_memory);
    one->pub.data = kernel__arena_copy(&call->arena, given->data, given->len);
    one->pub.len = given->len;
    if (is_out_of_memory || one->pub.data == NULL) {
        return KP_E_NO_MEMORY;
    }
    one->next = call->attachments;
    call->attachments = one;
    call->attachment_count++;
    call->attachment_size += given->len;
    return KP_OK;
}

static int host_on_drain(kp_call *pub, kp_drain_fn fn, void *arg)
{
    kernel__call_t *call = host_live(pub, "kp_on_drain() after the call was over");
    kernel_call_t *operation;
    int status = KP_OK;

    if (call == NULL || kernel__call_stop_status(call) != 0) {
        return KP_E_CANCELLED;
    }
    kernel__call_touch(call);
    (void)pthread_mutex_lock(&call->lock);
    operation = call->operation;
    if (operation != NULL) {
        kernel__operation_keep(operation);
    }
    if (kernel__call_is_over(call)) {
        status = KP_E_CANCELLED;
    } else {
        call->drain = fn;
        call->drain_arg = arg;
    }
    (void)pthread_mutex_unlock(&call->lock);
    if (status == KP_OK && (operation == NULL || kernel__operation_has_room(operation))) {
        kernel__call_drain(call);
    }
    if (operation != NULL) {
        kernel__operation_drop(operation);
    }
    return status;
}

const kp_host kernel__host = {
    .size = sizeof(kp_host),
    .minor = KP_MINOR,
    .alloc = host_alloc,
    .fail = host_fail,
    .complete = host_complete,
    .emit = host_emit,
    .on_cancel = host_on_cancel,
    .cancelled = host_cancelled,
    .time_left = host_time_left,
    .log = host_log,
    .extension = host_extension,
    .text = host_text,
    .attach = host_attach,
    .on_drain = host_on_drain,
};
