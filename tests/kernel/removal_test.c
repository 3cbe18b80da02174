/* What happens to calls in flight when their plugin is removed or replaced. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <sched.h>
#include <unistd.h>

#include "support/fixture.h"

/* ---- an instance that tells what is done to it ---- */

typedef struct told {
    atomic_int created;
    atomic_int destroyed;
    atomic_int inside;
    atomic_int posted;
    atomic_int inside_at_destroy;
    atomic_int posted_at_create;
    const kp_loop *loop;
    int create_status;
    bool posts_in_create;
    bool logs_in_create;
    bool posts_in_destroy;
} told_t;

static told_t told;

static void on_post(void *data)
{
    (void)data;
    atomic_fetch_add(&told.posted, 1);
}

static int telling_create(kp_instance *instance)
{
    atomic_fetch_add(&told.created, 1);
    told.loop = kp_extension(instance, KP_EXT_LOOP);
    instance->self = &told;
    if (told.posts_in_create) {
        for (int i = 0; i < 3; i++) {
            told.loop->post(told.loop, instance, on_post, NULL);
        }
        told.loop->work(told.loop, instance, on_post, on_post, NULL);
        atomic_store(&told.posted_at_create, atomic_load(&told.posted));
    }
    if (told.logs_in_create) {
        kp_log(instance, KP_LOG_ERROR, "the moon is missing");
    }
    return told.create_status;
}

static void telling_destroy(kp_instance *instance)
{
    if (told.posts_in_destroy) {
        told.loop->post(told.loop, instance, on_post, NULL);
    }
    atomic_store(&told.inside_at_destroy, atomic_load(&told.inside));
    atomic_fetch_add(&told.destroyed, 1);
}

KP_FUNCTION(status, poll_inside, "Be inside until cancelled.")
{
    told_t *self = call->self;

    atomic_fetch_add(&self->inside, 1);
    while (!kp_cancelled(call)) {
        sched_yield();
    }
    atomic_fetch_sub(&self->inside, 1);
    return KP_E_CANCELLED;
}

static void inside_on_cancel(kp_call *call, void *data)
{
    told_t *self = data;

    atomic_fetch_sub(&self->inside, 1);
    kp_complete(call, KP_E_CANCELLED);
}

KP_FUNCTION(async, pend_inside, "Be inside, pending, until cancelled.")
{
    told_t *self = call->self;

    if (kp_on_cancel(call, inside_on_cancel, self) != KP_OK) {
        return KP_E_CANCELLED;
    }
    atomic_fetch_add(&self->inside, 1);
    return KP_PENDING;
}

KP_FUNCTION(integer, one, "Return 1.")
{
    return 1;
}

static const kp_plugin telling = {
    .size = sizeof(kp_plugin),
    .name = "telling",
    .version = "1.0.0",
    .description = "Tells what is done to it.",
    .functions = KP_FUNCTIONS(poll_inside, pend_inside, one),
    .create = telling_create,
    .destroy = telling_destroy,
};
static const kp_plugin *const telling_types[] = {&telling, NULL};
static const kp_module telling_module = {sizeof(kp_module), KP_MINOR, 0, 0, telling_types};

static const kp_module *telling_entry(const kp_host *host)
{
    (void)host;
    return &telling_module;
}

static fixture_t fixture_telling(void)
{
    static bool is_registered;

    if (!is_registered) { /* for the whole process */
        CHECK_EQ(kernel_register_static("telling", telling_entry, NULL), KERNEL_OK);
        is_registered = true;
    }
    memset(&told, 0, sizeof(told));
    return fixture_new();
}

static bool is_inside(void *data)
{
    const int *wanted = data;

    return atomic_load(&told.inside) == *wanted;
}

/* ---- create ---- */

static void failed_create_leaves_nothing_and_says_why(void)
{
    fixture_t f = fixture_telling();
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_error_t with_text = KERNEL_ERROR_INIT;

    told.create_status = KP_E_AUTH;
    CHECK(kernel_add_plugin(f.kernel, "telling", "t", NULL, &error) == NULL);
    CHECK_EQ(error.status, KERNEL_E_AUTH);
    CHECK_STR_CONTAINS(error.text, "cannot create plugin 't'");
    told.logs_in_create = true;
    CHECK(kernel_add_plugin(f.kernel, "telling", "t", NULL, &with_text) == NULL);
    CHECK_STR_CONTAINS(with_text.text, "the moon is missing");
    CHECK(kernel_find_plugin(f.kernel, "t") == NULL);
    told.create_status = KP_OK;
    CHECK(kernel_add_plugin(f.kernel, "telling", "t", NULL, NULL) != NULL); /* the name is free */
    fixture_free(&f);
    CHECK_EQ(atomic_load(&told.created), 3);
    CHECK_EQ(atomic_load(&told.destroyed), 1);
}

