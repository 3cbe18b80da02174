/*
 * filename.h - names of files and directories as requests may give them.
 *
 * A path that comes out of here is relative to the session's directory, has no
 * empty, "." or ".." segment and no control character. It is still only a text:
 * what it leads to is decided when it is opened.
 */
#ifndef SESSIONS_FILENAME_PRIVATE_H
#define SESSIONS_FILENAME_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#define FILENAME_PATH_MAX  4096 /* with the NUL */
#define FILENAME_PART_MAX  255
#define FILENAME_DEPTH_MAX 32

/* Names that an upload has before it is whole. */
#define FILENAME_TEMPORARY ".semkernel-up-"

typedef struct filename {
    char path[FILENAME_PATH_MAX]; /* "": the session's directory itself */
    size_t size;
    size_t base; /* where the last segment begins */
} filename_t;

typedef enum filename_fault {
    FILENAME_OK,
    FILENAME_WRONG_DIRECTORY,
    FILENAME_WRONG_FILE
} filename_fault_t;

typedef enum filename_use {
    FILENAME_READ, /* whatever code in the session may have called it */
    FILENAME_WRITE /* the characters that the service allows */
} filename_use_t;

/* A directory: "", ".", or a path relative to /mnt/data or below it. */
filename_fault_t filename_read_directory(filename_t *filename, const char *text);
/* A file, its segments parted by slashes, below the directory read before. */
filename_fault_t filename_read_file(filename_t *filename, const char *text, size_t size,
                                    filename_use_t use);

#endif /* SESSIONS_FILENAME_PRIVATE_H */
