/*
 * operation.c - one request of a plugin from its start to its on_done.
 *
 *     http__operation_start    any thread: check, copy, post, hold
 *     operation_on_posted      the loop thread has it
 *     http__operation_proceed  nobody else looks the name up: start the transfer
 *     http__operation_on_...   what the transfer tells
 *     operation_on_stop        the call or the instance is to end ...
 *     http__operation_on_deadline  ... or a clock has run out
 *     http__operation_cancel   ... or the plugin does not want it any more
 *     http__operation_settle   whichever comes first decides the outcome
 *     http__operation_on_due   resume; or report, release and free
 *
 * Callbacks of the plugin run inside libcurl (on_chunk, on_progress) or in
 * http__client_run() (on_done); whatever they ask for is only noted.
 */
#include "operation.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

static int operation_admit(http__client_t *client, kp_instance *user, kp_call *call, kp_http_op *op,
                           kp_http_op **op_out);
static void operation_on_posted(void *arg);
static void operation_on_stop(void *arg, int status);
static void operation_begin(kp_http_op *op);
static void operation_arm(kp_http_op *op);
static void operation_add_due(kp_http_op *op);
static void operation_report(kp_http_op *op);
static void operation_free(kp_http_op *op);

/* ---- any thread ---- */

/* Nothing has begun: say why where the plugin and its user look. */
static int operation_refuse(kp_instance *user, kp_call *call, int status, const char *text)
{
    if (call != NULL) {
        call->host->fail(call, status, text, strlen(text), NULL);
    }
    kp_log(user, KP_LOG_WARN, "%s", text);
    return status;
}

int http__operation_start(http__client_t *client, kp_instance *user, const kp_http_request *request,
                          kp_http_op **op_out)
{
    kp_http_op *op = sk_calloc(1, sizeof(*op));
    char error[HTTP__ERROR_MAX] = "cannot send the request: memory ran out";
    bool is_readable = request != NULL && request->size >= offsetof(kp_http_request, method);
    kp_call *call = is_readable ? request->call : NULL;
    int status = KP_E_NO_MEMORY;

    if (op_out != NULL) {
        *op_out = NULL;
    }
    if (op == NULL) {
        return operation_refuse(user, call, status, error);
    }
    status = http__request_copy(request, &op->request, error, sizeof(error));
    if (status != KP_OK) {
        sk_free(op);
        return operation_refuse(user, call, status, error);
    }
    op->client = client;
    op->id = atomic_fetch_add(&client->last_id, 1) + 1;
    op->user = user;
    op->deadline = (http__deadline_t)HTTP__DEADLINE_INIT;
    op->lookup.host = op->request.parts.lookup;
    status = operation_admit(client, user, call, op, op_out);
    if (status != KP_OK) {
        (void)snprintf(error, sizeof(error), "cannot send the request: %s",
                       status == KP_E_CANCELLED   ? "the call was cancelled"
                       : status == KP_E_TIMEOUT   ? "the deadline of the call has passed"
                       : status == KP_E_NO_MEMORY ? "memory ran out"
                                                  : "the plugin or the kernel is being closed");
        return operation_refuse(user, call, status, error);
    }
    return KP_OK;
}

/*
 * A hold can be released on the loop thread only, so it must be the last thing
 * that can fail: the post comes first. Its task waits at the same lock until the
 * hold is decided. Afterwards the operation is the loop thread's.
 */
static int operation_admit(http__client_t *client, kp_instance *user, kp_call *call, kp_http_op *op,
                           kp_http_op **op_out)
{
    bool is_on_loop = http__client_is_on_loop(client);
    int status;

    (void)pthread_mutex_lock(&client->intake);
    status = client->loop->post(client->loop, client->instance, operation_on_posted, op);
    if (status != KP_OK) {
        operation_free(op);
    } else {
        status = client->provider->hold(client->provider, client->instance, user, call,
                                        operation_on_stop, op, &op->hold);
        op->is_refused = status != KP_OK;
        if (status == KP_OK && is_on_loop && op_out != NULL) {
            *op_out = op;
        }
    }
    (void)pthread_mutex_unlock(&client->intake);
    return status;
}

