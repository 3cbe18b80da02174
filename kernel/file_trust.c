/*
 * file_trust.c - walks from the root to a file and judges each step.
 *
 *     kernel__file_trust_open   one component after the other, then the file
 *     walk_next                 take the next component off the rest
 *     walk_step                 look at it: directory, link, or the end
 *     walk_follow               a link: its target comes before the rest
 *     walk_finish               open what is there and judge it
 */
#include "file_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define MAX_LINKS 40 /* as many as the system follows */

typedef struct walk {
    const kernel__file_trust_user_t *user;
    char done[PATH_MAX]; /* judged, free of links; "" is the root */
    char rest[PATH_MAX]; /* still to go */
    char name[NAME_MAX + 1];
    struct stat parent; /* of `done` */
    int link_count;
    char *why;
    size_t why_size;
} walk_t;

static kernel_status_t walk_next(walk_t *walk);
static kernel_status_t walk_step(walk_t *walk, bool *at_end_out);
static kernel_status_t walk_follow(walk_t *walk, const char *path);
static kernel_status_t walk_finish(walk_t *walk, kernel__trusted_file_t *file);

static kernel_status_t walk_refuse(walk_t *walk, kernel_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static kernel_status_t walk_refuse(walk_t *walk, kernel_status_t status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(walk->why, walk->why_size, format, arguments);
    va_end(arguments);
    return status;
}

static kernel_status_t walk_refuse_errno(walk_t *walk, const char *path)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return walk_refuse(walk, KERNEL_E_NOT_FOUND, "there is no file %s", path);
    case EACCES:
    case EPERM:
        return walk_refuse(walk, KERNEL_E_DENIED,
                           "user %u may not read %s: permit it, or run as another user",
                           (unsigned)walk->user->uid, path);
    case ENOMEM:
        return walk_refuse(walk, KERNEL_E_NO_MEMORY, "cannot open %s: memory ran out", path);
    default:
        return walk_refuse(walk, KERNEL_E_LIMIT, "cannot open %s: %s", path, strerror(errno));
    }
}

static kernel__file_trust_user_t current_user(void)
{
    kernel__file_trust_user_t user = {.uid = geteuid()};

    user.is_strict = user.uid == 0 || getauxval(AT_SECURE) != 0;
    return user;
}

static bool is_ours(const kernel__file_trust_user_t *user, const struct stat *entry)
{
    return entry->st_uid == 0 || entry->st_uid == user->uid;
}

/* The permission that lets strangers write, 0 if there is none that counts. */
static mode_t stranger_writes(const kernel__file_trust_user_t *user, const struct stat *entry)
{
    if (S_ISLNK(entry->st_mode)) {
        return 0; /* of a link the mode means nothing */
    }
    if ((entry->st_mode & S_IWOTH) != 0) {
        return S_IWOTH;
    }
    return user->is_strict ? entry->st_mode & S_IWGRP : 0;
}

bool kernel__file_trust_judge(const kernel__file_trust_user_t *user, kernel__file_role_t role,
                              const char *path, const struct stat *entry, const struct stat *parent,
                              char *why, size_t why_size)
{
    mode_t writes = stranger_writes(user, entry);
    bool is_shared = parent != NULL && stranger_writes(user, parent) != 0;

    if (is_shared && !is_ours(user, entry)) {
        snprintf(why, why_size,
                 "%s belongs to user %u and lies in a directory that others can write, expected "
                 "root or user %u as its owner: move the plugin to a directory of your own",
                 path, (unsigned)entry->st_uid, (unsigned)user->uid);
        return false;
    }
    if (role != KERNEL__FILE_ABOVE && !is_ours(user, entry)) {
        snprintf(why, why_size,
                 "%s belongs to user %u, expected root or user %u: change its owner, or copy the "
                 "plugin to a directory of your own",
                 path, (unsigned)entry->st_uid, (unsigned)user->uid);
        return false;
    }
    if (writes != 0 && S_ISDIR(entry->st_mode) && (entry->st_mode & S_ISVTX) != 0) {
        return true; /* what is below it is judged by its owner */
    }
    if (writes == S_IWOTH) {
        snprintf(why, why_size,
                 "%s can be written by every user (mode %04o), expected by its owner alone: "
                 "chmod o-w %s",
                 path, (unsigned)(entry->st_mode & 07777), path);
        return false;
    }
    if (writes != 0) {
        snprintf(why, why_size,
                 "%s can be written by group %u (mode %04o), expected by its owner alone, since "
                 "this program runs %s: chmod g-w %s",
                 path, (unsigned)entry->st_gid, (unsigned)(entry->st_mode & 07777),
                 user->uid == 0 ? "as root" : "with the rights of its file", path);
        return false;
    }
    return true;
}

static kernel_status_t walk_judge(walk_t *walk, kernel__file_role_t role, const char *path,
                                  const struct stat *entry, const struct stat *parent)
{
    return kernel__file_trust_judge(walk->user, role, path, entry, parent, walk->why,
                                    walk->why_size)
               ? KERNEL_OK
               : KERNEL_E_DENIED;
}

