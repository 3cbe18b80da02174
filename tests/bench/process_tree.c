/* process_tree.c - what /proc tells about processes. */
#include "bench/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void give_up(const char *path)
{
    fprintf(stderr, "cannot use %s: %s\n", path, strerror(errno));
    exit(2);
}

/* The children that one thread has made; none if it is gone. */
static void add_children(process_tree_t *tree, pid_t process, const char *thread)
{
    char path[64];
    int pid = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)process, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL && errno != ENOENT) {
        give_up(path);
    }
    while (file != NULL && fscanf(file, "%d", &pid) == 1) {
        if (tree->count == PROCESS_TREE_MAX) {
            fputs("there are more processes than a benchmark should make\n", stderr);
            exit(2);
        }
        tree->pids[tree->count++] = (pid_t)pid;
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void add_below(process_tree_t *tree, pid_t process)
{
    char path[32];
    const struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] != '.') {
            add_children(tree, process, entry->d_name);
        }
    }
    if (threads != NULL) {
        closedir(threads);
    }
}

void process_tree_read(process_tree_t *tree, pid_t root)
{
    tree->count = 0;
    add_below(tree, root);
    for (size_t i = 0; i < tree->count; i++) {
        add_below(tree, tree->pids[i]);
    }
}

/* A number in KiB behind `name` in a file of /proc; below 0 if there is none. */
static double read_kib(pid_t pid, const char *file_name, const char *name)
{
    char path[48];
    char line[128];
    double kib = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file_name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        give_up(path);
    }
    while (kib < 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kib = strtod(line + strlen(name), NULL);
        }
    }
    fclose(file);
    return kib;
}

/* The same, of a process that must be there. */
static double read_known_kib(pid_t pid, const char *file_name, const char *name)
{
    double kib = read_kib(pid, file_name, name);

    if (kib < 0) {
        fprintf(stderr, "/proc/%d/%s has no line %s\n", (int)pid, file_name, name);
        exit(2);
    }
    return kib;
}

double process_tree_share_kib(const process_tree_t *tree)
{
    double sum = 0;

    for (size_t i = 0; i < tree->count; i++) {
        sum += read_known_kib(tree->pids[i], "smaps_rollup", "Pss:");
    }
    return sum;
}

double process_resident_kib(pid_t pid)
{
    return read_known_kib(pid, "status", "VmRSS:");
}

double process_peak_kib(pid_t pid)
{
    return read_known_kib(pid, "status", "VmHWM:");
}

void process_forget_peak(pid_t pid)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)pid);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "5", 1) != 1) {
        give_up(path);
    }
    (void)close(file);
}

double process_descriptors(pid_t pid)
{
    char path[32];
    double count = -2; /* "." and ".." */

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        give_up(path);
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}