/* ---- the loop thread ---- */

static void operation_on_posted(void *arg)
{
    kp_http_op *op = arg;
    http__client_t *client = op->client;
    bool is_refused;

    (void)pthread_mutex_lock(&client->intake);
    is_refused = op->is_refused;
    (void)pthread_mutex_unlock(&client->intake);
    if (is_refused) {
        operation_free(op);
        return;
    }
    operation_begin(op);
    http__client_run(client);
}

/* Before it has begun it can only be noted: the task that begins it is on its way. */
static void operation_stop(kp_http_op *op, int status)
{
    op->stop_status = status;
    if (op->state != HTTP__OPERATION_NEW) {
        http__operation_settle(op, status, "%s",
                               status == KP_E_TIMEOUT ? "the deadline of the call passed"
                                                      : "it was cancelled");
        http__client_kick(op->client);
    }
}

static void operation_on_stop(void *arg, int status)
{
    operation_stop(arg, status);
}

static uint64_t operation_after(uint64_t now, uint32_t ms, uint32_t default_ms)
{
    uint32_t wait = ms != 0 ? ms : default_ms;

    return wait == 0 ? HTTP__NEVER : now + wait;
}

static void operation_begin(kp_http_op *op)
{
    http__client_t *client = op->client;
    const http__config_t *config = &client->config;
    uint64_t now = http__now();

    if (client->engine == NULL) {
        client->engine = http__engine_new(client);
    }
    op->started_at = now;
    op->last_io = now;
    op->connect_until = operation_after(now, op->request.connect_ms, config->connect_ms);
    op->total_until = operation_after(now, op->request.total_ms, config->total_ms);
    op->max_response = op->request.max_response;
    if (op->max_response == 0 ||
        (op->request.on_chunk == NULL && op->max_response > config->max_response)) {
        op->max_response = config->max_response;
    }
    if (op->request.unix_socket != NULL || config->http_proxy != NULL ||
        config->https_proxy != NULL || config->all_proxy != NULL) {
        op->lookup.host = NULL; /* not this name is looked up, or it is not known which */
    }
    kp_log(client->instance, KP_LOG_TRACE, "request %" PRIu64 " of %s: %s %s", op->id,
           op->user->name, op->request.method, op->request.parts.shown);

    op->state = HTTP__OPERATION_WAITING;
    op->has_deadline_room = http__deadlines_reserve(&client->deadlines);
    if (client->engine == NULL || !op->has_deadline_room) {
        http__operation_settle(op, KP_E_NO_MEMORY, "memory ran out");
    } else if (op->stop_status != KP_OK) {
        operation_stop(op, op->stop_status);
    } else if (http__lookups_ask(&client->lookups, &op->lookup, now)) {
        http__operation_proceed(&op->lookup);
    } else {
        operation_arm(op);
    }
}

void http__operation_proceed(http__lookup_t *lookup)
{
    kp_http_op *op = (kp_http_op *)(void *)((char *)lookup - offsetof(kp_http_op, lookup));

    if (op->state != HTTP__OPERATION_WAITING) {
        http__lookups_leave(&op->client->lookups, lookup);
        return;
    }
    op->attempts++;
    op->state = HTTP__OPERATION_RUNNING;
    operation_arm(op);
    op->transfer = http__transfer_start(op->client->engine, op);
    if (op->transfer == NULL) {
        http__operation_settle(op, KP_E_NO_MEMORY, "memory ran out");
    }
}

/* ---- clocks ---- */

/* How long nothing may come or go at this stage, in ms; 0: for ever. Before the answer begins the
 * first-byte time counts, if there is one. */
static uint32_t operation_patience(const kp_http_op *op)
{
    const http__config_t *config = &op->client->config;
    uint32_t first_byte_ms =
        op->request.first_byte_ms != 0 ? op->request.first_byte_ms : config->first_byte_ms;

    if (op->http_status == 0 && first_byte_ms != 0) {
        return first_byte_ms;
    }
    return op->request.idle_ms != 0 ? op->request.idle_ms : config->idle_ms;
}

