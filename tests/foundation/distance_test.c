/* How far names are apart, and which one is worth suggesting. */
#include "support/check.h"
#include "text.h"

typedef struct distance_case {
    const char *a;
    const char *b;
    unsigned distance; /* 2 per edit */
} distance_case_t;

static void edits_count_two_and_letter_case_one(void)
{
    static const distance_case_t cases[] = {
        {"", "", 0},
        {"", "abc", 6},
        {"timeout", "timeout", 0},
        {"timeout", "timeouts", 2},
        {"timeout", "timeot", 2},
        {"timeout", "timeaut", 2},
        {"timeout", "tiemout", 2},
        {"timeout", "Timeout", 1},
        {"timeout", "TIMEOUT", 7},
        {"timeout", "tIEmout", 4},
        {"ab", "ba", 2},
        {"aB", "bA", 4},
        {"kitten", "sitting", 6},
        {"ca", "abc", 6}, /* a swapped pair is not edited again */
        {"abc", "xyz", 6},
        {"\xC3\xA4", "\xC3\xB6", 2},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned there = sk_text_distance(cases[i].a, cases[i].b, 100);
        unsigned back = sk_text_distance(cases[i].b, cases[i].a, 100);

        if (there != cases[i].distance || back != cases[i].distance) {
            check_fail(__FILE__, __LINE__, "%s, %s: %u and %u", cases[i].a, cases[i].b, there,
                       back);
        }
    }
}

static void the_answer_is_never_above_the_limit(void)
{
    CHECK_EQ(sk_text_distance("abc", "xyz", 3), 3);
    CHECK_EQ(sk_text_distance("abc", "abcdefgh", 4), 4);
    CHECK_EQ(sk_text_distance("abc", "abd", 2), 2);
    CHECK_EQ(sk_text_distance("abc", "abd", 3), 2);
    CHECK_EQ(sk_text_distance("abc", "abc", 0), 0);
    CHECK_EQ(sk_text_distance("abc", "abd", 0), 0);
}

static void names_of_any_length_are_compared_or_too_far(void)
{
    char longest[129];
    char longer[200];

    memset(longest, 'a', sizeof(longest));
    longest[128] = '\0';
    memset(longer, 'a', sizeof(longer));
    longer[199] = '\0';
    CHECK_EQ(sk_text_distance(longest, longest, 10), 0);
    CHECK_EQ(sk_text_distance(longest, longest + 3, 10), 6);
    CHECK_EQ(sk_text_distance(longer, longer, 10), 0);
    CHECK_EQ(sk_text_distance(longer, longer + 1, 10), 10);
}

static const char *const names[] = {"execute_code", "upload_file", "list_files", NULL, "ip", "max"};

typedef struct closest_case {
    const char *name;
    int closest;
} closest_case_t;

static void what_is_near_enough_is_suggested(void)
{
    static const closest_case_t cases[] = {
        {"execute_cod", 0},
        {"exeucte_code", 0},
        {"Execute_Code", 0},
        {"ExecuteCode", 0},
        {"upload_files", 1},
        {"list_file", 2},
        {"uplod_fil", 1},
        {"max_", 5},
        {"mx", 5},
        {"MAX", 5},
        {"ib", 4},
        {"execute", -1},
        {"download_file", 1},
        {"xy", -1},
        {"x", -1},
        {"", -1},
        {"something else", -1},
        {"list", -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int closest = sk_text_closest(cases[i].name, names, sizeof(names) / sizeof(names[0]));

        if (closest != cases[i].closest) {
            check_fail(__FILE__, __LINE__, "\"%s\": %d", cases[i].name, closest);
        }
    }
}

static void the_first_of_equally_near_names_is_suggested(void)
{
    static const char *const twins[] = {"far away", "bat", "cat"};

    CHECK_EQ(sk_text_closest("at", twins, 3), 1);
    CHECK_EQ(sk_text_closest("cat", twins, 3), 2);
    CHECK_EQ(sk_text_closest("cat", NULL, 0), -1);
}

static void a_name_too_long_for_the_table_is_suggested_nothing(void)
{
    char longer[200];
    const char *const candidates[] = {longer + 1};

    memset(longer, 'a', sizeof(longer));
    longer[199] = '\0';
    CHECK_EQ(sk_text_closest(longer, candidates, 1), -1);
    CHECK_EQ(sk_text_closest("Aaa", candidates, 1), -1);
}

TESTS(TEST(edits_count_two_and_letter_case_one), TEST(the_answer_is_never_above_the_limit),
      TEST(names_of_any_length_are_compared_or_too_far), TEST(what_is_near_enough_is_suggested),
      TEST(the_first_of_equally_near_names_is_suggested),
      TEST(a_name_too_long_for_the_table_is_suggested_nothing))
