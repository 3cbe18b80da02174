/*
 * function.h - from a descriptor to a handle that calls can use.
 */
#ifndef KERNEL_FUNCTION_PRIVATE_H
#define KERNEL_FUNCTION_PRIVATE_H

#include "registry.h"

/*
 * Check and copy a function's descriptor. The texts stay the module's, which is
 * never unmapped, unless `copy_texts`. NULL + error: refused, or no memory.
 */
kernel_function_t *kernel__function_new(kernel_plugin_t *plugin, const kp_function *given,
                                        void *self, bool copy_texts, kernel_error_t *error);
void kernel__function_free(kernel_function_t *function);

#endif /* KERNEL_FUNCTION_PRIVATE_H */
