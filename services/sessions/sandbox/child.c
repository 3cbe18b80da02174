/*
 * child.c - from fork to exec.
 *
 * The tie to the server's life follows the thread that forked, which is why
 * children are started on the server's one thread.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

bool child_drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0;
}

static void child_drop_rights(const child_t *child)
{
    if (child->switch_user &&
        (setgroups(0, NULL) != 0 ||
         setresgid(child->place->gid, child->place->gid, child->place->gid) != 0 ||
         setresuid(child->place->uid, child->place->uid, child->place->uid) != 0)) {
        child_fail("cannot become the slot's user");
    }
    if (!child_drop_capabilities()) {
        child_fail("cannot drop capabilities");
    }
}

static _Noreturn void child_run(child_t *child, pid_t server)
{
    char *nothing[] = {NULL};
    char **arguments;
    struct sigaction standard;
    sigset_t none;

    memset(&standard, 0, sizeof(standard));
    standard.sa_handler = SIG_DFL;
    (void)sigaction(SIGPIPE, &standard, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    const bool joined = cgroup_join(&child->place->group); /* while its directory is open */
    const int error = errno;
    child_arrange(child);
    if (!joined) {
        errno = error;
        child_fail("cannot join its control group");
    }
    if (!child->keep_rights) {
        child_drop_rights(child);
    }
    (void)umask(022);
    if (chdir("/") != 0) {
        child_fail("cannot change to the root directory");
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != server) {
        _exit(126); /* it died before the tie to it was made */
    }
    memcpy(&arguments, &child->arguments, sizeof(arguments)); /* exec does not write them */
    (void)execve(child->program, arguments, nothing);
    child_fail(child->program);
}

void child_init(child_t *child, const char *program, const char *const *arguments,
                const place_t *place)
{
    memset(child, 0, sizeof(*child));
    child->program = program;
    child->arguments = arguments;
    child->place = place;
    for (int i = 0; i <= CHILD_LAST; i++) {
        child->files[i] = -1;
    }
}

pid_t child_start(child_t *child)
{
    pid_t server = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        child_run(child, server);
    }
    return pid;
}
