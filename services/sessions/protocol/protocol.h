/*
 * protocol.h - the dynamic sessions REST API: versions and routes, under any base
 * path.
 */
#ifndef SESSIONS_PROTOCOL_PRIVATE_H
#define SESSIONS_PROTOCOL_PRIVATE_H

#include <time.h>

#include "config/config.h"
#include "http/http.h"
#include "pool/session.h"
#include "pool/survey.h"
#include "sandbox/facility.h"

#define PROTOCOL_CODE_MAX      (1024 * 1024)
#define PROTOCOL_TIMEOUT_MAX_S 220
#define PROTOCOL_BODY_MAX      (6 * PROTOCOL_CODE_MAX + 64 * 1024) /* code may be all escapes */

typedef struct protocol {
    const sandbox_plan_t *plan;
    pool_t *pool;
    survey_t *survey;
    struct timespec started; /* real time */
} protocol_t;

/* An http_handler_fn; `data` is a protocol_t. */
void protocol_handle(request_t *request, void *data);

#endif /* SESSIONS_PROTOCOL_PRIVATE_H */
