/*
 * watch.c - who has more than he may, and ends.
 *
 *   watch_on_timer      loop: who is to be measured
 *   watch_run           thread: measures them, one process after the other
 *   watch_on_measured   loop: ends those that had too much, waits for the next time
 *
 * A sandbox has its own process numbers and its own /proc, which shows exactly
 * its processes, daemons included. It is read through the root of its init.
 *
 * Loop and thread take turns with the list: it is the thread's from the post of
 * `asked` until the send of `measured`. Only `ending` is read out of turn.
 */
#include "watch.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <alloc.h>

#include "sandbox/usage.h"

#define INTERVAL_MS 100

typedef struct target {
    const worker_t *worker; /* to tell it by; only the loop knows whether it still lives */
    pid_t init;
    const char *excess; /* why it must not go on, or NULL */
    bool spoils_files;  /* nor its files */
    char data[PLACE_PATH_MAX];
    char tmp[PLACE_PATH_MAX];
} target_t;

struct watch {
    const sandbox_plan_t *plan;
    pool_t *pool;
    uv_timer_t timer;
    uv_async_t measured;
    uv_thread_t thread;
    uv_sem_t asked;
    atomic_bool ending;
    int closing; /* handles still to close */
    uint64_t took_ms;
    size_t count;
    target_t targets[]; /* as many as there are slots */
};

/* ---- the thread ---- */

/* Has this init's sandbox, as its /proc shows it, more than it may have? */
static bool is_over(const watch_t *watch, pid_t init)
{
    const int64_t limit = watch->plan->config->memory;
    char path[64];
    int64_t sum = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/root/proc", (int)init);
    DIR *processes = opendir(path);
    if (processes == NULL) {
        return false; /* it is gone */
    }
    const struct dirent *entry = NULL;
    while (sum <= limit && !atomic_load(&watch->ending) && (entry = readdir(processes)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            const int64_t memory = usage_of_memory(dirfd(processes), entry->d_name);
            sum += memory > 0 ? memory : 0;
        }
    }
    (void)closedir(processes);
    return sum > limit;
}

static const char *find_excess(const watch_t *watch, target_t *target)
{
    if (watch->plan->facility->level != LEVEL_LANDLOCK) {
        return is_over(watch, target->init) ? watch->plan->memory_reason : NULL;
    }
    switch (usage_find_excess(target->init, target->data, target->tmp, watch->plan->config)) {
    case USAGE_WITHIN:
        break;
    case USAGE_MEMORY:
        return watch->plan->memory_reason;
    case USAGE_PROCESSES:
        return "it had more processes and threads than it may";
    case USAGE_FILES:
        target->spoils_files = true;
        return "it had more in its files than it may, or hid them";
    }
    return NULL;
}

static void watch_run(void *data)
{
    watch_t *watch = data;

    for (;;) {
        uv_sem_wait(&watch->asked);
        if (atomic_load(&watch->ending)) {
            return;
        }
        const uint64_t began_ns = uv_hrtime();
        for (size_t i = 0; i < watch->count; i++) {
            watch->targets[i].excess = find_excess(watch, &watch->targets[i]);
        }
        watch->took_ms = (uv_hrtime() - began_ns) / 1000000;
        (void)uv_async_send(&watch->measured);
    }
}

/* ---- the loop ---- */

static void add_target(worker_t *worker, pid_t init, void *data)
{
    watch_t *watch = data;

    if (!worker_may_have_grown(worker)) {
        return;
    }
    target_t *target = &watch->targets[watch->count++];

    *target = (target_t){.worker = worker, .init = init};
    memcpy(target->data, worker_place(worker)->data, sizeof(target->data));
    memcpy(target->tmp, worker_place(worker)->tmp, sizeof(target->tmp));
}

static void watch_on_timer(uv_timer_t *timer)
{
    watch_t *watch = timer->data;

    watch->count = 0;
    pool_visit(watch->pool, add_target, watch);
    uv_sem_post(&watch->asked);
}

static void end_if_over(worker_t *worker, pid_t init, void *data)
{
    const watch_t *watch = data;

    for (size_t i = 0; i < watch->count; i++) {
        const target_t *target = &watch->targets[i];
        if (target->excess != NULL && target->worker == worker && target->init == init) {
            if (target->spoils_files) {
                worker_kill_with_files(worker, target->excess);
            } else {
                worker_kill(worker, target->excess);
            }
        }
    }
}

static void watch_on_measured(uv_async_t *async)
{
    watch_t *watch = async->data;
    const uint64_t pause_ms = watch->took_ms > INTERVAL_MS ? watch->took_ms : INTERVAL_MS;

    pool_visit(watch->pool, end_if_over, watch);
    (void)uv_timer_start(&watch->timer, watch_on_timer, pause_ms, 0);
}

watch_t *watch_start(const sandbox_plan_t *plan, pool_t *pool, failure_t *failure)
{
    const size_t slots = (size_t)plan->config->max_sessions;
    watch_t *watch = sk_calloc(1, sizeof(*watch) + slots * sizeof(watch->targets[0]));

    if (watch == NULL || uv_sem_init(&watch->asked, 0) != 0) {
        sk_free(watch);
        (void)fail(failure, "cannot watch the sessions' memory: out of memory");
        return NULL;
    }
    watch->plan = plan;
    watch->pool = pool;
    (void)uv_timer_init(plan->loop, &watch->timer);
    (void)uv_async_init(plan->loop, &watch->measured, watch_on_measured);
    watch->timer.data = watch->measured.data = watch;
    if (uv_thread_create(&watch->thread, watch_run, watch) != 0) {
        abort(); /* a server that cannot have three threads */
    }
    (void)uv_timer_start(&watch->timer, watch_on_timer, INTERVAL_MS, 0);
    return watch;
}

static void watch_on_closed(uv_handle_t *handle)
{
    watch_t *watch = handle->data;

    if (++watch->closing == 2) {
        sk_free(watch);
    }
}

void watch_stop(watch_t *watch)
{
    if (watch == NULL) {
        return;
    }
    atomic_store(&watch->ending, true);
    uv_sem_post(&watch->asked);
    (void)uv_thread_join(&watch->thread); /* it gives up after the process it is at */
    uv_sem_destroy(&watch->asked);
    uv_close((uv_handle_t *)&watch->timer, watch_on_closed);
    uv_close((uv_handle_t *)&watch->measured, watch_on_closed);
}
