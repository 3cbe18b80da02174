/*
 * survey.h - what the sessions' Python has, found out once in a sandbox of its own.
 *
 * That is the packages installed, for GET metadata, and matplotlib's font cache, which takes
 * every session a while to make and is the same for all.
 */
#ifndef SESSIONS_SURVEY_PRIVATE_H
#define SESSIONS_SURVEY_PRIVATE_H

#include <stdbool.h>

#include <buffer.h>

#include "pool.h"
#include "sandbox/sandbox.h"

typedef struct survey survey_t;

/* Who waits for its end. Embedded in what the waiter owns. */
typedef struct survey_waiter {
    void (*on_end)(struct survey_waiter *waiter);
    struct survey_waiter *next;
} survey_waiter_t;

/* `plan` gets the font cache. Not begun yet. NULL when memory is out. */
survey_t *survey_new(sandbox_plan_t *plan, pool_t *pool);
/* It must have ended. */
void survey_free(survey_t *survey);

/* Begin, unless that has happened: in the slot behind the last, when the self-test has left it. */
void survey_start(survey_t *survey);
/* Give up; the pool is held until its sandbox is gone. */
void survey_cancel(survey_t *survey);

bool survey_has_ended(const survey_t *survey);
/* For one that has not ended; the waiter may leave before. */
void survey_add_waiter(survey_t *survey, survey_waiter_t *waiter);
void survey_remove_waiter(survey_t *survey, survey_waiter_t *waiter);

/* Version of the sessions' Python; "" if it could not be found out. */
const char *survey_python(const survey_t *survey);

/* JSON: [{"name","version"},..]; "[]" if they could not be found out. */
const char *survey_packages(const survey_t *survey);

#endif /* SESSIONS_SURVEY_PRIVATE_H */
