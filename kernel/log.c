/*
 * log.c - log lines of one kernel, to its host's function or to standard error.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "text.h"

#define LINE_ROOM 1024

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error"};

#define LEVEL_COUNT ((int)(sizeof(level_names) / sizeof(level_names[0])))

/* One write a line, so that the lines of several threads do not mix. */
static void log_to_standard_error(kernel_log_level_t level, const char *line, void *data)
{
    char text[LINE_ROOM + 32];
    int size = snprintf(text, sizeof(text), "semkernel %s: %s\n", level_names[(int)level], line);
    ssize_t written = write(STDERR_FILENO, text, (size_t)size);

    (void)data;
    (void)written; /* a log that cannot be written is nobody's failure */
}

static int level_of(const char *name)
{
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (strcasecmp(name, level_names[level]) == 0) {
            return level;
        }
    }
    return -1;
}

void kernel__log_init(kernel__log_t *log, kernel_log_fn fn, void *data, int level)
{
    const char *wanted = getenv("SEMKERNEL_LOG");

    *log = (kernel__log_t){.fn = fn, .data = data, .level = level};
    if (fn != NULL || wanted == NULL || wanted[0] == '\0') {
        return;
    }
    log->fn = log_to_standard_error;
    log->data = NULL;
    log->level = level_of(wanted);
    if (log->level < 0) {
        log->level = KERNEL_LOG_INFO;
        kernel__log_write(log, KERNEL_LOG_WARN,
                          "SEMKERNEL_LOG is '%s', which is none of trace, debug, info, warn and "
                          "error: logging from info on",
                          wanted);
    }
}

void kernel__log_write(const kernel__log_t *log, int level, const char *format, ...)
{
    char line[LINE_ROOM];
    va_list arguments;
    int wanted = 0;

    level = level < 0 ? 0 : level >= LEVEL_COUNT ? LEVEL_COUNT - 1 : level;
    if (log->fn == NULL || level < log->level) {
        return;
    }
    va_start(arguments, format);
    wanted = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (wanted < 0) {
        return;
    }
    if ((size_t)wanted >= sizeof(line)) {
        memcpy(line + sk_utf8_cut(line, sizeof(line) - 1, sizeof(line) - 4), "...", sizeof("..."));
    }
    log->fn((kernel_log_level_t)level, line, log->data);
}
