/*
 * call.h - one request on its way: what is known of it so far.
 */
#ifndef SESSIONS_CALL_PRIVATE_H
#define SESSIONS_CALL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol.h"

/* Two shapes of one service: A wraps and numbers its objects, B is flat. */
typedef enum family { FAMILY_A = 1, FAMILY_B = 2 } family_t;

typedef struct version {
    const char *name;
    family_t family;
    unsigned executed; /* status of an answered execution */
    size_t characters; /* of each output stream unless the request says; 0: the server's limit */
    bool newest;       /* knows outputStreamsMaxLength, useEmptyKernel, the Jupyter format */
} version_t;

typedef struct call call_t;
typedef void (*call_fn)(call_t *call);

struct call {
    protocol_t *protocol;
    request_t *request;
    const version_t *version;
    const char *identifier;                   /* NULL: the operation has none, or not yet */
    char body_identifier[IDENTIFIER_MAX + 1]; /* room for one that came in the body */
    call_fn handle;                           /* with the whole body */
    const char *name;                         /* in the path, not NUL-terminated; NULL: none */
    size_t name_size;
    size_t base_size;  /* of the path in front of the operation */
    bool bare;         /* the legacy execution, whose answer has no properties */
    bool new_session;  /* the request made its session */
    int64_t queued_ns; /* when the execution was handed to its session; 0: it was not */
};

bool call_is_identifier(const char *text);

#endif /* SESSIONS_CALL_PRIVATE_H */
