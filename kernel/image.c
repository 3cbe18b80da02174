/*
 * image.c - from a trusted file to mapped code.
 *
 *     kernel__image_load   is it mapped already? else
 *     image_copy           a private copy, if an older version of it is mapped
 *     image_check_note     what can be known without running it
 *     image_map            dlopen, dlsym
 *     image_explain        what dlopen's complaint means
 *     image_check_entry    is the function there?
 */
#include "image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "alloc.h"
#include "elf_note.h"
#include "forked.h"

#define ENTRY_NAME "kernel_plugin_v1"

typedef struct image {
    kernel__image_t public;
    struct image *next;
    char *path; /* owned */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
    unsigned generation; /* 0: mapped from its path, else the n-th copy */
} image_t;

static pthread_mutex_t images_lock = PTHREAD_MUTEX_INITIALIZER;
static image_t *images; /* under the lock; the newest first */

static kernel_status_t image_copy(const kernel__trusted_file_t *file, int *fd_out, char *why,
                                  size_t why_size);
static kernel_status_t image_check_note(const kernel__trusted_file_t *file, int fd, char *why,
                                        size_t why_size);
static kernel_status_t image_map(image_t *image, int copy, char *why, size_t why_size);
static kernel_status_t image_check_entry(const image_t *image, char *why, size_t why_size);
static void image_explain(const char *path, const char *complaint, char *why, size_t why_size);

void kernel__image_after_fork(void)
{
    (void)pthread_mutex_init(&images_lock, NULL);
}

static bool image_is(const image_t *image, const struct stat *stat)
{
    return image->device == stat->st_dev && image->inode == stat->st_ino &&
           image->size == stat->st_size && image->changed.tv_sec == stat->st_mtim.tv_sec &&
           image->changed.tv_nsec == stat->st_mtim.tv_nsec;
}

/* dlopen would take the file for this image: it has its name, or is the same file rewritten. */
static bool image_hides(const image_t *image, const kernel__trusted_file_t *file)
{
    return (image->device == file->stat.st_dev && image->inode == file->stat.st_ino) ||
           strcmp(image->path, file->path) == 0;
}

/* Only of one that was never mapped. */
static void image_free(image_t *image)
{
    if (image == NULL) {
        return;
    }
    sk_free(image->path);
    sk_free(image);
}

static image_t *image_new(const kernel__trusted_file_t *file, unsigned generation)
{
    image_t *image = sk_calloc(1, sizeof(*image));

    if (image == NULL) {
        return NULL;
    }
    image->path = sk_strdup(file->path);
    if (image->path == NULL) {
        image_free(image);
        return NULL;
    }
    image->public.path = image->path;
    image->device = file->stat.st_dev;
    image->inode = file->stat.st_ino;
    image->size = file->stat.st_size;
    image->changed = file->stat.st_mtim;
    image->generation = generation;
    return image;
}

static kernel_status_t image_add(const kernel__trusted_file_t *file, unsigned generation,
                                 image_t **image_out, char *why, size_t why_size)
{
    image_t *image = NULL;
    int copy = -1;
    kernel_status_t status = KERNEL_OK;

    if (generation > 0) {
        status = image_copy(file, &copy, why, why_size);
    }
    if (status == KERNEL_OK) {
        status = image_check_note(file, copy >= 0 ? copy : file->fd, why, why_size);
    }
    if (status == KERNEL_OK) {
        image = image_new(file, generation);
        if (image == NULL) {
            snprintf(why, why_size, "memory ran out");
            status = KERNEL_E_NO_MEMORY;
        }
    }
    if (status == KERNEL_OK) {
        status = image_map(image, copy, why, why_size);
    }
    if (copy >= 0) {
        close(copy);
    }
    if (status != KERNEL_OK) {
        image_free(image);
        return status;
    }
    image->next = images;
    images = image;
    *image_out = image;
    return KERNEL_OK;
}

kernel_status_t kernel__image_load(const kernel__trusted_file_t *file,
                                   const kernel__image_t **image_out, char *why, size_t why_size)
{
    image_t *found = NULL;
    unsigned generation = 0;
    kernel_status_t status = KERNEL_OK;

    *image_out = NULL;
    /* Held while constructors run: two threads must not map two copies. */
    pthread_mutex_lock(&images_lock);
    for (image_t *image = images; image != NULL && found == NULL; image = image->next) {
        if (image_is(image, &file->stat)) {
            found = image;
        } else if (image_hides(image, file) && image->generation >= generation) {
            generation = image->generation + 1;
        }
    }
    if (found == NULL) {
        status = image_add(file, generation, &found, why, why_size);
    }
    pthread_mutex_unlock(&images_lock);
    if (status == KERNEL_OK) {
        status = image_check_entry(found, why, why_size);
    }
    *image_out = status == KERNEL_OK ? &found->public : NULL;
    return status;
}

