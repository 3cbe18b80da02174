/*
 * remote_error.c - reading a refusal, and saying what to do about it.
 */
#include "remote_error.h"

#include <string.h>
#include <strings.h>

#include <json.h>
#include <text.h>

#include <kernel/plugin.h>

static const sk_json_limits_t limits = {.profile = SK_JSON_REPLY, .max_size = 0, .max_depth = 0};

/* ---- reading ---- */

static bool member(const sk_json_span_t *object, const char *name, sk_json_type_t type,
                   sk_json_span_t *value)
{
    return object->type == SK_JSON_OBJECT && sk_json_member(object, name, value) &&
           value->type == type;
}

/* Copy what fits without cutting a character in half. */
static void copy_line(char *out, size_t out_size, const char *line)
{
    size_t size = sk_utf8_cut(line, strlen(line), out_size - 1);

    memcpy(out, line, size);
    out[size] = '\0';
}

/* Take a string member, shortened; false if it is absent or empty. */
static bool take_text(const sk_json_span_t *object, const char *name, char *out, size_t out_size)
{
    sk_json_span_t value;
    sk_buffer_t text = SK_BUFFER_INIT;
    char line[EXCERPT_SIZE] = "";

    if (member(object, name, SK_JSON_STRING, &value)) {
        sk_json_string_append(&text, &value);
        excerpt_write(line, sk_buffer_text(&text), text.size);
        copy_line(out, out_size, line);
    }
    sk_buffer_fini(&text);
    return line[0] != '\0';
}

/* Problem details: the title, then the first of the errors by field. */
static bool read_problem(remote_error_t *error, const sk_json_span_t *root)
{
    char title[EXCERPT_SIZE / 2];
    char first[EXCERPT_SIZE];
    sk_json_span_t errors;
    sk_json_span_t list;
    sk_json_span_t text;
    sk_json_cursor_t fields;
    sk_json_cursor_t texts;
    sk_buffer_t decoded = SK_BUFFER_INIT;

    if (!take_text(root, "title", title, sizeof(title))) {
        return false;
    }
    first[0] = '\0';
    if (member(root, "errors", SK_JSON_OBJECT, &errors)) {
        fields = sk_json_enter(&errors);
        if (sk_json_next(&fields, &text, &list) && list.type == SK_JSON_ARRAY) {
            texts = sk_json_enter(&list);
            if (sk_json_next(&texts, NULL, &text) && text.type == SK_JSON_STRING) {
                sk_json_string_append(&decoded, &text);
                excerpt_write(first, sk_buffer_text(&decoded), decoded.size);
                sk_buffer_fini(&decoded);
            }
        }
    } else {
        (void)take_text(root, "detail", first, sizeof(first));
    }
    copy_line(error->message, sizeof(error->message), title);
    if (first[0] != '\0') {
        size_t used = strlen(title);

        error->message[used] = ' ';
        copy_line(error->message + used + 1, sizeof(error->message) - used - 1, first);
    }
    return true;
}

static bool read_object(remote_error_t *error, const sk_json_span_t *object)
{
    bool has_code = take_text(object, "code", error->code, sizeof(error->code));

    return take_text(object, "message", error->message, sizeof(error->message)) || has_code;
}

static bool read_json(remote_error_t *error, const char *body, size_t size)
{
    sk_json_span_t root;
    sk_json_span_t inner;

    if (sk_json_scan(body, size, &limits, &root, NULL) != SK_JSON_OK ||
        root.type != SK_JSON_OBJECT) {
        return false;
    }
    for (int level = 0; level < 2 && member(&root, "error", SK_JSON_OBJECT, &inner); level++) {
        root = inner;
    }
    return read_object(error, &root) || read_problem(error, &root) ||
           take_text(&root, "error", error->message, sizeof(error->message));
}

static int status_of(unsigned http_status)
{
    switch (http_status) {
    case 401:
        return KP_E_AUTH;
    case 403:
        return KP_E_DENIED;
    case 404:
        return KP_E_NOT_FOUND;
    case 413:
        return KP_E_LIMIT;
    case 429:
        return KP_E_BUSY;
    default:
        return KP_E_REMOTE;
    }
}

void remote_error_read(remote_error_t *error, unsigned http_status, const char *header_code,
                       const char *challenge, const char *body, size_t size)
{
    memset(error, 0, sizeof(*error));
    error->http_status = http_status;
    error->status = status_of(http_status);
    if (!read_json(error, body, size)) {
        excerpt_write(error->message, body, size);
    }
    if (error->code[0] == '\0' && header_code != NULL) {
        char line[EXCERPT_SIZE];

        excerpt_write(line, header_code, strlen(header_code));
        copy_line(error->code, sizeof(error->code), line);
    }
    error->is_bare_401 = http_status == 401 && challenge == NULL && error->code[0] == '\0' &&
                         error->message[0] == '\0';
}

bool remote_error_is_shape(const remote_error_t *error)
{
    return error->http_status == 400 && strcasecmp(error->code, "SessionPropertiesMissing") == 0;
}

/* ---- writing ---- */

/* What to do; "" where the service's own text is all there is. */
static const char *advice(const remote_error_t *error)
{
    switch (error->http_status) {
    case 401:
        return "the token is wrong, has expired, or was issued for another audience than "
               "https://dynamicsessions.io";
    case 403:
        return "the identity needs the role \"Azure ContainerApps Session Executor\" on this pool; "
               "a new assignment takes a minute or more to work";
    case 404:
        return error->code[0] != '\0' ? "" : "check pool_management_endpoint";
    case 413:
        return "send less code at a time";
    case 429:
        return "try again later, when sessions of the pool have ended";
    default:
        return error->http_status >= 500 ? "the code may have run, or a part of it" : "";
    }
}

void remote_error_write(sk_buffer_t *out, const remote_error_t *error, const char *api_version)
{
    const char *what_to_do = advice(error);

    sk_buffer_appendf(out, "HTTP status %u", error->http_status);
    if (error->code[0] != '\0') {
        sk_buffer_appendf(out, ", %s", error->code);
    }
    if (error->message[0] != '\0') {
        size_t size = strlen(error->message);

        size -= error->message[size - 1] == '.' ? 1 : 0;
        sk_buffer_appendf(out, ": %.*s", (int)size, error->message);
    }
    if (error->is_bare_401) {
        sk_buffer_appendf(
            out,
            " without a word: so a service answers to an api_version that it does not "
            "know, check \"%s\", or to a wrong token",
            api_version);
    } else if (what_to_do[0] != '\0') {
        sk_buffer_appendf(out, "; %s", what_to_do);
    }
}
