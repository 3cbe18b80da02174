/*
 * alloc.c - the host's allocator in the place of the C library's.
 */
#include "alloc.h"

#include <kernel/alloc.h>

kernel_status_t kernel_set_allocator(const kernel_allocator_t *allocator)
{
    sk_allocator_t chosen;

    if (allocator == NULL || allocator->size < sizeof(*allocator) || allocator->malloc_fn == NULL ||
        allocator->realloc_fn == NULL || allocator->free_fn == NULL) {
        return KERNEL_E_INVALID;
    }
    if (sk_allocator_is_used()) {
        return KERNEL_E_BUSY;
    }
    chosen.malloc_fn = allocator->malloc_fn;
    chosen.realloc_fn = allocator->realloc_fn;
    chosen.free_fn = allocator->free_fn;
    sk_set_allocator(&chosen);
    return KERNEL_OK;
}
