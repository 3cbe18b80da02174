/*
 * buffer.h - a growing run of bytes with a NUL behind the last one.
 *
 * Failure is sticky: append as often as you like, look at `failed` once at the
 * end. A buffer that is all zero is empty and ready.
 */
#ifndef SK_BUFFER_H
#define SK_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct sk_buffer {
    char *data; /* owned; NULL until the first append, else NUL-terminated */
    size_t size;
    size_t capacity;
    bool failed; /* memory ran out: content is what came before */
} sk_buffer_t;

#define SK_BUFFER_INIT                                                                             \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void sk_buffer_fini(sk_buffer_t *buffer);  /* frees; leaves it fit for use again */
void sk_buffer_clear(sk_buffer_t *buffer); /* empties and keeps the memory */
bool sk_buffer_reserve(sk_buffer_t *buffer, size_t more);
void sk_buffer_append(sk_buffer_t *buffer, const void *data, size_t size);
void sk_buffer_append_text(sk_buffer_t *buffer, const char *text);
void sk_buffer_append_char(sk_buffer_t *buffer, char c);
void sk_buffer_appendf(sk_buffer_t *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sk_buffer_vappendf(sk_buffer_t *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
/* Drop bytes from the front. */
void sk_buffer_consume(sk_buffer_t *buffer, size_t size);
/* Hand the content over (never NULL unless failed); the buffer is empty then. Free with sk_free. */
char *sk_buffer_take(sk_buffer_t *buffer, size_t *size_out);
/* The text so far, "" for an empty buffer. */
const char *sk_buffer_text(const sk_buffer_t *buffer);

#endif /* SK_BUFFER_H */
