/*
 * schema.c - JSON Schema out of descriptors.
 */
#include "schema.h"

#include <string.h>

#include "coerce.h"

static const char *const type_words[] = {
    [KP_BOOLEAN] = "boolean", [KP_INTEGER] = "integer", [KP_NUMBER] = "number",
    [KP_STRING] = "string",   [KP_OBJECT] = "object",   [KP_ARRAY] = "array",
    [KP_BYTES] = "string", /* in base64 */
};

/* Begin a member, unless the author's own schema has it. */
static bool begin_member(sk_buffer_t *out, const sk_json_span_t *extra, const char *name)
{
    sk_json_span_t there;

    if (extra != NULL && sk_json_member(extra, name, &there)) {
        return false;
    }
    if (out->size > 0 && out->data[out->size - 1] != '{') {
        sk_buffer_append_char(out, ',');
    }
    sk_json_write_text(out, name);
    sk_buffer_append_char(out, ':');
    return true;
}

static void write_head(sk_buffer_t *out, uint32_t type, const char *description,
                       const sk_json_span_t *extra)
{
    sk_buffer_append_char(out, '{');
    if (type != KP_NULL && begin_member(out, extra, "type")) {
        sk_json_write_text(out, type_words[type]);
    }
    if (description != NULL && description[0] != '\0' && begin_member(out, extra, "description")) {
        sk_json_write_text(out, description);
    }
}

static void write_tail(sk_buffer_t *out, uint32_t type, const sk_json_span_t *extra)
{
    if (type == KP_BYTES && begin_member(out, extra, "contentEncoding")) {
        sk_json_write_text(out, "base64");
    }
    if (extra != NULL) {
        size_t before = out->size;
        bool is_first = before > 0 && out->data[before - 1] == '{';
        sk_json_cursor_t cursor = sk_json_enter(extra);
        sk_json_span_t key;
        sk_json_span_t value;

        while (sk_json_next(&cursor, &key, &value)) {
            sk_buffer_append(out, ",", is_first ? 0 : 1);
            sk_json_compact(out, &key);
            sk_buffer_append_char(out, ':');
            sk_json_compact(out, &value);
            is_first = false;
        }
    }
    sk_buffer_append_char(out, '}');
}

void kernel__schema_write_parameter(sk_buffer_t *out, const kernel__parameter_t *parameter,
                                    const sk_json_span_t *extra)
{
    write_head(out, parameter->type, parameter->description, extra);
    if (parameter->choices != NULL && begin_member(out, extra, "enum")) {
        for (size_t i = 0; i < parameter->choice_count; i++) {
            sk_buffer_append_char(out, i == 0 ? '[' : ',');
            kernel__value_write_json(out, &parameter->choice_values[i]);
        }
        sk_buffer_append_char(out, ']');
    }
    if (parameter->dflt_text != NULL && (parameter->flags & KP_SECRET) == 0 &&
        begin_member(out, extra, "default")) {
        sk_buffer_append_text(out, parameter->dflt_text);
    }
    write_tail(out, parameter->type, extra);
}

void kernel__schema_write_signature(sk_buffer_t *out, const kernel__signature_t *signature)
{
    const char *separator = "";

    sk_buffer_append_text(out, "{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *parameter = &signature->parameters[i];

        if ((parameter->flags & KP_HIDDEN) == 0) {
            sk_buffer_append_text(out, separator);
            sk_json_write_text(out, parameter->name);
            sk_buffer_append_char(out, ':');
            sk_buffer_append_text(out, parameter->schema);
            separator = ",";
        }
    }
    sk_buffer_append_text(out, "},\"required\":[");
    separator = "";
    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *parameter = &signature->parameters[i];

        if (parameter->is_required && (parameter->flags & KP_HIDDEN) == 0) {
            sk_buffer_append_text(out, separator);
            sk_json_write_text(out, parameter->name);
            separator = ",";
        }
    }
    sk_buffer_append_text(out, "],\"additionalProperties\":false}");
}

void kernel__schema_write_result(sk_buffer_t *out, uint32_t type, const char *description,
                                 const sk_json_span_t *extra)
{
    write_head(out, type, description, extra);
    write_tail(out, type, extra);
}
