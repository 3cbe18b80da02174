/*
 * buffer.c - a growing run of bytes whose failure is sticky.
 *
 * Every append writes all of its bytes or none, and leaves a NUL behind the
 * last one.
 */
#include "buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

#define SMALLEST_CAPACITY 64

void sk_buffer_fini(sk_buffer_t *buffer)
{
    sk_free(buffer->data);
    *buffer = (sk_buffer_t)SK_BUFFER_INIT;
}

void sk_buffer_clear(sk_buffer_t *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

static bool buffer_grow(sk_buffer_t *buffer, size_t more)
{
    size_t capacity = buffer->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : buffer->capacity;
    char *data = NULL;

    if (more >= SIZE_MAX - buffer->size) {
        buffer->failed = true;
        return false;
    }
    while (capacity < buffer->size + more + 1) {
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    }
    data = sk_realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    data[buffer->size] = '\0';
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool sk_buffer_reserve(sk_buffer_t *buffer, size_t more)
{
    if (buffer->failed) {
        return false;
    }
    if (more < buffer->capacity - buffer->size) {
        return true;
    }
    return buffer_grow(buffer, more);
}

void sk_buffer_append(sk_buffer_t *buffer, const void *data, size_t size)
{
    if (!sk_buffer_reserve(buffer, size)) {
        return;
    }
    if (size > 0) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
    buffer->data[buffer->size] = '\0';
}

void sk_buffer_append_text(sk_buffer_t *buffer, const char *text)
{
    sk_buffer_append(buffer, text, strlen(text));
}

void sk_buffer_append_char(sk_buffer_t *buffer, char c)
{
    if (!sk_buffer_reserve(buffer, 1)) {
        return;
    }
    buffer->data[buffer->size++] = c;
    buffer->data[buffer->size] = '\0';
}

void sk_buffer_appendf(sk_buffer_t *buffer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    sk_buffer_vappendf(buffer, format, arguments);
    va_end(arguments);
}

void sk_buffer_vappendf(sk_buffer_t *buffer, const char *format, va_list arguments)
{
    va_list again;
    size_t room = 0;
    int size = 0;

    if (!sk_buffer_reserve(buffer, SMALLEST_CAPACITY - 1)) {
        return;
    }
    room = buffer->capacity - buffer->size;
    va_copy(again, arguments);
    size = vsnprintf(buffer->data + buffer->size, room, format, arguments);
    if (size < 0) {
        buffer->failed = true;
    } else if ((size_t)size < room) {
        buffer->size += (size_t)size;
    } else if (buffer_grow(buffer, (size_t)size)) {
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    buffer->data[buffer->size] = '\0';
}

void sk_buffer_consume(sk_buffer_t *buffer, size_t size)
{
    if (size >= buffer->size) {
        size = buffer->size;
    }
    if (size == 0) {
        return;
    }
    buffer->size -= size;
    memmove(buffer->data, buffer->data + size, buffer->size + 1);
}

char *sk_buffer_take(sk_buffer_t *buffer, size_t *size_out)
{
    char *data = NULL;
    size_t size = 0;

    if (sk_buffer_reserve(buffer, 0)) {
        data = buffer->data;
        size = buffer->size;
        buffer->data = NULL;
    }
    if (size_out != NULL) {
        *size_out = size;
    }
    sk_buffer_fini(buffer);
    return data;
}

const char *sk_buffer_text(const sk_buffer_t *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}
