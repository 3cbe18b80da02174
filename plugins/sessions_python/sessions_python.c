/*
 * sessions_python.c - plugin "sessions_python": Python in a session of a code
 * interpreter pool, a managed one in the cloud or the local one of this kernel.
 *
 * One call of execute_code is an execution. Its steps, all on the kernel's loop
 * thread:
 *
 *     execute_code            take the wrapping off the code
 *     execution_open          OPEN: ask for the local pool, which may have to start
 *     execution_on_pool
 *     execution_authorize     AUTHORIZE: a token for a managed pool
 *     execution_on_token
 *     execution_send          SEND: one request, never repeated by anybody below
 *     execution_on_answer     the outcome, or back to an earlier step ...
 *     execution_pause         PAUSE: ... after a while
 *     execution_on_pause
 *     execution_on_cancel     ... or nobody wants it any more
 *     execution_settle        DONE: the only exit
 *
 * Code must not run twice. So a request is sent again only when it is sure that
 * nothing ran: no connection, too many sessions (429), a token that was refused
 * (401, once), a body that should have had the other shape (400, once).
 *
 * What a pool reports about the code, an exception included, is a result. Logs
 * hold lengths, never code.
 */
#include <kernel/plugin.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include <alloc.h>
#include <buffer.h>
#include <json.h>

#include "code_cleanup.h"
#include "endpoint.h"
#include "remote_error.h"
#include "reply.h"

#define CONNECT_MS      10000
#define MARGIN_MS       30000 /* beside the execution: allocation, waiting behind another call */
#define ANSWER_MAX      ((uint64_t)64 * 1024 * 1024)
#define REPEATS_MAX     3
#define PAUSE_FIRST_MS  500
#define PAUSE_MAX_MS    8000
#define RETRY_AFTER_MAX 60000
#define DYING_MS        1000 /* a pool may take so long from cutting its connections to its end */
#define DYING_LOOK_MS   20

/* ---- the instance ---- */

enum { /* its configuration, in the order of KP_CONFIG */
       CONFIG_ENDPOINT,
       CONFIG_TOKEN_ENDPOINT,
       CONFIG_TOKEN,
       CONFIG_SESSION_ID,
       CONFIG_TIMEOUT,
       CONFIG_SANITIZE,
       CONFIG_API_VERSION,
       CONFIG_ALLOW_HTTP
};

typedef struct tool {
    const kp_loop *loop;
    const kp_http *http;
    const kp_sessions *sessions;     /* NULL: managed, or not installed */
    const kp_credential *credential; /* NULL: not needed, or not installed */
    endpoint_t endpoint;             /* of a managed pool */
    bool is_managed;
    const char *token_scope;
    const char *token; /* NULL: ask the credential service */
    const char *identifier;
    char made_identifier[IDENTIFIER_SIZE];
    const char *api_version;
    api_family_t family;
    unsigned timeout_seconds;
    bool sanitizes;
    /* [loop] alone */
    bool wraps_body; /* as the pool wants it */
    uint64_t last_id;
    char *lost_socket; /* owned; of the local pool that cut a connection last; NULL: none */
    uint64_t lost_at;
} tool_t;

static const char *tool_text(const kp_instance *instance, unsigned index)
{
    const kp_value *value = &instance->config[index];

    return value->type == KP_NULL || value->as.text.len == 0 ? NULL : value->as.text.ptr;
}

