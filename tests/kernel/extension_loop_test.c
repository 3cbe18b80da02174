/* kernel.loop/1: timers, posts and pool work of an instance. */
#include <sys/prctl.h>
#include <time.h>

#include "support/probe.h"

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

typedef struct record {
    const probe_t *probe;
    int fired[8];
    int count;
    int64_t began;
    int64_t ended;
    kp_timer *timers[4];
    latch_t done;
} record_t;

typedef struct mark {
    record_t *record;
    int number;
} mark_t;

static void note_mark(void *data)
{
    const mark_t *mark = data;
    record_t *record = mark->record;

    record->fired[record->count++] = mark->number;
    record->ended = now_ms();
    if (mark->number == 3) {
        latch_open(&record->done);
    }
}

static kp_timer *start_timer(const probe_t *probe, uint64_t ms, kp_callback fn, void *arg)
{
    return probe->loop->timer(probe->loop, probe->instance, ms, fn, arg);
}

/* ---- timers ---- */

static mark_t marks[4];

static void start_timers(void *data)
{
    record_t *record = data;
    static const uint64_t after_ms[] = {30, 10, 20, 40};

    record->began = now_ms();
    for (int i = 0; i < 4; i++) {
        marks[i] = (mark_t){record, i};
        record->timers[i] = start_timer(record->probe, after_ms[i], note_mark, &marks[i]);
    }
}

static void timers_fire_once_in_the_order_of_their_time(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    record_t record = {.probe = &probe, .done = LATCH_INIT};

    probe_add(&probe, &f, "probe");
    probe_run(&probe, start_timers, &record);
    latch_wait(&record.done);
    fixture_free(&f);
    CHECK_EQ(record.count, 4);
    CHECK_EQ(record.fired[0], 1);
    CHECK_EQ(record.fired[1], 2);
    CHECK_EQ(record.fired[2], 0);
    CHECK_EQ(record.fired[3], 3);
    CHECK(record.ended - record.began >= 39);
}

static void start_and_stop_timers(void *data)
{
    record_t *record = data;

    start_timers(record);
    for (int i = 0; i < 3; i++) {
        record->probe->loop->timer_stop(record->probe->loop, record->timers[i]);
    }
    record->probe->loop->timer_stop(record->probe->loop, NULL);
}

static void stopped_timer_does_not_fire(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    record_t record = {.probe = &probe, .done = LATCH_INIT};

    probe_add(&probe, &f, "probe");
    probe_run(&probe, start_and_stop_timers, &record);
    latch_wait(&record.done);
    fixture_free(&f);
    CHECK_EQ(record.count, 1);
    CHECK_EQ(record.fired[0], 3);
}

static void timer_can_be_had_on_the_loop_thread_alone(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    record_t record = {.probe = &probe, .done = LATCH_INIT};
    mark_t mark = {&record, 0};

    probe_add(&probe, &f, "probe");
    CHECK(start_timer(&probe, 1, note_mark, &mark) == NULL);
    fixture_free(&f);
    CHECK_EQ(record.count, 0);
}

static void timers_that_have_not_fired_are_dropped_at_removal(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    record_t record = {.probe = &probe, .done = LATCH_INIT};

    probe_add(&probe, &f, "probe");
    probe_run(&probe, start_timers, &record);
    CHECK_EQ(kernel_remove_plugin(probe.plugin, NULL), KERNEL_OK);
    record.count = 0; /* none may fire from here on */
    fixture_free(&f);
    CHECK_EQ(record.count, 0);
}

/* ---- what destroy() may do ---- */

typedef struct ending {
    probe_t *probe;
    record_t *record;
    kp_timer *old_timer;
    kp_timer *late_timer;
    atomic_int posts;
    int post_status;
} ending_t;

static void try_timer(void *data)
{
    ending_t *ending = data;
    static mark_t mark;

    mark = (mark_t){ending->record, 0};
    ending->late_timer = start_timer(ending->probe, 1, note_mark, &mark);
    ending->probe->loop->timer_stop(ending->probe->loop, ending->old_timer); /* still a handle */
    atomic_fetch_add(&ending->posts, 1);
}

static void post_in_destroy(void *data)
{
    ending_t *ending = data;

    ending->post_status =
        ending->probe->loop->post(ending->probe->loop, ending->probe->instance, try_timer, ending);
}

static void start_long_timer(void *data)
{
    ending_t *ending = data;
    static mark_t mark;

    mark = (mark_t){ending->record, 0};
    ending->old_timer = start_timer(ending->probe, FIXTURE_WAIT_MS, note_mark, &mark);
}

