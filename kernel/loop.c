/*
 * loop.c - the kernel's one loop thread.
 *
 *     kernel__loop_start   make the loop, start the thread
 *     loop_main            turn it until nothing is left
 *     kernel__loop_post    append a task, wake the loop if it may sleep
 *     loop_on_wake         run what was posted, at most a batch a turn
 *     kernel__loop_stop    refuse posts, let loop_on_stop close everything, join
 *
 * A lock guards the inbox rather than a lock-free list: uv_async_send() must not
 * meet a closed handle, and the lock gives that for nothing.
 */
#include "loop.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "alloc.h"
#include "error.h"

#define LOOP_BATCH 1024 /* tasks a turn, so that descriptors and timers get theirs */

struct kernel__timer {
    uv_timer_t uv;
    void (*fn)(void *);
    void *data;
};

static _Thread_local const kernel__loop_t *loop_current;

static void *loop_main(void *data);
static void loop_on_wake(uv_async_t *wake);
static void loop_on_stop(kernel__loop_t *loop);

void kernel__loop_init(kernel__loop_t *loop, const kernel__log_t *log)
{
    (void)pthread_mutex_init(&loop->lock, NULL);
    loop->state = KERNEL__LOOP_NEW;
    loop->first = NULL;
    loop->last = &loop->first;
    loop->is_woken = false;
    loop->log = log;
}