static void pending_create_is_an_error(void)
{
    fixture_t f = fixture_telling();
    kernel_error_t error = KERNEL_ERROR_INIT;

    told.create_status = KP_PENDING;
    CHECK(kernel_add_plugin(f.kernel, "telling", "t", NULL, &error) == NULL);
    CHECK_EQ(error.status, KERNEL_E_INTERNAL);
    fixture_free(&f);
}

static bool has_posted(void *data)
{
    const int *wanted = data;

    return atomic_load(&told.posted) == *wanted;
}

static void posts_of_create_are_held_until_it_returns(void)
{
    fixture_t f = fixture_telling();
    int wanted = 5;

    told.posts_in_create = true;
    fixture_add(&f, "telling", NULL);
    CHECK_EQ(atomic_load(&told.posted_at_create), 0);
    wait_until(has_posted, &wanted, "three posts and a piece of work in two parts have run");
    fixture_free(&f);
}

static void posts_of_a_failed_create_are_dropped(void)
{
    fixture_t f = fixture_telling();

    told.posts_in_create = true;
    told.create_status = KP_E_BUSY;
    CHECK(kernel_add_plugin(f.kernel, "telling", NULL, NULL, NULL) == NULL);
    fixture_free(&f);
    CHECK_EQ(atomic_load(&told.posted), 0);
    CHECK_EQ(atomic_load(&told.destroyed), 0);
}

/* ---- remove ---- */

static void destroy_runs_after_the_last_call_and_once(void)
{
    for (int i = 0; i < 2; i++) {
        fixture_t f = fixture_telling();
        kernel_plugin_t *plugin = fixture_add(&f, "telling", NULL);
        outcome_t outcomes[8];
        int wanted = 5; /* plain ones take turns: one at a time */

        for (int k = 0; k < 8; k++) {
            outcomes[k] = (outcome_t)OUTCOME_INIT;
            outcome_start(&outcomes[k], &f,
                          k % 2 == 0 ? "telling-pend_inside" : "telling-poll_inside", NULL, NULL,
                          "{}");
        }
        wait_until(is_inside, &wanted, "four are pending, one is running");
        if (i == 0) {
            CHECK_EQ(kernel_remove_plugin(plugin, NULL), KERNEL_OK);
            CHECK_EQ(atomic_load(&told.destroyed), 1);
        }
        fixture_free(&f);
        CHECK_EQ(atomic_load(&told.inside_at_destroy), 0);
        CHECK_EQ(atomic_load(&told.destroyed), 1);
        for (int k = 0; k < 8; k++) {
            CHECK_EQ(outcome_times(&outcomes[k]), 1);
            CHECK_EQ(outcomes[k].status, i == 0 ? KERNEL_E_UNAVAILABLE : KERNEL_E_CLOSED);
        }
    }
}

typedef struct bare {
    kernel_function_t *function;
    kernel_status_t status;
    pthread_t thread;
} bare_t;

static void *call_bare(void *data)
{
    bare_t *bare = data;
    kernel_result_t *result = kernel_invoke(bare->function, NULL);

    bare->status = kernel_result_status(result);
    kernel_result_free(result);
    return NULL;
}

static void bare_calls_of_other_threads_are_waited_for(void)
{
    fixture_t f = fixture_telling();
    kernel_plugin_t *plugin = fixture_add(&f, "telling", NULL);
    bare_t bare[3];
    int wanted = 1;

    for (int i = 0; i < 3; i++) {
        bare[i].function = kernel_plugin_find(plugin, "poll_inside");
        CHECK_EQ(pthread_create(&bare[i].thread, NULL, call_bare, &bare[i]), 0);
    }
    wait_until(is_inside, &wanted, "one has its turn");
    CHECK_EQ(kernel_remove_plugin(plugin, NULL), KERNEL_OK);
    CHECK_EQ(atomic_load(&told.inside_at_destroy), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(bare[i].thread, NULL);
        CHECK(bare[i].status == KERNEL_E_CANCELLED || bare[i].status == KERNEL_E_UNAVAILABLE);
    }
    fixture_free(&f);
}

