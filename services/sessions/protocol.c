/*
 * protocol.c - from a request to a session's execution and back to JSON.
 *
 * Errors come in the service's forms: most as {"error":{"code","message"}}, too
 * many sessions as {"code","message"}, malformed JSON as problem+json, an unknown
 * api-version as 401 without a body.
 */
#include "protocol.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <alloc.h>
#include <json.h>
#include <text.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define TYPE_JSON     "application/json; charset=utf-8"
#define TYPE_PROBLEM  "application/problem+json; charset=utf-8"
#define TIMEOUT_MAX_S 220

/* ---- versions ---- */

typedef struct version {
    const char *name;
    unsigned executed; /* status of an answered execution */
    size_t characters; /* of each output stream unless the request says; 0: the server's limit */
    bool output_limit; /* knows outputStreamsMaxLength, useEmptyKernel, the Jupyter format */
} version_t;

static const version_t versions[] = {
    {"2024-10-02-preview", 202, 0, false},
    {"2025-02-02-preview", 202, 0, false},
    {"2025-10-02-preview", 200, 4096, true},
};

/* A request on its way: what is known of it so far. */
typedef struct call {
    protocol_t *protocol;
    request_t *request;
    const version_t *version;
    const char *identifier;
    const char *id; /* of an execution in the path; NULL */
    size_t id_size;
} call_t;

/* A caller that waits for an execution's end. */
typedef struct pending {
    waiter_t waiter; /* first: they share an address */
    request_t *request;
    execution_t *execution;
    const version_t *version;
    char identifier[IDENTIFIER_MAX + 1];
} pending_t;

/* ---- ids ---- */

/* 128 random bits in the form of a GUID. */
static void make_id(char id[EXECUTION_ID_MAX + 1])
{
    unsigned char bits[16] = {0};

    (void)!getrandom(bits, sizeof(bits), 0);
    bits[6] = (unsigned char)((bits[6] & 0x0F) | 0x40);
    bits[8] = (unsigned char)((bits[8] & 0x3F) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof(bits); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            id[at++] = '-';
        }
        (void)snprintf(id + at, 3, "%02x", bits[i]);
        at += 2;
    }
}

/* 4 to 128 printable ASCII characters without blank and backslash. */
static bool is_identifier(const char *text)
{
    size_t length = strlen(text);

    if (length < IDENTIFIER_MIN || length > IDENTIFIER_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '\\') {
            return false;
        }
    }
    return true;
}

/* ---- errors ---- */

