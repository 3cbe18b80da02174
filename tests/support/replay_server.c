/*
 * replay_server.c - a server that answers as a test says, to the byte.
 *
 * One thread turns a poll() loop over the listening socket, a descriptor that
 * wakes it, and the connections. A connection goes through its states:
 *
 *     READING    a request comes in
 *     WRITING    its answer goes out
 *     STALLED    ... and waits for replay_server_go()
 *     LINGERING  nothing more is sent, until the client goes
 */
#include "replay_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "check.h"

#define REPLAY_PATHS_MAX   64
#define REPLAY_REQUEST_MAX 65536 /* bytes kept of a request */
#define REPLAY_WRITE_MAX   65536
#define REPLAY_IDLE_MS     120000 /* then the thread ends, whatever the test has forgotten */

typedef enum replay_state {
    REPLAY_READING,
    REPLAY_WRITING,
    REPLAY_STATE_STALLED,
    REPLAY_LINGERING
} replay_state_t;

typedef struct replay_connection {
    int fd;
    SSL *ssl; /* NULL: no TLS */
    replay_state_t state;
    short events;        /* what poll() waits for */
    char *request;       /* owned, REPLAY_REQUEST_MAX bytes */
    size_t request_size; /* bytes that came, kept or not */
    size_t head_size;    /* 0: the head is not whole */
    size_t body_size;    /* as its head says */
    replay_answer_t answer;
    size_t sent;
    bool has_stalled;
} replay_connection_t;

typedef struct replay_path {
    const char *path;
    replay_answer_t answer;
} replay_path_t;

struct replay_server {
    replay_transport_t transport;
    int listener;
    int wake;
    pthread_t thread;
    SSL_CTX *tls;
    char directory[64];
    char socket_path[96];
    char ca_file[96];
    uint16_t port;

    replay_connection_t *connections; /* the thread's */
    size_t connection_count;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool is_ending;
    bool is_going;
    replay_path_t paths[REPLAY_PATHS_MAX];
    size_t path_count;
    size_t counts[REPLAY_EVENT_COUNT];
    char request[REPLAY_REQUEST_MAX];
    size_t request_size;
};

static void *replay_main(void *data);

static void replay_count(replay_server_t *server, replay_event_t event)
{
    (void)pthread_mutex_lock(&server->lock);
    server->counts[event]++;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
}

/* ---- TLS ---- */

static void replay_add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension = NULL;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* A certificate that vouches for itself, good for an hour. */
static X509 *replay_make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = NULL;

    CHECK(certificate != NULL);
    CHECK(X509_set_version(certificate, 2) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    name = X509_get_subject_name(certificate);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"replay", -1,
                                     -1, 0) == 1);
    CHECK(X509_set_issuer_name(certificate, name) == 1);
    replay_add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    replay_add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void replay_open_tls(replay_server_t *server)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = NULL;
    FILE *file = NULL;

    CHECK(key != NULL);
    certificate = replay_make_certificate(key);
    server->tls = SSL_CTX_new(TLS_server_method());
    CHECK(server->tls != NULL);
    CHECK(SSL_CTX_use_certificate(server->tls, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server->tls, key) == 1);
    (void)SSL_CTX_set_mode(server->tls,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)snprintf(server->ca_file, sizeof(server->ca_file), "%s/ca.pem", server->directory);
    file = fopen(server->ca_file, "w");
    CHECK(file != NULL);
    CHECK(PEM_write_X509(file, certificate) == 1);
    CHECK(fclose(file) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- the beginning and the end ---- */

static void replay_listen(replay_server_t *server)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(in4);
    bool is_local = server->transport == REPLAY_UNIX;

    server->listener =
        socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(server->listener >= 0);
    if (is_local) {
        (void)snprintf(local.sun_path, sizeof(local.sun_path), "%s/socket", server->directory);
        (void)snprintf(server->socket_path, sizeof(server->socket_path), "%s/socket",
                       server->directory);
        CHECK(bind(server->listener, (struct sockaddr *)&local, sizeof(local)) == 0);
    } else {
        in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(server->listener, (struct sockaddr *)&in4, sizeof(in4)) == 0);
        CHECK(getsockname(server->listener, (struct sockaddr *)&in4, &size) == 0);
        server->port = ntohs(in4.sin_port);
    }
    CHECK(listen(server->listener, REPLAY_CONNECTIONS_MAX) == 0);
}