/* In memory, sealed: nobody can change it any more, nothing is left behind on a disk. */
static kernel_status_t image_copy(const kernel__trusted_file_t *file, int *fd_out, char *why,
                                  size_t why_size)
{
    int fd = memfd_create(strrchr(file->path, '/') + 1, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    off_t offset = 0;

    *fd_out = fd;
    while (fd >= 0 && offset < file->stat.st_size) {
        ssize_t sent = sendfile(fd, file->fd, &offset, (size_t)(file->stat.st_size - offset));

        if (sent == 0) {
            errno = EIO; /* it has become shorter meanwhile */
        }
        if (sent <= 0 && errno != EINTR) {
            break;
        }
    }
    if (fd < 0 || offset < file->stat.st_size ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        snprintf(why, why_size,
                 "%s was replaced after it was loaded, and the copy from which the new version "
                 "would be mapped cannot be made: %s; start the program again",
                 file->path, strerror(errno));
        return KERNEL_E_UNAVAILABLE;
    }
    return KERNEL_OK;
}

static kernel_status_t image_check_note(const kernel__trusted_file_t *file, int fd, char *why,
                                        size_t why_size)
{
    static const char *const advice[] = {
        [KERNEL__ELF_NOT_ELF] = "give the file that the build of the plugin made",
        [KERNEL__ELF_FOREIGN] = "build the plugin for this machine",
        [KERNEL__ELF_NOT_SHARED] =
            "link the plugin with -shared, or use kernel_add_plugin() of CMake",
        [KERNEL__ELF_DAMAGED] = "copy or build it again",
        [KERNEL__ELF_NO_NOTE] =
            "put KP_PLUGIN or KP_MODULE at the end of one of its sources, or give "
            "another file",
        [KERNEL__ELF_UNREADABLE] = "look at the disk it is on",
    };
    kernel__elf_note_t note;
    kernel__elf_verdict_t verdict = kernel__elf_note_read(fd, (uint64_t)file->stat.st_size, &note);

    if (verdict != KERNEL__ELF_PLUGIN) {
        snprintf(why, why_size,
                 "%s is no kernel plugin: found %s, expected a plugin's shared object: %s",
                 file->path, note.found, advice[verdict]);
    } else if (note.epoch != KP_EPOCH) {
        snprintf(why, why_size,
                 "%s is of plugin epoch %u, expected epoch %u: get a build of it for this epoch",
                 file->path, note.epoch, KP_EPOCH);
    } else if (note.needs_minor > KP_MINOR) {
        snprintf(why, why_size,
                 "%s needs version %u.%u of the plugin interface, this kernel has %u.%u: update "
                 "the kernel, or get an older build of the plugin",
                 file->path, note.epoch, note.needs_minor, KP_EPOCH, KP_MINOR);
    } else if (note.pointer_size != sizeof(void *)) {
        snprintf(why, why_size,
                 "%s was built with pointers of %u bytes, expected %zu: build the plugin for this "
                 "machine",
                 file->path, note.pointer_size, sizeof(void *));
    } else {
        return KERNEL_OK;
    }
    return KERNEL_E_ABI;
}

/*
 * The linker takes two files of one name for the same, and the numbers of
 * descriptors come again. So the name of a copy tells its generation, too, in
 * steps that lead nowhere: each bit is "./" or ".//".
 */
static void image_name_copy(unsigned generation, int copy, char *name, size_t size)
{
    size_t length = (size_t)snprintf(name, size, "/proc/self/fd/");

    for (unsigned left = generation; left > 0; left >>= 1) {
        length +=
            (size_t)snprintf(name + length, size - length, "%s", left % 2 == 0 ? "./" : ".//");
    }
    snprintf(name + length, size - length, "%d", copy);
}

static kernel_status_t image_map(image_t *image, int copy, char *why, size_t why_size)
{
    char copy_name[160]; /* three bytes for each bit of a generation */
    const char *name = image->path;
    void *handle = NULL;
    void *entry = NULL;

    if (copy >= 0) {
        image_name_copy(image->generation, copy, copy_name, sizeof(copy_name));
        name = copy_name;
    }
    handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        image_explain(image->path, dlerror(), why, why_size);
        return KERNEL_E_ABI;
    }
    entry = dlsym(handle, ENTRY_NAME);
    memcpy(&image->public.entry, &entry, sizeof(entry));
    return KERNEL_OK;
}

/* Such an image is kept, too: its name is taken, the mended file needs another one. */
static kernel_status_t image_check_entry(const image_t *image, char *why, size_t why_size)
{
    if (image->public.entry == NULL) {
        snprintf(why, why_size,
                 "%s has the note of a plugin, but exports no function " ENTRY_NAME
                 ": put KP_PLUGIN or KP_MODULE into one of its sources, and do not hide that "
                 "function",
                 image->path);
        return KERNEL_E_ABI;
    }
    return KERNEL_OK;
}

/* Begins with the name that dlopen was given, or with the library that it cannot find. */
static void image_explain(const char *path, const char *complaint, char *why, size_t why_size)
{
    static const char undefined[] = "undefined symbol: ";
    static const char missing[] = ": cannot open shared object file";
    const char *symbol = strstr(complaint, undefined);
    const char *library = strstr(complaint, missing);
    const char *reason = strstr(complaint, ": ");

    if (symbol != NULL) {
        symbol += strlen(undefined);
        snprintf(why, why_size,
                 "%s needs the symbol %.*s, which none of the libraries it was linked with has: "
                 "link it with the one that does (LIBS of kernel_add_plugin() in CMake)",
                 path, (int)strcspn(symbol, ", "), symbol);
    } else if (library != NULL) {
        snprintf(why, why_size,
                 "%s needs the library %.*s, which is not found: install it, or link the plugin "
                 "with a run path that leads to it",
                 path, (int)(library - complaint), complaint);
    } else {
        snprintf(why, why_size, "%s cannot be mapped: %s", path,
                 reason != NULL ? reason + 2 : complaint);
    }
}
