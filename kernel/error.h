/*
 * error.h - filling kernel_error_t: the first failure stays.
 */
#ifndef KERNEL_ERROR_PRIVATE_H
#define KERNEL_ERROR_PRIVATE_H

#include <stdarg.h>

#include <kernel/status.h>

/* Set, unless a failure is there already. NULL is fine. Cuts long texts at a character's edge.
 * Returns `status`, so that `return kernel__error_set(...)` reads well. */
kernel_status_t kernel__error_set(kernel_error_t *error, kernel_status_t status, const char *format,
                                  ...) __attribute__((format(printf, 3, 4)));
kernel_status_t kernel__error_vset(kernel_error_t *error, kernel_status_t status,
                                   const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif /* KERNEL_ERROR_PRIVATE_H */
