/*
 * signature.c - the kp_param records of a module, checked once and copied.
 *
 *     signature_copy      one record: its texts, its type, its flags
 *     parameter_bounds    what its schema text enforces
 *     parameter_choices   its choices, as values of its type
 *     parameter_default   its default, as a value of its type
 *
 * Then the schema is written once. Everything lives in the signature's arena,
 * so that one reset frees it, also half-way.
 */
#include "signature.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coerce.h"
#include "error.h"
#include "json.h"
#include "names.h"
#include "schema.h"
#include "text.h"

#define FIRST_STRIDE 64u /* sizeof(kp_param) in version 1.0 */

_Static_assert(sizeof(kp_param) >= FIRST_STRIDE, "records only grow");

/* What is being made, and for whom. */
typedef struct maker {
    kernel__signature_t *signature;
    kernel__signature_kind_t kind;
    const char *subject;
    kernel_error_t *error;
    kernel__parameter_t *parameter; /* at hand */
} maker_t;

static kernel_status_t refuse_memory(const maker_t *maker)
{
    return kernel__error_set(maker->error, KERNEL_E_NO_MEMORY, "%s: memory ran out",
                             maker->subject);
}

__attribute__((cold, noinline, format(printf, 2, 3))) static kernel_status_t
refuse(const maker_t *maker, const char *format, ...)
{
    char reason[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return kernel__error_set(maker->error, KERNEL_E_INVALID, "%s: parameter '%s' %s",
                             maker->subject, maker->parameter->name, reason);
}

static kernel__coercion_t coercion_of(const maker_t *maker, const char *what)
{
    return (kernel__coercion_t){
        .subject = maker->subject,
        .what = what,
        .arena = &maker->signature->arena,
        .error = maker->error,
        .copy = true,
    };
}

static const char *keep(const maker_t *maker, const char *text)
{
    return kernel__arena_copy(&maker->signature->arena, text, strlen(text));
}

static const char *keep_buffer(const maker_t *maker, sk_buffer_t *buffer)
{
    const char *text =
        buffer->failed ? NULL
                       : kernel__arena_copy(&maker->signature->arena, buffer->data, buffer->size);

    sk_buffer_fini(buffer);
    return text;
}

/* ---- bounds ---- */

/* A bound of integers, rounded inwards: 0.5 as a minimum is 1. */
static kernel_status_t read_integer_bound(const maker_t *maker, const char *keyword,
                                          const sk_json_span_t *span, bool is_minimum,
                                          bool is_exclusive)
{
    kernel__bounds_t *bounds = &maker->parameter->bounds;
    int64_t bound = 0;
    double number = 0;

    switch (sk_json_integer(span, &bound)) {
    case SK_JSON_INTEGER:
        if (is_exclusive && bound == (is_minimum ? INT64_MAX : INT64_MIN)) {
            return refuse(maker, "has the impossible bound \"%s\"", keyword);
        }
        bound += is_exclusive ? (is_minimum ? 1 : -1) : 0;
        break;
    case SK_JSON_FRACTION:
    case SK_JSON_OUT_OF_RANGE:
        sk_json_double(span, &number);
        number = is_minimum ? ceil(number) : floor(number);
        if (number >= -9223372036854775808.0 && number < 9223372036854775808.0) {
            bound = (int64_t)number;
        } else if ((number > 0) == is_minimum) {
            return refuse(maker, "has the impossible bound \"%s\"", keyword);
        } else {
            return KERNEL_OK; /* beyond all integers: no bound at all */
        }
        break;
    }
    if (is_minimum && bound > bounds->integer_minimum) {
        bounds->integer_minimum = bound;
    } else if (!is_minimum && bound < bounds->integer_maximum) {
        bounds->integer_maximum = bound;
    }
    return KERNEL_OK;
}

static void read_number_bound(const maker_t *maker, const sk_json_span_t *span, bool is_minimum,
                              bool is_exclusive)
{
    kernel__bounds_t *bounds = &maker->parameter->bounds;
    double bound = 0;

    sk_json_double(span, &bound);
    if (is_minimum && (bound > bounds->minimum || (is_exclusive && bound == bounds->minimum))) {
        bounds->minimum = bound;
        bounds->minimum_is_exclusive = is_exclusive;
    } else if (!is_minimum &&
               (bound < bounds->maximum || (is_exclusive && bound == bounds->maximum))) {
        bounds->maximum = bound;
        bounds->maximum_is_exclusive = is_exclusive;
    }
}

static kernel_status_t read_value_bounds(const maker_t *maker, const sk_json_span_t *schema)
{
    static const struct {
        const char *keyword;
        bool is_minimum;
        bool is_exclusive;
    } keywords[] = {
        {"minimum", true, false},
        {"exclusiveMinimum", true, true},
        {"maximum", false, false},
        {"exclusiveMaximum", false, true},
    };
    kernel__parameter_t *parameter = maker->parameter;
    const kernel__bounds_t *bounds = &parameter->bounds;

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        sk_json_span_t span;
        kernel_status_t status = KERNEL_OK;

        if (!sk_json_member(schema, keywords[i].keyword, &span)) {
            continue;
        }
        if (span.type != SK_JSON_NUMBER) {
            return refuse(maker, "has a schema whose \"%s\" is not a number", keywords[i].keyword);
        }
        if (parameter->type == KP_INTEGER) {
            status = read_integer_bound(maker, keywords[i].keyword, &span, keywords[i].is_minimum,
                                        keywords[i].is_exclusive);
        } else {
            read_number_bound(maker, &span, keywords[i].is_minimum, keywords[i].is_exclusive);
        }
        if (status != KERNEL_OK) {
            return status;
        }
        parameter->has_bounds = true;
    }
    if (bounds->integer_minimum > bounds->integer_maximum || bounds->minimum > bounds->maximum ||
        (bounds->minimum == bounds->maximum &&
         (bounds->minimum_is_exclusive || bounds->maximum_is_exclusive))) {
        return refuse(maker, "has a schema whose bounds let no value through");
    }
    return KERNEL_OK;
}