static int tool_read_config(tool_t *tool, kp_instance *instance)
{
    const char *endpoint = tool_text(instance, CONFIG_ENDPOINT);
    char error[256];

    tool->is_managed = endpoint != NULL;
    if (endpoint != NULL &&
        !endpoint_read(&tool->endpoint, endpoint,
                       instance->config[CONFIG_ALLOW_HTTP].as.boolean != 0, error, sizeof(error))) {
        kp_log(instance, KP_LOG_ERROR, "cannot use pool_management_endpoint: %s", error);
        return KP_E_INVALID;
    }
    tool->api_version = tool_text(instance, CONFIG_API_VERSION);
    if (tool->api_version == NULL || !api_version_read(tool->api_version, &tool->family)) {
        kp_log(instance, KP_LOG_ERROR,
               "cannot use api_version: it must be a date like 2024-10-02-preview");
        return KP_E_INVALID;
    }
    tool->wraps_body = tool->family == API_FAMILY_A;
    tool->identifier = tool_text(instance, CONFIG_SESSION_ID);
    if (tool->identifier == NULL) {
        if (!identifier_make(tool->made_identifier)) {
            kp_log(instance, KP_LOG_ERROR,
                   "cannot make a session_id: the system has no random "
                   "numbers; set one");
            return KP_E_UNAVAILABLE;
        }
        tool->identifier = tool->made_identifier;
    } else if (!identifier_is_legal(tool->identifier)) {
        kp_log(instance, KP_LOG_ERROR,
               "cannot use session_id: it must have 4 to 128 printable ASCII characters, no blank "
               "and no backslash");
        return KP_E_INVALID;
    }
    tool->token_scope = tool_text(instance, CONFIG_TOKEN_ENDPOINT);
    tool->token = tool_text(instance, CONFIG_TOKEN);
    tool->timeout_seconds = (unsigned)instance->config[CONFIG_TIMEOUT].as.integer;
    tool->sanitizes = instance->config[CONFIG_SANITIZE].as.boolean != 0;
    return KP_OK;
}

static void tool_free(tool_t *tool)
{
    endpoint_fini(&tool->endpoint);
    sk_free(tool->lost_socket);
    sk_free(tool);
}

static int tool_create(kp_instance *instance)
{
    tool_t *tool = sk_calloc(1, sizeof(*tool));
    int status = KP_E_NO_MEMORY;

    if (tool == NULL) {
        return status;
    }
    status = tool_read_config(tool, instance);
    if (status != KP_OK) {
        tool_free(tool);
        return status;
    }
    tool->loop = kp_extension(instance, KP_EXT_LOOP);
    tool->http = kp_extension(instance, KP_EXT_HTTP);
    if (tool->loop == NULL || tool->http == NULL) {
        kp_log(instance, KP_LOG_ERROR, "cannot reach any pool: this kernel has no service http");
        tool_free(tool);
        return KP_E_UNSUPPORTED;
    }
    if (!tool->is_managed) {
        tool->sessions = kp_extension(instance, KP_EXT_SESSIONS);
    } else if (tool->token == NULL) {
        tool->credential = kp_extension(instance, KP_EXT_CREDENTIAL);
    }
    instance->self = tool;
    return KP_OK;
}

static void tool_destroy(kp_instance *instance)
{
    tool_free(instance->self);
}

/* ---- one execution ---- */

typedef enum execution_state {
    EXECUTION_NEW,
    EXECUTION_OPEN,
    EXECUTION_AUTHORIZE,
    EXECUTION_SEND,
    EXECUTION_PAUSE,
    EXECUTION_DONE
} execution_state_t;

static const char *const execution_state_names[] = {
    [EXECUTION_NEW] = "NEW",   [EXECUTION_OPEN] = "OPEN",   [EXECUTION_AUTHORIZE] = "AUTHORIZE",
    [EXECUTION_SEND] = "SEND", [EXECUTION_PAUSE] = "PAUSE", [EXECUTION_DONE] = "DONE",
};

typedef struct execution { /* in the call's memory */
    kp_call *call;
    tool_t *tool;
    uint64_t id;             /* begins every log line */
    execution_state_t state; /* assigned by execution_enter() alone */
    sk_buffer_t code;        /* owned */
    endpoint_t pool;         /* owned; of the local one */
    char *socket;            /* owned; NULL: a managed pool */
    sk_buffer_t token;       /* owned, a secret; of the credential service */
    bool wraps_body;         /* in the present attempt */
    bool is_reshaped;        /* the other shape was tried */
    bool is_refreshed;       /* a second token was asked for */
    unsigned repeats;
    uint64_t pause_ms; /* before the next attempt */
    kp_timer *pause;
} execution_t;

