/*
 * removal.c - counting what runs in an instance, and ending it.
 *
 *     kernel__registry_remove  refuse new calls ...
 *     instance_quiesce         cancel and wait
 *     instance_destroy         silence timers, destroy, wait
 *     instance_leak            or give up on what does not end
 */
#include <stddef.h>

#include "clock.h"
#include "error.h"
#include "kernel_state.h"

#define REMOVAL_WAIT_NS  (5u * KERNEL__NS_PER_MS)  /* a leave may go unnoticed that long */
#define REMOVAL_AGAIN_NS (20u * KERNEL__NS_PER_MS) /* until what runs is told to stop once more */

/* ---- counting what runs ---- */

kernel_status_t kernel__instance_enter(kernel_plugin_t *plugin)
{
    (void)atomic_fetch_add_explicit(&plugin->active, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&plugin->state, memory_order_seq_cst) == KERNEL__INSTANCE_OPEN) {
        return KERNEL_OK;
    }
    kernel__instance_leave(plugin);
    return atomic_load(&plugin->kernel->is_closing) ? KERNEL_E_CLOSED : KERNEL_E_UNAVAILABLE;
}

kernel_status_t kernel__instance_enter_owner(kernel_plugin_t *plugin)
{
    unsigned state;

    (void)atomic_fetch_add_explicit(&plugin->active, 1, memory_order_seq_cst);
    state = atomic_load_explicit(&plugin->state, memory_order_seq_cst);
    if (state <= KERNEL__INSTANCE_CLOSING) {
        return KERNEL_OK;
    }
    kernel__instance_leave(plugin);
    return KERNEL_E_UNAVAILABLE;
}

void kernel__instance_leave(kernel_plugin_t *plugin)
{
    kernel_t *kernel = plugin->kernel;

    if (atomic_load_explicit(&plugin->state, memory_order_acquire) <= KERNEL__INSTANCE_OPEN) {
        (void)atomic_fetch_sub_explicit(&plugin->active, 1, memory_order_release);
        return; /* the last touch: who removes it may go on from here */
    }
    (void)pthread_mutex_lock(&kernel->idle_lock);
    (void)atomic_fetch_sub_explicit(&plugin->active, 1, memory_order_release);
    (void)pthread_cond_broadcast(&kernel->idle);
    (void)pthread_mutex_unlock(&kernel->idle_lock);
}

void kernel__resource_keep(kernel_plugin_t *plugin)
{
    (void)atomic_fetch_add_explicit(&plugin->resources, 1, memory_order_relaxed);
}

void kernel__resource_drop(kernel_plugin_t *plugin)
{
    kernel_t *kernel = plugin->kernel;

    (void)pthread_mutex_lock(&kernel->idle_lock);
    (void)atomic_fetch_sub_explicit(&plugin->resources, 1, memory_order_release);
    (void)pthread_cond_broadcast(&kernel->idle);
    (void)pthread_mutex_unlock(&kernel->idle_lock);
}

/* Until the count is 0; false when the deadline passed. */
static bool instance_wait(kernel_plugin_t *plugin, const atomic_long *count, uint64_t deadline)
{
    kernel_t *kernel = plugin->kernel;
    bool is_idle = false;

    kernel__pool_block_enter(&kernel->pool);
    (void)pthread_mutex_lock(&kernel->idle_lock);
    for (;;) {
        is_idle = atomic_load_explicit(count, memory_order_acquire) == 0 &&
                  !kernel__call_any(kernel, plugin);
        if (is_idle || (deadline != 0 && kernel__clock_now() >= deadline)) {
            break;
        }
        (void)kernel__condition_wait(&kernel->idle, &kernel->idle_lock,
                                     kernel__clock_now() + REMOVAL_WAIT_NS);
    }
    (void)pthread_mutex_unlock(&kernel->idle_lock);
    kernel__pool_block_leave(&kernel->pool);
    return is_idle;
}

/* ---- removing ---- */

