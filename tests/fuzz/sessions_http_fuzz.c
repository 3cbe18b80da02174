/*
 * sessions_http_fuzz.c - whatever bytes come over a connection: the server lives, answers in HTTP
 * or ends the connection, and no code runs for who may not ask.
 *
 * The real HTTP server, routes and pool, on a loop; no sandbox can be made here, so
 * a session that is asked for is refused as on a machine that has no room for one.
 * The first byte says which way the others come: over the user's socket or one that
 * wants a token, at once or in two pieces.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "support/fuzz.h"

#include "config/config.h"
#include "http/http.h"
#include "pool/pool.h"
#include "protocol/protocol.h"
#include "sandbox/facility.h"

#define TOKEN      "a-token-that-inputs-hardly-have"
#define ANSWER_MAX (256 * 1024)
#define TURNS_MAX  20000

enum { WAY_TOKEN = 1, WAY_PIECES = 2 };

typedef struct peer {
    int socket;
    bool ended;
    size_t size;
    char answer[ANSWER_MAX];
} peer_t;

static uv_loop_t loop;
static int doors[2];
static config_t config;
static facility_t facility;
static sandbox_plan_t plan;
static protocol_t protocol;

/* At an address that the kernel chooses. */
static int listen_somewhere(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    FUZZ_CHECK(door >= 0);
    FUZZ_CHECK(bind(door, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    FUZZ_CHECK(listen(door, 8) == 0);
    return door;
}

static void start(void)
{
    static listener_t listeners[2];
    const http_options_t options = {.loop = &loop,
                                    .listeners = listeners,
                                    .listener_count = 2,
                                    .connections = 8,
                                    .patience_s = 1,
                                    .body_max = PROTOCOL_BODY_MAX,
                                    .handler = protocol_handle,
                                    .data = &protocol,
                                    .level = "none",
                                    .token = TOKEN};
    failure_t failure;

    config = *config_defaults();
    config.max_sessions = 2;
    config.warm_min = 0;
    config.processes = 16;
    config.address_space = GIB;
    facility.level = LEVEL_NO_CGROUP;
    plan = (sandbox_plan_t){.loop = &loop,
                            .config = &config,
                            .facility = &facility,
                            .seccomp_file = -1,
                            .fonts_file = -1};
    FUZZ_CHECK(uv_loop_init(&loop) == 0);
    protocol.plan = &plan;
    protocol.pool = pool_new(&plan);
    protocol.survey = survey_new(&plan, protocol.pool);
    FUZZ_CHECK(protocol.pool != NULL && protocol.survey != NULL);
    for (int i = 0; i < 2; i++) {
        doors[i] = listen_somewhere();
        listeners[i] = (listener_t){doors[i], i == 0 ? TRANSPORT_UNIX : TRANSPORT_TCP};
    }
    FUZZ_CHECK(http_start(&options, &failure) != NULL);
}

static int connect_to(int door)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    FUZZ_CHECK(peer >= 0);
    FUZZ_CHECK(getsockname(door, (struct sockaddr *)&address, &size) == 0);
    FUZZ_CHECK(connect(peer, (struct sockaddr *)&address, size) == 0);
    return peer;
}

static void peer_on_readable(uv_poll_t *poll, int status, int events)
{
    peer_t *peer = poll->data;
    const size_t room = sizeof(peer->answer) - 1 - peer->size;

    (void)events;
    ssize_t got = recv(peer->socket, peer->answer + peer->size, room, MSG_DONTWAIT);
    if (got > 0) {
        peer->size += (size_t)got;
    }
    peer->ended = room == 0 || got == 0 || (got < 0 && errno != EAGAIN) || status < 0;
}

static void send_all(const peer_t *peer, const char *bytes, size_t size)
{
    while (size > 0 && !peer->ended) {
        ssize_t sent = send(peer->socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            return; /* refused before its end */
        }
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
}

/* Each answer is one; there is none but refusals for who has not shown the token. */
static void check_answer(const peer_t *peer, bool may_ask, bool guessed)
{
    static const char begin[] = "HTTP/1.1 ";

    if (peer->size == 0) {
        return;
    }
    FUZZ_CHECK(peer->size > strlen(begin) + 3);
    FUZZ_CHECK(memcmp(peer->answer, begin, strlen(begin)) == 0);
    FUZZ_CHECK(strspn(peer->answer + strlen(begin), "0123456789") == 3);
    /* What is echoed, the identifier for one, becomes no header. */
    FUZZ_CHECK(strcasestr(peer->answer, "\naccess-control-allow") == NULL);
    FUZZ_CHECK(guessed || strstr(peer->answer, TOKEN) == NULL);
    FUZZ_CHECK(may_ask || guessed || strstr(peer->answer, "HTTP/1.1 2") == NULL);
}

static void on_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    static peer_t peer;
    const unsigned way = size > 0 ? data[0] : 0;
    const bool may_ask = (way & WAY_TOKEN) == 0;
    const char *bytes = size > 0 ? (const char *)data + 1 : "";
    const size_t length = size > 0 ? size - 1 : 0;
    const size_t first = (way & WAY_PIECES) != 0 ? length / 2 : length;
    bool closed = false;
    uv_poll_t poll;

    if (!started) {
        start();
        started = true;
    }
    peer = (peer_t){.socket = connect_to(doors[may_ask ? 0 : 1])};
    FUZZ_CHECK(uv_poll_init(&loop, &poll, peer.socket) == 0);
    poll.data = &peer;
    (void)uv_poll_start(&poll, UV_READABLE, peer_on_readable);
    send_all(&peer, bytes, first);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    send_all(&peer, bytes + first, length - first);
    (void)shutdown(peer.socket, SHUT_WR); /* which the server takes for the end */
    for (int turn = 0; !peer.ended; turn++) {
        FUZZ_CHECK(turn < TURNS_MAX);
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    check_answer(&peer, may_ask, memmem(bytes, length, TOKEN, strlen(TOKEN)) != NULL);
    poll.data = &closed;
    uv_close((uv_handle_t *)&poll, on_closed);
    while (!closed) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    (void)close(peer.socket);
    return 0;
}
