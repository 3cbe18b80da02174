/*
 * deadlines.h - which operation is to be looked at next, and when.
 *
 * A binary heap. An operation's time is when to look, not when it has failed: a
 * byte that arrives moves only the operation's own clock, and the look finds
 * that there is time left. So a byte costs nothing here. [thread: loop]
 */
#ifndef HTTP_DEADLINES_PRIVATE_H
#define HTTP_DEADLINES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP__NEVER UINT64_MAX

typedef struct http__deadline {
    uint64_t at;     /* ms of the monotonic clock; HTTP__NEVER: not in the heap */
    size_t position; /* in the heap */
} http__deadline_t;

typedef struct http__deadlines {
    http__deadline_t **heap; /* owned; what they point to is the operations' */
    size_t count;
    size_t capacity;
    size_t reserved; /* deadlines that may come without asking for memory */
} http__deadlines_t;

#define HTTP__DEADLINE_INIT                                                                        \
    {                                                                                              \
        HTTP__NEVER, 0                                                                             \
    }

void http__deadlines_fini(http__deadlines_t *deadlines);
/* Make room for one more deadline, until it is given back; false: no memory. */
bool http__deadlines_reserve(http__deadlines_t *deadlines);
/* Give the room back; `deadline` is never looked at again. */
void http__deadlines_leave(http__deadlines_t *deadlines, http__deadline_t *deadline);
/* Look at it then; HTTP__NEVER: no more. Its room was reserved. */
void http__deadlines_set(http__deadlines_t *deadlines, http__deadline_t *deadline, uint64_t at);
/* The earliest one, NULL if there is none. */
http__deadline_t *http__deadlines_first(const http__deadlines_t *deadlines);

#endif /* HTTP_DEADLINES_PRIVATE_H */
