/*
 * trust_list.h - which files a host lets in, by their SHA-256:
 *
 *     {"require_hash": true, "sha256": {"math": "9f86d0..."}}
 *
 * A file whose module name (its file name without .so) is listed must have that
 * hash. With require_hash, one that is not listed is refused.
 */
#ifndef KERNEL_TRUST_LIST_PRIVATE_H
#define KERNEL_TRUST_LIST_PRIVATE_H

#include <stddef.h>

#include <kernel/status.h>

typedef struct kernel__trust_list kernel__trust_list_t; /* immutable: any thread */

/* KERNEL_E_INVALID: not such JSON; KERNEL_E_NO_MEMORY. NULL then. */
kernel__trust_list_t *kernel__trust_list_new(const char *json, kernel_error_t *error);
void kernel__trust_list_free(kernel__trust_list_t *list);

/* Judge the open file `fd`, found at `path`. KERNEL_E_DENIED: `why` says found, expected, what to
 * do. `list` NULL: everything is let in. */
kernel_status_t kernel__trust_list_judge(const kernel__trust_list_t *list, const char *path, int fd,
                                         char *why, size_t why_size);

#endif /* KERNEL_TRUST_LIST_PRIVATE_H */
