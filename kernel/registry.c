/*
 * registry.c - the instances of a kernel: adding and finding.
 *
 *     kernel__registry_add  find the type, bind the configuration, create, publish
 *
 * An instance that is published is never freed before the kernel.
 */
#include "registry.h"

#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "error.h"
#include "function.h"
#include "kernel_state.h"
#include "names.h"
#include "result.h"
#include "text.h"

#define REGISTRY_PLUGIN_SIZE_1_0 80u /* kp_plugin of the first release */

kernel__registry_t *kernel__registry_of(const kernel_t *kernel)
{
    union {
        const kernel_t *given;
        kernel_t *kept;
    } handle = {kernel};

    return &handle.kept->registry;
}

void kernel__registry_init(kernel__registry_t *registry)
{
    pthread_mutexattr_t recursive;

    (void)pthread_rwlock_init(&registry->lock, NULL);
    (void)pthread_mutexattr_init(&recursive);
    (void)pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&registry->adding, &recursive);
    (void)pthread_mutexattr_destroy(&recursive);
    registry->instances = NULL;
    registry->count = 0;
    registry->capacity = 0;
}

/* ---- the instance itself ---- */

static void instance_free(kernel_plugin_t *plugin)
{
    for (size_t i = 0; i < plugin->function_count; i++) {
        kernel__function_free(plugin->functions[i]);
    }
    kernel__config_free(&plugin->config);
    kernel__signature_free(&plugin->config_signature);
    (void)pthread_mutex_destroy(&plugin->lock);
    sk_free(plugin->functions);
    sk_free(plugin->create_text);
    sk_free(plugin->name);
    sk_free(plugin->path);
    sk_free(plugin);
}

void kernel__registry_fini(kernel__registry_t *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        instance_free(registry->instances[i]);
    }
    sk_free(registry->instances);
    (void)pthread_mutex_destroy(&registry->adding);
    (void)pthread_rwlock_destroy(&registry->lock);
}

static kernel_plugin_t *instance_new(kernel_t *kernel, const char *name, const char *path)
{
    kernel_plugin_t *plugin = sk_calloc(1, sizeof(kernel_service_t));

    if (plugin == NULL) {
        return NULL;
    }
    plugin->kernel = kernel;
    plugin->name = sk_strdup(name);
    plugin->path = sk_strdup(path);
    (void)pthread_mutex_init(&plugin->lock, NULL);
    kernel__turn_init(&plugin->turn);
    atomic_init(&plugin->state, KERNEL__INSTANCE_CREATING);
    atomic_init(&plugin->active, 0);
    atomic_init(&plugin->resources, 0);
    if (plugin->name == NULL || plugin->path == NULL) {
        instance_free(plugin);
        return NULL;
    }
    plugin->name_hash = kernel__name_hash(name, strlen(name));
    plugin->pub.host = &kernel__host;
    plugin->pub.name = plugin->name;
    plugin->pub.plugin = &plugin->descriptor;
    return plugin;
}

static kernel_status_t instance_reserve(kernel_plugin_t *plugin, size_t count)
{
    kernel_function_t **functions;
    size_t capacity = plugin->function_capacity * 2 > count ? plugin->function_capacity * 2 : count;

    if (count <= plugin->function_capacity) {
        return KERNEL_OK;
    }
    functions = sk_realloc(plugin->functions, capacity * sizeof(kernel_function_t *));
    if (functions == NULL) {
        return KERNEL_E_NO_MEMORY;
    }
    plugin->functions = functions;
    plugin->function_capacity = capacity;
    return KERNEL_OK;
}

static kernel_function_t *instance_find(const kernel_plugin_t *plugin, const char *name,
                                        size_t size)
{
    for (size_t i = 0; i < plugin->function_count; i++) {
        const char *candidate = plugin->functions[i]->descriptor.name;

        if (strncmp(candidate, name, size) == 0 && candidate[size] == '\0') {
            return plugin->functions[i];
        }
    }
    return NULL;
}

