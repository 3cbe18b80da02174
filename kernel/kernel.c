/*
 * kernel.c - making, closing and freeing a kernel.
 *
 *     kernel_new    options, .env, loader; no thread
 *     kernel_close  refuse calls, cancel, report when the last has ended
 *     kernel_free   the same and wait; destroy instances; end threads
 */
#include <kernel/kernel.h>

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "error.h"
#include "kernel_state.h"

#define KERNEL_DRAIN_MS       5000u
#define KERNEL_ARGUMENT_SIZE  ((size_t)64 * 1024 * 1024)
#define KERNEL_JSON_SIZE      ((size_t)16 * 1024 * 1024)
#define KERNEL_JSON_DEPTH     64u
#define KERNEL_CLOSE_POLL_MS  5u
#define KERNEL_WAIT_NS        (5u * KERNEL__NS_PER_MS)
#define KERNEL_DOTENV_DEFAULT ".env"

static atomic_uint_least64_t kernel_last_id;
static _Thread_local const kernel__dispatch_t *kernel_dispatching; /* whose callbacks run here */

/* ---- making ---- */

static bool options_read(const kernel_options_t *given, kernel_options_t *options)
{
    const kernel_options_t defaults = KERNEL_OPTIONS_INIT;

    *options = defaults;
    if (given == NULL) {
        return true;
    }
    if (given->size < offsetof(kernel_options_t, log_data)) {
        return false;
    }
    memcpy(options, given, given->size < sizeof(*options) ? given->size : sizeof(*options));
    options->size = sizeof(*options);
    return true;
}

static kernel_status_t options_check(const kernel_options_t *options, kernel_error_t *error)
{
    if (options->delivery < KERNEL_DELIVERY_DEFAULT || options->delivery > KERNEL_DELIVERY_UV) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot make a kernel: there is no delivery %d",
                                 (int)options->delivery);
    }
    if ((options->delivery == KERNEL_DELIVERY_UV) != (options->loop != NULL)) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot make a kernel: the options `delivery` = "
                                 "KERNEL_DELIVERY_UV and `loop` go together");
    }
    return KERNEL_OK;
}

static kernel_status_t kernel_read_dotenv(kernel_t *kernel, const char *env_file,
                                          kernel_error_t *error)
{
    const char *path = env_file != NULL ? env_file : KERNEL_DOTENV_DEFAULT;
    sk_dotenv_error_t why = {0};

    if (path[0] == '\0') {
        return KERNEL_OK;
    }
    kernel->dotenv_path = sk_strdup(path);
    if (kernel->dotenv_path == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for a kernel");
    }
    kernel->dotenv = sk_dotenv_read_file(path, &why);
    if (kernel->dotenv != NULL || (env_file == NULL && why.system_error == ENOENT)) {
        return KERNEL_OK;
    }
    if (why.system_error != 0) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot read the environment file '%s': %s", path,
                                 strerror(why.system_error));
    }
    return kernel__error_set(error, KERNEL_E_INVALID,
                             "cannot read the environment file '%s': line %u: %s", path, why.line,
                             why.text);
}

static void kernel_set_limits(kernel_t *kernel, const kernel_options_t *options)
{
    kernel->drain_ms = options->drain_ms != 0 ? options->drain_ms : KERNEL_DRAIN_MS;
    kernel->limits.argument_size =
        options->max_argument_size != 0 ? options->max_argument_size : KERNEL_ARGUMENT_SIZE;
    kernel->limits.json_size =
        options->max_json_size != 0 ? options->max_json_size : KERNEL_JSON_SIZE;
    kernel->limits.json_depth =
        options->max_json_depth != 0 ? options->max_json_depth : KERNEL_JSON_DEPTH;
}

/* Whatever cannot fail; after it kernel_release() is right. */
static void kernel_init(kernel_t *kernel, const kernel_options_t *options)
{
    kernel->id = atomic_fetch_add(&kernel_last_id, 1) + 1;
    kernel__fork_watch();
    kernel->fork_count = atomic_load_explicit(&kernel__fork_count, memory_order_relaxed);
    atomic_init(&kernel->is_closing, false);
    atomic_init(&kernel->unreported, 0);
    kernel__log_init(&kernel->log, options->log, options->log_data, (int)options->log_level);
    kernel_set_limits(kernel, options);
    kernel->default_delivery =
        options->delivery != KERNEL_DELIVERY_DEFAULT ? options->delivery : KERNEL_DELIVERY_LOOP;
    (void)pthread_mutex_init(&kernel->idle_lock, NULL);
    kernel__condition_init(&kernel->idle);
    kernel__registry_init(&kernel->registry);
    kernel__turns_init(&kernel->turns);
    kernel__filters_init(&kernel->filters);
    kernel__loop_init(&kernel->loop, &kernel->log);
    kernel__pool_init(&kernel->pool, options->pool_threads, options->pool_limit,
                      options->pool_stack_size);
    kernel__extensions_init(kernel);
    kernel__call_pool_init(kernel);
}

