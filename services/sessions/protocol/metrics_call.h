/*
 * metrics_call.h - GET /metrics, the one operation that is not of the service.
 */
#ifndef SESSIONS_METRICS_CALL_PRIVATE_H
#define SESSIONS_METRICS_CALL_PRIVATE_H

#include "call.h"

bool metrics_are_asked(const request_t *request);
void metrics_get(call_t *call);

#endif /* SESSIONS_METRICS_CALL_PRIVATE_H */
