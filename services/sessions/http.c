/*
 * http.c - libmicrohttpd on a libuv loop.
 *
 * The library keeps its sockets in an epoll set of its own; the loop watches that
 * set's descriptor and turns the library when something is ready there. While a
 * request waits for its answer its connection is suspended, and then the library
 * sees nothing of it: that the client hung up is found by watching its socket
 * here.
 */
#include "http.h"

#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include <alloc.h>

#include "guid.h"

#define MEMORY_MAX     (32 * 1024) /* of a connection: headers, and a read buffer */
#define IDLE_S         30
#define ANSWER_HEADERS 24
#define SOURCE_BLOCK   (64 * 1024)

struct http {
    http_options_t options;
    struct MHD_Daemon *daemon;
    uv_poll_t watch;
    uv_timer_t timer;
    bool turning; /* inside the library */
    bool severed; /* nobody is to be answered any more */
    int closing;  /* handles still to close */
};

typedef struct answer_header {
    const char *name;
    size_t value; /* where it begins in the values */
} answer_header_t;

struct request {
    http_t *http;
    struct MHD_Connection *connection;
    const char *method;
    const char *path;
    int64_t arrived_ns;
    request_fn on_body;      /* once */
    const body_sink_t *sink; /* NULL: the body is kept here */
    body_source_t source;    /* of the answer */
    sk_buffer_t body;
    bool too_large;
    bool handled; /* the whole body is with its taker */
    bool suspended;
    struct MHD_Response *response; /* NULL before the answer */
    unsigned status;
    answer_header_t headers[ANSWER_HEADERS];
    size_t header_count;
    sk_buffer_t header_values;
    void *data;
    void (*on_hang_up)(request_t *request);
    uv_poll_t *hang_up_watch; /* while suspended */
    alignas(max_align_t) char room[REQUEST_ROOM];
};

static void http_turn(http_t *http);

/* ---- the loop ---- */

static void http_on_ready(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    http_turn(watch->data);
}

static void http_on_timer(uv_timer_t *timer)
{
    http_turn(timer->data);
}

static void http_turn(http_t *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    int turns = 0;

    if (http->turning || http->daemon == NULL) {
        return;
    }
    http->turning = true;
    do {
        (void)MHD_run(http->daemon);
    } while (++turns < 8 && MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES && wait_ms == 0);
    http->turning = false;
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
        (void)uv_timer_start(&http->timer, http_on_timer, wait_ms, 0);
    } else {
        (void)uv_timer_stop(&http->timer);
    }
}

/* ---- waiting ---- */

void request_pause(request_t *request)
{
    if (!request->suspended) {
        MHD_suspend_connection(request->connection);
        request->suspended = true;
    }
}

void request_resume(request_t *request)
{
    if (request->suspended) {
        request->suspended = false;
        MHD_resume_connection(request->connection);
        http_turn(request->http);
    }
}

/* ---- answers ---- */

void request_add_header(request_t *request, const char *name, const char *value)
{
    if (request->header_count < ANSWER_HEADERS) {
        answer_header_t *header = &request->headers[request->header_count++];
        header->name = name;
        header->value = request->header_values.size;
        sk_buffer_append(&request->header_values, value, strlen(value) + 1);
    }
}

/* The headers of every answer, and those that were added. */
static void add_headers(const request_t *request, struct MHD_Response *response, const char *type)
{
    char correlation[GUID_SIZE];

    guid_make(correlation);
    (void)MHD_add_response_header(response, "mise-correlation-id", correlation);
    (void)MHD_add_response_header(response, "semkernel-sandbox", request->http->options.level);
    if (type != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    }
    for (size_t i = 0; i < request->header_count && !request->header_values.failed; i++) {
        (void)MHD_add_response_header(response, request->headers[i].name,
                                      request->header_values.data + request->headers[i].value);
    }
}

static struct MHD_Response *make_response(request_t *request, const char *type, sk_buffer_t *body)
{
    size_t size = 0;
    char *content = body == NULL ? NULL : sk_buffer_take(body, &size);
    struct MHD_Response *response =
        content == NULL
            ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
            : MHD_create_response_from_buffer_with_free_callback(size, content, sk_free);

    if (response == NULL) {
        sk_free(content);
        return NULL;
    }
    add_headers(request, response, type);
    return response;
}

static void free_handle(uv_handle_t *handle)
{
    sk_free(handle);
}

static void request_stop_watching(request_t *request)
{
    if (request->hang_up_watch != NULL) {
        uv_close((uv_handle_t *)request->hang_up_watch, free_handle);
        request->hang_up_watch = NULL;
    }
}

static void request_answer(request_t *request, unsigned status, struct MHD_Response *response)
{
    request->response = response;
    request->status = status;
    request->on_hang_up = NULL;
    request_stop_watching(request);
    request_resume(request);
}