static void execution_enter(execution_t *execution, execution_state_t state);
static void execution_open(execution_t *execution);
static void execution_on_pool(void *arg, int status, const kp_session_pool *pool,
                              const char *error);
static void execution_authorize(execution_t *execution);
static void execution_on_token(void *arg, const kp_result *result);
static void execution_send(execution_t *execution);
static void execution_on_answer(void *arg, const kp_http_response *response);
static void execution_pause(execution_t *execution);
static void execution_on_pause(void *arg);
static void execution_on_cancel(kp_call *call, void *arg);
static void execution_settle(execution_t *execution, int status);
static void execution_fail(execution_t *execution, int status, const char *detail,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

KP_FUNCTION_RETURNS(0u, async, execute_code,
                    (object, "How the execution ended and what it printed.", REPLY_SCHEMA),
                    "Runs Python code in a sandboxed session and returns its status, the value of "
                    "the last expression, what it printed and its errors. Variables, imports and "
                    "files stay for later calls. Give the whole source as one string on one line: "
                    "\\n stands for each line break, followed by the blanks of the next line's "
                    "indentation; \\\" for a double quote inside the code; \\\\ for a backslash.",
                    (string, code, "The Python source to run, with its escapes as described."))
{
    tool_t *tool = call->self;
    execution_t *execution = kp_alloc(call, sizeof(*execution));

    if (execution == NULL) {
        return kp_fail(call, KP_E_NO_MEMORY, "no memory to run %zu bytes of code", kp_len(call, 0));
    }
    memset(execution, 0, sizeof(*execution));
    execution->call = call;
    execution->tool = tool;
    execution->id = ++tool->last_id;
    execution->wraps_body = tool->wraps_body;
    if (tool->sanitizes) {
        code_cleanup(&execution->code, code, kp_len(call, 0));
    } else {
        sk_buffer_append(&execution->code, code, kp_len(call, 0));
    }
    if (execution->code.failed) {
        sk_buffer_fini(&execution->code);
        return kp_fail(call, KP_E_NO_MEMORY, "no memory to run %zu bytes of code", kp_len(call, 0));
    }
    if (execution->code.size == 0) {
        sk_buffer_fini(&execution->code);
        return kp_fail(call, KP_E_INVALID,
                       "cannot run the code: it is empty%s; give Python source in \"code\"",
                       kp_len(call, 0) > 0 ? " once the wrapping around it is taken off" : "");
    }
    if (kp_on_cancel(call, execution_on_cancel, execution) != KP_OK) {
        sk_buffer_fini(&execution->code);
        return KP_E_CANCELLED;
    }
    execution_enter(execution, tool->is_managed ? EXECUTION_AUTHORIZE : EXECUTION_OPEN);
    return KP_PENDING;
}

static void execution_enter(execution_t *execution, execution_state_t state)
{
    kp_log(execution->call->instance, KP_LOG_TRACE, "execution %" PRIu64 ": %s -> %s",
           execution->id, execution_state_names[execution->state], execution_state_names[state]);
    execution->state = state;

    /* Nothing may follow the switch: the state has perhaps changed again. */
    switch (state) {
    case EXECUTION_NEW:
    case EXECUTION_DONE:
        break;
    case EXECUTION_OPEN:
        execution_open(execution);
        break;
    case EXECUTION_AUTHORIZE:
        execution_authorize(execution);
        break;
    case EXECUTION_SEND:
        execution_send(execution);
        break;
    case EXECUTION_PAUSE:
        execution_pause(execution);
        break;
    }
}

/* ---- OPEN: where is the local pool ---- */

static void execution_open(execution_t *execution)
{
    const kp_sessions *sessions = execution->tool->sessions;
    int status = KP_E_UNSUPPORTED;

    if (sessions == NULL) {
        execution_fail(execution, KP_E_UNSUPPORTED, NULL,
                       "cannot run the code: the local session pool (service sessions) is not "
                       "installed; install it, or name a managed pool in pool_management_endpoint "
                       "(ACA_POOL_MANAGEMENT_ENDPOINT)");
        return;
    }
    status = sessions->open(sessions, execution->call->instance, execution->call, execution_on_pool,
                            execution);
    if (status != KP_OK) {
        execution_fail(execution, status, NULL, "cannot ask for the local session pool");
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Has this pool just cut a connection? Then it is probably ending, and would take and lose more. */
static bool pool_may_be_dying(const tool_t *tool, const kp_session_pool *pool)
{
    return tool->lost_socket != NULL && strcmp(tool->lost_socket, pool->unix_socket) == 0 &&
           now_ms() - tool->lost_at < DYING_MS;
}

static void execution_on_pool(void *arg, int status, const kp_session_pool *pool, const char *error)
{
    execution_t *execution = arg;
    char problem[256];

    if (status != KP_OK) {
        execution_fail(execution, status, NULL, "%s",
                       error != NULL ? error : "cannot open the local session pool");
        return;
    }
    if (pool_may_be_dying(execution->tool, pool)) {
        execution->pause_ms = DYING_LOOK_MS;
        execution_enter(execution, EXECUTION_PAUSE);
        return;
    }
    endpoint_fini(&execution->pool);
    sk_free(execution->socket);
    execution->socket = sk_strdup(pool->unix_socket);
    if (execution->socket == NULL) {
        execution_fail(execution, KP_E_NO_MEMORY, NULL,
                       "no memory to reach the local session pool");
        return;
    }
    if (!endpoint_read(&execution->pool, pool->endpoint, false, problem, sizeof(problem))) {
        execution_fail(execution, KP_E_INTERNAL, NULL,
                       "cannot use the address that the local session pool gave: %s", problem);
        return;
    }
    execution_enter(execution, EXECUTION_SEND);
}

/* ---- AUTHORIZE: a token for a managed pool ---- */

/* For texts: scheme and host. */
static int origin_size(const execution_t *execution)
{
    return (int)execution->tool->endpoint.origin_size;
}

static void execution_authorize(execution_t *execution)
{
    tool_t *tool = execution->tool;
    int status = KP_OK;

    if (tool->token != NULL) {
        execution_enter(execution, EXECUTION_SEND);
        return;
    }
    if (tool->credential == NULL) {
        execution_fail(execution, KP_E_AUTH, NULL,
                       "cannot run the code in the pool at %.*s: there is no token for it; set "
                       "\"token\" in its configuration to a bearer token for "
                       "https://dynamicsessions.io",
                       origin_size(execution), tool->endpoint.base);
        return;
    }
    status =
        tool->credential->token(tool->credential, execution->call, NULL, tool->token_scope,
                                execution->is_refreshed ? 1 : 0, execution_on_token, execution);
    if (status != KP_OK) {
        execution_fail(execution, status, NULL, "cannot ask for a token for the pool at %.*s",
                       origin_size(execution), tool->endpoint.base);
    }
}

static void token_clear(sk_buffer_t *token)
{
    if (token->data != NULL) {
        sk_wipe(token->data, token->capacity);
    }
    sk_buffer_fini(token);
}

static void execution_on_token(void *arg, const kp_result *result)
{
    execution_t *execution = arg;

    if (result->status != KP_OK) {
        execution_fail(execution, result->status, result->detail,
                       "cannot get a token for the pool at %.*s: %s", origin_size(execution),
                       execution->tool->endpoint.base,
                       result->error != NULL ? result->error : "no reason was given");
        return;
    }
    if (result->value.type != KP_STRING || result->value.as.text.len == 0) {
        execution_fail(execution, KP_E_AUTH, NULL,
                       "cannot get a token for the pool at %.*s: the credential service answered "
                       "without one",
                       origin_size(execution), execution->tool->endpoint.base);
        return;
    }
    token_clear(&execution->token);
    (void)sk_buffer_reserve(&execution->token, result->value.as.text.len + 1); /* no second copy */
    sk_buffer_append(&execution->token, result->value.as.text.ptr, result->value.as.text.len);
    execution_enter(execution, EXECUTION_SEND);
}

/* ---- SEND: one request ---- */

static void write_body(const execution_t *execution, sk_buffer_t *out)
{
    bool is_old = execution->tool->family == API_FAMILY_A;

    sk_buffer_append_text(out, execution->wraps_body ? "{\"properties\":{" : "{");
    sk_buffer_appendf(out,
                      "\"codeInputType\":\"%s\",\"executionType\":\"%s\",\"timeoutInSeconds\":%u,"
                      "\"code\":",
                      is_old ? "inline" : "Inline", is_old ? "synchronous" : "Synchronous",
                      execution->tool->timeout_seconds);
    sk_json_write_string(out, execution->code.data, execution->code.size);
    sk_buffer_append_text(out, execution->wraps_body ? "}}" : "}");
}

static void execution_send(execution_t *execution)
{
    static const kp_http_header headers[] = {{"Content-Type", "application/json"},
                                             {"Accept", "application/json"}};
    tool_t *tool = execution->tool;
    kp_http_request request;
    kp_http_header authorization = {"Authorization", NULL};
    sk_buffer_t url = SK_BUFFER_INIT;
    sk_buffer_t body = SK_BUFFER_INIT;
    sk_buffer_t bearer = SK_BUFFER_INIT;
    int status = KP_E_NO_MEMORY;

    endpoint_write_target(&url, tool->is_managed ? &tool->endpoint : &execution->pool,
                          tool->family == API_FAMILY_A ? "code/execute" : "executions",
                          tool->identifier, tool->api_version);
    write_body(execution, &body);
    memset(&request, 0, sizeof(request));
    request.size = (uint32_t)sizeof(request);
    request.call = execution->call;
    request.method = "POST";
    request.url = url.data;
    request.unix_socket = execution->socket;
    request.headers = headers;
    request.header_count = sizeof(headers) / sizeof(headers[0]);
    if (tool->is_managed) {
        const char *token = tool->token != NULL ? tool->token : sk_buffer_text(&execution->token);

        (void)sk_buffer_reserve(&bearer, strlen(token) + 8);
        sk_buffer_append_text(&bearer, "Bearer ");
        sk_buffer_append_text(&bearer, token);
        authorization.value = bearer.data;
        request.secret_headers = &authorization;
        request.secret_header_count = 1;
    }
    request.body = body.data;
    request.body_len = body.size;
    request.connect_ms = CONNECT_MS;
    request.total_ms = tool->timeout_seconds * 1000u + MARGIN_MS;
    request.max_attempts = 1;
    request.max_response = ANSWER_MAX;
    request.on_done = execution_on_answer;
    request.arg = execution;
    if (url.failed || body.failed || bearer.failed) {
        execution_fail(execution, status, NULL, "no memory to send %zu bytes of code",
                       execution->code.size);
    } else {
        kp_log(execution->call->instance, KP_LOG_DEBUG,
               "execution %" PRIu64 ": send %zu bytes of code", execution->id,
               execution->code.size);
        status = tool->http->request(tool->http, execution->call->instance, &request, NULL);
        if (status != KP_OK) {
            execution_settle(execution, status); /* the call has the text that says why */
        }
    }
    sk_buffer_fini(&url);
    sk_buffer_fini(&body);
    token_clear(&bearer);
}

/* ---- the answer ---- */

static const char *header_value(const kp_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (strcasecmp(response->headers[i].name, name) == 0) {
            return response->headers[i].value;
        }
    }
    return NULL;
}

static uint64_t random_below(uint64_t limit)
{
    uint64_t number = 0;

    while (getrandom(&number, sizeof(number), 0) < 0 && errno == EINTR) {
    }
    return limit == 0 ? 0 : number % limit;
}

/* Go back after a while, unless there were enough attempts or there is too little time. */
static bool execution_repeat(execution_t *execution, int64_t retry_after_ms)
{
    int64_t left_ms = execution->call->host->time_left(execution->call);
    uint64_t pause_ms = (uint64_t)PAUSE_FIRST_MS << execution->repeats;

    pause_ms = random_below((pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS) + 1);
    if (retry_after_ms >= 0) {
        pause_ms = (uint64_t)retry_after_ms;
    }
    if (execution->repeats >= REPEATS_MAX || pause_ms > RETRY_AFTER_MAX ||
        (left_ms >= 0 && pause_ms >= (uint64_t)left_ms) || kp_cancelled(execution->call)) {
        return false;
    }
    execution->repeats++;
    execution->pause_ms = pause_ms;
    execution_enter(execution, EXECUTION_PAUSE);
    return true;
}

/* Nothing came that could be read as an answer of HTTP. */
static void execution_on_silence(execution_t *execution, const kp_http_response *response)
{
    tool_t *tool = execution->tool;
    const char *error = response->error != NULL ? response->error : "no reason was given";
    bool is_unsent = (response->flags & KP_HTTP_UNSENT) != 0;
    bool is_connection = response->status == KP_E_UNAVAILABLE || response->status == KP_E_TIMEOUT;

    if (is_unsent && is_connection && execution_repeat(execution, -1)) {
        return;
    }
    if (response->status == KP_E_CANCELLED || kp_cancelled(execution->call)) {
        execution_fail(execution, response->status, NULL, "cannot run the code: %s", error);
    } else if (is_unsent) {
        execution_fail(execution, response->status, NULL, "cannot run the code in the %s%.*s: %s",
                       tool->is_managed ? "pool at " : "local session pool",
                       tool->is_managed ? origin_size(execution) : 0,
                       tool->is_managed ? tool->endpoint.base : "", error);
    } else if (response->status == KP_E_TIMEOUT) {
        execution_fail(execution, KP_E_TIMEOUT, NULL,
                       "the pool did not answer in time: %u s for the code and %u s more have "
                       "passed; the code may have run, or a part of it",
                       tool->timeout_seconds, MARGIN_MS / 1000u);
    } else if (response->status == KP_E_UNAVAILABLE && !tool->is_managed) {
        sk_free(tool->lost_socket);
        tool->lost_socket = execution->socket;
        execution->socket = NULL;
        tool->lost_at = now_ms();
        execution_fail(execution, KP_E_CRASHED, NULL,
                       "the local session pool ended while the code ran (%s): variables and files "
                       "of the session are lost; the next call starts a new pool",
                       error);
    } else {
        execution_fail(execution, response->status, NULL,
                       "lost the answer of the %s%.*s: %s; the code may have run, or a part of it",
                       tool->is_managed ? "pool at " : "local session pool",
                       tool->is_managed ? origin_size(execution) : 0,
                       tool->is_managed ? tool->endpoint.base : "", error);
    }
}

static void execution_on_refusal(execution_t *execution, const kp_http_response *response)
{
    tool_t *tool = execution->tool;
    remote_error_t error;
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t detail = SK_BUFFER_INIT;

    remote_error_read(&error, response->http_status, header_value(response, "x-ms-error-code"),
                      header_value(response, "WWW-Authenticate"), response->body,
                      response->body_len);
    if (remote_error_is_shape(&error) && !execution->is_reshaped) {
        execution->is_reshaped = true;
        execution->wraps_body = !execution->wraps_body;
        execution_enter(execution, EXECUTION_SEND);
        return;
    }
    if (error.http_status == 401 && tool->credential != NULL && !execution->is_refreshed) {
        execution->is_refreshed = true;
        execution_enter(execution, EXECUTION_AUTHORIZE);
        return;
    }
    if (error.http_status == 429 && execution_repeat(execution, response->retry_after_ms)) {
        return;
    }
    remote_error_write(&text, &error, tool->api_version);
    if (error.http_status == 429 && response->retry_after_ms >= 0) {
        sk_buffer_appendf(&text, "; it asks to wait for %lld s",
                          (long long)(response->retry_after_ms + 999) / 1000);
    }
    sk_buffer_appendf(&detail, "{\"http_status\":%u,\"code\":", error.http_status);
    sk_json_write_text(&detail, error.code);
    sk_buffer_appendf(&detail, ",\"retry_after_ms\":%lld}", (long long)response->retry_after_ms);
    execution_fail(execution, error.status, detail.failed ? NULL : detail.data,
                   "cannot run the code in the %s%.*s: %s",
                   tool->is_managed ? "pool at " : "local session pool",
                   tool->is_managed ? origin_size(execution) : 0,
                   tool->is_managed ? tool->endpoint.base : "", sk_buffer_text(&text));
    sk_buffer_fini(&text);
    sk_buffer_fini(&detail);
}

/* Hand the answer over: the value, the text, what was displayed. */
static int execution_return(execution_t *execution, const reply_t *reply)
{
    kp_call *call = execution->call;
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t value = SK_BUFFER_INIT;
    int status = KP_E_NO_MEMORY;

    reply_write_text(reply, &text);
    reply_write_value(reply, &value);
    if (!text.failed && !value.failed) {
        status = kp_set_text(call, text.data, text.size);
    }
    for (size_t i = 0; i < reply->attachments.count && status == KP_OK; i++) {
        const attachment_t *attachment = &reply->attachments.items[i];

        if (attachment->data.size > 0) {
            status = kp_attach(call, attachment->name, attachment->media_type,
                               attachment->data.data, attachment->data.size);
        }
    }
    if (status == KP_OK) {
        size_t size = value.size;

        status = kp_return_take(call, KP_OBJECT, sk_buffer_take(&value, NULL), size, sk_free);
    }
    sk_buffer_fini(&text);
    sk_buffer_fini(&value);
    return status;
}

static void execution_on_reply(execution_t *execution, const kp_http_response *response)
{
    char error[512];
    reply_t reply;
    int status = KP_OK;

    execution->tool->wraps_body = execution->wraps_body;
    if (!reply_read(&reply, response->body, response->body_len, error, sizeof(error))) {
        reply_fini(&reply);
        execution_fail(execution, KP_E_REMOTE, NULL,
                       "cannot read the answer of the pool (HTTP status %u): %s; the code may have "
                       "run",
                       response->http_status, error);
        return;
    }
    status = execution_return(execution, &reply);
    kp_log(execution->call->instance, KP_LOG_DEBUG,
           "execution %" PRIu64 ": %s, %zu bytes of stdout, %zu of stderr, %zu attachments",
           execution->id, reply.succeeded ? "succeeded" : "failed", reply.out.size, reply.err.size,
           reply.attachments.count);
    reply_fini(&reply);
    if (status == KP_OK) {
        execution_settle(execution, KP_OK);
    } else {
        execution_fail(
            execution, status, NULL, "the code ran, but its result cannot be handed over: %s",
            status == KP_E_LIMIT ? "it is larger than this kernel allows" : "memory ran out");
    }
}

static void execution_on_answer(void *arg, const kp_http_response *response)
{
    execution_t *execution = arg;

    if (response->status != KP_OK) {
        execution_on_silence(execution, response);
    } else if (response->http_status / 100 == 2) {
        execution_on_reply(execution, response);
    } else {
        execution_on_refusal(execution, response);
    }
}

/* ---- PAUSE: before another attempt ---- */

static void execution_pause(execution_t *execution)
{
    const kp_loop *loop = execution->tool->loop;

    kp_log(execution->call->instance, KP_LOG_DEBUG,
           "execution %" PRIu64 ": nothing ran yet; again in %" PRIu64 " ms", execution->id,
           execution->pause_ms);
    execution->pause = loop->timer(loop, execution->call->instance, execution->pause_ms,
                                   execution_on_pause, execution);
    if (execution->pause == NULL) {
        execution_fail(execution, KP_E_UNAVAILABLE, NULL,
                       "cannot wait before another attempt: the plugin is being removed or memory "
                       "ran out");
    }
}

static void execution_on_pause(void *arg)
{
    execution_t *execution = arg;

    execution->pause = NULL;
    execution_enter(execution, execution->tool->is_managed ? EXECUTION_SEND : EXECUTION_OPEN);
}

/* ---- the ends ---- */

/* In all other states somebody is asked who hears of the cancellation himself. */
static void execution_on_cancel(kp_call *call, void *arg)
{
    execution_t *execution = arg;

    (void)call;
    if (execution->state == EXECUTION_PAUSE && execution->pause != NULL) {
        execution->tool->loop->timer_stop(execution->tool->loop, execution->pause);
        execution->pause = NULL;
        execution_settle(execution, KP_E_CANCELLED);
    }
}

static void execution_fail(execution_t *execution, int status, const char *detail,
                           const char *format, ...)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    va_list arguments;

    va_start(arguments, format);
    sk_buffer_vappendf(&text, format, arguments);
    va_end(arguments);
    execution->call->status = status;
    execution->call->host->fail(execution->call, status, sk_buffer_text(&text), text.size, detail);
    sk_buffer_fini(&text);
    execution_settle(execution, status);
}

static void execution_settle(execution_t *execution, int status)
{
    kp_call *call = execution->call;

    execution_enter(execution, EXECUTION_DONE);
    sk_buffer_fini(&execution->code);
    endpoint_fini(&execution->pool);
    sk_free(execution->socket);
    token_clear(&execution->token);
    kp_complete(call, status); /* the execution's memory is gone then */
}

/* clang-format off */
KP_PLUGIN_EX(.name = "sessions_python", .version = "1.0.0",
             .description = "Runs Python in a session of a code interpreter pool.",
             .functions = KP_FUNCTIONS(execute_code),
             KP_CONFIG((string, pool_management_endpoint,
                        "Address of a managed pool; none: the local pool of this kernel.",
                        .env = "ACA_POOL_MANAGEMENT_ENDPOINT", .flags = KP_OPTIONAL),
                       (string, token_endpoint, "Scope of the tokens for a managed pool.",
                        .dflt = "\"https://dynamicsessions.io/.default\"",
                        .env = "ACA_TOKEN_ENDPOINT"),
                       (string, token,
                        "Bearer token for a managed pool; none: whoever answers kernel.credential/1 fetches them.",
                        .flags = KP_OPTIONAL | KP_SECRET),
                       (string, session_id,
                        "Name of the session, 4 to 128 characters: who knows it shares the "
                        "session; none: a random one.",
                        .flags = KP_OPTIONAL),
                       (integer, timeout_seconds, "How long one execution may take.",
                        .dflt = "100", .schema = "{\"minimum\":1,\"maximum\":220}"),
                       (boolean, sanitize_input,
                        "Take backticks and the word python off the code.", .dflt = "true"),
                       (string, api_version, "Version of the interface of the pool.",
                        .dflt = "\"2024-10-02-preview\""),
                       (boolean, allow_http,
                        "Allow an unencrypted address that is not this machine.",
                        .dflt = "false")),
             .create = tool_create, .destroy = tool_destroy);
/* clang-format on */
