/*
 * directories.c - making them is simple; removing them is not, for what is in
 * them was made by untrusted code.
 *
 * No name of it is ever looked up but below an open descriptor, and no link is
 * followed. A tree can be deeper than a process may have descriptors, so it is
 * not walked down: what is in a directory of the first level moves up to the
 * top, until there is nothing left.
 *
 * A server holds a lock on its directory. One that can be locked is nobody's.
 */
#include "directories.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_PREFIX "semkernel-places-" /* of nothing else: what is not locked is removed */
#define WORKER_NAME "worker.py"

static char base[PLACE_PATH_MAX - 32]; /* "" while there is none */
static int base_directory = -1;        /* holds the lock */

/* ---- removing ---- */

static int open_below(int directory, const char *name)
{
    return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory of the tree's owner, who may have shut everybody out. Nobody is left who could put a
 * link in its place. */
static int open_to_empty(int directory, const char *name)
{
    struct stat status;

    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode) &&
        (status.st_mode & 0700) != 0700) {
        (void)fchmodat(directory, name, 0700, 0);
    }
    return open_below(directory, name);
}

static DIR *open_entries(int directory)
{
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);

    if (entries == NULL && again >= 0) {
        (void)close(again);
    }
    return entries;
}

/* Names at the top that nobody can have foreseen and taken. */
typedef struct new_names {
    uint64_t random;
    unsigned long count;
} new_names_t;

static bool move_up(int directory, const char *name, int top, new_names_t *names)
{
    char new_name[48];
    int moved = open_to_empty(directory, name); /* it must be writable to be moved */

    if (moved >= 0) {
        (void)close(moved);
    }
    (void)snprintf(new_name, sizeof(new_name), ".%016llx-%lu", (unsigned long long)names->random,
                   ++names->count);
    return renameat(directory, name, top, new_name) == 0;
}

