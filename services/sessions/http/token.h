/*
 * token.h - the bearer token that clients over TCP must show.
 */
#ifndef SESSIONS_TOKEN_PRIVATE_H
#define SESSIONS_TOKEN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

#define TOKEN_MIN 16
#define TOKEN_MAX 4096 /* characters of a token of one's own */

typedef struct token {
    char text[TOKEN_MAX + 1];
} token_t;

/* 256 random bits. */
bool token_make(token_t *token, failure_t *failure);
/* The first and only line of a file that nobody else can read. */
bool token_read(token_t *token, const char *path, failure_t *failure);
/* Overwrite it. */
void token_fini(token_t *token);

/* Is what was shown the token? Takes as long for a wrong character wherever it stands. */
bool token_is(const char *token, const char *shown, size_t shown_size);

#endif /* SESSIONS_TOKEN_PRIVATE_H */
