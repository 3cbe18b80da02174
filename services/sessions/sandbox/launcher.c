/*
 * launcher.c - the first process of a sandbox without namespaces.
 *
 *   server -> launcher -> worker
 *
 * The launcher is this program again, with an empty memory. It becomes the
 * slot's user, gives up the right to signal anybody outside, and starts the worker,
 * which gives up everything else, its right to signal the launcher included. All
 * that the worker starts stays below both. So the launcher's signal to everybody
 * reaches the session's processes and no others, in one step that no fork can
 * escape, and nothing inside can keep it from being sent: when the worker ends,
 * upon SIGTERM, or when the server is gone.
 *
 * What lost its parent becomes the launcher's child. It ends when it has none.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "child.h"
#include "landlock.h"
#include "usage.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NUMBERS = 5, FILTER_MAX = 4096, PROCESSES_SPARE = 512 };

/* The launcher's arguments, one behind the other. */
enum argument {
    AT_NAME,
    AT_USER, /* "" to stay who it is */
    AT_WORKER,
    AT_DATA,
    AT_TMP,
    AT_PYTHON,
    AT_ETC,
    AT_NUMBERS,
    AT_END = AT_NUMBERS + NUMBERS
};

/* ---- the server's side ---- */

/* What the kernel counts is all that a user runs on the machine, so the limit of a session is held
 * by the watch. This one only slows a flood down until it is seen. */
static int64_t process_limit(const sandbox_plan_t *plan, const place_t *place)
{
    return usage_count_tasks(place->uid) + plan->config->processes + PROCESSES_SPARE;
}

pid_t launcher_start(const sandbox_plan_t *plan, const place_t *place, const sandbox_ends_t *ends)
{
    char text[NUMBERS][24];
    char user[24] = "";
    const int64_t numbers[NUMBERS] = {CHILD_CONTROL, process_limit(plan, place),
                                      plan->config->address_space, plan->config->data_size,
                                      plan->config->descriptors};
    const char *arguments[AT_END + 1] = {[AT_NAME] = LAUNCHER_NAME,
                                         [AT_USER] = user,
                                         [AT_WORKER] = place->worker,
                                         [AT_DATA] = place->data,
                                         [AT_TMP] = place->tmp,
                                         [AT_PYTHON] = plan->config->python,
                                         [AT_ETC] = plan->facility->python_etc};
    child_t child;
    pid_t pid = -1;

    for (size_t i = 0; i < NUMBERS; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%lld", (long long)numbers[i]);
        arguments[AT_NUMBERS + i] = text[i];
    }
    if (plan->facility->root) {
        (void)snprintf(user, sizeof(user), "%u", (unsigned)place->uid);
    }
    child_init(&child, "/proc/self/exe", arguments, place);
    child.keep_rights = true;
    child.files[0] = child.files[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
    child.files[2] = ends->complaint;
    child.files[CHILD_CONTROL] = ends->control;
    child.files[CHILD_FILTER] = plan->seccomp_file;
    child.files[CHILD_INFO] = ends->info;
    if (child.files[0] >= 0) {
        pid = child_start(&child);
        int error = errno;
        (void)close(child.files[0]);
        errno = error;
    }
    return pid;
}

/* ---- the launcher ---- */

static _Noreturn void launcher_fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s", what, strerror(errno));
    (void)fflush(stderr);
    _exit(127);
}

static void become(const char *user)
{
    const uid_t id = (uid_t)strtoul(user, NULL, 10);

    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;) {
        capability++;
    }
    if (user[0] != '\0' &&
        (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)) {
        launcher_fail("cannot become the slot's user");
    }
    if (!child_drop_capabilities()) {
        launcher_fail("cannot drop capabilities");
    }
}

static void load_filter(void)
{
    static struct sock_filter program[FILTER_MAX];
    const ssize_t size = pread(CHILD_FILTER, program, sizeof(program), 0);
    const struct sock_fprog filter = {(unsigned short)((size_t)size / sizeof(program[0])), program};

    if (size <= 0 || (size_t)size == sizeof(program) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0) {
        launcher_fail("cannot filter system calls");
    }
}

