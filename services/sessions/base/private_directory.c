/*
 * private_directory.c - making, and sweeping.
 *
 * Whoever sweeps takes the same lock as an owner. Between making a directory and
 * locking it another one may have swept it away: then it is made anew. Others may
 * put anything beside it that looks like one, so a directory is only touched
 * through a descriptor of it, if it belongs to this user alone, and if there is
 * nothing in it but files such as a server makes.
 */
#include "private_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACEHOLDER "XXXXXX"
#define FILES       "socket" /* its own, and what is named after it */
#define ATTEMPTS    100

static int open_below(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Is it one of ours, and of nobody's who lives? It is locked then. */
static bool is_left(int directory)
{
    struct stat status;

    return fstat(directory, &status) == 0 && status.st_uid == geteuid() &&
           (status.st_mode & 07777) == 0700 && flock(directory, LOCK_EX | LOCK_NB) == 0;
}

/* Is `name` in `parent` still this directory? */
static bool is_still(int directory, int parent, const char *name)
{
    struct stat held;
    struct stat named;

    return fstat(directory, &held) == 0 &&
           fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* Remove its files, or with `judge` only tell whether there are none but a server's. */
static bool walk(int directory, bool judge)
{
    const struct dirent *entry = NULL;
    struct stat status;
    bool fine = true;
    int again = open_below(directory, ".");
    DIR *entries = again < 0 ? NULL : fdopendir(again);

    if (entries == NULL) {
        if (again >= 0) {
            (void)close(again);
        }
        return false;
    }
    while (fine && (entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        fine = strncmp(entry->d_name, FILES, strlen(FILES)) == 0 &&
               fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
               (S_ISSOCK(status.st_mode) || S_ISREG(status.st_mode)) &&
               (judge || unlinkat(directory, entry->d_name, 0) == 0);
    }
    (void)closedir(entries);
    return fine;
}

static void sweep(int parent, const char *prefix)
{
    const struct dirent *entry = NULL;
    int again = open_below(parent, ".");
    DIR *entries = again < 0 ? NULL : fdopendir(again);

    if (entries == NULL) {
        if (again >= 0) {
            (void)close(again);
        }
        return;
    }
    while ((entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            strlen(entry->d_name) != strlen(prefix) + strlen(PLACEHOLDER)) {
            continue;
        }
        int directory = open_below(parent, entry->d_name);
        if (directory < 0) {
            continue;
        }
        if (is_left(directory) && walk(directory, true) && walk(directory, false) &&
            is_still(directory, parent, entry->d_name)) {
            (void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
        }
        (void)close(directory);
    }
    (void)closedir(entries);
}

/* Where the file system knows no locks, nobody sweeps either. */
static bool hold(int directory, int parent, const char *name)
{
    return (flock(directory, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
           is_still(directory, parent, name);
}

int private_directory_make(char *path)
{
    char *const placeholder = path + strlen(path) - strlen(PLACEHOLDER);
    char above[PATH_MAX];
    char prefix[NAME_MAX];
    int directory = -1;

    (void)snprintf(above, sizeof(above), "%.*s", (int)(strrchr(path, '/') - path), path);
    (void)snprintf(prefix, sizeof(prefix), "%.*s",
                   (int)(placeholder - (path + strlen(above) + strlen("/"))),
                   path + strlen(above) + strlen("/"));
    int parent = open(above[0] == '\0' ? "/" : above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) {
        return -1;
    }
    sweep(parent, prefix);
    for (int i = 0; i < ATTEMPTS && directory < 0; i++) {
        memcpy(placeholder, PLACEHOLDER, sizeof(PLACEHOLDER)); /* its end, too */
        if (mkdtemp(path) == NULL) {
            break;
        }
        const char *name = strrchr(path, '/') + 1;
        directory = open_below(parent, name);
        if (directory >= 0 && !hold(directory, parent, name)) {
            (void)close(directory);
            directory = -1;
        }
    }
    int error = errno;
    (void)close(parent);
    errno = error;
    return directory;
}
