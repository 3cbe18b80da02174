/*
 * engine.h - all transfers together: libcurl's sockets and its timer on the
 * kernel's loop.
 *
 * libcurl is never called while it calls: http__engine_is_busy() tells, and what
 * wants to happen then is put off until http__client_run(). [thread: loop]
 */
#ifndef HTTP_ENGINE_PRIVATE_H
#define HTTP_ENGINE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct http__client http__client_t;
typedef struct http__engine http__engine_t;

/* Make libcurl ready, once a process; false: it cannot be. [any] */
bool http__engine_prepare(void);
/* NULL: no memory. */
http__engine_t *http__engine_new(http__client_t *client);
/* When no transfer is left. Closes the kept connections. */
void http__engine_free(http__engine_t *engine);
/* Inside libcurl? */
bool http__engine_is_busy(const http__engine_t *engine);
/* When libcurl wants to be called, HTTP__NEVER if not. */
uint64_t http__engine_due_at(const http__engine_t *engine);
/* Let libcurl do what is due, and report the transfers that have ended. */
void http__engine_run(http__engine_t *engine, uint64_t now);

#endif /* HTTP_ENGINE_PRIVATE_H */
