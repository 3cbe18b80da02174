/* Where log lines go: to the host's function, to standard error, or nowhere. */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "text.h"

typedef struct heard {
    int times;
    kernel_log_level_t level;
    char line[1100];
} heard_t;

static void listen(kernel_log_level_t level, const char *line, void *data)
{
    heard_t *heard = data;

    heard->times++;
    heard->level = level;
    snprintf(heard->line, sizeof(heard->line), "%s", line);
}

/* What standard error receives while `log` is written to at every level. */
static void read_standard_error(const char *wanted, char *text, size_t size)
{
    kernel__log_t log;
    int ends[2];
    int kept = dup(STDERR_FILENO);
    ssize_t got = 0;

    CHECK(kept >= 0 && pipe(ends) == 0);
    CHECK(setenv("SEMKERNEL_LOG", wanted, 1) == 0);
    CHECK(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    kernel__log_init(&log, NULL, NULL, 0);
    kernel__log_write(&log, KERNEL_LOG_DEBUG, "one %d", 1);
    kernel__log_write(&log, KERNEL_LOG_INFO, "two");
    kernel__log_write(&log, KERNEL_LOG_ERROR, "three");
    dup2(kept, STDERR_FILENO);
    close(kept);
    got = read(ends[0], text, size - 1);
    close(ends[0]);
    CHECK(got >= 0);
    text[got] = '\0';
}

static void host_hears_its_levels_and_above(void)
{
    heard_t heard = {0};
    kernel__log_t log;

    kernel__log_init(&log, listen, &heard, KERNEL_LOG_INFO);
    kernel__log_write(&log, KERNEL_LOG_DEBUG, "quiet");
    CHECK_EQ(heard.times, 0);
    kernel__log_write(&log, KERNEL_LOG_WARN, "loud %s", "enough");
    CHECK_EQ(heard.times, 1);
    CHECK_EQ(heard.level, KERNEL_LOG_WARN);
    CHECK_STR(heard.line, "loud enough");
    kernel__log_write(&log, 17, "a level beyond the last");
    CHECK_EQ(heard.level, KERNEL_LOG_ERROR);
}

static void long_line_is_cut_at_a_character(void)
{
    heard_t heard = {0};
    kernel__log_t log;
    char text[3000];

    for (size_t i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i, "\xE2\x82\xAC", 3);
    }
    text[sizeof(text) - 3] = '\0';
    kernel__log_init(&log, listen, &heard, 0);
    kernel__log_write(&log, KERNEL_LOG_INFO, "%s", text);
    CHECK(strlen(heard.line) <= 1023);
    CHECK(sk_utf8_is_valid(heard.line, strlen(heard.line), NULL));
    CHECK_STR(heard.line + strlen(heard.line) - 3, "...");
}

static void nothing_is_printed_unless_asked(void)
{
    char text[512];

    read_standard_error("", text, sizeof(text));
    CHECK_STR(text, "");
}

static void variable_sends_lines_to_standard_error(void)
{
    char text[512];

    read_standard_error("info", text, sizeof(text));
    CHECK_STR(text, "semkernel info: two\nsemkernel error: three\n");
    read_standard_error("debug", text, sizeof(text));
    CHECK_STR_CONTAINS(text, "semkernel debug: one 1\n");
}

static void unknown_level_is_named(void)
{
    char text[512];

    read_standard_error("lots", text, sizeof(text));
    CHECK_STR_CONTAINS(text, "semkernel warn: SEMKERNEL_LOG is 'lots'");
    CHECK_STR_CONTAINS(text, "semkernel info: two\n");
}

TESTS(TEST(host_hears_its_levels_and_above), TEST(long_line_is_cut_at_a_character),
      TEST(nothing_is_printed_unless_asked), TEST(variable_sends_lines_to_standard_error),
      TEST(unknown_level_is_named))
