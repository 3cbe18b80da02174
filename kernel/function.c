/*
 * function.c - from a descriptor to a handle that calls can use, and what the
 * handle tells about itself.
 */
#include "function.h"

#include <string.h>

#include "alloc.h"
#include "buffer.h"
#include "error.h"
#include "kernel_state.h"
#include "names.h"

#define FUNCTION_SIZE_1_0 80u /* kp_function of the first release */

/* ---- making ---- */

static char *copies_text(sk_buffer_t *copies, const char *text)
{
    size_t at = copies->size;

    if (text == NULL) {
        return NULL;
    }
    sk_buffer_append(copies, text, strlen(text) + 1);
    return copies->failed ? NULL : copies->data + at; /* room was reserved: it does not move */
}

static size_t text_room(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* A descriptor of its own for a host's function: one block with its parameters and texts. */
static bool function_copy_texts(kernel_function_t *function)
{
    kp_function *descriptor = &function->descriptor;
    const kernel__signature_t *signature = &function->signature;
    size_t params_size = signature->count * sizeof(kp_param);
    size_t room = params_size + text_room(descriptor->name) + text_room(descriptor->description) +
                  text_room(descriptor->returns_description) +
                  text_room(descriptor->returns_schema) + 1;
    sk_buffer_t copies = SK_BUFFER_INIT;
    kp_param *params;

    if (!sk_buffer_reserve(&copies, room)) {
        return false;
    }
    params = (kp_param *)(void *)copies.data;
    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *from = &signature->parameters[i];
        const kp_param one = {.name = from->name,
                              .type = from->type,
                              .description = from->description,
                              .dflt = from->dflt_text,
                              .choices = (const char *const *)from->choices,
                              .schema = from->schema,
                              .flags = from->flags};

        params[i] = one;
    }
    copies.size = params_size;
    descriptor->name = copies_text(&copies, descriptor->name);
    descriptor->description = copies_text(&copies, descriptor->description);
    descriptor->returns_description = copies_text(&copies, descriptor->returns_description);
    descriptor->returns_schema = copies_text(&copies, descriptor->returns_schema);
    descriptor->params = signature->count > 0 ? params : NULL;
    descriptor->param_stride = sizeof(kp_param);
    function->copies = sk_buffer_take(&copies, NULL);
    return true;
}

static kernel_status_t function_check(const kernel_plugin_t *plugin, const kp_function *given,
                                      kernel_error_t *error)
{
    char what[96];

    if (given->size < FUNCTION_SIZE_1_0) {
        return kernel__error_set(error, KERNEL_E_ABI,
                                 "a function of plugin '%s' has a descriptor of %u bytes, expected "
                                 "%u or more: set its size to sizeof(kp_function)",
                                 plugin->name, given->size, FUNCTION_SIZE_1_0);
    }
    (void)snprintf(what, sizeof(what), "function name in plugin '%.48s'", plugin->name);
    if (kernel__name_check(what, given->name, error) != KERNEL_OK) {
        return KERNEL_E_INVALID;
    }
    if (strlen(plugin->name) + 1 + strlen(given->name) > KERNEL__FULL_NAME_MAX) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "'%s-%s' is longer than %u bytes, the most that models accept: "
                                 "give the plugin a shorter name",
                                 plugin->name, given->name, KERNEL__FULL_NAME_MAX);
    }
    if (given->invoke == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "function '%s' of plugin '%s' has no "
                                 "code: its invoke is NULL",
                                 given->name, plugin->name);
    }
    if (given->returns > KP_BYTES) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "function '%s' of plugin '%s' declares a result of unknown type "
                                 "%u",
                                 given->name, plugin->name, given->returns);
    }
    return KERNEL_OK;
}

static kernel_status_t function_describe(kernel_function_t *function, const char *subject,
                                         kernel_error_t *error)
{
    const kp_function *descriptor = &function->descriptor;
    kernel_status_t status =
        kernel__signature_make(&function->signature, KERNEL__SIGNATURE_FUNCTION, descriptor->params,
                               descriptor->param_count, descriptor->param_stride, subject, error);

    if (status != KERNEL_OK) {
        return status;
    }
    function->returns_schema =
        kernel__signature_returns_schema(descriptor->returns, descriptor->returns_description,
                                         descriptor->returns_schema, subject, error);
    return function->returns_schema != NULL ? KERNEL_OK : KERNEL_E_INVALID;
}

