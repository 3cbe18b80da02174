/*
 * request.c - a request of a plugin, checked and copied.
 *
 *     http__request_copy     take the plugin's struct, whatever its age
 *     request_check          refuse what cannot be meant or is not there yet
 *     request_check_header   ... a header that would break out of its line
 *     request_take           copy
 *     http__request_fini     wipe and free
 */
#include "request.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sys/un.h>

#include "alloc.h"

/* The first release's struct; none is older. */
#define REQUEST_SIZE_MIN (offsetof(kp_http_request, arg) + sizeof(void *))

static int request_check(const kp_http_request *from, const char **why, const char **subject);
static int request_check_header(const kp_http_header *header, const char **why,
                                const char **subject);
static int request_take(const kp_http_request *from, http__request_t *to);

/* A token of RFC 9110: methods and header names. */
static bool request_is_token(const char *text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    if (text == NULL || text[0] == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        char c = *text;

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            strchr(marks, c) == NULL) {
            return false;
        }
    }
    return true;
}

static bool request_has_header(const kp_http_request *from, const char *name)
{
    for (size_t i = 0; i < from->header_count; i++) {
        if (strcasecmp(from->headers[i].name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < from->secret_header_count; i++) {
        if (strcasecmp(from->secret_headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int http__request_copy(const kp_http_request *from, http__request_t *to, char *error,
                       size_t error_size)
{
    kp_http_request known;
    const char *why = NULL;
    const char *subject = NULL;
    char url_error[HTTP__ERROR_MAX / 2];
    int status;

    memset(to, 0, sizeof(*to));
    memset(&known, 0, sizeof(known));
    if (from == NULL || from->size < REQUEST_SIZE_MIN) {
        (void)snprintf(error, error_size,
                       "cannot send the request: its size member is not set to "
                       "sizeof(kp_http_request)");
        return KP_E_INVALID;
    }
    memcpy(&known, from, from->size < sizeof(known) ? from->size : sizeof(known));

    status = request_check(&known, &why, &subject);
    if (status == KP_OK) {
        status = http__url_read(known.url, &to->parts, url_error, sizeof(url_error));
        why = url_error;
        subject = NULL;
    }
    if (status == KP_OK) {
        status = request_take(&known, to);
        why = "memory ran out";
    }
    if (status != KP_OK) {
        http__request_fini(to);
        (void)snprintf(error, error_size, "cannot send the request: %s%.80s%s",
                       subject == NULL ? "" : subject, subject == NULL ? "" : " ", why);
    }
    return status;
}

static int request_check(const kp_http_request *from, const char **why, const char **subject)
{
    const struct {
        bool is_wrong;
        int status;
        const char *why;
    } cases[] = {
        {from->on_done == NULL, KP_E_INVALID, "it has no on_done"},
        {from->url == NULL, KP_E_INVALID, "it has no URL"},
        {!request_is_token(from->method), KP_E_INVALID,
         "its method is not a word such as GET or POST"},
        {from->method != NULL && strcmp(from->method, "CONNECT") == 0, KP_E_INVALID,
         "the method CONNECT is the host's own"},
        {from->headers == NULL && from->header_count > 0, KP_E_INVALID,
         "it counts headers, but has none"},
        {from->secret_headers == NULL && from->secret_header_count > 0, KP_E_INVALID,
         "it counts secret headers, but has none"},
        {from->body == NULL && from->body_len > 0, KP_E_INVALID,
         "its body has a size, but no content"},
        {from->unix_socket != NULL &&
             (from->unix_socket[0] == '\0' ||
              strlen(from->unix_socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)),
         KP_E_INVALID, "the path of its unix socket is empty or longer than 107 bytes"},
        {from->unix_socket != NULL && (from->flags & KP_HTTP_PUBLIC_ONLY) != 0, KP_E_INVALID,
         "a unix socket is not public, as KP_HTTP_PUBLIC_ONLY asks"},
        {from->part_count > 0, KP_E_UNSUPPORTED,
         "multipart bodies are not supported, send the body from memory"},
        {from->download_path != NULL, KP_E_UNSUPPORTED,
         "downloads into a file are not supported, take the body in on_chunk"},
        {from->on_event != NULL, KP_E_UNSUPPORTED,
         "server-sent events are not supported, take the body in on_chunk"},
        {from->max_attempts > 1, KP_E_UNSUPPORTED,
         "more than one attempt is not supported, set max_attempts to 1"},
        {from->redirects != KP_HTTP_REDIRECT_NONE, KP_E_UNSUPPORTED,
         "following redirects is not supported, set redirects to KP_HTTP_REDIRECT_NONE"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].is_wrong) {
            *why = cases[i].why;
            return cases[i].status;
        }
    }
    for (size_t i = 0; i < from->header_count + from->secret_header_count; i++) {
        const kp_http_header *header = i < from->header_count
                                           ? &from->headers[i]
                                           : &from->secret_headers[i - from->header_count];
        int status = request_check_header(header, why, subject);

        if (status != KP_OK) {
            return status;
        }
    }
    return KP_OK;
}

static int request_check_header(const kp_http_header *header, const char **why,
                                const char **subject)
{
    if (!request_is_token(header->name)) {
        *why = "one of its headers has a name with a character that is not allowed there";
        return KP_E_INVALID;
    }
    *subject = header->name;
    if (strcasecmp(header->name, "Content-Length") == 0 ||
        strcasecmp(header->name, "Transfer-Encoding") == 0) {
        *why = "is a header that the host sets, leave it out";
        return KP_E_INVALID;
    }
    if (header->value == NULL) {
        *why = "is a header without a value";
        return KP_E_INVALID;
    }
    for (const char *at = header->value; *at != '\0'; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f) {
            *why = "is a header whose value has a line break or another control character in it";
            return KP_E_INVALID;
        }
    }
    return KP_OK;
}

static size_t request_headers_size(const kp_http_header *headers, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        size += strlen(headers[i].name) + strlen(headers[i].value) + 3;
    }
    return size;
}

/* libcurl's way to write a header without a value is "Name;". */
static char *request_write_headers(char *at, const kp_http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = headers[i].value + strspn(headers[i].value, " \t");
        size_t name_length = strlen(headers[i].name);
        size_t value_length = strlen(value);

        memcpy(at, headers[i].name, name_length);
        at += name_length;
        if (value_length == 0) {
            *at++ = ';';
        } else {
            *at++ = ':';
            *at++ = ' ';
            memcpy(at, value, value_length);
            at += value_length;
        }
        *at++ = '\0';
    }
    return at;
}

/* One block of the right size from the start: growing would leave copies of secrets behind. */
static bool request_take_headers(const kp_http_request *from, http__request_t *to)
{
    char *end = NULL;

    to->headers_size = request_headers_size(from->headers, from->header_count) +
                       request_headers_size(from->secret_headers, from->secret_header_count);
    to->headers = sk_malloc(to->headers_size + 1);
    if (to->headers == NULL) {
        to->headers_size = 0;
        return false;
    }
    end = request_write_headers(to->headers, from->headers, from->header_count);
    end = request_write_headers(end, from->secret_headers, from->secret_header_count);
    to->headers_size = (size_t)(end - to->headers);
    to->has_content_type = request_has_header(from, "Content-Type");
    to->has_accept_encoding = request_has_header(from, "Accept-Encoding");
    return true;
}

static int request_take(const kp_http_request *from, http__request_t *to)
{
    to->flags = from->flags;
    to->connect_ms = from->connect_ms;
    to->first_byte_ms = from->first_byte_ms;
    to->idle_ms = from->idle_ms;
    to->total_ms = from->total_ms;
    to->max_response = from->max_response;
    to->on_chunk = from->on_chunk;
    to->on_progress = from->on_progress;
    to->on_done = from->on_done;
    to->arg = from->arg;

    to->method = sk_strdup(from->method);
    to->url = sk_strdup(from->url);
    to->unix_socket = sk_strdup(from->unix_socket);
    if (to->method == NULL || to->url == NULL ||
        (from->unix_socket != NULL && to->unix_socket == NULL) || !request_take_headers(from, to)) {
        return KP_E_NO_MEMORY;
    }
    if (from->body != NULL) {
        to->body = sk_memdup(from->body, from->body_len);
        if (to->body == NULL) {
            return KP_E_NO_MEMORY;
        }
        to->body_size = from->body_len;
    }
    return KP_OK;
}

static void request_forget(char *text, size_t size)
{
    if (text != NULL) {
        sk_wipe(text, size);
        sk_free(text);
    }
}

void http__request_fini(http__request_t *request)
{
    request_forget(request->headers, request->headers_size);
    request_forget(request->body, request->body_size);
    request_forget(request->url, request->url == NULL ? 0 : strlen(request->url));
    http__url_fini(&request->parts);
    sk_free(request->method);
    sk_free(request->unix_socket);
    memset(request, 0, sizeof(*request));
}

bool http__request_is_repeatable(const http__request_t *request)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};

    if ((request->flags & KP_HTTP_RETRY_UNSAFE) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(request->method, methods[i]) == 0) {
            return true;
        }
    }
    return false;
}
