/*
 * answer.c - status words, envelopes, headers.
 */
#include "answer.h"

#include <stdio.h>
#include <time.h>

#include <json.h>

#include "reply.h"

/* ---- headers ---- */

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Milliseconds with four digits of their fraction. */
static void add_span(request_t *request, const char *name, int64_t ns)
{
    char text[32];
    char *at = text + sizeof(text);
    int64_t units = ns < 0 ? 0 : ns / 100;

    *--at = '\0';
    for (int i = 0; i < 5 || units > 0; i++) {
        if (i == 4) {
            *--at = '.';
        }
        *--at = (char)('0' + units % 10);
        units /= 10;
    }
    request_add_header(request, name, at);
}

/* What the request spent its time on. */
static void add_times(const call_t *call, const execution_t *execution)
{
    request_t *request = call->request;
    const int64_t now = now_ns();
    const int64_t arrived = request_arrived_ns(request);
    char ms[24];

    (void)snprintf(ms, sizeof(ms), "%lld", (long long)execution->ms);
    request_add_header(request, "x-ms-container-execution-duration", ms);
    if (call->queued_ns != 0 && execution->started_ns != 0) {
        add_span(request, "x-ms-preparation-time", call->queued_ns - arrived);
        add_span(request, "x-ms-allocation-time", execution->started_ns - call->queued_ns);
        request_add_header(request, "x-ms-allocation-retries", "0");
        add_span(request, "x-ms-execution-request-time",
                 execution->ended_ns - execution->started_ns);
        add_span(request, "x-ms-execution-read-response-time", now - execution->ended_ns);
        add_span(request, "x-ms-total-execution-service-time", now - execution->started_ns);
    }
    add_span(request, "x-ms-overall-execution-time", now - arrived);
}

static void add_headers(const call_t *call, const execution_t *execution)
{
    const session_t *session = session_find(call->protocol->pool, call->identifier);

    request_add_header(call->request, "operation-id", execution->wish.id);
    request_note_execution(call->request, execution->wish.id);
    if (session != NULL) {
        request_note_session(call->request, session_guid(session));
        request_add_header(call->request, "x-ms-session-guid", session_guid(session));
    }
    if (call->new_session) {
        request_add_header(call->request, "x-ms-new-allocation", "true");
    }
    if (execution->state == EXECUTION_ENDED) {
        add_times(call, execution);
    }
}

/* ---- bodies ---- */

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

/* What stands in the result's place: an image where there is no value; NULL for none. Where the
 * code failed there is no result. */
static const display_t *find_image(const execution_t *execution)
{
    if (execution->result.size > 0 || execution->outcome != OUTCOME_SUCCEEDED) {
        return NULL;
    }
    for (size_t i = 0; i < execution->display_count; i++) {
        if (display_is_image(&execution->displays[i])) {
            return &execution->displays[i];
        }
    }
    return NULL;
}

/* The envelope has room for one result; here is what was displayed besides. */
static void write_displays(sk_buffer_t *body, const execution_t *execution, const display_t *image)
{
    const char *separator = ",\"displays\":[";

    for (size_t i = 0; i < execution->display_count; i++) {
        if (&execution->displays[i] != image) {
            sk_buffer_append_text(body, separator);
            display_write(&execution->displays[i], body);
            separator = ",";
        }
    }
    if (separator[1] == '\0') {
        sk_buffer_append_char(body, ']');
    }
}

/* No text is ever null: clients of both families join them without a look. */
static void write_result(sk_buffer_t *body, const execution_t *execution, const char *name)
{
    const display_t *image = find_image(execution);

    sk_buffer_append_text(body, "\"stdout\":");
    sk_json_write_string(body, sk_buffer_text(&execution->output), execution->output.size);
    sk_buffer_append_text(body, ",\"stderr\":");
    sk_json_write_string(body, sk_buffer_text(&execution->errors), execution->errors.size);
    sk_buffer_append_text(body, ",\"");
    sk_buffer_append_text(body, name);
    sk_buffer_append_text(body, "\":");
    if (execution->result.size > 0) {
        sk_buffer_append(body, execution->result.data, execution->result.size);
    } else if (image != NULL) {
        display_write(image, body);
    } else {
        sk_buffer_append_text(body, "\"\"");
    }
    write_displays(body, execution, image);
    sk_buffer_appendf(body, ",\"executionTimeInMilliseconds\":%lld", (long long)execution->ms);
}

static void write_flat(const call_t *call, sk_buffer_t *body, const execution_t *execution)
{
    sk_buffer_append_text(body, "{\"id\":");
    sk_json_write_text(body, execution->wish.id);
    sk_buffer_append_text(body, ",\"identifier\":");
    sk_json_write_text(body, call->identifier);
    sk_buffer_appendf(body, ",\"executionType\":\"%s\",\"status\":\"%s\"",
                      execution->wish.asynchronous ? "Asynchronous" : "Synchronous",
                      status_of(execution));
    if (execution->state == EXECUTION_ENDED) {
        sk_buffer_append_text(body, ",\"result\":{");
        write_result(body, execution, "executionResult");
        sk_buffer_appendf(body, "},\"sessionState\":\"%s\"",
                          execution->state_lost ? "lost" : "kept");
    }
    sk_buffer_append_char(body, '}');
}

/* Objects are numbered in the order in which they begin. */
static void write_wrapped(const call_t *call, sk_buffer_t *body, const execution_t *execution)
{
    sk_buffer_append_text(body, call->bare ? "{\"$id\":\"1\","
                                           : "{\"$id\":\"1\",\"properties\":{\"$id\":\"2\",");
    sk_buffer_appendf(body, "\"status\":\"%s\",",
                      execution->outcome == OUTCOME_SUCCEEDED ? "Success" : "Failure");
    write_result(body, execution, "result");
    sk_buffer_append_text(body, call->bare ? "}" : "}}");
}

void answer_execution(const call_t *call, const execution_t *execution, unsigned status)
{
    sk_buffer_t body = SK_BUFFER_INIT;

    if (call->version->family == FAMILY_A) {
        write_wrapped(call, &body, execution);
    } else {
        write_flat(call, &body, execution);
    }
    add_headers(call, execution);
    request_answer_take(call->request, status, TYPE_JSON, &body);
}

void answer_ended(const call_t *call, const execution_t *execution)
{
    if (execution->outcome == OUTCOME_BUSY) {
        refuse_for_now(call, "SessionBusy", false, 1,
                       "waited too long behind other executions of the session");
    } else if (execution->outcome == OUTCOME_NOT_STARTED) {
        refuse(call, 503, "SessionNotStarted", NULL, sk_buffer_text(&execution->errors));
    } else {
        answer_execution(call, execution, call->version->executed);
    }
}

void answer_started(const call_t *call, const execution_t *execution)
{
    sk_buffer_t location = SK_BUFFER_INIT;
    char operation[EXECUTION_ID_MAX + 16];

    if (call->protocol->plan->config->operation_location == LOCATION_ABSOLUTE) {
        (void)snprintf(operation, sizeof(operation), "executions/%s", execution->wish.id);
        reply_write_link(&location, call, operation);
    } else {
        sk_buffer_appendf(&location,
                          "/executions/%s?api-version=%s&identifier=", execution->wish.id,
                          call->version->name);
        reply_write_encoded(&location, call->identifier);
    }
    request_add_header(call->request, "Operation-Location", sk_buffer_text(&location));
    sk_buffer_fini(&location);
    answer_execution(call, execution, 202);
}