static uint64_t operation_time(const kp_http_op *op)
{
    uint64_t at = op->total_until < op->connect_until ? op->total_until : op->connect_until;

    if (op->connect_until == HTTP__NEVER && !op->is_paused && operation_patience(op) != 0 &&
        op->last_io + operation_patience(op) < at) {
        at = op->last_io + operation_patience(op);
    }
    return at;
}

/* Looking too early does no harm, so a time is only ever brought forward. */
static void operation_arm(kp_http_op *op)
{
    uint64_t at = operation_time(op);

    if (at < op->deadline.at) {
        http__deadlines_set(&op->client->deadlines, &op->deadline, at);
    }
}

static kp_http_op *operation_of_deadline(http__deadline_t *deadline)
{
    return (kp_http_op *)(void *)((char *)deadline - offsetof(kp_http_op, deadline));
}

void http__operation_on_deadline(http__deadline_t *deadline, uint64_t now)
{
    kp_http_op *op = operation_of_deadline(deadline);
    uint64_t at = operation_time(op);

    if (at > now) {
        http__deadlines_set(&op->client->deadlines, deadline, at);
    } else if (op->total_until <= now) {
        http__operation_settle(op, KP_E_TIMEOUT, "it did not end within %" PRIu64 " ms",
                               op->total_until - op->started_at);
    } else if (op->connect_until <= now) {
        http__operation_settle(op, KP_E_TIMEOUT, "there was no connection within %" PRIu64 " ms",
                               op->connect_until - op->started_at);
    } else {
        http__operation_settle(op, KP_E_TIMEOUT, "%s for %" PRIu32 " ms",
                               op->http_status == 0 ? "there was no answer"
                                                    : "nothing more of the answer came",
                               operation_patience(op));
    }
}

void http__operation_on_no_timer(http__deadline_t *deadline)
{
    http__operation_settle(operation_of_deadline(deadline), KP_E_UNAVAILABLE,
                           "there is no timer: memory ran out or the kernel is being closed");
}

/* ---- what the plugin asks for ---- */

void http__operation_cancel(kp_http_op *op)
{
    operation_stop(op, KP_E_CANCELLED);
}

void http__operation_pause(kp_http_op *op)
{
    op->is_paused = true;
}

void http__operation_resume(kp_http_op *op)
{
    if (!op->is_paused || http__operation_is_over(op)) {
        return;
    }
    op->is_paused = false;
    op->last_io = http__now();
    operation_arm(op);
    if (op->has_ended) {
        http__operation_settle(op, KP_OK, "%s", "");
        http__client_kick(op->client);
    } else if (op->transfer != NULL && http__transfer_is_held(op->transfer)) {
        operation_add_due(op);
        http__client_kick(op->client);
    }
}

/* ---- what the transfer tells ---- */

bool http__operation_is_over(const kp_http_op *op)
{
    return op->state >= HTTP__OPERATION_SETTLED;
}

void http__operation_on_address(kp_http_op *op)
{
    http__lookups_resolved(&op->client->lookups, &op->lookup, http__now());
}

void http__operation_on_connected(kp_http_op *op)
{
    http__operation_on_address(op);
    op->is_sent = true;
    op->connect_until = HTTP__NEVER;
    op->last_io = http__now();
    operation_arm(op);
}

http__taken_t http__operation_on_header_bytes(kp_http_op *op, size_t size)
{
    if (http__operation_is_over(op)) {
        return HTTP__TAKEN_NEVER;
    }
    op->last_io = http__now();
    op->header_bytes += size;
    if (op->header_bytes > HTTP__HEADERS_MAX) {
        http__operation_settle(op, KP_E_LIMIT, "the headers of the answer exceed %u KiB",
                               HTTP__HEADERS_MAX / 1024);
        return HTTP__TAKEN_NEVER;
    }
    return HTTP__TAKEN;
}

void http__operation_on_head(kp_http_op *op, uint32_t http_status)
{
    op->http_status = http_status;
    operation_arm(op);
}

