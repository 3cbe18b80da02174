/*
 * files.c - everything by open_beneath(), nothing by path.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <alloc.h>
#include <buffer.h>
#include <text.h>

#include "base/beneath.h"

/* A link, and a path through something that is no directory, lead nowhere. */
static int not_found(int error)
{
    return error == ELOOP || error == ENOTDIR || error == EXDEV || error == ENXIO ? ENOENT : error;
}

/* The directory that holds the file. */
static int open_parent(int root, const filename_t *filename)
{
    char path[FILENAME_PATH_MAX];

    if (filename->base == 0) {
        return open_beneath(root, ".", O_RDONLY | O_DIRECTORY, 0);
    }
    (void)snprintf(path, sizeof(path), "%.*s", (int)filename->base - 1, filename->path);
    return open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
}

int files_open(int root, const filename_t *filename, int *file_out, struct stat *status_out)
{
    int file = open_beneath(root, filename->path, O_RDONLY, 0);

    *file_out = -1;
    if (file < 0) {
        return not_found(errno);
    }
    if (fstat(file, status_out) != 0 || !S_ISREG(status_out->st_mode)) {
        (void)close(file);
        return ENOENT;
    }
    *file_out = file;
    return 0;
}

int files_remove(int root, const filename_t *filename)
{
    const char *name = filename->path + filename->base;
    struct stat status;
    int error = 0;
    int directory = open_parent(root, filename);

    if (directory < 0) {
        return not_found(errno);
    }
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        error = not_found(errno);
    } else if (S_ISDIR(status.st_mode)) {
        error = EISDIR;
    } else if (!S_ISREG(status.st_mode)) {
        error = ENOENT;
    } else if (unlinkat(directory, name, 0) != 0) {
        error = errno;
    }
    (void)close(directory);
    return error;
}

/* ---- lists ---- */

/* A name that is not a text cannot be asked for; it can be shown. */
static char *show_name(const char *name)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    bool plain = sk_utf8_is_valid(name, strlen(name), NULL);

    for (const char *at = name; plain && *at != '\0'; at++) {
        plain = (unsigned char)*at >= ' ' && *at != 0x7F &&
                !((unsigned char)*at == 0xC2 && (unsigned char)at[1] < 0xA0);
    }
    if (plain) {
        return sk_strdup(name);
    }
    for (const char *at = name; *at != '\0'; at++) {
        const unsigned char c = (unsigned char)*at;
        if (c < ' ' || c >= 0x7F || c == '%') {
            sk_buffer_appendf(&text, "%%%02X", (unsigned)c);
        } else {
            sk_buffer_append_char(&text, (char)c);
        }
    }
    return sk_buffer_take(&text, NULL);
}

static bool list_add(file_list_t *list, const char *name, const char *path,
                     const struct stat *status)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        file_entry_t *entries = sk_realloc(list->entries, capacity * sizeof(*entries));
        if (entries == NULL) {
            return false;
        }
        list->entries = entries;
        list->capacity = capacity;
    }
    file_entry_t *entry = &list->entries[list->count];
    entry->name = show_name(name);
    entry->directory = *path == '\0' ? sk_strdup(".") : show_name(path);
    entry->size = status->st_size;
    entry->modified = status->st_mtim;
    entry->is_directory = S_ISDIR(status->st_mode);
    list->count++;
    return entry->name != NULL && entry->directory != NULL;
}

static int list_directory(file_list_t *list, int directory, const char *path, int depth);

/* A directory below, if it still is one. */
static int list_below(file_list_t *list, int directory, const char *path, const char *name,
                      int depth)
{
    char below[FILENAME_PATH_MAX];
    int length = snprintf(below, sizeof(below), "%s%s%s", path, *path == '\0' ? "" : "/", name);

    if (length < 0 || (size_t)length >= sizeof(below)) {
        return 0;
    }
    int opened = open_beneath(directory, name, O_RDONLY | O_DIRECTORY, 0);
    return opened < 0 ? 0 : list_directory(list, opened, below, depth - 1);
}