static void errand_on_loop(kernel__task_t *task)
{
    kernel_plugin_t *plugin =
        (kernel_plugin_t *)(void *)((char *)task - offsetof(kernel_plugin_t, end_task));
    kernel_t *kernel = plugin->kernel;

    plugin->end_fn(plugin);
    (void)pthread_mutex_lock(&kernel->idle_lock);
    plugin->is_end_pending = false;
    (void)pthread_cond_broadcast(&kernel->idle);
    (void)pthread_mutex_unlock(&kernel->idle_lock);
}

/* Wait until the loop thread has run what was posted; false when it did not in time. */
static bool instance_await_loop(kernel_plugin_t *plugin, uint64_t deadline)
{
    kernel_t *kernel = plugin->kernel;
    bool in_time = true;

    kernel__pool_block_enter(&kernel->pool);
    (void)pthread_mutex_lock(&kernel->idle_lock);
    while (plugin->is_end_pending && in_time) {
        in_time = kernel__condition_wait(&kernel->idle, &kernel->idle_lock, deadline);
    }
    in_time = !plugin->is_end_pending;
    (void)pthread_mutex_unlock(&kernel->idle_lock);
    kernel__pool_block_leave(&kernel->pool);
    return in_time;
}

/* Have the loop thread run `fn`; false when it did not in time: something blocks it. */
static bool instance_on_loop(kernel_plugin_t *plugin, void (*fn)(kernel_plugin_t *plugin),
                             uint64_t deadline)
{
    kernel_t *kernel = plugin->kernel;
    bool is_running;

    (void)pthread_mutex_lock(&kernel->loop.lock);
    is_running = kernel->loop.state == KERNEL__LOOP_RUNNING;
    (void)pthread_mutex_unlock(&kernel->loop.lock);
    if (!is_running) {
        return true; /* without a loop thread there is nothing of its to end */
    }
    if (!instance_await_loop(plugin, deadline)) {
        return false; /* what was posted before still waits there */
    }
    plugin->end_task.run = errand_on_loop;
    plugin->end_fn = fn;
    plugin->is_end_pending = true;
    if (kernel__loop_post(&kernel->loop, &plugin->end_task) != KERNEL_OK) {
        plugin->is_end_pending = false;
        return true;
    }
    return instance_await_loop(plugin, deadline);
}

static kernel_status_t instance_leak(kernel_plugin_t *plugin, kernel_error_t *error)
{
    kernel_t *kernel = plugin->kernel;

    atomic_store_explicit(&plugin->state, KERNEL__INSTANCE_LEAKED, memory_order_seq_cst);
    kernel__call_log_unfinished(kernel, plugin);
    kernel__log_write(&kernel->log, KERNEL_LOG_ERROR,
                      "'%s' is leaked: %ld of its operations did not end in time", plugin->name,
                      atomic_load(&plugin->active) + atomic_load(&plugin->resources));
    return kernel__error_set(error, KERNEL_E_BUSY,
                             "'%s' was removed, but %ld of its operations did not end in time: its "
                             "memory is never freed",
                             plugin->name, atomic_load(&plugin->active));
}

/* Operations that the loop thread can tell to stop. */
static void instance_stop_holds(kernel_plugin_t *plugin)
{
    kernel__provider_stop_instance(plugin);
    kernel__call_stop_holds(plugin->kernel, plugin);
}

/* Cancel and wait, again and again: what began just before the instance closed may not have been
 * there to be told. False when it did not all end in time. */
static bool instance_quiesce(kernel_plugin_t *plugin, uint64_t deadline)
{
    kernel_t *kernel = plugin->kernel;
    kernel_status_t status =
        atomic_load(&kernel->is_closing) ? KERNEL_E_CLOSED : KERNEL_E_UNAVAILABLE;

    for (;;) {
        uint64_t again = kernel__clock_now() + REMOVAL_AGAIN_NS;

        kernel__call_cancel_all(kernel, plugin, status);
        if (!instance_on_loop(plugin, instance_stop_holds, deadline)) {
            return false;
        }
        if (instance_wait(plugin, &plugin->active, kernel__clock_earlier(again, deadline))) {
            return true;
        }
        if (deadline != 0 && kernel__clock_now() >= deadline) {
            return false;
        }
    }
}