static http__taken_t operation_take_error_body(kp_http_op *op, const void *data, size_t size)
{
    size_t room = HTTP__ERROR_BODY_MAX - op->body.size;

    sk_buffer_append(&op->body, data, size < room ? size : room);
    if (size <= room) {
        return HTTP__TAKEN;
    }
    op->response_flags |= KP_HTTP_BODY_CUT;
    http__operation_settle(op, KP_OK, "%s", "");
    return HTTP__TAKEN_NEVER;
}

/* Too big, or as much of it declared? */
static bool operation_exceeds(const kp_http_op *op, size_t size)
{
    int64_t declared = op->received == 0 ? http__transfer_declared_size(op->transfer) : -1;

    return size > op->max_response - op->received ||
           (declared > 0 && (uint64_t)declared > op->max_response);
}

http__taken_t http__operation_on_body(kp_http_op *op, const void *data, size_t size)
{
    if (http__operation_is_over(op)) {
        return HTTP__TAKEN_NEVER;
    }
    if (op->is_paused) {
        return HTTP__TAKEN_LATER;
    }
    op->last_io = http__now();
    if (op->http_status / 100 != 2) {
        return operation_take_error_body(op, data, size);
    }
    if (operation_exceeds(op, size)) {
        http__operation_settle(op, KP_E_LIMIT, "the answer exceeds %" PRIu64 " bytes",
                               op->max_response);
        return HTTP__TAKEN_NEVER;
    }
    op->received += size;
    if (op->request.on_chunk != NULL) {
        op->request.on_chunk(op->request.arg, op, data, size);
    } else {
        sk_buffer_append(&op->body, data, size);
        if (op->body.failed) {
            http__operation_settle(op, KP_E_NO_MEMORY, "memory ran out");
        }
    }
    return http__operation_is_over(op) ? HTTP__TAKEN_NEVER : HTTP__TAKEN;
}

void http__operation_on_progress(kp_http_op *op, uint64_t sent, uint64_t send_total,
                                 uint64_t received, uint64_t receive_total)
{
    if (http__operation_is_over(op) || sent + received == op->moved) {
        return;
    }
    op->moved = sent + received;
    op->last_io = http__now();
    if (op->request.on_progress != NULL) {
        op->request.on_progress(op->request.arg, op, sent, send_total, received, receive_total);
    }
}

void http__operation_on_end(kp_http_op *op, const http__failure_t *failure)
{
    http__client_t *client = op->client;
    http__lookup_t *follower = NULL;

    if (http__operation_is_over(op)) {
        return;
    }
    if (failure == NULL) {
        op->has_ended = true;
        if (!op->is_paused) { /* the end of the body, too, waits for resume() */
            http__operation_settle(op, KP_OK, "%s", "");
        }
        return;
    }
    while (failure->is_lookup && op->lookup.leads != NULL &&
           (follower = http__lookups_take(&client->lookups, op->lookup.host)) != NULL) {
        kp_http_op *other = (kp_http_op *)(void *)((char *)follower - offsetof(kp_http_op, lookup));

        http__operation_settle(other, failure->status, "%s", failure->text);
    }
    http__operation_settle(op, failure->status, "%s", failure->text);
}

/* ---- the end ---- */

static void operation_add_due(kp_http_op *op)
{
    if (!op->is_due) {
        op->is_due = true;
        op->next_due = NULL;
        *op->client->last_due = op;
        op->client->last_due = &op->next_due;
    }
}

void http__operation_settle(kp_http_op *op, int status, const char *format, ...)
{
    if (http__operation_is_over(op)) {
        return;
    }
    op->state = HTTP__OPERATION_SETTLED;
    op->status = status;
    if (status != KP_OK) {
        va_list arguments;

        sk_buffer_appendf(&op->error, "%s %s failed: ", op->request.method,
                          op->request.parts.shown);
        va_start(arguments, format);
        sk_buffer_vappendf(&op->error, format, arguments);
        va_end(arguments);
    }
    if (op->has_deadline_room) {
        http__deadlines_leave(&op->client->deadlines, &op->deadline);
        op->has_deadline_room = false;
    }
    operation_add_due(op);
}

