/*
 * bubblewrap.c - what bubblewrap is told.
 *
 * The chain is server -> bubblewrap -> its init (pid 1 inside) -> worker. All
 * namespaces are new, the root is a read-only tmpfs with /usr bound in, and
 * nothing of the host's /etc, /home, /var or /run is there. As root the child
 * becomes the slot's own user before bubblewrap starts: with uid 0 kept, files
 * that only root may read would stay readable inside.
 *
 * Descriptors of the child: 0, 1 /dev/null; 2 a pipe for complaints until the
 * worker is ready; 3 control; 8 worker.py; 9 filter; 10 init's pid; 11 arguments.
 */
#include "bubblewrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <buffer.h>

#include "child.h"

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
    ADD("--perms", "0444", "--ro-bind-data", worker, PROGRAM_PATH);
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

/* ---- start ---- */

pid_t bubblewrap_start(const sandbox_plan_t *plan, const place_t *place, const sandbox_ends_t *ends)
{
    enum { FLAGS = 7, NUMBERS = 5 };
    char text[NUMBERS][24];
    char file[12];
    const int64_t numbers[NUMBERS] = {CHILD_CONTROL, plan->config->processes,
                                      plan->config->address_space, plan->config->data_size,
                                      plan->config->descriptors};
    const char *arguments[FLAGS + NUMBERS + 1] = {
        "bwrap", "--args", file, "--", plan->config->python, "-I", PROGRAM_PATH};
    child_t child;
    pid_t pid = -1;

    (void)snprintf(file, sizeof(file), "%d", CHILD_ARGUMENTS);
    for (size_t i = 0; i < NUMBERS; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%lld", (long long)numbers[i]);
        arguments[FLAGS + i] = text[i];
    }
    child_init(&child, plan->config->bwrap, arguments, place);
    child.switch_user = plan->facility->root;
    child.files[0] = child.files[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
    child.files[2] = ends->complaint;
    child.files[CHILD_CONTROL] = ends->control;
    child.files[CHILD_WORKER] = open_again(program_file(plan->program));
    child.files[CHILD_FILTER] = open_again(plan->seccomp_file);
    child.files[CHILD_INFO] = ends->info;
    child.files[CHILD_ARGUMENTS] = write_arguments(plan, place);
    const int own[] = {child.files[0], child.files[CHILD_WORKER], child.files[CHILD_FILTER],
                       child.files[CHILD_ARGUMENTS]};
    if (own[0] >= 0 && own[1] >= 0 && own[2] >= 0 && own[3] >= 0) {
        pid = child_start(&child);
    }
    int error = errno;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (own[i] >= 0) {
            (void)close(own[i]);
        }
    }
    errno = error;
    return pid;
}
