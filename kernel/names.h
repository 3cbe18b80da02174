/*
 * names.h - which names are legal, hashing them.
 */
#ifndef KERNEL_NAMES_PRIVATE_H
#define KERNEL_NAMES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/status.h>

#define KERNEL__FULL_NAME_MAX 64u /* bytes of "plugin-function" */
#define KERNEL__SHORT_NAME_ROOM                                                                    \
    16u /* a shorter name is kept zero-padded, to be compared as words */

/* Letters, digits, single underscores, 1 to 64 bytes; the error says what is wrong with `what`
 * ("plugin name", "parameter name", ...). */
kernel_status_t kernel__name_check(const char *what, const char *name, kernel_error_t *error);
uint32_t kernel__name_hash(const char *name, size_t size);

#endif /* KERNEL_NAMES_PRIVATE_H */
