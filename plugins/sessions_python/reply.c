/*
 * reply.c - from the body of an answer to our result:
 *
 *     reply_repair          NUL characters replaced, too deep values turned into text
 *     reply_read_envelope   family A or B, or flat: where is what
 *     reply_read_attachments  what was displayed, decoded
 *     reply_judge           did it succeed, and if not, why
 *     reply_write_text, reply_write_value
 */
#include "reply.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <alloc.h>
#include <text.h>

#include "excerpt.h"

#define BODY_MAX       ((size_t)64 * 1024 * 1024)
#define DEPTH_MAX      1000 /* of a whole body */
#define DEPTH_KEPT     900  /* of one value in a body that is too deep */
#define NUL_SHOWN      "\xE2\x90\x80"
#define NUL_ESCAPE     "\\u0000"
#define TIMEOUT_TEXT   "Request timed out waiting for code execution to complete"
#define STDERR_TO_READ 512 /* where the service's own words stand: at the end */

static bool reply_repair(sk_buffer_t *out, const char *body, size_t size);
static bool reply_read_envelope(reply_t *reply, const sk_json_span_t *root);
static void reply_read_attachments(reply_t *reply);
static void reply_judge(reply_t *reply);

bool reply_read(reply_t *reply, const char *body, size_t size, char *error, size_t error_size)
{
    const sk_json_limits_t limits = {
        .profile = SK_JSON_REPLY, .max_size = BODY_MAX, .max_depth = DEPTH_MAX};
    sk_json_span_t root = {NULL, 0, SK_JSON_NULL, false};
    sk_json_error_t problem;
    sk_json_status_t status = SK_JSON_INVALID;

    memset(reply, 0, sizeof(*reply));
    status = sk_json_scan(body, size, &limits, &root, &problem);
    if ((status == SK_JSON_OK && memchr(body, '\0', size) != NULL) ||
        (status == SK_JSON_OK && memmem(body, size, NUL_ESCAPE, strlen(NUL_ESCAPE)) != NULL) ||
        status == SK_JSON_TOO_DEEP) {
        if (reply_repair(&reply->body, body, size)) {
            body = sk_buffer_text(&reply->body);
            size = reply->body.size;
            status = sk_json_scan(body, size, &limits, &root, &problem);
        }
    }
    if (reply->body.failed || status == SK_JSON_NO_MEMORY) {
        (void)snprintf(error, error_size, "memory ran out");
        return false;
    }
    if (status != SK_JSON_OK) {
        char excerpt[EXCERPT_SIZE];
        size_t from = problem.offset < size ? problem.offset : size;

        from = from > 20 ? from - 20 : 0;
        excerpt_write(excerpt, body + from, size - from);
        (void)snprintf(error, error_size, "it is not JSON: %s, near \"%s\"", problem.text, excerpt);
        return false;
    }
    if (!reply_read_envelope(reply, &root)) {
        char excerpt[EXCERPT_SIZE];

        excerpt_write(excerpt, body, size);
        (void)snprintf(error, error_size, "it has no status of an execution: \"%s\"", excerpt);
        return false;
    }
    reply_read_attachments(reply);
    reply_judge(reply);
    if (reply->attachments.lacks_memory || reply->status.failed || reply->out.failed ||
        reply->err.failed || reply->error_code.failed || reply->error_message.failed) {
        (void)snprintf(error, error_size, "memory ran out");
        return false;
    }
    return true;
}

void reply_fini(reply_t *reply)
{
    attachments_fini(&reply->attachments);
    sk_buffer_fini(&reply->body);
    sk_buffer_fini(&reply->status);
    sk_buffer_fini(&reply->out);
    sk_buffer_fini(&reply->err);
    sk_buffer_fini(&reply->error_code);
    sk_buffer_fini(&reply->error_message);
    memset(reply, 0, sizeof(*reply));
}

/* ---- repair ---- */