/* The reverse; threads have ended. */
static void kernel_release(kernel_t *kernel)
{
    kernel__call_pool_retire(kernel);
    kernel__call_pool_fini(kernel);
    kernel__filters_fini(&kernel->filters);
    kernel__turns_fini(&kernel->turns);
    kernel__registry_fini(&kernel->registry);
    kernel__loader_free(kernel->loader);
    sk_dotenv_free(kernel->dotenv);
    sk_free(kernel->dotenv_path);
    if (!kernel__is_forked(kernel)) { /* it would wait for the parent's threads */
        (void)pthread_cond_destroy(&kernel->idle);
    }
    (void)pthread_mutex_destroy(&kernel->idle_lock);
    sk_free(kernel);
}

kernel_t *kernel_new(const kernel_options_t *given, kernel_error_t *error)
{
    kernel_options_t options;
    kernel_t *kernel;

    if (!options_read(given, &options)) {
        (void)kernel__error_set(error, KERNEL_E_INVALID,
                                "the options of a kernel were not initialised: begin with "
                                "KERNEL_OPTIONS_INIT");
        return NULL;
    }
    if (options_check(&options, error) != KERNEL_OK) {
        return NULL;
    }
    kernel = sk_calloc(1, sizeof(*kernel));
    if (kernel == NULL) {
        (void)kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for a kernel");
        return NULL;
    }
    kernel_init(kernel, &options);
    kernel->loader = kernel__loader_new(&options, &kernel->log, error);
    if (kernel->loader == NULL ||
        kernel_read_dotenv(kernel, options.env_file, error) != KERNEL_OK ||
        kernel__delivery_init(kernel, options.loop, error) != KERNEL_OK) {
        kernel__pool_stop(&kernel->pool);
        kernel__loop_stop(&kernel->loop);
        kernel_release(kernel);
        return NULL;
    }
    kernel->sources = (kernel__config_sources_t){.dotenv = kernel->dotenv,
                                                 .dotenv_path = kernel->dotenv_path,
                                                 .secret = options.secret,
                                                 .secret_data = options.secret_data,
                                                 .limits = &kernel->limits};
    return kernel;
}

kernel_status_t kernel__check_open(const kernel_t *kernel, kernel_error_t *error)
{
    if (kernel == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID, "the kernel is NULL");
    }
    if (kernel__is_forked(kernel)) {
        return kernel__error_set(error, KERNEL_E_FORKED,
                                 "the kernel was made before fork(): make one in the child");
    }
    if (atomic_load_explicit(&kernel->is_closing, memory_order_acquire)) {
        return kernel__error_set(error, KERNEL_E_CLOSED, "the kernel is being closed");
    }
    return KERNEL_OK;
}

/* ---- closing ---- */

void kernel__report_end(kernel_t *kernel)
{
    if (!atomic_load_explicit(&kernel->is_closing, memory_order_acquire)) {
        (void)atomic_fetch_sub_explicit(&kernel->unreported, 1, memory_order_release);
        return; /* the last touch: who frees it may go on from here */
    }
    (void)pthread_mutex_lock(&kernel->idle_lock);
    (void)atomic_fetch_sub_explicit(&kernel->unreported, 1, memory_order_release);
    (void)pthread_cond_broadcast(&kernel->idle);
    (void)pthread_mutex_unlock(&kernel->idle_lock);
}

void kernel__idle_notify(kernel_t *kernel)
{
    if (atomic_load_explicit(&kernel->is_closing, memory_order_acquire)) {
        (void)pthread_mutex_lock(&kernel->idle_lock);
        (void)pthread_cond_broadcast(&kernel->idle);
        (void)pthread_mutex_unlock(&kernel->idle_lock);
    }
}

/* Refuse what is new, cancel what runs. */
static void kernel_begin_closing(kernel_t *kernel)
{
    kernel__registry_close(kernel);
    kernel__call_cancel_all(kernel, NULL, KERNEL_E_CLOSED);
}

static void close_on_report(kernel__task_t *task)
{
    kernel_t *kernel = (kernel_t *)(void *)((char *)task - offsetof(kernel_t, close_task));

    kernel->close_cb(kernel->close_data);
    kernel__delivery_done(kernel, kernel->default_delivery);
    (void)pthread_mutex_lock(&kernel->idle_lock);
    kernel->is_close_reported = true;
    (void)pthread_cond_broadcast(&kernel->idle);
    (void)pthread_mutex_unlock(&kernel->idle_lock);
}

static bool deadline_has_passed(uint64_t deadline)
{
    return deadline != 0 && kernel__clock_now() >= deadline;
}

static bool close_is_done(kernel_t *kernel)
{
    return (atomic_load(&kernel->unreported) == 0 && kernel__registry_is_idle(kernel)) ||
           deadline_has_passed(kernel->close_deadline);
}

