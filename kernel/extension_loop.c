/*
 * extension_loop.c - kernel.loop/1: timers, posts and pool work of an instance.
 *
 * What create() posts is held back until the instance is there, and dropped if
 * it never is.
 */
#include <stddef.h>

#include "alloc.h"
#include "kernel_state.h"

struct kp_timer {
    kp_timer *next;
    kp_timer *previous;
    kernel_plugin_t *plugin;
    kernel__timer_t *timer;
    kp_callback fn;
    void *arg;
};

typedef struct loop_errand { /* a post or a piece of work */
    kernel__task_t task;
    kernel_plugin_t *plugin;
    kp_callback on_pool;
    kp_callback on_loop;
    void *arg;
} loop_errand_t;

static kernel_plugin_t *plugin_of(kp_instance *instance)
{
    return (kernel_plugin_t *)(void *)instance; /* the first member */
}

/* ---- timers ---- */

static void timer_unlink(kp_timer *timer)
{
    if (timer->previous != NULL) {
        timer->previous->next = timer->next;
    } else {
        timer->plugin->timers = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->previous = timer->previous;
    }
}

static void timer_on_due(void *data)
{
    kp_timer *timer = data;
    kp_callback fn = timer->fn;
    void *arg = timer->arg;

    timer_unlink(timer);
    sk_free(timer);
    fn(arg);
}

static kp_timer *loop_timer(const kp_loop *table, kp_instance *instance, uint64_t ms,
                            kp_callback fn, void *arg)
{
    kernel_plugin_t *plugin = plugin_of(instance);
    kp_timer *timer;

    (void)table;
    if (!kernel__loop_is_current(&plugin->kernel->loop) || fn == NULL ||
        atomic_load(&plugin->is_silenced)) {
        return NULL;
    }
    timer = sk_calloc(1, sizeof(*timer));
    if (timer == NULL) {
        return NULL;
    }
    timer->plugin = plugin;
    timer->fn = fn;
    timer->arg = arg;
    timer->timer = kernel__timer_start(&plugin->kernel->loop, ms, timer_on_due, timer);
    if (timer->timer == NULL) {
        sk_free(timer);
        return NULL;
    }
    timer->next = plugin->timers;
    if (plugin->timers != NULL) {
        plugin->timers->previous = timer;
    }
    plugin->timers = timer;
    return timer;
}

static void loop_timer_stop(const kp_loop *table, kp_timer *timer)
{
    (void)table;
    if (timer != NULL) {
        timer_unlink(timer);
        kernel__timer_stop(timer->timer);
        sk_free(timer);
    }
}

void kernel__extension_loop_silence(kernel_plugin_t *plugin)
{
    for (kp_timer *timer = plugin->timers; timer != NULL; timer = timer->next) {
        kernel__timer_stop(timer->timer);
        timer->timer = NULL;
    }
}

void kernel__extension_loop_forget(kernel_plugin_t *plugin)
{
    while (plugin->timers != NULL) {
        loop_timer_stop(NULL, plugin->timers);
    }
}

/* ---- posts and work ---- */

static void errand_on_loop(kernel__task_t *task)
{
    loop_errand_t *errand = (loop_errand_t *)(void *)task;
    kernel_plugin_t *plugin = errand->plugin;

    errand->on_loop(errand->arg);
    sk_free(errand);
    kernel__instance_leave(plugin);
}

static void errand_on_pool(kernel__task_t *task)
{
    loop_errand_t *errand = (loop_errand_t *)(void *)task;
    kernel_plugin_t *plugin = errand->plugin;

    errand->on_pool(errand->arg);
    if (errand->on_loop != NULL) {
        errand->task.run = errand_on_loop;
        if (kernel__loop_post(&plugin->kernel->loop, &errand->task) == KERNEL_OK) {
            return;
        }
    }
    sk_free(errand);
    kernel__instance_leave(plugin);
}

