/*
 * doors.c - which sockets there are, and who is told.
 *
 * TCP is bound to the loopback interface: another address cannot be named, and a
 * socket that was handed over with one is refused.
 */
#include "doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json.h>

#define BACKLOG 128

/* ---- TCP ---- */

/* The address as a client writes it; false if it is not of the loopback interface. */
static bool write_address(char out[DOORS_ADDRESS], const char *scheme,
                          const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET && four->sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
        (void)snprintf(out, DOORS_ADDRESS, "%s://127.0.0.1:%u", scheme, ntohs(four->sin_port));
        return true;
    }
    if (address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)) {
        (void)snprintf(out, DOORS_ADDRESS, "%s://[::1]:%u", scheme, ntohs(six->sin6_port));
        return true;
    }
    return false;
}

static bool add_tcp(doors_t *doors, int socket, failure_t *failure)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char text[DOORS_ADDRESS];

    if (getsockname(socket, (struct sockaddr *)&address, &size) != 0 ||
        !write_address(text, doors->tls == NULL ? "http" : "https", &address)) {
        return fail(failure,
                    "cannot use the socket that was handed over as descriptor %d: TCP is served on "
                    "127.0.0.1 and [::1] only; put a proxy in front for others",
                    socket);
    }
    if (doors->tcp[0] == '\0') {
        memcpy(doors->tcp, text, sizeof(text));
    }
    doors->listeners[doors->listener_count++] =
        (listener_t){socket, doors->tls == NULL ? TRANSPORT_TCP : TRANSPORT_TLS};
    return true;
}

static bool bind_tcp(doors_t *doors, unsigned port, failure_t *failure)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door < 0 || setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(door, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;
        if (door >= 0) {
            (void)close(door);
        }
        return fail(failure, "cannot listen on 127.0.0.1 port %u: %s%s", port, strerror(error),
                    error == EADDRINUSE ? "; choose another with --port, or 0 for any that is free"
                                        : "");
    }
    return add_tcp(doors, door, failure);
}

/* ---- what was handed over ---- */

static int family_of(int socket)
{
    int family = AF_UNSPEC;
    socklen_t size = sizeof(family);

    (void)getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size);
    return family;
}

static bool adopt_unix(doors_t *doors, const config_t *config, failure_t *failure)
{
    const activation_t *activation = &doors->activation;

    for (size_t i = 0; i < activation->count; i++) {
        if (family_of(activation->sockets[i]) != AF_UNIX) {
            continue;
        }
        if (config->socket != NULL) {
            return fail(failure,
                        "cannot listen on %s: another unix socket was handed over; leave "
                        "--socket out",
                        config->socket);
        }
        if (doors->listener_count > 0) {
            return fail(failure, "cannot use two unix sockets that were handed over: one is "
                                 "enough");
        }
        if (!endpoint_adopt(&doors->endpoint, activation->sockets[i], failure)) {
            return false;
        }
        doors->listeners[doors->listener_count++] =
            (listener_t){activation->sockets[i], TRANSPORT_UNIX};
    }
    return true;
}

static bool adopt_tcp(doors_t *doors, failure_t *failure)
{
    for (size_t i = 0; i < doors->activation.count; i++) {
        if (family_of(doors->activation.sockets[i]) != AF_UNIX &&
            !add_tcp(doors, doors->activation.sockets[i], failure)) {
            return false;
        }
    }
    return true;
}

/* ---- secrets ---- */

static bool open_tls(doors_t *doors, const config_t *config, failure_t *failure)
{
    if ((config->tls_certificate == NULL) != (config->tls_key == NULL)) {
        return fail(failure, "cannot serve TLS: --tls-certificate and --tls-key go together");
    }
    if (config->tls_certificate != NULL) {
        doors->tls = tls_new(config->tls_certificate, config->tls_key, failure);
    }
    return config->tls_certificate == NULL || doors->tls != NULL;
}

static bool open_token(doors_t *doors, const config_t *config, failure_t *failure)
{
    if (doors->tcp[0] == '\0') {
        return (config->token_file == NULL && doors->tls == NULL) ||
               fail(failure, "cannot use %s: there is no TCP to use it for; set --tcp",
                    config->token_file != NULL ? "--token-file" : "--tls-certificate");
    }
    if (config->token_file != NULL) {
        doors->token_file = config->token_file;
        return token_read(&doors->token, config->token_file, failure);
    }
    if (!doors->endpoint.is_private) {
        return fail(failure,
                    "cannot tell clients the token: the directory %s is not ours with mode 0700; "
                    "give a token of your own with --token-file",
                    doors->endpoint.parent);
    }
    doors->own_token = true;
    return token_make(&doors->token, failure);
}

