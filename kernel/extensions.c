/*
 * extensions.c - what kp_extension() answers: tables of the kernel's own, or of
 * the service module that is known to answer an id, loaded when first asked for.
 */
#include "extensions.h"

#include <stddef.h>
#include <string.h>

#include "kernel_state.h"

typedef struct extension_service {
    const char *id;
    const char *module;
} extension_service_t;

static const extension_service_t extension_services[] = {
    {KP_EXT_HTTP, "http"},
    {KP_EXT_CREDENTIAL, "identity"},
    {KP_EXT_SESSIONS, "sessions"},
};

void kernel__extensions_init(kernel_t *kernel)
{
    kernel__extension_tables_t *tables = &kernel->tables;

    kernel__extension_loop_fill(&tables->loop.table);
    kernel__extension_invoke_fill(&tables->invoke.table);
    kernel__extension_context_fill(&tables->context.table);
    kernel__extension_poll_fill(&tables->poll.table);
    kernel__extension_process_fill(&tables->process.table);
    kernel__extension_provider_fill(&tables->provider.table);
    tables->loop.kernel = kernel;
    tables->invoke.kernel = kernel;
    tables->context.kernel = kernel;
    tables->poll.kernel = kernel;
    tables->process.kernel = kernel;
    tables->provider.kernel = kernel;
}

static const void *extension_own(const kernel_t *kernel, const char *id)
{
    const kernel__extension_tables_t *tables = &kernel->tables;
    const struct {
        const char *id;
        const void *table;
    } own[] = {
        {KP_EXT_LOOP, &tables->loop.table},       {KP_EXT_INVOKE, &tables->invoke.table},
        {KP_EXT_CONTEXT, &tables->context.table}, {KP_EXT_POLL, &tables->poll.table},
        {KP_EXT_PROCESS, &tables->process.table}, {KP_EXT_PROVIDER, &tables->provider.table},
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(own[i].id, id) == 0) {
            return own[i].table;
        }
    }
    return NULL;
}

static const void *service_answer(kernel_plugin_t *service, const char *id)
{
    const kp_plugin *descriptor = &service->descriptor;

    return descriptor->extension != NULL ? descriptor->extension(&service->pub, id) : NULL;
}

/* One that is closing still serves those who are closing, too, until it is destroyed. */
static bool service_is_there(const kernel_plugin_t *service)
{
    unsigned state = atomic_load(&service->state);

    return (state == KERNEL__INSTANCE_OPEN || state == KERNEL__INSTANCE_CLOSING) &&
           !atomic_load(&service->is_silenced);
}

/* Any service that was added and knows the id, third parties' included. */
static const void *extension_of_added(kernel_t *kernel, const kernel_plugin_t *asking,
                                      const char *id)
{
    kernel__registry_t *registry = &kernel->registry;
    const void *table = NULL;
    size_t count;

    (void)pthread_rwlock_rdlock(&registry->lock);
    count = registry->count;
    (void)pthread_rwlock_unlock(&registry->lock);
    for (size_t i = 0; i < count && table == NULL; i++) {
        kernel_plugin_t *service;

        (void)pthread_rwlock_rdlock(&registry->lock);
        service = registry->instances[i];
        (void)pthread_rwlock_unlock(&registry->lock);
        if (service->is_service && service != asking && service_is_there(service)) {
            table = service_answer(service, id);
        }
    }
    return table;
}

const void *kernel__extension_find(kernel_plugin_t *plugin, const char *id)
{
    kernel_t *kernel = plugin->kernel;
    kernel_error_t error = KERNEL_ERROR_INIT;
    const void *table = extension_own(kernel, id);

    if (table == NULL) {
        table = extension_of_added(kernel, plugin, id);
    }
    for (size_t i = 0;
         table == NULL && i < sizeof(extension_services) / sizeof(extension_services[0]); i++) {
        const extension_service_t *known = &extension_services[i];
        kernel_plugin_t *service;

        if (strcmp(known->id, id) != 0) {
            continue;
        }
        (void)pthread_mutex_lock(&kernel->registry.adding);
        service = kernel__registry_service(kernel, known->module);
        if (service == NULL && kernel__check_open(kernel, &error) == KERNEL_OK) {
            service = kernel__registry_add(kernel, KERNEL__LOADER_SERVICE, known->module, NULL,
                                           NULL, &error);
        }
        (void)pthread_mutex_unlock(&kernel->registry.adding);
        if (service == NULL) {
            kernel__log_write(&kernel->log, KERNEL_LOG_WARN,
                              "'%s' asked for %s, which is not to be had: %s", plugin->name, id,
                              error.text);
            return NULL;
        }
        table = service_answer(service, id);
    }
    return table;
}
