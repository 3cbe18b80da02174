/*
 * curl_transfer.c - one attempt at a request: one easy handle.
 *
 *     http__transfer_start   a handle, its options, begun
 *     transfer_on_socket     the name is resolved, a connection is tried
 *     transfer_on_send       it stands, the request goes out
 *     transfer_on_progress   bytes have moved
 *     transfer_on_header     a line of the answer's head
 *     transfer_on_body       a piece of its body
 *     http__transfer_on_end  libcurl is done with it
 *     http__transfer_end     we are
 *
 * A handle keeps what is costly to make (TLS sessions above all) and is used
 * again for another request.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <kernel/plugin.h>

#include "address.h"
#include "alloc.h"
#include "client.h"
#include "curl_home.h"
#include "operation.h"

#define TRANSFER_WAIT_MAX_S 1000000000 /* Retry-After beyond is taken for this */

struct http__transfer {
    http__engine_t *engine;
    kp_http_op *op; /* NULL: kept for another request */
    CURL *easy;
    struct curl_slist *headers; /* owned */
    unsigned sent_count;        /* how often the request went out */
    bool is_sent;               /* it did on the present connection */
    bool is_held;               /* a piece was refused, libcurl keeps it */
    char error[CURL_ERROR_SIZE];
};

static curl_socket_t transfer_on_socket(void *data, curlsocktype purpose,
                                        struct curl_sockaddr *address);
static int transfer_on_send(void *data, char *ip, char *local_ip, int port, int local_port);
static int transfer_on_progress(void *data, curl_off_t receive_total, curl_off_t received,
                                curl_off_t send_total, curl_off_t sent);
static size_t transfer_on_header(char *text, size_t unit, size_t count, void *data);
static size_t transfer_on_body(char *bytes, size_t unit, size_t count, void *data);

/* ---- the beginning ---- */

static bool transfer_add_header(http__transfer_t *transfer, const char *line)
{
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);

    if (headers != NULL) {
        transfer->headers = headers;
    }
    return headers != NULL;
}

/* "Name:" takes away what libcurl would add by itself. */
static bool transfer_make_headers(http__transfer_t *transfer, const http__request_t *request)
{
    const char *at = request->headers;
    const char *end = at + request->headers_size;

    while (at < end) {
        if (!transfer_add_header(transfer, at)) {
            return false;
        }
        at += strlen(at) + 1;
    }
    /* Servers that do not know it would let us wait for a second. */
    return transfer_add_header(transfer, "Expect:") &&
           (request->has_content_type || transfer_add_header(transfer, "Content-Type:"));
}

static const char *transfer_proxy(const http__config_t *config, const http__request_t *request)
{
    const char *proxy = request->parts.is_https ? config->https_proxy : config->http_proxy;

    /* Behind a proxy nobody could check the address. */
    if (request->unix_socket != NULL || (request->flags & KP_HTTP_PUBLIC_ONLY) != 0) {
        return "";
    }
    if (proxy == NULL) {
        proxy = config->all_proxy;
    }
    return proxy == NULL ? "" : proxy; /* empty: libcurl does not ask the environment either */
}

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (curl_easy_setopt(transfer->easy, option, value) != CURLE_OK) {                         \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static bool transfer_set_method(http__transfer_t *transfer, const http__request_t *request)
{
    const char *method = request->method;
    bool has_body = request->body != NULL || strcmp(method, "POST") == 0 ||
                    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;

    if (has_body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, request->body == NULL ? "" : request->body);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    } else if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    }
    if (strcmp(method, "GET") != 0 || has_body) {
        SET(CURLOPT_CUSTOMREQUEST, method);
    }
    return true;
}

static bool transfer_set_connection(http__transfer_t *transfer, const http__request_t *request)
{
    const http__config_t *config = http__engine_config(transfer->engine);
    const char *ca_file = http__engine_ca_file(transfer->engine);
    uint32_t connect_ms = request->connect_ms != 0 ? request->connect_ms : config->connect_ms;
    bool is_bounded = (request->flags & KP_HTTP_BOUNDED_MEMORY) != 0;

    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);   /* the loop thread blocks all signals */
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a look-up that nobody wants any more */
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    /* Over HTTP/2 libcurl buffers up to 32 MiB for a consumer that has paused. */
    SET(CURLOPT_HTTP_VERSION,
        is_bounded ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
    /* Without TLS no connection will ever be shared, and waiting for it is a mistake. */
    SET(CURLOPT_PIPEWAIT, request->parts.is_https && !is_bounded ? 1L : 0L);
    SET(CURLOPT_PROXY, transfer_proxy(config, request));
    SET(CURLOPT_NOPROXY, config->no_proxy == NULL ? "" : config->no_proxy);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (ca_file != NULL) {
        /* Only without a directory libcurl keeps what it has read of the file; reading it for
         * each connection takes 25 ms of the loop. */
        SET(CURLOPT_CAINFO, ca_file);
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_PROXY_CAINFO, ca_file);
        SET(CURLOPT_PROXY_CAPATH, NULL);
    }
    if (request->unix_socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    }
    SET(CURLOPT_OPENSOCKETFUNCTION, transfer_on_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_CLOSESOCKETFUNCTION, http__engine_on_close);
    SET(CURLOPT_CLOSESOCKETDATA, transfer->engine);
    return true;
}

