/*
 * client.c - accepting connections, and cutting those that take too long.
 *
 *   gate_on_ready       connections wait to be accepted
 *   client_admit        one is handed to the library ..
 *   client_turn_away    .. or, when there are too many, told so
 *   client_enter        it comes into another phase, and the clock with it
 *   client_credit       a body comes: who sends steadily may go on
 *   clients_on_clock    the earliest deadline has come
 *   client_expire       cut what is late
 *   client_free         the library has closed it
 */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <alloc.h>

#include "request.h"
#include "telemetry/metrics.h"

#define S_NS          INT64_C(1000000000)
#define MS_NS         INT64_C(1000000)
#define NEVER         INT64_MAX
#define ACCEPTS       64            /* at a time, before others have their turn */
#define LEAVING_MAX   32            /* more are turned away without a word */
#define LEAVING_NS    (2 * S_NS)    /* to read that */
#define KEPT_NS       (30 * S_NS)   /* for the next request to be there */
#define ANSWER_NS     (30 * S_NS)   /* to read an answer, and besides .. */
#define ANSWER_RATE   (16 * 1024)   /* .. for each so many bytes a second */
#define BODY_RATE     1024          /* bytes a second of a body, in the long run */
#define GATE_PAUSE_NS (100 * MS_NS) /* when no descriptor is left to accept with */

struct gate {
    uv_poll_t poll; /* first: they share an address */
    http_t *http;
    listener_t listener;
    bool is_shut; /* for a pause */
};

static const char busy[] =
    "{\"error\":{\"code\":\"TooManyConnections\",\"message\":\"as many clients are connected as "
    "may be\"}}";
static const char slow[] =
    "{\"error\":{\"code\":\"RequestTimeout\",\"message\":\"the request did not come in time\"}}";

static void gate_on_ready(uv_poll_t *poll, int status, int events);
static void client_on_leaving(uv_poll_t *poll, int status, int events);
static void clients_on_clock(uv_timer_t *timer);

static int64_t now_ns(void)
{
    return (int64_t)uv_hrtime();
}

static int64_t patience_ns(const http_t *http)
{
    return (int64_t)http->options.patience_s * S_NS;
}

/* ---- the clock ---- */

static void clients_arm(clients_t *clients, int64_t deadline_ns)
{
    if (deadline_ns >= clients->clock_ns) {
        return; /* it strikes before that, and looks again */
    }
    int64_t left_ns = deadline_ns - now_ns();
    clients->clock_ns = deadline_ns;
    (void)uv_timer_start(&clients->clock, clients_on_clock,
                         left_ns > 0 ? (uint64_t)(left_ns / MS_NS) + 1 : 0, 0);
}

static void client_set_deadline(client_t *client, int64_t deadline_ns)
{
    client->deadline_ns = deadline_ns;
    clients_arm(&client->http->clients, deadline_ns);
}

void client_enter(client_t *client, phase_t phase, uint64_t size)
{
    int64_t now = now_ns();

    client->phase = phase;
    if (phase != PHASE_ANSWER && phase != PHASE_LEAVING) {
        client_watch(client);
    }
    switch (phase) {
    case PHASE_HEAD:
    case PHASE_BODY:
        client_set_deadline(client, now + patience_ns(client->http));
        break;
    case PHASE_SERVED:
        client->deadline_ns = NEVER;
        break;
    case PHASE_ANSWER:
        client_set_deadline(client, now + ANSWER_NS + (int64_t)(size / ANSWER_RATE) * S_NS);
        break;
    case PHASE_KEPT:
        client_set_deadline(client, now + KEPT_NS);
        break;
    case PHASE_LEAVING:
        client_set_deadline(client, now + LEAVING_NS);
        break;
    }
}

void client_credit(client_t *client, size_t size)
{
    if (client->phase == PHASE_BODY) {
        int64_t most = now_ns() + patience_ns(client->http);
        int64_t earned = client->deadline_ns + (int64_t)size * (S_NS / BODY_RATE);
        client->deadline_ns = earned < most ? earned : most; /* later: the clock need not know */
    }
}

/* ---- words to clients that the library has not answered ---- */

