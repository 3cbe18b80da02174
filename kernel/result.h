/*
 * result.h - the inside of kernel_result_t: one block, counted, never changed.
 */
#ifndef KERNEL_RESULT_PRIVATE_H
#define KERNEL_RESULT_PRIVATE_H

#include <stdarg.h>

#include <kernel/plugin.h>
#include <kernel/result.h>

/* Deep copy of a view into one allocation; never NULL: a constant out-of-memory result instead. */
kernel_result_t *kernel__result_copy(const kp_result *view);
/* A failure; never NULL. */
kernel_result_t *kernel__result_error(kernel_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A failure with what kernel_error_t says. */
kernel_result_t *kernel__result_from_error(const kernel_error_t *error);
/* A value without text: the fast way for NULL, BOOLEAN, INTEGER, NUMBER and short texts. */
kernel_result_t *kernel__result_value(const kp_value *value);
/* What a plugin's callback sees; borrowed from the result. */
void kernel__result_view(const kernel_result_t *result, kp_result *view_out);

#endif /* KERNEL_RESULT_PRIVATE_H */
