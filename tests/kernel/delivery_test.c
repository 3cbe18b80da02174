/* Where callbacks run: the loop thread, kernel_dispatch(), the host's own uv loop. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <uv.h>

#include "support/fixture.h"

static fixture_t fixture_delivering(kernel_delivery_t delivery, uv_loop_t *loop)
{
    kernel_options_t options = fixture_options();
    fixture_t f;

    options.delivery = delivery;
    options.loop = loop;
    f = fixture_with_options(&options);
    fixture_add(&f, "async", NULL);
    return f;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd end = {.fd = fd, .events = POLLIN};

    return poll(&end, 1, timeout_ms) == 1;
}

/* ---- a descriptor ---- */

static void descriptor_is_readable_while_callbacks_wait(void)
{
    fixture_t f = fixture_delivering(KERNEL_DELIVERY_FD, NULL);
    int fd = kernel_completion_fd(f.kernel);
    outcome_t outcome = OUTCOME_INIT;

    CHECK(fd >= 0);
    CHECK_EQ(kernel_completion_fd(f.kernel), fd);
    CHECK(!is_readable(fd, 0));
    CHECK_EQ(kernel_dispatch(f.kernel), 0);
    outcome_start(&outcome, &f, "async-now", NULL, NULL, "{\"value\":1}");
    CHECK(is_readable(fd, FIXTURE_WAIT_MS));
    CHECK_EQ(outcome_times(&outcome), 0);
    CHECK_EQ(kernel_dispatch(f.kernel), 1);
    CHECK_EQ(outcome_times(&outcome), 1);
    CHECK(pthread_equal(outcome.thread, pthread_self()));
    CHECK(!is_readable(fd, 0));
    fixture_free(&f);
}

static void descriptor_asked_for_late_tells_of_what_waits_already(void)
{
    fixture_t f = fixture_delivering(KERNEL_DELIVERY_FD, NULL);
    outcome_t outcome = OUTCOME_INIT;
    outcome_t later = OUTCOME_INIT;
    kernel_invoke_options_t on_loop = KERNEL_INVOKE_OPTIONS_INIT;

    outcome_start(&outcome, &f, "async-now", NULL, NULL, "{\"value\":1}");
    on_loop.delivery = KERNEL_DELIVERY_LOOP;
    outcome_start(&later, &f, "async-now", &on_loop, NULL, "{\"value\":2}");
    outcome_wait(&later); /* then the first one waits, too */
    CHECK(is_readable(kernel_completion_fd(f.kernel), 0));
    CHECK_EQ(kernel_dispatch(f.kernel), 1);
    fixture_free(&f);
}

typedef struct again {
    outcome_t outcome;
    kernel_t *kernel;
    kernel_function_t *function;
    kernel_args_t *args;
    int left;
} again_t;

static void start_again(const kernel_result_t *result, void *data)
{
    again_t *again = data;

    if (again->left-- > 0) {
        (void)kernel_dispatch(again->kernel);
        if (kernel_invoke_async(again->function, again->args, NULL, start_again, again, NULL) ==
            KERNEL_OK) {
            return;
        }
    }
    outcome_note(result, &again->outcome);
}

static void callback_may_dispatch_and_start_again(void)
{
    fixture_t f = fixture_delivering(KERNEL_DELIVERY_FD, NULL);
    again_t again = {.outcome = OUTCOME_INIT, .kernel = f.kernel, .args = f.args, .left = 20};

    again.function = fixture_function(&f, "async-now");
    kernel_args_set_integer(f.args, "value", 1);
    start_again(NULL, &again);
    while (outcome_times(&again.outcome) == 0) {
        CHECK(is_readable(kernel_completion_fd(f.kernel), FIXTURE_WAIT_MS));
        (void)kernel_dispatch(f.kernel);
    }
    CHECK_EQ(again.outcome.status, KERNEL_OK);
    fixture_free(&f);
}

/* ---- several threads that dispatch ---- */

#define CALLS 500

typedef struct dispatcher {
    fixture_t *f;
    int epoll;
    int stop; /* readable: enough */
    pthread_t thread;
    int rounds;
} dispatcher_t;

static void *dispatch_until_stopped(void *data)
{
    dispatcher_t *dispatcher = data;

    for (;;) {
        struct epoll_event event;
        int count = epoll_wait(dispatcher->epoll, &event, 1, FIXTURE_WAIT_MS);

        if (count != 1 || event.data.fd == dispatcher->stop) {
            return NULL;
        }
        dispatcher->rounds += (int)kernel_dispatch(dispatcher->f->kernel);
    }
}

static void epoll_watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

