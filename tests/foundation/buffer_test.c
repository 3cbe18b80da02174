/* A buffer grows, ends with a NUL, and remembers that memory ran out. */
#include <stdint.h>

#include "alloc.h"
#include "buffer.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void empty_buffer_is_an_empty_text_without_memory(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    CHECK_STR(sk_buffer_text(&buffer), "");
    CHECK(buffer.data == NULL);
    sk_buffer_consume(&buffer, 5);
    sk_buffer_clear(&buffer);
    sk_buffer_fini(&buffer);
}

static void appends_follow_each_other(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    sk_buffer_append(&buffer, "one", 3);
    sk_buffer_append_char(&buffer, ' ');
    sk_buffer_append_text(&buffer, "two");
    sk_buffer_append(&buffer, NULL, 0);
    sk_buffer_appendf(&buffer, " %d %s", 3, "four");
    CHECK_STR(sk_buffer_text(&buffer), "one two 3 four");
    CHECK_EQ(buffer.size, 14);
    CHECK(!buffer.failed);
    sk_buffer_fini(&buffer);
    CHECK(buffer.data == NULL);
}

static void bytes_may_be_zero(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    sk_buffer_append(&buffer, "a\0b", 3);
    sk_buffer_append_char(&buffer, '\0');
    CHECK_EQ(buffer.size, 4);
    CHECK_EQ(memcmp(buffer.data, "a\0b\0", 5), 0);
    sk_buffer_fini(&buffer);
}

static void a_nul_follows_the_last_byte_at_every_size(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    for (size_t i = 0; i < 1000; i++) {
        sk_buffer_append_char(&buffer, 'x');
        CHECK_EQ(buffer.size, i + 1);
        CHECK_EQ(buffer.data[i + 1], '\0');
        CHECK(buffer.size < buffer.capacity);
    }
    sk_buffer_fini(&buffer);
}

static void formatted_text_of_every_size_fits(void)
{
    for (int size = 0; size < 300; size++) {
        sk_buffer_t buffer = SK_BUFFER_INIT;

        sk_buffer_append_text(&buffer, "<");
        sk_buffer_appendf(&buffer, "%*s>", size, "");
        CHECK_EQ(buffer.size, size + 2);
        CHECK_EQ(buffer.data[size + 1], '>');
        CHECK_EQ(buffer.data[size + 2], '\0');
        sk_buffer_fini(&buffer);
    }
}

static void reserved_room_takes_appends_without_memory(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    sk_set_allocator(&counting);
    CHECK(sk_buffer_reserve(&buffer, 1000));
    fail_alloc_at(1, FAIL_ALLOC_REST);
    for (int i = 0; i < 1000; i++) {
        sk_buffer_append_char(&buffer, 'x');
    }
    CHECK(!buffer.failed);
    CHECK_EQ(buffer.size, 1000);
    sk_buffer_fini(&buffer);
}

static void failure_is_sticky_and_keeps_what_came_before(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    sk_set_allocator(&counting);
    sk_buffer_append_text(&buffer, "kept");
    fail_alloc_at(1, FAIL_ALLOC_ONE);
    sk_buffer_appendf(&buffer, "%*s", 5000, "x");
    CHECK(buffer.failed);
    CHECK(!sk_buffer_reserve(&buffer, 1));
    sk_buffer_append(&buffer, "no", 2);
    sk_buffer_append_char(&buffer, '!');
    sk_buffer_append_text(&buffer, "no");
    sk_buffer_appendf(&buffer, "no");
    CHECK_STR(sk_buffer_text(&buffer), "kept");
    CHECK_EQ(buffer.size, 4);
    sk_buffer_clear(&buffer);
    CHECK(!buffer.failed);
    sk_buffer_append_text(&buffer, "again");
    CHECK_STR(sk_buffer_text(&buffer), "again");
    sk_buffer_fini(&buffer);
}

static void a_size_beyond_all_memory_fails(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    sk_buffer_append_text(&buffer, "kept");
    CHECK(!sk_buffer_reserve(&buffer, SIZE_MAX - 2));
    CHECK(buffer.failed);
    CHECK_STR(sk_buffer_text(&buffer), "kept");
    sk_buffer_fini(&buffer);
}

static void consuming_drops_bytes_from_the_front(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;

    sk_buffer_append_text(&buffer, "abcdef");
    sk_buffer_consume(&buffer, 0);
    sk_buffer_consume(&buffer, 2);
    CHECK_STR(sk_buffer_text(&buffer), "cdef");
    sk_buffer_consume(&buffer, 100);
    CHECK_STR(sk_buffer_text(&buffer), "");
    CHECK_EQ(buffer.size, 0);
    sk_buffer_fini(&buffer);
}

static void taken_content_is_the_callers_and_the_buffer_empty(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;
    size_t size = 99;
    char *text = NULL;

    sk_buffer_append_text(&buffer, "abc");
    text = sk_buffer_take(&buffer, &size);
    CHECK_STR(text, "abc");
    CHECK_EQ(size, 3);
    CHECK(buffer.data == NULL);
    sk_free(text);
    text = sk_buffer_take(&buffer, NULL);
    CHECK_STR(text, "");
    sk_free(text);
}

static void taking_from_a_failed_buffer_is_null(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;
    size_t size = 99;

    sk_set_allocator(&counting);
    sk_buffer_append_text(&buffer, "abc");
    fail_alloc_at(1, FAIL_ALLOC_ONE);
    CHECK(!sk_buffer_reserve(&buffer, 1000));
    CHECK(sk_buffer_take(&buffer, &size) == NULL);
    CHECK_EQ(size, 0);
    CHECK_EQ(fail_alloc_live(), 0);
    CHECK(!buffer.failed);
}

static void fill_and_take(void)
{
    sk_buffer_t buffer = SK_BUFFER_INIT;
    char *text = NULL;

    for (int i = 0; i < 100; i++) {
        sk_buffer_append_text(&buffer, "some text");
        sk_buffer_appendf(&buffer, "%d%200s", i, "x");
    }
    text = sk_buffer_take(&buffer, NULL);
    CHECK((text == NULL) == fail_alloc_happened());
    sk_free(text);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(fill_and_take);
}

TESTS(TEST(empty_buffer_is_an_empty_text_without_memory), TEST(appends_follow_each_other),
      TEST(bytes_may_be_zero), TEST(a_nul_follows_the_last_byte_at_every_size),
      TEST(formatted_text_of_every_size_fits), TEST(reserved_room_takes_appends_without_memory),
      TEST(failure_is_sticky_and_keeps_what_came_before), TEST(a_size_beyond_all_memory_fails),
      TEST(consuming_drops_bytes_from_the_front),
      TEST(taken_content_is_the_callers_and_the_buffer_empty),
      TEST(taking_from_a_failed_buffer_is_null), TEST(any_failing_allocation_is_survived))
