/* Pieces of output on their way: in order, bounded, before the result. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <poll.h>
#include <sched.h>
#include <stdio.h>

#include "support/fixture.h"

/* ---- a listener ---- */

typedef struct listener {
    pthread_mutex_t lock;
    int count;
    int out_of_order;
    int after_the_end;
    int beside; /* callbacks that met another one of the same call */
    bool is_inside;
    bool is_over;
    double progress;
    int went_back;
    char last[64];
    size_t last_size;
    kernel_chunk_kind_t kinds[4];
    outcome_t outcome;
} listener_t;

#define LISTENER_INIT                                                                              \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .outcome = OUTCOME_INIT                                 \
    }

static void listener_enter(listener_t *listener)
{
    pthread_mutex_lock(&listener->lock);
    listener->beside += listener->is_inside;
    listener->is_inside = true;
    pthread_mutex_unlock(&listener->lock);
}

static void listener_leave(listener_t *listener)
{
    pthread_mutex_lock(&listener->lock);
    listener->is_inside = false;
    pthread_mutex_unlock(&listener->lock);
}

static void on_chunk(kernel_chunk_kind_t kind, const void *data, size_t size, void *user_data)
{
    listener_t *listener = user_data;
    char wanted[32];

    listener_enter(listener);
    snprintf(wanted, sizeof(wanted), "chunk %d", listener->count);
    listener->out_of_order += strcmp(data, wanted) != 0; /* a NUL follows the data */
    listener->after_the_end += listener->is_over;
    if (listener->count < 4) {
        listener->kinds[listener->count] = kind;
    }
    listener->last_size = size;
    memcpy(listener->last, data, size < sizeof(listener->last) ? size : sizeof(listener->last));
    listener->count++;
    sched_yield();
    listener_leave(listener);
}

static void on_progress(double fraction, void *user_data)
{
    listener_t *listener = user_data;

    listener_enter(listener);
    listener->went_back += fraction < listener->progress;
    listener->progress = fraction;
    listener->after_the_end += listener->is_over;
    listener_leave(listener);
}

static void on_end(const kernel_result_t *result, void *data)
{
    listener_t *listener = data;

    listener_enter(listener);
    listener->is_over = true;
    listener_leave(listener);
    outcome_note(result, &listener->outcome);
}

static kernel_invoke_options_t listening(listener_t *listener)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    options.on_chunk = on_chunk;
    options.stream_data = listener;
    return options;
}

static void start_listening(const fixture_t *f, const char *name, const char *json,
                            const kernel_invoke_options_t *options, listener_t *listener)
{
    kernel_args_t *args = kernel_args_new();

    CHECK_EQ(kernel_args_read_json(args, json, strlen(json), NULL), KERNEL_OK);
    CHECK_EQ(kernel_invoke_async(fixture_function(f, name), args, options, on_end, listener, NULL),
             KERNEL_OK);
    kernel_args_free(args);
}

static void check_all_heard(const listener_t *listener, int count)
{
    CHECK_EQ(listener->count, count);
    CHECK_EQ(listener->out_of_order, 0);
    CHECK_EQ(listener->after_the_end, 0);
    CHECK_EQ(listener->beside, 0);
}

/* ---- order ---- */

#define COUNT 1000

