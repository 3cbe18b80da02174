/*
 * http.c - libmicrohttpd on a libuv loop.
 *
 * The library keeps its sockets in an epoll set of its own; the loop watches that
 * set's descriptor and turns the library when something is ready there. While a
 * request waits for its answer its connection is suspended, and then the library
 * sees nothing of it: that the client hung up is found by watching its socket
 * (request_watch.c).
 */
#include "http.h"

#include <string.h>

#include <alloc.h>

#include "request.h"

#define MEMORY_MAX (32 * 1024) /* of a connection: headers, and a read buffer */
#define IDLE_S     30

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

void http_turn(http_t *http)
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

/* ---- requests ---- */

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
    (void)data;
    (void)connection;
    (void)code;
    if (*state != NULL) {
        request_free(*state);
        *state = NULL;
    }
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
