/*
 * sandbox.c - building and ending one sandbox with bubblewrap.
 *
 * The chain is server -> bubblewrap -> its init (pid 1 inside) -> worker. All
 * namespaces are new, the root is a read-only tmpfs with /usr bound in, and
 * nothing of the host's /etc, /home, /var or /run is there. As root the child
 * becomes the slot's own user before bubblewrap starts: with uid 0 kept, files
 * that only root may read would stay readable inside.
 *
 * To end it, init is killed: the kernel then kills all others before bubblewrap's
 * wait returns. Killing bubblewrap itself would leave them running for a while.
 * Each process in the chain is tied to its parent's life; that tie follows the
 * thread that forked, which is why spawning happens on the server's one thread.
 * The server's own death ends them all in any case: their namespace ends with it.
 *
 * Descriptors of the child: 0, 1 /dev/null; 2 a pipe for complaints until the
 * worker is ready; 3 control; 8 worker.py; 9 filter; 10 init's pid; 11 arguments.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <alloc.h>
#include <buffer.h>

#define CHILD_CONTROL   3
#define CHILD_WORKER    8
#define CHILD_FILTER    9
#define CHILD_INFO      10
#define CHILD_ARGUMENTS 11 /* stands in the arguments as text, too */
#define CHILD_LAST      11

struct sandbox {
    sandbox_gone_cb cb;
    void *data;
    int process; /* pidfd of bubblewrap; -1 once reaped */
    int init;    /* pidfd of the sandbox's init; -1 while unknown */
    pid_t init_pid;
    int info;      /* bubblewrap tells init's pid here; -1 when read */
    int complaint; /* its stderr; -1 at its end */
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

/* ---- arguments ---- */

static void add(sk_buffer_t *arguments, const char *const *words)
{
    for (; *words != NULL; words++) {
        sk_buffer_append(arguments, *words, strlen(*words) + 1);
    }
}

#define ADD(...) add(arguments, (const char *const[]){__VA_ARGS__, NULL})

static void add_arguments(sk_buffer_t *arguments, const sandbox_plan_t *plan, const place_t *place)
{
    static const char *const shown[] = {"/etc/alternatives", "/etc/matplotlibrc", "/etc/fonts",
                                        "/etc/localtime"};
    char worker[12];
    char filter[12];
    char info[12];

    (void)snprintf(worker, sizeof(worker), "%d", CHILD_WORKER);
    (void)snprintf(filter, sizeof(filter), "%d", CHILD_FILTER);
    (void)snprintf(info, sizeof(info), "%d", CHILD_INFO);
    ADD("--unshare-all", "--unshare-user");
    if (plan->facility->disable_userns) {
        ADD("--disable-userns");
    }
    ADD("--die-with-parent", "--new-session", "--hostname", "session", "--clearenv");
    ADD("--setenv", "PATH", "/usr/bin", "--setenv", "HOME", "/mnt/data");
    ADD("--setenv", "LANG", "C.UTF-8", "--setenv", "TMPDIR", "/tmp");
    ADD("--setenv", "MPLBACKEND", "Agg", "--setenv", "MPLCONFIGDIR", "/tmp/mpl");
    ADD("--setenv", "OPENBLAS_NUM_THREADS", "1", "--setenv", "OMP_NUM_THREADS", "1");
    ADD("--ro-bind", "/usr", "/usr", "--tmpfs", "/usr/local", "--remount-ro", "/usr/local");
    ADD("--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib");
    ADD("--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache");
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        ADD("--ro-bind-try", shown[i], shown[i]);
    }
    if (plan->facility->python_etc[0] != '\0') {
        ADD("--ro-bind-try", plan->facility->python_etc, plan->facility->python_etc);
    }
    /* The terminals of a devpts instance are counted with the host's: none of them. */
    ADD("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts");
    ADD("--bind", place->shm, "/dev/shm", "--bind", place->tmp, "/tmp");
    ADD("--bind", place->data, "/mnt/data");
    ADD("--perms", "0444", "--ro-bind-data", worker, "/opt/w.py");
    ADD("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/mnt/data", "--cap-drop", "ALL");
    ADD("--info-fd", info, "--seccomp", filter);
}

/* The arguments travel in a memory file: argv is for every user to read. */
static int write_arguments(const sandbox_plan_t *plan, const place_t *place)
{
    sk_buffer_t arguments = SK_BUFFER_INIT;

    add_arguments(&arguments, plan, place);
    int file = arguments.failed ? -1 : memfd_create("arguments", MFD_CLOEXEC);
    if (file >= 0 && (write(file, arguments.data, arguments.size) != (ssize_t)arguments.size ||
                      lseek(file, 0, SEEK_SET) != 0)) {
        (void)close(file);
        file = -1;
    }
    sk_buffer_fini(&arguments);
    return file;
}