/* Nothing runs in it any more, and nobody can begin anything but its own destroy(). */
static kernel_status_t instance_destroy(kernel_plugin_t *plugin, uint64_t deadline,
                                        kernel_error_t *error)
{
    atomic_store_explicit(&plugin->is_silenced, true, memory_order_seq_cst);
    if (!instance_on_loop(plugin, kernel__extension_loop_silence, deadline) ||
        !instance_wait(plugin, &plugin->active, deadline)) {
        return instance_leak(plugin, error);
    }
    if (plugin->descriptor.destroy != NULL && plugin->descriptor.create != NULL) {
        plugin->descriptor.destroy(&plugin->pub);
    }
    if (!instance_wait(plugin, &plugin->active, deadline) || /* what destroy() posted */
        !instance_wait(plugin, &plugin->resources, deadline) ||
        !instance_on_loop(plugin, kernel__extension_loop_forget, deadline)) {
        return instance_leak(plugin, error);
    }
    atomic_store_explicit(&plugin->state, KERNEL__INSTANCE_REMOVED, memory_order_seq_cst);
    return KERNEL_OK;
}

kernel_status_t kernel__registry_remove(kernel_plugin_t *plugin, uint64_t deadline,
                                        kernel_error_t *error)
{
    unsigned open = KERNEL__INSTANCE_OPEN;

    if (kernel__loop_is_current(&plugin->kernel->loop)) {
        return kernel__error_set(error, KERNEL_E_WOULD_DEADLOCK,
                                 "cannot remove '%s' on the kernel's loop thread", plugin->name);
    }
    if (kernel__call_is_inside(plugin->kernel, plugin)) {
        return kernel__error_set(error, KERNEL_E_WOULD_DEADLOCK,
                                 "cannot remove '%s' inside one of its own calls", plugin->name);
    }
    if (!atomic_compare_exchange_strong_explicit(&plugin->state, &open, KERNEL__INSTANCE_CLOSING,
                                                 memory_order_seq_cst, memory_order_seq_cst)) {
        return kernel__error_set(error, KERNEL_E_UNAVAILABLE,
                                 "cannot remove '%s': it was removed before", plugin->name);
    }
    if (!instance_quiesce(plugin, deadline)) {
        return instance_leak(plugin, error);
    }
    return instance_destroy(plugin, deadline, error);
}

kernel_status_t kernel_remove_plugin(kernel_plugin_t *plugin, kernel_error_t *error)
{
    kernel_status_t status;

    if (plugin == NULL) {
        return kernel__error_set(error, KERNEL_E_NOT_FOUND,
                                 "cannot remove a plugin that was not found");
    }
    status = kernel__check_open(plugin->kernel, error);
    if (status != KERNEL_OK) {
        return status;
    }
    return kernel__registry_remove(plugin, kernel__clock_deadline(plugin->kernel->drain_ms), error);
}

void kernel__registry_close(kernel_t *kernel)
{
    kernel__registry_t *registry = &kernel->registry;

    (void)pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = 0; i < registry->count; i++) {
        unsigned open = KERNEL__INSTANCE_OPEN;

        (void)atomic_compare_exchange_strong(&registry->instances[i]->state, &open,
                                             KERNEL__INSTANCE_CLOSING);
    }
    (void)pthread_rwlock_unlock(&registry->lock);
}

/* The instance before *at, the last one first; NULL at the end. A call that is ending may yet add a
 * service, so the list moves. */
