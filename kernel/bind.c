/*
 * bind.c - arguments by name become one checked value per parameter.
 *
 * Three forms of arguments, one order of work: clear the values, place each
 * argument, then fill what was not given. An argument is first held against the
 * parameter of its own position, since that is how people and models write them.
 */
#include "bind.h"

#include <string.h>

#include "args.h"
#include "coerce.h"
#include "error.h"
#include "json.h"

static kernel__coercion_t coercion_of(const kernel__binding_t *binding)
{
    return (kernel__coercion_t){
        .subject = binding->subject,
        .what = "argument",
        .limits = binding->limits,
        .arena = binding->arena,
        .error = binding->error,
        .copy = binding->copy,
        .is_valid = true,
    };
}

static void bind_clear(const kernel__binding_t *binding)
{
    for (size_t i = 0; i < binding->signature->count; i++) {
        binding->argv[i] = (kp_value){.type = KP_NULL};
    }
}

/* Short names, nearly all there are, as two words. */
static bool names_equal(const kernel__parameter_t *parameter, const kernel__arg_t *arg)
{
    if (parameter->name_size != arg->name_size) {
        return false;
    }
    if (arg->name_size < KERNEL__SHORT_NAME_ROOM) {
        uint64_t a[2];
        uint64_t b[2];

        memcpy(a, parameter->short_name, sizeof(a));
        memcpy(b, arg->short_name, sizeof(b));
        return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
    }
    return parameter->hash == arg->hash && memcmp(parameter->name, arg->name, arg->name_size) == 0;
}

static const kernel__parameter_t *find_parameter(const kernel__signature_t *signature,
                                                 const kernel__arg_t *arg, size_t index)
{
    if (index < signature->count && names_equal(&signature->parameters[index], arg)) {
        return &signature->parameters[index];
    }
    for (size_t i = 0; i < signature->count; i++) {
        if (names_equal(&signature->parameters[i], arg)) {
            return &signature->parameters[i];
        }
    }
    return NULL;
}

static const kernel__parameter_t *find_name(const kernel__signature_t *signature, const char *name,
                                            size_t size)
{
    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *parameter = &signature->parameters[i];

        if (parameter->name_size == size && memcmp(parameter->name, name, size) == 0) {
            return parameter;
        }
    }
    return NULL;
}

static kernel_status_t refuse_name(const kernel__binding_t *binding, const char *name, size_t size)
{
    kernel__coercion_t coercion = coercion_of(binding);

    return kernel__coerce_refuse_name(&coercion, binding->signature, name, size);
}

static kernel_status_t bind_value(const kernel__binding_t *binding,
                                  const kernel__parameter_t *parameter, const kp_value *value)
{
    kernel__coercion_t coercion = coercion_of(binding);

    return kernel__coerce_value(&coercion, parameter, value,
                                &binding->argv[parameter - binding->signature->parameters]);
}

/* ---- what was not given ---- */

static kernel_status_t refuse_missing(const kernel__binding_t *binding)
{
    kernel__coercion_t coercion = coercion_of(binding);
    bool is_missing[KERNEL__PARAMETERS_MAX] = {false};

    for (size_t i = 0; i < binding->signature->count; i++) {
        is_missing[i] =
            binding->signature->parameters[i].is_required && binding->argv[i].type == KP_NULL;
    }
    return kernel__coerce_refuse_missing(&coercion, binding->signature, is_missing);
}

static kernel_status_t bind_from_context(const kernel__binding_t *binding,
                                         const kernel__parameter_t *parameter)
{
    const kernel__arg_t *arg = kernel__args_find(binding->context, parameter->name);

    return arg != NULL && arg->value.type != KP_NULL ? bind_value(binding, parameter, &arg->value)
                                                     : KERNEL_OK;
}

static kernel_status_t bind_rest(const kernel__binding_t *binding)
{
    const kernel__signature_t *signature = binding->signature;
    bool is_complete = true;

    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *parameter = &signature->parameters[i];

        if (binding->argv[i].type != KP_NULL) {
            continue;
        }
        if ((parameter->flags & KP_HIDDEN) != 0) {
            kernel_status_t status = bind_from_context(binding, parameter);

            if (status != KERNEL_OK) {
                return status;
            }
        }
        if (binding->argv[i].type == KP_NULL) {
            binding->argv[i] = parameter->dflt;
            is_complete = is_complete && !parameter->is_required;
        }
    }
    return is_complete ? KERNEL_OK : refuse_missing(binding);
}

/* ---- the three forms ---- */

kernel_status_t kernel__bind_args(const kernel__binding_t *binding, const kernel_args_t *args)
{
    const kernel__signature_t *signature = binding->signature;

    bind_clear(binding);
    if (args == NULL) {
        return bind_rest(binding);
    }
    if (args->status != KERNEL_OK) {
        return kernel__error_set(binding->error, args->status, "%s: %s", binding->subject,
                                 args->error != NULL ? args->error
                                                     : kernel_status_text(args->status));
    }
    for (size_t i = 0; i < args->count; i++) {
        const kernel__arg_t *arg = &args->items[i];
        const kernel__parameter_t *parameter = find_parameter(signature, arg, i);

        if (parameter == NULL || (parameter->flags & KP_HIDDEN) != 0) {
            return refuse_name(binding, arg->name, arg->name_size);
        }
        if (arg->value.type == parameter->type && parameter->is_simple) {
            binding->argv[parameter - signature->parameters] = arg->value;
        } else if (arg->value.type != KP_NULL) {
            kernel_status_t status = bind_value(binding, parameter, &arg->value);

            if (status != KERNEL_OK) {
                return status;
            }
        }
    }
    return bind_rest(binding);
}