static void close_on_poll(void *data)
{
    kernel_t *kernel = data;

    kernel__registry_stop(kernel);
    if (!close_is_done(kernel) &&
        kernel__timer_start(&kernel->loop, KERNEL_CLOSE_POLL_MS, close_on_poll, kernel) != NULL) {
        return;
    }
    kernel->close_task.run = close_on_report;
    kernel__delivery_post(kernel, kernel->default_delivery, &kernel->close_task);
}

static void close_on_begin(kernel__task_t *task)
{
    close_on_poll((kernel_t *)(void *)((char *)task - offsetof(kernel_t, close_task)));
}

kernel_status_t kernel_close(kernel_t *kernel, kernel_close_cb cb, void *data)
{
    bool was_closing = false;
    kernel_status_t status;

    if (kernel == NULL || cb == NULL) {
        return KERNEL_E_INVALID;
    }
    if (kernel__is_forked(kernel)) {
        return KERNEL_E_FORKED;
    }
    status = kernel__loop_start(&kernel->loop, NULL);
    if (status != KERNEL_OK) {
        return status;
    }
    if (!atomic_compare_exchange_strong(&kernel->is_closing, &was_closing, true)) {
        return KERNEL_E_CLOSED;
    }
    kernel->close_cb = cb;
    kernel->close_data = data;
    kernel->close_deadline = kernel__clock_deadline(kernel->drain_ms);
    kernel__delivery_expect(kernel, kernel->default_delivery);
    kernel_begin_closing(kernel);
    kernel->close_task.run = close_on_begin;
    return kernel__loop_post(&kernel->loop, &kernel->close_task);
}

/* ---- freeing ---- */

static bool free_is_refused(const kernel_t *kernel)
{
    const kernel__dispatch_t *dispatch = kernel_dispatching;

    while (dispatch != NULL && dispatch->kernel != kernel) {
        dispatch = dispatch->outer;
    }
    return dispatch != NULL || kernel__call_is_inside(kernel, NULL) ||
           kernel__loop_is_current(&kernel->loop);
}

static bool free_is_reported(kernel_t *kernel)
{
    return atomic_load(&kernel->unreported) == 0 &&
           (kernel->close_cb == NULL || kernel->is_close_reported);
}

/* Until every started call was reported; callbacks that wait for this thread run here. */
static bool free_wait_for_reports(kernel_t *kernel, uint64_t deadline)
{
    bool is_reported;

    for (;;) {
        (void)kernel__delivery_run(kernel);
        (void)pthread_mutex_lock(&kernel->idle_lock);
        is_reported = free_is_reported(kernel);
        if (!is_reported && !deadline_has_passed(deadline)) {
            (void)kernel__condition_wait(&kernel->idle, &kernel->idle_lock,
                                         kernel__clock_now() + KERNEL_WAIT_NS);
        }
        (void)pthread_mutex_unlock(&kernel->idle_lock);
        if (is_reported || deadline_has_passed(deadline)) {
            return is_reported;
        }
    }
}

/* In a forked child the threads do not exist and locks may be held by them for ever. */
static void free_in_child(kernel_t *kernel)
{
    kernel__loop_forget(&kernel->loop);
    kernel__delivery_forget(kernel);
    kernel_release(kernel);
}

void kernel_free(kernel_t *kernel)
{
    kernel__dispatch_t dispatch;
    uint64_t deadline;
    bool is_clean;

    if (kernel == NULL) {
        return;
    }
    if (kernel__is_forked(kernel)) {
        free_in_child(kernel);
        return;
    }
    if (free_is_refused(kernel)) {
        kernel__log_write(
            &kernel->log, KERNEL_LOG_ERROR,
            "kernel_free() inside a callback or a call of the same kernel is refused: "
            "call it after that has returned");
        return;
    }
    atomic_store(&kernel->is_closing, true);
    kernel_begin_closing(kernel);
    deadline = kernel__clock_deadline(kernel->drain_ms);
    kernel__dispatch_begin(&dispatch, kernel);
    is_clean = free_wait_for_reports(kernel, deadline);
    is_clean = kernel__registry_remove_all(kernel, deadline) && is_clean;
    (void)kernel__delivery_run(kernel);
    kernel__dispatch_end(&dispatch);
    if (!is_clean) {
        kernel__log_write(&kernel->log, KERNEL_LOG_ERROR,
                          "the kernel is leaked: what was named above did not end within %llu ms",
                          (unsigned long long)kernel->drain_ms);
        return; /* a tomb: it refuses everything, and what runs in it still finds its memory */
    }
    kernel__pool_stop(&kernel->pool);
    kernel__loop_stop(&kernel->loop);
    kernel__delivery_fini(kernel);
    kernel_release(kernel);
}

void kernel__dispatch_begin(kernel__dispatch_t *dispatch, const kernel_t *kernel)
{
    dispatch->kernel = kernel;
    dispatch->outer = kernel_dispatching;
    kernel_dispatching = dispatch;
}

void kernel__dispatch_end(const kernel__dispatch_t *dispatch)
{
    kernel_dispatching = dispatch->outer;
}