static kernel_plugin_t *registry_previous(kernel_t *kernel, size_t *at)
{
    kernel__registry_t *registry = &kernel->registry;
    kernel_plugin_t *plugin = NULL;

    (void)pthread_rwlock_rdlock(&registry->lock);
    if (*at > registry->count) {
        *at = registry->count;
    }
    if (*at > 0) {
        plugin = registry->instances[--*at];
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    return plugin;
}

/* Is what was leaked earlier over after all? */
static bool instance_is_over(kernel_plugin_t *plugin)
{
    return atomic_load(&plugin->active) == 0 && atomic_load(&plugin->resources) == 0 &&
           !kernel__call_any(plugin->kernel, plugin);
}

static bool registry_quiesce_all(kernel_t *kernel, bool of_services, uint64_t deadline)
{
    kernel_plugin_t *plugin;
    size_t at = SIZE_MAX;
    bool is_clean = true;

    while ((plugin = registry_previous(kernel, &at)) != NULL) {
        unsigned state = atomic_load(&plugin->state);

        if (plugin->is_service != of_services) {
            continue;
        }
        if (state == KERNEL__INSTANCE_CLOSING && !instance_quiesce(plugin, deadline)) {
            (void)instance_leak(plugin, NULL);
            is_clean = false;
        } else if (state == KERNEL__INSTANCE_LEAKED) {
            is_clean = instance_is_over(plugin) && is_clean;
        }
    }
    return is_clean;
}

static bool registry_destroy_all(kernel_t *kernel, bool of_services, uint64_t deadline)
{
    kernel_plugin_t *plugin;
    size_t at = SIZE_MAX;
    bool is_clean = true;

    while ((plugin = registry_previous(kernel, &at)) != NULL) {
        if (plugin->is_service == of_services &&
            atomic_load(&plugin->state) == KERNEL__INSTANCE_CLOSING) {
            is_clean = instance_destroy(plugin, deadline, NULL) == KERNEL_OK && is_clean;
        }
    }
    return is_clean;
}

/* Before the first is waited for: what it does for another one ends when that is told to stop. */
static void registry_tell_all(kernel_t *kernel, uint64_t deadline)
{
    kernel_plugin_t *plugin;
    size_t at = SIZE_MAX;

    while ((plugin = registry_previous(kernel, &at)) != NULL) {
        if (atomic_load(&plugin->state) == KERNEL__INSTANCE_CLOSING &&
            !instance_on_loop(plugin, instance_stop_holds, deadline)) {
            return;
        }
    }
}

bool kernel__registry_remove_all(kernel_t *kernel, uint64_t deadline)
{
    /* Services last: they may have been added later than the plugins that use them, and what
     * they do for a plugin ends when the plugin is told to stop. */
    bool is_clean;
    uint64_t again;

    registry_tell_all(kernel, deadline);
    is_clean = registry_quiesce_all(kernel, false, deadline);
    kernel__registry_close(kernel); /* what was added meanwhile */
    is_clean = registry_quiesce_all(kernel, true, deadline) && is_clean;
    again = kernel__clock_deadline(kernel->drain_ms);
    is_clean = registry_destroy_all(kernel, false, again) && is_clean;
    return is_clean && registry_destroy_all(kernel, true, again);
}

bool kernel__registry_is_idle(kernel_t *kernel)
{
    kernel__registry_t *registry = &kernel->registry;
    bool is_idle = !kernel__call_any(kernel, NULL);

    (void)pthread_rwlock_rdlock(&registry->lock);
    for (size_t i = 0; i < registry->count && is_idle; i++) {
        is_idle = atomic_load(&registry->instances[i]->active) == 0;
    }
    (void)pthread_rwlock_unlock(&registry->lock);
    return is_idle;
}

void kernel__registry_stop(kernel_t *kernel)
{
    kernel_plugin_t *plugin;
    size_t at = SIZE_MAX;

    kernel__call_cancel_all(kernel, NULL, KERNEL_E_CLOSED);
    while ((plugin = registry_previous(kernel, &at)) != NULL) {
        instance_stop_holds(plugin);
    }
}
