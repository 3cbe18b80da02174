/*
 * endpoint.h - where a session pool is, and the addresses of its operations.
 *
 *     https://host/subscriptions/../sessionPools/pool        as it is configured
 *     .../pool/executions?identifier=..&api-version=..       one operation
 *
 * Pure functions; nothing of an address but scheme and host gets into an error's
 * text, since the rest may hold secrets.
 */
#ifndef SESSIONS_PYTHON_ENDPOINT_PRIVATE_H
#define SESSIONS_PYTHON_ENDPOINT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

typedef struct endpoint {
    char *base;         /* owned; scheme://host[:port]/path, without a slash at its end */
    char *query;        /* owned; pairs that came with the address, "" if none */
    size_t origin_size; /* of base: scheme and host, which may be shown */
    bool is_loopback;
} endpoint_t;

/*
 * Read a pool management endpoint and bring it into shape: repeated slashes, one at the end and a
 * final /python/execute go, query pairs stay. http is for loopback addresses unless `allow_http`.
 * On failure nothing is left to free and `error` says why; out of memory counts as one.
 */
bool endpoint_read(endpoint_t *endpoint, const char *text, bool allow_http, char *error,
                   size_t error_size);
void endpoint_fini(endpoint_t *endpoint);

/* Append the URL of an operation ("executions") in a session. In what is ours all is escaped but
 * letters, digits and -._~ */
void endpoint_write_target(sk_buffer_t *out, const endpoint_t *endpoint, const char *operation,
                           const char *identifier, const char *api_version);

/* ---- versions of the interface ---- */

typedef enum api_family {
    API_FAMILY_A, /* until 2024-08-02-preview: code/execute, body in "properties" */
    API_FAMILY_B  /* from 2024-10-02-preview: executions, flat body */
} api_family_t;

/* YYYY-MM-DD or YYYY-MM-DD-preview; false: it is neither. */
bool api_version_read(const char *text, api_family_t *family);

/* ---- session identifiers ---- */

#define IDENTIFIER_SIZE 37 /* of a random one, with its NUL */

/* 4 to 128 printable ASCII characters, no space, no backslash. */
bool identifier_is_legal(const char *text);
/* A random UUID, 122 bits of it unguessable; false if the system has no random numbers. */
bool identifier_make(char out[IDENTIFIER_SIZE]);

#endif /* SESSIONS_PYTHON_ENDPOINT_PRIVATE_H */
