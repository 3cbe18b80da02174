/*
 * endpoint.c - a socket that only its owner can reach.
 *
 * The directory's mode 0700 keeps others out; the socket's own mode and the
 * check of each peer stand behind it.
 */
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/private_directory.h"

#define SOCKET_NAME "socket"

/* $XDG_RUNTIME_DIR/semkernel, made if need be; "" if there is none. */
static bool find_runtime_directory(char *path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat status;

    if (runtime == NULL || runtime[0] != '/') {
        return false;
    }
    int length = snprintf(path, size, "%s/semkernel", runtime);
    if (length < 0 || (size_t)length >= size || (mkdir(path, 0700) != 0 && errno != EEXIST)) {
        return false;
    }
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

static bool make_directory(endpoint_t *endpoint, failure_t *failure)
{
    char parent[4096];
    const char *temporary = getenv("TMPDIR");

    if (!find_runtime_directory(parent, sizeof(parent))) {
        (void)snprintf(parent, sizeof(parent), "%s",
                       temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
    }
    int length = snprintf(endpoint->parent, sizeof(endpoint->parent), "%s/%s-XXXXXX", parent,
                          "semkernel-sessions");
    if (length < 0 || (size_t)length + sizeof("/" SOCKET_NAME) > sizeof(endpoint->parent)) {
        return fail(failure,
                    "cannot make a socket in %s: the path would be longer than %zu bytes; set "
                    "TMPDIR to a shorter one, or name the socket with --socket",
                    parent, sizeof(endpoint->path) - 1);
    }
    endpoint->hold = private_directory_make(endpoint->parent);
    if (endpoint->hold < 0) {
        return fail(failure, "cannot make a private directory %s: %s", endpoint->parent,
                    strerror(errno));
    }
    endpoint->own_directory = endpoint->is_private = true;
    endpoint->above = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(endpoint->name, sizeof(endpoint->name), "%s", SOCKET_NAME);
    (void)snprintf(endpoint->path, sizeof(endpoint->path), "%.*s/%s", (int)length, endpoint->parent,
                   SOCKET_NAME);
    return true;
}

static void take_apart(endpoint_t *endpoint, const char *path)
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(endpoint->path, sizeof(endpoint->path), "%s", path);
    (void)snprintf(endpoint->name, sizeof(endpoint->name), "%s", slash + 1);
    (void)snprintf(endpoint->parent, sizeof(endpoint->parent), "%.*s",
                   slash == path ? 1 : (int)(slash - path), path);
}

static bool is_private(const struct stat *status)
{
    return S_ISDIR(status->st_mode) && status->st_uid == geteuid() && (status->st_mode & 077) == 0;
}

/* Take apart a path that was given, and check the directory. */
static bool use_directory(endpoint_t *endpoint, const char *path, failure_t *failure)
{
    struct stat status;
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || slash[1] == '\0') {
        return fail(failure, "cannot listen on %s: --socket takes an absolute path to a file",
                    path);
    }
    if (strlen(path) >= sizeof(endpoint->path)) {
        return fail(failure,
                    "cannot listen on %s: the path is %zu bytes long, a socket's may have "
                    "%zu; choose a shorter one",
                    path, strlen(path), sizeof(endpoint->path) - 1);
    }
    take_apart(endpoint, path);
    if (stat(endpoint->parent, &status) != 0) {
        return fail(failure, "cannot listen on %s: the directory %s: %s; make it with mode 0700",
                    path, endpoint->parent, strerror(errno));
    }
    endpoint->is_private = is_private(&status);
    if (!endpoint->is_private) {
        return fail(failure,
                    "cannot listen on %s: %s must be a directory of the same user with mode 0700, "
                    "so that nobody else reaches the socket",
                    path, endpoint->parent);
    }
    return true;
}