/* A name that is none would never match. */
static bool check_hosts(const char *hosts, failure_t *failure)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";

    while (hosts != NULL) {
        size_t length = strspn(hosts, characters);
        if (length == 0 || (hosts[length] != '\0' && hosts[length] != ',')) {
            return fail(failure,
                        "cannot use --host-name: \"%s\" must begin with the name of a host, "
                        "without scheme and port; commas separate names",
                        hosts);
        }
        hosts = hosts[length] == ',' ? hosts + length + 1 : NULL;
    }
    return true;
}

/* ---- life ---- */

bool doors_open(doors_t *doors, const config_t *config, failure_t *failure)
{
    memset(doors, 0, sizeof(*doors));
    doors->endpoint.socket = -1;
    if (!activation_take(&doors->activation, failure) || !check_hosts(config->host_name, failure) ||
        !open_tls(doors, config, failure) || !adopt_unix(doors, config, failure)) {
        return false;
    }
    if (doors->listener_count == 0) {
        if (!endpoint_open(&doors->endpoint, config->socket, failure)) {
            doors->endpoint.socket = -1;
            return false;
        }
        doors->listeners[doors->listener_count++] =
            (listener_t){doors->endpoint.socket, TRANSPORT_UNIX};
    }
    return adopt_tcp(doors, failure) &&
           (!config->tcp || bind_tcp(doors, (unsigned)config->port, failure)) &&
           open_token(doors, config, failure);
}

static bool write_files(const doors_t *doors, const char *about, failure_t *failure)
{
    const endpoint_t *endpoint = &doors->endpoint;
    sk_buffer_t text = SK_BUFFER_INIT;

    sk_buffer_append_char(&text, '{');
    doors_announce(doors, &text);
    if (doors->tcp[0] != '\0') {
        sk_buffer_append_text(&text, "\"token\":");
        sk_json_write_text(&text, doors->token.text);
        sk_buffer_append_char(&text, ',');
    }
    sk_buffer_appendf(&text, "%s}\n", about);
    bool written =
        !text.failed && endpoint_write_file(endpoint, DOORS_FILE, text.data, text.size, failure) &&
        (!doors->own_token || endpoint_write_file(endpoint, DOORS_TOKEN, doors->token.text,
                                                  strlen(doors->token.text), failure));
    if (text.data != NULL) {
        explicit_bzero(text.data, text.size);
    }
    sk_buffer_fini(&text);
    return written;
}

bool doors_listen(doors_t *doors, const char *about, failure_t *failure)
{
    for (size_t i = 0; i < doors->listener_count; i++) {
        if (listen(doors->listeners[i].socket, BACKLOG) != 0) {
            return fail(failure, "cannot listen on %s: %s",
                        doors->listeners[i].transport == TRANSPORT_UNIX ? doors->endpoint.path
                                                                        : doors->tcp,
                        strerror(errno));
        }
    }
    return !doors->endpoint.is_private || write_files(doors, about, failure);
}

void doors_announce(const doors_t *doors, sk_buffer_t *line)
{
    char path[sizeof(doors->endpoint.path) + sizeof(DOORS_TOKEN)];

    sk_buffer_append_text(line, "\"socket\":");
    sk_json_write_text(line, doors->endpoint.path);
    sk_buffer_append_text(line, ",\"endpoint\":\"http://localhost\",");
    if (doors->tcp[0] != '\0') {
        sk_buffer_appendf(line, "\"tcp\":\"%s\",\"tokenFile\":", doors->tcp);
        (void)snprintf(path, sizeof(path), "%s" DOORS_TOKEN, doors->endpoint.path);
        sk_json_write_text(line, doors->own_token ? path : doors->token_file);
        sk_buffer_append_char(line, ',');
    }
    if (doors->endpoint.is_private) {
        (void)snprintf(path, sizeof(path), "%s" DOORS_FILE, doors->endpoint.path);
        sk_buffer_append_text(line, "\"file\":");
        sk_json_write_text(line, path);
        sk_buffer_append_char(line, ',');
    }
}

void doors_close(doors_t *doors)
{
    if (doors->endpoint.socket >= 0 && doors->endpoint.is_private) {
        endpoint_remove_file(&doors->endpoint, DOORS_FILE);
        if (doors->own_token) {
            endpoint_remove_file(&doors->endpoint, DOORS_TOKEN);
        }
    }
    for (size_t i = 0; i < doors->listener_count; i++) {
        if (doors->listeners[i].transport != TRANSPORT_UNIX) {
            (void)close(doors->listeners[i].socket);
        }
    }
    endpoint_close(&doors->endpoint);
    token_fini(&doors->token);
    tls_free(doors->tls);
    doors->tls = NULL;
}