static void replace_nul(sk_buffer_t *out, const char *at, const char *end)
{
    while (at < end) {
        const char *start = at;

        while (at < end && *at != '\0' && *at != '\\') {
            at++;
        }
        sk_buffer_append(out, start, (size_t)(at - start));
        if (at == end) {
            return;
        }
        if (*at == '\0') {
            sk_buffer_append_text(out, NUL_SHOWN);
            at++;
        } else if ((size_t)(end - at) >= strlen(NUL_ESCAPE) &&
                   memcmp(at, NUL_ESCAPE, strlen(NUL_ESCAPE)) == 0) {
            sk_buffer_append_text(out, NUL_SHOWN);
            at += strlen(NUL_ESCAPE);
        } else { /* with the character behind it, which may be a backslash of its own right */
            sk_buffer_append(out, at, end - at >= 2 ? 2 : 1);
            at += end - at >= 2 ? 2 : 1;
        }
    }
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* Behind a string that begins at `at`; NULL if it does not end. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"') {
            return at + 1;
        }
        if (*at == '\\') {
            at++;
        }
    }
    return NULL;
}

/* Behind a value of a text that no scan has accepted, by brackets alone; NULL if it has no end. */
static const char *value_end(const char *at, const char *end, size_t *depth_out)
{
    size_t depth = 0;

    *depth_out = 0;
    while (at < end) {
        if (*at == '"') {
            at = string_end(at, end);
            if (at == NULL) {
                return NULL;
            }
        } else if (*at == '[' || *at == '{') {
            depth++;
            *depth_out = depth > *depth_out ? depth : *depth_out;
            at++;
        } else if (*at == ']' || *at == '}') {
            if (depth == 0) {
                return at;
            }
            depth--;
            at++;
        } else if (*at == ',' && depth == 0) {
            return at;
        } else {
            at++;
        }
        if (depth == 0 && (at[-1] == '"' || at[-1] == ']' || at[-1] == '}')) {
            return at;
        }
    }
    return depth == 0 ? at : NULL;
}

