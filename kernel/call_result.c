/*
 * call_result.c - what a function answered, as a result that owns its memory.
 *
 * Text is repaired where it is not UTF-8; objects and arrays are only passed on
 * as what they claim to be.
 */
#include "call.h"

#include <stdint.h>
#include <stdio.h>

#include "alloc.h"
#include "json.h"
#include "kernel_state.h"
#include "result.h"
#include "text.h"

#define CALL_RESULT_DEPTH 1000u

int kernel__call_status(const kernel__call_t *call, int status)
{
    int stopped = status == KP_OK ? KP_OK : kernel__call_stop_status(call);

    return stopped != KP_OK ? stopped : status;
}

static kernel_result_t *call_result_error(kernel__call_t *call, const kernel_function_t *function,
                                          int status)
{
    char text[192];
    kp_result view = {.size = sizeof(view), .status = status, .error = call->error};

    if (view.error == NULL) {
        (void)snprintf(text, sizeof(text), "%s failed: %s", function->full_name,
                       kernel_status_text((kernel_status_t)status));
        view.error = text;
    }
    view.detail = call->detail;
    view.attachment_stride = sizeof(kp_attachment);
    return kernel__result_copy(&view);
}

/* Objects and arrays go to models and parsers: only what they claim to be. */
static bool call_json_is_valid(const kp_value *value, sk_json_error_t *error)
{
    const sk_json_limits_t limits = {SK_JSON_REPLY, SIZE_MAX, CALL_RESULT_DEPTH};
    sk_json_span_t root;

    if (sk_json_scan(value->as.text.ptr, value->as.text.len, &limits, &root, error) != SK_JSON_OK) {
        return false;
    }
    if (root.type != (value->type == KP_OBJECT ? SK_JSON_OBJECT : SK_JSON_ARRAY)) {
        (void)snprintf(error->text, sizeof(error->text), "it is of type %s",
                       sk_json_type_name(root.type));
        return false;
    }
    return true;
}

static bool call_text_is_json(uint32_t type)
{
    return type == KP_OBJECT || type == KP_ARRAY;
}

static void call_check_declared(kernel__call_t *call, const kernel_function_t *function)
{
    uint32_t declared = function->descriptor.returns;
    uint32_t given = call->pub.result.type;

    if (declared != KP_NULL && given != KP_NULL && declared != given &&
        !(declared == KP_NUMBER && given == KP_INTEGER)) {
        kernel__log_write(&call->kernel->log, KERNEL_LOG_WARN,
                          "%s returned a value of type %u, but declares type %u",
                          function->full_name, given, declared);
    }
}

static kernel_result_t *call_result_view(kernel__call_t *call, const kp_value *value)
{
    kp_result view = {.size = sizeof(view), .status = KP_OK, .value = *value};
    kp_attachment *list = NULL;
    uint32_t at = call->attachment_count;
    kernel_result_t *result;

    if (at > 0) {
        list = sk_calloc(at, sizeof(*list));
        if (list == NULL) {
            return kernel__result_error(KERNEL_E_NO_MEMORY, "no memory for %u attachments", at);
        }
        for (kernel__attachment_t *one = call->attachments; one != NULL; one = one->next) {
            list[--at] = one->pub;
        }
    }
    view.text = call->text;
    view.text_len = call->text_size;
    view.attachments = list;
    view.attachment_count = call->attachment_count;
    view.attachment_stride = sizeof(kp_attachment);
    result = kernel__result_copy(&view);
    sk_free(list);
    return result;
}

static kernel_result_t *call_result_text(kernel__call_t *call, const kernel_function_t *function)
{
    kp_value value = call->pub.result;
    sk_json_error_t why = {0};
    sk_buffer_t repaired = SK_BUFFER_INIT;
    size_t offset = 0;
    kernel_result_t *result;

    if (value.as.text.ptr == NULL) {
        value.as.text.ptr = "";
        value.as.text.len = 0;
    }
    if (call_text_is_json(value.type) && !call_json_is_valid(&value, &why)) {
        return kernel__result_error(
            KERNEL_E_INTERNAL, "%s returned text that is not the JSON %s it claims to be: %s",
            function->full_name, value.type == KP_OBJECT ? "object" : "array", why.text);
    }
    if (value.type == KP_STRING &&
        !sk_utf8_is_valid(value.as.text.ptr, value.as.text.len, &offset)) {
        kernel__log_write(&call->kernel->log, KERNEL_LOG_WARN,
                          "%s returned text that is not UTF-8 at byte %zu; repaired",
                          function->full_name, offset);
        sk_utf8_append_repaired(&repaired, value.as.text.ptr, value.as.text.len);
        value.as.text.ptr = sk_buffer_text(&repaired);
        value.as.text.len = repaired.size;
    }
    result = repaired.failed
                 ? kernel__result_error(KERNEL_E_NO_MEMORY, "no memory for a result's text")
                 : call_result_view(call, &value);
    sk_buffer_fini(&repaired);
    return result;
}

static kernel_result_t *call_result_ok(kernel__call_t *call, const kernel_function_t *function)
{
    const kp_value *value = &call->pub.result;

    call_check_declared(call, function);
    if (value->type > KP_BYTES) {
        return kernel__result_error(KERNEL_E_INTERNAL, "%s returned a value of unknown type %u",
                                    function->full_name, value->type);
    }
    if (value->type >= KP_STRING && value->type != KP_BYTES) {
        return call_result_text(call, function);
    }
    if (value->type == KP_BYTES || call->text != NULL || call->attachments != NULL) {
        return call_result_view(call, value);
    }
    return kernel__result_value(value);
}

kernel_result_t *kernel__call_result(kernel__call_t *call, int status)
{
    const kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    kernel_result_t *result;

    if (status == KP_OK && call->pub.status < 0) {
        status = call->pub.status;
    }
    result = status == KP_OK ? call_result_ok(call, function)
                             : call_result_error(call, function, status);
    if (call->pub.result_free != NULL && call->pub.result.type >= KP_STRING) {
        union {
            const char *given;
            void *taken;
        } memory = {call->pub.result.as.text.ptr};

        call->pub.result_free(memory.taken);
        call->pub.result_free = NULL;
    }
    return result;
}
