/*
 * signature.h - what a function takes, or a plugin type's configuration: the
 * kp_param records of a module, checked once and made ready for binding.
 *
 * The same for both, except that only configuration may name environment
 * variables, and that KP_HIDDEN makes no sense there.
 */
#ifndef KERNEL_SIGNATURE_PRIVATE_H
#define KERNEL_SIGNATURE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/plugin.h>
#include <kernel/status.h>

typedef struct kernel__bounds { /* the part of a parameter's schema that is enforced */
    bool has_minimum, has_maximum, exclusive_minimum, exclusive_maximum;
    bool integer_bounds; /* minimum and maximum below hold int64 exactly */
    double minimum, maximum;
    int64_t integer_minimum, integer_maximum;
    size_t min_length, max_length; /* characters of strings, bytes of bytes, elements of arrays;
                                      SIZE_MAX: none */
} kernel__bounds_t;

typedef struct kernel__parameter {
    const char *name; /* owned, all texts here are */
    uint32_t name_size;
    uint32_t hash;
    uint32_t type;  /* KP_ */
    uint32_t flags; /* KP_OPTIONAL, KP_HIDDEN, KP_SECRET */
    bool is_required;
    bool has_bounds;
    kernel__bounds_t bounds;
    kp_value dflt; /* KP_NULL: none; ready to be handed out */
    const char *description;
    const char *dflt_text;   /* JSON; NULL: none */
    const char *env;         /* NULL: none */
    const char *schema;      /* of this parameter alone */
    const char **choices;    /* NULL-terminated; NULL: any */
    kp_value *choice_values; /* of the parameter's type */
    size_t choice_count;
} kernel__parameter_t;

typedef struct kernel__signature {
    kernel__parameter_t *parameters; /* owned */
    size_t count;
    const char *schema; /* owned; {"type":"object","properties":...,"required":...,
                           "additionalProperties":false} without hidden parameters */
    char *memory;       /* whatever the implementation needs to free all of it */
} kernel__signature_t;

typedef enum kernel__signature_kind {
    KERNEL__SIGNATURE_FUNCTION,
    KERNEL__SIGNATURE_CONFIG
} kernel__signature_kind_t;

/*
 * Check descriptors and copy them. `subject` ("function 'add' of plugin 'math'") begins the
 * error's text. Refused: more than 64 parameters, bad or equal names, unknown types or a stride
 * smaller than version 1.0's 64, .env on a function's parameter, a default that is not JSON or not
 * of the type or not among the choices, choices that do not fit the type, schema text that is not a
 * JSON object, impossible bounds. On failure nothing is left to free.
 */
kernel_status_t kernel__signature_make(kernel__signature_t *signature,
                                       kernel__signature_kind_t kind, const kp_param *params,
                                       size_t count, size_t stride, const char *subject,
                                       kernel_error_t *error);
void kernel__signature_free(kernel__signature_t *signature);

/* JSON Schema of a declared result; sk_free. "{}" if nothing is declared. NULL + error if the schema
 * text is not a JSON object. */
char *kernel__signature_returns_schema(uint32_t type, const char *description, const char *schema,
                                       const char *subject, kernel_error_t *error);

#endif /* KERNEL_SIGNATURE_PRIVATE_H */