static void each_callback_runs_once_however_many_threads_dispatch(void)
{
    static const char *const names[] = {"async-now", "async-complete_inside",
                                        "async-complete_twice", "threads-quick"};
    static outcome_t outcomes[CALLS];
    fixture_t f = fixture_delivering(KERNEL_DELIVERY_FD, NULL);
    dispatcher_t dispatchers[4];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int stop[2];

    fixture_add(&f, "threads:threads", NULL);
    CHECK(pipe(stop) == 0);
    epoll_watch(epoll, kernel_completion_fd(f.kernel));
    epoll_watch(epoll, stop[0]);
    for (int i = 0; i < 4; i++) {
        dispatchers[i] = (dispatcher_t){.f = &f, .epoll = epoll, .stop = stop[0]};
        CHECK_EQ(
            pthread_create(&dispatchers[i].thread, NULL, dispatch_until_stopped, &dispatchers[i]),
            0);
    }
    for (int i = 0; i < CALLS; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, names[i % 4], NULL, NULL, "{\"value\":%d}", i);
    }
    for (int i = 0; i < CALLS; i++) {
        outcome_wait(&outcomes[i]);
        CHECK_EQ(outcomes[i].integer, i);
    }
    CHECK_EQ(write(stop[1], "", 1), 1);
    for (int i = 0; i < 4; i++) {
        pthread_join(dispatchers[i].thread, NULL);
    }
    fixture_free(&f);
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
    }
    close(stop[0]);
    close(stop[1]);
    close(epoll);
}

/* The dispatching thread is still on its way out of the callback. */
typedef struct last {
    kernel_t *kernel;
    latch_t reported;
} last_t;

static void *dispatch_one(void *data)
{
    last_t *last = data;

    while (kernel_dispatch(last->kernel) == 0) {
        (void)is_readable(kernel_completion_fd(last->kernel), FIXTURE_WAIT_MS);
    }
    latch_open(&last->reported);
    return NULL;
}

static void kernel_is_freed_after_the_last_callback_has_returned(void)
{
    for (int i = 0; i < 100; i++) {
        fixture_t f = fixture_delivering(KERNEL_DELIVERY_FD, NULL);
        last_t last = {.kernel = f.kernel, .reported = LATCH_INIT};
        outcome_t outcome = OUTCOME_INIT;
        pthread_t thread;

        CHECK_EQ(pthread_create(&thread, NULL, dispatch_one, &last), 0);
        outcome_start(&outcome, &f, "async-now", NULL, NULL, "{\"value\":1}");
        latch_wait(&last.reported);
        fixture_free(&f);
        pthread_join(thread, NULL);
        CHECK_EQ(outcome_times(&outcome), 1);
    }
}

static void freeing_runs_the_callbacks_that_nobody_dispatched(void)
{
    fixture_t f = fixture_delivering(KERNEL_DELIVERY_FD, NULL);
    outcome_t outcomes[10];

    for (int i = 0; i < 10; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, i % 2 == 0 ? "async-now" : "async-until_cancelled", NULL,
                      NULL, i % 2 == 0 ? "{\"value\":1}" : "{}");
    }
    fixture_free(&f);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
        CHECK(pthread_equal(outcomes[i].thread, pthread_self()));
    }
}

typedef struct heard {
    int count;
    int elsewhere;
    pthread_t thread;
} heard_t;

static void hear(kernel_chunk_kind_t kind, const void *data, size_t size, void *user_data)
{
    heard_t *heard = user_data;

    (void)kind;
    (void)data;
    (void)size;
    heard->count++;
    heard->elsewhere += !pthread_equal(heard->thread, pthread_self());
}

static void waiting_callers_get_their_chunks_on_their_own_thread(void)
{
    static const kernel_delivery_t deliveries[] = {KERNEL_DELIVERY_LOOP, KERNEL_DELIVERY_FD};

    for (int i = 0; i < 2; i++) {
        fixture_t f = fixture_delivering(deliveries[i], NULL);
        heard_t heard = {.thread = pthread_self()};
        kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

        options.on_chunk = hear;
        options.stream_data = &heard;
        kernel_args_set_integer(f.args, "count", 100);
        CHECK_STATUS(kernel_invoke_with(fixture_function(&f, "async-stream"), f.args, &options),
                     KERNEL_OK);
        CHECK_EQ(heard.count, 100);
        CHECK_EQ(heard.elsewhere, 0);
        fixture_free(&f);
    }
}

/* ---- the choice of one call ---- */

static void call_may_choose_another_delivery_than_the_kernels(void)
{
    fixture_t f = fixture_delivering(KERNEL_DELIVERY_LOOP, NULL);
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    outcome_t outcome = OUTCOME_INIT;
    outcome_t on_loop = OUTCOME_INIT;

    options.delivery = KERNEL_DELIVERY_FD;
    outcome_start(&outcome, &f, "async-now", &options, NULL, "{\"value\":1}");
    outcome_start(&on_loop, &f, "async-now", NULL, NULL, "{\"value\":1}");
    outcome_wait(&on_loop);
    CHECK_EQ(outcome_times(&outcome), 0);
    CHECK_EQ(kernel_dispatch(f.kernel), 1);
    CHECK(pthread_equal(outcome.thread, pthread_self()));
    fixture_free(&f);
}

static void delivery_options_that_do_not_fit_are_refused(void)
{
    kernel_options_t options = fixture_options();
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_error_t another = KERNEL_ERROR_INIT;
    uv_loop_t loop;

    options.delivery = KERNEL_DELIVERY_UV;
    CHECK(kernel_new(&options, &error) == NULL);
    CHECK_EQ(error.status, KERNEL_E_INVALID);
    CHECK_EQ(uv_loop_init(&loop), 0);
    options.delivery = KERNEL_DELIVERY_FD;
    options.loop = &loop;
    CHECK(kernel_new(&options, &another) == NULL);
    CHECK_EQ(another.status, KERNEL_E_INVALID);
    CHECK_EQ(uv_loop_close(&loop), 0);
}