void request_answer_take(request_t *request, unsigned status, const char *type, sk_buffer_t *body)
{
    request_answer(request, status, make_response(request, type, body));
}

static ssize_t request_on_give(void *data, uint64_t position, char *bytes, size_t most)
{
    request_t *request = data;
    long given = request->source.give(bytes, most, request->source.data);

    (void)position;
    if (given == 0) {
        request_pause(request);
    }
    return given < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : given;
}

void request_answer_source(request_t *request, unsigned status, const char *type, uint64_t size,
                           const body_source_t *source)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(size, SOURCE_BLOCK, request_on_give, request, NULL);

    request->source = *source;
    if (response != NULL) {
        add_headers(request, response, type);
    }
    request_answer(request, status, response);
}

static enum MHD_Result request_queue_answer(request_t *request)
{
    struct MHD_Response *response = request->response;

    request->response = NULL;
    if (response == NULL) { /* memory ran out: the connection is closed */
        return MHD_NO;
    }
    enum MHD_Result queued =
        request->http->severed ? MHD_NO
                               : MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- hang-up ---- */

static void request_on_hang_up(uv_poll_t *watch, int status, int events)
{
    request_t *request = watch->data;

    (void)status;
    (void)events;
    request_stop_watching(request);
    if (request->on_hang_up != NULL) {
        request->on_hang_up(request);
    }
}

static void request_watch(request_t *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    uv_poll_t *watch = sk_calloc(1, sizeof(*watch));

    if (info == NULL || watch == NULL ||
        uv_poll_init(request->http->options.loop, watch, info->connect_fd) != 0) {
        sk_free(watch);
        return;
    }
    watch->data = request;
    request->hang_up_watch = watch;
    (void)uv_poll_start(watch, UV_DISCONNECT, request_on_hang_up);
}

/* ---- requests ---- */

const char *request_method(const request_t *request)
{
    return request->method;
}

const char *request_path(const request_t *request)
{
    return request->path;
}

const char *request_query(const request_t *request, const char *name)
{
    const char *value = NULL;
    size_t size = 0;

    if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name,
                                      strlen(name), &value, &size) != MHD_YES ||
        value == NULL || strlen(value) != size) {
        return NULL;
    }
    return value;
}

const char *request_header(const request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

int64_t request_arrived_ns(const request_t *request)
{
    return request->arrived_ns;
}

void *request_room(request_t *request)
{
    return request->room;
}

void request_stream_body(request_t *request, const body_sink_t *sink)
{
    request->on_body = sink->end;
    request->sink = sink;
}

void request_read_body(request_t *request, request_fn cb)
{
    request->on_body = cb;
}

const char *request_body(const request_t *request, size_t *size_out)
{
    *size_out = request->body.size;
    return sk_buffer_text(&request->body);
}

void request_set_data(request_t *request, void *data, void (*on_hang_up)(request_t *request))
{
    request->data = data;
    request->on_hang_up = on_hang_up;
}

void *request_data(const request_t *request)
{
    return request->data;
}

/* Answer a request that is not for the handler. */
static void request_refuse(request_t *request, unsigned status, const char *code,
                           const char *message)
{
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_appendf(&body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
    request_add_header(request, "x-ms-error-code", code);
    request_answer_take(request, status, "application/json; charset=utf-8", &body);
}

/* localhost, 127.0.0.1 or [::1], with or without a port: no other name leads here, and a page
 * whose name was made to is refused. */
static bool is_local_host(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(host, names[i], length) == 0 &&
            (host[length] == '\0' ||
             (host[length] == ':' &&
              strspn(host + length + 1, "0123456789") == strlen(host + length + 1)))) {
            return true;
        }
    }
    return false;
}

/* The user at the other end: ourselves or root. In a user namespace root has no number, and its
 * directory keeps all others out. */
static bool is_allowed_peer(request_t *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return info != NULL &&
           getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void request_check(request_t *request)
{
    const char *host = request_header(request, MHD_HTTP_HEADER_HOST);

    if (!is_allowed_peer(request)) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "PeerNotAllowed",
                       "this session pool serves the user who runs it");
    } else if (request_header(request, MHD_HTTP_HEADER_ORIGIN) != NULL) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "OriginNotAllowed",
                       "requests of web pages are not served");
    } else if (host == NULL || !is_local_host(host)) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "HostNotAllowed",
                       "the Host header must be localhost, 127.0.0.1 or [::1]");
    }
}

static request_t *request_new(http_t *http, struct MHD_Connection *connection, const char *method,
                              const char *path)
{
    request_t *request = sk_calloc(1, sizeof(*request));

    if (request != NULL) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        request->arrived_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        request->http = http;
        request->connection = connection;
        request->method = method;
        request->path = path;
    }
    return request;
}