static kernel_status_t read_length(const maker_t *maker, const sk_json_span_t *schema,
                                   const char *keyword, size_t *length)
{
    sk_json_span_t span;
    int64_t value = -1;

    if (!sk_json_member(schema, keyword, &span)) {
        return KERNEL_OK;
    }
    if (span.type == SK_JSON_NUMBER && sk_json_integer(&span, &value) != SK_JSON_INTEGER) {
        value = -1;
    }
    if (value < 0) {
        return refuse(maker, "has a schema whose \"%s\" is not a whole number from 0 on", keyword);
    }
    *length = (size_t)value;
    maker->parameter->has_bounds = true;
    return KERNEL_OK;
}

static kernel_status_t parameter_bounds(const maker_t *maker, const sk_json_span_t *schema)
{
    kernel__bounds_t *bounds = &maker->parameter->bounds;
    bool is_array = maker->parameter->type == KP_ARRAY;
    kernel_status_t status = KERNEL_OK;

    switch (maker->parameter->type) {
    case KP_INTEGER:
    case KP_NUMBER:
        return read_value_bounds(maker, schema);
    case KP_STRING:
    case KP_BYTES:
    case KP_ARRAY:
        break;
    default:
        return KERNEL_OK;
    }
    status = read_length(maker, schema, is_array ? "minItems" : "minLength", &bounds->min_length);
    if (status == KERNEL_OK) {
        status =
            read_length(maker, schema, is_array ? "maxItems" : "maxLength", &bounds->max_length);
    }
    if (status == KERNEL_OK && bounds->min_length > bounds->max_length) {
        return refuse(maker, "has a schema whose bounds let no value through");
    }
    return status;
}

/* ---- choices and default ---- */

static kernel_status_t parameter_choices(const maker_t *maker, const char *const *choices)
{
    kernel__parameter_t *parameter = maker->parameter;
    kernel__arena_t *arena = &maker->signature->arena;
    kernel__coercion_t coercion = coercion_of(maker, "a choice of parameter");
    size_t count = 0;
    const char **texts = NULL;
    kp_value *values = NULL;

    if (choices == NULL) {
        return KERNEL_OK;
    }
    while (choices[count] != NULL) {
        count++;
    }
    if (count == 0) {
        return refuse(maker, "has an empty list of choices");
    }
    if (parameter->type != KP_STRING && parameter->type != KP_INTEGER &&
        parameter->type != KP_NUMBER) {
        return refuse(maker, "has choices, which only strings, integers and numbers can have");
    }
    texts = kernel__arena_alloc(arena, (count + 1) * sizeof(*texts));
    values = kernel__arena_alloc(arena, count * sizeof(*values));
    if (texts == NULL || values == NULL) {
        return refuse_memory(maker);
    }
    for (size_t i = 0; i < count; i++) {
        kp_value given = {.type = KP_STRING};
        kernel_status_t status = KERNEL_OK;

        texts[i] = keep(maker, choices[i]);
        if (texts[i] == NULL) {
            return refuse_memory(maker);
        }
        given.as.text.ptr = texts[i];
        given.as.text.len = strlen(texts[i]);
        status = kernel__coerce_value(&coercion, parameter, &given, &values[i]);
        if (status != KERNEL_OK) {
            return status;
        }
    }
    texts[count] = NULL;
    parameter->choices = texts;
    parameter->choice_values = values;
    parameter->choice_count = count;
    return KERNEL_OK;
}

