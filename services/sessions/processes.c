/*
 * processes.c - reading the /proc of a sandbox.
 *
 * A sandbox has process numbers of its own and mounts its own /proc, which is
 * reached through the root of its init. A directory in there also stands for
 * its process where a signal is sent, so no number is ever taken for another.
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

bool processes_visit(pid_t init, process_fn visit, void *data)
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
