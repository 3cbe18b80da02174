/*
 * slow.c - waits on the kernel's loop, with configuration, and gives up at once
 * when it is cancelled.
 */
#include <kernel/plugin.h>

#include <stdlib.h>

typedef struct slow {
    const kp_loop *loop;
    int64_t max_ms;
} slow_t;

static int create(kp_instance *instance)
{
    slow_t *slow = calloc(1, sizeof(*slow));

    if (slow == NULL) {
        return KP_E_NO_MEMORY;
    }
    slow->loop = kp_extension(instance, KP_EXT_LOOP);
    if (slow->loop == NULL) {
        free(slow);
        return KP_E_UNSUPPORTED;
    }
    slow->max_ms = instance->config[0].as.integer;
    instance->self = slow;
    return KP_OK;
}

static void destroy(kp_instance *instance)
{
    free(instance->self);
}

static void on_timer(void *data)
{
    kp_call *call = data;

    kp_complete(call, kp_return_string(call, "done"));
}

static void on_cancel(kp_call *call, void *timer)
{
    const slow_t *slow = call->self;

    slow->loop->timer_stop(slow->loop, timer);
    kp_complete(call, KP_E_CANCELLED);
}

KP_FUNCTION_RETURNS(0u, async, wait, (string, "done", NULL), "Wait, then say done.",
                    (integer, ms, "How long, in milliseconds.", .schema = "{\"minimum\":0}"))
{
    const slow_t *slow = call->self;
    kp_timer *timer = NULL;

    if (ms > slow->max_ms) {
        return kp_fail(call, KP_E_LIMIT, "at most %lld ms are allowed here",
                       (long long)slow->max_ms);
    }
    timer = slow->loop->timer(slow->loop, call->instance, (uint64_t)ms, on_timer, call);
    if (timer == NULL) {
        return KP_E_NO_MEMORY;
    }
    if (kp_on_cancel(call, on_cancel, timer) != KP_OK) {
        slow->loop->timer_stop(slow->loop, timer);
        return KP_E_CANCELLED;
    }
    return KP_PENDING;
}

KP_PLUGIN_EX(.name = "slow", .version = "1.0.0", .description = "Timers on the kernel's loop.",
             .functions = KP_FUNCTIONS(wait),
             KP_CONFIG((integer, max_ms, "Longest wait allowed.", .dflt = "60000",
                        .env = "SLOW_MAX_MS")),
             .create = create, .destroy = destroy);