static bool span_has_type(const sk_json_span_t *span, uint32_t type)
{
    switch (type) {
    case KP_BOOLEAN:
        return span->type == SK_JSON_BOOLEAN;
    case KP_INTEGER:
    case KP_NUMBER:
        return span->type == SK_JSON_NUMBER;
    case KP_OBJECT:
        return span->type == SK_JSON_OBJECT;
    case KP_ARRAY:
        return span->type == SK_JSON_ARRAY;
    default:
        return span->type == SK_JSON_STRING;
    }
}

static kernel_status_t parameter_default(const maker_t *maker, const char *text)
{
    static const char *const wanted[] = {
        [KP_BOOLEAN] = "true or false",         [KP_INTEGER] = "a JSON number",
        [KP_NUMBER] = "a JSON number",          [KP_STRING] = "a JSON string",
        [KP_OBJECT] = "a JSON object",          [KP_ARRAY] = "a JSON array",
        [KP_BYTES] = "base64 in a JSON string",
    };
    kernel__parameter_t *parameter = maker->parameter;
    kernel__coercion_t coercion = coercion_of(maker, "the default of parameter");
    sk_json_error_t error = {.status = SK_JSON_OK};
    sk_buffer_t printed = SK_BUFFER_INIT;
    char quoted[KERNEL__QUOTE_ROOM];
    sk_json_span_t span;
    kernel_status_t status = KERNEL_OK;

    if (text == NULL) {
        return KERNEL_OK;
    }
    kernel__error_quote(quoted, text, strlen(text));
    switch (sk_json_scan(text, strlen(text), NULL, &span, &error)) {
    case SK_JSON_OK:
        break;
    case SK_JSON_NO_MEMORY:
        return refuse_memory(maker);
    default:
        return refuse(maker, "has the default %s, which is not JSON: %s%s", quoted, error.text,
                      parameter->type == KP_STRING || parameter->type == KP_BYTES
                          ? "; a string needs its quotes: .dflt = \"\\\"text\\\"\""
                          : "");
    }
    parameter->is_required = false;
    if (span.type == SK_JSON_NULL) {
        return KERNEL_OK;
    }
    if (!span_has_type(&span, parameter->type)) {
        return refuse(maker, "has the default %s, which is not %s", quoted,
                      wanted[parameter->type]);
    }
    status = kernel__coerce_span(&coercion, parameter, &span, &parameter->dflt);
    if (status != KERNEL_OK) {
        return status;
    }
    kernel__value_write_json(&printed, &parameter->dflt);
    parameter->dflt_text = keep_buffer(maker, &printed);
    return parameter->dflt_text != NULL ? KERNEL_OK : refuse_memory(maker);
}

/* ---- one record ---- */

static bool letter_of_variable(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!is_first && c >= '0' && c <= '9');
}

static kernel_status_t parameter_env(const maker_t *maker, const char *env)
{
    char quoted[KERNEL__QUOTE_ROOM];
    bool is_first = true;

    if (env == NULL || env[0] == '\0') {
        return KERNEL_OK;
    }
    kernel__error_quote(quoted, env, strlen(env));
    if (maker->kind == KERNEL__SIGNATURE_FUNCTION) {
        return refuse(maker,
                      "has .env = \"%s\": only configuration is read from the environment, never "
                      "what a caller left out",
                      quoted);
    }
    for (const char *at = env; *at != '\0'; at++) {
        bool is_legal = *at == '|' ? !is_first && at[1] != '\0' : letter_of_variable(*at, is_first);

        if (!is_legal) {
            return refuse(maker, "has .env = \"%s\": expected names of variables separated by '|'",
                          quoted);
        }
        is_first = *at == '|';
    }
    maker->parameter->env = keep(maker, env);
    return maker->parameter->env != NULL ? KERNEL_OK : refuse_memory(maker);
}

