/*
 * request_fault.c - faults on their way into requests, for tests of clients; only with
 * --faults.
 *
 *   request_fault_begin   the control's own requests; a fault's answer
 *   request_fault_hold    an answer is late
 *   request_fault_cuts    or does not come
 *   request_fault_room    or not as a whole
 */
#include "request.h"

#include <stdio.h>
#include <string.h>

#include <alloc.h>
#include <json.h>

#define CONTROL_PATH "/.faults"
#define TYPE_JSON    "application/json; charset=utf-8"

/* A request with a fault, or one that is recorded. */
struct request_fault {
    request_t *request;
    fault_t fault;
    request_record_t *record;
    uv_timer_t timer;
    bool held;
    request_fault_t *next;
};

static struct {
    bool on; /* a fault stands */
    char text[FAULT_TEXT_MAX];
    fault_t fault;
    uint64_t seen;
    uint64_t applied;
    request_fault_t *all;
} state; /* of the one server in this process */

bool faults_abort_queue(void)
{
    return state.on && state.fault.abort_queued;
}

/* ---- answers of the service ---- */

static void answer_status(request_t *request, const fault_t *fault)
{
    static const struct {
        unsigned status;
        const char *code;
        const char *message;
    } rows[] = {
        {403, "Forbidden", "The caller has no role on this session pool."},
        {404, "NoSessionFoundError", "Could not find session with name ''."},
        {413, "RequestBodyTooLarge", "The request body is too large."},
        {500, "InternalServerError", "An unexpected error occurred."},
        {502, "BadGateway", "The session could not be reached."},
        {503, "ServiceUnavailable", "The service is temporarily unavailable."},
        {504, "GatewayTimeout", "The session did not answer in time."},
        {0, "Fault", "This answer was asked for."}, /* any other */
    };
    sk_buffer_t body = SK_BUFFER_INIT;
    char seconds[24];
    size_t at = 0;

    if (fault->retry_after >= 0) {
        (void)snprintf(seconds, sizeof(seconds), "%lld", (long long)fault->retry_after);
        request_add_header(request, "Retry-After", seconds);
    }
    if (fault->status == 401) { /* without a body, as the service has it */
        request_add_header(request, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
        request_answer_take(request, 401, NULL, NULL);
        return;
    }
    if (fault->status == 429) {
        sk_buffer_append_text(
            &body, "{\"code\":\"SessionsCountExceedsLimit\",\"message\":\"The request sessions "
                   "count is '1'. There are already '10' active sessions and the maximum active "
                   "sessions count is '10'.\"}");
        request_add_header(request, "x-ms-error-code", "SessionsCountExceedsLimit");
        request_answer_take(request, 429, TYPE_JSON, &body);
        return;
    }
    while (rows[at].status != 0 && rows[at].status != (unsigned)fault->status) {
        at++;
    }
    request_refuse(request, (unsigned)fault->status, rows[at].code, rows[at].message);
}

/* ---- control ---- */

static void refuse_fault(request_t *request, const failure_t *failure)
{
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_append_text(&body, "{\"error\":{\"code\":\"FaultInvalid\",\"message\":");
    sk_json_write_text(&body, failure->text);
    sk_buffer_append_text(&body, "}}");
    request_answer_take(request, 400, TYPE_JSON, &body);
}

static void control_on_body(request_t *request)
{
    size_t size = 0;
    const char *text = request_body(request, &size);
    failure_t failure = {""};
    fault_t fault;

    if (strlen(text) != size || !fault_read(&fault, text, &failure)) {
        refuse_fault(request, &failure);
        return;
    }
    state.on = true;
    state.fault = fault;
    state.seen = 0;
    state.applied = 0;
    (void)snprintf(state.text, sizeof(state.text), "%s", text);
    request_answer_take(request, 204, NULL, NULL);
}

static void control_answer(request_t *request)
{
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_append_text(&body, "{\"fault\":");
    sk_json_write_text(&body, state.on ? state.text : NULL);
    sk_buffer_appendf(&body, ",\"applied\":%llu,\"requests\":", (unsigned long long)state.applied);
    request_log_write(&body);
    sk_buffer_append_char(&body, '}');
    request_answer_take(request, 200, TYPE_JSON, &body);
}

static void control_take(request_t *request)
{
    const char *method = request_method(request);

    request_note_operation(request, "faults");
    if (strcmp(method, "POST") == 0) {
        request_read_body(request, control_on_body);
    } else if (strcmp(method, "GET") == 0) {
        control_answer(request);
    } else if (strcmp(method, "DELETE") == 0) {
        state.on = false;
        request_log_clear();
        request_answer_take(request, 204, NULL, NULL);
    } else {
        request_add_header(request, "Allow", "GET, POST, DELETE");
        request_refuse(request, 405, "MethodNotAllowed", "this path takes another method");
    }
}

/* ---- requests ---- */

static enum MHD_Result record_header(void *data, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    (void)kind;
    request_record_add_header(data, name, value);
    return MHD_YES;
}

/* The fault of its own header, else the one that stands; false if the header is none. */
static bool choose_fault(request_t *request, failure_t *failure)
{
    const char *own = request_header(request, "x-semkernel-fault");
    fault_t *fault = &request->fault->fault;

    if (own != NULL) {
        return fault_read(fault, own, failure);
    }
    if (state.on && fault_take_turn(&state.fault, &state.seen, request->method, request->path)) {
        state.applied++;
        *fault = state.fault;
    } else {
        (void)fault_read(fault, "", failure);
    }
    return true;
}

bool request_fault_begin(request_t *request)
{
    failure_t failure = {""};

    if (!request->http->options.faults) {
        return false;
    }
    if (strcmp(request->path, CONTROL_PATH) == 0) {
        control_take(request);
        return true;
    }
    request->fault = sk_calloc(1, sizeof(*request->fault));
    if (request->fault == NULL) {
        request_refuse(request, 503, "OutOfMemory", "the server is out of memory");
        return true;
    }
    request->fault->request = request;
    request->fault->next = state.all;
    state.all = request->fault;
    request->fault->record = request_record_new(request->method, request->client->target);
    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, record_header,
                                    request->fault->record);
    (void)uv_timer_init(request->http->options.loop, &request->fault->timer);
    request->fault->timer.data = request->fault;
    const fault_t *fault = &request->fault->fault;
    if (!choose_fault(request, &failure)) {
        refuse_fault(request, &failure);
    } else if (fault->audience[0] != '\0' &&
               !fault_is_for_audience(request_header(request, "Authorization"), fault->audience)) {
        answer_status(request, &(fault_t){.status = 401, .retry_after = -1});
    } else if (fault->status != 0) {
        answer_status(request, fault);
    } else {
        return false;
    }
    return true;
}

