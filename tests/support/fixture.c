/*
 * fixture.c - a kernel for a test, and what calls are watched with.
 */
#include "support/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINES 4096

struct fixture_log {
    pthread_mutex_t lock;
    pthread_cond_t more;
    char *lines[LOG_LINES]; /* owned */
    size_t count;
    fixture_log_t *next; /* of those that are left */
};

static fixture_log_t *left; /* of leaked kernels, which may write to them yet */

/* ---- the log ---- */

static fixture_log_t *log_new(void)
{
    fixture_log_t *log = calloc(1, sizeof(*log));

    CHECK(log != NULL);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->more, NULL);
    return log;
}

static void log_free(fixture_log_t *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->lines[i]);
    }
    pthread_cond_destroy(&log->more);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

static void log_keep(kernel_log_level_t level, const char *line, void *data)
{
    fixture_log_t *log = data;

    (void)level;
    pthread_mutex_lock(&log->lock);
    if (log->count < LOG_LINES) {
        log->lines[log->count] = strdup(line);
        log->count += log->lines[log->count] != NULL;
    }
    pthread_cond_broadcast(&log->more);
    pthread_mutex_unlock(&log->lock);
}

/* With the lock held. */
static size_t log_count(const fixture_log_t *log, const char *part)
{
    size_t count = 0;

    for (size_t i = 0; i < log->count; i++) {
        count += strstr(log->lines[i], part) != NULL;
    }
    return count;
}

size_t fixture_log_count(const fixture_t *fixture, const char *part)
{
    fixture_log_t *log = fixture->log;
    size_t count;

    pthread_mutex_lock(&log->lock);
    count = log_count(log, part);
    pthread_mutex_unlock(&log->lock);
    return count;
}

void fixture_log_wait(const fixture_t *fixture, const char *part)
{
    fixture_log_t *log = fixture->log;
    struct timespec deadline;
    bool is_there;
    int status = 0;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += FIXTURE_WAIT_MS / 1000;
    pthread_mutex_lock(&log->lock);
    while (log_count(log, part) == 0 && status == 0) {
        status = pthread_cond_clockwait(&log->more, &log->lock, CLOCK_MONOTONIC, &deadline);
    }
    is_there = log_count(log, part) > 0;
    pthread_mutex_unlock(&log->lock);
    if (!is_there) {
        check_fail(__FILE__, __LINE__, "nothing was logged with \"%s\" in it", part);
    }
}

/* ---- the kernel ---- */

kernel_options_t fixture_options(void)
{
    static const char *const paths[] = {TEST_PLUGIN_DIR, NULL};
    kernel_options_t options = KERNEL_OPTIONS_INIT;

    options.plugin_paths = paths;
    options.env_file = "";
    return options;
}

fixture_t fixture_with_options(const kernel_options_t *given)
{
    kernel_options_t options = *given;
    kernel_error_t error = KERNEL_ERROR_INIT;
    fixture_t fixture = {.args = kernel_args_new(), .log = log_new()};

    options.log = log_keep;
    options.log_data = fixture.log;
    fixture.kernel = kernel_new(&options, &error);
    if (fixture.kernel == NULL) {
        check_fail(__FILE__, __LINE__, "there is no kernel: %s", error.text);
    }
    return fixture;
}

fixture_t fixture_new(void)
{
    kernel_options_t options = fixture_options();

    return fixture_with_options(&options);
}

kernel_plugin_t *fixture_add(fixture_t *fixture, const char *type, const char *name)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_plugin_t *plugin = kernel_add_plugin(fixture->kernel, type, name, NULL, &error);

    if (plugin == NULL) {
        check_fail(__FILE__, __LINE__, "there is no plugin %s: %s", type, error.text);
    }
    if (fixture->plugin == NULL) {
        fixture->plugin = plugin;
    }
    return plugin;
}

fixture_t fixture_with_plugin(const char *type)
{
    fixture_t fixture = fixture_new();

    fixture_add(&fixture, type, NULL);
    return fixture;
}

void fixture_free(fixture_t *fixture)
{
    kernel_args_free(fixture->args);
    kernel_free(fixture->kernel);
    log_free(fixture->log);
    *fixture = (fixture_t){0};
}

void fixture_leave(fixture_t *fixture)
{
    kernel_args_free(fixture->args);
    kernel_free(fixture->kernel);
    fixture->log->next = left;
    left = fixture->log;
    *fixture = (fixture_t){0};
}

