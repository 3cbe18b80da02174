/*
 * supervisor.c - two processes that wait, so that nothing outlives the server.
 *
 *   supervisor   the one that was started; outside the process namespace
 *   init         the first process inside: reaps what is left behind
 *   server       does the work, and forks the sandboxes
 *
 * When the server ends, however that happens, init exits, and then the kernel
 * ends every process of the namespace: also a sandbox that is only half built and
 * not yet tied to anybody's life. Each of the three gets SIGKILL from the kernel
 * when the one above dies.
 *
 * Without a process namespace, init encloses itself with all that comes after it,
 * and ends and clears away everything itself, also when the supervisor is gone. If
 * it is init that is killed, server and launchers get a signal each, and the
 * supervisor clears away.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "directories.h"
#include "landlock.h"

typedef struct task {
    int (*serve)(void *data);
    void *data;
    sigset_t mask; /* signals that were blocked at the start */
} task_t;

#define PARENT_GONE SIGRTMIN /* for an init that has something to do then */

/* The other end of `alive` is the parent's alone. */
static void tie_to_parent(int alive, int number)
{
    struct pollfd parent = {alive, POLLIN, 0};

    (void)prctl(PR_SET_PDEATHSIG, number, 0, 0, 0);
    if (poll(&parent, 1, 0) != 0) {
        _exit(EX_OSERR); /* it died before the tie to it was made */
    }
    (void)close(alive);
}

static void list_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGTERM);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGCHLD);
}

/* Reap all children that are dead; true if this one was among them. */
static bool reap(pid_t child, int *status)
{
    bool found = false;
    int each = 0;
    pid_t pid = 0;

    while ((pid = waitpid(-1, &each, WNOHANG)) > 0) {
        if (pid == child) {
            *status = each;
            found = true;
        }
    }
    return found;
}

/* Pass on what asks for the end; return how the child has ended, or that the parent has. */
static int wait_for(pid_t child, bool tells_end)
{
    sigset_t signals;
    int status = 0;

    list_signals(&signals);
    if (tells_end) {
        (void)sigaddset(&signals, PARENT_GONE);
    }
    for (;;) {
        int number = sigwaitinfo(&signals, NULL);
        if (number == SIGTERM || number == SIGINT) {
            (void)kill(child, number);
        } else if (number == PARENT_GONE) {
            return EX_SOFTWARE;
        } else if (number == SIGCHLD && reap(child, &status)) {
            break;
        }
    }
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    (void)fprintf(stderr, "semkernel-sessiond: the server was ended by signal %d (%s)\n",
                  WTERMSIG(status), strsignal(WTERMSIG(status)));
    return EX_SOFTWARE;
}

/* Fork a child that gets this signal when this process dies, and wait for its end; with
 * `tells_end`, also for the end of the parent, which such a signal tells. */
static int run_below(void (*run)(task_t *task), task_t *task, int number, bool tells_end)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return EX_OSERR;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[1]);
        tie_to_parent(ends[0], number);
        run(task); /* does not return */
        abort();
    }
    int error = errno;
    (void)close(ends[0]);
    int status = EX_OSERR;
    if (child > 0) {
        status = wait_for(child, tells_end);
    } else {
        (void)fprintf(stderr, "semkernel-sessiond: cannot start the server: %s\n", strerror(error));
    }
    (void)close(ends[1]);
    return status;
}

static _Noreturn void run_server(task_t *task)
{
    (void)sigprocmask(SIG_SETMASK, &task->mask, NULL);
    exit(task->serve(task->data));
}

static _Noreturn void run_init(task_t *task)
{
    _exit(run_below(run_server, task, SIGKILL, false));
}

/* The same where no namespace ends with this process. */
static _Noreturn void run_enclosing_init(task_t *task)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || !landlock_enclose()) {
        (void)fprintf(stderr,
                      "semkernel-sessiond: cannot sandbox: Landlock does not keep signals in: %s\n",
                      strerror(errno));
        _exit(EX_CONFIG);
    }
    int status = run_below(run_server, task, SIGKILL, true);
    landlock_kill_others();
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
    directories_close();
    _exit(status);
}

int supervisor_run(bool has_namespace, int (*serve)(void *data), void *data)
{
    task_t task = {.serve = serve, .data = data};
    sigset_t signals;

    list_signals(&signals);
    (void)sigaddset(&signals, PARENT_GONE);
    (void)sigprocmask(SIG_BLOCK, &signals, &task.mask); /* kept for sigwaitinfo() */
    int status = 0;
    if (has_namespace) {
        status = run_below(run_init, &task, SIGKILL, false);
    } else {
        status = run_below(run_enclosing_init, &task, PARENT_GONE, false);
        directories_close();
    }
    (void)sigprocmask(SIG_SETMASK, &task.mask, NULL);
    return status;
}
