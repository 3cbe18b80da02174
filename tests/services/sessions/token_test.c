/* The bearer token: made at random, compared as a whole. */
#include "http/token.h"

#include "support/check.h"

static void token_is_random_and_has_256_bits(void)
{
    token_t one;
    token_t two;
    failure_t failure;

    CHECK(token_make(&one, &failure));
    CHECK(token_make(&two, &failure));
    CHECK_EQ(strlen(one.text), 64);
    CHECK_EQ(strspn(one.text, "0123456789abcdef"), 64);
    CHECK(strcmp(one.text, two.text) != 0);
}

static void only_the_whole_token_is_the_token(void)
{
    static const char token[] = "0123456789abcdef";
    static const struct {
        const char *shown;
        size_t size;
        bool right;
    } samples[] = {
        {"0123456789abcdef", 16, true},
        {"0123456789abcdef", 15, false},
        {"0123456789abcdef", 17, false},
        {"0123456789abcdeF", 16, false},
        {"1123456789abcdef", 16, false},
        {"0123456\0009abcdef", 16, false},
        {"", 0, false},
        {"0123456789abcdef0123456789abcdef", 32, false},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        CHECK_EQ(token_is(token, samples[i].shown, samples[i].size), samples[i].right);
    }
}

static void nothing_is_an_empty_token(void)
{
    CHECK(!token_is("", "", 0));
    CHECK(!token_is("", "x", 1));
}

static void token_that_is_over_is_overwritten(void)
{
    static const token_t nothing;
    token_t token;
    failure_t failure;

    CHECK(token_make(&token, &failure));
    token_fini(&token);
    CHECK(memcmp(&token, &nothing, sizeof(token)) == 0);
}

TESTS(TEST(token_is_random_and_has_256_bits), TEST(only_the_whole_token_is_the_token),
      TEST(nothing_is_an_empty_token), TEST(token_that_is_over_is_overwritten))