static bool transfer_set_exchange(http__transfer_t *transfer, const http__request_t *request)
{
    const http__config_t *config = http__engine_config(transfer->engine);

    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_USERAGENT, config->user_agent);
    /* Compression delays the pieces of a stream, and who asks for an encoding wants it as it is. */
    if (request->on_chunk == NULL && !request->has_accept_encoding) {
        SET(CURLOPT_ACCEPT_ENCODING, "");
    }
    SET(CURLOPT_PREREQFUNCTION, transfer_on_send);
    SET(CURLOPT_PREREQDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, transfer_on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, transfer_on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    /* Of a body on its way out only this tells that it moves. */
    if (request->on_progress != NULL || request->body_size > 0) {
        SET(CURLOPT_XFERINFOFUNCTION, transfer_on_progress);
        SET(CURLOPT_XFERINFODATA, transfer);
        SET(CURLOPT_NOPROGRESS, 0L);
    }
    return true;
}

#undef SET

static http__transfer_t *transfer_new(http__engine_t *engine)
{
    http__transfer_t *transfer = sk_calloc(1, sizeof(*transfer));

    if (transfer == NULL) {
        return NULL;
    }
    transfer->engine = engine;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL) {
        sk_free(transfer);
        return NULL;
    }
    return transfer;
}

http__transfer_t *http__transfer_start(http__engine_t *engine, kp_http_op *operation)
{
    http__transfer_t *transfer = http__engine_take_kept(engine);
    const http__request_t *request = &operation->request;
    CURLMcode code = CURLM_OUT_OF_MEMORY;

    if (transfer == NULL) {
        transfer = transfer_new(engine);
    }
    if (transfer == NULL) {
        return NULL;
    }
    transfer->op = operation;
    if (transfer_make_headers(transfer, request) && transfer_set_method(transfer, request) &&
        transfer_set_connection(transfer, request) && transfer_set_exchange(transfer, request)) {
        http__engine_enter(engine);
        code = curl_multi_add_handle(http__engine_multi(engine), transfer->easy);
        http__engine_leave(engine);
    }
    if (code != CURLM_OK) {
        http__transfer_end(engine, transfer);
        return NULL;
    }
    return transfer;
}

/* ---- what libcurl tells ---- */

static curl_socket_t transfer_on_socket(void *data, curlsocktype purpose,
                                        struct curl_sockaddr *address)
{
    http__transfer_t *transfer = data;
    kp_http_op *op = transfer->op;
    curl_socket_t fd;

