/*
 * output_test.c - keeping, counting and cutting what an execution wrote.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "worker/output.h"

#define EURO "\xE2\x82\xAC"

typedef struct cut {
    const char *name;
    const char *written;
    size_t limit;
    size_t characters;
    const char *wanted;
} cut_t;

static void text_is_cut_where_and_how_it_is_asked(void)
{
    static const cut_t cases[] = {
        {"short text stays", "abc", 10, 0, "abc"},
        {"text of the limit stays", "abc", 3, 0, "abc"},
        {"longer text is cut with a note", "abcdef", 3, 0, "abc\n[3 characters cut]"},
        {"a cut leaves no half character", "a" EURO EURO, 3, 0, "a\n[1 characters cut]"},
        {"a whole last character stays", EURO EURO EURO, 6, 0, EURO EURO "\n[1 characters cut]"},
        {"invalid bytes are replaced",
         "a\xFF"
         "b",
         10, 0,
         "a\xEF\xBF\xBD"
         "b"},
        {"characters are counted, silently", EURO EURO EURO, 100, 2, EURO EURO},
        {"characters within the limit", "ab", 100, 2, "ab"},
        {"characters beyond the limit", "abcdef", 3, 2, "ab"},
        {"cut characters are counted, not bytes",
         "a" EURO "bc" EURO EURO EURO EURO EURO EURO "d" EURO "\xC3\xA9", 1, 0,
         "a\n[12 characters cut]"},
        {"nothing", "", 10, 0, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        output_t output = {.limit = cases[i].limit};
        sk_buffer_t text = SK_BUFFER_INIT;
        output_take(&output, cases[i].written, strlen(cases[i].written));
        output_render(&output, cases[i].characters, &text);
        check_text(__FILE__, __LINE__, cases[i].name, sk_buffer_text(&text), cases[i].wanted);
        sk_buffer_fini(&text);
        output_fini(&output);
    }
}

static void text_in_front_is_not_cut(void)
{
    output_t output = {.limit = 10};
    sk_buffer_t text = SK_BUFFER_INIT;

    sk_buffer_append_text(&text, "front:");
    output_take(&output, "abcdef", 6);
    output_render(&output, 2, &text);
    CHECK_STR(sk_buffer_text(&text), "front:ab");
    sk_buffer_fini(&text);
    output_fini(&output);
}

static void pipe_is_read_until_it_is_empty_and_then_to_its_end(void)
{
    int ends[2];
    output_t output = {.limit = 100};

    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    CHECK(output_read(&output, ends[0], 1000));
    CHECK_EQ(output.total, 5);
    CHECK_EQ(close(ends[1]), 0);
    CHECK(!output_read(&output, ends[0], 1000));
    CHECK_EQ(close(ends[0]), 0);
    output_fini(&output);
}

TESTS(TEST(text_is_cut_where_and_how_it_is_asked), TEST(text_in_front_is_not_cut),
      TEST(pipe_is_read_until_it_is_empty_and_then_to_its_end))
