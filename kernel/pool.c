/*
 * pool.c - the kernel's own elastic pool of threads.
 *
 *     kernel__pool_post   queue a task, see that somebody can take it
 *     pool_main           a worker: take, run, wait, leave when idle for long
 *     pool_take           nested work first, roots while there is room
 *     pool_grow           one more thread where the rules ask for it
 */
#include "pool.h"

#include <signal.h>
#include <unistd.h>

#include "clock.h"

#define POOL_IDLE_MS       5000
#define POOL_STACK_DEFAULT (1024u * 1024u)
#define POOL_STACK_MIN     (64u * 1024u)

static _Thread_local const kernel__pool_t *pool_current;

static void *pool_main(void *data);

void kernel__pool_init(kernel__pool_t *pool, uint32_t target, uint32_t limit, size_t stack_size)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *pool = (kernel__pool_t){0};
    (void)pthread_mutex_init(&pool->lock, NULL);
    kernel__condition_init(&pool->work);
    kernel__condition_init(&pool->gone);
    pool->nested.last = &pool->nested.first;
    pool->roots.last = &pool->roots.first;
    pool->limit = limit != 0 ? limit : 1024;
    pool->target = target != 0 ? target : cores > 4 ? (uint32_t)cores : 4;
    if (pool->target > pool->limit) {
        pool->target = pool->limit;
    }
    pool->stack_size = stack_size != 0 ? stack_size : POOL_STACK_DEFAULT;
    if (pool->stack_size < POOL_STACK_MIN) {
        pool->stack_size = POOL_STACK_MIN;
    }
}

static void queue_push(kernel__pool_queue_t *queue, kernel__task_t *task)
{
    task->next = NULL;
    *queue->last = task;
    queue->last = &task->next;
}

static kernel__task_t *queue_pop(kernel__pool_queue_t *queue)
{
    kernel__task_t *task = queue->first;

    if (task != NULL) {
        queue->first = task->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return task;
}

static bool pool_spawn(kernel__pool_t *pool)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, pool->stack_size);
    code = pthread_create(&thread, &attributes, pool_main, pool);
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        return false;
    }
    pool->total++;
    return true;
}

/* See that roots which are queued find a thread. */
static void pool_grow(kernel__pool_t *pool)
{
    if (pool->roots.first != NULL && pool->idle == 0 && pool->running_roots < KERNEL__POOL_ROOTS &&
        pool->total - pool->blocked < pool->target && pool->total < pool->limit) {
        (void)pool_spawn(pool);
    }
}

/* Nested work is queued only together with a thread that will take it: behind its own ancestors it
 * might wait for ever. */
static bool pool_has_room_for_nested(kernel__pool_t *pool)
{
    return pool->idle > pool->queued_nested || (pool->total < pool->limit && pool_spawn(pool));
}

kernel_status_t kernel__pool_post(kernel__pool_t *pool, kernel__task_t *task, bool is_nested)
{
    kernel_status_t status = KERNEL_OK;
    bool is_first;

    (void)pthread_mutex_lock(&pool->lock);
    is_first = pool->total == 0 && !is_nested;
    if (is_nested && !pool_has_room_for_nested(pool)) {
        status = KERNEL_E_BUSY;
    } else if (is_first && !pool_spawn(pool)) {
        status = KERNEL_E_UNAVAILABLE;
    } else {
        queue_push(is_nested ? &pool->nested : &pool->roots, task);
        pool->queued_nested += is_nested ? 1 : 0;
        if (!is_first) {
            pool_grow(pool);
        }
        (void)pthread_cond_signal(&pool->work);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return status;
}

void kernel__pool_block_enter(kernel__pool_t *pool)
{
    if (pool_current != pool) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->blocked++;
    pool_grow(pool);
    (void)pthread_mutex_unlock(&pool->lock);
}

void kernel__pool_block_leave(kernel__pool_t *pool)
{
    if (pool_current != pool) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->blocked--;
    (void)pthread_mutex_unlock(&pool->lock);
}

static kernel__task_t *pool_take(kernel__pool_t *pool, bool *is_root_out)
{
    kernel__task_t *task = queue_pop(&pool->nested);

    *is_root_out = false;
    if (task != NULL) {
        pool->queued_nested--;
        return task;
    }
    if (pool->running_roots >= KERNEL__POOL_ROOTS) {
        return NULL;
    }
    task = queue_pop(&pool->roots);
    if (task != NULL) {
        *is_root_out = true;
        pool->running_roots++;
    }
    return task;
}

/* Wait for work; false when this thread should leave. */
static bool pool_wait(kernel__pool_t *pool)
{
    bool in_time;

    if (pool->is_stopping) {
        return false;
    }
    pool->idle++;
    in_time =
        kernel__condition_wait(&pool->work, &pool->lock, kernel__clock_deadline(POOL_IDLE_MS));
    pool->idle--;
    return in_time || pool->nested.first != NULL || pool->roots.first != NULL || pool->is_stopping;
}

/* Runs with the lock held; the thread that left before us is joined, so that at most one waits for
 * that. */
static void pool_leave(kernel__pool_t *pool)
{
    bool has_leaver = pool->has_leaver;
    pthread_t leaver = pool->leaver;

    pool->has_leaver = true;
    pool->leaver = pthread_self();
    pool->total--;
    (void)pthread_cond_broadcast(&pool->gone);
    (void)pthread_mutex_unlock(&pool->lock);
    if (has_leaver) {
        (void)pthread_join(leaver, NULL);
    }
}

static void *pool_main(void *data)
{
    kernel__pool_t *pool = data;

#if defined(__linux__)
    (void)pthread_setname_np(pthread_self(), "semkernel-pool");
#endif
    pool_current = pool;
    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        bool is_root = false;
        kernel__task_t *task = pool_take(pool, &is_root);

        if (task == NULL) {
            if (!pool_wait(pool)) {
                break;
            }
            continue;
        }
        pool_grow(pool);
        (void)pthread_mutex_unlock(&pool->lock);
        task->run(task);
        (void)pthread_mutex_lock(&pool->lock);
        pool->running_roots -= is_root ? 1 : 0;
    }
    pool_leave(pool);
    return NULL;
}

void kernel__pool_stop(kernel__pool_t *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    (void)pthread_cond_broadcast(&pool->work);
    while (pool->total > 0) {
        (void)kernel__condition_wait(&pool->gone, &pool->lock, 0);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (pool->has_leaver) {
        (void)pthread_join(pool->leaver, NULL);
    }
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_cond_destroy(&pool->gone);
    (void)pthread_mutex_destroy(&pool->lock);
}
