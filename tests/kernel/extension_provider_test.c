/*
 * kernel.provider/1: operations of a service on behalf of others.
 *
 * The service here is shaped like one for HTTP: it offers a table whose first
 * parameter finds its state, answers on the loop thread, and ends an operation
 * early when it is told to stop.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/probe.h"

/* ---- the service ---- */

#define EXT_FETCH "test.fetch/1"

typedef struct fetch fetch_t;
typedef void (*fetch_done_fn)(void *arg, int status, const char *body);
struct fetch { /* the table */
    uint32_t size, reserved;
    /* Answers `ms` later with `body`; on the loop thread. */
    int (*get)(fetch_t *, kp_instance *user, kp_call *call, uint64_t ms, const char *body,
               fetch_done_fn done, void *arg);
};

typedef struct fetcher {
    fetch_t table; /* first: the table finds the service */
    probe_t probe;
    atomic_int begun; /* operations */
    atomic_int open;
    atomic_int stopped;
    atomic_int last_stop;
    bool is_deaf; /* to being told to stop */
    bool is_destroyed;
    int open_at_destroy;
} fetcher_t;

typedef struct operation {
    fetcher_t *fetcher;
    kp_hold *hold;
    kp_timer *timer;
    uint64_t ms;
    const char *body;
    fetch_done_fn done;
    void *arg;
} operation_t;

/* The answer first, then the release: until then neither instance goes. */
static void operation_end(operation_t *operation, int status)
{
    fetcher_t *fetcher = operation->fetcher;

    operation->done(operation->arg, status, status == KP_OK ? operation->body : NULL);
    atomic_fetch_sub(&fetcher->open, 1);
    fetcher->probe.provider->release(fetcher->probe.provider, operation->hold);
    free(operation);
}

static void operation_on_timer(void *data)
{
    operation_end(data, KP_OK);
}

static void operation_on_stop(void *data, int status)
{
    operation_t *operation = data;
    fetcher_t *fetcher = operation->fetcher;

    atomic_fetch_add(&fetcher->stopped, 1);
    atomic_store(&fetcher->last_stop, status);
    if (!fetcher->is_deaf) {
        fetcher->probe.loop->timer_stop(fetcher->probe.loop, operation->timer);
        operation_end(operation, status);
    }
}

static void operation_begin(void *data)
{
    operation_t *operation = data;
    fetcher_t *fetcher = operation->fetcher;

    operation->timer = fetcher->probe.loop->timer(fetcher->probe.loop, fetcher->probe.instance,
                                                  operation->ms, operation_on_timer, operation);
    if (operation->timer == NULL) {
        operation_end(operation, KP_E_UNAVAILABLE);
    }
}

static int fetch_get(fetch_t *table, kp_instance *user, kp_call *call, uint64_t ms,
                     const char *body, fetch_done_fn done, void *arg)
{
    fetcher_t *fetcher = (fetcher_t *)table;
    operation_t *operation = calloc(1, sizeof(*operation));
    int status;

    if (operation == NULL) {
        return KP_E_NO_MEMORY;
    }
    *operation =
        (operation_t){.fetcher = fetcher, .ms = ms, .body = body, .done = done, .arg = arg};
    atomic_fetch_add(&fetcher->open, 1);
    status = fetcher->probe.provider->hold(fetcher->probe.provider, fetcher->probe.instance, user,
                                           call, operation_on_stop, operation, &operation->hold);
    if (status == KP_OK) {
        atomic_fetch_add(&fetcher->begun, 1);
        operation_begin(operation);
        return KP_OK;
    }
    atomic_fetch_sub(&fetcher->open, 1);
    free(operation);
    return status;
}

static void fetcher_on_destroy(void *data)
{
    fetcher_t *fetcher = data;

    fetcher->is_destroyed = true;
    fetcher->open_at_destroy = atomic_load(&fetcher->open);
}

static const void *fetcher_extension(kp_instance *instance, const char *id)
{
    const probe_t *probe = instance->self;

    return strcmp(id, EXT_FETCH) == 0 ? probe->data : NULL;
}

static void fetcher_add(fetcher_t *fetcher, fixture_t *f)
{
    *fetcher = (fetcher_t){.table = {.size = sizeof(fetch_t), .get = fetch_get}};
    fetcher->probe.destroy = fetcher_on_destroy;
    fetcher->probe.data = fetcher;
    probe_add_service(&fetcher->probe, f, "fetcher", fetcher_extension);
}

