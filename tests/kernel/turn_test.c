/* One plain call of an instance at a time, and never a wait that could not end. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <unistd.h>

#include "support/fixture.h"

/* ---- order ---- */

typedef struct adder {
    const fixture_t *fixture;
    pthread_t thread;
} adder_t;

static void *add_often(void *data)
{
    const adder_t *adder = data;

    for (int i = 0; i < 100; i++) {
        kernel_result_free(fixture_call(adder->fixture, "counter-add", "{\"amount\":1}"));
    }
    return NULL;
}

static void plain_calls_of_an_instance_with_state_take_turns(void)
{
    fixture_t f = fixture_with_plugin("threads:counter");
    adder_t adders[8];
    outcome_t outcomes[50];

    for (int i = 0; i < 8; i++) {
        adders[i].fixture = &f;
        CHECK_EQ(pthread_create(&adders[i].thread, NULL, add_often, &adders[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, "counter-add", NULL, NULL, "{\"amount\":1}");
    }
    for (int i = 0; i < 50; i++) {
        outcome_wait(&outcomes[i]);
        CHECK_EQ(outcomes[i].status, KERNEL_OK);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(adders[i].thread, NULL);
    }
    CHECK_CALL(&f, "counter-add", "{\"amount\":0}", "850");
    CHECK_CALL(&f, "counter-most", "{}", "1");
    fixture_free(&f);
}

static void calls_that_wait_are_served_in_the_order_of_their_coming(void)
{
    fixture_t f = fixture_with_plugin("threads:counter");
    gate_t gate = gate_new();
    outcome_t holder = OUTCOME_INIT;
    outcome_t outcomes[10];

    outcome_start(&holder, &f, "counter-hold", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    for (int i = 0; i < 10; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, "counter-add", NULL, NULL, "{\"amount\":1}");
    }
    gate_open(&gate, 1);
    for (int i = 0; i < 10; i++) {
        outcome_wait(&outcomes[i]);
        CHECK_EQ(outcomes[i].integer, i + 1);
    }
    fixture_free(&f);
    gate_free(&gate);
}

static void instances_of_one_type_do_not_wait_for_each_other(void)
{
    fixture_t f = fixture_with_plugin("threads:counter");
    gate_t gate = gate_new();
    outcome_t outcome = OUTCOME_INIT;

    fixture_add(&f, "threads:counter", "other");
    outcome_start(&outcome, &f, "counter-hold", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    CHECK_CALL(&f, "other-add", "{\"amount\":3}", "3");
    gate_open(&gate, 1);
    outcome_wait(&outcome);
    fixture_free(&f);
    gate_free(&gate);
}

static void concurrent_functions_run_beside_others_and_each_other(void)
{
    fixture_t f = fixture_with_plugin("threads:counter");
    gate_t gate = gate_new();
    outcome_t outcomes[3] = {OUTCOME_INIT, OUTCOME_INIT, OUTCOME_INIT};

    outcome_start(&outcomes[0], &f, "counter-hold", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    for (int i = 1; i < 3; i++) {
        outcome_start(&outcomes[i], &f, "counter-hold_beside", NULL, NULL,
                      "{\"begun\":%d,\"go\":%d}", gate.begun[1], gate.go[0]);
        gate_wait(&gate, 1);
    }
    CHECK_CALL(&f, "counter-most_beside", "{}", "3");
    gate_open(&gate, 3);
    for (int i = 0; i < 3; i++) {
        outcome_wait(&outcomes[i]);
    }
    fixture_free(&f);
    gate_free(&gate);
}

static void plugin_without_state_is_called_concurrently(void)
{
    fixture_t f = fixture_with_plugin("threads:threads");
    gate_t gate = gate_new();
    outcome_t outcomes[3] = {OUTCOME_INIT, OUTCOME_INIT, OUTCOME_INIT};

    for (int i = 0; i < 3; i++) {
        outcome_start(&outcomes[i], &f, "threads-block", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                      gate.begun[1], gate.go[0]);
    }
    gate_wait(&gate, 3);
    gate_open(&gate, 3);
    for (int i = 0; i < 3; i++) {
        outcome_wait(&outcomes[i]);
    }
    fixture_free(&f);
    gate_free(&gate);
}

/* ---- deadlines and cancellation of those who wait ---- */

typedef struct held {
    fixture_t f;
    gate_t gate;
    outcome_t holder;
} held_t;

/* A counter that is busy until held_end(). */
static void held_begin(held_t *held)
{
    *held = (held_t){
        .f = fixture_with_plugin("threads:counter"), .gate = gate_new(), .holder = OUTCOME_INIT};
    outcome_start(&held->holder, &held->f, "counter-hold", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  held->gate.begun[1], held->gate.go[0]);
    gate_wait(&held->gate, 1);
}

static void held_end(held_t *held)
{
    gate_open(&held->gate, 1);
    outcome_wait(&held->holder);
    CHECK_EQ(held->holder.status, KERNEL_OK);
    CHECK_CALL(&held->f, "counter-add", "{\"amount\":1}", "1"); /* the turn is not lost */
    fixture_free(&held->f);
    gate_free(&held->gate);
}

static void caller_that_waits_for_its_turn_has_its_deadline(void)
{
    held_t held;
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    outcome_t outcome = OUTCOME_INIT;

    held_begin(&held);
    options.timeout_ms = 5;
    kernel_args_set_integer(held.f.args, "amount", 1000);
    CHECK_STATUS(
        kernel_invoke_with(fixture_function(&held.f, "counter-add"), held.f.args, &options),
        KERNEL_E_TIMEOUT);
    outcome_start(&outcome, &held.f, "counter-add", &options, NULL, "{\"amount\":1000}");
    outcome_wait(&outcome);
    CHECK_EQ(outcome.status, KERNEL_E_TIMEOUT);
    held_end(&held);
    CHECK_EQ(outcome_times(&outcome), 1);
}

typedef struct queued {
    const kernel_function_t *function;
    const kernel_args_t *args;
    kernel_cancel_t *cancel;
    kernel_status_t status;
} queued_t;

static void *queue_up(void *data)
{
    queued_t *queued = data;
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_result_t *result;

    options.cancel = queued->cancel;
    result = kernel_invoke_with(queued->function, queued->args, &options);
    queued->status = kernel_result_status(result);
    kernel_result_free(result);
    return NULL;
}

static void caller_that_waits_for_its_turn_can_be_cancelled(void)
{
    held_t held;
    queued_t queued = {.cancel = kernel_cancel_new()};
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    outcome_t outcome = OUTCOME_INIT;
    pthread_t thread;

    held_begin(&held);
    options.cancel = queued.cancel;
    kernel_args_set_integer(held.f.args, "amount", 1000);
    queued.function = fixture_function(&held.f, "counter-add");
    queued.args = held.f.args;
    CHECK_EQ(pthread_create(&thread, NULL, queue_up, &queued), 0);
    outcome_start(&outcome, &held.f, "counter-add", &options, NULL, "{\"amount\":1000}");
    kernel_cancel_trigger(queued.cancel);
    pthread_join(thread, NULL);
    outcome_wait(&outcome);
    CHECK_EQ(queued.status, KERNEL_E_CANCELLED);
    CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
    kernel_cancel_free(queued.cancel);
    held_end(&held);
    CHECK_EQ(outcome_times(&outcome), 1);
}

static void waiting_started_calls_occupy_no_thread(void)
{
    held_t held;
    outcome_t outcomes[50];
    int before;

    held_begin(&held);
    before = thread_count();
    for (int i = 0; i < 50; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &held.f, "counter-add", NULL, NULL, "{\"amount\":0}");
    }
    CHECK_EQ(thread_count(), before);
    gate_open(&held.gate, 1);
    for (int i = 0; i < 50; i++) {
        outcome_wait(&outcomes[i]);
    }
    outcome_wait(&held.holder);
    fixture_free(&held.f);
    gate_free(&held.gate);
}

static int create_nothing(kp_instance *instance)
{
    instance->self = instance;
    return KP_OK;
}

KP_FUNCTION(none, hold_turn, "Keep the instance busy.", (integer, begun, "A pipe."),
            (integer, go, "A pipe."))
{
    char byte;

    if (write((int)begun, "", 1) == 1) {
        while (read((int)go, &byte, 1) < 0) {
        }
    }
}

KP_FUNCTION_FLAGS(KP_F_QUICK, integer, quick_turn, "Be quick.")
{
    return 7;
}

KP_FUNCTION(async, async_turn, "Be asynchronous.")
{
    return kp_return_integer(call, 8);
}

static const kp_plugin turning = {
    .size = sizeof(kp_plugin),
    .name = "turning",
    .version = "1.0.0",
    .description = "Has state, of a sort.",
    .functions = KP_FUNCTIONS(hold_turn, quick_turn, async_turn),
    .create = create_nothing,
};
static const kp_plugin *const turning_types[] = {&turning, NULL};
static const kp_module turning_module = {sizeof(kp_module), KP_MINOR, 0, 0, turning_types};

static const kp_module *turning_entry(const kp_host *host)
{
    (void)host;
    return &turning_module;
}

static void quick_function_of_a_busy_instance_does_not_hold_up_the_loop(void)
{
    fixture_t f = fixture_new();
    gate_t gate = gate_new();
    outcome_t holder = OUTCOME_INIT;
    outcome_t quick = OUTCOME_INIT;

    CHECK_EQ(kernel_register_static("turning", turning_entry, NULL), KERNEL_OK);
    fixture_add(&f, "turning", NULL);
    outcome_start(&holder, &f, "turning-hold_turn", NULL, NULL, "{\"begun\":%d,\"go\":%d}",
                  gate.begun[1], gate.go[0]);
    gate_wait(&gate, 1);
    outcome_start(&quick, &f, "turning-quick_turn", NULL, NULL, "{}");
    CHECK_CALL(&f, "turning-async_turn", "{}", "8"); /* beside the plain one, on a live loop */
    CHECK_EQ(outcome_times(&quick), 0);
    gate_open(&gate, 1);
    outcome_wait(&quick);
    CHECK_EQ(quick.integer, 7);
    fixture_free(&f);
    gate_free(&gate);
}

/* ---- cycles ---- */

static void call_that_would_wait_for_its_own_ancestor_is_refused(void)
{
    fixture_t f = fixture_with_plugin("caller:caller_with_state");
    kernel_result_t *result = fixture_call(&f, "caller_with_state-nest", "{\"depth\":1}");

    CHECK_STR_CONTAINS(kernel_result_error(result), "KP_F_CONCURRENT");
    CHECK_STR_CONTAINS(kernel_result_error(result), "caller_with_state");
    CHECK_STATUS(result, KERNEL_E_WOULD_DEADLOCK);
    fixture_free(&f);
}

static void ancestor_is_found_through_every_way_of_calling(void)
{
    static const char *const ways[] = {"call", "start", "start_and_wait"};

    for (int i = 0; i < 9; i++) {
        fixture_t f = fixture_with_plugin("caller:caller_with_state");
        outcome_t outcome = OUTCOME_INIT;

        fixture_add(&f, "caller:caller", NULL);
        /* with state -> without state -> with state */
        outcome_start(&outcome, &f, "caller_with_state-call", NULL, NULL,
                      "{\"name\":\"caller-%s\",\"arguments\":{\"name\":\"caller_with_state-%s\","
                      "\"arguments\":{\"name\":\"caller_with_state-context\",\"arguments\":"
                      "{\"key\":\"a\"}}}}",
                      ways[i / 3], i % 3 == 1 ? "call" : ways[i % 3]);
        outcome_wait(&outcome);
        CHECK_EQ(outcome.status, KERNEL_E_WOULD_DEADLOCK);
        fixture_free(&f);
    }
}

static void sibling_instance_is_no_ancestor(void)
{
    fixture_t f = fixture_with_plugin("caller:caller_with_state");

    fixture_add(&f, "caller:caller_with_state", "other");
    CHECK_CALL(&f, "caller_with_state-call",
               "{\"name\":\"other-nest\",\"arguments\":{\"depth\":0}}", "bottom");
    fixture_free(&f);
}

/* Two instances, each in a call that wants the other. */
typedef struct meeting {
    pthread_barrier_t both_inside;
} meeting_t;

static meeting_t meeting;

KP_FUNCTION(status, meet, "Wait until both are inside, then call the other.",
            (string, other, "The other's function."))
{
    const kp_invoke *invoke = kp_extension(call->instance, KP_EXT_INVOKE);
    int status;

    pthread_barrier_wait(&meeting.both_inside);
    status = invoke->call(invoke, call, other, NULL, 0, NULL, NULL, NULL);
    return status == KP_OK ? kp_return_null(call) : status;
}

KP_FUNCTION(none, rest, "Do nothing.")
{
}

static const kp_plugin meeting_type = {
    .size = sizeof(kp_plugin),
    .name = "meeting",
    .version = "1.0.0",
    .description = "Meets others.",
    .functions = KP_FUNCTIONS(meet, rest),
    .create = create_nothing,
};
static const kp_plugin *const meeting_types[] = {&meeting_type, NULL};
static const kp_module meeting_module = {sizeof(kp_module), KP_MINOR, 0, 0, meeting_types};

static const kp_module *meeting_entry(const kp_host *host)
{
    (void)host;
    return &meeting_module;
}

/* `count` instances in a ring, each calling the next: exactly one call must be refused. */
static void meet_in_a_ring(int count)
{
    fixture_t f = fixture_new();
    outcome_t outcomes[8];
    int refused = 0;

    pthread_barrier_init(&meeting.both_inside, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        char name[16];

        snprintf(name, sizeof(name), "m%d", i);
        fixture_add(&f, "meeting", name);
    }
    for (int i = 0; i < count; i++) {
        char name[32];

        outcomes[i] = (outcome_t)OUTCOME_INIT;
        snprintf(name, sizeof(name), "m%d-meet", i);
        outcome_start(&outcomes[i], &f, name, NULL, NULL, "{\"other\":\"m%d-rest\"}",
                      (i + 1) % count);
    }
    for (int i = 0; i < count; i++) {
        outcome_wait(&outcomes[i]);
        refused += outcomes[i].status == KERNEL_E_WOULD_DEADLOCK;
        CHECK(outcomes[i].status == KERNEL_OK || outcomes[i].status == KERNEL_E_WOULD_DEADLOCK);
    }
    CHECK_EQ(refused, 1);
    fixture_free(&f);
    pthread_barrier_destroy(&meeting.both_inside);
}

static void instances_that_wait_crosswise_are_found(void)
{
    CHECK_EQ(kernel_register_static("meeting", meeting_entry, NULL), KERNEL_OK);
    for (int i = 0; i < 20; i++) {
        meet_in_a_ring(2);
        meet_in_a_ring(3);
        meet_in_a_ring(4);
    }
}

TESTS(TEST(plain_calls_of_an_instance_with_state_take_turns),
      TEST(calls_that_wait_are_served_in_the_order_of_their_coming),
      TEST(instances_of_one_type_do_not_wait_for_each_other),
      TEST(concurrent_functions_run_beside_others_and_each_other),
      TEST(plugin_without_state_is_called_concurrently),
      TEST(caller_that_waits_for_its_turn_has_its_deadline),
      TEST(caller_that_waits_for_its_turn_can_be_cancelled),
      TEST(waiting_started_calls_occupy_no_thread),
      TEST(quick_function_of_a_busy_instance_does_not_hold_up_the_loop),
      TEST(call_that_would_wait_for_its_own_ancestor_is_refused),
      TEST(ancestor_is_found_through_every_way_of_calling), TEST(sibling_instance_is_no_ancestor),
      TEST(instances_that_wait_crosswise_are_found))
