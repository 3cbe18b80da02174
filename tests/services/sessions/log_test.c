/*
 * log_test.c - whatever an event holds, it is one line of ASCII, and nobody waits for it.
 */
#include "telemetry/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"

/* A pipe in the place of stderr. */
typedef struct capture {
    int before;
    int read_end;
} capture_t;

static capture_t capture_begin(void)
{
    capture_t capture = {dup(STDERR_FILENO), -1};
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    CHECK_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    capture.read_end = ends[0];
    return capture;
}

/* What has been written, behind the time that a line begins with. */
static void capture_read(const capture_t *capture, char *text, size_t size)
{
    ssize_t got = read(capture->read_end, text, size - 1);

    text[got > 0 ? got : 0] = '\0';
}

static void capture_end(const capture_t *capture)
{
    (void)dup2(capture->before, STDERR_FILENO);
    (void)close(capture->before);
    (void)close(capture->read_end);
}

static void open_log(log_format_t format, log_level_t level)
{
    config_t config = *config_defaults();

    config.log = format;
    config.log_level = level;
    log_open(&config);
}

static void lines_have_time_level_event_and_fields(void)
{
    char text[8192];
    open_log(LOG_TEXT_LINES, LOG_INFO);
    capture_t capture = capture_begin();

    LOG_EVENT(LOG_WARN, "worker_gone", LOG_NUMBER("slot", 3), LOG_TEXT("session", NULL),
              LOG_TEXT("reason", "it ended"), LOG_MS("ms", 1234567), LOG_NUMBER("left_out", -1));
    capture_read(&capture, text, sizeof(text));
    capture_end(&capture);
    CHECK_EQ(text[4] == '-' && text[10] == 'T' && text[23] == 'Z', true);
    CHECK_STR(text + 24, " warn worker_gone slot=3 reason=\"it ended\" ms=1.234\n");
}

static void json_has_the_same_names(void)
{
    char text[8192];
    open_log(LOG_JSON, LOG_INFO);
    capture_t capture = capture_begin();

    LOG_EVENT(LOG_INFO, "request", LOG_NUMBER("status", 200), LOG_TEXT("reason", "a b"));
    capture_read(&capture, text, sizeof(text));
    capture_end(&capture);
    CHECK_STR(text + 33, "\",\"level\":\"info\",\"event\":\"request\",\"status\":200,"
                         "\"reason\":\"a b\"}\n");
}

static void every_byte_that_could_forge_a_line_is_escaped(void)
{
    static const log_format_t formats[] = {LOG_TEXT_LINES, LOG_JSON};
    char all[256];

    for (size_t i = 0; i < 255; i++) {
        all[i] = (char)(i + 1);
    }
    all[255] = '\0';
    for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        char text[8192];
        size_t strange = 0;
        open_log(formats[f], LOG_INFO);
        capture_t capture = capture_begin();
        LOG_EVENT(LOG_INFO, "event", LOG_TEXT("value", all));
        LOG_EVENT(LOG_INFO, "event", LOG_TEXT("value", "a\nb\" \\ \x1b[31m\xc2\x9b\xe2\x80\xae"));
        capture_read(&capture, text, sizeof(text));
        capture_end(&capture);
        const char *second = strchr(text, '\n') + 1;
        CHECK_EQ(strchr(second, '\n') == second + strlen(second) - 1, true);
        CHECK(strstr(second, "\"a\\u000ab\\\" \\\\ \\u001b[31m\\u009b\\u202e\"") != NULL);
        for (const char *at = text; *at != '\0'; at++) {
            strange += *at != '\n' && (*at < ' ' || *at > '~');
        }
        CHECK_EQ(strange, 0);
    }
}

static void characters_beyond_16_bits_and_wrong_utf8_are_escaped_as_json_has_it(void)
{
    char text[8192];
    open_log(LOG_JSON, LOG_INFO);
    capture_t capture = capture_begin();

    LOG_EVENT(LOG_INFO, "event", LOG_TEXT("value", "\xf0\x9f\x98\x80 \xff\xed\xa0\x80"));
    capture_read(&capture, text, sizeof(text));
    capture_end(&capture);
    CHECK(strstr(text, "\"\\ud83d\\ude00 \\ufffd") != NULL);
}

static void long_values_are_cut_and_the_line_stays_whole(void)
{
    char text[16384];
    char value[6000];
    open_log(LOG_JSON, LOG_INFO);
    capture_t capture = capture_begin();

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    LOG_EVENT(LOG_INFO, "event", LOG_TEXT("one", value), LOG_TEXT("two", value),
              LOG_TEXT("three", value), LOG_TEXT("four", value));
    capture_read(&capture, text, sizeof(text));
    capture_end(&capture);
    CHECK(strlen(text) <= 4096);
    CHECK(strstr(text, "xxx...\",\"two\":\"xxx") != NULL);
    CHECK_STR(text + strlen(text) - 3, "\"}\n");
}

static void less_severe_events_and_a_log_that_is_off_write_nothing(void)
{
    char text[8192];
    open_log(LOG_TEXT_LINES, LOG_WARN);
    capture_t capture = capture_begin();

    LOG_EVENT(LOG_INFO, "event", LOG_NUMBER("n", 1));
    open_log(LOG_OFF, LOG_DEBUG);
    LOG_EVENT(LOG_ERROR, "event", LOG_NUMBER("n", 1));
    capture_read(&capture, text, sizeof(text));
    capture_end(&capture);
    CHECK_STR(text, "");
}

static void lines_that_nobody_reads_are_dropped_and_counted(void)
{
    char text[8192];
    open_log(LOG_TEXT_LINES, LOG_INFO);
    capture_t capture = capture_begin();
    int flags = fcntl(STDERR_FILENO, F_GETFL);

    CHECK_EQ(fcntl(STDERR_FILENO, F_SETFL, flags & ~O_NONBLOCK), 0); /* a wait would be one */
    int size = fcntl(STDERR_FILENO, F_GETPIPE_SZ);
    for (int written = 0; written < 2 * size; written += 40) {
        LOG_EVENT(LOG_INFO, "event", LOG_NUMBER("n", written));
    }
    ssize_t got = 0;
    do {
        got = read(capture.read_end, text, sizeof(text));
    } while (got > 0);
    LOG_EVENT(LOG_INFO, "event", LOG_NUMBER("n", 1));
    capture_read(&capture, text, sizeof(text));
    LOG_EVENT(LOG_INFO, "event", LOG_NUMBER("n", 1));
    char again[8192];
    capture_read(&capture, again, sizeof(again));
    capture_end(&capture);
    CHECK(strstr(text, " n=1 dropped=") != NULL);
    CHECK(strstr(again, "dropped") == NULL);
}

TESTS(TEST(lines_have_time_level_event_and_fields), TEST(json_has_the_same_names),
      TEST(every_byte_that_could_forge_a_line_is_escaped),
      TEST(characters_beyond_16_bits_and_wrong_utf8_are_escaped_as_json_has_it),
      TEST(long_values_are_cut_and_the_line_stays_whole),
      TEST(less_severe_events_and_a_log_that_is_off_write_nothing),
      TEST(lines_that_nobody_reads_are_dropped_and_counted))