/* ---- the plugin that uses it ---- */

typedef struct page {
    const char *body;
    uint64_t ms;
} page_t;

static void on_fetched(void *arg, int status, const char *body)
{
    kp_call *call = arg;

    if (status == KP_OK) {
        kp_set_text(call, "a page", 6);
        kp_attach(call, "page.html", "text/html", body, strlen(body));
        status = kp_return_integer(call, (int64_t)strlen(body));
    }
    kp_complete(call, status);
}

static int fetch_for_call(kp_call *call, void *data)
{
    const page_t *page = data;
    fetch_t *fetch = (fetch_t *)(uintptr_t)kp_extension(call->instance, EXT_FETCH);
    int status;

    if (fetch == NULL) {
        return kp_fail(call, KP_E_UNSUPPORTED, "there is nothing to fetch with");
    }
    status = fetch->get(fetch, call->instance, call, page->ms, page->body, on_fetched, call);
    return status == KP_OK ? KP_PENDING : status;
}

static void user_add(probe_t *user, fixture_t *f, const char *name, page_t *page)
{
    *user = (probe_t)PROBE_INIT;
    user->async = fetch_for_call;
    user->data = page;
    probe_add(user, f, name);
}

/* ---- it works ---- */

static void service_answers_with_a_result_that_has_an_attachment(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user;
    page_t page = {"<p>", 1};
    kernel_result_t *result;
    const kernel_attachment_t *attachment;

    fetcher_add(&fetcher, &f);
    user_add(&user, &f, "user", &page);
    result = fixture_call(&f, "user-async", "{}");
    CHECK_EQ(kernel_result_integer(result), 3);
    CHECK_STR(kernel_result_text(result), "a page");
    CHECK_EQ(kernel_result_attachment_count(result), 1);
    attachment = kernel_result_attachment_at(result, 0);
    CHECK_STR(attachment->media_type, "text/html");
    CHECK_STR(attachment->data, "<p>");
    kernel_result_free(result);
    fixture_free(&f);
    CHECK_EQ(atomic_load(&fetcher.stopped), 0);
    CHECK_EQ(atomic_load(&fetcher.open), 0);
}

static void each_kernel_has_a_service_of_its_own(void)
{
    fixture_t f[2] = {fixture_new(), fixture_new()};
    fetcher_t fetchers[2];
    probe_t users[2];
    page_t pages[2] = {{"a", 1}, {"bb", 1}};
    outcome_t outcomes[20];

    for (int i = 0; i < 2; i++) {
        fetcher_add(&fetchers[i], &f[i]);
        user_add(&users[i], &f[i], "user", &pages[i]);
    }
    for (int i = 0; i < 20; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f[i % 2], "user-async", NULL, NULL, "{}");
    }
    for (int i = 0; i < 20; i++) {
        outcome_wait(&outcomes[i]);
        CHECK_EQ(outcomes[i].integer, 1 + i % 2);
    }
    for (int i = 0; i < 2; i++) {
        fixture_free(&f[i]);
        CHECK_EQ(atomic_load(&fetchers[i].open), 0);
    }
}

static void extension_that_nobody_offers_is_not_there(void)
{
    fixture_t f = fixture_new();
    probe_t user;
    page_t page = {"", 1};

    user_add(&user, &f, "user", &page);
    CHECK_STATUS(fixture_call(&f, "user-async", "{}"), KERNEL_E_UNSUPPORTED);
    fixture_free(&f);
}

/* ---- early ends ---- */

static void wait_for_operation(fetcher_t *fetcher)
{
    while (atomic_load(&fetcher->open) == 0) {
        sched_yield();
    }
}

static page_t endless = {"never", 10 * FIXTURE_WAIT_MS};

static void cancelled_call_stops_its_operation(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user;
    outcome_t outcome = OUTCOME_INIT;
    kernel_call_t *call = NULL;

    fetcher_add(&fetcher, &f);
    user_add(&user, &f, "user", &endless);
    outcome_start(&outcome, &f, "user-async", NULL, &call, "{}");
    wait_for_operation(&fetcher);
    kernel_call_cancel(call);
    kernel_call_release(call);
    outcome_wait(&outcome);
    fixture_free(&f);
    CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
    CHECK_EQ(atomic_load(&fetcher.stopped), 1);
    CHECK_EQ(atomic_load(&fetcher.last_stop), KP_E_CANCELLED);
    CHECK_EQ(atomic_load(&fetcher.open), 0);
}