static void say(int socket, const char *status, const char *header, const char *body)
{
    char text[512];
    int size = snprintf(text, sizeof(text),
                        "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Type: application/json; "
                        "charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
                        status, header, strlen(body), body);

    (void)!send(socket, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void client_expire(client_t *client)
{
    const bool is_plain = client->transport != TRANSPORT_TLS;

    if (client->phase == PHASE_LEAVING) {
        client_free(client);
        return;
    }
    if (client->phase != PHASE_KEPT) {
        metrics_add(METRIC_CONNECTIONS_TOO_SLOW, 1);
    }
    if (is_plain && (client->phase == PHASE_HEAD || client->phase == PHASE_BODY)) {
        say(client->socket, "408 Request Timeout", "", slow);
    }
    client->deadline_ns = NEVER;
    http_abandon(client);
}

static void gate_open(gate_t *gate)
{
    gate->is_shut = false;
    (void)uv_poll_start(&gate->poll, UV_READABLE, gate_on_ready);
}

static void clients_on_clock(uv_timer_t *timer)
{
    http_t *http = timer->data;
    clients_t *clients = &http->clients;
    int64_t now = now_ns();
    int64_t earliest = NEVER;
    client_t *next = NULL;

    clients->clock_ns = NEVER;
    for (client_t *client = clients->first; client != NULL; client = next) {
        next = client->next;
        if (client->deadline_ns <= now) {
            client_expire(client);
        } else if (client->deadline_ns < earliest) {
            earliest = client->deadline_ns;
        }
    }
    for (size_t i = 0; i < clients->gate_count; i++) {
        if (clients->gates[i].is_shut) {
            gate_open(&clients->gates[i]);
        }
    }
    if (earliest != NEVER) {
        clients_arm(clients, earliest);
    }
}

/* ---- coming ---- */

static client_t *client_new(http_t *http, int socket, transport_t transport)
{
    client_t *client = sk_calloc(1, sizeof(*client));

    if (client == NULL || uv_poll_init(http->options.loop, &client->poll, socket) != 0) {
        sk_free(client);
        (void)close(socket);
        return NULL;
    }
    client->poll.data = client;
    client->http = http;
    client->socket = socket;
    client->transport = transport;
    client->next = http->clients.first;
    if (client->next != NULL) {
        client->next->previous = client;
    }
    http->clients.first = client;
    return client;
}

static void client_admit(http_t *http, int socket, transport_t transport)
{
    client_t *client = client_new(http, socket, transport);

    if (client == NULL) {
        return;
    }
    http->clients.count++;
    metrics_add(METRIC_CONNECTIONS_ADMITTED, 1);
    client_enter(client, PHASE_HEAD, 0);
    http->clients.arriving = client;
    if (!http_take_connection(http, client) && http->clients.arriving != NULL) {
        client_free(client);
    }
    http->clients.arriving = NULL;
}

/* What it has sent is read before the connection is closed: else it may never see the answer. */
static void client_turn_away(http_t *http, int socket, transport_t transport)
{
    client_t *client = NULL;

    metrics_add(METRIC_CONNECTIONS_TURNED_AWAY, 1);
    if (transport == TRANSPORT_TLS || http->clients.leaving == LEAVING_MAX) {
        (void)close(socket);
        return;
    }
    say(socket, "503 Service Unavailable", "Retry-After: 1\r\n", busy);
    (void)shutdown(socket, SHUT_WR);
    client = client_new(http, socket, transport);
    if (client == NULL) {
        return;
    }
    http->clients.leaving++;
    (void)uv_poll_start(&client->poll, UV_READABLE, client_on_leaving);
    client_enter(client, PHASE_LEAVING, 0);
}

static void client_on_leaving(uv_poll_t *poll, int status, int events)
{
    client_t *client = poll->data;
    char bytes[4096];

    (void)events;
    if (status < 0) {
        client_free(client);
        return;
    }
    ssize_t got = recv(client->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        client_free(client);
    }
}

/* Is there room, if need be by ending the connection that has been without a request for
 * longest? */
static bool clients_make_room(http_t *http)
{
    client_t *oldest = NULL;
    char byte = 0;

    http_turn_all(http); /* perhaps one has hung up already */
    if (http->clients.count < http->options.connections) {
        return true;
    }
    for (client_t *client = http->clients.first; client != NULL; client = client->next) {
        if (client->phase == PHASE_KEPT && client->deadline_ns != NEVER &&
            (oldest == NULL || client->deadline_ns < oldest->deadline_ns) &&
            recv(client->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
            oldest = client;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    client_expire(oldest);
    http_turn_all(http); /* it is closed, and no longer counted */
    return http->clients.count < http->options.connections;
}

static void gate_accept(gate_t *gate, int socket)
{
    http_t *http = gate->http;

    if (http->clients.count < http->options.connections || clients_make_room(http)) {
        client_admit(http, socket, gate->listener.transport);
    } else {
        client_turn_away(http, socket, gate->listener.transport);
    }
}

static void gate_shut(gate_t *gate)
{
    gate->is_shut = true;
    (void)uv_poll_stop(&gate->poll);
    clients_arm(&gate->http->clients, now_ns() + GATE_PAUSE_NS);
}

static void gate_on_ready(uv_poll_t *poll, int status, int events)
{
    gate_t *gate = poll->data;

    (void)events;
    if (status < 0) { /* the loop has given up the poll: begin anew, a little later */
        gate_shut(gate);
    }
    for (int i = 0; i < ACCEPTS && !gate->is_shut; i++) {
        int socket = accept4(gate->listener.socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) {
            gate_accept(gate, socket);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            gate_shut(gate);
        } else if (errno == EAGAIN) {
            break;
        }
    }
    http_turn_all(gate->http);
}

/* ---- going ---- */

static void client_on_closed(uv_handle_t *handle)
{
    client_t *client = handle->data;

    if (client->phase == PHASE_LEAVING) {
        (void)close(client->socket); /* else the library has done so */
    }
    sk_free(client);
}

void client_free(client_t *client)
{
    clients_t *clients = &client->http->clients;

    if (client->previous != NULL) {
        client->previous->next = client->next;
    } else {
        clients->first = client->next;
    }
    if (client->next != NULL) {
        client->next->previous = client->previous;
    }
    if (clients->arriving == client) {
        clients->arriving = NULL;
    }
    clients->count -= client->phase != PHASE_LEAVING;
    clients->leaving -= client->phase == PHASE_LEAVING;
    sk_free(client->target);
    client->target = NULL;
    uv_close((uv_handle_t *)&client->poll, client_on_closed);
}

/* ---- start and stop ---- */

bool clients_start(http_t *http, failure_t *failure)
{
    clients_t *clients = &http->clients;
    const http_options_t *options = &http->options;

    clients->gates = sk_calloc(options->listener_count, sizeof(*clients->gates));
    if (clients->gates == NULL) {
        return fail(failure, "cannot serve HTTP: out of memory");
    }
    clients->clock_ns = NEVER;
    clients->clock.data = http;
    (void)uv_timer_init(options->loop, &clients->clock);
    http->closing++;
    for (size_t i = 0; i < options->listener_count; i++) {
        gate_t *gate = &clients->gates[i];
        gate->http = http;
        gate->listener = options->listeners[i];
        gate->poll.data = gate;
        if (uv_poll_init(options->loop, &gate->poll, gate->listener.socket) != 0) {
            return fail(failure, "cannot serve HTTP: descriptor %d is no socket",
                        gate->listener.socket);
        }
        clients->gate_count++;
        http->closing++;
        gate_open(gate);
    }
    return true;
}

void clients_quiesce(http_t *http)
{
    for (size_t i = 0; i < http->clients.gate_count; i++) {
        http->clients.gates[i].is_shut = false;
        (void)uv_poll_stop(&http->clients.gates[i].poll);
    }
}

void clients_stop(http_t *http, uv_close_cb on_close)
{
    clients_t *clients = &http->clients;

    while (clients->first != NULL) {
        client_free(clients->first);
    }
    for (size_t i = 0; i < clients->gate_count; i++) {
        clients->gates[i].poll.data = http;
        uv_close((uv_handle_t *)&clients->gates[i].poll, on_close);
    }
    uv_close((uv_handle_t *)&clients->clock, on_close);
}
