/*
 * failure.h - why a request came to no whole answer.
 */
#ifndef HTTP_FAILURE_PRIVATE_H
#define HTTP_FAILURE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct http__failure {
    int status;     /* a KP_E_ */
    bool is_lookup; /* the host's name could not be resolved */
    char text[400]; /* "could not connect (connection refused); ... (curl 7)"; no secrets */
} http__failure_t;

#endif /* HTTP_FAILURE_PRIVATE_H */