replay_server_t *replay_server_new(replay_transport_t transport)
{
    replay_server_t *server = calloc(1, sizeof(*server));

    CHECK(server != NULL);
    server->transport = transport;
    server->connections = calloc(REPLAY_CONNECTIONS_MAX, sizeof(*server->connections));
    CHECK(server->connections != NULL);
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->changed, NULL);
    (void)snprintf(server->directory, sizeof(server->directory), "/tmp/replay-XXXXXX");
    CHECK(mkdtemp(server->directory) != NULL);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(server->wake >= 0);
    if (transport == REPLAY_TLS) {
        replay_open_tls(server);
    }
    replay_listen(server);
    CHECK(pthread_create(&server->thread, NULL, replay_main, server) == 0);
    return server;
}

static void replay_wake(replay_server_t *server)
{
    uint64_t one = 1;

    (void)!write(server->wake, &one, sizeof(one));
}

void replay_server_free(replay_server_t *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->is_ending = true;
    (void)pthread_mutex_unlock(&server->lock);
    replay_wake(server);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listener);
    (void)close(server->wake);
    if (server->tls != NULL) {
        SSL_CTX_free(server->tls);
        (void)unlink(server->ca_file);
    }
    if (server->transport == REPLAY_UNIX) {
        (void)unlink(server->socket_path);
    }
    (void)rmdir(server->directory);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
    free(server->connections);
    free(server);
}

/* ---- what tests say and ask ---- */

void replay_server_set(replay_server_t *server, const char *path, const replay_answer_t *answer)
{
    size_t i = 0;

    (void)pthread_mutex_lock(&server->lock);
    while (i < server->path_count && strcmp(server->paths[i].path, path) != 0) {
        i++;
    }
    if (i < REPLAY_PATHS_MAX) {
        server->paths[i].path = path;
        server->paths[i].answer = *answer;
        server->path_count = i == server->path_count ? i + 1 : server->path_count;
    }
    (void)pthread_mutex_unlock(&server->lock);
    CHECK(i < REPLAY_PATHS_MAX);
}

void replay_server_go(replay_server_t *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->is_going = true;
    (void)pthread_mutex_unlock(&server->lock);
    replay_wake(server);
}

void replay_server_url(const replay_server_t *server, const char *path, char *url, size_t size)
{
    if (server->transport == REPLAY_UNIX) {
        (void)snprintf(url, size, "http://localhost%s", path);
    } else {
        (void)snprintf(url, size, "%s://127.0.0.1:%u%s",
                       server->transport == REPLAY_TLS ? "https" : "http", server->port, path);
    }
}

const char *replay_server_socket_path(const replay_server_t *server)
{
    return server->socket_path;
}

const char *replay_server_ca_file(const replay_server_t *server)
{
    return server->ca_file;
}

size_t replay_server_count(replay_server_t *server, replay_event_t event)
{
    size_t count;

    (void)pthread_mutex_lock(&server->lock);
    count = server->counts[event];
    (void)pthread_mutex_unlock(&server->lock);
    return count;
}

void replay_server_wait(replay_server_t *server, replay_event_t event, size_t count)
{
    static const char *const names[] = {"CONNECTED", "REQUESTED", "STALLED", "GONE"};
    struct timespec until;
    size_t seen;
    int code = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    (void)pthread_mutex_lock(&server->lock);
    while (server->counts[event] < count && code == 0) {
        code = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    }
    seen = server->counts[event];
    (void)pthread_mutex_unlock(&server->lock);
    if (seen < count) {
        check_fail(__FILE__, __LINE__, "%s happened %zu times in 30 s, not %zu", names[event], seen,
                   count);
    }
}

size_t replay_server_request(replay_server_t *server, char *text, size_t size)
{
    size_t request_size;
    size_t kept;

    (void)pthread_mutex_lock(&server->lock);
    request_size = server->request_size;
    kept = request_size < REPLAY_REQUEST_MAX ? request_size : REPLAY_REQUEST_MAX;
    kept = kept < size ? kept : size - 1;
    memcpy(text, server->request, kept);
    text[kept] = '\0';
    (void)pthread_mutex_unlock(&server->lock);
    return request_size;
}