static kernel_status_t parameter_schema(const maker_t *maker, const char *text,
                                        sk_json_span_t *span)
{
    sk_json_error_t error = {.status = SK_JSON_OK};

    switch (sk_json_scan(text, strlen(text), NULL, span, &error)) {
    case SK_JSON_OK:
        break;
    case SK_JSON_NO_MEMORY:
        return refuse_memory(maker);
    default:
        return refuse(maker, "has schema text that is not JSON: %s", error.text);
    }
    if (span->type != SK_JSON_OBJECT) {
        return refuse(maker, "has schema text that is not a JSON object but %s",
                      sk_json_type_name(span->type));
    }
    return parameter_bounds(maker, span);
}

static kernel_status_t signature_copy(const maker_t *maker, const kp_param *param)
{
    kernel__parameter_t *parameter = maker->parameter;
    const char *description = param->description != NULL ? param->description : "";
    sk_buffer_t printed = SK_BUFFER_INIT;
    sk_json_span_t extra;
    kernel_status_t status = KERNEL_OK;
    size_t offset = 0;

    parameter->type = param->type;
    parameter->flags = param->flags;
    parameter->name_size = (uint32_t)strlen(parameter->name);
    parameter->hash = kernel__name_hash(parameter->name, parameter->name_size);
    if (parameter->name_size < KERNEL__SHORT_NAME_ROOM) {
        memcpy(parameter->short_name, parameter->name, parameter->name_size);
    }
    parameter->is_required = (param->flags & KP_OPTIONAL) == 0;
    parameter->bounds = (kernel__bounds_t){
        .integer_minimum = INT64_MIN,
        .integer_maximum = INT64_MAX,
        .minimum = -HUGE_VAL,
        .maximum = HUGE_VAL,
        .max_length = SIZE_MAX,
    };
    if (param->type < KP_BOOLEAN || param->type > KP_BYTES) {
        return refuse(maker, "has the unknown type %u", (unsigned)param->type);
    }
    if (maker->kind == KERNEL__SIGNATURE_CONFIG && (param->flags & KP_HIDDEN) != 0) {
        return refuse(maker, "is KP_HIDDEN, which makes no sense in a configuration");
    }
    if (!sk_utf8_is_valid(description, strlen(description), &offset)) {
        return refuse(maker, "has a description that is not valid UTF-8 at byte %zu", offset);
    }
    parameter->description = keep(maker, description);
    if (parameter->description == NULL) {
        return refuse_memory(maker);
    }
    status = parameter_env(maker, param->env);
    if (status == KERNEL_OK && param->schema != NULL) {
        status = parameter_schema(maker, param->schema, &extra);
    }
    if (status == KERNEL_OK) {
        status = parameter_choices(maker, param->choices);
    }
    if (status == KERNEL_OK) {
        status = parameter_default(maker, param->dflt);
    }
    if (status != KERNEL_OK) {
        return status;
    }
    parameter->is_simple =
        !parameter->has_bounds && parameter->choices == NULL && parameter->type <= KP_NUMBER;
    kernel__schema_write_parameter(&printed, parameter, param->schema != NULL ? &extra : NULL);
    parameter->schema = keep_buffer(maker, &printed);
    return parameter->schema != NULL ? KERNEL_OK : refuse_memory(maker);
}

/* ---- all of them ---- */

static kernel_status_t signature_check_name(const maker_t *maker, const char *name, size_t index)
{
    kernel_error_t bad = KERNEL_ERROR_INIT;

    if (kernel__name_check("parameter name", name, &bad) != KERNEL_OK) {
        return kernel__error_set(maker->error, KERNEL_E_INVALID, "%s: %s (parameter %zu)",
                                 maker->subject, bad.text, index + 1);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(maker->signature->parameters[i].name, name) == 0) {
            return kernel__error_set(maker->error, KERNEL_E_INVALID,
                                     "%s: two parameters are named '%s'", maker->subject, name);
        }
    }
    return KERNEL_OK;
}

