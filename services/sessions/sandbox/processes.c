/*
 * processes.c - reading the /proc of a sandbox.
 *
 * A sandbox has process numbers of its own and mounts its own /proc, which is
 * reached through the root of its init. A directory in there also stands for
 * its process where a signal is sent, so no number is ever taken for another.
 *
 * Where there are no namespaces, processes are found by their descent.
 */
#include "processes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAMILY_MAX 2048 /* twice as many as may be configured */

/* ---- in a namespace of their own ---- */

static bool visit_namespace(pid_t init, process_fn visit, void *data)
{
    const struct dirent *entry = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/root/proc", (int)init);
    DIR *all = opendir(path);
    if (all == NULL) {
        return false;
    }
    while ((entry = readdir(all)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        process_t process = {
            .directory = openat(dirfd(all), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
            .number = (int)strtol(entry->d_name, NULL, 10)};
        if (process.directory >= 0) {
            visit(&process, data);
            (void)close(process.directory);
        }
    }
    (void)closedir(all);
    return true;
}

/* ---- without one ---- */

/* The launcher adopts who has lost his parent, so all of a session is found on the way down from
 * it. */
typedef struct family {
    size_t count;
    pid_t members[FAMILY_MAX]; /* the launcher's first */
} family_t;

static void add_children(family_t *family, int tasks, const char *task)
{
    char path[64];
    int child = 0;

    (void)snprintf(path, sizeof(path), "%.20s/children", task);
    int descriptor = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    FILE *children = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    if (children == NULL) {
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return;
    }
    while (family->count < FAMILY_MAX && fscanf(children, "%d", &child) == 1) {
        family->members[family->count++] = child;
    }
    (void)fclose(children);
}

static void add_children_of_all_tasks(family_t *family, int directory)
{
    const struct dirent *entry = NULL;
    int descriptor = openat(directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *tasks = descriptor < 0 ? NULL : fdopendir(descriptor);

    if (tasks == NULL) {
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return;
    }
    while ((entry = readdir(tasks)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            add_children(family, dirfd(tasks), entry->d_name);
        }
    }
    (void)closedir(tasks);
}

/* Is it still a child of one of them? Its number may have become another's. */
static bool is_of_family(const family_t *family, int directory)
{
    char text[512];
    int parent = 0;
    int file = openat(directory, "stat", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, text, sizeof(text) - 1);

    if (file >= 0) {
        (void)close(file);
    }
    text[size > 0 ? size : 0] = '\0';
    const char *behind_name = strrchr(text, ')');
    if (behind_name == NULL || sscanf(behind_name, ") %*c %d", &parent) != 1) {
        return false;
    }
    for (size_t i = 0; i < family->count; i++) {
        if (family->members[i] == parent) {
            return true;
        }
    }
    return false;
}

static bool visit_family(pid_t launcher, process_fn visit, void *data)
{
    family_t family = {1, {launcher}};
    char path[32];

    for (size_t i = 0; i < family.count; i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d", (int)family.members[i]);
        process_t process = {.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                             .number = (int)family.members[i]};
        if (process.directory < 0) {
            if (i == 0) {
                return false;
            }
            continue;
        }
        if (i == 0) {
            add_children_of_all_tasks(&family, process.directory);
        } else if (is_of_family(&family, process.directory)) {
            add_children_of_all_tasks(&family, process.directory);
            visit(&process, data);
        }
        (void)close(process.directory);
    }
    return true;
}

/* ---- */

/* Then its /proc is the host's. Also where that cannot be told. */
static bool is_without_namespace(pid_t init)
{
    char path[48];
    char own[64];
    char other[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
    ssize_t own_size = readlink("/proc/self/ns/pid", own, sizeof(own));
    ssize_t other_size = readlink(path, other, sizeof(other));
    return own_size <= 0 || other_size <= 0 ||
           (own_size == other_size && memcmp(own, other, (size_t)own_size) == 0);
}

bool processes_visit(pid_t init, process_fn visit, void *data)
{
    return is_without_namespace(init) ? visit_family(init, visit, data)
                                      : visit_namespace(init, visit, data);
}

/* ---- one of them ---- */

void process_signal(const process_t *process, int number)
{
    (void)syscall(SYS_pidfd_send_signal, process->directory, number, NULL, 0);
}

static void mix(uint64_t *trace, uint64_t value)
{
    *trace = (*trace ^ value) * UINT64_C(0x100000001b3);
    *trace ^= *trace >> 29;
}

static uint64_t number_after(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line == NULL ? 0 : strtoull(line + strlen(name), NULL, 10);
}

/* One thread; it changes nothing if that is gone. */
static void inspect_task(int tasks, const char *number, process_state_t *state)
{
    char path[64];
    char text[4096];

    (void)snprintf(path, sizeof(path), "%.20s/status", number);
    int file = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
    if (file >= 0) {
        (void)close(file);
    }
    text[size > 0 ? size : 0] = '\0';
    const char *line = strstr(text, "\nState:\t"); /* a name cannot hold a newline: it is escaped */
    if (line == NULL) {
        return;
    }
    const char letter = line[strlen("\nState:\t")];
    const bool dead = letter == 'Z' || letter == 'X';
    state->dead = state->dead && dead;
    state->stopped = state->stopped && (dead || letter == 'T' || letter == 'D');
    state->waiting = state->waiting || letter == 'D';
    mix(&state->trace, strtoull(number, NULL, 10));
    mix(&state->trace, number_after(line, "\nvoluntary_ctxt_switches:\t"));
    mix(&state->trace, number_after(line, "\nnonvoluntary_ctxt_switches:\t"));
}

process_state_t process_state(const process_t *process)
{
    process_state_t state = {.dead = true, .stopped = true, .trace = (uint64_t)process->number};
    const struct dirent *entry = NULL;
    int directory = openat(process->directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *tasks = directory < 0 ? NULL : fdopendir(directory);

    if (tasks == NULL) {
        if (directory >= 0) {
            (void)close(directory);
        }
        return state;
    }
    while ((entry = readdir(tasks)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            inspect_task(dirfd(tasks), entry->d_name, &state);
        }
    }
    (void)closedir(tasks);
    return state;
}
