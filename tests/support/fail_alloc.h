/*
 * fail_alloc.h - make the n-th allocation fail, for every n.
 *
 *     static void arguments(void) { ... use the API; failure is no error here ... }
 *     static void arguments_survive_any_failing_allocation(void)
 *     {
 *         fail_alloc_each(arguments);
 *     }
 *
 * Three functions count the blocks they hand out. They become the kernel's
 * allocator, and cJSON's, where the test also has support/fail_alloc_kernel.c
 * among its SOURCES; the test of a private part installs them itself.
 */
#ifndef SUPPORT_FAIL_ALLOC_H
#define SUPPORT_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *fail_alloc_malloc(size_t size);
void *fail_alloc_realloc(void *memory, size_t size);
void fail_alloc_free(void *memory);

/* What fails: the n-th allocation from now on (1: the next) and no other, or it
 * and all that follow it. */
typedef enum fail_alloc_mode { FAIL_ALLOC_ONE, FAIL_ALLOC_REST } fail_alloc_mode_t;

/* Begin to count. n 0: nothing fails. */
void fail_alloc_at(size_t n, fail_alloc_mode_t mode);

/* Has an allocation failed since fail_alloc_at()? */
bool fail_alloc_happened(void);

/* Blocks that were handed out and not given back. */
size_t fail_alloc_live(void);

/* Run `body` with n = 1, 2, ... in both modes, until nothing fails any more. Fails the
 * test if a run leaves a block behind, or if `body` allocates nothing at all. */
void fail_alloc_each(void (*body)(void));

#endif /* SUPPORT_FAIL_ALLOC_H */
