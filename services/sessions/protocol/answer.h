/*
 * answer.h - an execution as each API family tells of it.
 */
#ifndef SESSIONS_ANSWER_PRIVATE_H
#define SESSIONS_ANSWER_PRIVATE_H

#include "call.h"

/* The execution as it stands now. */
void answer_execution(const call_t *call, const execution_t *execution, unsigned status);
/* One that has ended, or that never ran and why. */
void answer_ended(const call_t *call, const execution_t *execution);
/* An asynchronous one: where to ask for it. */
void answer_started(const call_t *call, const execution_t *execution);

#endif /* SESSIONS_ANSWER_PRIVATE_H */