kernel_status_t kernel__file_trust_open(const char *path, kernel__trusted_file_t *file_out,
                                        char *why, size_t why_size)
{
    kernel__file_trust_user_t user = current_user();
    walk_t walk = {.user = &user, .why = why, .why_size = why_size};
    kernel_status_t status = KERNEL_OK;
    bool at_end = false;

    file_out->fd = -1;
    file_out->path[0] = '\0';
    if (path[0] != '/') {
        return walk_refuse(&walk, KERNEL_E_INVALID, "'%s' is relative, expected an absolute path",
                           path);
    }
    if (strlen(path) >= sizeof(walk.rest)) {
        return walk_refuse(&walk, KERNEL_E_LIMIT,
                           "a path of %zu bytes is too long, at most %zu fit", strlen(path),
                           sizeof(walk.rest) - 1);
    }
    memcpy(walk.rest, path, strlen(path) + 1);
    if (stat("/", &walk.parent) != 0) {
        return walk_refuse_errno(&walk, "/");
    }
    status = walk_judge(&walk, KERNEL__FILE_ABOVE, "/", &walk.parent, NULL);
    while (status == KERNEL_OK && !at_end) {
        status = walk_next(&walk);
        if (status == KERNEL_OK) {
            status = walk_step(&walk, &at_end);
        }
    }
    return status == KERNEL_OK ? walk_finish(&walk, file_out) : status;
}

/* "" in `name`: nothing is left. */
static kernel_status_t walk_next(walk_t *walk)
{
    const char *begin = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(begin, "/");

    if (length > NAME_MAX) {
        return walk_refuse(walk, KERNEL_E_LIMIT, "a file name of %zu bytes is too long", length);
    }
    memcpy(walk->name, begin, length);
    walk->name[length] = '\0';
    memmove(walk->rest, begin + length, strlen(begin + length) + 1);
    return KERNEL_OK;
}

static kernel_status_t walk_up(walk_t *walk)
{
    char *slash = strrchr(walk->done, '/');

    if (slash != NULL) {
        *slash = '\0';
    }
    if (stat(walk->done[0] != '\0' ? walk->done : "/", &walk->parent) != 0) {
        return walk_refuse_errno(walk, walk->done);
    }
    return KERNEL_OK;
}

static kernel_status_t walk_step(walk_t *walk, bool *at_end_out)
{
    char path[PATH_MAX];
    struct stat entry;
    kernel_status_t status = KERNEL_OK;

    if (walk->name[0] == '\0') {
        return walk_refuse(walk, KERNEL_E_INVALID, "%s is a directory, expected a file",
                           walk->done[0] != '\0' ? walk->done : "/");
    }
    if (strcmp(walk->name, ".") == 0) {
        return KERNEL_OK;
    }
    if (strcmp(walk->name, "..") == 0) {
        return walk_up(walk);
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", walk->done, walk->name) >= sizeof(path)) {
        return walk_refuse(walk, KERNEL_E_LIMIT, "the path to %s becomes too long", walk->name);
    }
    if (lstat(path, &entry) != 0) {
        return walk_refuse_errno(walk, path);
    }
    if (S_ISLNK(entry.st_mode)) {
        status = walk_judge(walk, KERNEL__FILE_ABOVE, path, &entry, &walk->parent);
        return status == KERNEL_OK ? walk_follow(walk, path) : status;
    }
    if (S_ISDIR(entry.st_mode)) {
        status = walk_judge(walk, KERNEL__FILE_ABOVE, path, &entry, &walk->parent);
        memcpy(walk->done, path, sizeof(path));
        walk->parent = entry;
        return status;
    }
    if (walk->rest[strspn(walk->rest, "/")] != '\0') {
        return walk_refuse(walk, KERNEL_E_NOT_FOUND,
                           "there is no file below %s, which is no directory", path);
    }
    if (!S_ISREG(entry.st_mode)) {
        return walk_refuse(walk, KERNEL_E_INVALID,
                           "%s is a device, pipe or socket, expected a regular file", path);
    }
    memcpy(walk->done, path, sizeof(path));
    *at_end_out = true;
    return KERNEL_OK;
}

static kernel_status_t walk_follow(walk_t *walk, const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    size_t rest = strlen(walk->rest);

    if (length < 0) {
        return walk_refuse_errno(walk, path);
    }
    if (++walk->link_count > MAX_LINKS) {
        return walk_refuse(walk, KERNEL_E_LIMIT, "more than %d symbolic links, the last one %s",
                           MAX_LINKS, path);
    }
    if ((size_t)length + 1 + rest >= sizeof(walk->rest)) {
        return walk_refuse(walk, KERNEL_E_LIMIT, "the path behind the link %s is too long", path);
    }
    memmove(walk->rest + length + 1, walk->rest, rest + 1);
    memcpy(walk->rest, target, (size_t)length);
    walk->rest[length] = '/';
    if (target[0] == '/') {
        walk->done[0] = '\0';
        if (stat("/", &walk->parent) != 0) {
            return walk_refuse_errno(walk, "/");
        }
    }
    return KERNEL_OK;
}

static kernel_status_t walk_finish(walk_t *walk, kernel__trusted_file_t *file)
{
    char *slash = strrchr(walk->done, '/');
    kernel_status_t status = KERNEL_OK;
    /* Not blocking: in the meantime it may have become a pipe. */
    int fd = open(walk->done, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return walk_refuse_errno(walk, walk->done);
    }
    if (fstat(fd, &file->stat) != 0 || !S_ISREG(file->stat.st_mode)) {
        status = walk_refuse(walk, KERNEL_E_INVALID, "%s is no regular file any more", walk->done);
    }
    if (status == KERNEL_OK) {
        status = walk_judge(walk, KERNEL__FILE_ITSELF, walk->done, &file->stat, &walk->parent);
    }
    memcpy(file->path, walk->done, sizeof(file->path));
    if (status == KERNEL_OK) {
        *slash = '\0';
        status = walk_judge(walk, KERNEL__FILE_DIRECTORY, walk->done[0] != '\0' ? walk->done : "/",
                            &walk->parent, NULL);
    }
    if (status != KERNEL_OK) {
        close(fd);
        return status;
    }
    file->fd = fd;
    return KERNEL_OK;
}
