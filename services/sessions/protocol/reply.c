/*
 * reply.c - errors in the service's forms.
 *
 * Most come as {"error":{"code","message"}}, too many sessions as
 * {"code","message"}, malformed JSON as problem+json, an unknown api-version as
 * 401 without a body.
 */
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json.h>

#include "base/guid.h"

#define TYPE_PROBLEM "application/problem+json; charset=utf-8"

void refuse(const call_t *call, unsigned status, const char *code, const char *target,
            const char *message)
{
    char trace[GUID_SIZE];
    sk_buffer_t body = SK_BUFFER_INIT;

    guid_make(trace);
    sk_buffer_append_text(&body, "{\"error\":{\"code\":");
    sk_json_write_text(&body, code);
    sk_buffer_append_text(&body, ",\"message\":");
    sk_json_write_text(&body, message);
    if (target != NULL) {
        sk_buffer_append_text(&body, ",\"target\":");
        sk_json_write_text(&body, target);
    }
    sk_buffer_appendf(&body, ",\"traceId\":\"%s\"}}", trace);
    request_add_header(call->request, "x-ms-error-code", code);
    request_answer_take(call->request, status, TYPE_JSON, &body);
}

void refuse_value(const call_t *call, const char *target, const char *message)
{
    refuse(call, 400, "SessionRequestValidationFailed", target, message);
}

void refuse_json(const call_t *call, const char *message)
{
    char trace[GUID_SIZE];
    sk_buffer_t body = SK_BUFFER_INIT;

    guid_make(trace);
    sk_buffer_append_text(&body, "{\"type\":\"https://tools.ietf.org/html/rfc9110#section-15.5.1\","
                                 "\"title\":\"One or more validation errors occurred.\","
                                 "\"status\":400,\"errors\":{\"$\":[");
    sk_json_write_text(&body, message);
    sk_buffer_appendf(&body, "]},\"traceId\":\"%s\"}", trace);
    request_answer_take(call->request, 400, TYPE_PROBLEM, &body);
}

void refuse_for_now(const call_t *call, const char *code, bool top_level, unsigned seconds,
                    const char *message)
{
    char after[16];
    sk_buffer_t body = SK_BUFFER_INIT;

    (void)snprintf(after, sizeof(after), "%u", seconds);
    request_add_header(call->request, "Retry-After", after);
    if (!top_level) {
        refuse(call, 429, code, NULL, message);
        return;
    }
    sk_buffer_append_text(&body, "{\"code\":");
    sk_json_write_text(&body, code);
    sk_buffer_append_text(&body, ",\"message\":");
    sk_json_write_text(&body, message);
    sk_buffer_append_char(&body, '}');
    request_add_header(call->request, "x-ms-error-code", code);
    request_answer_take(call->request, 429, TYPE_JSON, &body);
}

void refuse_session(const call_t *call)
{
    char message[200];
    size_t count = pool_session_count(call->protocol->pool);

    (void)snprintf(message, sizeof(message),
                   "The request sessions count is '1'. There are already '%zu' active sessions and "
                   "the maximum active sessions count is '%lld'.",
                   count, (long long)call->protocol->plan->config->max_sessions);
    refuse_for_now(call, "SessionsCountExceedsLimit", true, pool_retry_after(call->protocol->pool),
                   message);
}

void refuse_out_of_memory(const call_t *call)
{
    refuse(call, 503, "OutOfMemory", NULL, "the server is out of memory");
}

void reply_write_time(sk_buffer_t *body, const struct timespec *time, int digits)
{
    struct tm utc;
    char text[32];
    long fraction = digits == 7 ? time->tv_nsec / 100 : time->tv_nsec;

    (void)gmtime_r(&time->tv_sec, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    sk_buffer_appendf(body, "\"%s.%0*ldZ\"", text, digits, fraction);
}

static void write_encoded(sk_buffer_t *text, const char *value, size_t size, const char *plain)
{
    static const char always[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789-._~";

    for (size_t i = 0; i < size; i++) {
        if (memchr(always, value[i], sizeof(always) - 1) != NULL ||
            strchr(plain, value[i]) != NULL) {
            sk_buffer_append_char(text, value[i]);
        } else {
            sk_buffer_appendf(text, "%%%02X", (unsigned)(unsigned char)value[i]);
        }
    }
}

void reply_write_encoded(sk_buffer_t *text, const char *value)
{
    write_encoded(text, value, strlen(value), "");
}

/* A proxy in front that speaks TLS says so. */
void reply_write_link(sk_buffer_t *link, const call_t *call, const char *operation)
{
    const char *outside = request_header(call->request, "X-Forwarded-Proto");

    sk_buffer_appendf(link, "%s://%s",
                      outside != NULL && strcasecmp(outside, "https") == 0 ? "https" : "http",
                      request_header(call->request, "Host"));
    write_encoded(link, request_path(call->request), call->base_size, "/");
    sk_buffer_appendf(link, "%s?api-version=%s", operation, call->version->name);
    if (call->identifier != NULL) {
        sk_buffer_append_text(link, "&identifier=");
        reply_write_encoded(link, call->identifier);
    }
}

bool reply_read_skip(const call_t *call, size_t *skip)
{
    const char *value = request_query(call->request, "skip");

    if (value == NULL || *value == '\0') {
        return true;
    }
    if (strspn(value, "0123456789") != strlen(value) || strlen(value) > 9) {
        refuse_value(call, "skip", "skip must be a whole number");
        return false;
    }
    *skip = strtoul(value, NULL, 10);
    return true;
}
