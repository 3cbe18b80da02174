/*
 * selftest.h - proof, before the server listens, that its sandbox holds.
 */
#ifndef SESSIONS_SELFTEST_PRIVATE_H
#define SESSIONS_SELFTEST_PRIVATE_H

#include "base/failure.h"
#include "http/endpoint.h"
#include "sandbox/sandbox.h"

typedef struct selftest selftest_t;

/* `failure` is NULL if every attempt to get out was refused. The test frees itself afterwards. */
typedef void (*selftest_cb)(const failure_t *failure, void *data);

/* Try what must not work, in a real sandbox of this plan, in a slot of its own, the one behind
 * the last. NULL, and no callback, if it cannot even be started. */
selftest_t *selftest_start(const sandbox_plan_t *plan, const endpoint_t *endpoint, selftest_cb cb,
                           void *data, failure_t *failure);

/* Give up; the callback still comes, with a failure. */
void selftest_cancel(selftest_t *test);

#endif /* SESSIONS_SELFTEST_PRIVATE_H */
