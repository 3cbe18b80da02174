/*
 * journal.h - what happens in the server: each event is logged and counted.
 *
 * A session is named by its guid, an execution by its id, never by what only its
 * owner may know.
 */
#ifndef SESSIONS_JOURNAL_PRIVATE_H
#define SESSIONS_JOURNAL_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

/* A request and its answer are through, or its connection has ended. */
typedef struct journal_request {
    const char *method;
    const char *operation; /* a literal; NULL: none was found */
    unsigned status;       /* 0: it got no answer */
    int64_t ns;
    uint64_t received;     /* bytes of its body */
    uint64_t sent;         /* bytes of the answer's */
    const char *session;   /* "" if it has none */
    const char *execution; /* likewise */
} journal_request_t;

void journal_request(const journal_request_t *request);

typedef struct journal_execution {
    const char *id;
    const char *session;
    const char *outcome; /* a literal */
    int64_t queue_ns;    /* of a time that did not pass: below 0 */
    int64_t ns;
    uint64_t output; /* bytes */
    uint64_t errors;
} journal_execution_t;

void journal_execution(const journal_execution_t *execution);

void journal_session_made(const char *session);
void journal_session_removed(const char *session, const char *why);

void journal_worker_ready(unsigned slot, int64_t ns);
/* `all`: nothing was left out for an execution that came. `missing`: modules there are not. */
void journal_worker_warm(unsigned slot, int64_t ns, bool all, const char *missing);
/* `session` NULL: it had none. `why` NULL: it ended by itself. */
void journal_worker_gone(unsigned slot, const char *session, const char *why, bool violated);
void journal_start_failed(const char *why);

#endif /* SESSIONS_JOURNAL_PRIVATE_H */
