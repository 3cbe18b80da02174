/*
 * failure.h - why something did not work, in words, in memory of the caller.
 */
#ifndef SESSIONS_FAILURE_PRIVATE_H
#define SESSIONS_FAILURE_PRIVATE_H

#include <stdbool.h>

typedef struct failure {
    char text[768];
} failure_t;

/* Write the text, cut if need be; returns false, so that `return fail(...)` reads well. */
bool fail(failure_t *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* SESSIONS_FAILURE_PRIVATE_H */