/* All of /usr but /usr/local, which may hold what is nobody else's business. */
static void confine(char **arguments)
{
    const landlock_grant_t grants[] = {{LANDLOCK_RUN, "/usr/bin"},
                                       {LANDLOCK_RUN, "/usr/sbin"},
                                       {LANDLOCK_RUN, "/usr/lib"},
                                       {LANDLOCK_RUN, "/usr/lib32"},
                                       {LANDLOCK_RUN, "/usr/lib64"},
                                       {LANDLOCK_RUN, "/usr/libexec"},
                                       {LANDLOCK_RUN, "/lib"},
                                       {LANDLOCK_RUN, "/lib64"},
                                       {LANDLOCK_RUN, "/bin"},
                                       {LANDLOCK_SEE, "/usr/include"},
                                       {LANDLOCK_SEE, "/usr/share"},
                                       {LANDLOCK_SEE, "/etc/ld.so.cache"},
                                       {LANDLOCK_SEE, "/etc/alternatives"},
                                       {LANDLOCK_SEE, "/etc/matplotlibrc"},
                                       {LANDLOCK_SEE, "/etc/fonts"},
                                       {LANDLOCK_SEE, "/etc/localtime"},
                                       {LANDLOCK_DEVICE, "/dev/null"},
                                       {LANDLOCK_DEVICE, "/dev/zero"},
                                       {LANDLOCK_DEVICE, "/dev/full"},
                                       {LANDLOCK_SEE, "/dev/random"},
                                       {LANDLOCK_SEE, "/dev/urandom"},
                                       {LANDLOCK_SEE, arguments[AT_ETC]},
                                       {LANDLOCK_SEE, arguments[AT_WORKER]},
                                       {LANDLOCK_OWN, arguments[AT_DATA]},
                                       {LANDLOCK_OWN, arguments[AT_TMP]}};

    if (!landlock_confine(grants, COUNT(grants))) {
        launcher_fail("cannot confine files with Landlock");
    }
}

/* The kernel, when it has no memory left, is to take the session's and not the launcher's. */
static void offer_memory(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (file >= 0) {
        (void)!write(file, "1000", 4);
        (void)close(file);
    }
}

static _Noreturn void run_worker(char **arguments, const sigset_t *mask)
{
    char home[sizeof("HOME=") + PLACE_PATH_MAX];
    char temporary[sizeof("TMPDIR=") + PLACE_PATH_MAX];
    char fonts[sizeof("MPLCONFIGDIR=/mpl") + PLACE_PATH_MAX];
    const char *const environment[] = {"PATH=/usr/bin",
                                       "LANG=C.UTF-8",
                                       "MPLBACKEND=Agg",
                                       "OPENBLAS_NUM_THREADS=1",
                                       "OMP_NUM_THREADS=1",
                                       home,
                                       temporary,
                                       fonts,
                                       NULL};
    const char *python[4 + NUMBERS] = {arguments[AT_PYTHON], "-I", arguments[AT_WORKER]};
    char **lists[2];

    (void)snprintf(home, sizeof(home), "HOME=%s", arguments[AT_DATA]);
    (void)snprintf(temporary, sizeof(temporary), "TMPDIR=%s", arguments[AT_TMP]);
    (void)snprintf(fonts, sizeof(fonts), "MPLCONFIGDIR=%s/mpl", arguments[AT_TMP]);
    memcpy(&python[3], &arguments[AT_NUMBERS], NUMBERS * sizeof(python[0]));
    memcpy(lists, (const void *[]){python, environment}, sizeof(lists)); /* exec writes neither */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    offer_memory();
    if (chdir(arguments[AT_DATA]) != 0) {
        launcher_fail("cannot change to the session's directory");
    }
    confine(arguments);
    load_filter();
    (void)close(CHILD_FILTER);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)execve(python[0], lists[0], lists[1]);
    launcher_fail(python[0]);
}

/* End all others, and wait until there are none. */
static void end_all(void)
{
    landlock_kill_others();
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

/* Reap the dead; true when the worker is among them. */
static bool reap(pid_t worker)
{
    bool ended = false;
    pid_t pid = 0;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        ended = ended || pid == worker;
    }
    return ended;
}

int launcher_main(int count, char **arguments)
{
    sigset_t signals;
    sigset_t before;
    char text[48];

    if (count != AT_END) {
        return EX_USAGE; /* nobody but the server starts it */
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM); /* from the server, or from the kernel when it is gone */
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    const pid_t server = getppid();
    int length = snprintf(text, sizeof(text), "{\"child-pid\": %d}", (int)getpid());
    if (write(CHILD_INFO, text, (size_t)length) != length) {
        return 126;
    }
    (void)close(CHILD_INFO);
    (void)setsid(); /* no terminal */
    become(arguments[AT_USER]);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0 || getppid() != server) {
        launcher_fail("cannot be tied to the server");
    }
    if (!landlock_enclose()) {
        launcher_fail("cannot enclose a session's signals");
    }
    pid_t worker = fork();
    if (worker == 0) {
        run_worker(arguments, &before);
    }
    if (worker < 0) {
        launcher_fail("cannot fork");
    }
    (void)close(STDERR_FILENO);
    (void)close(CHILD_CONTROL);
    (void)close(CHILD_FILTER);
    for (;;) {
        int number = sigwaitinfo(&signals, NULL);
        if (number == SIGTERM || (number == SIGCHLD && reap(worker))) {
            break;
        }
    }
    end_all();
    return 0;
}
