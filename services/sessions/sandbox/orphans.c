/*
 * orphans.c - whom nobody waits for any more.
 *
 * Bubblewrap's child waits for a word from it before it ties its own life to
 * anybody's. If bubblewrap is killed before that, say because the machine is out
 * of memory, the child would wait as long as the server lives. It is the server's
 * init, the first process of its namespace, that has adopted it then. Where that
 * is not so, because there is no namespace, others' processes are about, and
 * nothing is done.
 */
#include "orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processes.h"

/* Is the first process of all that /proc shows our own supervisor? */
static bool init_is_ours(void)
{
    struct stat own;
    struct stat init;

    return getppid() == PROCESS_INIT && stat("/proc/self/exe", &own) == 0 &&
           stat("/proc/1/exe", &init) == 0 && own.st_dev == init.st_dev &&
           own.st_ino == init.st_ino;
}

/* A bubblewrap whose parent is init. The server's own ones have the server for that. */
static bool is_orphan(const process_t *process)
{
    char text[256];
    int parent = 0;
    int file = openat(process->directory, "stat", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, text, sizeof(text) - 1);

    if (file >= 0) {
        (void)close(file);
    }
    text[size > 0 ? size : 0] = '\0';
    const char *name = strstr(text, " (bwrap) ");
    return name != NULL && sscanf(name, " (bwrap) %*c %d", &parent) == 1 && parent == PROCESS_INIT;
}

void orphans_end(void)
{
    const struct dirent *entry = NULL;
    DIR *all = init_is_ours() ? opendir("/proc") : NULL;

    if (all == NULL) {
        return;
    }
    while ((entry = readdir(all)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        const process_t process = {
            .directory = openat(dirfd(all), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (process.directory >= 0) {
            if (is_orphan(&process)) {
                process_signal(&process, SIGKILL);
            }
            (void)close(process.directory);
        }
    }
    (void)closedir(all);
}
