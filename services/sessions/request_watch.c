/*
 * request_watch.c - clients that hang up while they wait.
 */
#include "request.h"

#include <alloc.h>

static void free_handle(uv_handle_t *handle)
{
    sk_free(handle);
}

void request_stop_watching(request_t *request)
{
    if (request->hang_up_watch != NULL) {
        uv_close((uv_handle_t *)request->hang_up_watch, free_handle);
        request->hang_up_watch = NULL;
    }
}

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

void request_watch(request_t *request)
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
