/*
 * inspect.c - looking at the plugins of a kernel.
 */
#include "kernel_state.h"

static kernel_plugin_t *registry_plugin_at(const kernel_t *kernel, size_t index, size_t *count_out)
{
    kernel__registry_t *registry = kernel__registry_of(kernel);
    kernel_plugin_t *found = NULL;
    size_t count = 0;

    (void)pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = 0; i < registry->count; i++) {
        if (!registry->instances[i]->is_service) {
            found = count == index ? registry->instances[i] : found;
            count++;
        }
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    *count_out = count;
    return found;
}

size_t kernel_plugin_count(const kernel_t *kernel)
{
    size_t count = 0;

    if (kernel != NULL && !kernel__is_forked(kernel)) {
        (void)registry_plugin_at(kernel, 0, &count);
    }
    return count;
}

kernel_plugin_t *kernel_plugin_at(const kernel_t *kernel, size_t index)
{
    size_t count = 0;

    return kernel != NULL && !kernel__is_forked(kernel) ? registry_plugin_at(kernel, index, &count)
                                                        : NULL;
}

bool kernel_plugin_is_available(const kernel_plugin_t *plugin)
{
    return plugin != NULL && !kernel__is_forked(plugin->kernel) &&
           atomic_load(&plugin->state) == KERNEL__INSTANCE_OPEN;
}

const char *kernel_plugin_name(const kernel_plugin_t *plugin)
{
    return plugin != NULL ? plugin->name : NULL;
}

const char *kernel_plugin_type(const kernel_plugin_t *plugin)
{
    return plugin != NULL ? plugin->descriptor.name : NULL;
}

const char *kernel_plugin_version(const kernel_plugin_t *plugin)
{
    if (plugin == NULL) {
        return NULL;
    }
    return plugin->descriptor.version != NULL ? plugin->descriptor.version : "";
}

const char *kernel_plugin_description(const kernel_plugin_t *plugin)
{
    if (plugin == NULL) {
        return NULL;
    }
    return plugin->descriptor.description != NULL ? plugin->descriptor.description : "";
}

const char *kernel_plugin_path(const kernel_plugin_t *plugin)
{
    return plugin != NULL ? plugin->path : NULL;
}

size_t kernel_plugin_function_count(const kernel_plugin_t *plugin)
{
    size_t count;

    if (plugin == NULL || kernel__is_forked(plugin->kernel)) {
        return 0;
    }
    (void)pthread_rwlock_rdlock(&plugin->kernel->registry.lock);
    count = plugin->function_count;
    (void)pthread_rwlock_unlock(&plugin->kernel->registry.lock);
    return count;
}

kernel_function_t *kernel_plugin_function_at(const kernel_plugin_t *plugin, size_t index)
{
    kernel_function_t *function = NULL;

    if (plugin == NULL || kernel__is_forked(plugin->kernel)) {
        return NULL;
    }
    (void)pthread_rwlock_rdlock(&plugin->kernel->registry.lock);
    if (index < plugin->function_count) {
        function = plugin->functions[index];
    }
    (void)pthread_rwlock_unlock(&plugin->kernel->registry.lock);
    return function;
}

size_t kernel_rejection_count(const kernel_t *kernel)
{
    return kernel != NULL && !kernel__is_forked(kernel)
               ? kernel__loader_rejection_count(kernel->loader)
               : 0;
}

const kernel_rejection_t *kernel_rejection_at(const kernel_t *kernel, size_t index)
{
    return kernel != NULL && !kernel__is_forked(kernel)
               ? kernel__loader_rejection_at(kernel->loader, index)
               : NULL;
}