/* Closes the directory. `depth`: how many more levels there may be. */
static int list_directory(file_list_t *list, int directory, const char *path, int depth)
{
    DIR *stream = fdopendir(directory);
    const struct dirent *item = NULL;
    struct stat status;
    int error = 0;

    if (stream == NULL) {
        error = errno;
        (void)close(directory);
        return error;
    }
    while (error == 0 && list->count < FILES_LIST_MAX && (item = readdir(stream)) != NULL) {
        const char *name = item->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            strncmp(name, FILENAME_TEMPORARY, strlen(FILENAME_TEMPORARY)) == 0 ||
            fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))) {
            continue;
        }
        if (!list_add(list, name, path, &status)) {
            error = ENOMEM;
        } else if (S_ISDIR(status.st_mode) && depth > 0) {
            error = list_below(list, dirfd(stream), path, name, depth);
        }
    }
    (void)closedir(stream);
    return error;
}

static int by_place(const void *a, const void *b)
{
    const file_entry_t *left = a;
    const file_entry_t *right = b;
    int order = strcmp(left->directory, right->directory);

    return order != 0 ? order : strcmp(left->name, right->name);
}

int files_list(int root, const filename_t *directory, bool recursive, file_list_t *list)
{
    int opened =
        open_beneath(root, directory->size == 0 ? "." : directory->path, O_RDONLY | O_DIRECTORY, 0);

    if (opened < 0) {
        return not_found(errno);
    }
    int error = list_directory(list, opened, directory->path, recursive ? FILENAME_DEPTH_MAX : 0);
    if (error == 0 && list->count > 0) {
        qsort(list->entries, list->count, sizeof(*list->entries), by_place);
    }
    return error;
}

void file_list_fini(file_list_t *list)
{
    for (size_t i = 0; i < list->count; i++) {
        sk_free(list->entries[i].name);
        sk_free(list->entries[i].directory);
    }
    sk_free(list->entries);
    memset(list, 0, sizeof(*list));
}

/* ---- a file being written ---- */

/* Open one directory, made if it is not there; the descriptor or -1 with errno. */
static int make_directory(int parent, const char *name, uid_t uid, gid_t gid)
{
    bool made = mkdirat(parent, name, 0755) == 0;

    if (!made && errno != EEXIST) {
        return -1;
    }
    int directory = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
    if (directory >= 0 && made && fchown(directory, uid, gid) != 0) {
        int error = errno;
        (void)close(directory);
        errno = error;
        directory = -1;
    }
    return directory;
}

static int make_parent(int root, const filename_t *filename, uid_t uid, gid_t gid)
{
    char name[FILENAME_PART_MAX + 1];
    size_t at = 0;
    int directory = open_beneath(root, ".", O_RDONLY | O_DIRECTORY, 0);

    while (directory >= 0 && at < filename->base) {
        size_t size = strcspn(filename->path + at, "/");
        (void)snprintf(name, sizeof(name), "%.*s", (int)size, filename->path + at);
        int below = make_directory(directory, name, uid, gid);
        int error = errno;
        (void)close(directory);
        errno = error;
        directory = below;
        at += size + 1;
    }
    return directory;
}

int file_put_begin(file_put_t *put, int root, const filename_t *filename, uid_t uid, gid_t gid)
{
    uint64_t random = 0;

    put->directory = make_parent(root, filename, uid, gid);
    if (put->directory < 0) {
        return not_found(errno);
    }
    (void)!getrandom(&random, sizeof(random), 0);
    (void)snprintf(put->temporary, sizeof(put->temporary), FILENAME_TEMPORARY "%016llx",
                   (unsigned long long)random);
    put->file = open_beneath(put->directory, put->temporary, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (put->file < 0 || fchown(put->file, uid, gid) != 0) {
        return errno;
    }
    return 0;
}

int file_put_write(file_put_t *put, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(put->file, data, size);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        data += written < 0 ? 0 : written;
        size -= written < 0 ? 0 : (size_t)written;
    }
    return 0;
}

int file_put_commit(file_put_t *put, const filename_t *filename, struct stat *status_out)
{
    if (fstat(put->file, status_out) != 0 ||
        renameat2(put->directory, put->temporary, put->directory, filename->path + filename->base,
                  0) != 0) {
        return errno;
    }
    put->temporary[0] = '\0';
    return 0;
}

void file_put_fini(file_put_t *put)
{
    if (put->file >= 0) {
        (void)close(put->file);
        if (put->temporary[0] != '\0') {
            (void)unlinkat(put->directory, put->temporary, 0);
        }
    }
    if (put->directory >= 0) {
        (void)close(put->directory);
    }
    put->file = put->directory = -1;
}