static kernel_status_t instance_add_functions(kernel_plugin_t *plugin, kernel_error_t *error)
{
    const kp_function *const *given = plugin->descriptor.functions;

    for (size_t i = 0; given != NULL && given[i] != NULL; i++) {
        kernel_function_t *function;

        if (instance_reserve(plugin, i + 1) != KERNEL_OK) {
            return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for plugin '%s'",
                                     plugin->name);
        }
        function = kernel__function_new(plugin, given[i], NULL, false, error);
        if (function == NULL) {
            return KERNEL_E_INVALID;
        }
        if (instance_find(plugin, given[i]->name, strlen(given[i]->name)) != NULL) {
            kernel__function_free(function);
            return kernel__error_set(error, KERNEL_E_INVALID,
                                     "plugin '%s' declares two functions of the name '%s'",
                                     plugin->descriptor.name, given[i]->name);
        }
        plugin->functions[plugin->function_count++] = function;
    }
    return KERNEL_OK;
}

static void instance_config_subject(const kernel_plugin_t *plugin, char *subject, size_t size)
{
    (void)snprintf(subject, size, "configuration of %s '%s'",
                   plugin->is_service ? "service" : "plugin", plugin->name);
}

static kernel_status_t instance_declare_config(kernel_plugin_t *plugin, kernel_error_t *error)
{
    const kp_plugin *descriptor = &plugin->descriptor;
    char subject[128];

    instance_config_subject(plugin, subject, sizeof(subject));
    return kernel__signature_make(&plugin->config_signature, KERNEL__SIGNATURE_CONFIG,
                                  descriptor->config, descriptor->config_count,
                                  descriptor->config_stride, subject, error);
}

static kernel_status_t instance_configure(kernel_plugin_t *plugin, const char *config,
                                          kernel_error_t *error)
{
    char subject[128];
    kernel_status_t status;

    instance_config_subject(plugin, subject, sizeof(subject));
    status = kernel__config_bind(&plugin->config, &plugin->config_signature, config,
                                 &plugin->kernel->sources, subject, error);
    plugin->pub.config = plugin->config.values;
    plugin->pub.config_count = (uint32_t)plugin->config.count;
    return status;
}

static kernel_status_t instance_create(kernel_plugin_t *plugin, kernel_error_t *error)
{
    int status;

    if (plugin->descriptor.create == NULL) {
        return KERNEL_OK;
    }
    status = plugin->descriptor.create(&plugin->pub);
    if (status == KP_OK) {
        for (size_t i = 0; i < plugin->function_count; i++) {
            plugin->functions[i]->self = plugin->pub.self;
        }
        return KERNEL_OK;
    }
    kernel__extension_loop_release_held(plugin, false);
    if (status > 0) {
        status = KP_E_INTERNAL;
    }
    return kernel__error_set(error, (kernel_status_t)status, "cannot create %s '%s': %s",
                             plugin->is_service ? "service" : "plugin", plugin->name,
                             plugin->create_text != NULL
                                 ? plugin->create_text
                                 : kernel_status_text((kernel_status_t)status));
}

/* ---- the list of them ---- */

static bool instance_holds_name(const kernel_plugin_t *plugin)
{
    unsigned state = atomic_load_explicit(&plugin->state, memory_order_acquire);

    return state == KERNEL__INSTANCE_OPEN || state == KERNEL__INSTANCE_CLOSING;
}

/* With the lock held. */
static kernel_plugin_t *registry_find(const kernel__registry_t *registry, bool is_service,
                                      const char *name, size_t size)
{
    uint32_t hash = kernel__name_hash(name, size);

    for (size_t i = registry->count; i-- > 0;) {
        kernel_plugin_t *plugin = registry->instances[i];

        if (plugin->name_hash == hash && plugin->is_service == is_service &&
            strncmp(plugin->name, name, size) == 0 && plugin->name[size] == '\0' &&
            instance_holds_name(plugin)) {
            return plugin;
        }
    }
    return NULL;
}

static kernel_plugin_t *registry_look_up(const kernel_t *kernel, bool is_service, const char *name)
{
    kernel__registry_t *registry = kernel__registry_of(kernel);
    kernel_plugin_t *plugin;

    (void)pthread_rwlock_rdlock(&registry->lock);
    plugin = registry_find(registry, is_service, name, strlen(name));
    (void)pthread_rwlock_unlock(&registry->lock);
    return plugin;
}

