/*
 * cgroup_tree.c - finding the home, making our own group in it, and clearing away.
 *
 * The kernel tells in which group a process is (/proc/self/cgroup) and where each
 * hierarchy is mounted (/proc/self/mountinfo); in a container the mount may begin
 * in the middle of it.
 */
#include "cgroup_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX        "semkernel-"
#define LINE_MAX_SIZE 8192
#define CHANGE_MS     500

const char *const cgroup_controller_names[CGROUP_CONTROLLERS] = {"memory", "pids", "cpu"};

/* ---- files ---- */

bool cgroup_write(int directory, const char *file, const char *text)
{
    int descriptor = openat(directory, file, O_WRONLY | O_CLOEXEC);

    if (descriptor < 0) {
        return false;
    }
    bool written = write(descriptor, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    (void)close(descriptor);
    errno = error;
    return written;
}

bool cgroup_read(int directory, const char *file, char *text, size_t size)
{
    int descriptor = openat(directory, file, O_RDONLY | O_CLOEXEC);

    if (descriptor < 0) {
        return false;
    }
    ssize_t got = read(descriptor, text, size);
    (void)close(descriptor);
    if (got < 0 || (size_t)got == size) {
        return false;
    }
    got -= got > 0 && text[got - 1] == '\n';
    text[got] = '\0';
    return true;
}

bool cgroup_list_has(const char *list, char separator, const char *word)
{
    size_t length = strlen(word);

    while (list != NULL) {
        if (strncmp(list, word, length) == 0 &&
            (list[length] == separator || list[length] == '\0')) {
            return true;
        }
        list = strchr(list, separator);
        list = list == NULL ? NULL : list + 1;
    }
    return false;
}

/* ---- the home ---- */

/* The path of this process's group; of a line "4:cpu,cpuacct:/path", version 2 "0::/path". */
static bool find_group(const char *controller, char *path, size_t size)
{
    char line[LINE_MAX_SIZE];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL) {
            continue;
        }
        *controllers++ = '\0';
        *group++ = '\0';
        found = controller == NULL ? strcmp(line, "0") == 0 && *controllers == '\0'
                                   : cgroup_list_has(controllers, ',', controller);
        found = found && strlen(group) < size;
        if (found) {
            memcpy(path, group, strlen(group) + 1);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

/* In mountinfo blanks and the like stand as \040. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' &&
            from[3] != '\0') {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

typedef struct mount_line {
    char *root; /* which directory of the file system is mounted */
    char *point;
    char *type;
    char *options; /* of the file system */
} mount_line_t;

/* "36 35 98:0 /root /point rw,.. shared:1 - type source options" */
static bool split_mount_line(char *line, mount_line_t *mount)
{
    char *rest = NULL;

    line[strcspn(line, "\n")] = '\0';
    char *behind = strstr(line, " - ");
    if (behind == NULL) {
        return false;
    }
    *behind = '\0';
    (void)strtok_r(line, " ", &rest);
    (void)strtok_r(NULL, " ", &rest);
    (void)strtok_r(NULL, " ", &rest);
    mount->root = strtok_r(NULL, " ", &rest);
    mount->point = strtok_r(NULL, " ", &rest);
    mount->type = strtok_r(behind + 3, " ", &rest);
    (void)strtok_r(NULL, " ", &rest);
    mount->options = strtok_r(NULL, " ", &rest);
    if (mount->root == NULL || mount->point == NULL || mount->options == NULL) {
        return false;
    }
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

/* The group's directory below this mount, -1 if it is not below it. */
static int open_group(const mount_line_t *mount, const char *group)
{
    char path[PATH_MAX];
    size_t hidden = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);

    if (strncmp(group, mount->root, hidden) != 0 ||
        (group[hidden] != '/' && group[hidden] != '\0') || strstr(group, "/..") != NULL) {
        errno = ENOENT;
        return -1;
    }
    if ((size_t)snprintf(path, sizeof(path), "%s%s", mount->point, group + hidden) >=
        sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_open_home(const char *type, const char *controller, failure_t *failure)
{
    const char *what = controller == NULL ? type : controller;
    char group[PATH_MAX];
    char line[LINE_MAX_SIZE];
    int home = -1;
    bool mounted = false;

    if (!find_group(controller, group, sizeof(group))) {
        (void)fail(failure, "there is no controller %s", what);
        return -1;
    }
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && home < 0 && fgets(line, sizeof(line), file) != NULL) {
        mount_line_t mount;
        if (split_mount_line(line, &mount) && strcmp(mount.type, type) == 0 &&
            (controller == NULL || cgroup_list_has(mount.options, ',', controller))) {
            mounted = true;
            home = open_group(&mount, group);
        }
    }
    int error = errno;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (home < 0 && mounted) {
        (void)fail(failure, "%s: group %.100s: %s", what, group, strerror(error));
    } else if (home < 0) {
        (void)fail(failure, "%s is not mounted", what);
    }
    return home;
}

/* ---- our own group, and others' ---- */

/* When a process began, in ticks since the machine did; 0 if there is none. */
static unsigned long long start_time(long pid)
{
    char path[64];
    char text[1024];
    unsigned long long ticks = 0;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    if (cgroup_read(AT_FDCWD, path, text, sizeof(text))) {
        const char *at = strrchr(text, ')'); /* the name may hold anything */
        for (int field = 2; at != NULL && field < 22; field++) {
            at = strchr(at + 1, ' ');
        }
        ticks = at == NULL ? 0 : strtoull(at, NULL, 10);
    }
    return ticks;
}

/* All groups directly below this one that have no processes; 0 if none is left. */
static size_t remove_groups(int directory)
{
    size_t left = 0;
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);

    if (entries == NULL) {
        return 1;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            left += unlinkat(directory, entry->d_name, AT_REMOVEDIR) != 0;
        }
    }
    (void)closedir(entries);
    return left;
}

