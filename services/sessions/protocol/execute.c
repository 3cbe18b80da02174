/*
 * execute.c - from a request's body to an execution, and the wait for its end.
 */
#include "execute.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <alloc.h>
#include <json.h>
#include <text.h>

#include "answer.h"
#include "base/guid.h"
#include "reply.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A caller that waits for an execution's end. */
typedef struct pending {
    waiter_t waiter; /* first: they share an address */
    call_t *call;
    execution_t *execution;
} pending_t;

/* ---- the wait ---- */

static void pending_on_end(waiter_t *waiter, execution_t *execution)
{
    pending_t *pending = (pending_t *)waiter;

    answer_ended(pending->call, execution);
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

static pending_t *pending_new(call_t *call, execution_t *execution)
{
    pending_t *pending = sk_calloc(1, sizeof(*pending));

    if (pending != NULL) {
        pending->waiter.on_end = pending_on_end;
        pending->call = call;
        pending->execution = execution;
        execution_add_waiter(execution, &pending->waiter);
        request_set_data(call->request, pending, pending_on_hang_up);
    }
    return pending;
}

/* ---- the request ---- */

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

/* The code is called that, or in requests of family A also as its first operation had it. */
static bool find_code(const call_t *call, const sk_json_span_t *body, sk_json_span_t *value,
                      bool *refused)
{
    return find_member(call, body, "code", SK_JSON_STRING, value, refused) ||
           (!*refused && call->version->family == FAMILY_A &&
            find_member(call, body, "pythonCode", SK_JSON_STRING, value, refused));
}

/* The code as UTF-8, owned by the caller; NULL if the request was refused. */
static char *read_code(const call_t *call, const sk_json_span_t *body, bool base64,
                       size_t *size_out)
{
    sk_json_span_t value;
    sk_buffer_t decoded = SK_BUFFER_INIT;
    bool refused = false;

    if (!find_code(call, body, &value, &refused)) {
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
        refuse_out_of_memory(call);
    } else if (*size_out > PROTOCOL_CODE_MAX) {
        refuse_value(call, "code", "code must be at most 1 MiB long");
        sk_free(code);
        code = NULL;
    }
    return code;
}

/* The object that says what to run: the body itself, or its member `properties`. Each family has
 * the one shape; the legacy operation, and any with --lenient, takes both. */
static bool unwrap(const call_t *call, sk_json_span_t *body)
{
    const bool wraps = call->version->family == FAMILY_A;
    const bool lenient = call->bare || call->protocol->plan->config->lenient;
    sk_json_span_t properties;
    const bool wrapped = sk_json_member(body, "properties", &properties);

    if (wrapped != wraps && !lenient) {
        refuse(call, 400, "SessionPropertiesMissing", "properties",
               wraps ? "this api-version takes a request body wrapped in properties"
                     : "this api-version takes a flat request body, without properties");
        return false;
    }
    if (wrapped && properties.type != SK_JSON_OBJECT) {
        refuse(call, 400, "SessionPropertiesMissing", "properties", "properties must be an object");
        return false;
    }
    if (wrapped) {
        *body = properties;
    }
    return true;
}

/* In family A the identifier may come in the body, and the one in the query goes before it. */
static bool read_identifier(call_t *call, const sk_json_span_t *body)
{
    sk_json_span_t value;
    bool refused = false;

    if (call->identifier != NULL) {
        return true;
    }
    if (find_member(call, body, "identifier", SK_JSON_STRING, &value, &refused) &&
        value.size <= sizeof(call->body_identifier)) {
        call->body_identifier[sk_json_string_decode(&value, call->body_identifier)] = '\0';
        call->identifier = call->body_identifier;
    }
    if (!refused && (call->identifier == NULL || !call_is_identifier(call->identifier))) {
        refuse_value(call, "identifier",
                     "the identifier, in the query or in properties, must have 4 to 128 printable "
                     "ASCII characters without blank and backslash");
        refused = true;
    }
    return !refused;
}

static bool refuse_unsupported(const call_t *call, const sk_json_span_t *body)
{
    static const char *const members[] = {"shellCommand", "execCommandAndArgs", "stdin"};
    sk_json_span_t value;
    char message[160];

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

    if (!read_choice(call, body, "codeInputType", inputs, COUNT(inputs), input) ||
        !read_choice(call, body, "executionType", types, COUNT(types), &type) ||
        !read_number(call, body, "timeoutInSeconds", 1, PROTOCOL_TIMEOUT_MAX_S, &timeout_s)) {
        return false;
    }
    if (call->version->newest &&
        (!read_number(call, body, "outputStreamsMaxLength", 1, INT32_MAX, &characters) ||
         !read_boolean(call, body, "useEmptyKernel", &wish->apart) ||
         !read_boolean(call, body, "returnJupyterFormat", &wish->as_repr) ||
         !read_boolean(call, body, "returnJupyterFormatExecutionResult", &wish->as_repr))) {
        return false;
    }
    if (type == 1 && call->version->family == FAMILY_A) {
        refuse(call, 400, "SessionRequestNotSupported", "executionType",
               "this api-version has synchronous executions only");
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
        guid_make(wish->id);
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

/* ---- the operations ---- */

/* Hand the code to the session; the answer comes when it ends, or now if asynchronous. */
static void submit_take(call_t *call, session_t *session, const execution_wish_t *wish, char *code,
                        size_t code_size)
{
    struct timespec now;
    execution_t *execution = execution_new_take(call->protocol->plan, wish, code, code_size);
    pending_t *pending =
        execution == NULL || wish->asynchronous ? NULL : pending_new(call, execution);

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    call->queued_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (execution == NULL || (pending == NULL && !wish->asynchronous)) {
        refuse_out_of_memory(call);
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

static void repeat(call_t *call, execution_t *execution)
{
    if (execution->state == EXECUTION_ENDED) {
        answer_ended(call, execution);
    } else if (execution->wish.asynchronous) {
        answer_started(call, execution);
    } else if (pending_new(call, execution) == NULL) {
        refuse_out_of_memory(call);
    }
}

void execute_post(call_t *call)
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
    if (!unwrap(call, &body) || !read_identifier(call, &body) || refuse_unsupported(call, &body) ||
        !read_wish(call, &body, &wish, &input) || !read_id(call, &wish)) {
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
    call->new_session = session_find(call->protocol->pool, call->identifier) == NULL;
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

void execute_post_legacy(call_t *call)
{
    call->bare = true;
    execute_post(call);
}

void execute_get(call_t *call)
{
    char id[EXECUTION_ID_MAX + 1];
    execution_t *execution = NULL;
    session_t *session = session_find(call->protocol->pool, call->identifier);

    if (session != NULL && call->name_size <= EXECUTION_ID_MAX) {
        (void)snprintf(id, sizeof(id), "%.*s", (int)call->name_size, call->name);
        session_touch(session);
        execution = session_find_execution(session, id);
    }
    if (execution == NULL) {
        refuse(call, 404, "ExecutionNotFound", NULL,
               "the session has no execution of this id, or it was too long ago");
    } else {
        answer_execution(call, execution, 200);
    }
}
