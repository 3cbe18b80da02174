/*
 * extension_process.c - kernel.process/1: programs, started by posix_spawn and
 * watched by pidfd on the loop thread.
 *
 *     process_start     pipes, spawn, watches
 *     process_on_pipe   output arrives
 *     process_on_exit   the pidfd says that it ended: reap, read the rest
 *     process_close     close every watch; the last one reports
 *
 * Never uv_spawn: it would take the host's SIGCHLD handler away.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "alloc.h"
#include "kernel_state.h"

#define PROCESS_READ          65536
#define PROCESS_READS_AT_EXIT 17 /* the most that a pipe holds, and its end */
#define PROCESS_PATH          4096

extern char **environ;

typedef struct process_pipe {
    uv_poll_t uv;
    kp_process *process;
    int fd; /* ours; -1: closed */
    bool is_open;
} process_pipe_t;

enum { PROCESS_EXIT, PROCESS_IN, PROCESS_OUT, PROCESS_ERR, PROCESS_PIPES };

struct kp_process {
    kernel_plugin_t *plugin;
    pid_t pid;
    void (*on_output)(void *arg, kp_process *, uint32_t stream, const void *, size_t);
    void (*on_exit)(void *arg, kp_process *, const kp_process_exit *);
    void *arg;
    process_pipe_t pipes[PROCESS_PIPES]; /* the pidfd, and our ends of 0, 1, 2 */
    kernel__fork_lifeline_t lifeline;    /* our end of 0 when nothing is written; fd -1: none */
    char *input;                         /* owned; what is left to write */
    size_t input_size;
    size_t input_at;
    kernel__timer_t *deadline;
    kernel__timer_t *grace;
    kp_process_exit outcome;
    bool is_ended;
    int open_count;
};

static void process_close(kp_process *process);

/* ---- starting ---- */

typedef struct process_ends { /* of the pipes, until the watches have ours */
    int theirs[3];
    int ours[3];
} process_ends_t;

static void ends_close(process_ends_t *ends)
{
    for (int i = 0; i < 3; i++) {
        if (ends->theirs[i] >= 0) {
            (void)close(ends->theirs[i]);
        }
        if (ends->ours[i] >= 0) {
            (void)close(ends->ours[i]);
        }
        ends->theirs[i] = -1;
        ends->ours[i] = -1;
    }
}

/* Out of the way of 0, 1 and 2, which are free in a process without them: dup2() in the program
 * would overwrite one end by another. */
static int end_move(int fd)
{
    int moved = fd;

    if (fd >= 0 && fd < 3) {
        moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        (void)close(fd);
    }
    return moved;
}

static bool ends_open(process_ends_t *ends, const kp_process_options *options)
{
    const bool has_input = options->input_len > 0 || (options->flags & KP_PROCESS_LIFELINE) != 0;

    for (int i = 0; i < 3; i++) {
        int pair[2];
        const bool is_pipe = i == 0 ? has_input : options->on_output != NULL;

        if (!is_pipe) {
            ends->theirs[i] = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
        } else if (pipe2(pair, O_CLOEXEC) == 0) {
            ends->theirs[i] = pair[i == 0 ? 0 : 1];
            ends->ours[i] = end_move(pair[i == 0 ? 1 : 0]);
            (void)fcntl(ends->ours[i], F_SETFL, O_NONBLOCK);
        }
        ends->theirs[i] = end_move(ends->theirs[i]);
        if (ends->theirs[i] < 0 || (is_pipe && ends->ours[i] < 0)) {
            return false;
        }
    }
    return true;
}

