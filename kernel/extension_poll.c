/*
 * extension_poll.c - kernel.poll/1: watching descriptors on the loop thread.
 *
 * libuv 1.44 deregisters and registers at every uv_poll_start(), so a mask that
 * does not change is skipped; and it stops a handle by itself when it reports an
 * error, as status UV_EBADF with no events.
 */
#include <stddef.h>

#include <uv.h>

#include "alloc.h"
#include "kernel_state.h"

struct kp_watch {
    uv_poll_t uv;
    kernel_plugin_t *plugin;
    uint32_t armed; /* what libuv watches for now */
    kp_watch_fn fn;
    void *arg;
};

static int poll_mask(uint32_t events)
{
    return ((events & KP_POLL_READABLE) != 0 ? UV_READABLE : 0) |
           ((events & KP_POLL_WRITABLE) != 0 ? UV_WRITABLE : 0);
}

static void poll_on_event(uv_poll_t *uv, int status, int events)
{
    kp_watch *watch = uv->data;
    uint32_t found = ((events & UV_READABLE) != 0 ? KP_POLL_READABLE : 0u) |
                     ((events & UV_WRITABLE) != 0 ? KP_POLL_WRITABLE : 0u);

    if (status < 0) {
        watch->armed = 0;
        found = KP_POLL_ERROR;
    }
    watch->fn(watch->arg, found);
}

static int poll_change(const kp_poll *table, kp_watch *watch, uint32_t events)
{
    events &= KP_POLL_READABLE | KP_POLL_WRITABLE;
    (void)table;
    if (events == watch->armed) {
        return KP_OK;
    }
    if (events == 0) {
        (void)uv_poll_stop(&watch->uv);
    } else if (uv_poll_start(&watch->uv, poll_mask(events), poll_on_event) != 0) {
        return KP_E_UNAVAILABLE;
    }
    watch->armed = events;
    return KP_OK;
}

static void poll_on_closed(uv_handle_t *handle)
{
    kp_watch *watch = handle->data;
    kernel_plugin_t *plugin = watch->plugin;

    sk_free(watch);
    kernel__resource_drop(plugin);
}

static void poll_unwatch(const kp_poll *table, kp_watch *watch)
{
    (void)table;
    if (watch != NULL) {
        (void)uv_poll_stop(&watch->uv);
        uv_close((uv_handle_t *)&watch->uv, poll_on_closed);
    }
}

static kp_watch *poll_watch(const kp_poll *table, kp_instance *instance, int fd, uint32_t events,
                            kp_watch_fn fn, void *arg)
{
    kernel_plugin_t *plugin = (kernel_plugin_t *)(void *)instance;
    kernel__loop_t *loop = &plugin->kernel->loop;
    kp_watch *watch;

    if (!kernel__loop_is_current(loop) || fn == NULL ||
        atomic_load(&plugin->state) > KERNEL__INSTANCE_CLOSING) {
        return NULL;
    }
    watch = sk_calloc(1, sizeof(*watch));
    if (watch == NULL || uv_poll_init(&loop->uv, &watch->uv, fd) != 0) {
        sk_free(watch);
        return NULL;
    }
    kernel__resource_keep(plugin);
    watch->uv.data = watch;
    watch->plugin = plugin;
    watch->fn = fn;
    watch->arg = arg;
    if (poll_change(table, watch, events) != KP_OK) {
        poll_unwatch(table, watch);
        return NULL;
    }
    return watch;
}

void kernel__extension_poll_fill(kp_poll *table)
{
    *table = (kp_poll){.size = sizeof(*table),
                       .watch = poll_watch,
                       .change = poll_change,
                       .unwatch = poll_unwatch};
}
