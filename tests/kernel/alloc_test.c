/* When a host may put its own allocator in the place of the C library's. */
#include <kernel/alloc.h>

#include "alloc.h"

#include <stdlib.h>

#include "support/check.h"

static int counts[3];

static void *count_malloc(size_t size)
{
    counts[0]++;
    return malloc(size);
}

static void *count_realloc(void *memory, size_t size)
{
    counts[1]++;
    return realloc(memory, size);
}

static void count_free(void *memory)
{
    counts[2]++;
    free(memory);
}

static const kernel_allocator_t counting = {sizeof(kernel_allocator_t), count_malloc, count_realloc,
                                            count_free};

static void chosen_allocator_serves_everything(void)
{
    void *memory = NULL;

    CHECK_EQ(kernel_set_allocator(&counting), KERNEL_OK);
    memory = sk_malloc(10);
    CHECK(memory != NULL);
    memory = sk_realloc(memory, 20);
    CHECK(memory != NULL);
    sk_free(memory);
    CHECK_EQ(counts[0], 1);
    CHECK_EQ(counts[1], 1);
    CHECK_EQ(counts[2], 1);
}

static void allocator_cannot_change_once_memory_was_handed_out(void)
{
    void *memory = sk_malloc(10);

    CHECK(memory != NULL);
    CHECK_EQ(kernel_set_allocator(&counting), KERNEL_E_BUSY);
    sk_free(memory);
    CHECK_EQ(kernel_set_allocator(&counting), KERNEL_E_BUSY);
    CHECK_EQ(counts[0], 0);
    CHECK_EQ(counts[2], 0);
}

static void realloc_of_nothing_counts_as_use(void)
{
    void *memory = sk_realloc(NULL, 10);

    CHECK(memory != NULL);
    CHECK_EQ(kernel_set_allocator(&counting), KERNEL_E_BUSY);
    sk_free(memory);
}

static void allocator_may_be_chosen_again_before_its_first_use(void)
{
    CHECK_EQ(kernel_set_allocator(&counting), KERNEL_OK);
    CHECK_EQ(kernel_set_allocator(&counting), KERNEL_OK);
}

static void incomplete_allocator_is_refused(void)
{
    kernel_allocator_t allocator = counting;

    CHECK_EQ(kernel_set_allocator(NULL), KERNEL_E_INVALID);
    allocator.malloc_fn = NULL;
    CHECK_EQ(kernel_set_allocator(&allocator), KERNEL_E_INVALID);
    allocator = counting;
    allocator.realloc_fn = NULL;
    CHECK_EQ(kernel_set_allocator(&allocator), KERNEL_E_INVALID);
    allocator = counting;
    allocator.free_fn = NULL;
    CHECK_EQ(kernel_set_allocator(&allocator), KERNEL_E_INVALID);
    allocator = counting;
    allocator.size = sizeof(allocator) - 1;
    CHECK_EQ(kernel_set_allocator(&allocator), KERNEL_E_INVALID);
}

TESTS(TEST(chosen_allocator_serves_everything),
      TEST(allocator_cannot_change_once_memory_was_handed_out),
      TEST(realloc_of_nothing_counts_as_use),
      TEST(allocator_may_be_chosen_again_before_its_first_use),
      TEST(incomplete_allocator_is_refused))