/* A memory file opened anew, so that no other sandbox shares the read position. */
static int open_again(int file)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- the child, between fork and exec ---- */

typedef struct child {
    const char *program;
    char **arguments;
    const place_t *place;
    bool switch_user;
    pid_t server;
    int files[CHILD_LAST + 1]; /* by the number they get; -1: none */
} child_t;

static _Noreturn void child_fail(const char *what)
{
    char text[160];
    int length = snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));

    if (write(STDERR_FILENO, text, (size_t)length) < 0) {
        _exit(126);
    }
    _exit(127);
}

/* First out of the way, then into place: so that no number is overwritten before its turn. */
static void child_arrange(child_t *child)
{
    for (int i = 0; i <= CHILD_LAST; i++) {
        if (child->files[i] >= 0) {
            child->files[i] = fcntl(child->files[i], F_DUPFD_CLOEXEC, CHILD_LAST + 1);
        }
    }
    for (int i = 0; i <= CHILD_LAST; i++) {
        if (child->files[i] < 0) {
            (void)close(i);
        } else if (dup2(child->files[i], i) < 0) {
            _exit(126);
        }
    }
    (void)syscall(SYS_close_range, CHILD_LAST + 1, ~0U, 0);
}

static void child_drop_rights(const child_t *child)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    if (child->switch_user &&
        (setgroups(0, NULL) != 0 ||
         setresgid(child->place->gid, child->place->gid, child->place->gid) != 0 ||
         setresuid(child->place->uid, child->place->uid, child->place->uid) != 0)) {
        child_fail("cannot become the slot's user");
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0) {
        child_fail("cannot drop capabilities");
    }
}

static _Noreturn void child_run(child_t *child)
{
    char *nothing[] = {NULL};
    struct sigaction standard;
    sigset_t none;

    memset(&standard, 0, sizeof(standard));
    standard.sa_handler = SIG_DFL;
    (void)sigaction(SIGPIPE, &standard, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    child_arrange(child);
    child_drop_rights(child);
    (void)umask(022);
    if (chdir("/") != 0) {
        child_fail("cannot change to the root directory");
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != child->server) {
        _exit(126); /* it died before the tie to it was made */
    }
    (void)execve(child->program, child->arguments, nothing);
    child_fail(child->program);
}

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

static pid_t spawn_child(const sandbox_plan_t *plan, const place_t *place, int control, int info,
                         int complaint)
{
    enum { FLAGS = 8, NUMBERS = 5 };
    char text[NUMBERS][24];
    const int64_t numbers[NUMBERS] = {CHILD_CONTROL, plan->config->processes,
                                      plan->config->address_space, plan->config->data_size,
                                      plan->config->descriptors};
    const char *arguments[FLAGS + NUMBERS] = {"bwrap", "--args",   "11", "--", plan->config->python,
                                              "-I",    "/opt/w.py"};
    child_t child = {plan->config->bwrap, NULL, place, plan->facility->root, getpid(), {0}};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int files[] = {write_arguments(plan, place), open_again(plan->worker_file),
                   open_again(plan->seccomp_file)};
    pid_t pid = -1;

    for (size_t i = 0; i < NUMBERS; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%lld", (long long)numbers[i]);
        arguments[FLAGS - 1 + i] = text[i];
    }
    memcpy(&child.arguments, &(const char **){arguments}, sizeof(child.arguments));
    for (int i = 0; i <= CHILD_LAST; i++) {
        child.files[i] = -1;
    }
    child.files[0] = null;
    child.files[1] = null;
    child.files[2] = complaint;
    child.files[CHILD_CONTROL] = control;
    child.files[CHILD_WORKER] = files[1];
    child.files[CHILD_FILTER] = files[2];
    child.files[CHILD_INFO] = info;
    child.files[CHILD_ARGUMENTS] = files[0];
    if (null >= 0 && files[0] >= 0 && files[1] >= 0 && files[2] >= 0) {
        pid = fork();
        if (pid == 0) {
            child_run(&child);
        }
    }
    int error = errno;
    shut(&null);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        shut(&files[i]);
    }
    errno = error;
    return pid;
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
    sandbox->cb = cb;
    sandbox->data = data;
    sandbox->process = sandbox->init = sandbox->info = sandbox->complaint = -1;
    if (pipe2(info, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(complaint, O_CLOEXEC) == 0 &&
        fcntl(complaint[0], F_SETFL, O_NONBLOCK) == 0) {
        pid = spawn_child(plan, place, control, info[1], complaint[1]);
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
        unwatch(&sandbox->complaint_watch);
        shut(&sandbox->complaint);
    }
}

/* ---- the end ---- */

void sandbox_kill(sandbox_t *sandbox)
{
    sandbox->killed = true;
    if (sandbox->init >= 0) {
        (void)syscall(SYS_pidfd_send_signal, sandbox->init, SIGKILL, NULL, 0);
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
