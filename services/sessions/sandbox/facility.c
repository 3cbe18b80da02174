/*
 * facility.c - looking for what a sandbox needs, and putting a lack into words.
 */
#include "facility.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "landlock.h"
#include "namespace.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const level_names[] = {"full", "no-cgroup", "landlock"};

const char *level_name(level_t level)
{
    return level_names[level];
}

static bool level_find(const char *name, level_t *level)
{
    for (size_t i = 0; i < COUNT(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (level_t)i;
            return true;
        }
    }
    return false;
}

/* ---- the programs ---- */

/* What `program --version` prints, at most size - 1 bytes; runs with an empty environment. */
static bool read_version(const char *program, char *text, size_t size)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = {(char *)(size_t)program, (char *)(size_t) "--version", NULL};
        char *nothing[] = {NULL};
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execve(program, arguments, nothing);
        _exit(127);
    }
    (void)close(ends[1]);
    size_t have = 0;
    ssize_t got = 1;
    while (child > 0 && have + 1 < size && got > 0) {
        got = read(ends[0], text + have, size - 1 - have);
        have += got > 0 ? (size_t)got : 0;
    }
    text[have] = '\0';
    (void)close(ends[0]);
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool find_bubblewrap(facility_t *facility, const config_t *config, failure_t *failure)
{
    char text[128];
    int major = 0;
    int minor = 0;

    if (access(config->bwrap, X_OK) != 0) {
        return fail(failure,
                    "cannot sandbox: bubblewrap is missing (%s: %s); install it (apt install "
                    "bubblewrap) or name it with --bwrap",
                    config->bwrap, strerror(errno));
    }
    if (!read_version(config->bwrap, text, sizeof(text)) ||
        sscanf(text, "bubblewrap %d.%d", &major, &minor) != 2) {
        return fail(failure,
                    "cannot sandbox: %s --version does not answer as bubblewrap does; install it "
                    "(apt install bubblewrap) or name it with --bwrap",
                    config->bwrap);
    }
    if (major == 0 && minor < 5) {
        return fail(failure,
                    "cannot sandbox: bubblewrap %d.%d is too old (0.5 is needed); update the "
                    "package bubblewrap",
                    major, minor);
    }
    facility->disable_userns = major > 0 || minor >= 8;
    return true;
}

static bool find_python(facility_t *facility, const config_t *config, failure_t *failure)
{
    char path[4096];

    if (realpath(config->python, path) == NULL || access(path, X_OK) != 0) {
        return fail(failure,
                    "cannot run Python: %s: %s; install it (apt install python3) or name it with "
                    "--python",
                    config->python, strerror(errno));
    }
    if (strncmp(path, "/usr/", 5) != 0 || strncmp(path, "/usr/local/", 11) == 0) {
        return fail(failure,
                    "cannot run Python: %s is %s, but a sandbox shows only programs below /usr and "
                    "not below /usr/local; name another with --python",
                    config->python, path);
    }
    const char *name = strrchr(path, '/') + 1;
    if (strlen(name) < 32) {
        (void)snprintf(facility->python_etc, sizeof(facility->python_etc), "/etc/%s", name);
    }
    return true;
}

/* As root each slot gets a user id of its own, which must be nobody's. */
static bool check_user_ids(const config_t *config, failure_t *failure)
{
    for (int64_t i = 0; i <= config->max_sessions; i++) {
        const struct passwd *user = getpwuid((uid_t)(config->uid_base + i));
        const struct group *group = getgrgid((gid_t)(config->uid_base + i));
        if (user != NULL || group != NULL) {
            return fail(failure,
                        "cannot sandbox: id %lld belongs to %s; give %lld free ones with "
                        "--uid-base",
                        (long long)(config->uid_base + i),
                        user != NULL ? user->pw_name : group->gr_name,
                        (long long)(config->max_sessions + 1));
        }
    }
    return true;
}

/* ---- the level ---- */

/* With exact limits around it, a session may have more, and the machine more sessions. */
static const struct level_limits {
    int64_t max_sessions;
    int64_t address_space;
    int64_t processes;
} level_limits[] = {
    [LEVEL_FULL] = {8, 2 * GIB, 64},
    [LEVEL_NO_CGROUP] = {4, 1 * GIB, 16},
    [LEVEL_LANDLOCK] = {4, 1 * GIB, 16},
};