    (void)purpose;
    transfer->is_sent = false;
    http__operation_on_address(op);
    if ((op->request.flags & KP_HTTP_PUBLIC_ONLY) != 0 &&
        !http__address_is_public(&address->addr, address->addrlen)) {
        char text[INET6_ADDRSTRLEN];

        http__address_write(&address->addr, address->addrlen, text, sizeof(text));
        http__operation_settle(op, KP_E_DENIED, "its host has the address %s, which is not public",
                               text);
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) { /* the next address fares no better */
        http__operation_settle(op, KP_E_UNAVAILABLE,
                               "there is no descriptor left for its connection; close some or "
                               "raise the limit (ulimit -n)");
    }
    if (fd >= 0 && !http__engine_on_open(transfer->engine, fd)) {
        (void)http__engine_on_close(transfer->engine, fd);
        fd = -1;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/*
 * On a kept connection, too, hence the second look at the address. And when such
 * a connection ends without an answer, libcurl sends the request again on a new
 * one: for a request that must not be carried out twice that is not ours to do,
 * since the server may have read it.
 */
static int transfer_on_send(void *data, char *ip, char *local_ip, int port, int local_port)
{
    http__transfer_t *transfer = data;
    kp_http_op *op = transfer->op;

    (void)local_ip;
    (void)port;
    (void)local_port;
    transfer->sent_count++;
    if ((op->request.flags & KP_HTTP_PUBLIC_ONLY) != 0 && !http__address_text_is_public(ip)) {
        http__operation_settle(op, KP_E_DENIED,
                               "its host has the address %.60s, which is not public", ip);
    }
    if (transfer->sent_count > 1 && !http__request_is_repeatable(&op->request)) {
        http__operation_settle(op, KP_E_UNAVAILABLE,
                               "the connection ended before an answer came; it is not sent again, "
                               "since the server may have carried it out");
    }
    if (http__operation_is_over(op)) {
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->is_sent = true;
    http__operation_on_connected(op);
    return CURL_PREREQFUNC_OK;
}

static int transfer_on_progress(void *data, curl_off_t receive_total, curl_off_t received,
                                curl_off_t send_total, curl_off_t sent)
{
    http__transfer_t *transfer = data;

    http__operation_on_progress(transfer->op, (uint64_t)sent, (uint64_t)send_total,
                                (uint64_t)received, (uint64_t)receive_total);
    return http__operation_is_over(transfer->op) ? 1 : 0;
}

static size_t transfer_on_header(char *text, size_t unit, size_t count, void *data)
{
    http__transfer_t *transfer = data;
    size_t size = unit * count;
    long status = 0;

    if (http__operation_on_header_bytes(transfer->op, size) != HTTP__TAKEN) {
        return 0;
    }
    if (size <= 2 && (text[0] == '\r' || text[0] == '\n')) {
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && transfer->op->http_status == 0) { /* neither 1xx nor a trailer */
            http__operation_on_head(transfer->op, (uint32_t)status);
        }
    }
    return size;
}

static size_t transfer_on_body(char *bytes, size_t unit, size_t count, void *data)
{
    http__transfer_t *transfer = data;
    size_t size = unit * count;

    switch (http__operation_on_body(transfer->op, bytes, size)) {
    case HTTP__TAKEN:
        return size;
    case HTTP__TAKEN_LATER:
        transfer->is_held = true;
        return CURL_WRITEFUNC_PAUSE;
    case HTTP__TAKEN_NEVER:
        break;
    }
    return size == 0 ? 1 : 0; /* anything but `size` makes the transfer fail */
}

void http__transfer_on_watch_failed(http__transfer_t *transfer)
{
    http__operation_settle(transfer->op, KP_E_NO_MEMORY,
                           "its connection cannot be watched: memory or descriptors ran out");
}

void http__transfer_on_end(http__transfer_t *transfer, CURLcode code)
{
    http__failure_t failure;
    long os_error = 0;

    if (code == CURLE_OK && transfer->op->http_status != 0) {
        http__operation_on_end(transfer->op, NULL);
        return;
    }
    if (code == CURLE_OK) {
        code = CURLE_GOT_NOTHING;
    }
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
    http__failure_of_curl(code, transfer->error, os_error, &failure);
    if (code == CURLE_OUT_OF_MEMORY && transfer->sent_count > 0 &&
        transfer->op->http_status == 0) { /* 7.88 has no other word for it */
        failure.status = KP_E_LIMIT;
        (void)snprintf(failure.text, sizeof(failure.text),
                       "a line of the answer's head is longer than 100 KiB, or memory ran out");
    }
    http__operation_on_end(transfer->op, &failure);
}

bool http__transfer_is_sent(const http__transfer_t *transfer)
{
    return transfer->is_sent;
}

/* ---- what the operation asks for ---- */

bool http__transfer_is_held(const http__transfer_t *transfer)
{
    return transfer->is_held;
}

void http__transfer_resume(http__transfer_t *transfer)
{
    CURLcode code;

    transfer->is_held = false;
    http__engine_enter(transfer->engine); /* the held piece is delivered inside */
    code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    http__engine_leave(transfer->engine);
    if (code != CURLE_OK) { /* libcurl does not end the transfer by itself */
        http__transfer_on_end(transfer, code);
    }
}

int64_t http__transfer_declared_size(const http__transfer_t *transfer)
{
    curl_off_t size = -1;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    return size;
}

int64_t http__transfer_retry_after(http__transfer_t *transfer)
{
    struct curl_header *header = NULL;
    char *end = NULL;
    int64_t seconds = -1;
    time_t date;

    if (curl_easy_header(transfer->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) !=
        CURLHE_OK) {
        return -1;
    }
    if (header->value[0] >= '0' && header->value[0] <= '9') {
        seconds = strtoll(header->value, &end, 10);
        if (*end != '\0') {
            return -1;
        }
    } else {
        date = curl_getdate(header->value, NULL);
        if (date == -1) {
            return -1;
        }
        seconds = (int64_t)date - (int64_t)time(NULL);
    }
    if (seconds < 0) {
        seconds = 0;
    }
    return (seconds < TRANSFER_WAIT_MAX_S ? seconds : TRANSFER_WAIT_MAX_S) * 1000;
}

void http__transfer_each_header(http__transfer_t *transfer,
                                void (*fn)(void *data, const char *name, const char *value),
                                void *data)
{
    struct curl_header *header = NULL;

    while ((header = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, header)) != NULL) {
        fn(data, header->name, header->value);
    }
}

/* ---- the end ---- */

/* libcurl's copies of the headers may be secrets like ours. */
static void transfer_forget_headers(http__transfer_t *transfer)
{
    for (struct curl_slist *at = transfer->headers; at != NULL; at = at->next) {
        sk_wipe(at->data, strlen(at->data));
    }
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

void http__transfer_end(http__engine_t *engine, http__transfer_t *transfer)
{
    http__engine_enter(engine);
    (void)curl_multi_remove_handle(http__engine_multi(engine), transfer->easy);
    http__engine_leave(engine);
    curl_easy_reset(transfer->easy);
    transfer_forget_headers(transfer);
    transfer->op = NULL;
    transfer->sent_count = 0;
    transfer->is_sent = false;
    transfer->is_held = false;
    transfer->error[0] = '\0';
    if (!http__engine_keep(engine, transfer)) {
        http__transfer_free(transfer);
    }
}

void http__transfer_free(http__transfer_t *transfer)
{
    assert(transfer->op == NULL);
    curl_easy_cleanup(transfer->easy);
    sk_free(transfer);
}
