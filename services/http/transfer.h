/*
 * transfer.h - one attempt at a request: one easy handle of libcurl.
 *
 * What happens to it is told to its operation (http__operation_on_...), inside
 * libcurl but for the end. [thread: loop]
 */
#ifndef HTTP_TRANSFER_PRIVATE_H
#define HTTP_TRANSFER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/plugin.h>

#include "engine.h"

typedef struct http__transfer http__transfer_t;

/* A transfer of `operation` that is under way; NULL: no memory. Nothing is reported before the
 * next http__engine_run(). */
http__transfer_t *http__transfer_start(http__engine_t *engine, kp_http_op *operation);
/* End it, if it has not ended, and use its handle again. Nothing is reported any more. */
void http__transfer_end(http__engine_t *engine, http__transfer_t *transfer);
/* Deliver what a paused operation did not take, and go on. */
void http__transfer_resume(http__transfer_t *transfer);
/* Did the operation refuse a piece because it is paused? */
bool http__transfer_is_held(const http__transfer_t *transfer);

/* The size that the answer declares for its body, encoded; -1: it does not. */
int64_t http__transfer_declared_size(const http__transfer_t *transfer);
/* What the server asks to wait for, in ms; -1: nothing. */
int64_t http__transfer_retry_after(http__transfer_t *transfer);
/* Calls `fn` for each header of the answer, in order; the texts are the transfer's. */
void http__transfer_each_header(http__transfer_t *transfer,
                                void (*fn)(void *data, const char *name, const char *value),
                                void *data);

#endif /* HTTP_TRANSFER_PRIVATE_H */
