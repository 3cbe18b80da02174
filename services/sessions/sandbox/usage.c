/*
 * usage.c - adding up processes and files.
 *
 * All of it goes on changing meanwhile: a sum is of what was there at the time it
 * was read, and the next one comes soon.
 */
#include "usage.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processes.h"

#define DEPTH_MAX 64

typedef struct usage {
    const config_t *config;
    size_t task_count;
    int64_t memory;
    int64_t files; /* and directories */
    int64_t bytes;
    bool too_deep;
    bool is_hidden;
} usage_t;

/* ---- processes ---- */

int64_t usage_of_memory(int proc, const char *number)
{
    char path[64];
    char text[1024];

    (void)snprintf(path, sizeof(path), "%.20s/smaps_rollup", number);
    int file = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno == EACCES || errno == EPERM ? -1 : 0;
    }
    ssize_t size = read(file, text, sizeof(text) - 1);
    (void)close(file);
    text[size > 0 ? size : 0] = '\0';
    const char *line = strstr(text, "\nPss:");
    return line == NULL ? 0 : strtoll(line + 5, NULL, 10) * 1024;
}

static DIR *open_entries(int directory, const char *name)
{
    int descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = descriptor < 0 ? NULL : fdopendir(descriptor);

    if (entries == NULL && descriptor >= 0) {
        (void)close(descriptor);
        errno = ENOMEM;
    }
    return entries;
}

static void add_file(usage_t *usage, const struct stat *status)
{
    usage->files++;
    usage->bytes += (int64_t)status->st_blocks * 512;
}

static bool is_over(const usage_t *usage)
{
    return usage->memory > usage->config->memory ||
           usage->task_count > (size_t)usage->config->processes || usage->too_deep ||
           usage->is_hidden || usage->bytes > usage->config->data_size + usage->config->tmp_size ||
           usage->files > usage->config->data_inodes;
}

/* Files that have no name any more. */
static void add_open_files(usage_t *usage, int process)
{
    const struct dirent *entry = NULL;
    struct stat status;

    DIR *open_files = open_entries(process, "fd");
    while (open_files != NULL && (entry = readdir(open_files)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) &&
            fstatat(dirfd(open_files), entry->d_name, &status, 0) == 0 && S_ISREG(status.st_mode) &&
            status.st_nlink == 0) {
            add_file(usage, &status);
        }
    }
    if (open_files != NULL) {
        (void)closedir(open_files);
    }
}

static void add_process(const process_t *process, void *data)
{
    usage_t *usage = data;
    struct stat tasks;

    if (is_over(usage)) {
        return;
    }
    if (fstatat(process->directory, "task", &tasks, 0) == 0) {
        usage->task_count += (size_t)tasks.st_nlink - 2; /* a directory each, ".", ".." */
    }
    int64_t memory = usage_of_memory(process->directory, ".");
    usage->memory = memory < 0 ? usage->config->memory + 1 : usage->memory + memory;
    add_open_files(usage, process->directory);
}

/* ---- files ---- */

static void add_tree(usage_t *usage, int parent, const char *name, unsigned depth)
{
    const struct dirent *entry = NULL;
    struct stat status;

    DIR *entries = open_entries(parent, name);
    if (entries == NULL && errno == EACCES) {
        usage->is_hidden = true; /* its owner has shut us out */
    }
    while (entries != NULL && !is_over(usage) && (entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        add_file(usage, &status);
        if (S_ISDIR(status.st_mode) && depth == DEPTH_MAX) {
            usage->too_deep = true;
        } else if (S_ISDIR(status.st_mode)) {
            add_tree(usage, dirfd(entries), entry->d_name, depth + 1);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

int64_t usage_count_tasks(uid_t user)
{
    const struct dirent *entry = NULL;
    struct stat status;
    int64_t count = 0;
    char path[64];

    DIR *processes = opendir("/proc");
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        (void)snprintf(path, sizeof(path), "%.20s/task", entry->d_name);
        if (isdigit((unsigned char)entry->d_name[0]) &&
            fstatat(dirfd(processes), path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            status.st_uid == user) {
            count += (int64_t)status.st_nlink - 2; /* a directory each, ".", ".." */
        }
    }
    if (processes != NULL) {
        (void)closedir(processes);
    }
    return count;
}

excess_t usage_find_excess(pid_t launcher, const char *data, const char *tmp,
                           const config_t *config)
{
    usage_t usage = {.config = config};

    (void)processes_visit(launcher, add_process, &usage);
    if (usage.memory > config->memory) {
        return USAGE_MEMORY;
    }
    if (usage.task_count > (size_t)config->processes) {
        return USAGE_PROCESSES;
    }
    add_tree(&usage, AT_FDCWD, data, 0);
    add_tree(&usage, AT_FDCWD, tmp, 0);
    return is_over(&usage) ? USAGE_FILES : USAGE_WITHIN;
}