static void destroy_may_post_and_stop_timers_but_start_none(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    record_t record = {.probe = &probe, .done = LATCH_INIT};
    ending_t ending = {.probe = &probe, .record = &record};

    probe.destroy = post_in_destroy;
    probe.data = &ending;
    probe_add(&probe, &f, "probe");
    probe_run(&probe, start_long_timer, &ending);
    CHECK(ending.old_timer != NULL);
    fixture_free(&f);
    CHECK_EQ(ending.post_status, KP_OK);
    CHECK_EQ(atomic_load(&ending.posts), 1);
    CHECK(ending.late_timer == NULL);
    CHECK_EQ(record.count, 0);
}

/* ---- posts ---- */

#define POSTS 500

typedef struct poster {
    const probe_t *probe;
    int index;
    int next; /* [thread: loop] */
    int out_of_order;
    pthread_t thread;
} poster_t;

typedef struct posted {
    poster_t *poster;
    int number;
} posted_t;

static void on_posted(void *data)
{
    posted_t *posted = data;

    posted->poster->out_of_order += posted->poster->next != posted->number;
    posted->poster->next++;
}

static posted_t all_posted[4][POSTS];

static void *post_many(void *data)
{
    poster_t *poster = data;
    posted_t *mine = all_posted[poster->index];

    for (int i = 0; i < POSTS; i++) {
        mine[i] = (posted_t){poster, i};
        if (poster->probe->loop->post(poster->probe->loop, poster->probe->instance, on_posted,
                                      &mine[i]) != KP_OK) {
            return data;
        }
    }
    return NULL;
}

static void posts_of_a_thread_run_in_order_and_before_the_end(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    poster_t posters[4];
    void *failed = NULL;

    probe_add(&probe, &f, "probe");
    for (int i = 0; i < 4; i++) {
        posters[i] = (poster_t){.probe = &probe, .index = i};
        CHECK_EQ(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(posters[i].thread, &failed);
        CHECK(failed == NULL);
    }
    fixture_free(&f); /* waits for them */
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(posters[i].next, POSTS);
        CHECK_EQ(posters[i].out_of_order, 0);
    }
}

/* ---- work ---- */

typedef struct worked {
    char pool_name[32];
    char loop_name[32];
    latch_t done;
} worked_t;

static void work_on_pool(void *data)
{
    worked_t *worked = data;

    prctl(PR_GET_NAME, worked->pool_name, 0, 0, 0);
}

static void work_on_loop(void *data)
{
    worked_t *worked = data;

    prctl(PR_GET_NAME, worked->loop_name, 0, 0, 0);
    latch_open(&worked->done);
}

static void work_runs_on_the_pool_and_ends_on_the_loop_thread(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    worked_t worked = {.done = LATCH_INIT};

    probe_add(&probe, &f, "probe");
    CHECK_EQ(probe.loop->work(probe.loop, probe.instance, work_on_pool, work_on_loop, &worked),
             KP_OK);
    latch_wait(&worked.done);
    fixture_free(&f);
    CHECK_STR(worked.pool_name, "semkernel-pool");
    CHECK_STR(worked.loop_name, "semkernel-loop");
}

static void open_latch(void *data)
{
    latch_open(data);
}

static void work_may_have_no_second_part(void)
{
    fixture_t f = fixture_new();
    probe_t probe = PROBE_INIT;
    latch_t done = LATCH_INIT;

    probe_add(&probe, &f, "probe");
    CHECK_EQ(probe.loop->work(probe.loop, probe.instance, open_latch, NULL, &done), KP_OK);
    latch_wait(&done);
    CHECK_EQ(probe.loop->work(probe.loop, probe.instance, NULL, open_latch, &done), KP_E_INVALID);
    CHECK_EQ(probe.loop->post(probe.loop, probe.instance, NULL, NULL), KP_E_INVALID);
    fixture_free(&f);
}

static void wait_latch(void *data)
{
    latch_wait(data);
}

static void work_beyond_the_pools_limit_is_refused(void)
{
    kernel_options_t options = fixture_options();
    fixture_t f;
    probe_t probe = PROBE_INIT;
    latch_t go = LATCH_INIT;

    options.pool_threads = 1;
    options.pool_limit = 3;
    f = fixture_with_options(&options);
    probe_add(&probe, &f, "probe");
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(probe.loop->work(probe.loop, probe.instance, wait_latch, NULL, &go), KP_OK);
    }
    CHECK_EQ(probe.loop->work(probe.loop, probe.instance, wait_latch, NULL, &go), KP_E_BUSY);
    latch_open(&go);
    fixture_free(&f);
}

TESTS(TEST(timers_fire_once_in_the_order_of_their_time), TEST(stopped_timer_does_not_fire),
      TEST(timer_can_be_had_on_the_loop_thread_alone),
      TEST(timers_that_have_not_fired_are_dropped_at_removal),
      TEST(destroy_may_post_and_stop_timers_but_start_none),
      TEST(posts_of_a_thread_run_in_order_and_before_the_end),
      TEST(work_runs_on_the_pool_and_ends_on_the_loop_thread), TEST(work_may_have_no_second_part),
      TEST(work_beyond_the_pools_limit_is_refused))
