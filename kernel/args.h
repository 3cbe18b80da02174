/*
 * args.h - the inside of kernel_args_t, for binding.
 */
#ifndef KERNEL_ARGS_PRIVATE_H
#define KERNEL_ARGS_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include <kernel/args.h>
#include <kernel/plugin.h>

typedef struct kernel__arg {
    const char *name; /* owned, with the value's text behind it or in a block of its own */
    uint32_t name_size;
    uint32_t hash;  /* kernel__name_hash */
    kp_value value; /* its text is owned, NUL-terminated; objects and arrays are compact JSON */
} kernel__arg_t;

#define KERNEL__ARGS_INLINE 4

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