static loop_errand_t *errand_new(kernel_plugin_t *plugin, kp_callback on_pool, kp_callback on_loop,
                                 void *arg, int *status_out)
{
    loop_errand_t *errand = NULL;

    *status_out = (int)kernel__instance_enter_owner(plugin);
    if (*status_out != KP_OK) {
        return NULL;
    }
    errand = sk_calloc(1, sizeof(*errand));
    if (errand == NULL) {
        kernel__instance_leave(plugin);
        *status_out = KP_E_NO_MEMORY;
        return NULL;
    }
    errand->plugin = plugin;
    errand->on_pool = on_pool;
    errand->on_loop = on_loop;
    errand->arg = arg;
    errand->task.run = on_pool != NULL ? errand_on_pool : errand_on_loop;
    return errand;
}

static int errand_begin(loop_errand_t *errand)
{
    kernel_plugin_t *plugin = errand->plugin;
    kernel_t *kernel = plugin->kernel;
    kernel_status_t status = KERNEL_OK;

    if (errand->on_loop != NULL) {
        status = kernel__loop_start(&kernel->loop, NULL);
    }
    if (status == KERNEL_OK) {
        status = errand->on_pool != NULL ? kernel__pool_post(&kernel->pool, &errand->task, true)
                                         : kernel__loop_post(&kernel->loop, &errand->task);
    }
    if (status != KERNEL_OK) {
        sk_free(errand);
        kernel__instance_leave(plugin);
    }
    return status == KERNEL_E_CLOSED ? KP_E_UNAVAILABLE : (int)status;
}

/* Post it, or keep it until create() has returned. */
static int errand_submit(loop_errand_t *errand)
{
    kernel_plugin_t *plugin = errand->plugin;
    bool is_held;

    (void)pthread_mutex_lock(&plugin->lock);
    is_held = atomic_load(&plugin->state) == KERNEL__INSTANCE_CREATING;
    if (is_held) {
        errand->task.next = plugin->held;
        plugin->held = &errand->task;
    }
    (void)pthread_mutex_unlock(&plugin->lock);
    return is_held ? KP_OK : errand_begin(errand);
}

static int loop_post(const kp_loop *table, kp_instance *instance, kp_callback fn, void *arg)
{
    int status = KP_E_INVALID;
    loop_errand_t *errand =
        fn != NULL ? errand_new(plugin_of(instance), NULL, fn, arg, &status) : NULL;

    (void)table;
    return errand != NULL ? errand_submit(errand) : status;
}

static int loop_work(const kp_loop *table, kp_instance *instance, kp_callback on_pool,
                     kp_callback on_loop, void *arg)
{
    int status = KP_E_INVALID;
    loop_errand_t *errand =
        on_pool != NULL ? errand_new(plugin_of(instance), on_pool, on_loop, arg, &status) : NULL;

    (void)table;
    return errand != NULL ? errand_submit(errand) : status;
}

void kernel__extension_loop_release_held(kernel_plugin_t *plugin, bool run)
{
    kernel__task_t *newest;
    kernel__task_t *oldest = NULL;

    (void)pthread_mutex_lock(&plugin->lock);
    newest = plugin->held;
    plugin->held = NULL;
    (void)pthread_mutex_unlock(&plugin->lock);
    while (newest != NULL) {
        kernel__task_t *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        loop_errand_t *errand = (loop_errand_t *)(void *)oldest;

        oldest = oldest->next;
        if (run && errand_begin(errand) != KP_OK) {
            kernel__log_write(&plugin->kernel->log, KERNEL_LOG_ERROR,
                              "what '%s' posted in create() cannot run: no thread is to be had",
                              plugin->name);
        } else if (!run) {
            sk_free(errand);
            kernel__instance_leave(plugin);
        }
    }
}

void kernel__extension_loop_fill(kp_loop *table)
{
    *table = (kp_loop){.size = sizeof(*table),
                       .timer = loop_timer,
                       .timer_stop = loop_timer_stop,
                       .post = loop_post,
                       .work = loop_work};
}
