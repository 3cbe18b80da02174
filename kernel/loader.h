/*
 * loader.h - from a type's name to checked descriptors in this process.
 *
 * The only home of dlopen. Nothing of a file runs before every check that can be
 * made without running it has passed; nothing is ever unmapped.
 */
#ifndef KERNEL_LOADER_PRIVATE_H
#define KERNEL_LOADER_PRIVATE_H

#include <pthread.h>

#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "log.h"

typedef enum kernel__loader_kind {
    KERNEL__LOADER_PLUGIN,
    KERNEL__LOADER_SERVICE
} kernel__loader_kind_t;

typedef struct kernel__loader kernel__loader_t;

/* NULL + error: no memory, `trust` text not valid. Copies what it needs of the options. */
kernel__loader_t *kernel__loader_new(const kernel_options_t *options, const kernel__log_t *log,
                                     kernel_error_t *error);
void kernel__loader_free(kernel__loader_t *loader);

/* A type that was found. Everything is constant and stays for ever, but `path`, the loader's. */
typedef struct kernel__loaded {
    const kp_plugin *plugin; /* as it stands in the module: mind its size */
    const char *path;        /* "" for a static one */
    uint32_t minor;          /* of the header it was built with */
} kernel__loaded_t;

/* Find, check, load. [thread: any] Rejected files are remembered. */
kernel_status_t kernel__loader_find(kernel__loader_t *loader, kernel__loader_kind_t kind,
                                    const char *type, kernel__loaded_t *loaded_out,
                                    kernel_error_t *error);
/* A rejection that was found later (a broken descriptor). */
void kernel__loader_reject(kernel__loader_t *loader, const char *path, kernel_status_t status,
                           const char *text);
size_t kernel__loader_rejection_count(kernel__loader_t *loader);
const kernel_rejection_t *kernel__loader_rejection_at(kernel__loader_t *loader, size_t index);

/* <prefix>/bin/<name> beside the library, for programs of ours; false if there is none. */
bool kernel__loader_program(const char *name, char *path, size_t size);

#endif /* KERNEL_LOADER_PRIVATE_H */
