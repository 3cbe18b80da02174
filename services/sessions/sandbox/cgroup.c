/*
 * cgroup.c - one directory in each hierarchy, and the limits written to its files.
 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000

enum value { VALUE_ZERO, VALUE_ONE, VALUE_MEMORY, VALUE_SOCKETS, VALUE_PROCESSES, VALUE_CPU_US };

/* A file of a group. Some belong to parts that a kernel may have been built without. */
static const struct limit_row {
    int version;
    cgroup_controller_t controller;
    const char *file;
    enum value value;
    bool optional;
} limit_rows[] = {
    {2, CGROUP_MEMORY, "memory.max", VALUE_MEMORY, false},
    {2, CGROUP_MEMORY, "memory.swap.max", VALUE_ZERO, true},
    {2, CGROUP_MEMORY, "memory.oom.group", VALUE_ONE, false},
    {2, CGROUP_PIDS, "pids.max", VALUE_PROCESSES, false},
    {2, CGROUP_CPU, "cpu.max", VALUE_CPU_US, false}, /* of the period of before, 100 ms */
    {1, CGROUP_MEMORY, "memory.limit_in_bytes", VALUE_MEMORY, false},
    {1, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", VALUE_MEMORY, true},
    {1, CGROUP_MEMORY, "memory.swappiness", VALUE_ZERO, true},
    {1, CGROUP_MEMORY, "memory.kmem.tcp.limit_in_bytes", VALUE_SOCKETS, true},
    {1, CGROUP_PIDS, "pids.max", VALUE_PROCESSES, false},
    {1, CGROUP_CPU, "cpu.cfs_quota_us", VALUE_CPU_US, false},
};

/* With version 1 the buffers of TCP are counted apart from other memory. */
#define SOCKETS_SHARE 8

static int64_t limit_of(enum value value, const config_t *config)
{
    switch (value) {
    case VALUE_ZERO:
        return 0;
    case VALUE_ONE:
        return 1;
    case VALUE_MEMORY:
        return config->memory;
    case VALUE_SOCKETS:
        return config->memory / SOCKETS_SHARE;
    case VALUE_PROCESSES:
        return config->processes + 1; /* bubblewrap itself, which waits outside */
    case VALUE_CPU_US:
        return config->cpu * (CPU_PERIOD_US / 100);
    }
    return 0;
}

/* "<group>/<file>", below the hierarchy's own directory of ours. */
typedef char path_t[128];

static void make_path(path_t path, const cgroup_t *group, const char *file)
{
    (void)snprintf(path, sizeof(path_t), "%s/%s", group->name, file);
}

static int own(const cgroup_t *group, cgroup_controller_t controller)
{
    return group->tree->owns[group->tree->hierarchy[controller]];
}

static bool write_limits(const cgroup_t *group, const config_t *config, failure_t *failure)
{
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        const struct limit_row *row = &limit_rows[i];
        path_t path;
        char text[24];
        if (row->version != group->tree->version) {
            continue;
        }
        make_path(path, group, row->file);
        (void)snprintf(text, sizeof(text), "%lld", (long long)limit_of(row->value, config));
        if (!cgroup_write(own(group, row->controller), path, text) &&
            !(row->optional && errno == ENOENT)) {
            return fail(failure, "the control group %s/%s takes no %s of %s: %s", group->tree->name,
                        group->name, row->file, text, strerror(errno));
        }
    }
    return true;
}

/* A group whose last process was just dying could not be removed yet: now it can. */
static void remove_former(const cgroup_tree_t *tree, size_t at, unsigned slot)
{
    int copy = openat(tree->owns[at], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry = NULL;
    unsigned number = 0;
    char dash = '\0';

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (sscanf(entry->d_name, "%u%c", &number, &dash) == 2 && dash == '-' && number == slot) {
            (void)unlinkat(tree->owns[at], entry->d_name, AT_REMOVEDIR);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

bool cgroup_make(cgroup_t *group, const cgroup_tree_t *tree, unsigned slot, const config_t *config,
                 failure_t *failure)
{
    static unsigned count; /* no name comes twice, whatever is still to be removed */

    memset(group, 0, sizeof(*group));
    if (tree->version == 0) {
        return true;
    }
    group->tree = tree;
    (void)snprintf(group->name, sizeof(group->name), "%u-%u", slot, ++count);
    for (size_t i = 0; i < tree->count; i++) {
        remove_former(tree, i, slot);
        if (mkdirat(tree->owns[i], group->name, 0755) != 0) {
            (void)fail(failure, "the control group %s/%s cannot be made: %s", tree->name,
                       group->name, strerror(errno));
            cgroup_remove(group);
            return false;
        }
    }
    if (!write_limits(group, config, failure)) {
        cgroup_remove(group);
        return false;
    }
    return true;
}

void cgroup_remove(cgroup_t *group)
{
    for (size_t i = 0; group->tree != NULL && i < group->tree->count; i++) {
        (void)unlinkat(group->tree->owns[i], group->name, AT_REMOVEDIR);
    }
    group->tree = NULL;
}

bool cgroup_join(const cgroup_t *group)
{
    path_t path;

    for (size_t i = 0; group->tree != NULL && i < group->tree->count; i++) {
        make_path(path, group, "cgroup.procs");
        if (!cgroup_write(group->tree->owns[i], path, "0")) {
            return false;
        }
    }
    return true;
}

int64_t cgroup_memory_kills(const cgroup_t *group)
{
    path_t path;
    char text[1024];

    if (group->tree == NULL) {
        return 0;
    }
    make_path(path, group, group->tree->version == 2 ? "memory.events" : "memory.oom_control");
    if (!cgroup_read(own(group, CGROUP_MEMORY), path, text, sizeof(text))) {
        return 0;
    }
    const char *line = strstr(text, "\noom_kill ");
    return line == NULL ? 0 : strtoll(line + strlen("\noom_kill "), NULL, 10);
}

/* Files that version 2 alone has. */
static bool order(const cgroup_t *group, const char *file, const char *text)
{
    path_t path;

    if (group->tree == NULL || group->tree->version != 2) {
        return false;
    }
    make_path(path, group, file);
    return cgroup_write(group->tree->owns[0], path, text);
}

void cgroup_kill(const cgroup_t *group)
{
    (void)order(group, "cgroup.kill", "1");
    (void)cgroup_thaw(group); /* for who comes next */
}

bool cgroup_freeze(const cgroup_t *group)
{
    return order(group, "cgroup.freeze", "1");
}

bool cgroup_thaw(const cgroup_t *group)
{
    return order(group, "cgroup.freeze", "0");
}