kernel_function_t *kernel__function_new(kernel_plugin_t *plugin, const kp_function *given,
                                        void *self, bool copy_texts, kernel_error_t *error)
{
    kernel_function_t *function;
    sk_buffer_t name = SK_BUFFER_INIT;
    char subject[192];

    if (function_check(plugin, given, error) != KERNEL_OK) {
        return NULL;
    }
    function = sk_calloc(1, sizeof(*function));
    sk_buffer_appendf(&name, "%s-%s", plugin->name, given->name);
    if (function == NULL || name.failed) {
        sk_buffer_fini(&name);
        sk_free(function);
        (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for function '%s'",
                                given->name);
        return NULL;
    }
    function->full_name = sk_buffer_take(&name, NULL);
    function->plugin = plugin;
    function->self = self;
    memcpy(&function->descriptor, given,
           given->size < sizeof(function->descriptor) ? given->size : sizeof(function->descriptor));
    function->is_async = (given->flags & KP_F_ASYNC) != 0;
    function->is_quick = (given->flags & KP_F_QUICK) != 0;
    function->takes_turn = plugin->descriptor.create != NULL && !function->is_async &&
                           (given->flags & KP_F_CONCURRENT) == 0;

    (void)snprintf(subject, sizeof(subject), "function '%s' of plugin '%s'", given->name,
                   plugin->name);
    if (function_describe(function, subject, error) != KERNEL_OK) {
        kernel__function_free(function);
        return NULL;
    }
    if (copy_texts && !function_copy_texts(function)) {
        kernel__function_free(function);
        (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for function '%s'",
                                given->name);
        return NULL;
    }
    return function;
}

void kernel__function_free(kernel_function_t *function)
{
    if (function == NULL) {
        return;
    }
    kernel__signature_free(&function->signature);
    sk_free(function->returns_schema);
    sk_free(function->copies);
    sk_free(function->full_name);
    sk_free(function);
}

/* ---- looking at it ---- */

const char *kernel_function_name(const kernel_function_t *function)
{
    return function != NULL ? function->descriptor.name : NULL;
}

const char *kernel_function_full_name(const kernel_function_t *function)
{
    return function != NULL ? function->full_name : NULL;
}

const char *kernel_function_description(const kernel_function_t *function)
{
    if (function == NULL) {
        return NULL;
    }
    return function->descriptor.description != NULL ? function->descriptor.description : "";
}

kernel_plugin_t *kernel_function_plugin(const kernel_function_t *function)
{
    return function != NULL ? function->plugin : NULL;
}

uint32_t kernel_function_flags(const kernel_function_t *function)
{
    return function != NULL ? function->descriptor.flags : 0;
}

kernel_type_t kernel_function_returns(const kernel_function_t *function)
{
    return function != NULL ? (kernel_type_t)function->descriptor.returns : KERNEL_TYPE_NULL;
}

const char *kernel_function_schema(const kernel_function_t *function)
{
    return function != NULL ? function->signature.schema : NULL;
}

const char *kernel_function_returns_schema(const kernel_function_t *function)
{
    return function != NULL ? function->returns_schema : NULL;
}

size_t kernel_function_parameter_count(const kernel_function_t *function)
{
    return function != NULL ? function->signature.count : 0;
}

bool kernel_function_parameter_at(const kernel_function_t *function, size_t index,
                                  kernel_parameter_t *parameter)
{
    const kernel__parameter_t *from;
    kernel_parameter_t full;

    if (function == NULL || parameter == NULL || index >= function->signature.count ||
        parameter->size < sizeof(parameter->size)) {
        return false;
    }
    from = &function->signature.parameters[index];
    full = (kernel_parameter_t){
        .size = parameter->size < sizeof(full) ? parameter->size : sizeof(full),
        .name = from->name,
        .description = from->description != NULL ? from->description : "",
        .type = (kernel_type_t)from->type,
        .is_required = from->is_required,
        .is_hidden = (from->flags & KP_HIDDEN) != 0,
        .is_secret = (from->flags & KP_SECRET) != 0,
        .default_value = from->dflt_text,
        .schema = from->schema,
    };
    memcpy(parameter, &full, full.size);
    return true;
}
