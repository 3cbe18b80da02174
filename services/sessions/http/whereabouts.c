/*
 * whereabouts.c - reading the file beside a server's socket.
 *
 * Without a path all places are tried at which a server listens by itself or by
 * its service unit. What another user could have put there is passed over.
 */
#include "whereabouts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <alloc.h>
#include <buffer.h>
#include <json.h>

#include "doors.h"

#define PATH_SIZE  sizeof(((struct sockaddr_un *)0)->sun_path)
#define FILE_MAX   (16 * 1024)
#define WAIT_MS    10000 /* for a server that begins */
#define OWN_PREFIX "semkernel-sessions-"

typedef struct found {
    char socket[PATH_SIZE]; /* of the first one */
    sk_buffer_t file;       /* what it tells */
    size_t count;
    sk_buffer_t all; /* paths of all */
} found_t;

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int peer = -1;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer >= 0 && connect(peer, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(peer);
        peer = -1;
    }
    return peer;
}

/* The file of a socket, if it is this user's and nobody else can have written it. */
static bool read_file(const char *socket_path, sk_buffer_t *text)
{
    char path[PATH_SIZE + sizeof(DOORS_FILE)];
    char bytes[FILE_MAX];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s" DOORS_FILE, socket_path);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) {
        return false;
    }
    bool ours = fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                status.st_uid == geteuid() && (status.st_mode & 077) == 0;
    ssize_t size = ours ? read(file, bytes, sizeof(bytes)) : -1;
    (void)close(file);
    sk_buffer_clear(text);
    if (size > 0) {
        sk_buffer_append(text, bytes, (size_t)size);
    }
    return size > 0 && !text->failed && text->data[size - 1] == '\n'; /* else it is being written */
}

/* Tells when a file of the socket's directory has been written; -1 if that cannot be. */
static int watch_directory(const char *socket_path)
{
    char parent[PATH_SIZE];
    const char *slash = strrchr(socket_path, '/');
    int watch = slash == NULL ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (watch < 0) {
        return -1;
    }
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - socket_path + 1), socket_path);
    if (inotify_add_watch(watch, parent, IN_CLOSE_WRITE) < 0) {
        (void)close(watch);
        return -1;
    }
    return watch;
}

/* The server has been begun by a connection; it tells when it listens. */
static bool wait_for_file(int watch, const char *path, sk_buffer_t *text)
{
    struct pollfd event = {watch, POLLIN, 0};
    char bytes[4096];

    while (!read_file(path, text)) {
        if (watch < 0 || poll(&event, 1, WAIT_MS) != 1) {
            return false;
        }
        (void)!read(watch, bytes, sizeof(bytes));
    }
    return true;
}

/* Does a server listen there, and what does it tell? One that has not told anything yet may be
 * about to begin. */
static bool ask(const char *path, bool patient, sk_buffer_t *text)
{
    const int watch = patient ? watch_directory(path) : -1; /* ahead of what it waits for */
    const int peer = connect_to(path);
    const bool told = peer >= 0 && wait_for_file(watch, path, text);

    if (peer >= 0) {
        (void)close(peer);
    }
    if (watch >= 0) {
        (void)close(watch);
    }
    return told;
}

static void try_place(found_t *found, const char *path, bool patient)
{
    sk_buffer_t text = SK_BUFFER_INIT;

    if (ask(path, patient, &text)) {
        if (found->count++ == 0) {
            (void)snprintf(found->socket, sizeof(found->socket), "%s", path);
            found->file = text;
            text = (sk_buffer_t)SK_BUFFER_INIT;
        }
        sk_buffer_appendf(&found->all, "%s%s", found->count == 1 ? "" : ", ", path);
    }
    sk_buffer_fini(&text);
}

/* The fresh directories that servers make for themselves. */
static void try_directory(found_t *found, const char *parent)
{
    char path[PATH_SIZE];
    const struct dirent *entry = NULL;
    DIR *directory = opendir(parent);

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0 &&
            (size_t)snprintf(path, sizeof(path), "%s/%s/socket", parent, entry->d_name) <
                sizeof(path)) {
            try_place(found, path, false);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

static void try_all(found_t *found)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *temporary = getenv("TMPDIR");
    char path[PATH_SIZE];

    if (geteuid() == 0) {
        try_place(found, "/run/semkernel-sessiond/socket", true);
    }
    if (runtime != NULL && runtime[0] == '/') {
        if ((size_t)snprintf(path, sizeof(path), "%s/semkernel-sessiond/socket", runtime) <
            sizeof(path)) {
            try_place(found, path, true);
        }
        if ((size_t)snprintf(path, sizeof(path), "%s/semkernel", runtime) < sizeof(path)) {
            try_directory(found, path);
        }
    }
    try_directory(found, temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
}

/* NAME='value'; export NAME; a quote in the value becomes '\'' */
static void print_variable(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s='", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\'') {
            (void)fputs("'\\''", out);
        } else {
            (void)fputc(*at, out);
        }
    }
    (void)fprintf(out, "'; export %s;\n", name);
}

static bool print_member(FILE *out, const sk_json_span_t *root, const char *member,
                         const char *name)
{
    sk_json_span_t value;
    char *text = NULL;

    if (!sk_json_member(root, member, &value) || value.type != SK_JSON_STRING) {
        return false;
    }
    text = sk_json_string_copy(&value, NULL);
    if (text != NULL) {
        print_variable(out, name, text);
    }
    sk_free(text);
    return text != NULL;
}

static bool print_found(const found_t *found, FILE *out, failure_t *failure)
{
    sk_json_span_t root;

    if (sk_json_scan(found->file.data, found->file.size, NULL, &root, NULL) != SK_JSON_OK ||
        root.type != SK_JSON_OBJECT) {
        return fail(failure, "cannot tell where the server is: %s" DOORS_FILE " is not its file",
                    found->socket);
    }
    print_variable(out, "SEMKERNEL_POOL_SOCKET", found->socket);
    if (print_member(out, &root, "tcp", "SEMKERNEL_POOL_ENDPOINT")) {
        (void)print_member(out, &root, "tokenFile", "SEMKERNEL_POOL_TOKEN_FILE");
    } else {
        (void)print_member(out, &root, "endpoint", "SEMKERNEL_POOL_ENDPOINT");
    }
    return fflush(out) == 0 || fail(failure, "cannot print: %s", strerror(errno));
}

bool whereabouts_print(const char *socket_path, FILE *out, failure_t *failure)
{
    found_t found = {.file = SK_BUFFER_INIT, .all = SK_BUFFER_INIT};
    bool printed = false;

    if (socket_path != NULL) {
        try_place(&found, socket_path, true);
    } else {
        try_all(&found);
    }
    if (found.count == 1) {
        printed = print_found(&found, out, failure);
    } else if (found.count > 1) {
        (void)fail(failure, "several servers run: name one of their sockets with --socket: %s",
                   sk_buffer_text(&found.all));
    } else if (socket_path != NULL) {
        (void)fail(failure, "no server of this user answers at %s", socket_path);
    } else {
        (void)fail(failure, "no server of this user runs: start one, or name its socket with "
                            "--socket");
    }
    sk_buffer_fini(&found.file);
    sk_buffer_fini(&found.all);
    return printed;
}
