/*
 * url.h - what has to be known of a URL before it is used.
 */
#ifndef HTTP_URL_PRIVATE_H
#define HTTP_URL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct http__url {
    char *shown;  /* owned; scheme, host, port and path: fit for logs and errors */
    char *lookup; /* owned; "host:port" if the host is a name to resolve, else NULL */
    bool is_https;
} http__url_t;

/* KP_OK, KP_E_INVALID or KP_E_NO_MEMORY; why goes to `error`, without any part of the URL. [any] */
int http__url_read(const char *text, http__url_t *url, char *error, size_t error_size);
void http__url_fini(http__url_t *url);

#endif /* HTTP_URL_PRIVATE_H */
