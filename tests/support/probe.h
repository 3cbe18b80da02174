/*
 * probe.h - a plugin inside the test, to use extensions as a plugin does.
 *
 *     fixture_t f = fixture_new();
 *     probe_t probe = PROBE_INIT;
 *
 *     probe_add(&probe, &f, "probe");
 *     probe_run(&probe, some_function, data);     on the loop thread, waits
 *     probe.loop->post(probe.loop, probe.instance, fn, arg);
 *
 * Its functions run what the test puts into it: plain `plain`, asynchronous `async`.
 */
#ifndef SUPPORT_PROBE_H
#define SUPPORT_PROBE_H

#include <kernel/plugin.h>
#include <kernel/service.h>

#include "support/fixture.h"

typedef struct probe {
    kernel_plugin_t *plugin;
    kp_instance *instance;
    const kp_loop *loop;
    const kp_invoke *invoke;
    const kp_context *context;
    const kp_poll *poll;
    const kp_process_table *process;
    const kp_provider *provider;
    int (*plain)(kp_call *call, void *data);
    int (*async)(kp_call *call, void *data);
    void (*destroy)(void *data);
    void *data; /* of all three */
} probe_t;

#define PROBE_INIT                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

/* Add an instance; one that is there under the name belongs to another probe. */
void probe_add(probe_t *probe, fixture_t *fixture, const char *name);
/* The same as a service; `extension` answers what it offers. */
void probe_add_service(probe_t *probe, fixture_t *fixture, const char *name,
                       const void *(*extension)(kp_instance *instance, const char *id));
/* Run `fn` on the loop thread and wait for its end. */
void probe_run(const probe_t *probe, void (*fn)(void *data), void *data);

#endif /* SUPPORT_PROBE_H */
