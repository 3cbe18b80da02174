/*
 * registry.h - the instances and functions of a kernel.
 *
 * Plugins and services are the same thing, an instance of a type, in two
 * lists. Handles are never freed before the kernel: look-ups take a lock,
 * calls by handle take none.
 */
#ifndef KERNEL_REGISTRY_PRIVATE_H
#define KERNEL_REGISTRY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "config.h"
#include "loader.h"
#include "loop.h"
#include "signature.h"
#include "turn.h"

typedef enum kernel__instance_state {
    KERNEL__INSTANCE_CREATING,
    KERNEL__INSTANCE_OPEN,
    KERNEL__INSTANCE_CLOSING, /* calls are refused, what runs is waited for */
    KERNEL__INSTANCE_REMOVED,
    KERNEL__INSTANCE_LEAKED /* something did not end: never destroyed */
} kernel__instance_state_t;

struct kernel_function {
    kernel_plugin_t *plugin;
    void *self;             /* becomes call->self */
    kp_function descriptor; /* full-size copy; strings are the plugin's, or owned below */
    kernel__signature_t signature;
    char *full_name;      /* owned */
    char *returns_schema; /* owned */
    void *copies;         /* owned; a host's descriptor, whose texts may go away */
    bool is_async;
    bool takes_turn;
    bool is_quick;
};

struct kernel_plugin {
    kp_instance pub; /* what the plugin sees; must be first */
    kernel_t *kernel;
    bool is_service;
    bool is_host;         /* made by kernel_add_function() */
    char *name;           /* owned */
    char *path;           /* owned */
    kp_plugin descriptor; /* full-size copy */
    kernel__signature_t config_signature;
    kernel__config_t config;
    uint32_t name_hash;
    char *create_text;             /* owned; what create() logged as its error */
    kernel_function_t **functions; /* owned; guarded by the registry's lock for host plugins */
    size_t function_count;
    size_t function_capacity;

    atomic_uint state;     /* kernel__instance_state_t */
    atomic_long active;    /* calls, posts, work, holds: what destroy() waits for */
    atomic_long resources; /* watches and programs: what destroy() has to give back */
    kernel__turn_t turn;

    pthread_mutex_t lock;    /* guards `held` */
    kernel__task_t *held;    /* posts of create(), until it has returned; the newest first */
    struct kp_timer *timers; /* [thread: loop] */
    atomic_bool is_silenced; /* no timer begins any more */
    struct kp_hold *holds;   /* guarded by `lock`; without a call */

    kernel__task_t end_task; /* something for the loop thread that the remover waits for */
    void (*end_fn)(kernel_plugin_t *plugin);
    bool is_end_pending; /* guarded by the kernel's idle_lock */
};

struct kernel_service {
    kernel_plugin_t plugin; /* the instance; only ever used through a cast */
};

/* A handle that came in as const, for what keeps it. */
static inline kernel_function_t *kernel__function_writable(const kernel_function_t *function)
{
    union {
        const kernel_function_t *given;
        kernel_function_t *kept;
    } handle = {function};

    return handle.kept;
}

typedef struct kernel__registry {
    pthread_rwlock_t lock;
    kernel_plugin_t **instances; /* owned; plugins and services in the order of adding */
    size_t count;
    size_t capacity;
    pthread_mutex_t adding; /* one instance is added at a time; recursive: services on demand */
} kernel__registry_t;

/* Of a kernel that came in as const: its locks are not its content. */
kernel__registry_t *kernel__registry_of(const kernel_t *kernel);
void kernel__registry_init(kernel__registry_t *registry);
/* Free all instances; destroy() was called before for those that wanted it. */
void kernel__registry_fini(kernel__registry_t *registry);

/* Add an instance: load, bind, create, publish. */
kernel_plugin_t *kernel__registry_add(kernel_t *kernel, kernel__loader_kind_t kind,
                                      const char *type, const char *name, const char *config,
                                      kernel_error_t *error);
/* Begin to refuse calls, cancel, wait for what runs (until `deadline`), destroy. */
kernel_status_t kernel__registry_remove(kernel_plugin_t *plugin, uint64_t deadline,
                                        kernel_error_t *error);
/* The service instance of a module's name that is open, NULL if none. */
kernel_plugin_t *kernel__registry_service(kernel_t *kernel, const char *type);
/* Refuse new calls of all instances. */
void kernel__registry_close(kernel_t *kernel);
/* Remove all instances, the last one added first, until `deadline`; false when one was leaked. */
bool kernel__registry_remove_all(kernel_t *kernel, uint64_t deadline);
/* Has all that runs in the instances ended? */
bool kernel__registry_is_idle(kernel_t *kernel);
/* Tell everything that runs, in all instances, to stop. [thread: loop] */
void kernel__registry_stop(kernel_t *kernel);
/* The text for a name that is not there, with the closest one. */
kernel_result_t *kernel__registry_not_found(const kernel_t *kernel, const char *name);

/* Count an operation of an instance; KERNEL_OK, or why not. */
kernel_status_t kernel__instance_enter(kernel_plugin_t *plugin);
/* The same while it is being created or destroyed. */
kernel_status_t kernel__instance_enter_owner(kernel_plugin_t *plugin);
void kernel__instance_leave(kernel_plugin_t *plugin);
/* Count what an instance owns until it gives it back, destroy() at the latest. */
void kernel__resource_keep(kernel_plugin_t *plugin);
void kernel__resource_drop(kernel_plugin_t *plugin);

#endif /* KERNEL_REGISTRY_PRIVATE_H */
