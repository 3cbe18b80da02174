/*
 * arena.c - memory that ends with a call.
 *
 * Under AddressSanitizer every piece is a block of its own, so that an overrun
 * of a plugin is seen where it happens.
 */
#include "arena.h"

#include <stdint.h>
#include <string.h>

#include "alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_EXACT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_EXACT 1
#endif
#endif
#ifndef ARENA_EXACT
#define ARENA_EXACT 0
#endif

#define ARENA_ALIGNMENT 16u
#define ARENA_BLOCK     4096u

struct kernel__arena_block {
    kernel__arena_block_t *next;
    size_t size; /* of what follows this header */
};

_Static_assert(sizeof(kernel__arena_block_t) % ARENA_ALIGNMENT == 0, "blocks begin aligned");

void kernel__arena_init(kernel__arena_t *arena, void *first, size_t first_size)
{
    arena->first = first;
    arena->first_size = first_size;
    arena->blocks = NULL;
    arena->at = first;
    arena->end = ARENA_EXACT || first == NULL ? first : arena->first + first_size;
}

static void *arena_add_block(kernel__arena_t *arena, size_t size)
{
    size_t room = arena->blocks == NULL ? ARENA_BLOCK : arena->blocks->size * 2;
    kernel__arena_block_t *block;
    char *memory;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    if (ARENA_EXACT || room < size) {
        room = size;
    }
    if (room > 16u * ARENA_BLOCK && room > size) {
        room = size > 16u * ARENA_BLOCK ? size : 16u * ARENA_BLOCK;
    }
    block = sk_malloc(sizeof(*block) + room);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->blocks;
    block->size = room;
    arena->blocks = block;
    memory = (char *)(block + 1);
    if (!ARENA_EXACT) {
        arena->at = memory + size;
        arena->end = memory + room;
    }
    return memory;
}

void *kernel__arena_alloc(kernel__arena_t *arena, size_t size)
{
    size_t wanted = size != 0 ? size : 1; /* NULL means that memory is out */
    size_t rounded = (wanted + (ARENA_ALIGNMENT - 1)) & ~(size_t)(ARENA_ALIGNMENT - 1);

    if (rounded < wanted) {
        return NULL;
    }
    if (!ARENA_EXACT && rounded <= (size_t)(arena->end - arena->at)) {
        void *memory = arena->at;

        arena->at += rounded;
        return memory;
    }
    return arena_add_block(arena, ARENA_EXACT ? wanted : rounded);
}

char *kernel__arena_copy(kernel__arena_t *arena, const void *data, size_t size)
{
    char *copy = size < SIZE_MAX ? kernel__arena_alloc(arena, size + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = '\0';
    return copy;
}

void kernel__arena_wipe(kernel__arena_t *arena)
{
    for (kernel__arena_block_t *block = arena->blocks; block != NULL; block = block->next) {
        sk_wipe(block + 1, block->size);
    }
    if (arena->first != NULL) {
        sk_wipe(arena->first, arena->first_size);
    }
}

void kernel__arena_reset(kernel__arena_t *arena)
{
    while (arena->blocks != NULL) {
        kernel__arena_block_t *block = arena->blocks;

        arena->blocks = block->next;
        sk_free(block);
    }
    kernel__arena_init(arena, arena->first, arena->first_size);
}
