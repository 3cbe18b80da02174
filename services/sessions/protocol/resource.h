/*
 * resource.h - the operations on sessions and on the pool.
 */
#ifndef SESSIONS_RESOURCE_PRIVATE_H
#define SESSIONS_RESOURCE_PRIVATE_H

#include "call.h"

void resource_get_session(call_t *call);
void resource_list_sessions(call_t *call);
void resource_stop_session(call_t *call);
void resource_delete_session(call_t *call);

#endif /* SESSIONS_RESOURCE_PRIVATE_H */
