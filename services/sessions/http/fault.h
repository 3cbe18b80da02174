/*
 * fault.h - what can be made to go wrong, for tests of clients; only with --faults.
 *
 *     delay=200                   answer so many milliseconds later
 *     status=503, retry-after=2   answer this instead, without a look at the request
 *     audience=https://..         answer 401 unless the bearer token is a JWT for exactly this
 *     cut                         end the connection instead of an answer
 *     cut-body=10                 end it after so many bytes of the answer's body
 *     abort-queued                when a worker is lost, what waits in its session is aborted
 *     method=POST, path=files     only for these requests: a method, a part of the path
 *     every=3, times=2            only every third of those, and only twice
 *
 * Items are separated by commas. A request brings its own in the header
 * x-semkernel-fault, or the one that stands applies, set by POST /.faults.
 */
#ifndef SESSIONS_FAULT_PRIVATE_H
#define SESSIONS_FAULT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"

#define FAULT_TEXT_MAX 512

typedef struct fault {
    int64_t delay_ms;
    int64_t status;      /* 0: none */
    int64_t retry_after; /* seconds; below 0: none */
    int64_t cut_body;    /* bytes; below 0: none */
    int64_t every;       /* 1: each */
    int64_t times;       /* below 0: without end */
    bool cut;
    bool abort_queued;
    char method[16];
    char path[128];
    char audience[256];
} fault_t;

bool fault_read(fault_t *fault, const char *text, failure_t *failure);

/* Does it apply to such a request? Its turn is taken if so. */
bool fault_take_turn(fault_t *fault, uint64_t *seen, const char *method, const char *path);

/* Does the fault that stands abort what waits behind a worker that is lost? */
bool faults_abort_queue(void);

/* Is the header Authorization a bearer token for exactly this audience? Whoever signed it. */
bool fault_is_for_audience(const char *authorization, const char *audience);

#endif /* SESSIONS_FAULT_PRIVATE_H */
