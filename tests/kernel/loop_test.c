/* The kernel's one loop thread: tasks from anywhere, timers, its beginning and end. */
#include "loop.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "support/check.h"

typedef struct job {
    kernel__task_t task; /* first */
    kernel__loop_t *loop;
    void (*body)(struct job *job);
    int number;
} job_t;

static kernel__loop_t loop;
static const kernel__log_t no_log;
static atomic_int ran;
static int order[4096];
static bool was_current;

static void job_run(kernel__task_t *task)
{
    job_t *job = (job_t *)(void *)task;

    job->body(job);
}

static job_t job_of(void (*body)(job_t *job), int number)
{
    return (job_t){.task = {.run = job_run}, .loop = &loop, .body = body, .number = number};
}

/* What another thread counts; it has 30 s. */
static void wait_for(atomic_int *counter, int wanted)
{
    time_t end = time(NULL) + 30;

    while (atomic_load(counter) < wanted) {
        if (time(NULL) > end) {
            check_fail(__FILE__, __LINE__, "%d of %d after 30 s", atomic_load(counter), wanted);
        }
        sched_yield();
    }
}

static void begin(void)
{
    atomic_store(&ran, 0);
    kernel__loop_init(&loop, &no_log);
}

static void note_order(job_t *job)
{
    order[atomic_fetch_add(&ran, 1)] = job->number;
    was_current = kernel__loop_is_current(job->loop);
}

static void tasks_run_in_the_order_of_posting_before_the_end(void)
{
    static job_t jobs[3000]; /* more than a turn's batch */

    begin();
    for (int i = 0; i < 3000; i++) {
        jobs[i] = job_of(note_order, i);
        CHECK_EQ(kernel__loop_post(&loop, &jobs[i].task), KERNEL_OK);
    }
    kernel__loop_stop(&loop);
    CHECK_EQ(atomic_load(&ran), 3000);
    for (int i = 0; i < 3000; i++) {
        CHECK_EQ(order[i], i);
    }
    CHECK(was_current);
    CHECK(!kernel__loop_is_current(&loop));
}

static void thread_begins_with_the_first_task(void)
{
    job_t job = job_of(note_order, 0);

    begin();
    CHECK_EQ(loop.state, KERNEL__LOOP_NEW);
    CHECK_EQ(kernel__loop_post(&loop, &job.task), KERNEL_OK);
    CHECK_EQ(loop.state, KERNEL__LOOP_RUNNING);
    CHECK_EQ(kernel__loop_start(&loop, NULL), KERNEL_OK); /* it runs already */
    kernel__loop_stop(&loop);
    CHECK_EQ(atomic_load(&ran), 1);
}

static void loop_that_never_ran_can_be_stopped(void)
{
    begin();
    kernel__loop_stop(&loop);
}

static void post_again(job_t *job)
{
    if (atomic_fetch_add(&ran, 1) < 99 && kernel__loop_post(job->loop, &job->task) != KERNEL_OK) {
        atomic_store(&ran, -1000);
    }
}

static void task_may_post_itself_again(void)
{
    job_t job = job_of(post_again, 0);

    begin();
    CHECK_EQ(kernel__loop_post(&loop, &job.task), KERNEL_OK);
    wait_for(&ran, 100);
    kernel__loop_stop(&loop);
    CHECK_EQ(atomic_load(&ran), 100);
}

/* ---- timers ---- */

static latch_t fired;
static atomic_bool is_over;
static kernel__timer_t *timers[3];

static void on_timer(void *data)
{
    order[atomic_fetch_add(&ran, 1)] = (int)(intptr_t)data;
    latch_open(&fired);
}

static void start_timers(job_t *job)
{
    timers[0] = kernel__timer_start(job->loop, 20, on_timer, (void *)(intptr_t)20);
    timers[1] = kernel__timer_start(job->loop, 1, on_timer, (void *)(intptr_t)1);
    timers[2] = kernel__timer_start(job->loop, 10, on_timer, (void *)(intptr_t)10);
}

