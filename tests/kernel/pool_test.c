/* The kernel's own threads for plain functions: how many, in which order, up to where. */
#include "pool.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "support/check.h"

typedef struct job {
    kernel__task_t task; /* first */
    void (*body)(struct job *job);
    kernel__pool_t *pool;
    int number;
} job_t;

static latch_t gate;
static atomic_int inside;
static atomic_int most;
static atomic_int ran;
static int order[64];

static void job_run(kernel__task_t *task)
{
    job_t *job = (job_t *)(void *)task;

    job->body(job);
    atomic_fetch_add(&ran, 1);
}

static void reset(void)
{
    gate = (latch_t)LATCH_INIT;
    atomic_store(&inside, 0);
    atomic_store(&most, 0);
    atomic_store(&ran, 0);
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

static void note_most(int now)
{
    int before = atomic_load(&most);

    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
    }
}

static kernel_status_t post(job_t *job, kernel__pool_t *pool, void (*body)(job_t *job), int number,
                            bool is_nested)
{
    *job = (job_t){.task = {.run = job_run}, .body = body, .pool = pool, .number = number};
    return kernel__pool_post(pool, &job->task, is_nested);
}

static void wait_at_gate(job_t *job)
{
    (void)job;
    note_most(atomic_fetch_add(&inside, 1) + 1);
    latch_wait(&gate);
    atomic_fetch_sub(&inside, 1);
}

static void note_order(job_t *job)
{
    order[atomic_load(&ran)] = job->number;
}

/* ---- */

static void work_runs_in_order_on_one_thread(void)
{
    kernel__pool_t pool;
    job_t jobs[20];

    reset();
    kernel__pool_init(&pool, 1, 1, 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(post(&jobs[i], &pool, note_order, i, false), KERNEL_OK);
    }
    kernel__pool_stop(&pool); /* runs what is queued */
    CHECK_EQ(atomic_load(&ran), 20);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(order[i], i);
    }
}

static void work_from_outside_gets_as_many_threads_as_are_kept_unblocked(void)
{
    kernel__pool_t pool;
    job_t jobs[20];

    reset();
    kernel__pool_init(&pool, 3, 0, 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(post(&jobs[i], &pool, wait_at_gate, i, false), KERNEL_OK);
    }
    wait_for(&inside, 3);
    latch_open(&gate);
    kernel__pool_stop(&pool);
    CHECK_EQ(atomic_load(&ran), 20);
    CHECK_EQ(atomic_load(&most), 3);
}

static void wait_blocked(job_t *job)
{
    kernel__pool_block_enter(job->pool);
    wait_at_gate(job);
    kernel__pool_block_leave(job->pool);
}

static void thread_that_waits_inside_the_kernel_is_compensated_for(void)
{
    kernel__pool_t pool;
    job_t jobs[100];

    reset();
    kernel__pool_init(&pool, 1, 0, 0);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(post(&jobs[i], &pool, wait_blocked, i, false), KERNEL_OK);
    }
    wait_for(&inside, (int)KERNEL__POOL_ROOTS);
    latch_open(&gate);
    kernel__pool_stop(&pool);
    CHECK_EQ(atomic_load(&ran), 100);
    CHECK_EQ(atomic_load(&most), KERNEL__POOL_ROOTS); /* but not without end */
}

static void wait_uncounted(job_t *job)
{
    (void)job;
    latch_wait(&gate);
}

/* However many from outside occupy the others. */
static void nested_work_always_finds_a_thread(void)
{
    kernel__pool_t pool;
    job_t roots[4];
    job_t nested[50];

    reset();
    kernel__pool_init(&pool, 2, 0, 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(post(&roots[i], &pool, wait_uncounted, i, false), KERNEL_OK);
    }
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(post(&nested[i], &pool, wait_at_gate, i, true), KERNEL_OK);
    }
    wait_for(&inside, 50);
    latch_open(&gate);
    kernel__pool_stop(&pool);
    CHECK_EQ(atomic_load(&ran), 54);
}

static void nested_work_beyond_the_limit_is_refused(void)
{
    kernel__pool_t pool;
    job_t jobs[5];

    reset();
    kernel__pool_init(&pool, 1, 4, 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(post(&jobs[i], &pool, wait_at_gate, i, true), KERNEL_OK);
    }
    CHECK_EQ(post(&jobs[4], &pool, wait_at_gate, 4, true), KERNEL_E_BUSY);
    CHECK_EQ(post(&jobs[4], &pool, wait_at_gate, 4, false), KERNEL_OK); /* waits in the queue */
    wait_for(&inside, 4);
    latch_open(&gate);
    kernel__pool_stop(&pool);
    CHECK_EQ(atomic_load(&ran), 5);
    CHECK_EQ(atomic_load(&most), 4);
}

