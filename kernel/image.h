/*
 * image.h - mapped code, one image for each version of a file. The only home of
 * dlopen.
 *
 * Images belong to the process, not to a kernel: two kernels that load the same
 * file share one, and none is ever unmapped. When a file was replaced since, the
 * new content becomes a new image beside the old one.
 */
#ifndef KERNEL_IMAGE_PRIVATE_H
#define KERNEL_IMAGE_PRIVATE_H

#include <stddef.h>

#include <kernel/plugin.h>
#include <kernel/status.h>

#include "file_trust.h"

typedef struct kernel__image {
    const char *path; /* constant, for ever */
    kp_entry_fn entry;
} kernel__image_t;

/*
 * Check the note of a trusted file and map it, unless it is mapped already. Runs
 * the file's constructors, if it has any, once every check before has passed.
 *
 * KERNEL_E_ABI        not a plugin, made for another epoch or machine, dlopen refused it, or it has
 *                     no entry
 * KERNEL_E_NO_MEMORY
 *
 * On failure `why` says: which check, what was found, what was expected, what to do.
 */
kernel_status_t kernel__image_load(const kernel__trusted_file_t *file,
                                   const kernel__image_t **image_out, char *why, size_t why_size);

#endif /* KERNEL_IMAGE_PRIVATE_H */