static int process_spawn(pid_t *pid, const process_ends_t *ends, const kp_process_options *options)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    char path[PROCESS_PATH];
    union { /* posix_spawn does not write to them */
        const char *const *given;
        char *const *taken;
    } argv = {options->argv}, envp = {options->envp};
    int code;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    for (int i = 0; i < 3; i++) {
        (void)posix_spawn_file_actions_adddup2(&actions, ends->theirs[i], i);
    }
    (void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (options->cwd != NULL) {
        (void)posix_spawn_file_actions_addchdir_np(&actions, options->cwd);
    }
    (void)sigemptyset(&signals);
    (void)posix_spawnattr_setsigmask(&attributes, &signals);
    (void)sigfillset(&signals);
    (void)posix_spawnattr_setsigdefault(&attributes, &signals);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
    if (strchr(options->argv[0], '/') == NULL &&
        kernel__loader_program(options->argv[0], path, sizeof(path))) {
        code = posix_spawn(pid, path, &actions, &attributes, argv.taken,
                           options->envp != NULL ? envp.taken : environ);
    } else {
        code = posix_spawnp(pid, options->argv[0], &actions, &attributes, argv.taken,
                            options->envp != NULL ? envp.taken : environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

static void process_on_closed(uv_handle_t *handle);
static void process_on_exit(uv_poll_t *uv, int status, int events);
static void process_on_pipe(uv_poll_t *uv, int status, int events);
static void process_on_room(uv_poll_t *uv, int status, int events);

static bool process_watch(kp_process *process, int index, int fd, int events, uv_poll_cb cb)
{
    process_pipe_t *pipe = &process->pipes[index];

    pipe->fd = fd;
    pipe->process = process;
    if (uv_poll_init(&process->plugin->kernel->loop.uv, &pipe->uv, fd) != 0) {
        return false;
    }
    pipe->uv.data = pipe;
    pipe->is_open = true;
    process->open_count++;
    return uv_poll_start(&pipe->uv, events, cb) == 0;
}

static bool process_watch_all(kp_process *process, process_ends_t *ends, int pidfd)
{
    bool is_watched = process_watch(process, PROCESS_EXIT, pidfd, UV_READABLE, process_on_exit);

    for (int i = 1; i < 3; i++) {
        if (ends->ours[i] >= 0) {
            int fd = ends->ours[i];

            ends->ours[i] = -1;
            is_watched = process_watch(process, PROCESS_IN + i, fd, UV_READABLE, process_on_pipe) &&
                         is_watched;
        }
    }
    if (ends->ours[0] >= 0) {
        int fd = ends->ours[0];

        ends->ours[0] = -1;
        if (process->input_size > 0) {
            is_watched =
                process_watch(process, PROCESS_IN, fd, UV_WRITABLE, process_on_room) && is_watched;
        } else {
            kernel__fork_guard(&process->lifeline, fd);
        }
    }
    return is_watched;
}

static void process_kill(const kp_process *process, int signal)
{
    if (!process->is_ended) {
        (void)kill(-process->pid, signal);
        (void)kill(process->pid, signal); /* before it has become a group of its own */
    }
}

static void process_on_deadline(void *data)
{
    kp_process *process = data;

    process->deadline = NULL;
    process->outcome.status = KP_E_TIMEOUT;
    process_kill(process, SIGKILL);
}

static void process_fail(char *error, size_t size, const char *program, const char *what, int code)
{
    if (error != NULL && size > 0) {
        (void)snprintf(error, size, "cannot start %s: %s: %s", program, what, strerror(code));
    }
}

/* Of a process that is not watched. */
static void process_free(kp_process *process)
{
    kernel__timer_stop(process->deadline);
    sk_free(process->input);
    sk_free(process);
}

/* Its time runs from now on: without a timer it must not begin. */
static kp_process *process_new(kernel_plugin_t *plugin, const kp_process_options *options)
{
    kp_process *process = sk_calloc(1, sizeof(*process));

    if (process == NULL) {
        return NULL;
    }
    process->plugin = plugin;
    process->on_output = options->on_output;
    process->on_exit = options->on_exit;
    process->arg = options->arg;
    process->lifeline.fd = -1;
    process->outcome.size = sizeof(process->outcome);
    process->outcome.exit_code = -1;
    for (int i = 0; i < PROCESS_PIPES; i++) {
        process->pipes[i].fd = -1;
    }
    if (options->input_len > 0) {
        process->input = sk_memdup(options->input, options->input_len);
        process->input_size = options->input_len;
        if (process->input == NULL) {
            process_free(process);
            return NULL;
        }
    }
    if (options->timeout_ms > 0) {
        process->deadline = kernel__timer_start(&plugin->kernel->loop, options->timeout_ms,
                                                process_on_deadline, process);
        if (process->deadline == NULL) {
            process_free(process);
            return NULL;
        }
    }
    return process;
}

static int process_start(const kp_process_table *table, kp_instance *instance,
                         const kp_process_options *options, kp_process **out, char *error,
                         size_t error_size)
{
    kernel_plugin_t *plugin = (kernel_plugin_t *)(void *)instance;
    process_ends_t ends = {{-1, -1, -1}, {-1, -1, -1}};
    kp_process *process;
    int pidfd;
    int code;

    (void)table;
    *out = NULL;
    if (options->argv == NULL || options->argv[0] == NULL ||
        !kernel__loop_is_current(&plugin->kernel->loop) ||
        atomic_load(&plugin->state) > KERNEL__INSTANCE_CLOSING) {
        return KP_E_INVALID;
    }
    process = process_new(plugin, options);
    if (process == NULL) {
        return KP_E_NO_MEMORY;
    }
    if (!ends_open(&ends, options)) {
        process_fail(error, error_size, options->argv[0], "no pipe", errno);
        ends_close(&ends);
        process_free(process);
        return KP_E_UNAVAILABLE;
    }
    code = process_spawn(&process->pid, &ends, options);
    if (code != 0) {
        process_fail(error, error_size, options->argv[0], "it cannot be run", code);
        ends_close(&ends);
        process_free(process);
        return code == ENOENT ? KP_E_NOT_FOUND : KP_E_UNAVAILABLE;
    }
    kernel__resource_keep(plugin);
    pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (pidfd < 0 || !process_watch_all(process, &ends, pidfd)) {
        process_fail(error, error_size, options->argv[0], "it cannot be watched", errno);
        process_kill(process, SIGKILL);
        (void)waitpid(process->pid, NULL, 0);
        process->is_ended = true;
        process->on_exit = NULL;
        ends_close(&ends);
        process_close(process);
        return KP_E_UNAVAILABLE;
    }
    ends_close(&ends);
    *out = process;
    return KP_OK;
}

/* ---- running ---- */

static void pipe_close(process_pipe_t *pipe)
{
    if (pipe->is_open) {
        pipe->is_open = false;
        (void)uv_poll_stop(&pipe->uv);
        uv_close((uv_handle_t *)&pipe->uv, process_on_closed);
    }
    if (pipe->fd >= 0) {
        (void)close(pipe->fd);
        pipe->fd = -1;
    }
}

/* Read what is there, at most so many times: a program may write faster than anybody reads. Closes
 * the pipe at its end. */
static void pipe_read(process_pipe_t *pipe, uint32_t stream, int times)
{
    kp_process *process = pipe->process;
    char buffer[PROCESS_READ];

    while (pipe->fd >= 0 && times-- > 0) {
        ssize_t got = read(pipe->fd, buffer, sizeof(buffer));

        if (got > 0) {
            process->on_output(process->arg, process, stream, buffer, (size_t)got);
        } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            pipe_close(pipe);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void process_on_pipe(uv_poll_t *uv, int status, int events)
{
    process_pipe_t *pipe = uv->data;

    (void)status;
    (void)events;
    pipe_read(pipe, (uint32_t)(pipe - pipe->process->pipes) - PROCESS_IN, 1);
}

static void process_on_room(uv_poll_t *uv, int status, int events)
{
    process_pipe_t *pipe = uv->data;
    kp_process *process = pipe->process;

    (void)events;
    while (status == 0 && process->input_at < process->input_size) {
        ssize_t written = write(pipe->fd, process->input + process->input_at,
                                process->input_size - process->input_at);

        if (written > 0) {
            process->input_at += (size_t)written;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            break;
        }
    }
    pipe_close(pipe);
}

static int64_t process_pid(const kp_process_table *table, const kp_process *process)
{
    (void)table;
    return process->pid;
}

static void process_on_grace(void *data)
{
    kp_process *process = data;

    process->grace = NULL;
    process_kill(process, SIGKILL);
}

static void process_stop(const kp_process_table *table, kp_process *process, uint64_t grace_ms)
{
    (void)table;
    if (process == NULL || process->is_ended) {
        return;
    }
    if (process->outcome.status == KP_OK) {
        process->outcome.status = KP_E_CANCELLED;
    }
    if (grace_ms == 0) {
        process_kill(process, SIGKILL);
        return;
    }
    process_kill(process, SIGTERM);
    if (process->grace == NULL) {
        process->grace = kernel__timer_start(&process->plugin->kernel->loop, grace_ms,
                                             process_on_grace, process);
        if (process->grace == NULL) {
            process_kill(process, SIGKILL);
        }
    }
}

/* ---- ending ---- */

static void process_on_exit(uv_poll_t *uv, int status, int events)
{
    process_pipe_t *pipe = uv->data;
    kp_process *process = pipe->process;
    siginfo_t info;

    (void)status;
    (void)events;
    memset(&info, 0, sizeof(info));
    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0) {
        return;
    }
    process->is_ended = true;
    if (info.si_code == CLD_EXITED) {
        process->outcome.exit_code = info.si_status;
    } else {
        process->outcome.signal = info.si_status;
    }
    for (uint32_t stream = 1; stream < 3; stream++) {
        if (process->pipes[PROCESS_IN + stream].fd >= 0) {
            pipe_read(&process->pipes[PROCESS_IN + stream], stream, PROCESS_READS_AT_EXIT);
        }
    }
    process_close(process);
}

static void process_close(kp_process *process)
{
    kernel__timer_stop(process->deadline);
    kernel__timer_stop(process->grace);
    process->deadline = NULL;
    process->grace = NULL;
    if (process->lifeline.fd >= 0) {
        kernel__fork_release(&process->lifeline);
    }
    for (int i = 0; i < PROCESS_PIPES; i++) {
        pipe_close(&process->pipes[i]);
    }
    if (process->open_count == 0) { /* nothing was ever watched */
        kernel_plugin_t *plugin = process->plugin;

        sk_free(process->input);
        sk_free(process);
        kernel__resource_drop(plugin);
    }
}

static void process_on_closed(uv_handle_t *handle)
{
    process_pipe_t *pipe = handle->data;
    kp_process *process = pipe->process;
    kernel_plugin_t *plugin = process->plugin;

    process->open_count--;
    if (process->open_count > 0 || !process->is_ended) {
        return;
    }
    if (process->on_exit != NULL) {
        process->on_exit(process->arg, process, &process->outcome);
    }
    sk_free(process->input);
    sk_free(process);
    kernel__resource_drop(plugin);
}

void kernel__extension_process_fill(kp_process_table *table)
{
    *table = (kp_process_table){
        .size = sizeof(*table), .start = process_start, .pid = process_pid, .stop = process_stop};
}
