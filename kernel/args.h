/*
 * args.h - the inside of kernel_args_t, for binding.
 */
#ifndef KERNEL_ARGS_PRIVATE_H
#define KERNEL_ARGS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/args.h>
#include <kernel/plugin.h>

#include "names.h"

#define KERNEL__ARG_NAME_MAX 255u /* bytes; no parameter's name is longer than 64 */
#define KERNEL__ARGS_MAX     4096u

typedef struct kernel__arg {
    const char *name; /* `short_name`, or the beginning of the block */
    uint32_t name_size;
    uint32_t hash;  /* kernel__name_hash */
    kp_value value; /* its text is valid, NUL-terminated, in the block; objects and arrays are
                       compact JSON, a number is finite */
    char *block;    /* owned: a long name, then a text; NULL: neither */
    char short_name[KERNEL__SHORT_NAME_ROOM];
} kernel__arg_t;

#define KERNEL__ARGS_INLINE 4u

struct kernel_args {
    kernel__arg_t *items; /* in the order of setting; `few` until they are more */
    size_t count;
    size_t capacity;
    kernel_status_t status; /* of the first setter that failed */
    char *error;            /* owned; its text, NULL when memory was out */
    kernel__arg_t few[KERNEL__ARGS_INLINE];
};

/* NULL if absent. */
const kernel__arg_t *kernel__args_find(const kernel_args_t *args, const char *name);
/* Set from a checked value (a filter's view of bound arguments); false when memory is out. */
bool kernel__args_set_value(kernel_args_t *args, const char *name, const kp_value *value);

#endif /* KERNEL_ARGS_PRIVATE_H */
