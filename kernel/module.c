/*
 * module.c - checks and searches a module's list of types.
 */
#include "module.h"

#include <stdio.h>
#include <string.h>

#include "names.h"

/* The structs of version 1.0 end with these members; later ones are longer. */
#define MODULE_SIZE_1_0 (offsetof(kp_module, plugins) + sizeof(void *))
#define PLUGIN_SIZE_1_0 (offsetof(kp_plugin, extension) + sizeof(void *))

static kernel_status_t module_check_type(const kp_module *module, size_t index, const char *path,
                                         char *why, size_t why_size)
{
    const kp_plugin *plugin = module->plugins[index];
    kernel_error_t error = KERNEL_ERROR_INIT;

    if (plugin->size < PLUGIN_SIZE_1_0) {
        snprintf(why, why_size,
                 "%s: the descriptor of type %zu says that it has %u bytes, expected at least %zu: "
                 "set .size to sizeof(kp_plugin)",
                 path, index + 1, plugin->size, PLUGIN_SIZE_1_0);
        return KERNEL_E_ABI;
    }
    if (kernel__name_check("type name", plugin->name, &error) != KERNEL_OK) {
        snprintf(why, why_size, "%s: the descriptor of type %zu is broken: %s", path, index + 1,
                 error.text);
        return KERNEL_E_INVALID;
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(module->plugins[i]->name, plugin->name) == 0) {
            snprintf(why, why_size,
                     "%s has two types of the name '%s', expected different names: rename one",
                     path, plugin->name);
            return KERNEL_E_INVALID;
        }
    }
    return KERNEL_OK;
}

kernel_status_t kernel__module_check(const kp_module *module, const char *path, char *why,
                                     size_t why_size)
{
    kernel_status_t status = KERNEL_OK;

    if (module == NULL) {
        snprintf(why, why_size,
                 "%s: its entry answered NULL, expected a kp_module: the plugin does not work with "
                 "this kernel, see its documentation",
                 path);
        return KERNEL_E_ABI;
    }
    if (module->size < MODULE_SIZE_1_0) {
        snprintf(why, why_size,
                 "%s: its kp_module says that it has %u bytes, expected at least %zu: set .size to "
                 "sizeof(kp_module)",
                 path, module->size, MODULE_SIZE_1_0);
        return KERNEL_E_ABI;
    }
    if (module->needs_minor > KP_MINOR) {
        snprintf(why, why_size,
                 "%s needs version %u.%u of the plugin interface, this kernel has %u.%u: update "
                 "the kernel, or get an older build of the plugin",
                 path, KP_EPOCH, module->needs_minor, KP_EPOCH, KP_MINOR);
        return KERNEL_E_ABI;
    }
    if (module->plugins == NULL || module->plugins[0] == NULL) {
        snprintf(why, why_size, "%s offers no type, expected at least one: list it in KP_MODULE",
                 path);
        return KERNEL_E_INVALID;
    }
    for (size_t i = 0; status == KERNEL_OK && module->plugins[i] != NULL; i++) {
        status = module_check_type(module, i, path, why, why_size);
    }
    return status;
}

const kp_plugin *kernel__module_find(const kp_module *module, const char *type)
{
    if (type == NULL) {
        return module->plugins[1] == NULL ? module->plugins[0] : NULL;
    }
    for (size_t i = 0; module->plugins[i] != NULL; i++) {
        if (strcmp(module->plugins[i]->name, type) == 0) {
            return module->plugins[i];
        }
    }
    return NULL;
}

void kernel__module_list(const kp_module *module, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; module->plugins[i] != NULL && length < size; i++) {
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "",
                                   module->plugins[i]->name);
    }
}