/* ---- connections: the server's thread ---- */

/* Bytes that came or went; 0: the end; -1: not now, `events` says what to wait for. */
static ssize_t replay_result(replay_connection_t *connection, ssize_t result, short events)
{
    if (connection->ssl == NULL) {
        if (result >= 0) {
            return result;
        }
        connection->events = events;
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    }
    if (result > 0) {
        return result;
    }
    switch (SSL_get_error(connection->ssl, (int)result)) {
    case SSL_ERROR_WANT_READ:
        connection->events = POLLIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        connection->events = POLLOUT;
        return -1;
    default:
        ERR_clear_error();
        return 0;
    }
}

static ssize_t replay_read(replay_connection_t *connection, void *data, size_t size)
{
    ssize_t result = connection->ssl == NULL ? recv(connection->fd, data, size, 0)
                                             : SSL_read(connection->ssl, data, (int)size);

    return replay_result(connection, result, POLLIN);
}

static ssize_t replay_write(replay_connection_t *connection, const void *data, size_t size)
{
    ssize_t result = connection->ssl == NULL ? send(connection->fd, data, size, MSG_NOSIGNAL)
                                             : SSL_write(connection->ssl, data, (int)size);

    return replay_result(connection, result, POLLOUT);
}

static void replay_accept(replay_server_t *server)
{
    int on = 1;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    replay_connection_t *connection = NULL;

    if (fd < 0) {
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection = &server->connections[server->connection_count];
    memset(connection, 0, sizeof(*connection));
    connection->fd = fd;
    connection->events = POLLIN;
    connection->request = malloc(REPLAY_REQUEST_MAX);
    if (server->tls != NULL) {
        connection->ssl = SSL_new(server->tls);
        SSL_set_fd(connection->ssl, fd);
        SSL_set_accept_state(connection->ssl);
    }
    server->connection_count++;
    replay_count(server, REPLAY_CONNECTED);
}

static void replay_drop(replay_server_t *server, size_t index, bool is_broken)
{
    replay_connection_t *connection = &server->connections[index];
    struct linger hard = {1, 0};

    if (is_broken) {
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    }
    SSL_free(connection->ssl);
    (void)close(connection->fd);
    free(connection->request);
    server->connection_count--;
    server->connections[index] = server->connections[server->connection_count];
    replay_count(server, REPLAY_GONE);
}

/* Its head is whole: how long is its body? */
static size_t replay_body_size(const replay_connection_t *connection)
{
    static const char name[] = "\r\nContent-Length:";
    size_t length = sizeof(name) - 1;

    for (size_t i = 0; i + length < connection->head_size; i++) {
        if (strncasecmp(connection->request + i, name, length) == 0) {
            return strtoul(connection->request + i + length, NULL, 10);
        }
    }
    return 0;
}

static void replay_find_answer(replay_server_t *server, replay_connection_t *connection)
{
    static const replay_answer_t none =
        REPLAY_ANSWER_TEXT("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    const char *path = memchr(connection->request, ' ', connection->head_size);

    connection->answer = none;
    (void)pthread_mutex_lock(&server->lock);
    for (size_t i = 0; path != NULL && i < server->path_count; i++) {
        size_t length = strlen(server->paths[i].path);

        if (strncmp(path + 1, server->paths[i].path, length) == 0 &&
            strchr(" ?", path[1 + length]) != NULL) {
            connection->answer = server->paths[i].answer;
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
}

/* The request is there, as far as it is wanted. */
static void replay_on_request(replay_server_t *server, replay_connection_t *connection)
{
    size_t kept = connection->request_size < REPLAY_REQUEST_MAX ? connection->request_size
                                                                : REPLAY_REQUEST_MAX;

    (void)pthread_mutex_lock(&server->lock);
    memcpy(server->request, connection->request, kept);
    server->request_size = connection->request_size;
    (void)pthread_mutex_unlock(&server->lock);
    replay_count(server, REPLAY_REQUESTED);
    connection->state = REPLAY_WRITING;
    connection->events = POLLOUT;
    connection->sent = 0;
    connection->has_stalled = false;
}

static void replay_find_head(replay_server_t *server, replay_connection_t *connection)
{
    size_t size = connection->request_size < REPLAY_REQUEST_MAX ? connection->request_size
                                                                : REPLAY_REQUEST_MAX;
    const char *end = memmem(connection->request, size, "\r\n\r\n", 4);

    if (end != NULL) {
        connection->head_size = (size_t)(end - connection->request) + 4;
        connection->body_size = replay_body_size(connection);
        replay_find_answer(server, connection);
    }
}

/* False: the connection is over. */
static bool replay_on_readable(replay_server_t *server, replay_connection_t *connection)
{
    char data[16384];

    for (;;) {
        ssize_t size = replay_read(connection, data, sizeof(data));
        size_t room = connection->request_size < REPLAY_REQUEST_MAX
                          ? REPLAY_REQUEST_MAX - connection->request_size
                          : 0;

        if (size <= 0) {
            return size < 0;
        }
        memcpy(connection->request + (REPLAY_REQUEST_MAX - room), data,
               (size_t)size < room ? (size_t)size : room);
        connection->request_size += (size_t)size;
        if (connection->head_size == 0) {
            replay_find_head(server, connection);
        }
        if (connection->head_size != 0 &&
            (connection->answer.is_hasty ||
             connection->request_size >= connection->head_size + connection->body_size)) {
            replay_on_request(server, connection);
            return true;
        }
    }
}

static bool replay_is_going(replay_server_t *server)
{
    bool is_going;

    (void)pthread_mutex_lock(&server->lock);
    is_going = server->is_going;
    (void)pthread_mutex_unlock(&server->lock);
    return is_going;
}

/* Up to where may be sent before something happens? */
static size_t replay_next_stop(const replay_connection_t *connection)
{
    const replay_answer_t *answer = &connection->answer;
    size_t stop = answer->size + answer->filler;

    if (answer->cut_at < stop) {
        stop = answer->cut_at;
    }
    if (!connection->has_stalled && answer->stall_at < stop) {
        stop = answer->stall_at;
    }
    return stop;
}

static ssize_t replay_write_some(replay_connection_t *connection, size_t size)
{
    const replay_answer_t *answer = &connection->answer;
    char data[REPLAY_WRITE_MAX];

    if (size > sizeof(data)) {
        size = sizeof(data);
    }
    if (answer->piece != 0 && size > answer->piece) {
        size = answer->piece;
    }
    memset(data, 'x', size);
    if (connection->sent < answer->size) {
        size_t left = answer->size - connection->sent;

        memcpy(data, (const char *)answer->bytes + connection->sent, left < size ? left : size);
    }
    if (answer->flip_at >= connection->sent && answer->flip_at < connection->sent + size) {
        data[answer->flip_at - connection->sent] = (char)~data[answer->flip_at - connection->sent];
    }
    return replay_write(connection, data, size);
}

static void replay_read_next(replay_connection_t *connection)
{
    connection->state = REPLAY_READING;
    connection->events = POLLIN;
    connection->request_size = 0;
    connection->head_size = 0;
}

typedef enum replay_fate { REPLAY_ALIVE, REPLAY_OVER, REPLAY_BROKEN } replay_fate_t;

/* The last byte, or the one before the cut, is out. */
static replay_fate_t replay_on_sent(replay_connection_t *connection)
{
    bool is_cut = connection->answer.cut_at < connection->answer.size + connection->answer.filler;

    switch (connection->answer.end) {
    case REPLAY_RESET:
        return REPLAY_BROKEN;
    case REPLAY_KEEP:
        if (!is_cut) {
            replay_read_next(connection);
            return REPLAY_ALIVE;
        }
        break;
    case REPLAY_CLOSE:
        if (connection->ssl != NULL && !is_cut) {
            (void)SSL_shutdown(connection->ssl);
        }
        break;
    case REPLAY_HOLD:
        connection->state = REPLAY_LINGERING;
        connection->events = POLLIN;
        return REPLAY_ALIVE;
    }
    /* Closing now would break the connection if something came that nobody read. */
    (void)shutdown(connection->fd, SHUT_WR);
    connection->state = REPLAY_LINGERING;
    connection->events = POLLIN;
    return REPLAY_ALIVE;
}

static replay_fate_t replay_on_writable(replay_server_t *server, replay_connection_t *connection)
{
    for (;;) {
        size_t stop = replay_next_stop(connection);
        ssize_t size;

        if (connection->sent == stop) {
            if (connection->has_stalled || stop != connection->answer.stall_at) {
                return replay_on_sent(connection);
            }
            connection->has_stalled = true;
            replay_count(server, REPLAY_STALLED);
            if (!replay_is_going(server)) {
                connection->state = REPLAY_STATE_STALLED;
                connection->events = POLLIN;
                return REPLAY_ALIVE;
            }
            continue;
        }
        size = replay_write_some(connection, stop - connection->sent);
        if (size <= 0) {
            return size < 0 ? REPLAY_ALIVE : REPLAY_OVER;
        }
        connection->sent += (size_t)size;
    }
}

/* While nothing is sent the client may only go. */
static replay_fate_t replay_on_lingering(replay_connection_t *connection)
{
    char data[16384];
    ssize_t size = connection->answer.is_hasty ? recv(connection->fd, data, sizeof(data), MSG_PEEK)
                                               : recv(connection->fd, data, sizeof(data), 0);

    if (size > 0 && connection->answer.is_hasty) {
        connection->events = POLLRDHUP; /* what is left of the body stays unread */
        return REPLAY_ALIVE;
    }
    return size > 0 || (size < 0 && errno == EAGAIN) ? REPLAY_ALIVE : REPLAY_OVER;
}

static replay_fate_t replay_on_event(replay_server_t *server, replay_connection_t *connection,
                                     short events)
{
    if (connection->events == POLLRDHUP) {
        return REPLAY_OVER;
    }
    if (connection->state == REPLAY_READING && !replay_on_readable(server, connection)) {
        return REPLAY_OVER;
    }
    if (connection->state == REPLAY_WRITING) {
        return replay_on_writable(server, connection);
    }
    if (connection->state == REPLAY_STATE_STALLED || connection->state == REPLAY_LINGERING) {
        return (events & POLLERR) != 0 ? REPLAY_OVER : replay_on_lingering(connection);
    }
    return REPLAY_ALIVE;
}

/* False: the server is being freed. */
static bool replay_on_wake(replay_server_t *server)
{
    uint64_t count;
    bool is_going = replay_is_going(server);
    bool is_ending;

    (void)!read(server->wake, &count, sizeof(count));
    (void)pthread_mutex_lock(&server->lock);
    is_ending = server->is_ending;
    (void)pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; is_going && i < server->connection_count; i++) {
        if (server->connections[i].state == REPLAY_STATE_STALLED) {
            server->connections[i].state = REPLAY_WRITING;
            server->connections[i].events = POLLOUT;
        }
    }
    return !is_ending;
}

static void *replay_main(void *data)
{
    replay_server_t *server = data;
    struct pollfd *fds = calloc(REPLAY_CONNECTIONS_MAX + 2, sizeof(*fds));
    bool is_alive = fds != NULL;
    sigset_t signals;

    (void)sigfillset(&signals); /* OpenSSL writes to sockets that nobody reads any more */
    (void)pthread_sigmask(SIG_SETMASK, &signals, NULL);
    while (is_alive) {
        size_t count = server->connection_count;

        fds[0] = (struct pollfd){server->wake, POLLIN, 0};
        fds[1] = (struct pollfd){server->listener, count < REPLAY_CONNECTIONS_MAX ? POLLIN : 0, 0};
        for (size_t i = 0; i < count; i++) {
            fds[i + 2] =
                (struct pollfd){server->connections[i].fd, server->connections[i].events, 0};
        }
        if (poll(fds, count + 2, REPLAY_IDLE_MS) <= 0) {
            break;
        }
        for (size_t i = count; i > 0; i--) { /* backwards: dropping one moves the last */
            replay_fate_t fate = REPLAY_ALIVE;

            if (fds[i + 1].revents != 0) {
                fate = replay_on_event(server, &server->connections[i - 1], fds[i + 1].revents);
            }
            if (fate != REPLAY_ALIVE) {
                replay_drop(server, i - 1, fate == REPLAY_BROKEN);
            }
        }
        if (fds[1].revents != 0) {
            replay_accept(server);
        }
        is_alive = fds[0].revents == 0 || replay_on_wake(server);
    }
    while (server->connection_count > 0) {
        replay_drop(server, server->connection_count - 1, true);
    }
    free(fds);
    return NULL;
}