static void removed_plugin_is_gone_and_its_name_free(void)
{
    fixture_t f = fixture_telling();
    kernel_plugin_t *plugin = fixture_add(&f, "telling", "t");
    kernel_function_t *one = kernel_plugin_find(plugin, "one");
    kernel_error_t error = KERNEL_ERROR_INIT;

    CHECK_CALL(&f, "t-one", "{}", "1");
    CHECK_EQ(kernel_remove_plugin(plugin, NULL), KERNEL_OK);
    CHECK(!kernel_plugin_is_available(plugin));
    CHECK(kernel_find_plugin(f.kernel, "t") == NULL);
    CHECK_STATUS(kernel_invoke(one, NULL), KERNEL_E_UNAVAILABLE);
    CHECK_EQ(kernel_remove_plugin(plugin, &error), KERNEL_E_UNAVAILABLE);
    CHECK_EQ(kernel_remove_plugin(NULL, NULL), KERNEL_E_NOT_FOUND);
    CHECK(kernel_add_plugin(f.kernel, "telling", "t", NULL, NULL) != NULL);
    CHECK_CALL(&f, "t-one", "{}", "1");
    CHECK_STATUS(kernel_invoke(one, NULL), KERNEL_E_UNAVAILABLE);
    CHECK_STR(kernel_plugin_name(plugin), "t"); /* handles stay readable */
    fixture_free(&f);
}

static void what_destroy_posts_is_waited_for(void)
{
    fixture_t f = fixture_telling();
    kernel_plugin_t *plugin = fixture_add(&f, "telling", NULL);

    told.posts_in_destroy = true;
    CHECK_EQ(kernel_remove_plugin(plugin, NULL), KERNEL_OK);
    CHECK_EQ(atomic_load(&told.posted), 1);
    fixture_free(&f);
}

static void removal_gives_up_when_the_drain_time_is_over(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    gate_t gate = gate_new();
    outcome_t outcome = OUTCOME_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;

    options.drain_ms = 30;
    f = fixture_with_options(&options);
    fixture_add(&f, "threads:threads", NULL);
    outcome_start(&outcome, &f, "threads-block", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    CHECK_EQ(kernel_remove_plugin(f.plugin, &error), KERNEL_E_BUSY);
    CHECK_STR_CONTAINS(error.text, "did not end in time");
    CHECK_EQ(fixture_log_count(&f, "a call of threads-block has not ended"), 1);
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_UNAVAILABLE);
    fixture_add(&f, "threads:threads", NULL); /* the name is free */
    gate_open(&gate, 1);
    fixture_leave(&f); /* whether it can be freed depends on when the call ends */
    gate_free(&gate);
    CHECK_EQ(outcome_times(&outcome), 1);
}

/* ---- where it is refused ---- */

typedef struct remover {
    kernel_plugin_t *plugin;
    kernel_error_t error;
} remover_t;

KP_FUNCTION(none, remove_it, "Remove a plugin.")
{
    remover_t *remover = call->self;

    (void)kernel_remove_plugin(remover->plugin, &remover->error);
}

static void removal_inside_an_own_call_is_refused(void)
{
    static const char *const ways[] = {"caller-call", "caller-start", "caller-start_and_wait"};
    fixture_t f = fixture_with_plugin("caller:caller");
    remover_t own = {.error = KERNEL_ERROR_INIT};

    CHECK(kernel_add_function(f.kernel, "host", &kpf_remove_it, &own, NULL) != NULL);
    own.plugin = kernel_find_plugin(f.kernel, "host");
    CHECK_STATUS(fixture_call(&f, "host-remove_it", "{}"), KERNEL_OK);
    CHECK_EQ(own.error.status, KERNEL_E_WOULD_DEADLOCK);
    own.plugin = f.plugin; /* the caller, which waits for this call */
    for (int i = 0; i < 3; i++) {
        own.error = (kernel_error_t)KERNEL_ERROR_INIT;
        CHECK_STATUS(fixture_call(&f, ways[i], "{\"name\":\"host-remove_it\"}"), KERNEL_OK);
        CHECK_EQ(own.error.status, KERNEL_E_WOULD_DEADLOCK);
    }
    CHECK(kernel_plugin_is_available(f.plugin));
    fixture_free(&f);
}

