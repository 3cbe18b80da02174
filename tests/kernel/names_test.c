/* Which names the kernel takes, and that equal names hash alike. */
#include "names.h"

#include <string.h>

#include "support/check.h"

#define SIXTY_FOUR "a234567890123456789012345678901234567890123456789012345678901234"

static void legal_names_are_taken(void)
{
    static const char *const names[] = {"a", "A", "9", "_", "_x_", "execute_code", SIXTY_FOUR};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        kernel_error_t error = KERNEL_ERROR_INIT;

        CHECK_EQ(kernel__name_check("plugin name", names[i], &error), KERNEL_OK);
        CHECK_STR(error.text, "");
    }
}

static void others_are_refused_and_quoted(void)
{
    static const struct {
        const char *name;
        const char *text;
    } cases[] = {
        {NULL, "the plugin name is missing"},
        {"", "the plugin name is empty"},
        {"my-plugin", "the plugin name 'my-plugin' is not valid at byte 2"},
        {"my plugin", "is not valid at byte 2: use letters, digits and single underscores"},
        {"a.b", "the plugin name 'a.b' is not valid at byte 1"},
        {"a__b", "the plugin name 'a__b' has two underscores in a row at byte 1"},
        {"__", "two underscores in a row at byte 0"},
        {"\xC3\xA4rger", "the plugin name '\xC3\xA4rger' is not valid at byte 0"},
        {"a\xFF", "the plugin name 'a?' is not valid at byte 1"},
        {"a\nb", "the plugin name 'a b' is not valid at byte 1"},
        {SIXTY_FOUR "5", "has 65 bytes, at most 64 are allowed"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_error_t error = KERNEL_ERROR_INIT;

        CHECK_EQ(kernel__name_check("plugin name", cases[i].name, &error), KERNEL_E_INVALID);
        CHECK_EQ(error.status, KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(error.text, cases[i].text);
    }
}

static void hash_depends_on_bytes_and_size_alone(void)
{
    char copy[] = "code and more";

    CHECK_EQ(kernel__name_hash("code", 4), kernel__name_hash(copy, 4));
    CHECK(kernel__name_hash("code", 4) != kernel__name_hash("code", 3));
    CHECK(kernel__name_hash("ab", 2) != kernel__name_hash("ba", 2));
}

TESTS(TEST(legal_names_are_taken), TEST(others_are_refused_and_quoted),
      TEST(hash_depends_on_bytes_and_size_alone))
