/*
 * request_guard.c - who may ask.
 */
#include "request.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* localhost, 127.0.0.1 or [::1], with or without a port: no other name leads here, and a page
 * whose name was made to is refused. */
static bool is_local_host(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(host, names[i], length) == 0 &&
            (host[length] == '\0' ||
             (host[length] == ':' &&
              strspn(host + length + 1, "0123456789") == strlen(host + length + 1)))) {
            return true;
        }
    }
    return false;
}

/* The user at the other end: ourselves or root. In a user namespace root has no number, and its
 * directory keeps all others out. */
static bool is_allowed_peer(request_t *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return info != NULL &&
           getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

void request_check(request_t *request)
{
    const char *host = request_header(request, MHD_HTTP_HEADER_HOST);

    if (!is_allowed_peer(request)) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "PeerNotAllowed",
                       "this session pool serves the user who runs it");
    } else if (request_header(request, MHD_HTTP_HEADER_ORIGIN) != NULL) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "OriginNotAllowed",
                       "requests of web pages are not served");
    } else if (host == NULL || !is_local_host(host)) {
        request_refuse(request, MHD_HTTP_FORBIDDEN, "HostNotAllowed",
                       "the Host header must be localhost, 127.0.0.1 or [::1]");
    }
}