static void refuse(const call_t *call, unsigned status, const char *code, const char *target,
                   const char *message)
{
    char trace[EXECUTION_ID_MAX + 1];
    sk_buffer_t body = SK_BUFFER_INIT;

    make_id(trace);
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

static void refuse_value(const call_t *call, const char *target, const char *message)
{
    refuse(call, 400, "SessionRequestValidationFailed", target, message);
}

static void refuse_json(const call_t *call, const char *message)
{
    char trace[EXECUTION_ID_MAX + 1];
    sk_buffer_t body = SK_BUFFER_INIT;

    make_id(trace);
    sk_buffer_append_text(&body, "{\"type\":\"https://tools.ietf.org/html/rfc9110#section-15.5.1\","
                                 "\"title\":\"One or more validation errors occurred.\","
                                 "\"status\":400,\"errors\":{\"$\":[");
    sk_json_write_text(&body, message);
    sk_buffer_appendf(&body, "]},\"traceId\":\"%s\"}", trace);
    request_answer_take(call->request, 400, TYPE_PROBLEM, &body);
}

/* `top_level`: the one code that the service does not wrap. */
static void refuse_for_now(const call_t *call, const char *code, bool top_level, unsigned seconds,
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

/* ---- answers ---- */

static const char *status_of(const execution_t *execution)
{
    switch (execution->state) {
    case EXECUTION_QUEUED:
        return "NotStarted";
    case EXECUTION_RUNNING:
        return "Running";
    case EXECUTION_ENDED:
        break;
    }
    switch (execution->outcome) {
    case OUTCOME_SUCCEEDED:
        return "Succeeded";
    case OUTCOME_CANCELED:
        return "Canceled";
    case OUTCOME_FAILED:
    case OUTCOME_BUSY:
    case OUTCOME_NOT_STARTED:
        break;
    }
    return "Failed";
}

static void write_result(sk_buffer_t *body, const execution_t *execution)
{
    sk_buffer_append_text(body, "{\"stdout\":");
    sk_json_write_string(body, sk_buffer_text(&execution->output), execution->output.size);
    sk_buffer_append_text(body, ",\"stderr\":");
    sk_json_write_string(body, sk_buffer_text(&execution->errors), execution->errors.size);
    sk_buffer_append_text(body, ",\"executionResult\":");
    if (execution->result.size > 0) {
        sk_buffer_append(body, execution->result.data, execution->result.size);
    } else {
        sk_buffer_append_text(body, "\"\"");
    }
    sk_buffer_appendf(body, ",\"executionTimeInMilliseconds\":%lld}", (long long)execution->ms);
}

static void answer_execution(request_t *request, const execution_t *execution,
                             const char *identifier, unsigned status)
{
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_append_text(&body, "{\"id\":");
    sk_json_write_text(&body, execution->wish.id);
    sk_buffer_append_text(&body, ",\"identifier\":");
    sk_json_write_text(&body, identifier);
    sk_buffer_appendf(&body, ",\"executionType\":\"%s\",\"status\":\"%s\"",
                      execution->wish.asynchronous ? "Asynchronous" : "Synchronous",
                      status_of(execution));
    if (execution->state == EXECUTION_ENDED) {
        sk_buffer_append_text(&body, ",\"result\":");
        write_result(&body, execution);
        sk_buffer_appendf(&body, ",\"sessionState\":\"%s\"",
                          execution->state_lost ? "lost" : "kept");
    }
    sk_buffer_append_char(&body, '}');
    request_add_header(request, "operation-id", execution->wish.id);
    request_answer_take(request, status, TYPE_JSON, &body);
}

static void answer_ended(const call_t *call, const execution_t *execution)
{
    if (execution->outcome == OUTCOME_BUSY) {
        refuse_for_now(call, "SessionBusy", false, 1,
                       "waited too long behind other executions of the session");
    } else if (execution->outcome == OUTCOME_NOT_STARTED) {
        refuse(call, 503, "SessionNotStarted", NULL, sk_buffer_text(&execution->errors));
    } else {
        answer_execution(call->request, execution, call->identifier, call->version->executed);
    }
}

/* ---- executions: the wait ---- */

static void pending_on_end(waiter_t *waiter, execution_t *execution)
{
    pending_t *pending = (pending_t *)waiter;
    const call_t call = {NULL, pending->request, pending->version, pending->identifier, NULL, 0};

    answer_ended(&call, execution);
    sk_free(pending);
}

static void pending_on_hang_up(request_t *request)
{
    pending_t *pending = request_data(request);

    request_set_data(request, NULL, NULL);
    execution_remove_waiter(pending->execution, &pending->waiter);
    /* the connection is resumed, so that the library sees the end of it, too */
    request_answer_take(request, 499, NULL, NULL);
    sk_free(pending);
}

static pending_t *pending_new(const call_t *call, execution_t *execution)
{
    pending_t *pending = sk_calloc(1, sizeof(*pending));

    if (pending != NULL) {
        pending->waiter.on_end = pending_on_end;
        pending->request = call->request;
        pending->execution = execution;
        pending->version = call->version;
        (void)snprintf(pending->identifier, sizeof(pending->identifier), "%s", call->identifier);
        execution_add_waiter(execution, &pending->waiter);
        request_set_data(call->request, pending, pending_on_hang_up);
    }
    return pending;
}

static void answer_started(const call_t *call, const execution_t *execution)
{
    sk_buffer_t location = SK_BUFFER_INIT;

    sk_buffer_appendf(&location, "/executions/%s?api-version=%s&identifier=", execution->wish.id,
                      call->version->name);
    for (const char *at = call->identifier; *at != '\0'; at++) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-._~";
        if (strchr(plain, *at) != NULL) {
            sk_buffer_append_char(&location, *at);
        } else {
            sk_buffer_appendf(&location, "%%%02X", (unsigned)(unsigned char)*at);
        }
    }
    request_add_header(call->request, "Operation-Location", sk_buffer_text(&location));
    sk_buffer_fini(&location);
    answer_execution(call->request, execution, call->identifier, 202);
}

/* ---- executions: the request ---- */

static bool equals(const sk_json_span_t *text, const char *name)
{
    return text->plain && text->size == strlen(name) + 2 &&
           strncasecmp(text->text + 1, name, strlen(name)) == 0;
}

/* A member that is there and not null; of another type than this the request is refused. */
static bool find_member(const call_t *call, const sk_json_span_t *body, const char *name,
                        sk_json_type_t type, sk_json_span_t *value, bool *refused)
{
    char message[160];

    if (!sk_json_member(body, name, value) || value->type == SK_JSON_NULL) {
        return false;
    }
    if (value->type != type) {
        (void)snprintf(message, sizeof(message), "%s must be of type %s, not %s", name,
                       sk_json_type_name(type), sk_json_type_name(value->type));
        refuse_value(call, name, message);
        *refused = true;
        return false;
    }
    return true;
}

/* A whole number within bounds; true also if it is absent, and then `number` stays. */
static bool read_number(const call_t *call, const sk_json_span_t *body, const char *name,
                        int64_t smallest, int64_t largest, int64_t *number)
{
    sk_json_span_t value;
    char message[160];
    bool refused = false;

    if (!find_member(call, body, name, SK_JSON_NUMBER, &value, &refused)) {
        return !refused;
    }
    if (sk_json_integer(&value, number) != SK_JSON_INTEGER || *number < smallest ||
        *number > largest) {
        (void)snprintf(message, sizeof(message), "%s must be a whole number from %lld to %lld",
                       name, (long long)smallest, (long long)largest);
        refuse_value(call, name, message);
        return false;
    }
    return true;
}

static bool read_boolean(const call_t *call, const sk_json_span_t *body, const char *name,
                         bool *value_out)
{
    sk_json_span_t value;
    bool refused = false;

    if (find_member(call, body, name, SK_JSON_BOOLEAN, &value, &refused)) {
        *value_out = value.text[0] == 't';
    }
    return !refused;
}

/* One of the names, in any letter case; its index. */
static bool read_choice(const call_t *call, const sk_json_span_t *body, const char *name,
                        const char *const *choices, size_t count, size_t *index)
{
    sk_json_span_t value;
    char message[160];
    bool refused = false;

    if (!find_member(call, body, name, SK_JSON_STRING, &value, &refused)) {
        return !refused;
    }
    size_t length = (size_t)snprintf(message, sizeof(message), "%s must be one of", name);
    for (*index = 0; *index < count; ++*index) {
        if (equals(&value, choices[*index])) {
            return true;
        }
        length +=
            (size_t)snprintf(message + length, sizeof(message) - length, " %s", choices[*index]);
    }
    refuse_value(call, name, message);
    return false;
}

/* The code as UTF-8, owned by the caller; NULL if the request was refused. */
static char *read_code(const call_t *call, const sk_json_span_t *body, bool base64,
                       size_t *size_out)
{
    sk_json_span_t value;
    sk_buffer_t decoded = SK_BUFFER_INIT;
    bool refused = false;

    if (!find_member(call, body, "code", SK_JSON_STRING, &value, &refused)) {
        if (!refused) {
            refuse(call, 400, "SessionPropertiesMissing", "code",
                   "the required property code is missing from the request body");
        }
        return NULL;
    }
    char *code = sk_json_string_copy(&value, size_out);
    if (code != NULL && base64) {
        bool right = sk_base64_decode(code, *size_out, &decoded) &&
                     sk_utf8_is_valid(sk_buffer_text(&decoded), decoded.size, NULL);
        sk_free(code);
        code = right ? sk_buffer_take(&decoded, size_out) : NULL;
        sk_buffer_fini(&decoded);
        if (code == NULL) {
            refuse_value(call, "code", "code must be base64 of UTF-8 text");
            return NULL;
        }
    }
    if (code == NULL) {
        refuse(call, 503, "OutOfMemory", NULL, "the server is out of memory");
    } else if (*size_out > PROTOCOL_CODE_MAX) {
        refuse_value(call, "code", "code must be at most 1 MiB long");
        sk_free(code);
        code = NULL;
    }
    return code;
}

static bool refuse_unsupported(const call_t *call, const sk_json_span_t *body)
{
    static const char *const members[] = {"shellCommand", "execCommandAndArgs", "stdin"};
    sk_json_span_t value;
    char message[160];

    if (sk_json_member(body, "properties", &value)) {
        refuse(call, 400, "SessionPropertiesMissing", "properties",
               "this api-version takes a flat request body, without properties");
        return true;
    }
    for (size_t i = 0; i < COUNT(members); i++) {
        if (sk_json_member(body, members[i], &value) && value.type != SK_JSON_NULL) {
            (void)snprintf(message, sizeof(message),
                           "%s is for shell sessions; this pool runs "
                           "Python code",
                           members[i]);
            refuse(call, 400, "SessionRequestNotSupported", members[i], message);
            return true;
        }
    }
    return false;
}

/* What is asked for, apart from the code. */
static bool read_wish(const call_t *call, const sk_json_span_t *body, execution_wish_t *wish,
                      size_t *input)
{
    static const char *const inputs[] = {"Inline", "InlineText", "InlineBase64"};
    static const char *const types[] = {"Synchronous", "Asynchronous"};
    int64_t timeout_s = call->protocol->plan->config->timeout;
    int64_t characters = (int64_t)call->version->characters;
    size_t type = 0;
    bool empty_kernel = false;

    if (!read_choice(call, body, "codeInputType", inputs, COUNT(inputs), input) ||
        !read_choice(call, body, "executionType", types, COUNT(types), &type) ||
        !read_number(call, body, "timeoutInSeconds", 1, TIMEOUT_MAX_S, &timeout_s)) {
        return false;
    }
    if (call->version->output_limit &&
        (!read_number(call, body, "outputStreamsMaxLength", 1, INT32_MAX, &characters) ||
         !read_boolean(call, body, "useEmptyKernel", &empty_kernel) ||
         !read_boolean(call, body, "returnJupyterFormat", &wish->as_repr) ||
         !read_boolean(call, body, "returnJupyterFormatExecutionResult", &wish->as_repr))) {
        return false;
    }
    if (empty_kernel) {
        refuse(call, 400, "SessionRequestNotSupported", "useEmptyKernel",
               "useEmptyKernel is not supported by this pool: use another identifier");
        return false;
    }
    wish->asynchronous = type == 1;
    wish->timeout_s = (unsigned)timeout_s;
    wish->characters = (size_t)characters;
    return true;
}

/* The client may choose the id; with an id of before it gets that execution again. */
static bool read_id(const call_t *call, execution_wish_t *wish)
{
    const char *id = request_header(call->request, "operation-id");

    if (id == NULL) {
        make_id(wish->id);
        return true;
    }
    if (strlen(id) == 0 || strlen(id) > EXECUTION_ID_MAX ||
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") !=
            strlen(id)) {
        refuse_value(call, "operation-id",
                     "operation-id must have 1 to 128 letters, digits and -._~");
        return false;
    }
    (void)snprintf(wish->id, sizeof(wish->id), "%s", id);
    return true;
}

static void refuse_session(const call_t *call)
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

/* Hand the code to the session; the answer comes when it ends, or now if asynchronous. */
static void submit_take(const call_t *call, session_t *session, const execution_wish_t *wish,
                        char *code, size_t code_size)
{
    execution_t *execution = execution_new_take(call->protocol->plan, wish, code, code_size);
    pending_t *pending =
        execution == NULL || wish->asynchronous ? NULL : pending_new(call, execution);

    if (execution == NULL || (pending == NULL && !wish->asynchronous)) {
        refuse(call, 503, "OutOfMemory", NULL, "the server is out of memory");
    } else if (!session_submit_take(session, execution)) {
        request_set_data(call->request, NULL, NULL);
        sk_free(pending);
        refuse_for_now(call, "SessionBusy", false, 1,
                       "other executions of the session are waiting already");
    } else {
        if (wish->asynchronous) {
            answer_started(call, execution);
        }
        return;
    }
    if (execution != NULL) {
        execution_release(execution);
    }
}

static void repeat(const call_t *call, execution_t *execution)
{
    if (execution->state == EXECUTION_ENDED) {
        answer_ended(call, execution);
    } else if (execution->wish.asynchronous) {
        answer_started(call, execution);
    } else if (pending_new(call, execution) == NULL) {
        refuse(call, 503, "OutOfMemory", NULL, "the server is out of memory");
    }
}

static void post_execution(const call_t *call)
{
    sk_json_span_t body;
    sk_json_error_t error;
    execution_wish_t wish = {.as_repr = false};
    const sk_json_limits_t limits = {SK_JSON_STRICT, PROTOCOL_BODY_MAX, 0};
    size_t size = 0;
    size_t input = 0;
    const char *text = request_body(call->request, &size);

    if (sk_json_scan(text, size, &limits, &body, &error) != SK_JSON_OK) {
        refuse_json(call, error.text);
        return;
    }
    if (body.type != SK_JSON_OBJECT) {
        refuse_json(call, "the request body must be a JSON object");
        return;
    }
    if (refuse_unsupported(call, &body) || !read_wish(call, &body, &wish, &input) ||
        !read_id(call, &wish)) {
        return;
    }
    char *code = read_code(call, &body, input == 2, &size);
    if (code == NULL) {
        return;
    }
    if (pool_is_closing(call->protocol->pool)) {
        sk_free(code);
        refuse(call, 503, "ServiceUnavailable", NULL, "the session pool is shutting down");
        return;
    }
    session_t *session = session_open(call->protocol->pool, call->identifier);
    execution_t *earlier = session == NULL ? NULL : session_find_execution(session, wish.id);
    if (session == NULL || earlier != NULL) {
        sk_free(code);
    }
    if (session == NULL) {
        refuse_session(call);
    } else if (earlier != NULL) {
        repeat(call, earlier);
    } else {
        submit_take(call, session, &wish, code, size);
    }
}

static void get_execution(const call_t *call)
{
    char id[EXECUTION_ID_MAX + 1];
    execution_t *execution = NULL;
    session_t *session = session_find(call->protocol->pool, call->identifier);

    if (session != NULL && call->id_size <= EXECUTION_ID_MAX) {
        (void)snprintf(id, sizeof(id), "%.*s", (int)call->id_size, call->id);
        session_touch(session);
        execution = session_find_execution(session, id);
    }
    if (execution == NULL) {
        refuse(call, 404, "ExecutionNotFound", NULL,
               "the session has no execution of this id, or it was too long ago");
    } else {
        answer_execution(call->request, execution, call->identifier, 200);
    }
}

/* ---- sessions and pool ---- */

static void delete_session(const call_t *call)
{
    session_t *session = session_find(call->protocol->pool, call->identifier);

    if (session != NULL) {
        session_remove(session, "the session was deleted");
    }
    request_answer_take(call->request, 204, NULL, NULL);
}

static void write_time(sk_buffer_t *body, const struct timespec *time)
{
    struct tm utc;
    char text[32];

    (void)gmtime_r(&time->tv_sec, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    sk_buffer_appendf(body, "\"%s.%07ldZ\"", text, time->tv_nsec / 100);
}

static void get_metadata(const call_t *call)
{
    const config_t *config = call->protocol->plan->config;
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_append_text(&body, "{\"runtimes\":[{\"name\":\"Python\",\"version\":");
    sk_json_write_text(&body, pool_python(call->protocol->pool));
    sk_buffer_append_text(&body, "}],\"createdAt\":");
    write_time(&body, &call->protocol->started);
    sk_buffer_append_text(&body, ",\"lastUpdatedAt\":");
    write_time(&body, &call->protocol->started);
    sk_buffer_appendf(&body, ",\"sandbox\":{\"level\":\"%s\",\"selfTest\":\"passed\"}",
                      level_name(call->protocol->plan->facility->level));
    sk_buffer_appendf(
        &body,
        ",\"limits\":{\"sessions\":%lld,\"timeoutInSeconds\":%d,\"memoryInBytes\":%lld,"
        "\"addressSpaceInBytes\":%lld,\"processes\":%lld,\"dataInBytes\":%lld,"
        "\"dataInodes\":%lld,\"outputInBytes\":%lld,\"codeInBytes\":%d,"
        "\"cooldownInSeconds\":%lld}}",
        (long long)config->max_sessions, TIMEOUT_MAX_S, (long long)config->memory,
        (long long)config->address_space, (long long)config->processes,
        (long long)config->data_size, (long long)config->data_inodes,
        (long long)config->output_limit, PROTOCOL_CODE_MAX, (long long)config->cooldown);
    request_answer_take(call->request, 200, TYPE_JSON, &body);
}

/* ---- routes ---- */

typedef enum operand { OPERAND_NONE, OPERAND_SESSION } operand_t;

static const struct route {
    const char *method;
    const char *name; /* last segment of the path, or the last but one with an id behind it */
    bool with_id;
    operand_t operand;
    void (*handle)(const call_t *call);
} routes[] = {
    {"POST", "executions", false, OPERAND_SESSION, post_execution},
    {"GET", "executions", true, OPERAND_SESSION, get_execution},
    {"DELETE", "session", false, OPERAND_SESSION, delete_session},
    {"GET", "metadata", false, OPERAND_NONE, get_metadata},
};

/* The segment that ends at *end, without slashes; moves *end in front of it. */
static const char *last_segment(const char *path, const char **end, size_t *size)
{
    while (*end > path && (*end)[-1] == '/') {
        --*end;
    }
    const char *stop = *end;
    while (*end > path && (*end)[-1] != '/') {
        --*end;
    }
    *size = (size_t)(stop - *end);
    return *end;
}

static bool is_named(const char *segment, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(segment, name, size) == 0;
}

/* The route of this path, and of this method if there is one. */
static const struct route *find_route(const call_t *call, const char **id, size_t *id_size)
{
    const char *path = request_path(call->request);
    const char *end = path + strlen(path);
    const struct route *found = NULL;
    size_t last_size = 0;
    size_t before_size = 0;

    const char *last = last_segment(path, &end, &last_size);
    const char *before = last_segment(path, &end, &before_size);
    for (size_t i = 0; i < COUNT(routes); i++) {
        const struct route *route = &routes[i];
        if (route->with_id ? is_named(before, before_size, route->name)
                           : is_named(last, last_size, route->name)) {
            *id = route->with_id ? last : NULL;
            *id_size = last_size;
            found = route;
            if (strcmp(route->method, request_method(call->request)) == 0) {
                return route;
            }
        }
    }
    return found;
}

static const version_t *find_version(const char *name)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            return &versions[i];
        }
    }
    return NULL;
}

