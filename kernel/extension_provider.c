/*
 * extension_provider.c - kernel.provider/1: operations of a service on behalf of
 * another instance.
 *
 * A hold keeps the requesting instance from being destroyed and, if it belongs
 * to a call, that call's record. Stopping runs on the loop thread, where release
 * runs too, so that neither can overtake the other.
 */
#include <stddef.h>

#include "alloc.h"
#include "kernel_state.h"
#include "operation.h"

struct kp_hold {
    kp_hold *next; /* of the call (its lock), or of the instance (the kernel's idle_lock) */
    kp_hold *previous;
    kernel_plugin_t *provider; /* entered, like the user: neither is destroyed before the release */
    kernel_plugin_t *user;
    kernel__call_t *call; /* held; NULL: the instance's */
    kp_stop_fn fn;
    void *arg;
    bool is_stopped;
};

static pthread_mutex_t *hold_lock(const kp_hold *hold)
{
    return hold->call != NULL ? &hold->call->lock : &hold->user->lock;
}

static kp_hold **hold_list(const kp_hold *hold)
{
    return hold->call != NULL ? &hold->call->holds : &hold->user->holds;
}

/* With the lock held. */
static void hold_link(kp_hold *hold)
{
    kp_hold **list = hold_list(hold);

    hold->next = *list;
    if (*list != NULL) {
        (*list)->previous = hold;
    }
    *list = hold;
}

static void hold_unlink(kp_hold *hold)
{
    if (hold->previous != NULL) {
        hold->previous->next = hold->next;
    } else {
        *hold_list(hold) = hold->next;
    }
    if (hold->next != NULL) {
        hold->next->previous = hold->previous;
    }
}

static void hold_free(kp_hold *hold)
{
    kernel_plugin_t *user = hold->user;
    kernel_plugin_t *provider = hold->provider;

    if (hold->call != NULL) {
        kernel__call_drop(hold->call);
    }
    sk_free(hold);
    kernel__instance_leave(user);
    kernel__instance_leave(provider);
}

/* Link it unless it is too late; KP_OK or why. */
static int hold_begin(kp_hold *hold)
{
    int status = KP_OK;
    kernel_call_t *operation = NULL;

    (void)pthread_mutex_lock(hold_lock(hold));
    if (hold->call != NULL) {
        status = kernel__call_stop_status(hold->call);
        if (status == KP_OK && kernel__call_is_over(hold->call)) {
            status = KP_E_CANCELLED;
        }
        operation = hold->call->operation;
        if (operation != NULL) {
            kernel__operation_keep(operation);
        }
    } else if (atomic_load(&hold->user->state) != KERNEL__INSTANCE_OPEN) {
        status = KP_E_UNAVAILABLE;
    }
    if (status == KP_OK) {
        hold_link(hold);
    }
    (void)pthread_mutex_unlock(hold_lock(hold));
    if (operation != NULL) {
        kernel__operation_arm(operation);
        kernel__operation_drop(operation);
    }
    return status;
}

/* With both instances entered. */
static int hold_new(kernel_plugin_t *provider, kernel_plugin_t *user, kp_hold **out)
{
    kp_hold *hold;

    if (kernel__instance_enter_owner(user) != KERNEL_OK) {
        return KP_E_UNAVAILABLE;
    }
    if (kernel__instance_enter_owner(provider) != KERNEL_OK) {
        kernel__instance_leave(user);
        return KP_E_UNAVAILABLE;
    }
    hold = sk_calloc(1, sizeof(*hold));
    if (hold == NULL) {
        kernel__instance_leave(user);
        kernel__instance_leave(provider);
        return KP_E_NO_MEMORY;
    }
    hold->provider = provider;
    hold->user = user;
    *out = hold;
    return KP_OK;
}

static int provider_hold(const kp_provider *table, kp_instance *provider, kp_instance *user,
                         kp_call *call, kp_stop_fn fn, void *arg, kp_hold **out)
{
    kp_hold *hold;
    int status;

    (void)table;
    *out = NULL;
    status = hold_new((kernel_plugin_t *)(void *)provider, (kernel_plugin_t *)(void *)user, &hold);
    if (status != KP_OK) {
        return status;
    }
    hold->fn = fn;
    hold->arg = arg;
    if (call != NULL) {
        hold->call = (kernel__call_t *)(void *)call;
        kernel__call_keep(hold->call);
        kernel__call_touch(hold->call);
    }
    status = hold_begin(hold);
    if (status != KP_OK) {
        hold_free(hold);
        return status;
    }
    *out = hold;
    return KP_OK;
}

static void provider_release(const kp_provider *table, kp_hold *hold)
{
    pthread_mutex_t *lock;

    (void)table;
    if (hold == NULL) {
        return;
    }
    lock = hold_lock(hold);
    (void)pthread_mutex_lock(lock);
    hold_unlink(hold);
    (void)pthread_mutex_unlock(lock);
    hold_free(hold);
}

/* Tell the holds of one list to stop, each once. [thread: loop] */
static void provider_stop_list(pthread_mutex_t *lock, kp_hold **list, int status)
{
    for (;;) {
        kp_hold *hold;

        (void)pthread_mutex_lock(lock);
        hold = *list;
        while (hold != NULL && hold->is_stopped) {
            hold = hold->next;
        }
        if (hold != NULL) {
            hold->is_stopped = true;
        }
        (void)pthread_mutex_unlock(lock);
        if (hold == NULL) {
            return;
        }
        if (hold->fn != NULL) {
            hold->fn(hold->arg, status);
        }
    }
}

void kernel__provider_stop_call(kernel_t *kernel, kernel__call_t *call, int status)
{
    (void)kernel;
    provider_stop_list(&call->lock, &call->holds, status);
}

void kernel__provider_stop_instance(kernel_plugin_t *plugin)
{
    provider_stop_list(&plugin->lock, &plugin->holds, KP_E_CANCELLED);
}

void kernel__extension_provider_fill(kp_provider *table)
{
    *table =
        (kp_provider){.size = sizeof(*table), .hold = provider_hold, .release = provider_release};
}
