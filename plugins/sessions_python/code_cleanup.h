/*
 * code_cleanup.h - the Python source in what a model or a person pasted.
 *
 * Models wrap code in backticks, put the word "python" before it, indent it as
 * the text around it; this takes such wrapping away and nothing else. Inner lines
 * stay as they are but for CRLF and an indentation common to all. Pure functions on
 * valid UTF-8; other bytes do no harm.
 */
#ifndef SESSIONS_PYTHON_CODE_CLEANUP_PRIVATE_H
#define SESSIONS_PYTHON_CODE_CLEANUP_PRIVATE_H

#include <stddef.h>

#include <buffer.h>

/* Append the source that is in `text`; nothing if there is none. */
void code_cleanup(sk_buffer_t *out, const char *text, size_t size);

#endif /* SESSIONS_PYTHON_CODE_CLEANUP_PRIVATE_H */