/* Whose start time differs is another process of the same number. The lock tells of servers whose
 * number is not one here, but of another process namespace. */
static void sweep_one(int home, const char *name)
{
    long pid = 0;
    unsigned long long ticks = 0;
    char behind = '\0';

    if (sscanf(name, PREFIX "%ld-%llu%c", &pid, &ticks, &behind) != 2 || start_time(pid) == ticks) {
        return;
    }
    int directory = openat(home, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (directory < 0) {
        return;
    }
    if (flock(directory, LOCK_EX | LOCK_NB) == 0 && remove_groups(directory) == 0) {
        (void)unlinkat(home, name, AT_REMOVEDIR);
    }
    (void)close(directory);
}

static void sweep(int home)
{
    int copy = openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);

    if (entries == NULL) {
        return;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_type == DT_DIR) {
            sweep_one(home, entry->d_name);
        }
    }
    (void)closedir(entries);
}

bool cgroup_make_own(cgroup_tree_t *tree, size_t at, failure_t *failure)
{
    sweep(tree->homes[at]);
    if (mkdirat(tree->homes[at], tree->name, 0755) != 0) {
        return fail(failure, "no group can be made in the server's own: %s", strerror(errno));
    }
    tree->owns[at] =
        openat(tree->homes[at], tree->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (tree->owns[at] < 0 || flock(tree->owns[at], LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        (void)unlinkat(tree->homes[at], tree->name, AT_REMOVEDIR);
        return fail(failure, "the server's group cannot be locked: %s", strerror(error));
    }
    return true;
}

/* ---- the tree ---- */

static void tree_init(cgroup_tree_t *tree, int version)
{
    memset(tree, 0, sizeof(*tree));
    tree->version = version;
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        tree->homes[i] = tree->owns[i] = -1;
    }
    (void)snprintf(tree->name, sizeof(tree->name), PREFIX "%ld-%llu", (long)getpid(),
                   start_time((long)getpid()));
}

bool cgroup_tree_open(cgroup_tree_t *tree, failure_t *failure)
{
    failure_t why[] = {{""}, {""}};

    tree_init(tree, 2);
    if (cgroup_v2_open(tree, &why[0])) {
        return true;
    }
    cgroup_tree_close(tree);
    tree_init(tree, 1);
    if (cgroup_v1_open(tree, &why[1])) {
        return true;
    }
    cgroup_tree_close(tree);
    return fail(failure, "no control groups: version 2: %.200s; version 1: %.200s", why[0].text,
                why[1].text);
}

/* A process that has just died may still be counted: version 2 tells when it is not any more. */
static void await_change(int events)
{
    struct pollfd change = {events, POLLPRI, 0};
    char text[256];

    (void)!pread(events, text, sizeof(text), 0); /* from here on a change counts */
    (void)poll(&change, 1, CHANGE_MS);
}

static void remove_own(const cgroup_tree_t *tree, size_t at)
{
    int events = openat(tree->owns[at], "cgroup.events", O_RDONLY | O_CLOEXEC);
    bool removed = false;

    for (int i = 0; i < 3 && !removed; i++) {
        if (i > 0 && events >= 0) {
            await_change(events);
        }
        removed = remove_groups(tree->owns[at]) == 0 &&
                  unlinkat(tree->homes[at], tree->name, AT_REMOVEDIR) == 0;
    }
    if (events >= 0) {
        (void)close(events);
    }
}

void cgroup_tree_close(cgroup_tree_t *tree)
{
    const bool outside = tree->version != 2 || tree->owns[0] < 0 || cgroup_v2_leave(tree);

    for (size_t i = 0; tree->version != 0 && i < CGROUP_CONTROLLERS; i++) {
        if (tree->owns[i] >= 0) {
            if (outside) {
                remove_own(tree, i);
            }
            (void)close(tree->owns[i]);
        }
        if (tree->homes[i] >= 0) {
            (void)close(tree->homes[i]);
        }
    }
    tree->version = 0;
}
