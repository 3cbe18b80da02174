/*
 * static_types.c - the list of what is linked into the host.
 */
#include "static_types.h"

#include <pthread.h>
#include <string.h>

#include <kernel/plugins.h>

#include "alloc.h"
#include "error.h"
#include "extensions.h"
#include "forked.h"
#include "module.h"
#include "names.h"

typedef struct static_type {
    char *name; /* owned */
    const kp_module *module;
    struct static_type *next;
} static_type_t;

static pthread_mutex_t types_lock = PTHREAD_MUTEX_INITIALIZER;
static static_type_t *types; /* under the lock */

void kernel__static_after_fork(void)
{
    (void)pthread_mutex_init(&types_lock, NULL);
}

static const static_type_t *types_find(const char *name)
{
    const static_type_t *type = types;

    while (type != NULL && strcmp(type->name, name) != 0) {
        type = type->next;
    }
    return type;
}

const kp_module *kernel__static_find(const char *name)
{
    const static_type_t *type = NULL;

    pthread_mutex_lock(&types_lock);
    type = types_find(name);
    pthread_mutex_unlock(&types_lock);
    return type != NULL ? type->module : NULL;
}

void kernel__static_each(void (*each)(const char *name, void *data), void *data)
{
    pthread_mutex_lock(&types_lock);
    for (const static_type_t *type = types; type != NULL; type = type->next) {
        each(type->name, data);
    }
    pthread_mutex_unlock(&types_lock);
}

static kernel_status_t types_add(const char *name, const kp_module *module, kernel_error_t *error)
{
    static_type_t *type = NULL;

    if (types_find(name) != NULL) {
        return kernel__error_set(error, KERNEL_E_EXISTS,
                                 "cannot register plugin type '%s': the name is taken", name);
    }
    type = sk_calloc(1, sizeof(*type));
    if (type != NULL) {
        type->name = sk_strdup(name);
    }
    if (type == NULL || type->name == NULL) {
        sk_free(type);
        return kernel__error_set(error, KERNEL_E_NO_MEMORY,
                                 "cannot register plugin type '%s': memory ran out", name);
    }
    type->module = module;
    type->next = types;
    types = type;
    return KERNEL_OK;
}

kernel_status_t kernel_register_static(const char *type, kernel_entry_fn entry,
                                       kernel_error_t *error)
{
    char why[512];
    const kp_module *module = NULL;
    kernel_status_t status = kernel__name_check("plugin type", type, error);

    if (status != KERNEL_OK) {
        return status;
    }
    if (entry == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot register plugin type '%s': its entry is NULL", type);
    }
    module = entry(&kernel__host);
    if (kernel__module_check(module, type, why, sizeof(why)) != KERNEL_OK) {
        return kernel__error_set(error, KERNEL_E_INVALID, "cannot register plugin type %s", why);
    }
    pthread_mutex_lock(&types_lock);
    status = types_add(type, module, error);
    pthread_mutex_unlock(&types_lock);
    return status;
}
