/*
 * execute.h - the operations that run code.
 */
#ifndef SESSIONS_EXECUTE_PRIVATE_H
#define SESSIONS_EXECUTE_PRIVATE_H

#include "call.h"

void execute_post(call_t *call);        /* executions, code/execute */
void execute_post_legacy(call_t *call); /* python/execute */
void execute_get(call_t *call);         /* executions/{id} */

#endif /* SESSIONS_EXECUTE_PRIVATE_H */
