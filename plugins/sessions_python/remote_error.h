/*
 * remote_error.h - what a pool says when it refuses a request, in all its forms.
 *
 *     {"error":{"code":"..","message":".."}}          {"code":"..","message":".."}
 *     {"title":"..","errors":{"$":[".."]}}            text, a page, or nothing at all
 */
#ifndef SESSIONS_PYTHON_REMOTE_ERROR_PRIVATE_H
#define SESSIONS_PYTHON_REMOTE_ERROR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

#include "excerpt.h"

typedef struct remote_error {
    unsigned http_status;
    int status;                 /* KP_E_ */
    char code[80];              /* the service's, "" if it gave none */
    char message[EXCERPT_SIZE]; /* the service's, "" if it gave none */
    bool is_bare_401;           /* without any explanation: how an unknown version is refused */
} remote_error_t;

/* `header_code` is the header x-ms-error-code, `challenge` WWW-Authenticate; NULL: absent. */
void remote_error_read(remote_error_t *error, unsigned http_status, const char *header_code,
                       const char *challenge, const char *body, size_t size);

/* Nothing ran: the body should have had the other shape. */
bool remote_error_is_shape(const remote_error_t *error);

/* "HTTP status 429, SessionsCountExceedsLimit: .., try again later" */
void remote_error_write(sk_buffer_t *out, const remote_error_t *error, const char *api_version);

#endif /* SESSIONS_PYTHON_REMOTE_ERROR_PRIVATE_H */
