/*
 * arena.h - memory that ends with a call: a bump pointer over a first block of
 * the owner's and, beyond it, blocks that double.
 */
#ifndef KERNEL_ARENA_PRIVATE_H
#define KERNEL_ARENA_PRIVATE_H

#include <stddef.h>

typedef struct kernel__arena_block kernel__arena_block_t;

typedef struct kernel__arena {
    char *at; /* 16-byte aligned */
    char *end;
    kernel__arena_block_t *blocks; /* owned; the newest first */
    char *first;                   /* borrowed from the owner, may be NULL */
    size_t first_size;
} kernel__arena_t;

/* `first` must be 16-byte aligned; it may be NULL. */
void kernel__arena_init(kernel__arena_t *arena, void *first, size_t first_size);
/* 16-byte aligned; NULL when memory is out. */
void *kernel__arena_alloc(kernel__arena_t *arena, size_t size);
/* Copy with a NUL behind it. */
char *kernel__arena_copy(kernel__arena_t *arena, const void *data, size_t size);
/* Overwrite all that was handed out. */
void kernel__arena_wipe(kernel__arena_t *arena);
/* Free the blocks; the first one is empty again. */
void kernel__arena_reset(kernel__arena_t *arena);

#endif /* KERNEL_ARENA_PRIVATE_H */
