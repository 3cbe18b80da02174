/*
 * rejections.h - the files that were looked at and not loaded, and why.
 */
#ifndef KERNEL_REJECTIONS_PRIVATE_H
#define KERNEL_REJECTIONS_PRIVATE_H

#include <pthread.h>
#include <stddef.h>

#include <kernel/plugins.h>

typedef struct kernel__rejections { /* any thread */
    pthread_mutex_t lock;
    struct kernel__rejection *first;
    struct kernel__rejection **last;
    size_t count;
} kernel__rejections_t;

void kernel__rejections_init(kernel__rejections_t *rejections);
void kernel__rejections_fini(kernel__rejections_t *rejections);

/* Remember one, unless it is known or memory is out. */
void kernel__rejections_add(kernel__rejections_t *rejections, const char *path,
                            kernel_status_t status, const char *text);
size_t kernel__rejections_count(kernel__rejections_t *rejections);
/* In the order of adding; NULL beyond the end. Stays as it is until fini. */
const kernel_rejection_t *kernel__rejections_at(kernel__rejections_t *rejections, size_t index);

#endif /* KERNEL_REJECTIONS_PRIVATE_H */