/* Read to the end also when the request is refused: else the client sees no answer. */
static void request_take_part(request_t *request, const char *part, size_t size)
{
    if (request->response != NULL) {
        sk_buffer_fini(&request->body);
    } else if (request->sink != NULL) {
        request->sink->take(request, part, size);
    } else if (request->too_large || request->body.size + size > request->http->options.body_max) {
        request->too_large = true;
        sk_buffer_clear(&request->body);
    } else {
        sk_buffer_append(&request->body, part, size);
    }
}

static void request_end_body(request_t *request)
{
    const request_fn cb = request->on_body;

    request->on_body = NULL;
    request->handled = true;
    if (request->too_large || request->body.failed) {
        request_refuse(request, 413, "RequestBodyTooLarge", "the request body is too large");
    } else {
        cb(request);
    }
}

static void request_suspend(request_t *request)
{
    request_pause(request);
    if (request->on_hang_up != NULL) {
        request_watch(request);
    }
}

/* The library's one call-back: first with the headers, then for each part of the body, then with
 * none left, and once more when a suspended connection is resumed. */
static enum MHD_Result http_on_request(void *data, struct MHD_Connection *connection,
                                       const char *path, const char *method, const char *version,
                                       const char *part, size_t *part_size, void **state)
{
    http_t *http = data;
    request_t *request = *state;

    (void)version;
    if (request == NULL) {
        request = request_new(http, connection, method, path);
        *state = request;
        if (request == NULL) {
            return MHD_NO;
        }
        request_check(request);
        if (request->response == NULL) {
            http->options.handler(request, http->options.data);
        }
        return MHD_YES;
    }
    if (*part_size > 0) {
        request_take_part(request, part, *part_size);
        *part_size = 0;
        return MHD_YES;
    }
    if (request->on_body != NULL && request->response == NULL) {
        request_end_body(request);
    }
    if (request->response == NULL && request->status == 0 && request->handled) {
        request_suspend(request);
        return MHD_YES;
    }
    return request_queue_answer(request);
}

static void http_on_request_end(void *data, struct MHD_Connection *connection, void **state,
                                enum MHD_RequestTerminationCode code)
{
    request_t *request = *state;

    (void)data;
    (void)connection;
    (void)code;
    if (request == NULL) {
        return;
    }
    request_stop_watching(request);
    if (request->on_hang_up != NULL) {
        request->on_hang_up(request);
    }
    if (request->sink != NULL) {
        request->sink->drop(request);
    }
    if (request->source.drop != NULL) {
        request->source.drop(request->source.data);
    }
    if (request->response != NULL) {
        MHD_destroy_response(request->response);
    }
    sk_buffer_fini(&request->header_values);
    sk_buffer_fini(&request->body);
    sk_free(request);
    *state = NULL;
}

/* ---- start and stop ---- */

static size_t http_unescape(void *data, struct MHD_Connection *connection, char *text)
{
    (void)data;
    (void)connection;
    for (char *at = strstr(text, "%00"); at != NULL; at = strstr(at, "%00")) {
        at[2] = '1';
    }
    return MHD_http_unescape(text);
}

http_t *http_start(const http_options_t *options, failure_t *failure)
{
    http_t *http = sk_calloc(1, sizeof(*http));

    if (http == NULL) {
        (void)fail(failure, "cannot serve HTTP: out of memory");
        return NULL;
    }
    http->options = *options;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, http_on_request,
        http, MHD_OPTION_LISTEN_SOCKET, options->socket, MHD_OPTION_CONNECTION_LIMIT,
        options->connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_request_end, NULL, MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, NULL,
        MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        http->daemon == NULL ? NULL : MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(options->loop, &http->watch, info->epoll_fd) != 0) {
        (void)fail(failure, "cannot serve HTTP: libmicrohttpd did not start");
        sk_free(http);
        return NULL;
    }
    http->watch.data = http;
    http->timer.data = http;
    http->closing = 2;
    (void)uv_timer_init(options->loop, &http->timer);
    (void)uv_poll_start(&http->watch, UV_READABLE, http_on_ready);
    return http;
}

void http_quiesce(http_t *http)
{
    MHD_socket listening = MHD_quiesce_daemon(http->daemon);

    (void)listening; /* the endpoint's: closed there */
    http_turn(http);
}

static void http_on_close(uv_handle_t *handle)
{
    http_t *http = handle->data;

    if (--http->closing == 0) {
        sk_free(http);
    }
}

void http_sever(http_t *http)
{
    http->severed = true;
}

void http_stop(http_t *http)
{
    struct MHD_Daemon *daemon = http->daemon;

    http->daemon = NULL;
    uv_close((uv_handle_t *)&http->watch, http_on_close);
    uv_close((uv_handle_t *)&http->timer, http_on_close);
    MHD_stop_daemon(daemon);
}
