/*
 * error.c - the first failure of a series, in words.
 *
 * Reporting allocates nothing. What was quoted may be any bytes, the text is
 * always UTF-8.
 */
#include "error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* Bytes that belong to no character become '?'. */
static void error_repair(char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        bool valid = true;
        size_t step = sk_utf8_step(text + done, size - done, &valid);

        if (!valid) {
            memset(text + done, '?', step);
        }
        done += step;
    }
}

kernel_status_t kernel__error_set(kernel_error_t *error, kernel_status_t status, const char *format,
                                  ...)
{
    va_list arguments;

    va_start(arguments, format);
    kernel__error_vset(error, status, format, arguments);
    va_end(arguments);
    return status;
}

kernel_status_t kernel__error_vset(kernel_error_t *error, kernel_status_t status,
                                   const char *format, va_list arguments)
{
    size_t size = 0;
    int wanted = 0;

    assert(status < 0);
    if (error == NULL || error->status != KERNEL_OK) {
        return status;
    }
    error->status = status;
    wanted = vsnprintf(error->text, sizeof(error->text), format, arguments);
    if (wanted < 0) {
        error->text[0] = '\0';
        return status;
    }
    size = strlen(error->text);
    if ((size_t)wanted > size) {
        size = sk_utf8_cut(error->text, size, size - 3);
        memcpy(error->text + size, "...", sizeof("..."));
    }
    error_repair(error->text, size);
    return status;
}

const char *kernel__error_quote(char room[KERNEL__QUOTE_ROOM], const char *text, size_t size)
{
    size_t limit = KERNEL__QUOTE_ROOM - sizeof("...");
    size_t kept = size;

    if (size > limit) {
        kept = sk_utf8_cut(text, size, limit);
    }
    if (kept > 0) {
        memcpy(room, text, kept);
    }
    for (size_t i = 0; i < kept; i++) {
        if ((unsigned char)room[i] < 0x20 || room[i] == 0x7F) {
            room[i] = ' ';
        }
    }
    error_repair(room, kept);
    memcpy(room + kept, kept < size ? "..." : "", kept < size ? sizeof("...") : 1);
    return room;
}
