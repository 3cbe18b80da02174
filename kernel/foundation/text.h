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
/* Size of the character at `text` (`size` is at least 1), or, if `valid_out` becomes false, of the
 * invalid bytes that one U+FFFD stands for. */
size_t sk_utf8_step(const char *text, size_t size, bool *valid_out);
/* Append `text` with each invalid sequence as U+FFFD, the maximal-subpart way. */
void sk_utf8_append_repaired(sk_buffer_t *out, const char *text, size_t size);
/* The largest size <= limit that cuts no character in half. */
size_t sk_utf8_cut(const char *text, size_t size, size_t limit);

/* Standard alphabet, padding written; read with or without padding, no white space, and unused
 * bits must be zero. */
void sk_base64_append(sk_buffer_t *out, const void *data, size_t size);
/* False, and nothing appended: not base64, or `out` failed. */
bool sk_base64_decode(const char *text, size_t size, sk_buffer_t *out);

/* Edits (insert, delete, replace, swap of neighbours; letter case counts half) between two
 * names, in twice the number: 2 per edit. The answer is never above `limit` (same unit), which
 * stands for "too far"; so it does for names above 128 bytes. */
unsigned sk_text_distance(const char *a, const char *b, unsigned limit);
/* Index of the closest candidate, or -1 if none is near enough to suggest: within a third of the
 * name's length, at least one edit, and something of the name must remain; or equal but for letter
 * case. NULL candidates are passed over. */
int sk_text_closest(const char *name, const char *const *candidates, size_t count);

#endif /* SK_TEXT_H */
