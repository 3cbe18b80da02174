/*
 * request_guard.c - who may ask.
 *
 *   the head    says one thing only: what two readers could read in two ways is refused
 *   the page    web pages may not ask: no Origin, and no name of our own that a page's
 *               name could be made to lead to
 *   the user    of a unix socket: the server's own, or root
 *   the token   over TCP, where any user of this machine can connect
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "token.h"

#define HOST_MAX 255
#define BODY_MAX (160ull * 1024 * 1024) /* of any request: an upload with its form */

/* ---- the head ---- */

typedef struct head {
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
    unsigned authorizations;
    unsigned long long length;
    const char *wrong; /* NULL: nothing */
} head_t;

static bool is_name(const char *name, size_t size)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(marks, c) != NULL))) {
            return false;
        }
    }
    return size > 0;
}

static enum MHD_Result head_on_line(void *data, enum MHD_ValueKind kind, const char *name,
                                    size_t name_size, const char *value, size_t value_size)
{
    head_t *head = data;

    (void)kind;
    if (!is_name(name, name_size) || (value != NULL && strlen(value) != value_size)) {
        head->wrong = "a header has a name or value that no header can have";
    } else if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
        head->hosts++;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        head->lengths++;
        head->length = value == NULL ? 0 : strtoull(value, NULL, 10); /* digits, or not here */
    } else if (strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
        head->authorizations++;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        head->encodings++;
        if (value == NULL || strcasecmp(value, "chunked") != 0) {
            head->wrong = "the only transfer encoding is chunked";
        }
    }
    return head->wrong == NULL ? MHD_YES : MHD_NO;
}

static void check_head(request_t *request)
{
    head_t head = {0};
    unsigned status = MHD_HTTP_BAD_REQUEST;
    const char *code = "BadRequest";

    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, head_on_line, &head);
    if (head.wrong == NULL && head.lengths + head.encodings > 1) {
        head.wrong = "the length of the body is given twice";
    } else if (head.wrong == NULL && (head.hosts > 1 || head.authorizations > 1)) {
        head.wrong = "the header Host or Authorization is there twice";
    } else if (head.wrong == NULL && request->path[0] != '/') {
        head.wrong = "the path must begin with a slash";
    } else if (head.wrong == NULL && head.length > BODY_MAX) {
        status = 413;
        code = "RequestBodyTooLarge";
        head.wrong = "the request body is larger than that of any operation may be";
    }
    if (head.wrong != NULL) {
        request->at_once = true;
        request_add_header(request, MHD_HTTP_HEADER_CONNECTION, "close");
        request_refuse(request, status, code, head.wrong);
    }
}

/* ---- the page ---- */

/* The name without a port; "" if it is none. */
static void cut_port(const char *host, char name[HOST_MAX + 1])
{
    size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    const char *rest = host + length;

    name[0] = '\0';
    if (length > strlen(host) || length > HOST_MAX ||
        (*rest != '\0' && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1)))) {
        return;
    }
    memcpy(name, host, length);
    name[length] = '\0';
}

static bool is_listed(const char *list, const char *name)
{
    const size_t length = strlen(name);

    while (*list != '\0') {
        size_t entry = strcspn(list, ",");
        if (entry == length && strncasecmp(list, name, entry) == 0) {
            return true;
        }
        list += entry + (list[entry] == ',');
    }
    return false;
}

/* Names that cannot be made to lead here by whoever owns a page: local ones, those that the
 * operator has listed, and those that the certificate proves to the page's own browser. */
static bool is_own_host(const request_t *request, const char *host)
{
    const http_options_t *options = &request->http->options;
    char name[HOST_MAX + 1];

    cut_port(host, name);
    return name[0] != '\0' &&
           (is_listed("localhost,127.0.0.1,[::1]", name) ||
            (options->hosts != NULL && is_listed(options->hosts, name)) ||
            (request->client->transport == TRANSPORT_TLS && tls_covers(options->tls, name)));
}

/* ---- the user ---- */

/* In a user namespace root has no number, and the socket's directory keeps all others out. */
static bool is_allowed_peer(const client_t *client)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(client->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* ---- the token ---- */

static bool has_token(const request_t *request)
{
    static const char scheme[] = "Bearer ";
    const char *value = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);

    if (value == NULL || strncasecmp(value, scheme, strlen(scheme)) != 0) {
        return false;
    }
    value += strlen(scheme);
    value += strspn(value, " ");
    return token_is(request->http->options.token, value, strlen(value));
}

static void refuse_token(request_t *request)
{
    const bool shown = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION) != NULL;

    request_add_header(request, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                       shown ? "Bearer error=\"invalid_token\"" : "Bearer");
    request_refuse(request, MHD_HTTP_UNAUTHORIZED, "Unauthorized",
                   shown ? "this is not the pool's bearer token"
                         : "this pool wants its bearer token in the header Authorization");
}

void request_check(request_t *request)
{
    const char *host = request_header(request, MHD_HTTP_HEADER_HOST);

    request->is_stranger = true;
    check_head(request);
    if (request->at_once) {
        return;
    }
    if (request->client->transport == TRANSPORT_UNIX && !is_allowed_peer(request->client)) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "PeerNotAllowed",
                       "this session pool serves the user who runs it");
    } else if (request_header(request, MHD_HTTP_HEADER_ORIGIN) != NULL) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "OriginNotAllowed",
                       "requests of web pages are not served");
    } else if (host == NULL || !is_own_host(request, host)) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "HostNotAllowed",
                       "the Host header must be localhost, 127.0.0.1, [::1], or a name that the "
                       "server was given");
    } else if (request->client->transport != TRANSPORT_UNIX && !has_token(request)) {
        refuse_token(request);
    } else {
        request->is_stranger = false;
    }
}