static void set_if_unset(int64_t *limit, int64_t value)
{
    *limit = *limit == BY_LEVEL ? value : *limit;
}

static void set_limits(config_t *config, level_t level)
{
    const struct level_limits *limits = &level_limits[level];

    set_if_unset(&config->max_sessions, limits->max_sessions);
    set_if_unset(&config->address_space, limits->address_space);
    set_if_unset(&config->processes, limits->processes);
}

/* What a group takes is tried with one that nobody is in. */
static bool find_cgroups(facility_t *facility, const config_t *config)
{
    cgroup_t trial;

    if (!cgroup_tree_open(&facility->cgroups, &facility->no_cgroups)) {
        return false;
    }
    if (!cgroup_make(&trial, &facility->cgroups, 0, config, &facility->no_cgroups)) {
        cgroup_tree_close(&facility->cgroups);
        return false;
    }
    cgroup_remove(&trial);
    return true;
}

static bool read_level(const char *flag, const char *name, level_t *level, failure_t *failure)
{
    return level_find(name, level) ||
           fail(failure, "unknown level \"%s\": %s takes full, no-cgroup or landlock", name, flag);
}

/* The level asked for, and the lowest one that will do. */
static bool read_wishes(const config_t *config, level_t *wanted, level_t *required,
                        failure_t *failure)
{
    level_t allowed = LEVEL_NO_CGROUP;

    *wanted = LEVEL_FULL;
    if ((config->allow_level != NULL &&
         !read_level("--allow-level", config->allow_level, &allowed, failure)) ||
        (config->level != NULL && !read_level("--level", config->level, wanted, failure))) {
        return false;
    }
    *required = allowed < LEVEL_NO_CGROUP ? LEVEL_NO_CGROUP : allowed;
    if (config->require != NULL && !read_level("--require", config->require, required, failure)) {
        return false;
    }
    if ((*wanted == LEVEL_LANDLOCK || *required == LEVEL_LANDLOCK) && allowed != LEVEL_LANDLOCK) {
        return fail(failure, "cannot sandbox at level \"landlock\": it isolates less than the "
                             "others and runs only with --allow-level landlock");
    }
    if (*wanted > *required) {
        return fail(failure, "cannot sandbox at the required level \"%s\": --level asks for \"%s\"",
                    level_name(*required), config->level);
    }
    return true;
}

/* Root in a container may be a root without the rights to see and end processes of other users. */
static bool may_watch_others(void)
{
    const unsigned needed = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_KILL |
                            1u << CAP_SETGID | 1u << CAP_SETUID | 1u << CAP_SYS_PTRACE;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0, 0, 0}, {0, 0, 0}};

    return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective & needed) == needed;
}

static bool check_landlock(const facility_t *facility, failure_t *failure)
{
    const int abi = landlock_abi();

    if (facility->root && !may_watch_others()) {
        return fail(failure, "cannot sandbox at level \"landlock\": this root may not watch "
                             "processes of other users; run as an ordinary user, or give "
                             "CAP_SYS_PTRACE (in a container: --cap-add SYS_PTRACE)");
    }
    if (access("/proc/thread-self/children", R_OK) != 0) {
        return fail(failure, "cannot sandbox at level \"landlock\": /proc does not tell the "
                             "children of a process; use a kernel with CONFIG_PROC_CHILDREN");
    }
    if (abi >= LANDLOCK_ABI_NEEDED) {
        return true;
    }
    return fail(failure,
                "cannot sandbox at level \"landlock\": this kernel has %s%.0d of Landlock, %d is "
                "needed (Linux 6.12, with landlock among its security modules)",
                abi == 0 ? "no version" : "version ", abi, LANDLOCK_ABI_NEEDED);
}

/* What all levels but landlock need. That it is there is tried only where something else will do:
 * else it is found when it is used. */
static bool find_namespaces(facility_t *facility, const config_t *config, level_t required,
                            failure_t *failure)
{
    return find_bubblewrap(facility, config, failure) &&
           (required < LEVEL_LANDLOCK || namespace_try(facility, config, failure));
}