static void start_timers_and_stop_one(job_t *job)
{
    start_timers(job);
    kernel__timer_stop(timers[1]);
    kernel__timer_stop(timers[2]);
    kernel__timer_stop(NULL);
}

static void timers_fire_in_the_order_of_their_time(void)
{
    job_t job = job_of(start_timers, 0);

    begin();
    CHECK_EQ(kernel__loop_post(&loop, &job.task), KERNEL_OK);
    wait_for(&ran, 3);
    kernel__loop_stop(&loop);
    CHECK_EQ(order[0], 1);
    CHECK_EQ(order[1], 10);
    CHECK_EQ(order[2], 20);
}

static void stopped_timer_does_not_fire(void)
{
    job_t job = job_of(start_timers_and_stop_one, 0);

    begin();
    fired = (latch_t)LATCH_INIT;
    CHECK_EQ(kernel__loop_post(&loop, &job.task), KERNEL_OK);
    latch_wait(&fired);
    kernel__loop_stop(&loop);
    CHECK_EQ(atomic_load(&ran), 1);
    CHECK_EQ(order[0], 20);
}

static void repeat_until_over(job_t *job)
{
    if (!atomic_load(&is_over)) {
        (void)kernel__loop_post(job->loop, &job->task);
    }
}

static void end_repeating(void *data)
{
    (void)data;
    atomic_store(&is_over, true);
    latch_open(&fired);
}

static void start_timer_and_repeat(job_t *job)
{
    (void)kernel__timer_start(job->loop, 1, end_repeating, NULL);
    job->body = repeat_until_over;
    repeat_until_over(job);
}

static void tasks_without_end_do_not_keep_timers_from_firing(void)
{
    job_t job = job_of(start_timer_and_repeat, 0);

    begin();
    fired = (latch_t)LATCH_INIT;
    atomic_store(&is_over, false);
    CHECK_EQ(kernel__loop_post(&loop, &job.task), KERNEL_OK);
    latch_wait(&fired);
    kernel__loop_stop(&loop);
}

/* ---- */

static sigset_t blocked_signals;

static void note_signals(job_t *job)
{
    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked_signals);
}

static void signals_are_left_to_the_hosts_threads(void)
{
    job_t job = job_of(note_signals, 0);

    begin();
    CHECK_EQ(kernel__loop_post(&loop, &job.task), KERNEL_OK);
    kernel__loop_stop(&loop);
    CHECK_EQ(sigismember(&blocked_signals, SIGTERM), 1);
    CHECK_EQ(sigismember(&blocked_signals, SIGINT), 1);
}

typedef struct poster {
    pthread_t thread;
    job_t jobs[500];
} poster_t;

static void count_only(job_t *job)
{
    (void)job;
    atomic_fetch_add(&ran, 1);
}

static void *post_many(void *data)
{
    poster_t *poster = data;

    for (int i = 0; i < 500; i++) {
        poster->jobs[i] = job_of(count_only, i);
        if (kernel__loop_post(&loop, &poster->jobs[i].task) != KERNEL_OK) {
            atomic_store(&ran, -100000);
        }
    }
    return NULL;
}

static void any_number_of_threads_post_at_once(void)
{
    static poster_t posters[8];

    begin();
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(posters[i].thread, NULL);
    }
    kernel__loop_stop(&loop);
    CHECK_EQ(atomic_load(&ran), 4000);
}

TESTS(TEST(tasks_run_in_the_order_of_posting_before_the_end),
      TEST(thread_begins_with_the_first_task), TEST(loop_that_never_ran_can_be_stopped),
      TEST(task_may_post_itself_again), TEST(timers_fire_in_the_order_of_their_time),
      TEST(stopped_timer_does_not_fire), TEST(tasks_without_end_do_not_keep_timers_from_firing),
      TEST(signals_are_left_to_the_hosts_threads), TEST(any_number_of_threads_post_at_once))
