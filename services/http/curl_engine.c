/*
 * curl_engine.c - libcurl's multi handle on the kernel's loop.
 *
 *     engine_on_want         libcurl wants a descriptor watched, or no longer
 *     engine_on_ready        a descriptor is ready: let libcurl act
 *     engine_on_timer        libcurl tells when it wants to be called
 *     http__engine_run       call it then, take the transfers that have ended
 *     http__engine_on_open, http__engine_on_close
 *                            a connection's descriptor comes and goes
 *
 * Watching and unwatching a descriptor costs system calls. A kept connection is
 * therefore still watched when libcurl no longer asks for it (lazy polling): the
 * next request finds it so. If something comes on it meanwhile, the watch is
 * paused.
 *
 * A watch must never outlive its descriptor: the loop would end the process, or
 * watch whatever gets the number next. libcurl 7.88 tells of the closing of a
 * connection that stands, but not of one that it was still making, nor of its
 * resolver's descriptors. So only a connection that carried a request, and is
 * still the socket that was opened, keeps its watch; and a number that is opened
 * while it is known here was closed in between.
 */
#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <kernel/plugin.h>
#include <kernel/service.h>

#include "alloc.h"
#include "client.h"
#include "curl_home.h"

#define ENGINE_TRANSFERS_KEPT 64

typedef struct engine_socket {
    http__engine_t *engine;
    curl_socket_t fd;
    kp_watch *watch; /* NULL: none */
    uint32_t armed;  /* KP_POLL_: what the watch waits for */
    uint32_t wanted; /* what libcurl wants; 0: nothing */
    ino_t identity;  /* of a connection's socket; 0: something else */
} engine_socket_t;

struct http__engine {
    http__client_t *client;
    CURLM *multi;
    engine_socket_t **sockets; /* owned; by descriptor; NULL: not seen */
    size_t socket_capacity;
    http__transfer_t *kept[ENGINE_TRANSFERS_KEPT]; /* whose handles will be used again */
    size_t kept_count;
    uint64_t due_at;
    int depth; /* of calls into libcurl */
    bool is_closing;
};

static int engine_on_want(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data);
static void engine_on_ready(void *arg, uint32_t events);
static int engine_on_timer(CURLM *multi, long ms, void *data);

/* ---- libcurl itself: the process's, and never given back ---- */

static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static CURLcode engine_prepared;
static const char *engine_ca_file; /* libcurl's, constant; NULL: it has none */

static void engine_prepare(void)
{
    const curl_version_info_data *about = NULL;

    engine_prepared = curl_global_init(CURL_GLOBAL_DEFAULT);
    about = curl_version_info(CURLVERSION_NOW);
    if (about->age >= CURLVERSION_SEVENTH && about->cainfo != NULL &&
        access(about->cainfo, R_OK) == 0) {
        engine_ca_file = about->cainfo;
    }
}

bool http__engine_prepare(void)
{
    (void)pthread_once(&engine_once, engine_prepare);
    return engine_prepared == CURLE_OK;
}

/* ---- the multi handle ---- */

http__engine_t *http__engine_new(http__client_t *client)
{
    http__engine_t *engine = sk_calloc(1, sizeof(*engine));
    CURLM *multi = curl_multi_init();

    if (engine == NULL || multi == NULL ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, engine_on_want) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, engine_on_timer) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->config.max_connections) !=
            CURLM_OK) {
        (void)curl_multi_cleanup(multi);
        sk_free(engine);
        return NULL;
    }
    engine->client = client;
    engine->multi = multi;
    engine->due_at = HTTP__NEVER;
    return engine;
}

void http__engine_free(http__engine_t *engine)
{
    assert(engine->depth == 0);
    engine->is_closing = true;
    while (engine->kept_count > 0) {
        engine->kept_count--;
        http__transfer_free(engine->kept[engine->kept_count]);
    }
    /* Closes connections, and asks to watch their descriptors while doing so. */
    http__engine_enter(engine);
    (void)curl_multi_cleanup(engine->multi);
    http__engine_leave(engine);
    for (size_t i = 0; i < engine->socket_capacity; i++) {
        assert(engine->sockets[i] == NULL);
    }
    sk_free(engine->sockets);
    sk_free(engine);
}

