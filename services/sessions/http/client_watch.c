/*
 * client_watch.c - clients that hang up.
 *
 * The library does not always find the end of a connection: not while a request
 * waits for its answer, and not when the end comes together with the last bytes. So
 * each connection is watched here, too. The loop would tell of the end again and
 * again: it is asked anew when the client comes into its next phase.
 */
#include <sys/socket.h>

#include "client.h"
#include "request.h"

/* Nothing more will come, and all that came has been read. */
static bool client_is_drained(const client_t *client)
{
    char byte = 0;

    return recv(client->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void client_on_hang_up(uv_poll_t *poll, int status, int events)
{
    client_t *client = poll->data;

    (void)status;
    (void)events;
    (void)uv_poll_stop(poll);
    http_turn(client->http, client); /* it may have said more before it went */
    if (uv_is_closing((const uv_handle_t *)poll)) {
        return;
    }
    switch (client->phase) {
    case PHASE_HEAD:
    case PHASE_BODY:
    case PHASE_KEPT:
        if (client_is_drained(client)) {
            http_abandon(client);
        }
        break;
    case PHASE_SERVED:
        if (client->request != NULL && client->request->on_hang_up != NULL) {
            client->request->on_hang_up(client->request);
        }
        break;
    case PHASE_ANSWER: /* the library finds out when it writes */
    case PHASE_LEAVING:
        break;
    }
}

void client_watch(client_t *client)
{
    if (!uv_is_active((const uv_handle_t *)&client->poll)) {
        (void)uv_poll_start(&client->poll, UV_DISCONNECT, client_on_hang_up);
    }
}