static kernel_status_t signature_read(maker_t *maker, const kp_param *params, size_t count,
                                      size_t stride)
{
    kernel__signature_t *signature = maker->signature;

    if (count > KERNEL__PARAMETERS_MAX) {
        return kernel__error_set(maker->error, KERNEL_E_INVALID,
                                 "%s: there are %zu parameters, at most %u are allowed",
                                 maker->subject, count, KERNEL__PARAMETERS_MAX);
    }
    if (count > 0 && params == NULL) {
        return kernel__error_set(maker->error, KERNEL_E_INVALID,
                                 "%s: there are %zu parameters, but no records of them",
                                 maker->subject, count);
    }
    if (count > 0 && stride < FIRST_STRIDE) {
        return kernel__error_set(maker->error, KERNEL_E_INVALID,
                                 "%s: the records of its parameters have %zu bytes, expected at "
                                 "least %u: set the stride to sizeof(kp_param)",
                                 maker->subject, stride, FIRST_STRIDE);
    }
    signature->parameters =
        kernel__arena_alloc(&signature->arena, count * sizeof(*signature->parameters));
    if (signature->parameters == NULL) {
        return refuse_memory(maker);
    }
    memset(signature->parameters, 0, count * sizeof(*signature->parameters));
    for (size_t i = 0; i < count; i++) {
        kp_param param;
        kernel_status_t status = KERNEL_OK;

        memset(&param, 0, sizeof(param));
        memcpy(&param, (const char *)params + i * stride,
               stride < sizeof(param) ? stride : sizeof(param));
        maker->parameter = &signature->parameters[i];
        status = signature_check_name(maker, param.name, i);
        if (status != KERNEL_OK) {
            return status;
        }
        maker->parameter->name = keep(maker, param.name);
        if (maker->parameter->name == NULL) {
            return refuse_memory(maker);
        }
        status = signature_copy(maker, &param);
        if (status != KERNEL_OK) {
            return status;
        }
        signature->has_secrets = signature->has_secrets || (param.flags & KP_SECRET) != 0;
        signature->count = i + 1;
    }
    return KERNEL_OK;
}

kernel_status_t kernel__signature_make(kernel__signature_t *signature,
                                       kernel__signature_kind_t kind, const kp_param *params,
                                       size_t count, size_t stride, const char *subject,
                                       kernel_error_t *error)
{
    maker_t maker = {.signature = signature, .kind = kind, .subject = subject, .error = error};
    sk_buffer_t schema = SK_BUFFER_INIT;
    kernel_status_t status = KERNEL_OK;

    memset(signature, 0, sizeof(*signature));
    kernel__arena_init(&signature->arena, NULL, 0);
    status = signature_read(&maker, params, count, stride);
    if (status == KERNEL_OK) {
        kernel__schema_write_signature(&schema, signature);
        signature->schema = keep_buffer(&maker, &schema);
        status = signature->schema != NULL ? KERNEL_OK : refuse_memory(&maker);
    }
    if (status != KERNEL_OK) {
        kernel__signature_free(signature);
    }
    return status;
}

void kernel__signature_free(kernel__signature_t *signature)
{
    kernel__arena_reset(&signature->arena);
    memset(signature, 0, sizeof(*signature));
}

char *kernel__signature_returns_schema(uint32_t type, const char *description, const char *schema,
                                       const char *subject, kernel_error_t *error)
{
    sk_json_error_t scan_error = {.status = SK_JSON_OK};
    sk_buffer_t out = SK_BUFFER_INIT;
    sk_json_span_t extra;
    char *text = NULL;
    size_t offset = 0;

    if (type > KP_BYTES) {
        kernel__error_set(error, KERNEL_E_INVALID, "%s: its result has the unknown type %u",
                          subject, (unsigned)type);
        return NULL;
    }
    if (description != NULL && !sk_utf8_is_valid(description, strlen(description), &offset)) {
        kernel__error_set(error, KERNEL_E_INVALID,
                          "%s: the description of its result is not valid UTF-8 at byte %zu",
                          subject, offset);
        return NULL;
    }
    if (schema != NULL) {
        switch (sk_json_scan(schema, strlen(schema), NULL, &extra, &scan_error)) {
        case SK_JSON_OK:
            break;
        case SK_JSON_NO_MEMORY:
            kernel__error_set(error, KERNEL_E_NO_MEMORY, "%s: memory ran out", subject);
            return NULL;
        default:
            kernel__error_set(error, KERNEL_E_INVALID,
                              "%s: the schema text of its result is not JSON: %s", subject,
                              scan_error.text);
            return NULL;
        }
        if (extra.type != SK_JSON_OBJECT) {
            kernel__error_set(error, KERNEL_E_INVALID,
                              "%s: the schema text of its result is not a JSON object but %s",
                              subject, sk_json_type_name(extra.type));
            return NULL;
        }
    }
    kernel__schema_write_result(&out, type, description, schema != NULL ? &extra : NULL);
    text = sk_buffer_take(&out, NULL);
    if (text == NULL) {
        kernel__error_set(error, KERNEL_E_NO_MEMORY, "%s: memory ran out", subject);
    }
    return text;
}
