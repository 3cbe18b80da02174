/*
 * static_types.h - plugins that are linked into the host (kernel_register_static()).
 *
 * They belong to the process, as mapped images do, and stay for ever.
 */
#ifndef KERNEL_STATIC_TYPES_PRIVATE_H
#define KERNEL_STATIC_TYPES_PRIVATE_H

#include <kernel/plugin.h>

/* The module that is registered under a name; NULL if there is none. */
const kp_module *kernel__static_find(const char *name);
/* Call `each` with every name. */
void kernel__static_each(void (*each)(const char *name, void *data), void *data);

#endif /* KERNEL_STATIC_TYPES_PRIVATE_H */
