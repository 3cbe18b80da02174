/*
 * alloc.h - where the memory of a binary of ours comes from.
 *
 * The one place that names malloc: the kernel puts its host's allocator here,
 * a test one that fails. Foundation is linked hidden into each binary, so each
 * has its own.
 */
#ifndef SK_ALLOC_H
#define SK_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sk_allocator {
    void *(*malloc_fn)(size_t size);
    void *(*realloc_fn)(void *memory, size_t size);
    void (*free_fn)(void *memory);
} sk_allocator_t;

/* Replace the allocator; NULL brings back the C library's. Only before the
 * first allocation, or with nothing allocated. */
void sk_set_allocator(const sk_allocator_t *allocator);

/* Has anything been asked of the allocator, ever? */
bool sk_allocator_is_used(void);

void *sk_malloc(size_t size);
/* Zeroed; NULL also when count * size overflows. */
void *sk_calloc(size_t count, size_t size);
void *sk_realloc(void *memory, size_t size);
void sk_free(void *memory);

/* Copies with a NUL behind the last byte; NULL for NULL and when memory is out. */
char *sk_strdup(const char *text);
char *sk_memdup(const void *data, size_t size);

/* Overwrite a secret so that the compiler cannot leave it out. */
void sk_wipe(void *memory, size_t size);

#endif /* SK_ALLOC_H */