CURLM *http__engine_multi(http__engine_t *engine)
{
    return engine->multi;
}

void http__engine_enter(http__engine_t *engine)
{
    engine->depth++;
}

void http__engine_leave(http__engine_t *engine)
{
    engine->depth--;
}

bool http__engine_is_busy(const http__engine_t *engine)
{
    return engine->depth > 0;
}

const http__config_t *http__engine_config(const http__engine_t *engine)
{
    return &engine->client->config;
}

const char *http__engine_ca_file(const http__engine_t *engine)
{
    return engine->client->config.ca_file != NULL ? engine->client->config.ca_file : engine_ca_file;
}

http__transfer_t *http__engine_take_kept(http__engine_t *engine)
{
    if (engine->kept_count == 0) {
        return NULL;
    }
    engine->kept_count--;
    return engine->kept[engine->kept_count];
}

bool http__engine_keep(http__engine_t *engine, http__transfer_t *transfer)
{
    if (engine->kept_count == ENGINE_TRANSFERS_KEPT) {
        return false;
    }
    engine->kept[engine->kept_count] = transfer;
    engine->kept_count++;
    return true;
}

/* ---- descriptors ---- */

static engine_socket_t *engine_find_socket(const http__engine_t *engine, curl_socket_t fd)
{
    return (size_t)fd < engine->socket_capacity ? engine->sockets[fd] : NULL;
}

static bool engine_grow_sockets(http__engine_t *engine, curl_socket_t fd)
{
    size_t capacity = engine->socket_capacity == 0 ? 64 : engine->socket_capacity;
    engine_socket_t **sockets = NULL;

    while (capacity <= (size_t)fd) {
        capacity *= 2;
    }
    if (capacity == engine->socket_capacity) {
        return true;
    }
    sockets = sk_realloc(engine->sockets, capacity * sizeof(engine_socket_t *));
    if (sockets == NULL) {
        return false;
    }
    memset(sockets + engine->socket_capacity, 0,
           (capacity - engine->socket_capacity) * sizeof(engine_socket_t *));
    engine->sockets = sockets;
    engine->socket_capacity = capacity;
    return true;
}

static engine_socket_t *engine_add_socket(http__engine_t *engine, curl_socket_t fd)
{
    engine_socket_t *sock = NULL;

    if (engine_grow_sockets(engine, fd)) {
        sock = sk_calloc(1, sizeof(*sock));
    }
    if (sock != NULL) {
        sock->engine = engine;
        sock->fd = fd;
        engine->sockets[fd] = sock;
    }
    return sock;
}

/* Before the descriptor is closed: a watch on a closed one is the loop's ruin. */
static void engine_remove_socket(http__engine_t *engine, engine_socket_t *sock)
{
    const kp_poll *poll = engine->client->poll;

    if (sock->watch != NULL) {
        poll->unwatch(poll, sock->watch);
    }
    engine->sockets[sock->fd] = NULL;
    sk_free(sock);
}

/* Let the watch wait for `events`; false: it cannot. */
static bool engine_watch(engine_socket_t *sock, uint32_t events)
{
    const kp_poll *poll = sock->engine->client->poll;

    if (sock->watch == NULL) {
        sock->watch = poll->watch(poll, sock->engine->client->instance, sock->fd, events,
                                  engine_on_ready, sock);
        if (sock->watch == NULL) {
            return false;
        }
    } else if (sock->armed != events && poll->change(poll, sock->watch, events) != KP_OK) {
        return false;
    }
    sock->armed = events;
    return true;
}

/* What tells one socket from another that has its number later; 0: it is closed. */
static ino_t engine_identity(curl_socket_t fd)
{
    struct stat about;

    return fstat(fd, &about) == 0 ? about.st_ino : 0;
}

/* Nobody wants it for now. Is it a connection that somebody will want again? */
static void engine_rest_socket(http__engine_t *engine, engine_socket_t *sock,
                               const http__transfer_t *transfer)
{
    bool is_kept = engine->client->config.is_polling_lazily && transfer != NULL &&
                   http__transfer_is_sent(transfer) && sock->identity != 0 &&
                   sock->identity == engine_identity(sock->fd);

    sock->wanted = 0;
    if (!is_kept || !engine_watch(sock, sock->armed & KP_POLL_READABLE)) {
        engine_remove_socket(engine, sock);
    }
}

