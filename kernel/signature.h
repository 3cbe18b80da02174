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

#include "arena.h"
#include "names.h"

#define KERNEL__PARAMETERS_MAX 64u

/*
 * The part of a parameter's schema that is enforced: minimum, maximum, exclusiveMinimum and
 * exclusiveMaximum (as numbers) of integers and numbers, minLength and maxLength of strings (in
 * characters) and bytes (in bytes), minItems and maxItems of arrays. All other keywords are only
 * advertised.
 */
typedef struct kernel__bounds {
    int64_t integer_minimum; /* inclusive; INT64_MIN: none */
    int64_t integer_maximum;
    double minimum; /* -HUGE_VAL: none */
    double maximum;
    bool minimum_is_exclusive;
    bool maximum_is_exclusive;
    size_t min_length; /* characters, bytes or elements */
    size_t max_length; /* SIZE_MAX: none */
} kernel__bounds_t;

typedef struct kernel__parameter {
    const char *name; /* owned by the signature, all texts here are */
    uint32_t name_size;
    uint32_t hash;
    char short_name[KERNEL__SHORT_NAME_ROOM];
    uint32_t type;  /* KP_ */
    uint32_t flags; /* KP_OPTIONAL, KP_HIDDEN, KP_SECRET */
    bool is_required;
    bool is_simple; /* a value of its type and not a text needs no further check */
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
    bool has_secrets;      /* memory that values were bound into is to be wiped */
    const char *schema;    /* owned; {"type":"object","properties":...,"required":...,
                           "additionalProperties":false} without hidden parameters */
    kernel__arena_t arena; /* all of it */
} kernel__signature_t;

typedef enum kernel__signature_kind {
    KERNEL__SIGNATURE_FUNCTION,
    KERNEL__SIGNATURE_CONFIG
} kernel__signature_kind_t;

/*
 * Check descriptors and copy them. `subject` ("function 'add' of plugin 'math'") begins the
 * error's text. Refused: more than 64 parameters, bad or equal names, unknown types, a stride
 * smaller than version 1.0's 64, .env on a function's parameter, KP_HIDDEN in a configuration, a
 * default that is not JSON or not of the type or not among the choices, choices that do not fit
 * the type, schema text that is not a JSON object, impossible bounds, texts that are not UTF-8. A
 * default of null makes the parameter optional. On failure nothing is left to free.
 */
kernel_status_t kernel__signature_make(kernel__signature_t *signature,
                                       kernel__signature_kind_t kind, const kp_param *params,
                                       size_t count, size_t stride, const char *subject,
                                       kernel_error_t *error);
void kernel__signature_free(kernel__signature_t *signature);

/* JSON Schema of a declared result; sk_free. "{}" if nothing is declared. NULL + error if the
 * schema text is not a JSON object. */
char *kernel__signature_returns_schema(uint32_t type, const char *description, const char *schema,
                                       const char *subject, kernel_error_t *error);

#endif /* KERNEL_SIGNATURE_PRIVATE_H */
