/*
 * error.h - filling kernel_error_t: the first failure stays.
 */
#ifndef KERNEL_ERROR_PRIVATE_H
#define KERNEL_ERROR_PRIVATE_H

#include <stdarg.h>
#include <stddef.h>

#include <kernel/status.h>

/* Set, unless a failure is there already. NULL is fine. Cuts long texts at a character's edge.
 * Returns `status`, so that `return kernel__error_set(...)` reads well. */
kernel_status_t kernel__error_set(kernel_error_t *error, kernel_status_t status, const char *format,
                                  ...) __attribute__((format(printf, 3, 4)));
kernel_status_t kernel__error_vset(kernel_error_t *error, kernel_status_t status,
                                   const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#define KERNEL__QUOTE_ROOM 64

/* What somebody else wrote, fit to stand in an error's text: one line of UTF-8, shortened to the
 * room, with "..." where it was cut. Returns `room`. */
const char *kernel__error_quote(char room[KERNEL__QUOTE_ROOM], const char *text, size_t size);

#endif /* KERNEL_ERROR_PRIVATE_H */