bool http__engine_on_open(http__engine_t *engine, curl_socket_t fd)
{
    engine_socket_t *sock = engine_find_socket(engine, fd);
    uint32_t wanted = 0;

    if (sock != NULL) {
        wanted = sock->wanted; /* libcurl takes it for watched, so it will not ask again */
        engine_remove_socket(engine, sock);
    }
    sock = engine_add_socket(engine, fd);
    if (sock == NULL) {
        return false;
    }
    sock->identity = engine_identity(fd);
    sock->wanted = wanted;
    return wanted == 0 || engine_watch(sock, wanted);
}

int http__engine_on_close(void *data, curl_socket_t fd)
{
    http__engine_t *engine = data;
    engine_socket_t *sock = engine_find_socket(engine, fd);

    if (sock != NULL) {
        engine_remove_socket(engine, sock);
    }
    return close(fd);
}

/* Its answer is always 0: anything else makes libcurl give up all transfers. */
static int engine_on_want(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    http__engine_t *engine = data;
    engine_socket_t *sock = engine_find_socket(engine, fd);
    http__transfer_t *transfer = NULL;

    (void)socket_data;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL) {
            engine_rest_socket(engine, sock, transfer);
        }
        return 0;
    }
    if (engine->is_closing || transfer == NULL) {
        return 0; /* libcurl closes connections with a handle of its own */
    }
    if (sock == NULL) {
        sock = engine_add_socket(engine, fd);
    }
    if (sock != NULL) {
        sock->wanted = ((what & CURL_POLL_IN) != 0 ? KP_POLL_READABLE : 0) |
                       ((what & CURL_POLL_OUT) != 0 ? KP_POLL_WRITABLE : 0);
    }
    if (sock == NULL || !engine_watch(sock, sock->wanted)) {
        http__transfer_on_watch_failed(transfer);
    }
    return 0;
}

static void engine_act(http__engine_t *engine, curl_socket_t fd, int mask)
{
    int running = 0;

    http__engine_enter(engine);
    (void)curl_multi_socket_action(engine->multi, fd, mask, &running);
    http__engine_leave(engine);
}

static void engine_on_ready(void *arg, uint32_t events)
{
    engine_socket_t *sock = arg;
    http__engine_t *engine = sock->engine;
    curl_socket_t fd = sock->fd;
    int mask = ((events & KP_POLL_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & KP_POLL_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);

    if ((events & KP_POLL_ERROR) != 0) {
        sock->armed = 0;
        /* CURL_CSELECT_ERR alone makes 7.88 fail without reading what has come or why. */
        mask = CURL_CSELECT_IN | CURL_CSELECT_OUT | CURL_CSELECT_ERR;
    }
    if (sock->wanted == 0) {
        (void)engine_watch(sock, 0);
        return;
    }
    engine_act(engine, fd, mask);
    sock = engine_find_socket(engine, fd); /* it may be gone, or another one by now */
    if (sock != NULL && sock->wanted != 0) {
        (void)engine_watch(sock, sock->wanted);
    }
    http__client_run(engine->client);
}

/* ---- time ---- */

/* libcurl must not be called from here. */
static int engine_on_timer(CURLM *multi, long ms, void *data)
{
    http__engine_t *engine = data;

    (void)multi;
    engine->due_at = ms < 0 ? HTTP__NEVER : http__now() + (uint64_t)ms;
    return 0;
}

uint64_t http__engine_due_at(const http__engine_t *engine)
{
    return engine->due_at;
}

void http__engine_run(http__engine_t *engine, uint64_t now)
{
    CURLMsg *message = NULL;
    int left = 0;

    if (engine->due_at <= now) {
        engine->due_at = HTTP__NEVER; /* libcurl tells the next one, even if it is the same */
        engine_act(engine, CURL_SOCKET_TIMEOUT, 0);
    }
    while ((message = curl_multi_info_read(engine->multi, &left)) != NULL) {
        http__transfer_t *transfer = NULL;
        CURLcode code = message->data.result; /* the message dies with the transfer */

        if (message->msg == CURLMSG_DONE) {
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
            http__transfer_on_end(transfer, code);
        }
    }
}