kernel_function_t *fixture_function(const fixture_t *fixture, const char *name)
{
    kernel_function_t *function = kernel_find_function(fixture->kernel, name);

    if (function == NULL) {
        check_fail(__FILE__, __LINE__, "there is no function %s", name);
    }
    return function;
}

/* ---- calling ---- */

kernel_result_t *fixture_call(const fixture_t *fixture, const char *name, const char *format, ...)
{
    char json[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(json, sizeof(json), format, arguments);
    va_end(arguments);
    return kernel_invoke_json(fixture->kernel, name, json);
}

void fixture_check(const char *file, int line, const fixture_t *fixture, const char *name,
                   const char *json, const char *text)
{
    kernel_result_t *result = kernel_invoke_json(fixture->kernel, name, json);

    check_text(file, line, kernel_result_status(result) == KERNEL_OK ? name : "the failed call",
               kernel_result_text(result), text);
    kernel_result_free(result);
}

void fixture_check_status(const char *file, int line, kernel_result_t *result,
                          kernel_status_t wanted)
{
    if (kernel_result_status(result) != wanted) {
        check_fail(file, line, "the status is %s (%s), wanted %s",
                   kernel_status_name(kernel_result_status(result)), kernel_result_text(result),
                   kernel_status_name(wanted));
    }
    kernel_result_free(result);
}

void outcome_note(const kernel_result_t *result, void *data)
{
    outcome_t *outcome = data;

    outcome->status = kernel_result_status(result);
    outcome->integer = kernel_result_integer(result);
    snprintf(outcome->text, sizeof(outcome->text), "%s", kernel_result_text(result));
    outcome->thread = pthread_self();
    atomic_fetch_add(&outcome->times, 1);
    latch_open(&outcome->done);
}

void outcome_wait(outcome_t *outcome)
{
    latch_wait(&outcome->done);
}

int outcome_times(const outcome_t *outcome)
{
    return atomic_load(&outcome->times);
}

void outcome_start(outcome_t *outcome, const fixture_t *fixture, const char *name,
                   const kernel_invoke_options_t *options, kernel_call_t **call_out,
                   const char *format, ...)
{
    kernel_args_t *args = kernel_args_new();
    kernel_error_t error = KERNEL_ERROR_INIT;
    char json[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(json, sizeof(json), format, arguments);
    va_end(arguments);
    CHECK_EQ(kernel_args_read_json(args, json, strlen(json), &error), KERNEL_OK);
    CHECK_EQ(kernel_invoke_async(fixture_function(fixture, name), args, options, outcome_note,
                                 outcome, call_out),
             KERNEL_OK);
    kernel_args_free(args); /* the kernel has a copy */
}

/* ---- gates ---- */

gate_t gate_new(void)
{
    gate_t gate;

    CHECK(pipe(gate.begun) == 0 && pipe(gate.go) == 0);
    return gate;
}

void gate_free(gate_t *gate)
{
    for (int i = 0; i < 2; i++) {
        close(gate->begun[i]);
        close(gate->go[i]);
    }
}

static bool gate_poll(const gate_t *gate, int timeout_ms)
{
    struct pollfd end = {.fd = gate->begun[0], .events = POLLIN};
    int ready;

    do {
        ready = poll(&end, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready == 1;
}

void gate_wait(const gate_t *gate, int count)
{
    char byte;

    for (int i = 0; i < count; i++) {
        if (!gate_poll(gate, FIXTURE_WAIT_MS) || read(gate->begun[0], &byte, 1) != 1) {
            check_fail(__FILE__, __LINE__, "only %d of %d functions have begun", i, count);
        }
    }
}

bool gate_has_begun(const gate_t *gate)
{
    return gate_poll(gate, 0);
}

void gate_open(const gate_t *gate, int count)
{
    for (int i = 0; i < count; i++) {
        CHECK_EQ(write(gate->go[1], "", 1), 1);
    }
}

/* ---- the process ---- */

static int entry_count(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count - 2; /* . and .. */
}

int thread_count(void)
{
    return entry_count("/proc/self/task");
}

int descriptor_count(void)
{
    return entry_count("/proc/self/fd") - 1; /* the one it is read through */
}

void wait_until(bool (*is_so)(void *data), void *data, const char *what)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < FIXTURE_WAIT_MS; i++) {
        if (is_so(data)) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    check_fail(__FILE__, __LINE__, "it never came to this: %s", what);
}
