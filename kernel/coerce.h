/*
 * coerce.h - one value of one parameter: converted without loss, checked, or
 * refused with a text from which it can be repaired.
 *
 *                   to boolean   integer      number       string     bytes    object, array
 *   boolean         itself       -            -            "true"     -        -
 *   integer 5       -            itself       if exact     "5"        -        -
 *   number 5.0      -            if integral  itself       "5.0"      -        -
 *   string          "true"       "5", "5.0"   "5", "0.5"   itself     base64   its JSON text
 *   object, array   -            -            -            -          -        itself
 *   bytes           -            -            -            -          itself   -
 *
 * Numbers are refused where digits would be lost: a number from 2^53 on for an
 * integer, an integer that no double holds for a number, a fraction that vanishes.
 */
#ifndef KERNEL_COERCE_PRIVATE_H
#define KERNEL_COERCE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <kernel/plugin.h>
#include <kernel/status.h>

#include "arena.h"
#include "bind.h"
#include "json.h"
#include "signature.h"

typedef struct kernel__coercion {
    const char *subject; /* "math-add", begins the error's text */
    const char *what;    /* "argument", "configuration key", ... */
    const char *source;  /* "MATH_LIMIT in the environment"; NULL: not worth mentioning */
    const kernel__limits_t *limits; /* NULL: the defaults */
    kernel__arena_t *arena;         /* what has to be made lives here */
    kernel_error_t *error;
    bool copy;      /* copy texts into the arena also where they could be borrowed */
    bool is_valid;  /* texts are known to be UTF-8, JSON and terminated */
    bool is_secret; /* quote no value, whatever the parameter says */
} kernel__coercion_t;

/* Convert a value that is not null, check it and write it to `out`. After a failure `out` may hold
 * what was refused, in the arena. */
kernel_status_t kernel__coerce_value(const kernel__coercion_t *coercion,
                                     const kernel__parameter_t *parameter, const kp_value *value,
                                     kp_value *out);
/* The same of a span that was scanned strictly. Its texts are always copied. */
kernel_status_t kernel__coerce_span(const kernel__coercion_t *coercion,
                                    const kernel__parameter_t *parameter,
                                    const sk_json_span_t *span, kp_value *out);
/* The same of text from the environment: a string as it stands, bytes as base64, a boolean as true,
 * false, 1 or 0 in any case, all others as JSON. */
kernel_status_t kernel__coerce_text(const kernel__coercion_t *coercion,
                                    const kernel__parameter_t *parameter, const char *text,
                                    size_t size, kp_value *out);
/* Only the checks: choices, bounds, size. */
kernel_status_t kernel__coerce_check(const kernel__coercion_t *coercion,
                                     const kernel__parameter_t *parameter, const kp_value *value);

/* Nothing takes a value of that name: say so, with the closest name and all legal ones. */
kernel_status_t kernel__coerce_refuse_name(const kernel__coercion_t *coercion,
                                           const kernel__signature_t *signature, const char *name,
                                           size_t size);
/* Required ones are absent: name them all. `is_missing` has one flag a parameter. */
kernel_status_t kernel__coerce_refuse_missing(const kernel__coercion_t *coercion,
                                              const kernel__signature_t *signature,
                                              const bool *is_missing);

/* ---- values without a parameter ---- */

/* A number as an integer or a double: an integer keeps all its digits, a fraction is rounded; false
 * if neither can be, or if the fraction vanishes. */
bool kernel__value_read_number(const sk_json_span_t *number, kp_value *out);
/* As JSON, bytes as base64. */
void kernel__value_write_json(sk_buffer_t *out, const kp_value *value);

#endif /* KERNEL_COERCE_PRIVATE_H */
