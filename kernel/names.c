/*
 * names.c - which names are legal, hashing them.
 */
#include "names.h"

#include <string.h>

#include "error.h"

static bool name_has(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

kernel_status_t kernel__name_check(const char *what, const char *name, kernel_error_t *error)
{
    char quoted[KERNEL__QUOTE_ROOM];
    size_t size = name != NULL ? strlen(name) : 0;

    if (size == 0) {
        return kernel__error_set(error, KERNEL_E_INVALID, "the %s is %s", what,
                                 name == NULL ? "missing" : "empty");
    }
    kernel__error_quote(quoted, name, size);
    if (size > KERNEL__FULL_NAME_MAX) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "the %s '%s' has %zu bytes, at most %u are allowed", what, quoted,
                                 size, KERNEL__FULL_NAME_MAX);
    }
    for (size_t i = 0; i < size; i++) {
        if (!name_has(name[i])) {
            return kernel__error_set(error, KERNEL_E_INVALID,
                                     "the %s '%s' is not valid at byte %zu: use letters, digits "
                                     "and single underscores",
                                     what, quoted, i);
        }
        if (name[i] == '_' && name[i + 1] == '_') {
            return kernel__error_set(error, KERNEL_E_INVALID,
                                     "the %s '%s' has two underscores in a row at byte %zu: use "
                                     "single ones",
                                     what, quoted, i);
        }
    }
    return KERNEL_OK;
}

/* FNV-1a. */
uint32_t kernel__name_hash(const char *name, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash;
}
