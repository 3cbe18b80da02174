/*
 * request.h - a request of a plugin, checked and copied.
 */
#ifndef HTTP_REQUEST_PRIVATE_H
#define HTTP_REQUEST_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/plugin.h>

#include "url.h"

#define HTTP__ERROR_MAX 512

typedef struct http__request {
    uint32_t flags; /* KP_HTTP_ */
    char *method;   /* owned, as all below */
    char *url;
    http__url_t parts;
    char *unix_socket; /* NULL: by the URL */
    char *headers;     /* "Name: value", each with a NUL, secret ones included */
    size_t headers_size;
    bool has_content_type;
    bool has_accept_encoding;
    char *body;
    size_t body_size;
    uint32_t connect_ms; /* 0 in all five: the host's default */
    uint32_t first_byte_ms;
    uint32_t idle_ms;
    uint32_t total_ms;
    uint64_t max_response;
    void (*on_chunk)(void *arg, kp_http_op *op, const void *data, size_t size);
    void (*on_progress)(void *arg, kp_http_op *op, uint64_t sent, uint64_t send_total,
                        uint64_t received, uint64_t receive_total);
    void (*on_done)(void *arg, const kp_http_response *response);
    void *arg;
} http__request_t;

/*
 * KP_OK, KP_E_INVALID, KP_E_UNSUPPORTED or KP_E_NO_MEMORY; why goes to `error`, a text without
 * secrets that begins with "cannot send the request: ". After a failure nothing is left to free.
 * [any]
 */
int http__request_copy(const kp_http_request *from, http__request_t *to, char *error,
                       size_t error_size);
/* Wipes all that may be secret. */
void http__request_fini(http__request_t *request);

/* May it be sent twice without doing something twice? */
bool http__request_is_repeatable(const http__request_t *request);

#endif /* HTTP_REQUEST_PRIVATE_H */
