/*
 * bind.h - arguments by name become one checked value per parameter.
 *
 * Coercion is lossless only, and the same wherever arguments come from:
 * "5" and 5.0 become the integer 5, 5 the number 5.0, "true" a boolean, 5 the
 * string "5"; "5.5", 2^63 and NaN are refused. Null, and a name that is absent,
 * take the default, else leave KP_NULL if the parameter is optional.
 */
#ifndef KERNEL_BIND_PRIVATE_H
#define KERNEL_BIND_PRIVATE_H

#include <kernel/args.h>
#include <kernel/plugin.h>

#include "arena.h"
#include "signature.h"

typedef struct kernel__limits {
    size_t argument_size; /* bytes of one */
    size_t json_size;
    unsigned json_depth;
} kernel__limits_t;

typedef struct kernel__binding {
    const kernel__signature_t *signature;
    const char *subject; /* "math-add", begins the error's text */
    const kernel__limits_t *limits;
    const kernel_args_t *context; /* fills KP_HIDDEN parameters by name; may be NULL */
    kernel__arena_t *arena;       /* converted and copied values live here */
    bool copy;                    /* copy texts into the arena instead of borrowing them */
    kp_value *argv;               /* out: signature->count values */
    kernel_error_t *error;        /* out; an unknown name lists the legal ones and the closest */
} kernel__binding_t;

/* `args` may be NULL: none. A failed setter of args is reported here. */
kernel_status_t kernel__bind_args(const kernel__binding_t *binding, const kernel_args_t *args);
kernel_status_t kernel__bind_named(const kernel__binding_t *binding, const kp_named *args,
                                   size_t count);
/* An object as JSON text, read strictly; NULL or blank: none. Values always live in the arena. */
kernel_status_t kernel__bind_json(const kernel__binding_t *binding, const char *json, size_t size);

#endif /* KERNEL_BIND_PRIVATE_H */
