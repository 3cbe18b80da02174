/*
 * delivery.c - where callbacks of the host run.
 *
 * kernel_dispatch() and the host's uv loop share one queue: a kernel whose host
 * asked for both is served by whichever comes first.
 */
#include "delivery.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <uv.h>

#include "alloc.h"
#include "error.h"
#include "kernel_state.h"

/* Lives in the host's loop, so it is freed by that loop, not by the kernel. */
struct kernel__delivery_wake {
    uv_async_t uv;
    kernel_t *kernel;
    pthread_t thread; /* that turns the loop */
};

/* A kernel that is idle keeps nobody's loop turning, one that owes callbacks does. */
static void delivery_set_ref(kernel__delivery_wake_t *wake)
{
    if (atomic_load(&wake->kernel->delivery.expected) > 0) {
        uv_ref((uv_handle_t *)&wake->uv);
    } else {
        uv_unref((uv_handle_t *)&wake->uv);
    }
}

static void delivery_on_wake(uv_async_t *uv)
{
    kernel__delivery_wake_t *wake = uv->data;

    (void)kernel__delivery_run(wake->kernel);
    delivery_set_ref(wake);
}

static void delivery_count(kernel_t *kernel, kernel_delivery_t kind, long change)
{
    kernel__delivery_wake_t *wake = kernel->delivery.wake;

    if (kind != KERNEL_DELIVERY_UV || wake == NULL) {
        return;
    }
    (void)atomic_fetch_add(&kernel->delivery.expected, change);
    if (pthread_equal(wake->thread, pthread_self())) {
        delivery_set_ref(wake);
    } else {
        (void)uv_async_send(&wake->uv);
    }
}

void kernel__delivery_expect(kernel_t *kernel, kernel_delivery_t delivery)
{
    delivery_count(kernel, delivery, 1);
}

void kernel__delivery_done(kernel_t *kernel, kernel_delivery_t delivery)
{
    delivery_count(kernel, delivery, -1);
}

kernel_status_t kernel__delivery_init(kernel_t *kernel, struct uv_loop_s *loop,
                                      kernel_error_t *error)
{
    kernel__delivery_t *delivery = &kernel->delivery;
    kernel__delivery_wake_t *wake;
    int code;

    (void)pthread_mutex_init(&delivery->lock, NULL);
    delivery->first = NULL;
    delivery->last = &delivery->first;
    delivery->fd = -1;
    delivery->wake = NULL;
    atomic_init(&delivery->expected, 0);
    if (loop == NULL) {
        return KERNEL_OK;
    }
    wake = sk_calloc(1, sizeof(*wake));
    if (wake == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for the host's loop");
    }
    code = uv_async_init(loop, &wake->uv, delivery_on_wake);
    if (code != 0) {
        sk_free(wake);
        return kernel__error_set(error, KERNEL_E_INVALID, "cannot use the host's uv loop: %s",
                                 uv_strerror(code));
    }
    wake->uv.data = wake;
    wake->kernel = kernel;
    wake->thread = pthread_self();
    delivery->wake = wake;
    delivery_set_ref(wake);
    return KERNEL_OK;
}

static void delivery_signal(const kernel__delivery_t *delivery)
{
    const uint64_t one = 1;

    if (delivery->wake != NULL) {
        (void)uv_async_send(&delivery->wake->uv);
    }
    if (delivery->fd >= 0) {
        ssize_t written;

        do {
            written = write(delivery->fd, &one, sizeof(one));
        } while (written < 0 && errno == EINTR);
    }
}

void kernel__delivery_post(kernel_t *kernel, kernel_delivery_t kind, kernel__task_t *task)
{
    kernel__delivery_t *delivery = &kernel->delivery;

    if (kind != KERNEL_DELIVERY_FD && kind != KERNEL_DELIVERY_UV) {
        (void)kernel__loop_post(&kernel->loop, task);
        return;
    }
    task->next = NULL;
    (void)pthread_mutex_lock(&delivery->lock);
    *delivery->last = task;
    delivery->last = &task->next;
    delivery_signal(delivery);
    (void)pthread_mutex_unlock(&delivery->lock);
    kernel__idle_notify(kernel);
}

static void delivery_clear_fd(const kernel__delivery_t *delivery)
{
    uint64_t count;

    if (delivery->fd >= 0) {
        ssize_t got;

        do {
            got = read(delivery->fd, &count, sizeof(count));
        } while (got < 0 && errno == EINTR);
    }
}

size_t kernel__delivery_run(kernel_t *kernel)
{
    kernel__delivery_t *delivery = &kernel->delivery;
    kernel__dispatch_t dispatch;
    kernel__task_t *task;
    size_t count = 0;

    (void)pthread_mutex_lock(&delivery->lock);
    delivery_clear_fd(delivery);
    task = delivery->first;
    delivery->first = NULL;
    delivery->last = &delivery->first;
    (void)pthread_mutex_unlock(&delivery->lock);
    kernel__dispatch_begin(&dispatch, kernel);
    while (task != NULL) {
        kernel__task_t *next = task->next;

        task->run(task);
        task = next;
        count++;
    }
    kernel__dispatch_end(&dispatch);
    return count;
}

static void delivery_on_closed(uv_handle_t *handle)
{
    sk_free(handle->data);
}

void kernel__delivery_fini(kernel_t *kernel)
{
    kernel__delivery_t *delivery = &kernel->delivery;

    if (delivery->wake != NULL) {
        uv_close((uv_handle_t *)&delivery->wake->uv, delivery_on_closed);
        delivery->wake = NULL;
    }
    if (delivery->fd >= 0) {
        (void)close(delivery->fd);
        delivery->fd = -1;
    }
    (void)pthread_mutex_destroy(&delivery->lock);
}

void kernel__delivery_forget(kernel_t *kernel)
{
    if (kernel->delivery.fd >= 0) {
        (void)close(kernel->delivery.fd);
    }
}

int kernel_completion_fd(kernel_t *kernel)
{
    kernel__delivery_t *delivery;
    int fd;

    if (kernel == NULL || kernel__is_forked(kernel)) {
        return -1;
    }
    delivery = &kernel->delivery;
    (void)pthread_mutex_lock(&delivery->lock);
    if (delivery->fd < 0) {
        delivery->fd = eventfd(delivery->first != NULL ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    fd = delivery->fd;
    (void)pthread_mutex_unlock(&delivery->lock);
    return fd;
}

size_t kernel_dispatch(kernel_t *kernel)
{
    if (kernel == NULL || kernel__is_forked(kernel) || kernel__loop_is_current(&kernel->loop)) {
        return 0;
    }
    return kernel__delivery_run(kernel);
}
