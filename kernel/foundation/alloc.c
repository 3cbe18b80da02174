/*
 * alloc.c - the replaceable allocator and copies made with it.
 */
#include "alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const sk_allocator_t c_library = {malloc, realloc, free};
static sk_allocator_t current = {malloc, realloc, free};
static atomic_bool used;

void sk_set_allocator(const sk_allocator_t *allocator)
{
    current = allocator != NULL ? *allocator : c_library;
}

bool sk_allocator_is_used(void)
{
    return atomic_load(&used);
}

/* Only the first time writes: the line stays in every core's cache. */
static void note_use(void)
{
    if (!atomic_load_explicit(&used, memory_order_relaxed)) {
        atomic_store(&used, true);
    }
}

/* Nothing is asked for by nobody: 0 bytes are 1, so that NULL means failure only. */
void *sk_malloc(size_t size)
{
    note_use();
    return current.malloc_fn(size > 0 ? size : 1);
}

void *sk_calloc(size_t count, size_t size)
{
    void *memory = NULL;

    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    memory = sk_malloc(count * size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

void *sk_realloc(void *memory, size_t size)
{
    note_use();
    return current.realloc_fn(memory, size > 0 ? size : 1);
}

void sk_free(void *memory)
{
    if (memory != NULL) {
        current.free_fn(memory);
    }
}

char *sk_strdup(const char *text)
{
    return text != NULL ? sk_memdup(text, strlen(text)) : NULL;
}

char *sk_memdup(const void *data, size_t size)
{
    char *copy = NULL;

    if (data == NULL || size == SIZE_MAX) {
        return NULL;
    }
    copy = sk_malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, data, size);
        copy[size] = '\0';
    }
    return copy;
}

void sk_wipe(void *memory, size_t size)
{
    if (memory != NULL) {
        explicit_bzero(memory, size);
    }
}