/* A socket that nobody answers at was left by a server that died; one that is answered is used. */
static bool clear_stale(const endpoint_t *endpoint, const struct sockaddr_un *address)
{
    struct stat status;

    if (lstat(endpoint->path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool stale = probe >= 0 &&
                 connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                 errno == ECONNREFUSED;
    if (probe >= 0) {
        (void)close(probe);
    }
    return stale && unlink(endpoint->path) == 0;
}

static bool bind_socket(endpoint_t *endpoint, failure_t *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const struct sockaddr *)&address;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", endpoint->path);
    endpoint->directory = open(endpoint->parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    endpoint->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    bool bound = endpoint->directory >= 0 && endpoint->socket >= 0 &&
                 (bind(endpoint->socket, any, sizeof(address)) == 0 ||
                  (errno == EADDRINUSE && clear_stale(endpoint, &address) &&
                   bind(endpoint->socket, any, sizeof(address)) == 0));
    int error = errno;
    (void)umask(before);
    if (!bound) {
        return fail(failure, "cannot listen on %s: %s%s", endpoint->path, strerror(error),
                    error == EADDRINUSE ? "; another server answers there, or the file is no socket"
                                        : "");
    }
    return true;
}

static void endpoint_init(endpoint_t *endpoint)
{
    memset(endpoint, 0, sizeof(*endpoint));
    endpoint->socket = endpoint->directory = endpoint->above = endpoint->hold = -1;
}

bool endpoint_open(endpoint_t *endpoint, const char *path, failure_t *failure)
{
    endpoint_init(endpoint);
    if (!(path == NULL ? make_directory(endpoint, failure)
                       : use_directory(endpoint, path, failure))) {
        return false;
    }
    if (!bind_socket(endpoint, failure)) {
        if (endpoint->own_directory) {
            (void)rmdir(endpoint->parent);
        }
        return false;
    }
    endpoint->own_socket = true;
    return true;
}

bool endpoint_adopt(endpoint_t *endpoint, int socket, failure_t *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    struct stat status;

    endpoint_init(endpoint);
    if (getsockname(socket, (struct sockaddr *)&address, &size) != 0 ||
        size <= offsetof(struct sockaddr_un, sun_path) || size > sizeof(address) ||
        memchr(address.sun_path, '\0', sizeof(address.sun_path)) == NULL ||
        address.sun_path[0] != '/') {
        return fail(failure,
                    "cannot use the socket that was handed over as descriptor %d: it must be "
                    "bound to an absolute path",
                    socket);
    }
    take_apart(endpoint, address.sun_path);
    endpoint->directory = open(endpoint->parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (endpoint->directory < 0 || fstat(endpoint->directory, &status) != 0) {
        return fail(failure, "cannot use the socket %s: %s: %s", endpoint->path, endpoint->parent,
                    strerror(errno));
    }
    endpoint->is_private = is_private(&status);
    endpoint->socket = socket;
    return true;
}

bool endpoint_write_file(const endpoint_t *endpoint, const char *ending, const char *text,
                         size_t size, failure_t *failure)
{
    char name[sizeof(endpoint->name) + 16];

    (void)snprintf(name, sizeof(name), "%s%s", endpoint->name, ending);
    (void)unlinkat(endpoint->directory, name, 0); /* of a server that died */
    int file = openat(endpoint->directory, name,
                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool written = file >= 0 && write(file, text, size) == (ssize_t)size;
    int error = errno;
    if (file >= 0) {
        written = close(file) == 0 && written;
    }
    return written ||
           fail(failure, "cannot write %s%s: %s", endpoint->path, ending, strerror(error));
}

void endpoint_remove_file(const endpoint_t *endpoint, const char *ending)
{
    char name[sizeof(endpoint->name) + 16];

    (void)snprintf(name, sizeof(name), "%s%s", endpoint->name, ending);
    (void)unlinkat(endpoint->directory, name, 0);
}

void endpoint_close(endpoint_t *endpoint)
{
    if (endpoint->socket < 0) {
        return;
    }
    (void)close(endpoint->socket);
    if (endpoint->own_socket) {
        (void)unlinkat(endpoint->directory, endpoint->name, 0);
    }
    if (endpoint->own_directory) {
        (void)unlinkat(endpoint->above, strrchr(endpoint->parent, '/') + 1, AT_REMOVEDIR);
    }
    (void)close(endpoint->directory);
    if (endpoint->above >= 0) {
        (void)close(endpoint->above);
    }
    if (endpoint->hold >= 0) {
        (void)close(endpoint->hold);
    }
    endpoint->socket = -1;
}