static void deadline_of_a_call_stops_its_operation(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user;
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    outcome_t outcome = OUTCOME_INIT;

    fetcher_add(&fetcher, &f);
    user_add(&user, &f, "user", &endless);
    options.timeout_ms = 50;
    CHECK_STATUS(kernel_invoke_with(fixture_function(&f, "user-async"), NULL, &options),
                 KERNEL_E_TIMEOUT);
    outcome_start(&outcome, &f, "user-async", &options, NULL, "{}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_TIMEOUT);
    fixture_free(&f);
    CHECK(atomic_load(&fetcher.begun) > 0); /* not those that were late already */
    CHECK_EQ(atomic_load(&fetcher.stopped), atomic_load(&fetcher.begun));
    CHECK_EQ(atomic_load(&fetcher.last_stop), KP_E_TIMEOUT);
}

typedef struct destroyed {
    fetcher_t *fetcher;
    int open;
    int times;
} destroyed_t;

static void note_destroy(void *data)
{
    destroyed_t *destroyed = data;

    destroyed->open = atomic_load(&destroyed->fetcher->open);
    destroyed->times++;
}

static int fetch_for_destroyed(kp_call *call, void *data)
{
    (void)data;
    return fetch_for_call(call, &endless);
}

static void removed_instance_is_not_destroyed_before_its_operations_end(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user = PROBE_INIT;
    destroyed_t destroyed = {.fetcher = &fetcher};
    outcome_t outcomes[10];

    fetcher_add(&fetcher, &f);
    user.async = fetch_for_destroyed;
    user.destroy = note_destroy;
    user.data = &destroyed;
    probe_add(&user, &f, "user");
    for (int i = 0; i < 10; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, "user-async", NULL, NULL, "{}");
    }
    CHECK_EQ(kernel_remove_plugin(user.plugin, NULL), KERNEL_OK);
    CHECK_EQ(destroyed.times, 1);
    CHECK_EQ(destroyed.open, 0);
    for (int i = 0; i < 10; i++) {
        outcome_wait(&outcomes[i]);
        CHECK_EQ(outcomes[i].status, KERNEL_E_UNAVAILABLE);
    }
    CHECK_EQ(fixture_log_count(&f, "leaked"), 0);
    fixture_free(&f);
}

/* ---- operations without a call ---- */

typedef struct background {
    fetch_t *fetch;
    kp_instance *instance;
    int begun;
    atomic_int ended;
    int status;
} background_t;

static void on_background(void *arg, int status, const char *body)
{
    background_t *background = arg;

    (void)body;
    background->status = status;
    atomic_fetch_add(&background->ended, 1);
}

static void begin_background(void *data)
{
    background_t *background = data;

    background->begun = background->fetch->get(background->fetch, background->instance, NULL,
                                               endless.ms, endless.body, on_background, background);
}

static void operation_of_an_instance_is_stopped_when_it_is_removed(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user;
    background_t background;

    fetcher_add(&fetcher, &f);
    user_add(&user, &f, "user", &endless);
    background = (background_t){.fetch = &fetcher.table, .instance = user.instance};
    probe_run(&user, begin_background, &background);
    CHECK_EQ(background.begun, KP_OK);
    CHECK_EQ(kernel_remove_plugin(user.plugin, NULL), KERNEL_OK);
    CHECK_EQ(atomic_load(&background.ended), 1);
    CHECK_EQ(background.status, KP_E_CANCELLED);
    fixture_free(&f);
}

static void note_closed(void *data)
{
    latch_open(data);
}

static void operation_of_an_instance_is_stopped_when_the_kernel_closes(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    fetcher_t fetcher;
    probe_t user;
    background_t background;
    latch_t closed = LATCH_INIT;

    options.drain_ms = FIXTURE_WAIT_MS; /* it is not waited for, but stopped */
    f = fixture_with_options(&options);
    fetcher_add(&fetcher, &f);
    user_add(&user, &f, "user", &endless);
    background = (background_t){.fetch = &fetcher.table, .instance = user.instance};
    probe_run(&user, begin_background, &background);
    CHECK_EQ(kernel_close(f.kernel, note_closed, &closed), KERNEL_OK);
    latch_wait(&closed);
    CHECK_EQ(atomic_load(&background.ended), 1);
    fixture_free(&f);
}

