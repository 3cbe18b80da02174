/*
 * files.h - temporary directories and files for tests, and tests as a user who is
 * not root. A failure here fails the test.
 */
#ifndef SUPPORT_FILES_H
#define SUPPORT_FILES_H

#include <limits.h>
#include <stddef.h>

typedef struct file_path {
    char text[PATH_MAX];
} file_path_t;

/* A new directory of mode 0700, in /tmp. */
file_path_t temp_dir_new(void);
/* Remove it with all that is in it. */
void temp_dir_free(const file_path_t *directory);

/* directory/name */
file_path_t file_in(const char *directory, const char *name);
/* Write a new file, or over an old one, with mode 0644. */
void file_write(const char *path, const void *data, size_t size);
/* The content with a NUL behind it, for free(). `size_out` may be NULL. */
char *file_read(const char *path, size_t *size_out);
/* Put a copy in the place of whatever is there, under a new inode. */
void file_copy(const char *from, const char *to);

/* Run `body` as somebody who is not root, in a process of its own if need be. Skips the test where
 * that is not possible. */
void as_ordinary_user(void (*body)(void));

#endif /* SUPPORT_FILES_H */
