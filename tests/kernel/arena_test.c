/* Memory that ends with a call. */
#include "arena.h"

#include <stdint.h>

#include "support/check.h"

static void pieces_are_aligned_and_apart(void)
{
    _Alignas(16) char first[64];
    kernel__arena_t arena;
    char *pieces[40];

    kernel__arena_init(&arena, first, sizeof(first));
    for (int i = 0; i < 40; i++) {
        size_t size = (size_t)i * 37 % 300;

        pieces[i] = kernel__arena_alloc(&arena, size);
        CHECK(pieces[i] != NULL);
        CHECK_EQ((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], i, size);
    }
    for (int i = 0; i < 40; i++) {
        for (size_t k = 0; k < (size_t)i * 37 % 300; k++) {
            CHECK_EQ(pieces[i][k], i);
        }
    }
    kernel__arena_reset(&arena);
}

static void copy_has_a_nul_behind_it(void)
{
    kernel__arena_t arena;

    kernel__arena_init(&arena, NULL, 0);
    CHECK_STR(kernel__arena_copy(&arena, "abcdef", 3), "abc");
    CHECK_STR(kernel__arena_copy(&arena, NULL, 0), "");
    CHECK(kernel__arena_copy(&arena, "", SIZE_MAX) == NULL);
    CHECK(kernel__arena_alloc(&arena, SIZE_MAX - 8) == NULL);
    kernel__arena_reset(&arena);
}

static void wiping_leaves_nothing_to_read(void)
{
    _Alignas(16) char first[64];
    kernel__arena_t arena;
    char *pieces[3];

    kernel__arena_init(&arena, first, sizeof(first));
    for (int i = 0; i < 3; i++) { /* in the first memory, in a block, in a block of its own */
        static const size_t sizes[] = {32, 1000, 100000};

        pieces[i] = kernel__arena_alloc(&arena, sizes[i]);
        CHECK(pieces[i] != NULL);
        memset(pieces[i], 'x', sizes[i]);
    }
    kernel__arena_wipe(&arena);
    CHECK_EQ(pieces[0][31], 0);
    CHECK_EQ(pieces[1][999], 0);
    CHECK_EQ(pieces[2][0], 0);
    CHECK_EQ(pieces[2][99999], 0);
    kernel__arena_reset(&arena);
}

TESTS(TEST(pieces_are_aligned_and_apart), TEST(copy_has_a_nul_behind_it),
      TEST(wiping_leaves_nothing_to_read))