/* The plugin answers its call and leaves the operation behind. */
static void ignore_fetched(void *arg, int status, const char *body)
{
    (void)arg;
    (void)status;
    (void)body;
}

static int fetch_and_answer(kp_call *call, void *data)
{
    fetch_t *fetch = (fetch_t *)(uintptr_t)kp_extension(call->instance, EXT_FETCH);

    (void)data;
    if (fetch->get(fetch, call->instance, call, endless.ms, endless.body, ignore_fetched, NULL) !=
        KP_OK) {
        return KP_E_INTERNAL;
    }
    return kp_return_integer(call, 1);
}

static void operation_that_a_call_left_behind_is_stopped_at_removal(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user = PROBE_INIT;

    fetcher_add(&fetcher, &f);
    user.async = fetch_and_answer;
    probe_add(&user, &f, "user");
    CHECK_CALL(&f, "user-async", "{}", "1");
    CHECK_EQ(atomic_load(&fetcher.open), 1);
    CHECK_EQ(kernel_remove_plugin(user.plugin, NULL), KERNEL_OK);
    CHECK_EQ(atomic_load(&fetcher.open), 0);
    CHECK_EQ(atomic_load(&fetcher.stopped), 1);
    CHECK_EQ(fixture_log_count(&f, "leaked"), 0);
    fixture_free(&f);
}

/* ---- when it is too late ---- */

typedef struct late {
    fetch_t *fetch;
    int status;
} late_t;

static int fetch_when_cancelled(kp_call *call, void *data)
{
    late_t *late = data;

    while (!kp_cancelled(call)) {
        sched_yield();
    }
    late->status = late->fetch->get(late->fetch, call->instance, call, 1, "", ignore_fetched, NULL);
    return late->status;
}

static void hold_for_a_call_that_is_given_up_is_refused(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user = PROBE_INIT;
    late_t late = {.fetch = &fetcher.table};
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    fetcher_add(&fetcher, &f);
    user.plain = fetch_when_cancelled;
    user.data = &late;
    probe_add(&user, &f, "user");
    options.timeout_ms = 200;
    CHECK_STATUS(kernel_invoke_with(fixture_function(&f, "user-plain"), NULL, &options),
                 KERNEL_E_TIMEOUT);
    CHECK_EQ(late.status, KP_E_TIMEOUT);
    fixture_free(&f);
    CHECK_EQ(atomic_load(&fetcher.stopped), 0);
}

static void begin_in_destroy(void *data)
{
    begin_background(data);
}

static void hold_of_an_instance_that_is_being_removed_is_refused(void)
{
    fixture_t f = fixture_new();
    fetcher_t fetcher;
    probe_t user = PROBE_INIT;
    background_t background;

    fetcher_add(&fetcher, &f);
    user.destroy = begin_in_destroy;
    user.data = &background;
    probe_add(&user, &f, "user");
    background = (background_t){.fetch = &fetcher.table, .instance = user.instance};
    CHECK_EQ(kernel_remove_plugin(user.plugin, NULL), KERNEL_OK);
    CHECK_EQ(background.begun, KP_E_UNAVAILABLE);
    fixture_free(&f);
    CHECK_EQ(atomic_load(&background.ended), 0);
}

/* ---- the service's own end ---- */

static void service_is_destroyed_after_plugins_and_their_operations(void)
{
    for (int order = 0; order < 2; order++) {
        fixture_t f = fixture_new();
        fetcher_t fetcher;
        probe_t user;
        outcome_t outcomes[5];
        background_t background;

        if (order == 0) {
            fetcher_add(&fetcher, &f);
        }
        user_add(&user, &f, "user", &endless);
        if (order == 1) { /* as when a call loads it on demand: younger than its user */
            fetcher_add(&fetcher, &f);
        }
        background = (background_t){.fetch = &fetcher.table, .instance = user.instance};
        probe_run(&user, begin_background, &background);
        for (int i = 0; i < 5; i++) {
            outcomes[i] = (outcome_t)OUTCOME_INIT;
            outcome_start(&outcomes[i], &f, "user-async", NULL, NULL, "{}");
        }
        fixture_free(&f);
        CHECK(fetcher.is_destroyed);
        CHECK_EQ(fetcher.open_at_destroy, 0);
        CHECK_EQ(atomic_load(&background.ended), 1);
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(outcome_times(&outcomes[i]), 1);
            CHECK_EQ(outcomes[i].status, KERNEL_E_CLOSED);
        }
    }
}