static void another_plugin_may_be_removed_inside_a_call(void)
{
    fixture_t f = fixture_with_plugin("calls");
    remover_t remover = {.plugin = f.plugin, .error = KERNEL_ERROR_INIT};
    outcome_t outcome = OUTCOME_INIT;

    CHECK(kernel_add_function(f.kernel, "host", &kpf_remove_it, &remover, NULL) != NULL);
    outcome_start(&outcome, &f, "host-remove_it", NULL, NULL, "{}");
    outcome_wait(&outcome);
    CHECK_EQ(remover.error.status, KERNEL_OK);
    CHECK(!kernel_plugin_is_available(f.plugin));
    fixture_free(&f);
}

/* ---- replace ---- */

static void replacing_creates_the_new_one_then_removes_the_old_one(void)
{
    fixture_t f = fixture_telling();
    kernel_plugin_t *old = fixture_add(&f, "telling", "t");
    kernel_function_t *one = kernel_plugin_find(old, "one");
    kernel_plugin_t *new_one = kernel_replace_plugin(f.kernel, "telling", "t", NULL, NULL);

    CHECK(new_one != NULL && new_one != old);
    CHECK(kernel_find_plugin(f.kernel, "t") == new_one);
    CHECK_EQ(atomic_load(&told.created), 2);
    CHECK_EQ(atomic_load(&told.destroyed), 1);
    CHECK_STATUS(kernel_invoke(one, NULL), KERNEL_E_UNAVAILABLE);
    CHECK_CALL(&f, "t-one", "{}", "1");
    fixture_free(&f);
    CHECK_EQ(atomic_load(&told.destroyed), 2);
}

static void old_one_stays_when_it_cannot_be_replaced(void)
{
    fixture_t f = fixture_telling();
    kernel_error_t errors[3] = {KERNEL_ERROR_INIT, KERNEL_ERROR_INIT, KERNEL_ERROR_INIT};

    fixture_add(&f, "telling", "t");
    told.create_status = KP_E_AUTH;
    CHECK(kernel_replace_plugin(f.kernel, "telling", "t", NULL, &errors[0]) == NULL);
    CHECK_EQ(errors[0].status, KERNEL_E_AUTH);
    CHECK(kernel_replace_plugin(f.kernel, "telling", "x", NULL, &errors[1]) == NULL);
    CHECK_EQ(errors[1].status, KERNEL_E_NOT_FOUND);
    CHECK(kernel_replace_plugin(f.kernel, "telling", NULL, NULL, &errors[2]) == NULL);
    CHECK_EQ(errors[2].status, KERNEL_E_INVALID);
    CHECK_CALL(&f, "t-one", "{}", "1");
    fixture_free(&f);
}

typedef struct replacer {
    kernel_t *kernel;
    kernel_error_t error;
    kernel_plugin_t *result;
} replacer_t;

KP_FUNCTION(none, replace_it, "Replace this plugin.")
{
    replacer_t *replacer = call->self;

    replacer->result =
        kernel_replace_plugin(replacer->kernel, "telling", "host", NULL, &replacer->error);
}

static void replacing_inside_an_own_call_is_refused_with_a_reason(void)
{
    fixture_t f = fixture_telling();
    replacer_t replacer = {.kernel = f.kernel, .error = KERNEL_ERROR_INIT};

    CHECK(kernel_add_function(f.kernel, "host", &kpf_replace_it, &replacer, NULL) != NULL);
    CHECK_STATUS(fixture_call(&f, "host-replace_it", "{}"), KERNEL_OK);
    CHECK(replacer.result == NULL);
    CHECK_EQ(replacer.error.status, KERNEL_E_WOULD_DEADLOCK);
    CHECK_STR_CONTAINS(replacer.error.text, "inside one of its own calls");
    CHECK_EQ(atomic_load(&told.created), 1);
    CHECK_EQ(atomic_load(&told.destroyed), 1);
    CHECK_STATUS(fixture_call(&f, "host-replace_it", "{}"), KERNEL_OK);
    fixture_free(&f);
}

/* A call of the old instance that needs the registry to end. */
typedef struct asker {
    kernel_t *kernel;
    latch_t inside;
} asker_t;

static asker_t asker;

KP_FUNCTION(status, add_when_cancelled, "Once cancelled, add a plugin, then end.")
{
    latch_open(&asker.inside);
    while (!kp_cancelled(call)) {
        sched_yield();
    }
    return kernel_add_plugin(asker.kernel, "calls", NULL, NULL, NULL) != NULL ? KP_E_CANCELLED
                                                                              : KP_E_INTERNAL;
}

