/*
 * text.h - UTF-8, base64, names that nearly match.
 */
#ifndef SK_TEXT_H
#define SK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Valid UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF)? On false
 * `offset_out`, if given, is the first wrong byte. */
bool sk_utf8_is_valid(const char *text, size_t size, size_t *offset_out);
/* Append `text` with each invalid sequence as U+FFFD, the maximal-subpart way. */
void sk_utf8_append_repaired(sk_buffer_t *out, const char *text, size_t size);
/* The largest size <= limit that cuts no character in half. */
size_t sk_utf8_cut(const char *text, size_t size, size_t limit);

/* Standard alphabet, padding written; read with or without padding, no white space. */
void sk_base64_append(sk_buffer_t *out, const void *data, size_t size);
bool sk_base64_decode(const char *text, size_t size, sk_buffer_t *out); /* false: not base64 */

/* Edits (insert, delete, replace, swap of neighbours; letter case counts half) between two
 * names, at most `limit`, in twice the number: 2 per edit. */
unsigned sk_text_distance(const char *a, const char *b, unsigned limit);
/* Index of the closest candidate, or -1 if none is near enough to suggest (a third of the
 * length, at least one edit). */
int sk_text_closest(const char *name, const char *const *candidates, size_t count);

#endif /* SK_TEXT_H */
