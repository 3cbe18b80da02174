/*
 * replay_server.h - a server that answers as a test says, to the byte.
 *
 *     replay_server_t *server = replay_server_new(REPLAY_TCP);
 *     replay_answer_t answer = REPLAY_ANSWER_TEXT("HTTP/1.1 204 No Content\r\n\r\n");
 *
 *     answer.cut_at = 20;
 *     replay_server_set(server, "/cut", &answer);
 *     replay_server_url(server, "/cut", url, sizeof(url));
 *     ...
 *     replay_server_free(server);
 *
 * It listens on loopback or on a unix socket, on a thread of its own, and serves
 * at most REPLAY_CONNECTIONS_MAX connections at a time. A request is read whole,
 * kept, and answered by its path; a path that was not set gets a 404. All
 * functions may be called from any thread; what cannot be had ends the test.
 */
#ifndef SUPPORT_REPLAY_SERVER_H
#define SUPPORT_REPLAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_CONNECTIONS_MAX 1024
#define REPLAY_NEVER           SIZE_MAX

typedef struct replay_server replay_server_t;

typedef enum replay_transport { REPLAY_TCP, REPLAY_TLS, REPLAY_UNIX } replay_transport_t;

/* What happens after the last byte of an answer. */
typedef enum replay_end {
    REPLAY_KEEP,  /* the next request on this connection is read */
    REPLAY_CLOSE, /* the connection is closed properly */
    REPLAY_RESET, /* it is broken */
    REPLAY_HOLD   /* nothing, until the client goes */
} replay_end_t;

typedef struct replay_answer {
    const void *bytes; /* borrowed, until the server is freed or another answer is set */
    size_t size;
    size_t filler;   /* so many bytes more, each an x */
    size_t piece;    /* bytes of one write; 0: as many as go */
    size_t cut_at;   /* so many bytes are sent, then comes the end */
    size_t stall_at; /* so many bytes are sent, then replay_server_go() is waited for */
    size_t flip_at;  /* this byte is sent with its bits turned round */
    replay_end_t end;
    bool is_hasty; /* sent after the request's head; the body is not read */
} replay_answer_t;

/* clang-format off */
#define REPLAY_ANSWER_BYTES(bytes, size)                                                           \
    { (bytes), (size), 0, 0, REPLAY_NEVER, REPLAY_NEVER, REPLAY_NEVER, REPLAY_KEEP, false }
#define REPLAY_ANSWER_TEXT(text) REPLAY_ANSWER_BYTES(text, sizeof(text) - 1)
/* clang-format on */

replay_server_t *replay_server_new(replay_transport_t transport);
/* Breaks what connections there are, ends the thread. */
void replay_server_free(replay_server_t *server);

/* Answer requests for `path` (borrowed; without query) like this from now on. */
void replay_server_set(replay_server_t *server, const char *path, const replay_answer_t *answer);
/* Let those that are stalled, and those that will be, go on. */
void replay_server_go(replay_server_t *server);

/* "http://127.0.0.1:4711/path", with https: for TLS; for a unix socket the host is localhost. */
void replay_server_url(const replay_server_t *server, const char *path, char *url, size_t size);
const char *replay_server_socket_path(const replay_server_t *server); /* of REPLAY_UNIX */
const char *replay_server_ca_file(const replay_server_t *server);     /* of REPLAY_TLS */

/* How often something has happened since the beginning. */
typedef enum replay_event {
    REPLAY_CONNECTED, /* a connection was accepted */
    REPLAY_REQUESTED, /* a request was read */
    REPLAY_STALLED,   /* an answer came to where it stalls */
    REPLAY_GONE,      /* a connection ended */
    REPLAY_EVENT_COUNT
} replay_event_t;
size_t replay_server_count(replay_server_t *server, replay_event_t event);
/* Wait until it has happened `count` times; 30 s, then the test fails. */
void replay_server_wait(replay_server_t *server, replay_event_t event, size_t count);

/* The last request, head and body, at most `size` - 1 bytes of it, and a NUL. Returns how many
 * bytes it had. */
size_t replay_server_request(replay_server_t *server, char *text, size_t size);

#endif /* SUPPORT_REPLAY_SERVER_H */