void protocol_handle(request_t *request, void *data)
{
    call_t call = {data, request, NULL, NULL, NULL, 0};
    const struct route *route = find_route(&call, &call.id, &call.id_size);
    const char *version = request_query(request, "api-version");

    if (route == NULL) {
        refuse(&call, 404, "NotFound", NULL,
               "no operation has this path: POST and GET executions, DELETE session and GET "
               "metadata are served");
        return;
    }
    if (strcmp(route->method, request_method(request)) != 0) {
        request_add_header(request, "Allow", route->method);
        refuse(&call, 405, "MethodNotAllowed", NULL, "this path takes another method");
        return;
    }
    if (version == NULL || *version == '\0') {
        refuse_value(&call, "api-version", "the query parameter api-version is missing");
        return;
    }
    call.version = find_version(version);
    if (call.version == NULL) {
        request_answer_take(request, 401, NULL, NULL);
        return;
    }
    call.identifier = request_query(request, "identifier");
    if (route->operand == OPERAND_SESSION &&
        (call.identifier == NULL || !is_identifier(call.identifier))) {
        refuse_value(&call, "identifier",
                     call.identifier == NULL
                         ? "the query parameter identifier is missing"
                         : "the identifier must have 4 to 128 printable ASCII characters without "
                           "blank and backslash");
        return;
    }
    route->handle(&call);
}
