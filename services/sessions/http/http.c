/*
 * http.c - libmicrohttpd on a libuv loop.
 *
 * The library keeps its sockets in an epoll set of its own; the loop watches that
 * set's descriptor and turns the library when something is ready there. While a
 * request waits for its answer its connection is suspended, and then the library
 * sees nothing of it: that the client hung up is found by watching its socket
 * (client_watch.c).
 */
#include "http.h"

#include <string.h>
#include <sys/socket.h>

#include <alloc.h>

#include "request.h"

#define MEMORY_MAX   (32 * 1024) /* of a connection: headers, and a read buffer */
#define IDLE_S       30          /* without a byte in either direction */
#define TURNS        8           /* of the library at a time, before others have their turn */
#define SPARE        8           /* connections that are closed and not yet cleared away */
#define TLS_VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static void engine_on_timer(uv_timer_t *timer);

/* ---- the loop ---- */

static void engine_turn(engine_t *engine)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    int turns = 0;

    if (engine->turning || engine->daemon == NULL) {
        return;
    }
    engine->turning = true;
    do {
        (void)MHD_run(engine->daemon);
    } while (++turns < TURNS && MHD_get_timeout(engine->daemon, &wait_ms) == MHD_YES &&
             wait_ms == 0);
    engine->turning = false;
    if (MHD_get_timeout(engine->daemon, &wait_ms) == MHD_YES) {
        /* Not 0: while it says so for a connection that it cannot get on with, a timer that is due
         * at once would keep all others from theirs. */
        (void)uv_timer_start(&engine->timer, engine_on_timer, wait_ms > 0 ? wait_ms : 1, 0);
    } else {
        (void)uv_timer_stop(&engine->timer);
    }
}

static void engine_on_ready(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    engine_turn(watch->data);
}

static void engine_on_timer(uv_timer_t *timer)
{
    engine_turn(timer->data);
}

static engine_t *engine_of(http_t *http, const client_t *client)
{
    return &http->engines[client->transport == TRANSPORT_TLS ? ENGINE_TLS : ENGINE_PLAIN];
}

void http_turn(http_t *http, const client_t *client)
{
    engine_turn(engine_of(http, client));
}

void http_turn_all(http_t *http)
{
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        engine_turn(&http->engines[i]);
    }
}

/* ---- connections ---- */

bool http_take_connection(http_t *http, client_t *client)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);

    memset(&peer, 0, sizeof(peer));
    (void)getpeername(client->socket, (struct sockaddr *)&peer, &size);
    return MHD_add_connection(engine_of(http, client)->daemon, client->socket,
                              (const struct sockaddr *)&peer, size) == MHD_YES;
}

static void http_on_connection(void *data, struct MHD_Connection *connection, void **state,
                               enum MHD_ConnectionNotificationCode code)
{
    const http_t *http = data;

    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *state = http->clients.arriving;
        http->clients.arriving->connection = connection;
    } else if (*state != NULL) {
        client_free(*state);
        *state = NULL;
    }
}

void http_abandon(client_t *client)
{
    (void)shutdown(client->socket, SHUT_RDWR);
    (void)MHD_set_connection_option(client->connection, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
}

static client_t *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

/* The library asks for something to begin the request's state with: nothing. */
static void *http_on_target(void *data, const char *target, struct MHD_Connection *connection)
{
    const http_t *http = data;
    client_t *client = client_of(connection);

    if (http->options.faults) {
        sk_free(client->target);
        client->target = sk_strdup(target);
    }
    return NULL;
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
        request = request_new(http, connection, client_of(connection), method, path);
        *state = request;
        if (request == NULL) {
            return MHD_NO;
        }
        client_enter(request->client, PHASE_BODY, 0);
        request_check(request);
        if (request->response == NULL && !request->at_once && !request_fault_begin(request)) {
            http->options.handler(request, http->options.data);
        }
        return request_is_over(request) ? request_queue_answer(request) : MHD_YES;
    }
    if (*part_size > 0) {
        client_credit(request->client, *part_size);
        enum MHD_Result taken = request_take_part(request, part, *part_size) ? MHD_YES : MHD_NO;
        *part_size = 0;
        return taken;
    }
    if (request->on_body != NULL && request->response == NULL) {
        request_end_body(request);
    }
    if (request->response == NULL && request->status == 0 && request->handled) {
        request_suspend(request);
        return MHD_YES;
    }
    return request_fault_hold(request) ? MHD_YES : request_queue_answer(request);
}

