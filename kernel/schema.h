/*
 * schema.h - JSON Schema out of descriptors.
 *
 * A parameter's schema: type, description, enum, default, contentEncoding for
 * bytes, then the members of the author's own schema text. A key that stands
 * there replaces the one made here.
 */
#ifndef KERNEL_SCHEMA_PRIVATE_H
#define KERNEL_SCHEMA_PRIVATE_H

#include <kernel/plugin.h>

#include "json.h"
#include "signature.h"

/* `extra` is an object that was scanned strictly; NULL: none. */
void kernel__schema_write_parameter(sk_buffer_t *out, const kernel__parameter_t *parameter,
                                    const sk_json_span_t *extra);
/* {"type":"object",...} out of the parameters' own schemas, hidden ones left out. */
void kernel__schema_write_signature(sk_buffer_t *out, const kernel__signature_t *signature);
/* "{}" if nothing is declared. */
void kernel__schema_write_result(sk_buffer_t *out, uint32_t type, const char *description,
                                 const sk_json_span_t *extra);

#endif /* KERNEL_SCHEMA_PRIVATE_H */