void http__operation_on_due(kp_http_op *op)
{
    if (op->state == HTTP__OPERATION_SETTLED) {
        operation_report(op);
    } else if (!op->is_paused && http__transfer_is_held(op->transfer)) {
        http__transfer_resume(op->transfer);
    }
}

static void operation_add_header(void *data, const char *name, const char *value)
{
    kp_http_op *op = data;
    size_t size = strcspn(value, "\r\n"); /* an empty value comes with the line's end in 7.88 */

    sk_buffer_append(&op->header_texts, name, strlen(name) + 1);
    sk_buffer_append(&op->header_texts, value, size);
    sk_buffer_append_char(&op->header_texts, '\0');
    op->header_count++;
}

/* The texts of the answer's headers are the transfer's, which another request will use. */
static void operation_take_headers(kp_http_op *op)
{
    const char *at = NULL;

    http__transfer_each_header(op->transfer, operation_add_header, op);
    if (op->header_count > 0 && !op->header_texts.failed) {
        op->headers = sk_calloc(op->header_count, sizeof(*op->headers));
    }
    if (op->headers == NULL) {
        op->header_count = 0;
        return;
    }
    at = op->header_texts.data;
    for (size_t i = 0; i < op->header_count; i++) {
        op->headers[i].name = at;
        at += strlen(at) + 1;
        op->headers[i].value = at;
        at += strlen(at) + 1;
    }
}

static void operation_log(const kp_http_op *op)
{
    uint64_t ms = http__now() - op->started_at;

    if (op->status == KP_OK) {
        kp_log(op->client->instance, KP_LOG_DEBUG,
               "request %" PRIu64 " of %s: %s %s: %" PRIu32 ", %" PRIu64 " bytes in %" PRIu64 " ms",
               op->id, op->user->name, op->request.method, op->request.parts.shown, op->http_status,
               op->received != 0 ? op->received : (uint64_t)op->body.size, ms);
    } else {
        kp_log(op->client->instance, KP_LOG_DEBUG,
               "request %" PRIu64 " of %s: %s, after %" PRIu64 " ms", op->id, op->user->name,
               sk_buffer_text(&op->error), ms);
    }
}

static void operation_report(kp_http_op *op)
{
    http__client_t *client = op->client;
    kp_http_response response;

    op->state = HTTP__OPERATION_REPORTED;
    http__lookups_leave(&client->lookups, &op->lookup);
    memset(&response, 0, sizeof(response));
    response.size = (uint32_t)sizeof(response);
    response.retry_after_ms = -1;
    if (op->transfer != NULL) {
        if (op->http_status != 0) {
            operation_take_headers(op);
            response.retry_after_ms = http__transfer_retry_after(op->transfer);
        }
        http__transfer_end(client->engine, op->transfer);
        op->transfer = NULL;
    }
    if (op->status != KP_OK) {
        sk_buffer_clear(&op->body); /* part of an answer is none */
    }
    operation_log(op);

    response.status = op->status;
    response.http_status = op->http_status;
    response.attempts = op->attempts;
    response.headers = op->headers;
    response.header_count = op->header_count;
    response.body = sk_buffer_text(&op->body);
    response.body_len = op->body.size;
    response.error = op->status == KP_OK ? NULL : sk_buffer_text(&op->error);
    response.flags = op->response_flags;
    if (op->status != KP_OK && !op->is_sent) {
        response.flags |= KP_HTTP_UNSENT;
    }
    op->request.on_done(op->request.arg, &response);

    client->provider->release(client->provider, op->hold);
    operation_free(op);
}

static void operation_free(kp_http_op *op)
{
    assert(!op->is_due && op->transfer == NULL && !op->has_deadline_room);
    http__request_fini(&op->request);
    sk_buffer_fini(&op->body);
    sk_buffer_fini(&op->header_texts);
    sk_buffer_fini(&op->error);
    sk_free(op->headers);
    sk_free(op);
}
