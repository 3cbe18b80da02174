/* Where memory comes from, and what its copies promise. */
#include <stdint.h>

#include "alloc.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void every_function_uses_the_allocator_that_was_set(void)
{
    void *memory = NULL;
    char *text = NULL;

    sk_set_allocator(&counting);
    fail_alloc_at(0, FAIL_ALLOC_ONE);
    memory = sk_malloc(10);
    text = sk_strdup("abc");
    CHECK_EQ(fail_alloc_live(), 2);
    memory = sk_realloc(memory, 1000);
    CHECK(memory != NULL);
    sk_free(memory);
    sk_free(text);
    memory = sk_calloc(3, 5);
    CHECK_EQ(fail_alloc_live(), 1);
    sk_free(memory);
    CHECK_EQ(fail_alloc_live(), 0);
}

static void null_brings_back_the_allocator_of_the_c_library(void)
{
    void *memory = NULL;

    sk_set_allocator(&counting);
    sk_set_allocator(NULL);
    memory = sk_malloc(10);
    CHECK(memory != NULL);
    CHECK_EQ(fail_alloc_live(), 0);
    sk_free(memory);
}

static void the_first_allocation_is_remembered(void)
{
    CHECK(!sk_allocator_is_used());
    sk_set_allocator(&counting);
    sk_free(NULL);
    CHECK(!sk_allocator_is_used());
    sk_free(sk_realloc(NULL, 1));
    CHECK(sk_allocator_is_used());
}

static void failure_of_the_allocator_is_null(void)
{
    sk_set_allocator(&counting);
    fail_alloc_at(1, FAIL_ALLOC_REST);
    CHECK(sk_malloc(1) == NULL);
    CHECK(sk_calloc(1, 1) == NULL);
    CHECK(sk_realloc(NULL, 1) == NULL);
    CHECK(sk_strdup("a") == NULL);
    CHECK(sk_memdup("a", 1) == NULL);
}

static void calloc_zeroes_and_refuses_a_size_that_overflows(void)
{
    static const char zeros[64];
    char *memory = sk_calloc(8, 8);

    CHECK(memory != NULL);
    CHECK_EQ(memcmp(memory, zeros, sizeof(zeros)), 0);
    sk_free(memory);
    CHECK(sk_calloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(sk_calloc(3, SIZE_MAX / 2) == NULL);
}

static void no_bytes_are_a_block_too(void)
{
    void *blocks[] = {sk_malloc(0), sk_calloc(0, 8), sk_calloc(8, 0), sk_realloc(NULL, 0)};

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        CHECK(blocks[i] != NULL);
        sk_free(blocks[i]);
    }
    sk_free(NULL);
}

static void copies_end_with_a_nul_and_null_stays_null(void)
{
    char *text = sk_strdup("text");
    char *bytes = sk_memdup("a\0b", 3);
    char *empty = sk_memdup("", 0);

    CHECK_STR(text, "text");
    CHECK_EQ(memcmp(bytes, "a\0b", 4), 0);
    CHECK_STR(empty, "");
    CHECK(sk_strdup(NULL) == NULL);
    CHECK(sk_memdup(NULL, 5) == NULL);
    CHECK(sk_memdup("", SIZE_MAX) == NULL);
    sk_free(text);
    sk_free(bytes);
    sk_free(empty);
}

static void wiped_memory_is_zero(void)
{
    char secret[] = "secret";

    sk_wipe(secret, 3);
    CHECK_EQ(memcmp(secret, "\0\0\0ret", 7), 0);
    sk_wipe(NULL, 0);
}

TESTS(TEST(every_function_uses_the_allocator_that_was_set),
      TEST(null_brings_back_the_allocator_of_the_c_library),
      TEST(the_first_allocation_is_remembered), TEST(failure_of_the_allocator_is_null),
      TEST(calloc_zeroes_and_refuses_a_size_that_overflows), TEST(no_bytes_are_a_block_too),
      TEST(copies_end_with_a_nul_and_null_stays_null), TEST(wiped_memory_is_zero))