/* Remove what is in one directory, or move it to the top; true if there was any of it. */
static bool empty_one(int directory, int top, new_names_t *names)
{
    DIR *entries = open_entries(directory);
    const struct dirent *entry = NULL;
    bool changed = false;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (!is_dot(entry->d_name)) {
            changed = unlinkat(directory, entry->d_name, 0) == 0 ||
                      unlinkat(directory, entry->d_name, AT_REMOVEDIR) == 0 ||
                      move_up(directory, entry->d_name, top, names) || changed;
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return changed;
}

/* Remove what is at the top, as far as that is possible in one pass; true if anything was. */
static bool empty_top(int top, new_names_t *names)
{
    DIR *entries = open_entries(top);
    const struct dirent *entry = NULL;
    bool changed = false;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (is_dot(entry->d_name)) {
            continue;
        }
        if (unlinkat(top, entry->d_name, 0) == 0) {
            changed = true;
            continue;
        }
        int directory = open_to_empty(top, entry->d_name);
        if (directory >= 0) {
            changed = empty_one(directory, top, names) || changed;
            (void)close(directory);
        }
        changed = unlinkat(top, entry->d_name, AT_REMOVEDIR) == 0 || changed;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return changed;
}

static void empty_tree(int top)
{
    new_names_t names = {0, 0};

    (void)!getrandom(&names.random, sizeof(names.random), 0);
    while (empty_top(top, &names)) {
    }
}

static void remove_tree(int parent, const char *name)
{
    int top = open_to_empty(parent, name);

    if (top >= 0) {
        empty_tree(top);
        (void)close(top);
    }
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* ---- the directory of all ---- */

static const char *directory_above(void)
{
    const char *above = getenv("TMPDIR");

    return above != NULL && above[0] == '/' ? above : "/tmp";
}

/* Remove the directories of servers that are gone. */
static void sweep(int above)
{
    int again = openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry = NULL;
    struct stat status;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0) {
            continue;
        }
        int directory = open_below(above, entry->d_name);
        if (directory >= 0 && fstat(directory, &status) == 0 && status.st_uid == geteuid() &&
            flock(directory, LOCK_EX | LOCK_NB) == 0) {
            empty_tree(directory);
            (void)unlinkat(above, entry->d_name, AT_REMOVEDIR);
        }
        if (directory >= 0) {
            (void)close(directory);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

static bool write_program(const void *program, size_t size)
{
    int file = openat(base_directory, WORKER_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    bool written =
        file >= 0 && write(file, program, size) == (ssize_t)size && fchmod(file, 0444) == 0;

    if (file >= 0) {
        (void)close(file);
    }
    return written;
}

/* Make the directory and lock it. Between the two it may be taken for one that is nobody's, and
 * removed. */
static bool make_base(const char *above)
{
    enum { TRIES = 8 };
    struct stat status;

    for (int i = 0; i < TRIES; i++) {
        (void)snprintf(base, sizeof(base), "%s/" NAME_PREFIX "XXXXXX", above);
        if (mkdtemp(base) == NULL) {
            base[0] = '\0';
            return false;
        }
        base_directory = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (base_directory >= 0 && flock(base_directory, LOCK_SH | LOCK_NB) == 0 &&
            fstat(base_directory, &status) == 0 && status.st_nlink > 0) {
            return true;
        }
        directories_close();
    }
    return false;
}

bool directories_open(const void *program, size_t size, failure_t *failure)
{
    const char *above = directory_above();
    int directory = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (directory >= 0) {
        sweep(directory);
        (void)close(directory);
    }
    if (strlen(above) + sizeof(NAME_PREFIX "/XXXXXX") > sizeof(base)) {
        return fail(failure,
                    "cannot keep the sessions' files below %s: the path is too long; set TMPDIR to "
                    "a shorter one",
                    above);
    }
    if (!make_base(above) || !write_program(program, size) ||
        (geteuid() == 0 && fchmod(base_directory, 0711) != 0)) { /* slots have their own users */
        (void)fail(failure,
                   "cannot keep the sessions' files below %s: %s; set TMPDIR to a directory that "
                   "can be written",
                   above, strerror(errno));
        directories_close();
        return false;
    }
    return true;
}

void directories_close(void)
{
    if (base_directory >= 0) {
        empty_tree(base_directory);
        (void)close(base_directory);
        base_directory = -1;
    }
    if (base[0] != '\0') {
        (void)rmdir(base);
        base[0] = '\0';
    }
}

/* ---- a slot's ---- */

static bool make_own(const char *path, const place_t *place)
{
    return mkdir(path, 0700) == 0 && chown(path, place->uid, place->gid) == 0;
}

static void name_places(place_t *place, unsigned number)
{
    (void)snprintf(place->data, sizeof(place->data), "%s/%u/data", base, number);
    (void)snprintf(place->tmp, sizeof(place->tmp), "%s/%u/tmp", base, number);
    (void)snprintf(place->worker, sizeof(place->worker), "%s/" WORKER_NAME, base);
}

bool directories_make(place_t *place, unsigned number, const facility_t *facility,
                      const config_t *config, failure_t *failure)
{
    char name[16];

    place->uid = facility->root ? (uid_t)config->uid_base + number : geteuid();
    place->gid = facility->root ? (gid_t)config->uid_base + number : getegid();
    (void)snprintf(name, sizeof(name), "%u", number);
    name_places(place, number);
    if (mkdirat(base_directory, name, 0711) != 0 || !make_own(place->data, place) ||
        !make_own(place->tmp, place)) {
        (void)fail(failure, "cannot make the directories of slot %u in %s: %s", number, base,
                   strerror(errno));
        remove_tree(base_directory, name);
        return false;
    }
    return true;
}

void directories_remove(const place_t *place)
{
    char name[16];
    const size_t length = strlen(base) + 1;

    (void)snprintf(name, sizeof(name), "%.*s",
                   (int)(strlen(place->data) - strlen("/data") - length), place->data + length);
    remove_tree(base_directory, name);
}