void request_fault_take_part(request_t *request, const char *part, size_t size)
{
    if (request->fault != NULL) {
        request_record_add_body(request->fault->record, part, size);
    }
}

static void fault_on_timer(uv_timer_t *timer)
{
    request_fault_t *fault = timer->data;

    request_resume(fault->request);
}

bool request_fault_hold(request_t *request)
{
    request_fault_t *fault = request->fault;

    if (fault == NULL || fault->held || fault->fault.delay_ms == 0) {
        return false;
    }
    fault->held = true;
    uv_update_time(request->http->options.loop);
    (void)uv_timer_start(&fault->timer, fault_on_timer, (uint64_t)fault->fault.delay_ms + 1,
                         0);                        /* never early */
    client_enter(request->client, PHASE_SERVED, 0); /* it may wait for so long */
    request_pause(request);
    return true;
}

bool request_fault_cuts(const request_t *request)
{
    return request->fault != NULL && request->fault->fault.cut;
}

bool request_fault_cuts_body(const request_t *request)
{
    return request->fault != NULL && request->fault->fault.cut_body >= 0;
}

size_t request_fault_room(const request_t *request, size_t most)
{
    if (!request_fault_cuts_body(request)) {
        return most;
    }
    uint64_t left = (uint64_t)request->fault->fault.cut_body - request->given;
    return most < left ? most : (size_t)left;
}

static void fault_on_closed(uv_handle_t *handle)
{
    sk_free(handle->data);
}

void request_fault_end(request_t *request)
{
    request_fault_t *fault = request->fault;

    if (fault == NULL) {
        return;
    }
    request->fault = NULL;
    for (request_fault_t **at = &state.all; *at != NULL; at = &(*at)->next) {
        if (*at == fault) {
            *at = fault->next;
            break;
        }
    }
    request_record_keep_take(fault->record, request->status);
    uv_close((uv_handle_t *)&fault->timer, fault_on_closed);
}

void request_faults_release(void)
{
    request_fault_t *next = NULL;

    for (request_fault_t *at = state.all; at != NULL; at = next) {
        next = at->next;
        (void)uv_timer_stop(&at->timer);
        request_resume(at->request); /* may end it */
    }
    request_log_clear();
}
