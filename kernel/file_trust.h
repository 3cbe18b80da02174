/*
 * file_trust.h - may what stands in this file be run? Only if nobody but root and
 * the effective user can change it, or put another in its place.
 *
 * The file and the directory that it is in must belong to root or the effective
 * user. Neither these two nor any directory above them, nor one that a symbolic
 * link on the way leads through, may be writable by others; a sticky one (/tmp)
 * may, if the entry below it is root's or the effective user's. Writable by a
 * group counts for root and for set-id programs only.
 */
#ifndef KERNEL_FILE_TRUST_PRIVATE_H
#define KERNEL_FILE_TRUST_PRIVATE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include <kernel/status.h>

typedef struct kernel__file_trust_user {
    uid_t uid;      /* effective */
    bool is_strict; /* root, or a set-id program */
} kernel__file_trust_user_t;

typedef enum kernel__file_role {
    KERNEL__FILE_ITSELF,
    KERNEL__FILE_DIRECTORY, /* the one that it is in */
    KERNEL__FILE_ABOVE      /* a directory or a symbolic link on the way there */
} kernel__file_role_t;

/*
 * Judge one entry; `parent` NULL: it is the root directory. Writes to `why` what
 * was found, what was expected, and what to do about `path`.
 */
bool kernel__file_trust_judge(const kernel__file_trust_user_t *user, kernel__file_role_t role,
                              const char *path, const struct stat *entry, const struct stat *parent,
                              char *why, size_t why_size);

typedef struct kernel__trusted_file {
    int fd; /* for reading; the caller's to close */
    struct stat stat;
    char path[PATH_MAX]; /* without symbolic links */
} kernel__trusted_file_t;

/*
 * Check the way to a file, and open it.
 *
 * KERNEL_E_NOT_FOUND  there is no such file
 * KERNEL_E_DENIED     it is not trusted, or this process may not read it
 * KERNEL_E_INVALID    `path` is not absolute, or what is there is no regular file
 * KERNEL_E_LIMIT      too long, too many links, too many open files
 *
 * On failure `fd` is -1 and `why` says: which check, what was found, what was expected, what to do.
 */
kernel_status_t kernel__file_trust_open(const char *path, kernel__trusted_file_t *file_out,
                                        char *why, size_t why_size);

#endif /* KERNEL_FILE_TRUST_PRIVATE_H */