/* Signals are the host's: it gets them on its own threads. */
static int loop_spawn(kernel__loop_t *loop)
{
    sigset_t all;
    sigset_t before;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&loop->thread, NULL, loop_main, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* libuv aborts when it closes 0, 1 or 2, which a process without them would give it. */
static void standard_fill(int filled[3])
{
    int fd;

    for (int i = 0; i < 3; i++) {
        filled[i] = -1;
    }
    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < 3) {
        filled[fd] = fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void standard_empty(const int filled[3])
{
    for (int i = 0; i < 3; i++) {
        if (filled[i] >= 0) {
            (void)close(filled[i]);
        }
    }
}

static int loop_init(kernel__loop_t *loop)
{
    int filled[3];
    int code;

    standard_fill(filled);
    code = uv_loop_init(&loop->uv);
    if (code == 0) {
        code = uv_async_init(&loop->uv, &loop->wake, loop_on_wake);
        if (code != 0) {
            (void)uv_loop_close(&loop->uv);
        }
    }
    standard_empty(filled);
    return code;
}

static kernel_status_t loop_start_locked(kernel__loop_t *loop, kernel_error_t *error)
{
    int code;

    if (loop->state == KERNEL__LOOP_RUNNING) {
        return KERNEL_OK;
    }
    if (loop->state == KERNEL__LOOP_STOPPING) {
        return kernel__error_set(error, KERNEL_E_CLOSED, "the kernel is being closed");
    }
    code = loop_init(loop);
    if (code != 0) {
        return kernel__error_set(error, KERNEL_E_UNAVAILABLE,
                                 "cannot make the kernel's event loop: %s", uv_strerror(code));
    }
    loop->wake.data = loop;
    code = loop_spawn(loop);
    if (code != 0) {
        uv_close((uv_handle_t *)&loop->wake, NULL);
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop->uv);
        return kernel__error_set(error, KERNEL_E_UNAVAILABLE,
                                 "cannot start the kernel's loop thread: %s",
                                 uv_strerror(uv_translate_sys_error(code)));
    }
    loop->state = KERNEL__LOOP_RUNNING;
    return KERNEL_OK;
}

kernel_status_t kernel__loop_start(kernel__loop_t *loop, kernel_error_t *error)
{
    kernel_status_t status;

    (void)pthread_mutex_lock(&loop->lock);
    status = loop_start_locked(loop, error);
    (void)pthread_mutex_unlock(&loop->lock);
    return status;
}

kernel_status_t kernel__loop_post(kernel__loop_t *loop, kernel__task_t *task)
{
    kernel_status_t status;

    (void)pthread_mutex_lock(&loop->lock);
    status = loop_start_locked(loop, NULL);
    if (status == KERNEL_OK) {
        task->next = NULL;
        *loop->last = task;
        loop->last = &task->next;
        if (!loop->is_woken) {
            loop->is_woken = true;
            (void)uv_async_send(&loop->wake);
        }
    }
    (void)pthread_mutex_unlock(&loop->lock);
    return status;
}

bool kernel__loop_is_current(const kernel__loop_t *loop)
{
    return loop_current == loop;
}

static void *loop_main(void *data)
{
    kernel__loop_t *loop = data;

#if defined(__linux__)
    (void)pthread_setname_np(pthread_self(), "semkernel-loop");
#endif
    loop_current = loop;
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop_current = NULL;
    return NULL;
}

static void loop_on_wake(uv_async_t *wake)
{
    kernel__loop_t *loop = wake->data;
    bool is_stopping = false;

    for (int count = 0; count < LOOP_BATCH; count++) {
        kernel__task_t *task;

        (void)pthread_mutex_lock(&loop->lock);
        task = loop->first;
        if (task != NULL) {
            loop->first = task->next;
            if (loop->first == NULL) {
                loop->last = &loop->first;
            }
        } else {
            loop->is_woken = false;
            is_stopping = loop->state == KERNEL__LOOP_STOPPING;
        }
        (void)pthread_mutex_unlock(&loop->lock);
        if (task == NULL) {
            if (is_stopping) {
                loop_on_stop(loop);
            }
            return;
        }
        task->run(task);
    }
    (void)uv_async_send(&loop->wake);
}

static void loop_close_handle(uv_handle_t *handle, void *data)
{
    kernel__loop_t *loop = data;

    if (uv_is_closing(handle)) {
        return;
    }
    if (handle != (uv_handle_t *)&loop->wake) {
        kernel__log_write(loop->log, KERNEL_LOG_ERROR, "a %s of the kernel's loop was left open",
                          uv_handle_type_name(handle->type));
    }
    uv_close(handle, NULL);
}

static void loop_on_stop(kernel__loop_t *loop)
{
    uv_walk(&loop->uv, loop_close_handle, loop);
}

void kernel__loop_stop(kernel__loop_t *loop)
{
    bool was_running;

    (void)pthread_mutex_lock(&loop->lock);
    was_running = loop->state == KERNEL__LOOP_RUNNING;
    loop->state = KERNEL__LOOP_STOPPING;
    if (was_running) {
        (void)uv_async_send(&loop->wake);
    }
    (void)pthread_mutex_unlock(&loop->lock);
    if (was_running) {
        int code;

        (void)pthread_join(loop->thread, NULL);
        code = uv_loop_close(&loop->uv);
        assert(code == 0);
        (void)code;
    }
    (void)pthread_mutex_destroy(&loop->lock);
}

void kernel__loop_forget(kernel__loop_t *loop)
{
    /* The parent's epoll set is shared: closing our number of it is all that may be done. */
    if (loop->state == KERNEL__LOOP_RUNNING) {
        (void)close(uv_backend_fd(&loop->uv));
    }
    loop->state = KERNEL__LOOP_STOPPING;
}

static void timer_on_closed(uv_handle_t *handle)
{
    sk_free(handle->data);
}

static void timer_on_due(uv_timer_t *uv)
{
    kernel__timer_t *timer = uv->data;
    void (*fn)(void *) = timer->fn;
    void *data = timer->data;

    uv_close((uv_handle_t *)uv, timer_on_closed);
    fn(data);
}

kernel__timer_t *kernel__timer_start(kernel__loop_t *loop, uint64_t ms, void (*fn)(void *),
                                     void *data)
{
    kernel__timer_t *timer = sk_calloc(1, sizeof(*timer));

    assert(kernel__loop_is_current(loop));
    if (timer == NULL) {
        return NULL;
    }
    timer->fn = fn;
    timer->data = data;
    (void)uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    uv_update_time(&loop->uv); /* libuv counts from when the loop last woke */
    (void)uv_timer_start(&timer->uv, timer_on_due, ms, 0);
    return timer;
}

void kernel__timer_stop(kernel__timer_t *timer)
{
    if (timer != NULL) {
        uv_close((uv_handle_t *)&timer->uv, timer_on_closed);
    }
}