static const kp_plugin asking = {
    .size = sizeof(kp_plugin),
    .name = "asking",
    .version = "1.0.0",
    .description = "Adds plugins.",
    .functions = KP_FUNCTIONS(add_when_cancelled),
};
static const kp_plugin *const asking_types[] = {&asking, NULL};
static const kp_module asking_module = {sizeof(kp_module), KP_MINOR, 0, 0, asking_types};

static const kp_module *asking_entry(const kp_host *host)
{
    (void)host;
    return &asking_module;
}

static void call_of_the_old_one_may_add_plugins_while_it_is_replaced(void)
{
    fixture_t f = fixture_new();
    outcome_t outcome = OUTCOME_INIT;

    asker = (asker_t){.kernel = f.kernel, .inside = LATCH_INIT};
    CHECK_EQ(kernel_register_static("asking", asking_entry, NULL), KERNEL_OK);
    fixture_add(&f, "asking", NULL);
    outcome_start(&outcome, &f, "asking-add_when_cancelled", NULL, NULL, "{}");
    latch_wait(&asker.inside);
    CHECK(kernel_replace_plugin(f.kernel, "asking", "asking", NULL, NULL) != NULL);
    CHECK(kernel_find_plugin(f.kernel, "calls") != NULL);
    CHECK_EQ(fixture_log_count(&f, "leaked"), 0);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&outcome), 1);
}

/* ---- all at once ---- */

typedef struct traffic {
    const fixture_t *f;
    atomic_bool is_over;
    atomic_int strange;
    pthread_t thread;
} traffic_t;

static void *call_whatever_is_there(void *data)
{
    traffic_t *traffic = data;

    while (!atomic_load(&traffic->is_over)) {
        kernel_result_t *result = fixture_call(traffic->f, "t-one", "{}");
        kernel_status_t status = kernel_result_status(result);

        if (status != KERNEL_OK && status != KERNEL_E_UNAVAILABLE && status != KERNEL_E_NOT_FOUND &&
            status != KERNEL_E_CANCELLED) {
            atomic_fetch_add(&traffic->strange, 1);
        }
        kernel_result_free(result);
    }
    return NULL;
}

static void adding_replacing_and_removing_beside_calls_is_safe(void)
{
    fixture_t f = fixture_telling();
    traffic_t traffic[4];

    for (int i = 0; i < 4; i++) {
        traffic[i] = (traffic_t){.f = &f};
        CHECK_EQ(pthread_create(&traffic[i].thread, NULL, call_whatever_is_there, &traffic[i]), 0);
    }
    for (int i = 0; i < 40; i++) {
        kernel_plugin_t *plugin = fixture_add(&f, "telling", "t");
        outcome_t outcome = OUTCOME_INIT;

        outcome_start(&outcome, &f, "t-pend_inside", NULL, NULL, "{}");
        if (i % 2 == 0) {
            plugin = kernel_replace_plugin(f.kernel, "telling", "t", NULL, NULL);
        }
        CHECK_EQ(kernel_remove_plugin(plugin, NULL), KERNEL_OK);
        outcome_wait(&outcome);
        CHECK_EQ(outcome.status, KERNEL_E_UNAVAILABLE);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
    for (int i = 0; i < 4; i++) {
        atomic_store(&traffic[i].is_over, true);
        pthread_join(traffic[i].thread, NULL);
        CHECK_EQ(atomic_load(&traffic[i].strange), 0);
    }
    fixture_free(&f);
    CHECK_EQ(atomic_load(&told.destroyed), atomic_load(&told.created));
    CHECK_EQ(atomic_load(&told.inside), 0);
}

TESTS(TEST(failed_create_leaves_nothing_and_says_why), TEST(pending_create_is_an_error),
      TEST(posts_of_create_are_held_until_it_returns), TEST(posts_of_a_failed_create_are_dropped),
      TEST(destroy_runs_after_the_last_call_and_once),
      TEST(bare_calls_of_other_threads_are_waited_for),
      TEST(removed_plugin_is_gone_and_its_name_free), TEST(what_destroy_posts_is_waited_for),
      TEST(removal_gives_up_when_the_drain_time_is_over),
      TEST(removal_inside_an_own_call_is_refused),
      TEST(another_plugin_may_be_removed_inside_a_call),
      TEST(replacing_creates_the_new_one_then_removes_the_old_one),
      TEST(old_one_stays_when_it_cannot_be_replaced),
      TEST(replacing_inside_an_own_call_is_refused_with_a_reason),
      TEST(call_of_the_old_one_may_add_plugins_while_it_is_replaced),
      TEST(adding_replacing_and_removing_beside_calls_is_safe))
