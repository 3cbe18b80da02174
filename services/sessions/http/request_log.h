/*
 * request_log.h - the latest requests, whole but for their token, for tests of
 * clients; only with --faults.
 */
#ifndef SESSIONS_REQUEST_LOG_PRIVATE_H
#define SESSIONS_REQUEST_LOG_PRIVATE_H

#include <stddef.h>

#include <buffer.h>

typedef struct request_record request_record_t;

/* NULL when memory is out; all functions take that. */
request_record_t *request_record_new(const char *method, const char *target);
void request_record_add_header(request_record_t *record, const char *name, const char *value);
void request_record_add_body(request_record_t *record, const char *bytes, size_t size);
/* It is through: keep it, and let go of the oldest. */
void request_record_keep_take(request_record_t *record, unsigned status);

void request_log_clear(void);
/* As an array, oldest first. */
void request_log_write(sk_buffer_t *out);

#endif /* SESSIONS_REQUEST_LOG_PRIVATE_H */