/* Nobody gets less than was asked for, and nobody less than could be had without asking for it. */
static bool choose_level(facility_t *facility, config_t *config, failure_t *failure)
{
    config_t full = *config;
    level_t required = LEVEL_FULL;
    level_t wanted = LEVEL_FULL;

    if (!read_wishes(config, &wanted, &required, failure)) {
        return false;
    }
    set_limits(&full, LEVEL_FULL);
    facility->level = wanted;
    if (wanted < LEVEL_LANDLOCK && !find_namespaces(facility, config, required, failure)) {
        if (required < LEVEL_LANDLOCK || config->level != NULL) {
            return false;
        }
        facility->no_namespaces = *failure;
        facility->level = LEVEL_LANDLOCK;
    }
    if (facility->level == LEVEL_FULL && !find_cgroups(facility, &full)) {
        if (required == LEVEL_FULL || config->level != NULL) {
            return fail(failure,
                        "cannot sandbox at level \"full\": %s; start it in a control group of its "
                        "own (systemd-run --user --scope -p Delegate=yes semkernel-sessiond ..)",
                        facility->no_cgroups.text);
        }
        facility->level = LEVEL_NO_CGROUP;
    }
    set_limits(config, facility->level);
    return facility->level != LEVEL_LANDLOCK || check_landlock(facility, failure);
}

bool facility_find(facility_t *facility, config_t *config, failure_t *failure)
{
    memset(facility, 0, sizeof(*facility));
    facility->root = geteuid() == 0;
    return find_python(facility, config, failure) && choose_level(facility, config, failure) &&
           (!facility->root || check_user_ids(config, failure));
}

void facility_leave(facility_t *facility)
{
    cgroup_tree_close(&facility->cgroups);
}

/* ---- words ---- */

/* The number in a file of /proc/sys; -1 if there is none. */
static long read_switch_file(const char *path)
{
    long value = -1;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%ld", &value) != 1) {
            value = -1;
        }
        (void)fclose(file);
    }
    return value;
}

/* A switch of the machine that forbids user namespaces; false if none is set that way. */
static bool explain_switches(failure_t *failure)
{
    if (read_switch_file("/proc/sys/user/max_user_namespaces") == 0) {
        (void)fail(failure, "cannot sandbox: user namespaces are switched off; set sysctl "
                            "user.max_user_namespaces=15000");
        return true;
    }
    if (read_switch_file("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
        (void)fail(failure, "cannot sandbox: user namespaces are for root only; set sysctl "
                            "kernel.unprivileged_userns_clone=1");
        return true;
    }
    if (read_switch_file("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
        (void)fail(failure, "cannot sandbox: AppArmor restricts user namespaces; load a profile "
                            "that allows userns for semkernel-sessiond and bwrap, or set sysctl "
                            "kernel.apparmor_restrict_unprivileged_userns=0");
        return true;
    }
    return false;
}

bool facility_explain_namespaces(int error, failure_t *failure)
{
    if (explain_switches(failure)) {
        return false;
    }
    if (geteuid() == 0) {
        return fail(failure,
                    "cannot sandbox: as root, no namespace of its own: %s; run as an ordinary "
                    "user, or give CAP_SYS_ADMIN (in a container: --cap-add SYS_ADMIN and a "
                    "seccomp profile that allows unshare)",
                    strerror(error));
    }
    return fail(failure,
                "cannot sandbox: no user namespace: %s; in a container, run it with a seccomp "
                "profile that allows unshare",
                strerror(error));
}

bool facility_explain_sandbox(const char *diagnosis, failure_t *failure)
{
    size_t length = strcspn(diagnosis, "\n");

    if (strstr(diagnosis, "Creating new namespace failed") != NULL ||
        strstr(diagnosis, "setting up uid map") != NULL) {
        if (explain_switches(failure)) {
            return false;
        }
        return fail(failure,
                    "cannot sandbox: bubblewrap may not create namespaces (%.*s); in a container, "
                    "run it with a seccomp profile that allows unshare and clone",
                    (int)length, diagnosis);
    }
    if (strstr(diagnosis, "Can't mount proc") != NULL) {
        return fail(failure,
                    "cannot sandbox: /proc cannot be mounted (%.*s); in a container, run it with "
                    "an unmasked /proc (--security-opt systempaths=unconfined)",
                    (int)length, diagnosis);
    }
    return fail(failure, "cannot sandbox: the sandbox did not start: %.*s",
                length == 0 ? 17 : (int)length, length == 0 ? "it says no reason" : diagnosis);
}
