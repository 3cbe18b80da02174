/*
 * reply.h - the forms of errors, and parts that many answers have.
 */
#ifndef SESSIONS_REPLY_PRIVATE_H
#define SESSIONS_REPLY_PRIVATE_H

#include <stdbool.h>
#include <time.h>

#include <buffer.h>

#include "call.h"

#define TYPE_JSON  "application/json; charset=utf-8"
#define TYPE_BYTES "application/octet-stream"

/* {"error":{"code","message","target"?,"traceId"}}; `target` NULL: none. */
void refuse(const call_t *call, unsigned status, const char *code, const char *target,
            const char *message);
/* 400 for a value that is not as it must be, or is missing. */
void refuse_value(const call_t *call, const char *target, const char *message);
/* 400 as a problem document. */
void refuse_json(const call_t *call, const char *message);
/* 429 with Retry-After. `top_level`: in the one form that the service does not wrap. */
void refuse_for_now(const call_t *call, const char *code, bool top_level, unsigned seconds,
                    const char *message);
/* As many sessions as may be. */
void refuse_session(const call_t *call);
void refuse_out_of_memory(const call_t *call);

/* In quotes, UTC, with so many digits of the second's fraction: 7 or 9. */
void reply_write_time(sk_buffer_t *body, const struct timespec *time, int digits);
/* Percent-encoded but for letters, digits and -._~ */
void reply_write_encoded(sk_buffer_t *text, const char *value);
/* The address of an operation of this pool, as the client sees it, with its version and, if the
 * call has one, its identifier; more of the query can be appended. */
void reply_write_link(sk_buffer_t *link, const call_t *call, const char *operation);
/* The query's skip, 0 without one. */
bool reply_read_skip(const call_t *call, size_t *skip);

#endif /* SESSIONS_REPLY_PRIVATE_H */
