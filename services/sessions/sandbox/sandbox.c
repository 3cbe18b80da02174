/*
 * sandbox.c - from spawn to gone.
 *
 *   sandbox_spawn        a process is forked that becomes the sandbox
 *   sandbox_read_info    it tells the process that is its init
 *   sandbox_kill         init is killed
 *   sandbox_on_exit      the process that was forked has ended
 *   sandbox_on_init_exit and init with all others: gone
 *
 * To end it, init is killed: the kernel then kills all others before bubblewrap's
 * wait returns. Killing bubblewrap itself would leave them running for a while.
 * Each process in the chain is tied to its parent's life. The server's own death
 * ends them all in any case: their namespace ends with it. Without namespaces the
 * process that was forked is its own init, and kills all others when it is asked to.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <alloc.h>

#include "bubblewrap.h"
#include "launcher.h"
#include "orphans.h"

struct sandbox {
    const place_t *place; /* borrowed; outlives the sandbox */
    sandbox_gone_cb cb;
    void *data;
    int process; /* pidfd of bubblewrap; -1 once reaped */
    int init;    /* pidfd of the sandbox's init; -1 while unknown */
    pid_t init_pid;
    int info;       /* bubblewrap tells init's pid here; -1 when read */
    int complaint;  /* its stderr; -1 at its end */
    int end_signal; /* ends init, and all others with it */
    bool killed;
    bool reaped;
    uv_poll_t process_watch;
    uv_poll_t init_watch;
    uv_poll_t info_watch;
    uv_poll_t complaint_watch;
    int closing; /* handles still to close */
    size_t info_size;
    char info_text[512];
    size_t diagnosis_size;
    char diagnosis[1024];
};

static void sandbox_on_info(uv_poll_t *handle, int status, int events);
static void sandbox_on_complaint(uv_poll_t *handle, int status, int events);
static void sandbox_on_exit(uv_poll_t *handle, int status, int events);
static void sandbox_on_init_exit(uv_poll_t *handle, int status, int events);
static void sandbox_settle(sandbox_t *sandbox);

/* ---- spawn ---- */

static bool watch(sandbox_t *sandbox, uv_loop_t *loop, uv_poll_t *handle, int file,
                  uv_poll_cb on_readable)
{
    if (uv_poll_init(loop, handle, file) != 0) {
        return false;
    }
    handle->data = sandbox;
    sandbox->closing++;
    return uv_poll_start(handle, UV_READABLE, on_readable) == 0;
}

static void sandbox_on_close(uv_handle_t *handle)
{
    sandbox_t *sandbox = handle->data;

    if (--sandbox->closing == 0 && sandbox->reaped) {
        sandbox_settle(sandbox);
    }
}

static void unwatch(uv_poll_t *handle)
{
    if (handle->data != NULL && !uv_is_closing((uv_handle_t *)handle)) {
        uv_close((uv_handle_t *)handle, sandbox_on_close);
    }
}

static void shut(int *file)
{
    if (*file >= 0) {
        (void)close(*file);
        *file = -1;
    }
}

static void sandbox_free(sandbox_t *sandbox)
{
    shut(&sandbox->process);
    shut(&sandbox->init);
    shut(&sandbox->info);
    shut(&sandbox->complaint);
    sk_free(sandbox);
}

