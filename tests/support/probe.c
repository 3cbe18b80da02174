/*
 * probe.c - a plugin inside the test.
 */
#include "support/probe.h"

static probe_t *being_added; /* create() has no other way to find it */
static const void *(*service_extension)(kp_instance *instance, const char *id);

static int probe_create(kp_instance *instance)
{
    probe_t *probe = being_added;

    probe->instance = instance;
    probe->loop = kp_extension(instance, KP_EXT_LOOP);
    probe->invoke = kp_extension(instance, KP_EXT_INVOKE);
    probe->context = kp_extension(instance, KP_EXT_CONTEXT);
    probe->poll = kp_extension(instance, KP_EXT_POLL);
    probe->process = kp_extension(instance, KP_EXT_PROCESS);
    probe->provider = kp_extension(instance, KP_EXT_PROVIDER);
    instance->self = probe;
    return KP_OK;
}

static void probe_destroy(kp_instance *instance)
{
    const probe_t *probe = instance->self;

    if (probe->destroy != NULL) {
        probe->destroy(probe->data);
    }
}

static const void *probe_extension(kp_instance *instance, const char *id)
{
    return service_extension != NULL ? service_extension(instance, id) : NULL;
}

KP_FUNCTION_FLAGS(KP_F_CONCURRENT, status, plain, "Run what the test put in.")
{
    const probe_t *probe = call->self;

    return probe->plain(call, probe->data);
}

KP_FUNCTION(async, async, "Run what the test put in, on the loop thread.")
{
    const probe_t *probe = call->self;

    return probe->async(call, probe->data);
}

static const kp_plugin probe_type = {
    .size = sizeof(kp_plugin),
    .name = "probe",
    .version = "1.0.0",
    .description = "A plugin inside the test.",
    .functions = KP_FUNCTIONS(plain, async),
    .create = probe_create,
    .destroy = probe_destroy,
    .extension = probe_extension,
};
static const kp_plugin *const probe_types[] = {&probe_type, NULL};
static const kp_module probe_module = {sizeof(kp_module), KP_MINOR, 0, 0, probe_types};

static const kp_module *probe_entry(const kp_host *host)
{
    (void)host;
    return &probe_module;
}

static void probe_register(probe_t *probe)
{
    static bool is_registered;

    if (!is_registered) { /* for the whole process */
        CHECK_EQ(kernel_register_static("probe", probe_entry, NULL), KERNEL_OK);
        is_registered = true;
    }
    being_added = probe;
}

void probe_add(probe_t *probe, fixture_t *fixture, const char *name)
{
    probe_register(probe);
    probe->plugin = fixture_add(fixture, "probe", name);
}

void probe_add_service(probe_t *probe, fixture_t *fixture, const char *name,
                       const void *(*extension)(kp_instance *instance, const char *id))
{
    probe_register(probe);
    service_extension = extension;
    CHECK(kernel_add_service(fixture->kernel, "probe", name, NULL, NULL) != NULL);
}

typedef struct errand {
    void (*fn)(void *data);
    void *data;
    latch_t done;
} errand_t;

static void errand_run(void *data)
{
    errand_t *errand = data;

    errand->fn(errand->data);
    latch_open(&errand->done);
}

void probe_run(const probe_t *probe, void (*fn)(void *data), void *data)
{
    errand_t errand = {.fn = fn, .data = data, .done = LATCH_INIT};

    CHECK_EQ(probe->loop->post(probe->loop, probe->instance, errand_run, &errand), KP_OK);
    latch_wait(&errand.done);
}
