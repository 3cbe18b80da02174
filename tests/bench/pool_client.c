/* pool_client.c - as much of HTTP as the session pool's answers need. */
#include "bench/pool_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_MAX = 4096, CODE_MAX = 2048, FIRST_CAPACITY = 16 * 1024, PATIENCE_S = 60 };

static _Noreturn void give_up(const char *what, const char *text)
{
    fprintf(stderr, "%s: %s\n", what, text);
    exit(2);
}

pool_client_t pool_client_connect(const pool_server_t *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {PATIENCE_S, 0};
    pool_client_t client = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), malloc(FIRST_CAPACITY),
                            0, FIRST_CAPACITY, NULL};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket);
    if (client.answer == NULL || client.socket < 0 ||
        setsockopt(client.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(client.socket, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        give_up("cannot connect to the session pool", strerror(errno));
    }
    return client;
}

void pool_client_close(pool_client_t *client)
{
    (void)close(client->socket);
    free(client->answer);
}

static void receive_more(pool_client_t *client)
{
    if (client->size + 1 == client->capacity) {
        client->capacity *= 2;
        client->answer = realloc(client->answer, client->capacity);
        if (client->answer == NULL) {
            give_up("cannot keep the answer", "out of memory");
        }
    }
    ssize_t got =
        recv(client->socket, client->answer + client->size, client->capacity - client->size - 1, 0);
    if (got <= 0) {
        give_up("cannot read the answer", got == 0 ? "the connection was closed" : strerror(errno));
    }
    client->size += (size_t)got;
    client->answer[client->size] = '\0';
}

/* The whole answer to what was sent; its status. */
static int receive_answer(pool_client_t *client)
{
    const char *length_text = NULL;
    const char *end = NULL;

    client->size = 0;
    do {
        receive_more(client);
        end = strstr(client->answer, "\r\n\r\n");
    } while (end == NULL);
    size_t head = (size_t)(end - client->answer) + 4;
    length_text = strcasestr(client->answer, "\r\nContent-Length:");
    size_t length = length_text != NULL && length_text < end
                        ? strtoul(length_text + strlen("\r\nContent-Length:"), NULL, 10)
                        : 0;
    while (client->size < head + length) {
        receive_more(client);
    }
    client->body = client->answer + head;
    return (int)strtol(client->answer + strlen("HTTP/1.1 "), NULL, 10);
}

static void transmit(pool_client_t *client, const char *text, int length)
{
    if (length >= REQUEST_MAX ||
        send(client->socket, text, (size_t)length, MSG_NOSIGNAL) != (ssize_t)length) {
        give_up("cannot send the request", strerror(errno));
    }
}

/* A text of JSON: of what a line of Python may hold, two characters need an escape. */
static void write_text(char *out, size_t size, const char *text)
{
    size_t at = 0;

    for (; *text != '\0' && at + 3 < size; text++) {
        if (*text == '\n' || *text == '"' || *text == '\\') {
            out[at++] = '\\';
        }
        out[at++] = *text == '\n' ? 'n' : *text;
    }
    out[at] = '\0';
}

bool pool_client_try(pool_client_t *client, const char *identifier, const char *code, int timeout_s)
{
    char request[REQUEST_MAX];
    char body[CODE_MAX];
    char text[CODE_MAX - 64];

    write_text(text, sizeof(text), code);
    int size =
        snprintf(body, sizeof(body), "{\"timeoutInSeconds\":%d,\"code\":\"%s\"}", timeout_s, text);
    int length =
        snprintf(request, sizeof(request),
                 "POST /executions?api-version=2025-10-02-preview&identifier=%s HTTP/1.1\r\n"
                 "Host: localhost\r\nContent-Length: %d\r\n\r\n%s",
                 identifier, size, body);
    transmit(client, request, length);
    if (receive_answer(client) != 200) {
        give_up("an execution was refused", client->answer);
    }
    return strstr(client->body, "\"status\":\"Succeeded\"") != NULL;
}

void pool_client_execute(pool_client_t *client, const char *identifier, const char *code)
{
    if (!pool_client_try(client, identifier, code, PATIENCE_S - 5)) {
        give_up("an execution has failed", client->body);
    }
}

void pool_client_delete(pool_client_t *client, const char *identifier)
{
    char request[REQUEST_MAX];
    int length =
        snprintf(request, sizeof(request),
                 "DELETE /session?api-version=2025-10-02-preview&identifier=%s HTTP/1.1\r\n"
                 "Host: localhost\r\n\r\n",
                 identifier);

    transmit(client, request, length);
    if (receive_answer(client) != 204) {
        give_up("a session was not deleted", client->answer);
    }
}

static double read_figure(pool_client_t *client, const char *figure)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char line[128];

    transmit(client, request, (int)strlen(request));
    snprintf(line, sizeof(line), "\nsemkernel_sessiond_%s ", figure);
    const char *found = receive_answer(client) == 200 ? strstr(client->body, line) : NULL;
    if (found == NULL) {
        give_up("the session pool does not tell", figure);
    }
    return strtod(found + strlen(line), NULL);
}

void pool_client_await(pool_client_t *client, const char *figure, double value)
{
    double deadline = bench_now() + PATIENCE_S * 1e9;

    while (read_figure(client, figure) != value) {
        if (bench_now() > deadline) {
            give_up("waited too long", figure);
        }
    }
}
