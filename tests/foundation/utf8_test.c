/* What is UTF-8, how it is repaired, and where it may be cut. */
#include "alloc.h"
#include "support/check.h"
#include "support/fail_alloc.h"
#include "text.h"

#define FFFD "\xEF\xBF\xBD"

typedef struct utf8_case {
    const char *name;
    const char *text;
    int wrong; /* offset of the first wrong byte; -1: valid */
    const char *repaired;
} utf8_case_t;

static const utf8_case_t cases[] = {
    {"empty", "", -1, ""},
    {"ASCII", "plain text, longer than eight bytes", -1, "plain text, longer than eight bytes"},
    {"two bytes, smallest", "\xC2\x80", -1, "\xC2\x80"},
    {"two bytes, largest", "\xDF\xBF", -1, "\xDF\xBF"},
    {"three bytes, smallest", "\xE0\xA0\x80", -1, "\xE0\xA0\x80"},
    {"before the surrogates", "\xED\x9F\xBF", -1, "\xED\x9F\xBF"},
    {"behind the surrogates", "\xEE\x80\x80", -1, "\xEE\x80\x80"},
    {"three bytes, largest", "\xEF\xBF\xBF", -1, "\xEF\xBF\xBF"},
    {"four bytes, smallest", "\xF0\x90\x80\x80", -1, "\xF0\x90\x80\x80"},
    {"four bytes, largest", "\xF4\x8F\xBF\xBF", -1, "\xF4\x8F\xBF\xBF"},
    {"mixed", "gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80!", -1,
     "gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80!"},
    {"lone continuation", "a\x80z", 1, "a" FFFD "z"},
    {"continuations only", "\x80\xBF", 0, FFFD FFFD},
    {"overlong slash", "\xC0\xAF", 0, FFFD FFFD},
    {"overlong, two bytes", "\xC1\xBF", 0, FFFD FFFD},
    {"overlong, three bytes", "\xE0\x9F\xBF", 0, FFFD FFFD FFFD},
    {"overlong, four bytes", "\xF0\x8F\xBF\xBF", 0, FFFD FFFD FFFD FFFD},
    {"surrogate, first", "\xED\xA0\x80", 0, FFFD FFFD FFFD},
    {"surrogate, last", "\xED\xBF\xBF", 0, FFFD FFFD FFFD},
    {"above U+10FFFF", "\xF4\x90\x80\x80", 0, FFFD FFFD FFFD FFFD},
    {"no lead byte", "\xF5\x80\x80\x80", 0, FFFD FFFD FFFD FFFD},
    {"FE and FF", "\xFE\xFF", 0, FFFD FFFD},
    {"cut after one of two", "ab\xC3", 2, "ab" FFFD},
    {"cut after two of three", "ab\xE2\x82", 2, "ab" FFFD},
    {"cut after three of four", "ab\xF0\x9F\x98", 2, "ab" FFFD},
    {"broken off by ASCII", "\xE2\x82z", 0, FFFD "z"},
    {"broken off by a lead", "\xF0\x9F\xC3\xA4", 0, FFFD "\xC3\xA4"},
    {"the standard's example", "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 0, FFFD FFFD FFFD FFFD "A"},
    {"behind a long run", "0123456789abcdef\xFF", 16, "0123456789abcdef" FFFD},
    {"within a word of eight",
     "0123456789a\xFF"
     "bcdef",
     11, "0123456789a" FFFD "bcdef"},
};

static void each_case_is_judged_at_its_first_wrong_byte(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].text);
        size_t wanted = cases[i].wrong < 0 ? size : (size_t)cases[i].wrong;
        size_t offset = 999;

        if (sk_utf8_is_valid(cases[i].text, size, &offset) != (cases[i].wrong < 0) ||
            sk_utf8_is_valid(cases[i].text, size, NULL) != (cases[i].wrong < 0)) {
            check_fail(__FILE__, __LINE__, "%s: misjudged", cases[i].name);
        }
        if (offset != wanted) {
            check_fail(__FILE__, __LINE__, "%s: offset %zu", cases[i].name, offset);
        }
    }
}

