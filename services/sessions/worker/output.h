/*
 * output.h - what an execution wrote to one of its output streams.
 *
 * The first bytes are kept, the rest is read, counted and dropped, so that a
 * program that writes much is not held up and the host does not grow.
 */
#ifndef SESSIONS_OUTPUT_PRIVATE_H
#define SESSIONS_OUTPUT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <buffer.h>

typedef struct output {
    sk_buffer_t kept;
    size_t limit;     /* bytes to keep; set before the first */
    uint64_t total;   /* bytes seen */
    uint64_t dropped; /* characters beyond the limit */
} output_t;

void output_fini(output_t *output);

void output_take(output_t *output, const char *bytes, size_t size);

/* Read a pipe until it is empty or `most` bytes were read. False at its end. */
bool output_read(output_t *output, int pipe, size_t most);

/* Append the text that was written: invalid UTF-8 as U+FFFD. With `characters` above 0 it is cut
 * there silently, else at the limit with a note. */
void output_render(const output_t *output, size_t characters, sk_buffer_t *text);

/* Cut what stands behind `start` of the text at so many characters. */
void output_cut(sk_buffer_t *text, size_t start, size_t characters);

#endif /* SESSIONS_OUTPUT_PRIVATE_H */
