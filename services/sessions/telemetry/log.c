/*
 * log.c - lines of events.
 *
 * A line is put together in a buffer of fixed size, no larger than what a pipe
 * takes as a whole, and written at once if stderr takes it.
 */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <text.h>

#define LINE_MAX_SIZE 4096 /* PIPE_BUF: a pipe that is ready takes so much without a wait */
#define TAIL          16   /* kept free for the end of a line */
#define VALUE_MAX     1024 /* of one text, escaped */

static struct {
    log_format_t format;
    log_level_t level;
    uint64_t dropped;
} state = {LOG_OFF, LOG_ERROR, 0}; /* the program has one stderr */

static const char *const level_names[] = {"error", "warn", "info", "debug"};

typedef struct line {
    size_t size;
    bool json;
    char text[LINE_MAX_SIZE];
} line_t;

void log_open(const config_t *config)
{
    state.format = (log_format_t)config->log;
    state.level = (log_level_t)config->log_level;
    if (config->verbose && state.level < LOG_INFO) {
        state.level = LOG_INFO;
    }
}

/* ---- lines ---- */

__attribute__((format(printf, 2, 3))) static void line_add(line_t *line, const char *format, ...)
{
    const size_t room = sizeof(line->text) - TAIL - line->size;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line->text + line->size, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room) { /* else it is left out as a whole */
        line->size += (size_t)length;
    }
}

/* The code point of a character that is valid UTF-8. */
static uint32_t code_point(const char *at, size_t size)
{
    static const uint32_t lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = (unsigned char)at[0] & lead_bits[size];

    for (size_t i = 1; i < size; i++) {
        point = point << 6 | ((unsigned char)at[i] & 0x3F);
    }
    return point;
}

static void add_escape(line_t *line, uint32_t point)
{
    if (point == '"' || point == '\\') {
        line_add(line, "\\%c", (char)point);
    } else if (point >= 0x10000) {
        line_add(line, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (point >> 10)),
                 (unsigned)(0xDC00 + (point & 0x3FF)));
    } else {
        line_add(line, "\\u%04x", (unsigned)point);
    }
}

/* A JSON string of ASCII alone; what is too long is cut. */
static void add_quoted(line_t *line, const char *text)
{
    const size_t end = line->size + VALUE_MAX;
    size_t left = strlen(text);

    line_add(line, "\"");
    while (left > 0 && line->size < end) {
        bool valid = true;
        size_t size = sk_utf8_step(text, left, &valid);
        if (size == 1 && *text >= ' ' && *text <= '~' && *text != '"' && *text != '\\') {
            line->text[line->size++] = *text; /* add_field() has seen that there is room */
        } else {
            add_escape(line, valid ? code_point(text, size) : 0xFFFD);
        }
        text += size;
        left -= size;
    }
    line_add(line, left > 0 ? "...\"" : "\"");
}

static bool is_plain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:*") ==
               strlen(text) &&
           strlen(text) < VALUE_MAX;
}

static void add_field(line_t *line, const log_field_t *field)
{
    if (field->kind == LOG_KIND_TEXT ? field->text == NULL || *field->text == '\0'
                                     : field->number < 0) {
        return;
    }
    if (line->size + VALUE_MAX + 64 > sizeof(line->text) - TAIL) {
        return; /* no room for it as a whole */
    }
    line_add(line, line->json ? ",\"%s\":" : " %s=", field->name);
    switch (field->kind) {
    case LOG_KIND_TEXT:
        if (!line->json && is_plain(field->text)) {
            line_add(line, "%s", field->text);
        } else {
            add_quoted(line, field->text);
        }
        break;
    case LOG_KIND_NUMBER:
        line_add(line, "%lld", (long long)field->number);
        break;
    case LOG_KIND_MS:
        line_add(line, "%lld.%03lld", (long long)(field->number / 1000000),
                 (long long)(field->number / 1000 % 1000));
        break;
    }
}

static void line_begin(line_t *line, const char *level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char date[32];

    line->size = 0;
    line->json = state.format == LOG_JSON;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    line_add(line,
             line->json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"%s\""
                        : "%s.%03ldZ %s %s",
             date, now.tv_nsec / 1000000, level, event);
}

static void line_write(line_t *line)
{
    struct pollfd out = {STDERR_FILENO, POLLOUT, 0};
    const log_field_t dropped = LOG_NUMBER("dropped", state.dropped);

    if (state.dropped > 0) {
        add_field(line, &dropped);
    }
    /* TAIL bytes are left */
    if (line->json) {
        line->text[line->size++] = '}';
    }
    line->text[line->size++] = '\n';
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 &&
        write(STDERR_FILENO, line->text, line->size) == (ssize_t)line->size) {
        state.dropped = 0;
    } else {
        state.dropped++;
    }
}

void log_write(log_level_t level, const char *event, const log_field_t *fields, size_t count)
{
    line_t line;

    if (state.format == LOG_OFF || level > state.level) {
        return;
    }
    line_begin(&line, level_names[level], event);
    for (size_t i = 0; i < count; i++) {
        add_field(&line, &fields[i]);
    }
    line_write(&line);
}

void log_complain(const char *text)
{
    const log_field_t reason = LOG_TEXT("reason", text);

    if (state.format == LOG_JSON) {
        log_write(LOG_ERROR, "failed", &reason, 1);
    } else {
        (void)fprintf(stderr, "semkernel-sessiond: %s\n", text);
    }
}