static bool is_text(const char *at, const char *end, const char *text)
{
    return (size_t)(end - at) == strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

/* Copy an object; a member that is too deep becomes a string, but for the two that wrap others.
 * Returns what is behind the object, NULL if it is none. */
static const char *write_flattened(sk_buffer_t *out, const char *at, const char *end, bool is_root)
{
    at = skip_space(at, end);
    if (at == end || *at != '{') {
        return NULL;
    }
    sk_buffer_append_char(out, '{');
    for (at = skip_space(at + 1, end); at < end && *at == '"';) {
        const char *key = at;
        const char *key_end = string_end(at, end);
        const char *value = NULL;
        size_t depth = 0;

        at = key_end == NULL ? end : skip_space(key_end, end);
        if (at == end || *at != ':') {
            return NULL;
        }
        value = skip_space(at + 1, end);
        at = value_end(value, end, &depth);
        if (at == NULL) {
            return NULL;
        }
        sk_buffer_append(out, key, (size_t)(key_end - key));
        sk_buffer_append_char(out, ':');
        if (depth <= DEPTH_KEPT) {
            sk_buffer_append(out, value, (size_t)(at - value));
        } else if (is_root && *value == '{' &&
                   (is_text(key, key_end, "\"properties\"") ||
                    is_text(key, key_end, "\"result\""))) {
            if (write_flattened(out, value, at, false) == NULL) {
                return NULL;
            }
        } else {
            sk_json_write_string(out, value, (size_t)(at - value));
        }
        at = skip_space(at, end);
        if (at < end && *at == ',') {
            sk_buffer_append_char(out, ',');
            at = skip_space(at + 1, end);
        }
    }
    if (at == end || *at != '}') {
        return NULL;
    }
    sk_buffer_append_char(out, '}');
    return at + 1;
}

/* False: it cannot be repaired. */
static bool reply_repair(sk_buffer_t *out, const char *body, size_t size)
{
    sk_buffer_t clean = SK_BUFFER_INIT;
    const char *end = NULL;
    size_t depth = 0;

    replace_nul(&clean, body, body + size);
    if (clean.failed) {
        sk_buffer_fini(&clean);
        out->failed = true;
        return false;
    }
    body = sk_buffer_text(&clean);
    size = clean.size;
    if (value_end(body, body + size, &depth) == NULL || depth <= DEPTH_MAX) {
        *out = clean;
        return true;
    }
    end = write_flattened(out, body, body + size, true);
    if (end != NULL) {
        sk_buffer_append(out, end, (size_t)(body + size - end));
    }
    sk_buffer_fini(&clean);
    return end != NULL && !out->failed;
}

/* ---- envelopes ---- */

static bool member(const sk_json_span_t *object, const char *name, sk_json_span_t *value)
{
    return object->type == SK_JSON_OBJECT && sk_json_member(object, name, value) &&
           value->type != SK_JSON_NULL;
}

/* A member as text, whatever it is; nothing if it is absent or null. */
static void append_member(sk_buffer_t *out, const sk_json_span_t *object, const char *name)
{
    sk_json_span_t value;

    if (!member(object, name, &value)) {
        return;
    }
    if (value.type == SK_JSON_STRING) {
        sk_json_string_append(out, &value);
    } else {
        sk_json_compact(out, &value);
    }
}

static void read_error(reply_t *reply, const sk_json_span_t *outer)
{
    sk_json_span_t error;
    sk_json_span_t inner;

    if (!member(outer, "error", &error)) {
        return;
    }
    if (error.type == SK_JSON_STRING) {
        sk_json_string_append(&reply->error_message, &error);
        return;
    }
    if (!member(&error, "error", &inner)) {
        inner = error;
    }
    append_member(&reply->error_code, &inner, "code");
    append_member(&reply->error_message, &inner, "message");
}

static bool reply_read_envelope(reply_t *reply, const sk_json_span_t *root)
{
    sk_json_span_t outer = *root;
    sk_json_span_t inner;
    sk_json_span_t ignored;

    if (member(root, "properties", &inner) && inner.type == SK_JSON_OBJECT) {
        outer = inner;
    }
    if (!member(&outer, "status", &ignored) ||
        (ignored.type != SK_JSON_STRING && ignored.type != SK_JSON_NUMBER)) {
        return false;
    }
    append_member(&reply->status, &outer, "status");

    /* The streams tell the level: a result of family A may be any object, one with stdout too. */
    inner = outer;
    if (!sk_json_member(&outer, "stdout", &ignored) &&
        !sk_json_member(&outer, "stderr", &ignored) && member(&outer, "result", &ignored) &&
        ignored.type == SK_JSON_OBJECT) {
        inner = ignored;
    }
    append_member(&reply->out, &inner, "stdout");
    append_member(&reply->err, &inner, "stderr");
    if (!(member(&inner, "result", &reply->result) ||
          member(&inner, "executionResult", &reply->result))) {
        reply->result.text = NULL;
    }
    if (!member(&inner, "displays", &reply->displays) || reply->displays.type != SK_JSON_ARRAY) {
        reply->displays.text = NULL;
    }
    if (!member(&inner, "executionTimeInMilliseconds", &reply->milliseconds) ||
        reply->milliseconds.type != SK_JSON_NUMBER) {
        reply->milliseconds.text = NULL;
    }
    if (!(member(&outer, "sessionState", &reply->session_state) ||
          member(&inner, "sessionState", &reply->session_state)) ||
        reply->session_state.type != SK_JSON_STRING) {
        reply->session_state.text = NULL;
    }
    if (!member(root, "id", &reply->execution_id) || reply->execution_id.type != SK_JSON_STRING) {
        reply->execution_id.text = NULL;
    }
    read_error(reply, &outer);
    return true;
}

/* ---- attachments ---- */

/* A list that is the result may have images in it. */
static void reply_read_attachments(reply_t *reply)
{
    attachments_t *attachments = &reply->attachments;
    sk_json_cursor_t cursor;
    sk_json_span_t item;

    if (reply->result.text != NULL) {
        attachments_take_image(attachments, &reply->result);
        if (reply->result.type == SK_JSON_ARRAY) {
            cursor = sk_json_enter(&reply->result);
            while (sk_json_next(&cursor, NULL, &item)) {
                attachments_take_image(attachments, &item);
            }
        }
    }
    if (reply->displays.text != NULL) {
        cursor = sk_json_enter(&reply->displays);
        while (sk_json_next(&cursor, NULL, &item)) {
            attachments_take_display(attachments, &item);
        }
    }
}

/* ---- judgement ---- */

static bool status_is(const reply_t *reply, const char *word)
{
    return strcasecmp(sk_buffer_text(&reply->status), word) == 0;
}

static void reply_judge(reply_t *reply)
{
    const char *err = sk_buffer_text(&reply->err);

    if (reply->err.size > STDERR_TO_READ) {
        err += reply->err.size - STDERR_TO_READ;
    }
    reply->succeeded = status_is(reply, "Succeeded") || status_is(reply, "Success") ||
                       status_is(reply, "0"); /* shell pools: the exit code */
    if (reply->succeeded) {
        return;
    }
    if (reply->err.size == 0 && reply->error_message.size > 0) {
        sk_buffer_append(&reply->err, reply->error_message.data, reply->error_message.size);
        err = sk_buffer_text(&reply->err);
    }
    if (strstr(err, TIMEOUT_TEXT) != NULL) {
        reply->failure = "timeout";
    } else if (strstr(err, "Execution aborted") != NULL ||
               strstr(err, "Kernel restarted") != NULL || status_is(reply, "Canceled") ||
               status_is(reply, "Cancelled")) {
        reply->failure = "aborted";
    } else if (status_is(reply, "Failed") || status_is(reply, "Failure")) {
        reply->failure = "exception";
    }
}

/* ---- writing ---- */

static void append_buffer(sk_buffer_t *out, const sk_buffer_t *text)
{
    sk_buffer_append(out, sk_buffer_text(text), text->size);
}

static void write_placeholder(sk_buffer_t *out, const attachment_t *image)
{
    if (image->data.size > 0) {
        sk_buffer_appendf(out, "[%s, %zu bytes]", image->media_type, image->data.size);
    } else {
        sk_buffer_appendf(out, "[%s, not readable]", image->media_type);
    }
}

/* The object that stands for an attachment. */
static void write_attachment(sk_buffer_t *out, const attachment_t *attachment)
{
    sk_buffer_appendf(out, "{\"type\":\"%s\",\"media_type\":\"%s\",\"size\":%zu",
                      attachment_is_image(attachment) ? "image" : "text", attachment->media_type,
                      attachment->data.size);
    if (attachment->data.size > 0) {
        sk_buffer_appendf(out, ",\"attachment\":\"%s\"", attachment->name);
    }
    sk_buffer_append_char(out, '}');
}

/* As JSON without base64 of images: in a text a placeholder stands for each, else an object. */
static void write_result(const reply_t *reply, sk_buffer_t *out, const sk_json_span_t *value,
                         bool is_text)
{
    const attachment_t *image = attachments_find(&reply->attachments, value);

    if (image != NULL && is_text) {
        sk_buffer_append_char(out, '"');
        write_placeholder(out, image);
        sk_buffer_append_char(out, '"');
    } else if (image != NULL) {
        write_attachment(out, image);
    } else if (value->type == SK_JSON_ARRAY && reply->attachments.count > 0) {
        sk_json_cursor_t cursor = sk_json_enter(value);
        sk_json_span_t item;

        sk_buffer_append_char(out, '[');
        for (bool first = true; sk_json_next(&cursor, NULL, &item); first = false) {
            if (!first) {
                sk_buffer_append_char(out, ',');
            }
            write_result(reply, out, &item, is_text);
        }
        sk_buffer_append_char(out, ']');
    } else {
        sk_json_compact(out, value);
    }
}

/* Images and plain texts, each on a line of its own. Of other forms the text has been printed or
 * is the result. */
static void write_displays_text(const reply_t *reply, sk_buffer_t *out, bool has_result)
{
    sk_json_cursor_t cursor = sk_json_enter(&reply->displays);
    sk_json_span_t item;
    sk_json_span_t text;

    while (sk_json_next(&cursor, NULL, &item)) {
        const attachment_t *attachment = attachments_find(&reply->attachments, &item);

        if (attachment != NULL && !attachment_is_image(attachment)) {
            continue;
        }
        if (has_result) {
            sk_buffer_append_char(out, '\n');
        }
        has_result = true;
        if (attachment != NULL) {
            write_placeholder(out, attachment);
        } else if (member(&item, "text", &text) && text.type == SK_JSON_STRING) {
            sk_json_string_append(out, &text);
        } else {
            sk_buffer_append_text(out, "[a display that is not readable]");
        }
    }
}

/* What no attachment was made of is given as it is. */
static void write_displays_value(const reply_t *reply, sk_buffer_t *out)
{
    sk_json_cursor_t cursor = sk_json_enter(&reply->displays);
    sk_json_span_t item;
    const char *separator = "";

    sk_buffer_append_text(out, ",\"displays\":[");
    while (sk_json_next(&cursor, NULL, &item)) {
        sk_buffer_append_text(out, separator);
        separator = ",";
        write_result(reply, out, &item, false);
    }
    sk_buffer_append_char(out, ']');
}

void reply_write_text(const reply_t *reply, sk_buffer_t *out)
{
    sk_buffer_append_text(out, "Status:\n");
    append_buffer(out, &reply->status);
    sk_buffer_append_text(out, "\nResult:\n");
    const size_t start = out->size;
    if (reply->result.text != NULL) {
        const attachment_t *image = attachments_find(&reply->attachments, &reply->result);

        if (image != NULL) {
            write_placeholder(out, image);
        } else if (reply->result.type == SK_JSON_STRING) {
            sk_json_string_append(out, &reply->result);
        } else {
            write_result(reply, out, &reply->result, true);
        }
    }
    if (reply->displays.text != NULL) {
        write_displays_text(reply, out, out->size > start);
    }
    sk_buffer_append_text(out, "\nStdout:\n");
    append_buffer(out, &reply->out);
    sk_buffer_append_text(out, "\nStderr:\n");
    append_buffer(out, &reply->err);
}

static void write_string(sk_buffer_t *out, const char *key, const sk_buffer_t *text)
{
    sk_buffer_appendf(out, "\"%s\":", key);
    sk_json_write_string(out, sk_buffer_text(text), text->size);
}

static void write_optional(sk_buffer_t *out, const char *key, const sk_json_span_t *value)
{
    if (value->text != NULL) {
        sk_buffer_appendf(out, ",\"%s\":", key);
        sk_json_compact(out, value);
    }
}

void reply_write_value(const reply_t *reply, sk_buffer_t *out)
{
    sk_buffer_append_char(out, '{');
    write_string(out, "status", &reply->status);
    sk_buffer_appendf(out, ",\"succeeded\":%s,\"result\":", reply->succeeded ? "true" : "false");
    if (reply->result.text != NULL) {
        write_result(reply, out, &reply->result, false);
    } else {
        sk_buffer_append_text(out, "null");
    }
    if (reply->displays.text != NULL) {
        write_displays_value(reply, out);
    }
    sk_buffer_append_char(out, ',');
    write_string(out, "stdout", &reply->out);
    sk_buffer_append_char(out, ',');
    write_string(out, "stderr", &reply->err);
    if (reply->failure != NULL) {
        sk_buffer_appendf(out, ",\"failure\":\"%s\"", reply->failure);
    }
    write_optional(out, "session_state", &reply->session_state);
    write_optional(out, "execution_time_ms", &reply->milliseconds);
    write_optional(out, "execution_id", &reply->execution_id);
    if (reply->error_code.size > 0 || reply->error_message.size > 0) {
        sk_buffer_append_text(out, ",\"error\":{");
        write_string(out, "code", &reply->error_code);
        sk_buffer_append_char(out, ',');
        write_string(out, "message", &reply->error_message);
        sk_buffer_append_char(out, '}');
    }
    sk_buffer_append_char(out, '}');
}