/* Is the name held, if only by an instance that is to take another one's place? */
static bool registry_has_name(kernel_t *kernel, bool is_service, const char *name)
{
    kernel__registry_t *registry = &kernel->registry;
    bool is_taken = false;

    (void)pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = 0; i < registry->count && !is_taken; i++) {
        const kernel_plugin_t *plugin = registry->instances[i];

        is_taken =
            plugin->is_service == is_service && strcmp(plugin->name, name) == 0 &&
            atomic_load_explicit(&plugin->state, memory_order_acquire) <= KERNEL__INSTANCE_CLOSING;
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    return is_taken;
}

/* Put it in the list, where nobody finds it until registry_open(). */
static kernel_status_t registry_enlist(kernel_plugin_t *plugin)
{
    kernel__registry_t *registry = &plugin->kernel->registry;
    kernel_status_t status = KERNEL_OK;

    (void)pthread_rwlock_wrlock(&registry->lock);
    if (registry->count == registry->capacity) {
        size_t capacity = registry->capacity != 0 ? registry->capacity * 2 : 8;
        kernel_plugin_t **instances =
            sk_realloc(registry->instances, capacity * sizeof(kernel_plugin_t *));

        if (instances == NULL) {
            status = KERNEL_E_NO_MEMORY;
        } else {
            registry->instances = instances;
            registry->capacity = capacity;
        }
    }
    if (status == KERNEL_OK) {
        registry->instances[registry->count++] = plugin;
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    return status;
}

/* ---- adding ---- */

static kernel_plugin_t *registry_make(kernel_t *kernel, kernel__loader_kind_t kind,
                                      const kernel__loaded_t *loaded, const char *name,
                                      const char *config, bool *is_broken_out,
                                      kernel_error_t *error)
{
    kernel_plugin_t *plugin = instance_new(kernel, name, loaded->path);

    *is_broken_out = false;
    if (plugin == NULL) {
        (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for plugin '%s'", name);
        return NULL;
    }
    plugin->is_service = kind == KERNEL__LOADER_SERVICE;
    memcpy(&plugin->descriptor, loaded->plugin,
           loaded->plugin->size < sizeof(plugin->descriptor) ? loaded->plugin->size
                                                             : sizeof(plugin->descriptor));
    if (instance_add_functions(plugin, error) != KERNEL_OK ||
        instance_declare_config(plugin, error) != KERNEL_OK) {
        *is_broken_out = error->status != KERNEL_E_NO_MEMORY;
        instance_free(plugin);
        return NULL;
    }
    if (instance_configure(plugin, config, error) != KERNEL_OK ||
        instance_create(plugin, error) != KERNEL_OK) {
        instance_free(plugin);
        return NULL;
    }
    return plugin;
}

static kernel_plugin_t *registry_add_found(kernel_t *kernel, kernel__loader_kind_t kind,
                                           const kernel__loaded_t *loaded, const char *name,
                                           const char *config, bool is_replacing,
                                           kernel_error_t *error)
{
    kernel_error_t why = KERNEL_ERROR_INIT;
    const char *chosen = name != NULL ? name : loaded->plugin->name;
    bool is_service = kind == KERNEL__LOADER_SERVICE;
    bool is_broken = false; /* the descriptor, whoever would add it and however */
    kernel_plugin_t *plugin;

    if (kernel__name_check(is_service ? "service name" : "plugin name", chosen, error) !=
        KERNEL_OK) {
        return NULL;
    }
    if (!is_replacing && registry_has_name(kernel, is_service, chosen)) {
        (void)kernel__error_set(error, KERNEL_E_EXISTS,
                                is_service ? "cannot add service '%s': it is there already; add it "
                                             "before the plugin that needs it"
                                           : "cannot add plugin '%s': the name is taken; choose "
                                             "another or use kernel_replace_plugin()",
                                chosen);
        return NULL;
    }
    plugin = registry_make(kernel, kind, loaded, chosen, config, &is_broken, &why);
    if (plugin == NULL) {
        if (is_broken) {
            kernel__loader_reject(kernel->loader, loaded->path, why.status, why.text);
        }
        (void)kernel__error_set(error, why.status, "%s", why.text);
        return NULL;
    }
    return plugin;
}

/* Undo create(). */
static void instance_discard(kernel_plugin_t *plugin)
{
    kernel__extension_loop_release_held(plugin, false);
    if (plugin->descriptor.destroy != NULL && plugin->descriptor.create != NULL) {
        plugin->descriptor.destroy(&plugin->pub);
    }
}

static bool registry_prepare(kernel_plugin_t *plugin, kernel_error_t *error)
{
    if (registry_enlist(plugin) != KERNEL_OK) {
        (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for plugin '%s'",
                                plugin->name);
        instance_discard(plugin);
        instance_free(plugin);
        return false;
    }
    return true;
}

static void registry_open(kernel_plugin_t *plugin)
{
    atomic_store_explicit(&plugin->state, KERNEL__INSTANCE_OPEN, memory_order_seq_cst);
    kernel__extension_loop_release_held(plugin, true);
    kernel__log_write(&plugin->kernel->log, KERNEL_LOG_DEBUG, "%s '%s' added from %s",
                      plugin->is_service ? "service" : "plugin", plugin->name,
                      plugin->path[0] != '\0' ? plugin->path : "the program itself");
}

static bool registry_finish(kernel_plugin_t *plugin, kernel_error_t *error)
{
    if (!registry_prepare(plugin, error)) {
        return false;
    }
    registry_open(plugin);
    return true;
}

kernel_plugin_t *kernel__registry_add(kernel_t *kernel, kernel__loader_kind_t kind,
                                      const char *type, const char *name, const char *config,
                                      kernel_error_t *error)
{
    kernel__loaded_t loaded = {0};
    kernel_plugin_t *plugin = NULL;

    (void)pthread_mutex_lock(&kernel->registry.adding);
    if (kernel__loader_find(kernel->loader, kind, type, &loaded, error) == KERNEL_OK) {
        plugin = registry_add_found(kernel, kind, &loaded, name, config, false, error);
    }
    if (plugin != NULL && !registry_finish(plugin, error)) {
        plugin = NULL;
    }
    (void)pthread_mutex_unlock(&kernel->registry.adding);
    return plugin;
}

static kernel_status_t registry_check_owner(kernel_t *kernel, const char *type,
                                            kernel_error_t *error)
{
    kernel_status_t status = kernel__check_open(kernel, error);

    if (status != KERNEL_OK) {
        return status;
    }
    if (type == NULL || type[0] == '\0') {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot add a plugin or service without a type");
    }
    if (kernel__loop_is_current(&kernel->loop)) {
        return kernel__error_set(error, KERNEL_E_WOULD_DEADLOCK,
                                 "cannot add '%s' on the kernel's loop thread", type);
    }
    return KERNEL_OK;
}

kernel_plugin_t *kernel_add_plugin(kernel_t *kernel, const char *type, const char *name,
                                   const char *config, kernel_error_t *error)
{
    if (registry_check_owner(kernel, type, error) != KERNEL_OK) {
        return NULL;
    }
    return kernel__registry_add(kernel, KERNEL__LOADER_PLUGIN, type, name, config, error);
}

kernel_service_t *kernel_add_service(kernel_t *kernel, const char *type, const char *name,
                                     const char *config, kernel_error_t *error)
{
    if (registry_check_owner(kernel, type, error) != KERNEL_OK) {
        return NULL;
    }
    return (kernel_service_t *)kernel__registry_add(kernel, KERNEL__LOADER_SERVICE, type, name,
                                                    config, error);
}

/* Create the new one and reserve its place; the old one goes on meanwhile. */
static kernel_plugin_t *registry_make_successor(kernel_t *kernel, const char *type,
                                                const char *name, const char *config,
                                                kernel_plugin_t **old_out, kernel_error_t *error)
{
    kernel__loaded_t loaded = {0};
    kernel_plugin_t *plugin = NULL;

    (void)pthread_mutex_lock(&kernel->registry.adding);
    *old_out = registry_look_up(kernel, false, name);
    if (*old_out == NULL) {
        (void)kernel__error_set(error, KERNEL_E_NOT_FOUND,
                                "cannot replace plugin '%s': there is none of that name", name);
    } else if (kernel__loader_find(kernel->loader, KERNEL__LOADER_PLUGIN, type, &loaded, error) ==
               KERNEL_OK) {
        plugin =
            registry_add_found(kernel, KERNEL__LOADER_PLUGIN, &loaded, name, config, true, error);
    }
    if (plugin != NULL && !registry_prepare(plugin, error)) {
        plugin = NULL;
    }
    (void)pthread_mutex_unlock(&kernel->registry.adding);
    return plugin;
}

kernel_plugin_t *kernel_replace_plugin(kernel_t *kernel, const char *type, const char *name,
                                       const char *config, kernel_error_t *error)
{
    kernel_error_t why = KERNEL_ERROR_INIT;
    kernel_plugin_t *plugin;
    kernel_plugin_t *old = NULL;
    kernel_status_t status;

    if (registry_check_owner(kernel, type, error) != KERNEL_OK) {
        return NULL;
    }
    if (name == NULL) {
        (void)kernel__error_set(error, KERNEL_E_INVALID,
                                "cannot replace a plugin without its name");
        return NULL;
    }
    plugin = registry_make_successor(kernel, type, name, config, &old, error);
    if (plugin == NULL) {
        return NULL;
    }
    status = kernel__registry_remove(old, kernel__clock_deadline(kernel->drain_ms), &why);
    if (status != KERNEL_OK && status != KERNEL_E_BUSY) {
        (void)kernel__error_set(error, status, "cannot replace plugin '%s': %s", name, why.text);
        instance_discard(plugin);
        atomic_store_explicit(&plugin->state, KERNEL__INSTANCE_REMOVED, memory_order_seq_cst);
        return NULL;
    }
    registry_open(plugin);
    return plugin;
}

/* ---- functions of the host ---- */

static kernel_plugin_t *registry_host_plugin(kernel_t *kernel, const char *name,
                                             kernel_error_t *error)
{
    kernel_plugin_t *plugin = registry_look_up(kernel, false, name);

    if (plugin != NULL) {
        if (!plugin->is_host) {
            (void)kernel__error_set(error, KERNEL_E_EXISTS,
                                    "cannot add a function to plugin '%s': it was loaded from %s",
                                    name, plugin->path);
            return NULL;
        }
        return plugin;
    }
    plugin = instance_new(kernel, name, "");
    if (plugin == NULL) {
        (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for plugin '%s'", name);
        return NULL;
    }
    plugin->is_host = true;
    plugin->descriptor.size = sizeof(plugin->descriptor);
    plugin->descriptor.name = plugin->name;
    plugin->descriptor.version = kernel_version();
    plugin->descriptor.description = "Functions of the host program.";
    return registry_finish(plugin, error) ? plugin : NULL;
}

kernel_function_t *kernel_add_function(kernel_t *kernel, const char *plugin_name,
                                       const struct kp_function *given, void *self,
                                       kernel_error_t *error)
{
    kernel_plugin_t *plugin;
    kernel_function_t *function = NULL;

    if (kernel__check_open(kernel, error) != KERNEL_OK ||
        kernel__name_check("plugin name", plugin_name, error) != KERNEL_OK) {
        return NULL;
    }
    if (given == NULL) {
        (void)kernel__error_set(error, KERNEL_E_INVALID,
                                "cannot add a function to plugin '%s': its descriptor is NULL",
                                plugin_name);
        return NULL;
    }
    (void)pthread_mutex_lock(&kernel->registry.adding);
    plugin = registry_host_plugin(kernel, plugin_name, error);
    if (plugin != NULL) {
        function = kernel__function_new(plugin, given, self, true, error);
    }
    if (function != NULL) {
        (void)pthread_rwlock_wrlock(&kernel->registry.lock);
        if (instance_find(plugin, given->name, strlen(given->name)) != NULL) {
            (void)kernel__error_set(error, KERNEL_E_EXISTS,
                                    "cannot add function '%s' to plugin '%s': the name is taken",
                                    given->name, plugin_name);
        } else if (instance_reserve(plugin, plugin->function_count + 1) != KERNEL_OK) {
            (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for function '%s'",
                                    given->name);
        } else {
            plugin->functions[plugin->function_count++] = function;
            (void)pthread_rwlock_unlock(&kernel->registry.lock);
            (void)pthread_mutex_unlock(&kernel->registry.adding);
            return function;
        }
        (void)pthread_rwlock_unlock(&kernel->registry.lock);
        kernel__function_free(function);
    }
    (void)pthread_mutex_unlock(&kernel->registry.adding);
    return NULL;
}

/* ---- finding ---- */

kernel_plugin_t *kernel__registry_service(kernel_t *kernel, const char *type)
{
    kernel__registry_t *registry = &kernel->registry;
    kernel_plugin_t *found = NULL;

    (void)pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = 0; i < registry->count && found == NULL; i++) {
        kernel_plugin_t *plugin = registry->instances[i];

        if (plugin->is_service && strcmp(plugin->descriptor.name, type) == 0 &&
            instance_holds_name(plugin)) {
            found = plugin;
        }
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    return found;
}

kernel_plugin_t *kernel_find_plugin(const kernel_t *kernel, const char *name)
{
    if (kernel == NULL || name == NULL || kernel__is_forked(kernel)) {
        return NULL;
    }
    return registry_look_up(kernel, false, name);
}

kernel_function_t *kernel_find_function(const kernel_t *kernel, const char *name)
{
    kernel__registry_t *registry;
    kernel_function_t *function = NULL;
    size_t size;

    if (kernel == NULL || name == NULL || kernel__is_forked(kernel)) {
        return NULL;
    }
    registry = kernel__registry_of(kernel);
    size = strcspn(name, "-.");
    (void)pthread_rwlock_rdlock(&registry->lock);
    if (name[size] != '\0') {
        const kernel_plugin_t *plugin = registry_find(registry, false, name, size);

        if (plugin != NULL) {
            function = instance_find(plugin, name + size + 1, strlen(name + size + 1));
        }
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    return function;
}

kernel_function_t *kernel_plugin_find(const kernel_plugin_t *plugin, const char *name)
{
    kernel__registry_t *registry;
    kernel_function_t *function;

    if (plugin == NULL || name == NULL || kernel__is_forked(plugin->kernel)) {
        return NULL;
    }
    registry = &plugin->kernel->registry;
    (void)pthread_rwlock_rdlock(&registry->lock);
    function = instance_find(plugin, name, strlen(name));
    (void)pthread_rwlock_unlock(&registry->lock);
    return function;
}

/* With the lock held: all full names; the count. */
static size_t registry_full_names(const kernel__registry_t *registry, const char **names,
                                  size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < registry->count; i++) {
        const kernel_plugin_t *plugin = registry->instances[i];

        for (size_t k = 0; k < plugin->function_count && instance_holds_name(plugin); k++) {
            if (count < room) {
                names[count] = plugin->functions[k]->full_name;
            }
            count++;
        }
    }
    return count;
}

kernel_result_t *kernel__registry_not_found(const kernel_t *kernel, const char *name)
{
    kernel__registry_t *registry = kernel__registry_of(kernel);
    char wanted[KERNEL__FULL_NAME_MAX * 2];
    const char *names[256];
    size_t count;
    int closest;

    (void)snprintf(wanted, sizeof(wanted), "%s", name);
    wanted[strcspn(wanted, ".")] = wanted[strcspn(wanted, ".")] != '\0' ? '-' : '\0';
    (void)pthread_rwlock_rdlock(&registry->lock);
    count = registry_full_names(registry, names, sizeof(names) / sizeof(names[0]));
    (void)pthread_rwlock_unlock(&registry->lock);
    if (count > sizeof(names) / sizeof(names[0])) {
        count = sizeof(names) / sizeof(names[0]);
    }
    closest = sk_text_closest(wanted, names, count);
    if (closest >= 0) {
        return kernel__result_error(KERNEL_E_NOT_FOUND,
                                    "there is no function '%.128s'; did you mean '%s'?", name,
                                    names[closest]);
    }
    return kernel__result_error(KERNEL_E_NOT_FOUND,
                                count == 0 ? "there is no function '%.128s': the kernel has no "
                                             "plugin with functions"
                                           : "there is no function '%.128s'; full names look like "
                                             "'plugin-function'",
                                name);
}