/* With one thread, occupied, both queues fill; then nested work goes first. */
static void nested_work_is_taken_first(void)
{
    kernel__pool_t pool;
    job_t first;
    job_t roots[3];
    job_t nested;

    reset();
    kernel__pool_init(&pool, 1, 2, 0);
    CHECK_EQ(post(&first, &pool, wait_at_gate, 0, true), KERNEL_OK);
    wait_for(&inside, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(post(&roots[i], &pool, note_order, i, false), KERNEL_OK);
    }
    /* `first` is not blocked, so that no thread was made for the roots; this one is, and takes the
     * nested one before them. */
    CHECK_EQ(post(&nested, &pool, note_order, 100, true), KERNEL_OK);
    wait_for(&ran, 4);
    latch_open(&gate);
    kernel__pool_stop(&pool);
    CHECK_EQ(order[0], 100);
    CHECK_EQ(order[3], 2);
}

static sigset_t blocked_signals;

static void note_signals(job_t *job)
{
    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked_signals);
}

static void signals_are_left_to_the_hosts_threads(void)
{
    kernel__pool_t pool;
    job_t job;
    sigset_t mine;

    reset();
    kernel__pool_init(&pool, 1, 0, 0);
    CHECK_EQ(post(&job, &pool, note_signals, 0, false), KERNEL_OK);
    kernel__pool_stop(&pool);
    CHECK_EQ(sigismember(&blocked_signals, SIGTERM), 1);
    CHECK_EQ(sigismember(&blocked_signals, SIGCHLD), 1);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CHECK_EQ(sigismember(&mine, SIGTERM), 0);
}

static void count_only(job_t *job)
{
    free(job);
}

typedef struct poster {
    kernel__pool_t *pool;
    pthread_t thread;
    int refused;
} poster_t;

static void *post_many(void *data)
{
    poster_t *poster = data;

    for (int i = 0; i < 1000; i++) {
        job_t *job = malloc(sizeof(*job));

        if (job == NULL || post(job, poster->pool, count_only, i, i % 3 == 0) != KERNEL_OK) {
            free(job);
            poster->refused++;
        }
    }
    return NULL;
}

static void any_number_of_threads_post_at_once(void)
{
    kernel__pool_t pool;
    poster_t posters[8];
    int refused = 0;

    reset();
    kernel__pool_init(&pool, 2, 16, 0);
    for (int i = 0; i < 8; i++) {
        posters[i] = (poster_t){.pool = &pool};
        CHECK_EQ(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(posters[i].thread, NULL);
        refused += posters[i].refused;
    }
    kernel__pool_stop(&pool);
    CHECK_EQ(atomic_load(&ran), 8000 - refused);
}

static void one_piece_of_work_makes_one_thread(void)
{
    kernel__pool_t pool;
    job_t job;

    reset();
    kernel__pool_init(&pool, 4, 0, 0);
    CHECK_EQ(post(&job, &pool, wait_at_gate, 0, false), KERNEL_OK);
    wait_for(&inside, 1);
    (void)pthread_mutex_lock(&pool.lock);
    CHECK_EQ(pool.total, 1);
    (void)pthread_mutex_unlock(&pool.lock);
    latch_open(&gate);
    kernel__pool_stop(&pool);
}

static void pool_without_work_has_no_thread(void)
{
    kernel__pool_t pool;

    kernel__pool_init(&pool, 0, 0, 0);
    CHECK_EQ(pool.total, 0);
    CHECK(pool.target >= 4);
    CHECK_EQ(pool.limit, 1024);
    kernel__pool_block_enter(&pool); /* not one of its threads */
    kernel__pool_block_leave(&pool);
    kernel__pool_stop(&pool);
}

TESTS(TEST(work_runs_in_order_on_one_thread),
      TEST(work_from_outside_gets_as_many_threads_as_are_kept_unblocked),
      TEST(thread_that_waits_inside_the_kernel_is_compensated_for),
      TEST(nested_work_always_finds_a_thread), TEST(nested_work_beyond_the_limit_is_refused),
      TEST(nested_work_is_taken_first), TEST(signals_are_left_to_the_hosts_threads),
      TEST(any_number_of_threads_post_at_once), TEST(one_piece_of_work_makes_one_thread),
      TEST(pool_without_work_has_no_thread))
