/* What stands in kernel_error_t after a failure, and the words for statuses. */
#include "error.h"

#include <string.h>

#include <kernel/plugin.h>

#include "support/check.h"
#include "text.h"

static void first_failure_stays(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;

    CHECK_EQ(kernel__error_set(&error, KERNEL_E_LIMIT, "too %s", "big"), KERNEL_E_LIMIT);
    CHECK_EQ(kernel__error_set(&error, KERNEL_E_INVALID, "wrong"), KERNEL_E_INVALID);
    CHECK_EQ(error.status, KERNEL_E_LIMIT);
    CHECK_STR(error.text, "too big");
}

static void nobody_has_to_listen(void)
{
    CHECK_EQ(kernel__error_set(NULL, KERNEL_E_BUSY, "later"), KERNEL_E_BUSY);
}

static void long_text_is_cut_at_a_character(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    char text[1200];

    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', sizeof(text));
        for (size_t i = shift; i + 3 < sizeof(text); i += 3) {
            memcpy(text + i, "\xE2\x82\xAC", 3);
        }
        text[sizeof(text) - 1] = '\0';
        error = (kernel_error_t)KERNEL_ERROR_INIT;
        kernel__error_set(&error, KERNEL_E_INVALID, "%s", text);
        CHECK(strlen(error.text) <= 511);
        CHECK(strlen(error.text) >= 508);
        CHECK(sk_utf8_is_valid(error.text, strlen(error.text), NULL));
        CHECK_STR(error.text + strlen(error.text) - 3, "...");
    }
}

static void text_of_the_full_length_is_not_cut(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    char text[512];

    memset(text, 'x', sizeof(text));
    text[511] = '\0';
    kernel__error_set(&error, KERNEL_E_INVALID, "%s", text);
    CHECK_STR(error.text, text);
}

static void bytes_that_are_no_text_are_replaced(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;

    kernel__error_set(&error, KERNEL_E_INVALID, "name '%s'", "a\xFF\xC3");
    CHECK_STR(error.text, "name 'a?"
                          "?'");
}

static void quotes_are_one_short_line(void)
{
    char room[KERNEL__QUOTE_ROOM];
    char long_text[200];

    memset(long_text, 'y', sizeof(long_text));
    CHECK_STR(kernel__error_quote(room, "a\nb\tc\x7F", 6), "a b c ");
    CHECK_STR(kernel__error_quote(room, "\xFFz", 2), "?z");
    CHECK_STR(kernel__error_quote(room, NULL, 0), "");
    kernel__error_quote(room, long_text, sizeof(long_text));
    CHECK_EQ(strlen(room), KERNEL__QUOTE_ROOM - 1);
    CHECK_STR(room + strlen(room) - 4, "y...");
    kernel__error_quote(room, long_text, KERNEL__QUOTE_ROOM - 4);
    CHECK_STR(room + strlen(room) - 4, "yyyy");
}

static void every_status_has_a_name_and_a_text(void)
{
    static const struct {
        kernel_status_t status;
        const char *name;
    } statuses[] = {
#define ROW(name, number, text) {KERNEL_##name, "KERNEL_" #name},
        KERNEL_STATUS_LIST(ROW)
#undef ROW
    };

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        CHECK_STR(kernel_status_name(statuses[i].status), statuses[i].name);
        CHECK(kernel_status_text(statuses[i].status)[0] != '\0');
    }
    CHECK_STR(kernel_status_name((kernel_status_t)-99), "KERNEL_E_?");
    CHECK(kernel_status_text((kernel_status_t)-99)[0] != '\0');
}

static void both_sides_count_alike(void)
{
    CHECK_EQ(KERNEL_OK, KP_OK);
    CHECK_EQ(KERNEL_E_INVALID, KP_E_INVALID);
    CHECK_EQ(KERNEL_E_NOT_FOUND, KP_E_NOT_FOUND);
    CHECK_EQ(KERNEL_E_EXISTS, KP_E_EXISTS);
    CHECK_EQ(KERNEL_E_DENIED, KP_E_DENIED);
    CHECK_EQ(KERNEL_E_AUTH, KP_E_AUTH);
    CHECK_EQ(KERNEL_E_TIMEOUT, KP_E_TIMEOUT);
    CHECK_EQ(KERNEL_E_CANCELLED, KP_E_CANCELLED);
    CHECK_EQ(KERNEL_E_BUSY, KP_E_BUSY);
    CHECK_EQ(KERNEL_E_UNAVAILABLE, KP_E_UNAVAILABLE);
    CHECK_EQ(KERNEL_E_REMOTE, KP_E_REMOTE);
    CHECK_EQ(KERNEL_E_LIMIT, KP_E_LIMIT);
    CHECK_EQ(KERNEL_E_NO_MEMORY, KP_E_NO_MEMORY);
    CHECK_EQ(KERNEL_E_UNSUPPORTED, KP_E_UNSUPPORTED);
    CHECK_EQ(KERNEL_E_INTERNAL, KP_E_INTERNAL);
    CHECK_EQ(KERNEL_E_CRASHED, KP_E_CRASHED);
    CHECK_EQ(KERNEL_E_ABI, KP_E_ABI);
    CHECK_EQ(KERNEL_E_WOULD_DEADLOCK, KP_E_WOULD_DEADLOCK);
    CHECK_EQ(KERNEL_E_DEPTH, KP_E_DEPTH);
}

TESTS(TEST(first_failure_stays), TEST(nobody_has_to_listen), TEST(long_text_is_cut_at_a_character),
      TEST(text_of_the_full_length_is_not_cut), TEST(bytes_that_are_no_text_are_replaced),
      TEST(quotes_are_one_short_line), TEST(every_status_has_a_name_and_a_text),
      TEST(both_sides_count_alike))