/* ---- the host's uv loop ---- */

static void close_loop(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK_EQ(uv_loop_close(loop), 0);
}

static void host_loop_turns_while_callbacks_are_due_and_no_longer(void)
{
    uv_loop_t loop;
    fixture_t f;
    outcome_t outcomes[3] = {OUTCOME_INIT, OUTCOME_INIT, OUTCOME_INIT};

    CHECK_EQ(uv_loop_init(&loop), 0);
    f = fixture_delivering(KERNEL_DELIVERY_UV, &loop);
    fixture_add(&f, "slow", NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* nothing is due: returns */
    outcome_start(&outcomes[0], &f, "async-now", NULL, NULL, "{\"value\":1}");
    outcome_start(&outcomes[1], &f, "slow-wait", NULL, NULL, "{\"ms\":20}");
    outcome_start(&outcomes[2], &f, "async-from_thread", NULL, NULL, "{\"value\":3}");
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
        CHECK_EQ(outcomes[i].status, KERNEL_OK);
        CHECK(pthread_equal(outcomes[i].thread, pthread_self()));
    }
    fixture_free(&f);
    close_loop(&loop);
}

static void note_closed(void *data)
{
    bool *is_closed = data;

    *is_closed = true;
}

static void host_closes_its_kernel_and_keeps_turning_its_loop(void)
{
    uv_loop_t loop;
    fixture_t f;
    outcome_t outcomes[20];
    bool is_closed = false;

    CHECK_EQ(uv_loop_init(&loop), 0);
    f = fixture_delivering(KERNEL_DELIVERY_UV, &loop);
    for (int i = 0; i < 20; i++) {
        outcomes[i] = (outcome_t)OUTCOME_INIT;
        outcome_start(&outcomes[i], &f, "async-until_cancelled", NULL, NULL, "{}");
    }
    CHECK_EQ(kernel_close(f.kernel, note_closed, &is_closed), KERNEL_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(is_closed);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(outcome_times(&outcomes[i]), 1);
        CHECK_EQ(outcomes[i].status, KERNEL_E_CLOSED);
        CHECK(pthread_equal(outcomes[i].thread, pthread_self()));
    }
    fixture_free(&f);
    close_loop(&loop);
}

typedef struct starter {
    fixture_t *f;
    outcome_t outcome;
    uv_timer_t *timer;
} starter_t;

static void stop_when_reported(const kernel_result_t *result, void *data)
{
    starter_t *starter = data;

    outcome_note(result, &starter->outcome);
    uv_close((uv_handle_t *)starter->timer, NULL);
}

static void *start_from_thread(void *data)
{
    starter_t *starter = data;

    kernel_args_set_integer(starter->f->args, "value", 1);
    CHECK_EQ(kernel_invoke_async(fixture_function(starter->f, "async-now"), starter->f->args, NULL,
                                 stop_when_reported, starter, NULL),
             KERNEL_OK);
    return NULL;
}

static void ignore_timer(uv_timer_t *timer)
{
    (void)timer;
}

static void call_started_on_another_thread_is_delivered_in_the_hosts_loop(void)
{
    uv_loop_t loop;
    uv_timer_t alive; /* the host's loop has work of its own */
    fixture_t f;
    starter_t starter = {.f = &f, .outcome = OUTCOME_INIT, .timer = &alive};
    pthread_t thread;

    CHECK_EQ(uv_loop_init(&loop), 0);
    f = fixture_delivering(KERNEL_DELIVERY_UV, &loop);
    uv_timer_init(&loop, &alive);
    uv_timer_start(&alive, ignore_timer, FIXTURE_WAIT_MS, 0);
    CHECK_EQ(pthread_create(&thread, NULL, start_from_thread, &starter), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    CHECK_EQ(outcome_times(&starter.outcome), 1);
    CHECK(pthread_equal(starter.outcome.thread, pthread_self()));
    fixture_free(&f);
    close_loop(&loop);
}

TESTS(TEST(descriptor_is_readable_while_callbacks_wait),
      TEST(descriptor_asked_for_late_tells_of_what_waits_already),
      TEST(callback_may_dispatch_and_start_again),
      TEST(each_callback_runs_once_however_many_threads_dispatch),
      TEST(kernel_is_freed_after_the_last_callback_has_returned),
      TEST(freeing_runs_the_callbacks_that_nobody_dispatched),
      TEST(waiting_callers_get_their_chunks_on_their_own_thread),
      TEST(call_may_choose_another_delivery_than_the_kernels),
      TEST(delivery_options_that_do_not_fit_are_refused),
      TEST(host_loop_turns_while_callbacks_are_due_and_no_longer),
      TEST(host_closes_its_kernel_and_keeps_turning_its_loop),
      TEST(call_started_on_another_thread_is_delivered_in_the_hosts_loop))
