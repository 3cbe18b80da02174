/*
 * interpreter.c - a kernel with the plugin sessions_python.
 */
#include "support/interpreter.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_SECONDS 30

/* ---- the kernel ---- */

static void keep_line(kernel_log_level_t level, const char *line, void *data)
{
    interpreter_t *interpreter = data;
    size_t size = strlen(line);

    (void)level;
    (void)pthread_mutex_lock(&interpreter->lock);
    if (interpreter->log_size + size + 2 < sizeof(interpreter->log)) {
        memcpy(interpreter->log + interpreter->log_size, line, size);
        interpreter->log_size += size;
        interpreter->log[interpreter->log_size++] = '\n';
        interpreter->log[interpreter->log_size] = '\0';
        (void)pthread_cond_broadcast(&interpreter->logged);
    }
    (void)pthread_mutex_unlock(&interpreter->lock);
}

void interpreter_init(interpreter_t *interpreter, const char *service_config,
                      const char *plugin_config)
{
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;

    memset(interpreter, 0, sizeof(*interpreter));
    (void)pthread_mutex_init(&interpreter->lock, NULL);
    (void)pthread_cond_init(&interpreter->logged, NULL);
    (void)unsetenv("ACA_POOL_MANAGEMENT_ENDPOINT");
    (void)unsetenv("ACA_TOKEN_ENDPOINT");
    options.env_file = "";
    options.log = keep_line;
    options.log_data = interpreter;
    interpreter->kernel = kernel_new(&options, &error);
    if (interpreter->kernel != NULL && service_config != NULL) {
        (void)kernel_add_service(interpreter->kernel, "sessions", NULL, service_config, &error);
    }
    interpreter->plugin =
        kernel_add_plugin(interpreter->kernel, "sessions_python", "python", plugin_config, &error);
    CHECK_STR(error.text, "");
    interpreter->execute = kernel_plugin_find(interpreter->plugin, "execute_code");
    CHECK(interpreter->execute != NULL);
}

void interpreter_free(interpreter_t *interpreter)
{
    kernel_free(interpreter->kernel);
    CHECK(!interpreter_has_logged(interpreter, "leaked"));
    (void)pthread_cond_destroy(&interpreter->logged);
    (void)pthread_mutex_destroy(&interpreter->lock);
}

void interpreter_start(interpreter_t *interpreter, const char *plugin_config)
{
    static char reason[1024];
    kernel_result_t *result = NULL;
    bool has_sandbox = false;

    interpreter_init(interpreter, NULL, plugin_config);
    result = interpreter_run(interpreter, "None");
    has_sandbox = kernel_result_status(result) != KERNEL_E_UNSUPPORTED;
    (void)snprintf(reason, sizeof(reason), "%s", kernel_result_text(result));
    kernel_result_free(result);
    if (has_sandbox) {
        return;
    }
    interpreter_free(interpreter);
    if (getenv("SEMKERNEL_REQUIRE_SANDBOX") == NULL) {
        SKIP(reason);
    }
    check_fail(__FILE__, __LINE__, "%s", reason);
}

kernel_result_t *interpreter_run_with(interpreter_t *interpreter, const char *code,
                                      const kernel_invoke_options_t *options)
{
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result = NULL;

    kernel_args_set_string(args, "code", code);
    result = kernel_invoke_with(interpreter->execute, args, options);
    kernel_args_free(args);
    return result;
}

kernel_result_t *interpreter_run(interpreter_t *interpreter, const char *code)
{
    return interpreter_run_with(interpreter, code, NULL);
}

static void check_result(const kernel_result_t *result, kernel_status_t status, const char *part)
{
    if (kernel_result_status(result) != status) {
        check_fail(__FILE__, __LINE__, "%s instead of %s: %s",
                   kernel_status_name(kernel_result_status(result)), kernel_status_name(status),
                   kernel_result_text(result));
    }
    if (part != NULL) {
        CHECK_STR_CONTAINS(kernel_result_text(result), part);
    }
}

void interpreter_check(interpreter_t *interpreter, const char *code, kernel_status_t status,
                       const char *part)
{
    kernel_result_t *result = interpreter_run(interpreter, code);

    check_result(result, status, part);
    kernel_result_free(result);
}

void interpreter_check_text(interpreter_t *interpreter, const char *code, const char *text)
{
    kernel_result_t *result = interpreter_run(interpreter, code);

    check_result(result, KERNEL_OK, NULL);
    CHECK_STR(kernel_result_text(result), text);
    kernel_result_free(result);
}

/* ---- the log ---- */