static void chunks_come_in_order_before_the_result(void)
{
    /* What is passed on by a function that does not wait for room must fit. */
    static const struct {
        const char *name;
        const char *json;
        int count;
        bool may_lose;
    } cases[] = {
        {"async-stream", "{\"count\":1000}", COUNT, false},
        {"caller-start", "{\"name\":\"async-stream\",\"arguments\":{\"count\":200}}", 200, false},
        {"caller-call", "{\"name\":\"async-stream\",\"arguments\":{\"count\":1000}}", COUNT, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_t f = fixture_with_plugin("async");
        listener_t started = LISTENER_INIT;
        listener_t waiting = LISTENER_INIT;
        kernel_invoke_options_t options = listening(&started);

        fixture_add(&f, "caller:caller", NULL);
        start_listening(&f, cases[i].name, cases[i].json, &options, &started);
        options = listening(&waiting);
        CHECK_EQ(kernel_args_read_json(f.args, cases[i].json, strlen(cases[i].json), NULL),
                 KERNEL_OK);
        CHECK_STATUS(kernel_invoke_with(fixture_function(&f, cases[i].name), f.args, &options),
                     KERNEL_OK);
        outcome_wait(&started.outcome);
        CHECK_EQ(started.outcome.integer, cases[i].count);
        fixture_free(&f);
        if (!cases[i].may_lose) {
            check_all_heard(&started, cases[i].count);
        }
        check_all_heard(&waiting, cases[i].count);
    }
}

static void plain_function_hands_its_chunks_over_at_once(void)
{
    fixture_t f = fixture_with_plugin("async");
    listener_t listener = LISTENER_INIT;
    kernel_invoke_options_t options = listening(&listener);
    kernel_result_t *result;

    kernel_args_set_integer(f.args, "count", COUNT);
    result = kernel_invoke_with(fixture_function(&f, "async-flood"), f.args, &options);
    CHECK_EQ(kernel_result_integer(result), 0); /* none was refused */
    CHECK_STATUS(result, KERNEL_OK);
    fixture_free(&f);
    check_all_heard(&listener, COUNT);
}

static void chunks_have_kinds(void)
{
    fixture_t f = fixture_with_plugin("async");
    listener_t listener = LISTENER_INIT;
    kernel_invoke_options_t options = listening(&listener);

    options.on_progress = on_progress;
    CHECK_STATUS(kernel_invoke_with(fixture_function(&f, "async-kinds_of_chunks"), NULL, &options),
                 KERNEL_OK);
    CHECK_EQ(listener.count, 3);
    CHECK_EQ(listener.kinds[0], KERNEL_CHUNK_TEXT);
    CHECK_EQ(listener.kinds[1], KERNEL_CHUNK_JSON);
    CHECK_EQ(listener.kinds[2], KERNEL_CHUNK_BYTES);
    CHECK_EQ(listener.last_size, 3);
    CHECK(memcmp(listener.last, "\0\1\2", 3) == 0);
    CHECK(listener.progress == 0.5);
    fixture_free(&f);
}

static void progress_comes_even_where_nobody_wants_chunks(void)
{
    fixture_t f = fixture_with_plugin("async");
    listener_t listener = LISTENER_INIT;
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    options.on_progress = on_progress;
    options.stream_data = &listener;
    start_listening(&f, "async-stream", "{\"count\":1000}", &options, &listener);
    outcome_wait(&listener.outcome);
    fixture_free(&f);
    CHECK(listener.progress > 0);
    CHECK_EQ(listener.went_back, 0);
    CHECK_EQ(listener.count, 0);
}

static void chunks_that_nobody_wants_are_no_error(void)
{
    fixture_t f = fixture_with_plugin("async");

    CHECK_CALL(&f, "async-stream", "{\"count\":1000}", "1000");
    CHECK_CALL(&f, "async-flood", "{\"count\":1000}", "0");
    fixture_free(&f);
}

/* ---- flow ---- */

static fixture_t fixture_dispatched(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;

    options.delivery = KERNEL_DELIVERY_FD;
    f = fixture_with_options(&options);
    fixture_add(&f, "async", NULL);
    return f;
}

static void dispatch_until_over(const fixture_t *f, const listener_t *listener)
{
    struct pollfd end = {.fd = kernel_completion_fd(f->kernel), .events = POLLIN};

    while (outcome_times(&listener->outcome) == 0) {
        CHECK_EQ(poll(&end, 1, FIXTURE_WAIT_MS), 1);
        (void)kernel_dispatch(f->kernel);
    }
}

static void no_more_than_256_chunks_wait_for_a_slow_consumer(void)
{
    fixture_t f = fixture_dispatched();
    listener_t listener = LISTENER_INIT;
    kernel_invoke_options_t options = listening(&listener);
    outcome_t over = OUTCOME_INIT;
    kernel_invoke_options_t on_loop = KERNEL_INVOKE_OPTIONS_INIT;

    start_listening(&f, "async-flood", "{\"count\":1000}", &options, &listener);
    /* a pool with one thread at work takes the next call after it */
    on_loop.delivery = KERNEL_DELIVERY_LOOP;
    outcome_start(&over, &f, "async-flood", &on_loop, NULL, "{\"count\":0}");
    outcome_wait(&over);
    dispatch_until_over(&f, &listener);
    CHECK_EQ(listener.outcome.integer, COUNT - 256); /* were refused */
    check_all_heard(&listener, 256);
    fixture_free(&f);
}

static void function_that_waits_for_room_loses_nothing(void)
{
    fixture_t f = fixture_dispatched();
    listener_t listener = LISTENER_INIT;
    kernel_invoke_options_t options = listening(&listener);

    options.on_progress = on_progress;
    start_listening(&f, "async-stream", "{\"count\":1000}", &options, &listener);
    dispatch_until_over(&f, &listener);
    CHECK_EQ(listener.outcome.integer, COUNT);
    check_all_heard(&listener, COUNT);
    CHECK_EQ(listener.went_back, 0);
    fixture_free(&f);
}

typedef struct dispatcher {
    const fixture_t *f;
    const listener_t *listener;
    pthread_t thread;
} dispatcher_t;

static void *dispatch_beside(void *data)
{
    const dispatcher_t *dispatcher = data;

    while (outcome_times(&dispatcher->listener->outcome) == 0) {
        if (kernel_dispatch(dispatcher->f->kernel) == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static void callbacks_of_one_call_never_run_beside_each_other(void)
{
    for (int round = 0; round < 5; round++) {
        fixture_t f = fixture_dispatched();
        listener_t listener = LISTENER_INIT;
        kernel_invoke_options_t options = listening(&listener);
        dispatcher_t dispatchers[4];

        for (int i = 0; i < 4; i++) {
            dispatchers[i] = (dispatcher_t){.f = &f, .listener = &listener};
            CHECK_EQ(pthread_create(&dispatchers[i].thread, NULL, dispatch_beside, &dispatchers[i]),
                     0);
        }
        start_listening(&f, "async-stream", "{\"count\":1000}", &options, &listener);
        outcome_wait(&listener.outcome);
        for (int i = 0; i < 4; i++) {
            pthread_join(dispatchers[i].thread, NULL);
        }
        fixture_free(&f);
        check_all_heard(&listener, COUNT);
    }
}

/* ---- a call that is given up ---- */

typedef struct flood {
    int statuses[4];
    latch_t is_full;
} flood_t;

KP_FUNCTION(async, flood_until_refused, "Send chunks until that is refused for good.")
{
    flood_t *flood = call->self;
    int status = KP_OK;

    while (status == KP_OK) {
        status = kp_emit_text(call, "x", 1);
    }
    flood->statuses[0] = status; /* full, and nobody dispatches */
    flood->statuses[1] = kp_on_drain(call, NULL, NULL);
    latch_open(&flood->is_full);
    while (!kp_cancelled(call)) {
        sched_yield();
    }
    flood->statuses[2] = kp_emit_text(call, "x", 1);
    flood->statuses[3] = kp_on_drain(call, NULL, NULL);
    return KP_E_CANCELLED;
}

static void nothing_is_taken_from_a_call_that_was_given_up(void)
{
    fixture_t f = fixture_dispatched();
    listener_t listener = LISTENER_INIT;
    kernel_invoke_options_t options = listening(&listener);
    flood_t flood = {.is_full = LATCH_INIT};

    CHECK(kernel_add_function(f.kernel, "host", &kpf_flood_until_refused, &flood, NULL) != NULL);
    options.timeout_ms = 200;
    start_listening(&f, "host-flood_until_refused", "{}", &options, &listener);
    latch_wait(&flood.is_full);
    fixture_free(&f);
    CHECK_EQ(outcome_times(&listener.outcome), 1);
    CHECK_EQ(flood.statuses[0], KP_E_BUSY);
    CHECK_EQ(flood.statuses[1], KP_OK);
    CHECK_EQ(flood.statuses[2], KP_E_CANCELLED);
    CHECK_EQ(flood.statuses[3], KP_E_CANCELLED);
    CHECK_EQ(listener.after_the_end, 0);
}

KP_FUNCTION(integer, emit_nonsense, "Send what is no chunk.")
{
    return call->host->emit(call, 17, NULL, 0.0) == KP_E_INVALID &&
           call->host->emit(call, KP_EMIT_TEXT, NULL, 0.0) == KP_E_INVALID;
}

static void chunk_of_no_kind_is_refused(void)
{
    fixture_t f = fixture_new();

    CHECK(kernel_add_function(f.kernel, "host", &kpf_emit_nonsense, NULL, NULL) != NULL);
    CHECK_CALL(&f, "host-emit_nonsense", "{}", "1");
    fixture_free(&f);
}

TESTS(TEST(chunks_come_in_order_before_the_result),
      TEST(plain_function_hands_its_chunks_over_at_once), TEST(chunks_have_kinds),
      TEST(progress_comes_even_where_nobody_wants_chunks),
      TEST(chunks_that_nobody_wants_are_no_error),
      TEST(no_more_than_256_chunks_wait_for_a_slow_consumer),
      TEST(function_that_waits_for_room_loses_nothing),
      TEST(callbacks_of_one_call_never_run_beside_each_other),
      TEST(nothing_is_taken_from_a_call_that_was_given_up), TEST(chunk_of_no_kind_is_refused))