kernel_status_t kernel__bind_named(const kernel__binding_t *binding, const kp_named *args,
                                   size_t count)
{
    kernel__coercion_t coercion = coercion_of(binding);
    bool is_given[KERNEL__PARAMETERS_MAX] = {false};

    /* Nobody has looked at these before, and their texts may lack the NUL. */
    coercion.is_valid = false;
    coercion.copy = true;
    bind_clear(binding);
    for (size_t i = 0; i < count; i++) {
        const kp_value *value = &args[i].value;
        const char *name = args[i].name != NULL ? args[i].name : "";
        size_t size = strlen(name);
        const kernel__parameter_t *parameter = find_name(binding->signature, name, size);
        size_t index = 0;
        kernel_status_t status = KERNEL_OK;

        if (parameter == NULL || (parameter->flags & KP_HIDDEN) != 0) {
            return refuse_name(binding, name, size);
        }
        index = (size_t)(parameter - binding->signature->parameters);
        if (is_given[index]) {
            return kernel__error_set(binding->error, KERNEL_E_INVALID,
                                     "%s: argument '%s' is given twice", binding->subject, name);
        }
        is_given[index] = true;
        if (value->type == KP_NULL || (value->type == KP_STRING && value->as.text.ptr == NULL)) {
            continue;
        }
        status = kernel__coerce_value(&coercion, parameter, value, &binding->argv[index]);
        if (status != KERNEL_OK) {
            return status;
        }
    }
    return bind_rest(binding);
}

static bool key_equals(const sk_json_span_t *key, const kernel__parameter_t *parameter)
{
    if (!key->plain) {
        return sk_json_string_equals(key, parameter->name, parameter->name_size);
    }
    return key->size - 2 == parameter->name_size &&
           memcmp(key->text + 1, parameter->name, parameter->name_size) == 0;
}

static const kernel__parameter_t *find_key(const kernel__signature_t *signature,
                                           const sk_json_span_t *key, size_t index)
{
    if (index < signature->count && key_equals(key, &signature->parameters[index])) {
        return &signature->parameters[index];
    }
    for (size_t i = 0; i < signature->count; i++) {
        if (key_equals(key, &signature->parameters[i])) {
            return &signature->parameters[i];
        }
    }
    return NULL;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\n' && text[i] != '\r') {
            return false;
        }
    }
    return true;
}

static kernel_status_t scan_arguments(const kernel__binding_t *binding, const char *json,
                                      size_t size, sk_json_span_t *root)
{
    sk_json_limits_t limits = {SK_JSON_STRICT, 0, 0};
    sk_json_error_t error = {.status = SK_JSON_OK};

    if (binding->limits != NULL) {
        limits.max_size = binding->limits->json_size;
        limits.max_depth = binding->limits->json_depth;
    }
    switch (sk_json_scan(json, size, &limits, root, &error)) {
    case SK_JSON_OK:
        break;
    case SK_JSON_TOO_DEEP:
    case SK_JSON_TOO_LONG:
        return kernel__error_set(
            binding->error, KERNEL_E_LIMIT, "%s: the arguments are not taken: %s (%s)",
            binding->subject, error.text,
            error.status == SK_JSON_TOO_DEEP ? "max_json_depth" : "max_json_size");
    case SK_JSON_NO_MEMORY:
        return kernel__error_set(binding->error, KERNEL_E_NO_MEMORY, "%s: memory ran out",
                                 binding->subject);
    case SK_JSON_INVALID:
        if (binding->signature->has_secrets) {
            return kernel__error_set(binding->error, KERNEL_E_INVALID,
                                     "%s: the arguments are not valid JSON at byte %zu",
                                     binding->subject, error.offset);
        }
        return kernel__error_set(binding->error, KERNEL_E_INVALID,
                                 "%s: the arguments are not valid JSON: %s", binding->subject,
                                 error.text);
    }
    if (root->type != SK_JSON_OBJECT) {
        return kernel__error_set(binding->error, KERNEL_E_INVALID,
                                 "%s: the arguments must be a JSON object, found %s",
                                 binding->subject, sk_json_type_name(root->type));
    }
    return KERNEL_OK;
}

kernel_status_t kernel__bind_json(const kernel__binding_t *binding, const char *json, size_t size)
{
    kernel__coercion_t coercion = coercion_of(binding);
    kernel_status_t status = KERNEL_OK;
    sk_json_span_t root;
    sk_json_span_t key;
    sk_json_span_t value;
    sk_json_cursor_t cursor;

    bind_clear(binding);
    if (json == NULL || is_blank(json, size)) {
        return bind_rest(binding);
    }
    status = scan_arguments(binding, json, size, &root);
    if (status != KERNEL_OK) {
        return status;
    }
    cursor = sk_json_enter(&root);
    for (size_t i = 0; sk_json_next(&cursor, &key, &value); i++) {
        const kernel__parameter_t *parameter = find_key(binding->signature, &key, i);

        if (parameter == NULL || (parameter->flags & KP_HIDDEN) != 0) {
            return refuse_name(binding, key.text + 1, key.size - 2);
        }
        if (value.type == SK_JSON_NULL) {
            continue;
        }
        status = kernel__coerce_span(&coercion, parameter, &value,
                                     &binding->argv[parameter - binding->signature->parameters]);
        if (status != KERNEL_OK) {
            return status;
        }
    }
    return bind_rest(binding);
}
