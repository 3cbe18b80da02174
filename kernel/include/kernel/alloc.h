/*
 * kernel/alloc.h - where the kernel's memory comes from.
 */
#ifndef KERNEL_ALLOC_H
#define KERNEL_ALLOC_H

#include <stddef.h>

#include <kernel/export.h>
#include <kernel/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Obtains memory; NULL when there is none. Called by any thread.
 *
 * [thread: any] [owned: kernel_free_fn of the same allocator]
 */
typedef void *(*kernel_malloc_fn)(size_t size);

/*
 * Resizes memory; the old block stays when the result is NULL.
 *
 * [thread: any] [owned: kernel_free_fn of the same allocator]
 */
typedef void *(*kernel_realloc_fn)(void *memory, size_t size);

/* Gives memory back; NULL is fine. [thread: any] */
typedef void (*kernel_free_fn)(void *memory);

/* The three functions of an allocator; all are required. */
typedef struct kernel_allocator {
    size_t size; /* sizeof(kernel_allocator_t) */
    kernel_malloc_fn malloc_fn;
    kernel_realloc_fn realloc_fn;
    kernel_free_fn free_fn;
} kernel_allocator_t;

/*
 * Choose the allocator of this process's kernels, arguments and results. Once,
 * before the first of them is made. libuv, cJSON and plugins keep their own.
 *
 * KERNEL_E_INVALID  a function is missing
 * KERNEL_E_BUSY     something was allocated before
 *
 * [thread: any]
 */
KERNEL_API kernel_status_t kernel_set_allocator(const kernel_allocator_t *allocator)
    KERNEL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_ALLOC_H */