static void http_on_request_end(void *data, struct MHD_Connection *connection, void **state,
                                enum MHD_RequestTerminationCode code)
{
    (void)data;
    (void)connection;
    (void)code;
    if (*state != NULL) {
        client_enter(((request_t *)*state)->client, PHASE_KEPT, 0);
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

static bool engine_start(engine_t *engine, http_t *http, const tls_t *tls)
{
    const http_options_t *options = &http->options;
    const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                           MHD_USE_NO_LISTEN_SOCKET | (tls == NULL ? 0 : (unsigned)MHD_USE_TLS);
    const struct MHD_OptionItem secrets[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0,
         (void *)(uintptr_t)(tls == NULL ? NULL : tls_certificate(tls))},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)(tls == NULL ? NULL : tls_key(tls))},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_VERSIONS},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    engine->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, http, MHD_OPTION_CONNECTION_LIMIT,
        options->connections + SPARE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_request_end, NULL, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
        MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, NULL, MHD_OPTION_URI_LOG_CALLBACK,
        http_on_target, http, MHD_OPTION_ARRAY, tls == NULL ? none : secrets, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        engine->daemon == NULL ? NULL
                               : MHD_get_daemon_info(engine->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(options->loop, &engine->watch, info->epoll_fd) != 0) {
        return false;
    }
    engine->watch.data = engine;
    engine->timer.data = engine;
    (void)uv_timer_init(options->loop, &engine->timer);
    (void)uv_poll_start(&engine->watch, UV_READABLE, engine_on_ready);
    http->closing += 2;
    return true;
}

static void http_on_close(uv_handle_t *handle)
{
    http_t *http = handle->data;

    if (--http->closing == 0) {
        sk_free(http->clients.gates);
        sk_free(http);
    }
}

http_t *http_start(const http_options_t *options, failure_t *failure)
{
    http_t *http = sk_calloc(1, sizeof(*http));

    if (http == NULL) {
        (void)fail(failure, "cannot serve HTTP: out of memory");
        return NULL;
    }
    http->options = *options;
    if (!engine_start(&http->engines[ENGINE_PLAIN], http, NULL) ||
        (options->tls != NULL && !engine_start(&http->engines[ENGINE_TLS], http, options->tls))) {
        (void)fail(failure, "cannot serve HTTP: libmicrohttpd did not start%s",
                   options->tls == NULL ? "" : "; was it built with TLS?");
    } else if (clients_start(http, failure)) {
        return http;
    }
    http_stop(http);
    return NULL;
}

void http_quiesce(http_t *http)
{
    clients_quiesce(http);
    http_turn_all(http);
}

void http_sever(http_t *http)
{
    http->severed = true;
}

static void engine_stop(engine_t *engine, http_t *http)
{
    struct MHD_Daemon *daemon = engine->daemon;

    engine->daemon = NULL;
    if (engine->watch.data != NULL) {
        engine->watch.data = engine->timer.data = http;
        uv_close((uv_handle_t *)&engine->watch, http_on_close);
        uv_close((uv_handle_t *)&engine->timer, http_on_close);
    }
    if (daemon != NULL) {
        MHD_stop_daemon(daemon);
    }
}

void http_stop(http_t *http)
{
    http->closing++; /* it stays until here all is done */
    request_faults_release();
    for (size_t i = 0; i < ENGINE_COUNT; i++) {
        engine_stop(&http->engines[i], http);
    }
    clients_stop(http, http_on_close);
    if (--http->closing == 0) {
        sk_free(http->clients.gates);
        sk_free(http);
    }
}
