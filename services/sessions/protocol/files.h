/*
 * files.h - a session's files, from outside.
 *
 * Code in the session can rename, replace and link whatever is there at any time.
 * So every access begins at the descriptor of the session's directory, follows no
 * link and leaves no file system, and what was opened is looked at before it is
 * used. All of it blocks: only in jobs of the thread pool. Answers are 0 or an
 * errno.
 */
#ifndef SESSIONS_FILES_PRIVATE_H
#define SESSIONS_FILES_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "filename.h"

#define FILES_LIST_MAX 10000

/* ---- one file ---- */

/* Open a regular file; ENOENT also for what is none. */
int files_open(int root, const filename_t *filename, int *file_out, struct stat *status_out);
/* EISDIR for a directory, ENOENT for all else that is no regular file. */
int files_remove(int root, const filename_t *filename);

/* ---- a list ---- */

typedef struct file_entry {
    char *name;      /* UTF-8; what is none, or has control characters, percent-encoded */
    char *directory; /* "." or its path */
    int64_t size;
    struct timespec modified;
    bool is_directory;
} file_entry_t;

typedef struct file_list {
    file_entry_t *entries; /* by directory and name */
    size_t count;
    size_t capacity;
} file_list_t;

/* The first FILES_LIST_MAX files and directories there, `recursive` with those below. */
int files_list(int root, const filename_t *directory, bool recursive, file_list_t *list);
void file_list_fini(file_list_t *list);

/* ---- a file being written ---- */

typedef struct file_put {
    int directory; /* -1: not begun */
    int file;
    char temporary[40];
} file_put_t;

#define FILE_PUT_INIT                                                                              \
    {                                                                                              \
        -1, -1, ""                                                                                 \
    }

/* Begin under another name in the file's directory, which is made if need be. */
int file_put_begin(file_put_t *put, int root, const filename_t *filename, uid_t uid, gid_t gid);
int file_put_write(file_put_t *put, const char *data, size_t size);
/* Give it its name, in place of what has that name now. */
int file_put_commit(file_put_t *put, const filename_t *filename, struct stat *status_out);
/* Take it away again if it has no name yet; ends a committed one, too. */
void file_put_fini(file_put_t *put);

#endif /* SESSIONS_FILES_PRIVATE_H */
