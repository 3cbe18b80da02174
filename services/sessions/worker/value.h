/*
 * value.h - values out of a worker's frames.
 *
 * What a frame holds is read and written anew, never pasted through: whatever
 * the worker sends, what goes on is well-formed JSON of ours.
 */
#ifndef SESSIONS_VALUE_PRIVATE_H
#define SESSIONS_VALUE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

/* {"value": any}: the value as JSON. Integers keep all their digits, NUL stays, half surrogates
 * become U+FFFD, of equal names the last stands. False for anything else. */
bool value_read_result(const char *frame, size_t size, sk_buffer_t *json);

/* {"traceback": text}: the text. False for anything else. */
bool value_read_error(const char *frame, size_t size, sk_buffer_t *text);

#endif /* SESSIONS_VALUE_PRIVATE_H */
