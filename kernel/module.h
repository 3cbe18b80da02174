/*
 * module.h - what a module's entry answered: is it sound, and which types are in it?
 *
 * Only what is needed to choose a type is looked at here; functions and
 * parameters are the registry's business.
 */
#ifndef KERNEL_MODULE_PRIVATE_H
#define KERNEL_MODULE_PRIVATE_H

#include <stddef.h>

#include <kernel/plugin.h>
#include <kernel/status.h>

/*
 * KERNEL_E_ABI      NULL, a struct shorter than that of version 1.0, or it needs a later kernel
 * KERNEL_E_INVALID  no types, a bad name, or two of one name
 *
 * On failure `why`, which begins with `path`, says: found, expected, what to do.
 */
kernel_status_t kernel__module_check(const kp_module *module, const char *path, char *why,
                                     size_t why_size);

/* The type of this name, or (NULL) the only one there is; NULL if there is none. */
const kp_plugin *kernel__module_find(const kp_module *module, const char *type);
/* The names of all types: "a, b, c". */
void kernel__module_list(const kp_module *module, char *text, size_t size);

#endif /* KERNEL_MODULE_PRIVATE_H */