static void service_that_does_not_stop_is_leaked_with_its_user(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    fetcher_t fetcher;
    probe_t user;
    outcome_t outcome = OUTCOME_INIT;

    options.drain_ms = 30;
    f = fixture_with_options(&options);
    fetcher_add(&fetcher, &f);
    fetcher.is_deaf = true;
    user_add(&user, &f, "user", &endless);
    outcome_start(&outcome, &f, "user-async", NULL, NULL, "{}");
    wait_for_operation(&fetcher);
    kernel_free(f.kernel);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK_EQ(outcome.status, KERNEL_E_CLOSED);
    CHECK(!fetcher.is_destroyed); /* its timer would find nothing */
    CHECK_EQ(atomic_load(&fetcher.stopped), 1);
    CHECK_EQ(fixture_log_count(&f, "the kernel is leaked"), 1);
    f.kernel = NULL;
    fixture_leave(&f);
}

/* ---- all at once ---- */

static void two_kernels_with_cancelled_calls_and_instances_that_go(void)
{
    for (int round = 0; round < 10; round++) {
        fixture_t f[2] = {fixture_new(), fixture_new()};
        fetcher_t fetchers[2];
        probe_t users[2][3];
        page_t pages[3] = {{"a", 1}, {"bb", 3}, {"ccc", 10 * FIXTURE_WAIT_MS}};
        outcome_t outcomes[60];
        kernel_call_t *calls[60];

        for (int k = 0; k < 2; k++) {
            fetcher_add(&fetchers[k], &f[k]);
            for (int u = 0; u < 3; u++) {
                char name[16];

                snprintf(name, sizeof(name), "user%d", u);
                user_add(&users[k][u], &f[k], name, &pages[u]);
            }
        }
        for (int i = 0; i < 60; i++) {
            char name[32];

            snprintf(name, sizeof(name), "user%d-async", i % 3);
            outcomes[i] = (outcome_t)OUTCOME_INIT;
            outcome_start(&outcomes[i], &f[i % 2], name, NULL, &calls[i], "{}");
        }
        for (int i = 0; i < 60; i += 7) {
            kernel_call_cancel(calls[i]);
        }
        CHECK_EQ(kernel_remove_plugin(users[round % 2][1].plugin, NULL), KERNEL_OK);
        for (int i = 0; i < 60; i++) {
            kernel_call_release(calls[i]);
        }
        fixture_free(&f[0]);
        fixture_free(&f[1]);
        for (int i = 0; i < 60; i++) {
            CHECK_EQ(outcome_times(&outcomes[i]), 1);
        }
        for (int k = 0; k < 2; k++) {
            CHECK_EQ(atomic_load(&fetchers[k].open), 0);
            CHECK_EQ(fetchers[k].open_at_destroy, 0);
        }
    }
}

TESTS(TEST(service_answers_with_a_result_that_has_an_attachment),
      TEST(each_kernel_has_a_service_of_its_own), TEST(extension_that_nobody_offers_is_not_there),
      TEST(cancelled_call_stops_its_operation), TEST(deadline_of_a_call_stops_its_operation),
      TEST(removed_instance_is_not_destroyed_before_its_operations_end),
      TEST(operation_of_an_instance_is_stopped_when_it_is_removed),
      TEST(operation_of_an_instance_is_stopped_when_the_kernel_closes),
      TEST(operation_that_a_call_left_behind_is_stopped_at_removal),
      TEST(hold_for_a_call_that_is_given_up_is_refused),
      TEST(hold_of_an_instance_that_is_being_removed_is_refused),
      TEST(service_is_destroyed_after_plugins_and_their_operations),
      TEST(service_that_does_not_stop_is_leaked_with_its_user),
      TEST(two_kernels_with_cancelled_calls_and_instances_that_go))