sandbox_t *sandbox_spawn(const sandbox_plan_t *plan, const place_t *place, int control,
                         sandbox_gone_cb cb, void *data, failure_t *failure)
{
    int info[2] = {-1, -1};
    int complaint[2] = {-1, -1};
    pid_t pid = -1;
    sandbox_t *sandbox = sk_calloc(1, sizeof(*sandbox));

    if (sandbox == NULL) {
        (void)fail(failure, "cannot start a sandbox: out of memory");
        return NULL;
    }
    sandbox->place = place;
    sandbox->cb = cb;
    sandbox->data = data;
    sandbox->process = sandbox->init = sandbox->info = sandbox->complaint = -1;
    if (pipe2(info, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(complaint, O_CLOEXEC) == 0 &&
        fcntl(complaint[0], F_SETFL, O_NONBLOCK) == 0) {
        const sandbox_ends_t ends = {control, info[1], complaint[1]};
        pid = plan->facility->level == LEVEL_LANDLOCK ? launcher_start(plan, place, &ends)
                                                      : bubblewrap_start(plan, place, &ends);
        sandbox->end_signal = plan->facility->level == LEVEL_LANDLOCK ? SIGTERM : SIGKILL;
    }
    sandbox->info = info[0];
    sandbox->complaint = complaint[0];
    shut(&info[1]);
    shut(&complaint[1]);
    if (pid > 0) {
        sandbox->process = (int)syscall(SYS_pidfd_open, pid, 0);
    }
    if (pid < 0 || sandbox->process < 0) {
        (void)fail(failure, "cannot start a sandbox: %s", strerror(errno));
        if (pid > 0) { /* no way to wait for it on the loop: end it here and now */
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
        sandbox_free(sandbox);
        return NULL;
    }
    if (!watch(sandbox, plan->loop, &sandbox->process_watch, sandbox->process, sandbox_on_exit) ||
        !watch(sandbox, plan->loop, &sandbox->info_watch, sandbox->info, sandbox_on_info) ||
        !watch(sandbox, plan->loop, &sandbox->complaint_watch, sandbox->complaint,
               sandbox_on_complaint)) {
        abort(); /* epoll refused a pipe or a pidfd: this kernel is not one we know */
    }
    return sandbox;
}

/* ---- what it tells ---- */

/* Bubblewrap writes a small JSON object piece by piece; the pipe stays open until its end. */
static void sandbox_read_info(sandbox_t *sandbox)
{
    int pid = 0;
    char behind = '\0';
    size_t room = sizeof(sandbox->info_text) - 1 - sandbox->info_size;

    ssize_t size = read(sandbox->info, sandbox->info_text + sandbox->info_size, room);
    if (size < 0 && errno == EAGAIN) {
        return;
    }
    sandbox->info_size += size > 0 ? (size_t)size : 0;
    const char *number = strstr(sandbox->info_text, "\"child-pid\":");
    if (sandbox->init < 0 && number != NULL &&
        sscanf(number, "\"child-pid\": %d%c", &pid, &behind) == 2 && pid > 0) {
        sandbox->init_pid = pid;
        sandbox->init = (int)syscall(SYS_pidfd_open, pid, 0);
    }
    if (size <= 0) {
        unwatch(&sandbox->info_watch);
        shut(&sandbox->info);
    }
    if (sandbox->killed && (sandbox->init >= 0 || sandbox->info < 0)) {
        sandbox_kill(sandbox);
    }
}

static void sandbox_on_info(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    sandbox_read_info(handle->data);
}

static void sandbox_on_complaint(uv_poll_t *handle, int status, int events)
{
    sandbox_t *sandbox = handle->data;
    char rest[256];
    size_t room = sizeof(sandbox->diagnosis) - 1 - sandbox->diagnosis_size;

    (void)status;
    (void)events;
    ssize_t got = room > 0
                      ? read(sandbox->complaint, sandbox->diagnosis + sandbox->diagnosis_size, room)
                      : read(sandbox->complaint, rest, sizeof(rest));
    if (got > 0) {
        sandbox->diagnosis_size += room > 0 ? (size_t)got : 0;
    } else if (got == 0 || errno != EAGAIN) {
        sandbox_hush(sandbox);
    }
}

void sandbox_hush(sandbox_t *sandbox)
{
    unwatch(&sandbox->complaint_watch);
    shut(&sandbox->complaint);
}

/* ---- the end ---- */

void sandbox_kill(sandbox_t *sandbox)
{
    sandbox->killed = true;
    if (sandbox->init >= 0) {
        (void)syscall(SYS_pidfd_send_signal, sandbox->init, sandbox->end_signal, NULL, 0);
        cgroup_kill(&sandbox->place->group);
    } else if (sandbox->info < 0 && sandbox->process >= 0) {
        (void)syscall(SYS_pidfd_send_signal, sandbox->process, SIGKILL, NULL, 0);
    }
    /* else: its pid is on the way, and sandbox_read_info() comes back here. Killing bubblewrap
     * now could leave an init behind that waits for it for ever. */
}

static bool has_exited(int process)
{
    struct pollfd ready = {process, POLLIN, 0};

    return poll(&ready, 1, 0) == 1;
}

static void sandbox_finish(sandbox_t *sandbox)
{
    sandbox->reaped = true;
    if (sandbox->init < 0) { /* it was killed before it could tell whom it has begun */
        orphans_end();
    }
    unwatch(&sandbox->process_watch);
    unwatch(&sandbox->init_watch);
    unwatch(&sandbox->info_watch);
    if (sandbox->complaint >= 0) {
        sandbox_on_complaint(&sandbox->complaint_watch, 0, UV_READABLE); /* its last words */
    }
    unwatch(&sandbox->complaint_watch);
}

/* Bubblewrap has exited: by itself when the worker did, and then init and the worker's
 * children are still about. */
static void sandbox_on_exit(uv_poll_t *handle, int status, int events)
{
    sandbox_t *sandbox = handle->data;
    siginfo_t exited;

    (void)status;
    (void)events;
    exited.si_pid = 0;
    if (waitid(P_PIDFD, (id_t)sandbox->process, &exited, WEXITED | WNOHANG) != 0 ||
        exited.si_pid == 0) {
        return;
    }
    (void)uv_poll_stop(handle);
    if (sandbox->info >= 0) {
        sandbox_read_info(sandbox);
    }
    if (sandbox->init >= 0 && !has_exited(sandbox->init)) {
        sandbox_kill(sandbox);
        if (watch(sandbox, handle->loop, &sandbox->init_watch, sandbox->init,
                  sandbox_on_init_exit)) {
            return;
        }
    }
    sandbox_finish(sandbox);
}

static void sandbox_on_init_exit(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    sandbox_finish(handle->data);
}

static void sandbox_settle(sandbox_t *sandbox)
{
    sandbox->cb(sandbox, sandbox->data);
    sandbox_free(sandbox);
}

pid_t sandbox_init(const sandbox_t *sandbox)
{
    return sandbox->init_pid;
}

const char *sandbox_diagnosis(const sandbox_t *sandbox)
{
    return sandbox->diagnosis;
}