static void each_maximal_invalid_part_is_repaired_by_one_character(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sk_buffer_t out = SK_BUFFER_INIT;

        sk_utf8_append_repaired(&out, cases[i].text, strlen(cases[i].text));
        if (strcmp(sk_buffer_text(&out), cases[i].repaired) != 0) {
            check_fail(__FILE__, __LINE__, "%s: became \"%s\"", cases[i].name,
                       sk_buffer_text(&out));
        }
        sk_buffer_fini(&out);
    }
}

static size_t encode(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static void every_code_point_but_the_surrogates_is_valid(void)
{
    for (unsigned code = 0; code < 0x110100; code++) {
        char text[4];
        size_t size = encode(code, text);
        bool wanted = code < 0x110000 && (code < 0xD800 || code > 0xDFFF);

        if (sk_utf8_is_valid(text, size, NULL) != wanted) {
            check_fail(__FILE__, __LINE__, "U+%04X is misjudged", code);
        }
    }
}

static void a_zero_byte_is_a_character(void)
{
    CHECK(sk_utf8_is_valid("a\0b", 3, NULL));
}

static void a_step_is_one_character_or_one_invalid_part(void)
{
    bool valid = false;

    CHECK_EQ(sk_utf8_step("a", 1, &valid), 1);
    CHECK(valid);
    CHECK_EQ(sk_utf8_step("\xF0\x9F\x98\x80!", 5, &valid), 4);
    CHECK(valid);
    CHECK_EQ(sk_utf8_step("\xF0\x9F\x98\x80", 3, &valid), 3);
    CHECK(!valid);
    CHECK_EQ(sk_utf8_step("\xBF", 1, &valid), 1);
    CHECK(!valid);
}

typedef struct cut_case {
    const char *text;
    size_t limit;
    size_t size;
} cut_case_t;

static void a_cut_never_halves_a_character(void)
{
    static const cut_case_t cuts[] = {
        {"abc", 5, 3},
        {"abc", 3, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"a\xC3\xA4z", 1, 1},
        {"a\xC3\xA4z", 2, 1},
        {"a\xC3\xA4z", 3, 3},
        {"\xE2\x82\xAC", 1, 0},
        {"\xE2\x82\xAC", 2, 0},
        {"x\xF0\x9F\x98\x80y", 2, 1},
        {"x\xF0\x9F\x98\x80y", 3, 1},
        {"x\xF0\x9F\x98\x80y", 4, 1},
        {"x\xF0\x9F\x98\x80y", 5, 5},
        {"\x80\x80\x80\x80\x80\x80\x80\x80", 6, 6}, /* no character to be halved */
        {"ab\x80\x80\x80", 3, 3},
        {"\x80", 0, 0},
    };

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        size_t size = sk_utf8_cut(cuts[i].text, strlen(cuts[i].text), cuts[i].limit);

        if (size != cuts[i].size) {
            check_fail(__FILE__, __LINE__, "\"%s\" at %zu is cut to %zu", cuts[i].text,
                       cuts[i].limit, size);
        }
    }
}

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void repair(void)
{
    sk_buffer_t out = SK_BUFFER_INIT;

    for (int i = 0; i < 100; i++) {
        sk_utf8_append_repaired(&out, "some\xFFtext", 9);
    }
    CHECK(out.failed == fail_alloc_happened());
    sk_buffer_fini(&out);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(repair);
}

TESTS(TEST(each_case_is_judged_at_its_first_wrong_byte),
      TEST(each_maximal_invalid_part_is_repaired_by_one_character),
      TEST(every_code_point_but_the_surrogates_is_valid), TEST(a_zero_byte_is_a_character),
      TEST(a_step_is_one_character_or_one_invalid_part), TEST(a_cut_never_halves_a_character),
      TEST(any_failing_allocation_is_survived))
