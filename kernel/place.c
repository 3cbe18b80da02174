/*
 * place.c - asks the dynamic linker which file this code came from.
 */
#include "place.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_trust.h"
#include "loader.h"

static const char here; /* any object of the file that this code is in */

bool kernel__place_of_library(char directory[PATH_MAX])
{
    Dl_info info;
    struct link_map *map = NULL;
    char *slash = NULL;

    if (dladdr1(&here, &info, (void **)&map, RTLD_DL_LINKMAP) == 0) {
        return false;
    }
    /* The program itself has no name there; its own idea of it may be relative. */
    if (realpath(map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe", directory) == NULL) {
        return false;
    }
    slash = strrchr(directory, '/');
    if (slash == directory) {
        slash++;
    }
    *slash = '\0';
    return true;
}

/* Is it a file that may be run, by its rights and by ours? */
static bool is_program(const char *path, char *resolved, size_t size)
{
    kernel__trusted_file_t file;
    char why[512];
    bool fits = false;

    if (access(path, X_OK) != 0 ||
        kernel__file_trust_open(path, &file, why, sizeof(why)) != KERNEL_OK) {
        return false;
    }
    close(file.fd);
    fits = (size_t)snprintf(resolved, size, "%s", file.path) < size;
    return fits;
}

bool kernel__loader_program(const char *name, char *path, size_t size)
{
    /* The second where the libraries have a directory for each machine type. */
    static const char *const from_library[] = {"../bin", "../../bin"};
    char directory[PATH_MAX];
    char candidate[PATH_MAX];

    if (kernel__place_of_library(directory)) {
        for (size_t i = 0; i < sizeof(from_library) / sizeof(from_library[0]); i++) {
            if ((size_t)snprintf(candidate, sizeof(candidate), "%s/%s/%s", directory,
                                 from_library[i], name) < sizeof(candidate) &&
                is_program(candidate, path, size)) {
                return true;
            }
        }
    }
    return (size_t)snprintf(candidate, sizeof(candidate), "%s/%s", SEMKERNEL_BINDIR, name) <
               sizeof(candidate) &&
           is_program(candidate, path, size);
}
