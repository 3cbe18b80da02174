/*
 * beneath.c - openat2 with every restriction, and a walk where there is none.
 *
 * Linux has it from 5.6 on; a container's system call filter may be older. The
 * walk holds a descriptor of each directory on the way, so a rename can make it
 * fail, but not lead it elsewhere.
 */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALWAYS    (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#define NAME_SIZE 256

static void close_quietly(int file)
{
    const int error = errno;

    (void)close(file);
    errno = error;
}

/* One step down; -1 also if it leaves the file system of `device`. */
static int step(int directory, const char *name, int flags, unsigned mode, dev_t device)
{
    struct stat status;
    int file = openat(directory, name, flags | ALWAYS, mode);

    if (file >= 0 && (fstat(file, &status) != 0 || status.st_dev != device)) {
        (void)close(file);
        errno = EXDEV;
        return -1;
    }
    return file;
}

/* The next name of the path, moved over; false if it is too long. */
static bool take_name(const char **path, char name[NAME_SIZE])
{
    const size_t length = strcspn(*path, "/");

    if (length >= NAME_SIZE) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(name, *path, length);
    name[length] = '\0';
    *path += length;
    *path += strspn(*path, "/");
    return true;
}

static int walk(int directory, const char *path, int flags, unsigned mode)
{
    char name[NAME_SIZE];
    struct stat root;
    int at = directory;

    if (fstat(directory, &root) != 0) {
        return -1;
    }
    for (;;) {
        int next = -1;
        if (!take_name(&path, name)) {
            next = -1;
        } else if (*name == '\0' || strcmp(name, "..") == 0) {
            errno = EXDEV; /* from the root, or up */
        } else if (*path != '\0') {
            next = step(at, name, O_PATH | O_DIRECTORY, 0, root.st_dev);
        } else {
            next = step(at, name, flags, mode, root.st_dev);
        }
        if (at != directory) {
            close_quietly(at);
        }
        if (next < 0 || *path == '\0') {
            return next;
        }
        at = next;
    }
}

int open_beneath(int directory, const char *path, int flags, unsigned mode)
{
    const struct open_how how = {.flags = (unsigned)(flags | ALWAYS),
                                 .mode = mode,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                            RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    const int file = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));

    return file < 0 && errno == ENOSYS ? walk(directory, path, flags, mode) : file;
}
