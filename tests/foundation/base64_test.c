/* Base64 by RFC 4648: written with padding, read canonically. */
#include "alloc.h"
#include "support/check.h"
#include "support/fail_alloc.h"
#include "text.h"

typedef struct vector {
    const char *bytes;
    const char *text;
} vector_t;

static const vector_t vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFF\xEF\xBE\xFB\xFF", "/++++/8="},
};

static void the_vectors_of_the_rfc_are_written(void)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_base64_append(&out, vectors[i].bytes, strlen(vectors[i].bytes));
        CHECK_STR(sk_buffer_text(&out), vectors[i].text);
        sk_buffer_fini(&out);
    }
}

static void the_vectors_of_the_rfc_are_read_with_and_without_padding(void)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;

        CHECK(sk_base64_decode(vectors[i].text, strlen(vectors[i].text), &out));
        CHECK_STR(sk_buffer_text(&out), vectors[i].bytes);
        sk_buffer_clear(&out);
        CHECK(sk_base64_decode(vectors[i].text, strcspn(vectors[i].text, "="), &out));
        CHECK_STR(sk_buffer_text(&out), vectors[i].bytes);
        sk_buffer_fini(&out);
    }
}

static void every_byte_at_every_size_comes_back(void)
{
    unsigned char bytes[300];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 7 + 250);
    }
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        sk_buffer_t text = SK_BUFFER_INIT;
        sk_buffer_t back = SK_BUFFER_INIT;

        sk_base64_append(&text, bytes, size);
        CHECK_EQ(text.size, (size + 2) / 3 * 4);
        CHECK(sk_base64_decode(sk_buffer_text(&text), text.size, &back));
        CHECK_EQ(back.size, size);
        CHECK_EQ(memcmp(sk_buffer_text(&back), bytes, size), 0);
        sk_buffer_fini(&text);
        sk_buffer_fini(&back);
    }
}

static void what_is_not_base64_is_refused_and_nothing_appended(void)
{
    static const char *const wrong[] = {
        "A",        "AAAAA",  "=",       "==",       "====",   "A===",    "AA=",       "AAA==",
        "AA==AA==", "Zg=\n=", "Zm9v\n",  " Zm9v",    "Zm 9v",  "Zm9-",    "Zm9_",      "Zm9v====",
        "Zh==",     "Zm9=",   "Zm9vZm9", "\xC3\xA4", "Zm9vYh", "Zm9vYmF", "Zm9vYmFy=",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_buffer_append_text(&out, "kept");
        if (sk_base64_decode(wrong[i], strlen(wrong[i]), &out)) {
            check_fail(__FILE__, __LINE__, "\"%s\" is accepted", wrong[i]);
        }
        CHECK_STR(sk_buffer_text(&out), "kept");
        CHECK(!out.failed);
        sk_buffer_fini(&out);
    }
}

static void appends_to_what_is_there(void)
{
    sk_buffer_t out = SK_BUFFER_INIT;

    sk_buffer_append_text(&out, "data:,");
    sk_base64_append(&out, "foo", 3);
    CHECK_STR(sk_buffer_text(&out), "data:,Zm9v");
    CHECK(sk_base64_decode("YmFy", 4, &out));
    CHECK_STR(sk_buffer_text(&out), "data:,Zm9vbar");
    sk_buffer_fini(&out);
}

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void write_and_read(void)
{
    static const char bytes[200];
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t back = SK_BUFFER_INIT;

    sk_base64_append(&text, bytes, sizeof(bytes));
    CHECK(sk_base64_decode(sk_buffer_text(&text), text.size, &back) == !back.failed);
    CHECK((text.failed || back.failed) == fail_alloc_happened());
    sk_buffer_fini(&text);
    sk_buffer_fini(&back);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(write_and_read);
}

TESTS(TEST(the_vectors_of_the_rfc_are_written),
      TEST(the_vectors_of_the_rfc_are_read_with_and_without_padding),
      TEST(every_byte_at_every_size_comes_back),
      TEST(what_is_not_base64_is_refused_and_nothing_appended), TEST(appends_to_what_is_there),
      TEST(any_failing_allocation_is_survived))
