/*
 * lookups.h - one look-up of a name at a time, few names at once.
 *
 * libcurl resolves each transfer's name on a thread of its own, so two hundred
 * requests to a host that nobody has asked for yet would start two hundred
 * threads. Here the first one goes ahead; those to the same host and port follow
 * when its address is known, because then libcurl's cache answers them.
 * [thread: loop]
 */
#ifndef HTTP_LOOKUPS_PRIVATE_H
#define HTTP_LOOKUPS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP__LOOKUPS_MAX     16    /* names that are looked up at the same time */
#define HTTP__LOOKUP_FRESH_MS 50000 /* libcurl forgets after 60 s */
#define HTTP__LOOKUPS_KNOWN   256   /* names that are remembered as resolved */

typedef struct http__name http__name_t;

/* What an operation has to do with look-ups; embedded in it. All zero: nothing. */
typedef struct http__lookup {
    struct http__lookup *next; /* in the queue */
    const char *host;          /* borrowed; with port */
    http__name_t *leads;       /* the name that it looks up for all; NULL: none */
    bool is_waiting;           /* in the queue */
} http__lookup_t;

typedef struct http__lookups {
    http__name_t *names; /* owned; known ones and those being looked up */
    size_t known_count;
    size_t leader_count;
    http__lookup_t *first; /* the queue, in the order of asking */
    http__lookup_t **last;
    bool is_changed; /* somebody in the queue may go */
} http__lookups_t;

void http__lookups_init(http__lookups_t *lookups);
void http__lookups_fini(http__lookups_t *lookups);

/* May a transfer to this host start now? If not, it is in the queue. */
bool http__lookups_ask(http__lookups_t *lookups, http__lookup_t *lookup, uint64_t now);
/* The address is known. */
void http__lookups_resolved(http__lookups_t *lookups, http__lookup_t *lookup, uint64_t now);
/* Whatever it waited for or led is over; if it led, another one will. */
void http__lookups_leave(http__lookups_t *lookups, http__lookup_t *lookup);
/* The next one in the queue that may go, taken out of it; NULL: none for now. */
http__lookup_t *http__lookups_next(http__lookups_t *lookups, uint64_t now);
/* One in the queue for this host, taken out of it; NULL: none. */
http__lookup_t *http__lookups_take(http__lookups_t *lookups, const char *host);

#endif /* HTTP_LOOKUPS_PRIVATE_H */