pid_t interpreter_pool_pid(interpreter_t *interpreter)
{
    static const char word[] = "is ready: process ";
    pid_t pid = 0;

    (void)pthread_mutex_lock(&interpreter->lock);
    for (const char *at = interpreter->log; (at = strstr(at, word)) != NULL;) {
        at += strlen(word);
        pid = (pid_t)strtol(at, NULL, 10);
    }
    (void)pthread_mutex_unlock(&interpreter->lock);
    return pid;
}

bool interpreter_has_logged(interpreter_t *interpreter, const char *text)
{
    bool has = false;

    (void)pthread_mutex_lock(&interpreter->lock);
    has = strstr(interpreter->log, text) != NULL;
    (void)pthread_mutex_unlock(&interpreter->lock);
    return has;
}

void interpreter_wait_for_log(interpreter_t *interpreter, const char *text)
{
    struct timespec until;
    int status = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    (void)pthread_mutex_lock(&interpreter->lock);
    while (strstr(interpreter->log, text) == NULL && status == 0) {
        status = pthread_cond_timedwait(&interpreter->logged, &interpreter->lock, &until);
    }
    (void)pthread_mutex_unlock(&interpreter->lock);
    if (status != 0) {
        check_fail(__FILE__, __LINE__, "\"%s\" does not appear in the log", text);
    }
}

void require_sandbox(void)
{
    static interpreter_t interpreter;

    interpreter_start(&interpreter, NULL);
    interpreter_free(&interpreter);
}

/* ---- processes ---- */

typedef struct process_stat {
    pid_t parent;
    char state;
    unsigned long ticks; /* of computing */
} process_stat_t;

static bool read_stat(pid_t pid, process_stat_t *stat)
{
    char path[64];
    char text[1024];
    unsigned long user = 0;
    unsigned long system = 0;
    const char *at = NULL;
    FILE *file = NULL;
    size_t size = 0;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    at = strrchr(text, ')'); /* what is before it may hold anything */
    if (at == NULL || sscanf(at + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                             &stat->state, &stat->parent, &user, &system) != 4) {
        return false;
    }
    stat->ticks = user + system;
    return true;
}

size_t processes_below(pid_t pid, pid_t *pids, size_t size)
{
    DIR *directory = opendir("/proc");
    size_t count = 0;

    CHECK(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        pid_t found = (pid_t)strtol(entry->d_name, NULL, 10);
        process_stat_t stat = {found, 'Z', 0};

        while (stat.parent > 1 && stat.parent != pid && read_stat(stat.parent, &stat)) {
        }
        if (found > 0 && found != pid && stat.parent == pid && count < size) {
            pids[count++] = found;
        }
    }
    (void)closedir(directory);
    return count;
}

static void nap(void)
{
    const struct timespec time = {0, 2000000};

    (void)nanosleep(&time, NULL);
}

static time_t seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

void wait_until_busy(pid_t pid)
{
    time_t until = seconds() + WAIT_SECONDS;

    while (seconds() < until) { /* nobody tells when a process computes, so it is looked at */
        pid_t pids[256];
        size_t count = processes_below(pid, pids, sizeof(pids) / sizeof(pids[0]));

        for (size_t i = 0; i < count; i++) {
            process_stat_t before;
            process_stat_t after;

            if (read_stat(pids[i], &before) && before.state == 'R') {
                for (int tries = 0; tries < 50; tries++) {
                    nap();
                    if (!read_stat(pids[i], &after) || after.state != 'R') {
                        break;
                    }
                    if (after.ticks >= before.ticks + 3) {
                        return;
                    }
                }
            }
        }
        nap();
    }
    check_fail(__FILE__, __LINE__, "no process below %ld computes", (long)pid);
}

void wait_until_gone(pid_t pid)
{
    struct pollfd watched = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

    if (watched.fd < 0) {
        CHECK_EQ(errno, ESRCH);
        return;
    }
    if (poll(&watched, 1, WAIT_SECONDS * 1000) != 1) {
        check_fail(__FILE__, __LINE__, "process %ld does not end", (long)pid);
    }
    (void)close(watched.fd);
}

/* ---- calls beside the test ---- */

static void note_result(const kernel_result_t *result, void *data)
{
    running_t *running = data;

    running->result = kernel_result_keep(result);
    latch_open(&running->done);
}

void running_start(running_t *running, interpreter_t *interpreter, const char *code)
{
    static const latch_t latch = LATCH_INIT;
    kernel_args_t *args = kernel_args_new();

    memset(running, 0, sizeof(*running));
    running->done = latch;
    kernel_args_set_string(args, "code", code);
    CHECK_EQ(
        kernel_invoke_async(interpreter->execute, args, NULL, note_result, running, &running->call),
        KERNEL_OK);
    kernel_args_free(args);
}

void running_check(running_t *running, kernel_status_t status, const char *part)
{
    latch_wait(&running->done);
    check_result(running->result, status, part);
    kernel_call_release(running->call);
    kernel_result_free(running->result);
}
