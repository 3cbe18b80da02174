/*
 * log.h - one line an event, on stderr.
 *
 *     LOG_EVENT(LOG_INFO, "worker_gone", LOG_NUMBER("slot", 3), LOG_TEXT("reason", why));
 *
 * As text: time, level, event, name=value ..; as JSON: an object with the same
 * names. Whatever a value holds, the line is ASCII and one line: every other byte
 * is escaped. A line never makes the server wait: one that stderr does not take at
 * once is dropped, and the next line that comes through says how many were.
 *
 * Nothing that belongs to a user of the server stands in it: no code, no output,
 * no token, no identifier of a session (who knows it shares the session), no name
 * of a file.
 */
#ifndef SESSIONS_LOG_PRIVATE_H
#define SESSIONS_LOG_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

typedef enum log_kind { LOG_KIND_TEXT, LOG_KIND_NUMBER, LOG_KIND_MS } log_kind_t;

typedef struct log_field {
    const char *name;
    log_kind_t kind;
    const char *text; /* NULL or empty: the field is left out */
    int64_t number;   /* below 0: it is left out; of a time: nanoseconds */
} log_field_t;

/* clang-format off */
#define LOG_TEXT(name, value)   {(name), LOG_KIND_TEXT, (value), 0}
#define LOG_NUMBER(name, value) {(name), LOG_KIND_NUMBER, NULL, (int64_t)(value)}
#define LOG_MS(name, ns)        {(name), LOG_KIND_MS, NULL, (ns)}
/* clang-format on */

#define LOG_EVENT(level, event, ...)                                                               \
    do {                                                                                           \
        const log_field_t log_fields[] = {__VA_ARGS__};                                            \
        log_write(level, event, log_fields, sizeof(log_fields) / sizeof(log_fields[0]));           \
    } while (0)

/* Before it nothing is written. */
void log_open(const config_t *config);
void log_write(log_level_t level, const char *event, const log_field_t *fields, size_t count);

/* Why the program ends, for whoever started it: one line also before log_open(), and always. */
void log_complain(const char *text);

#endif /* SESSIONS_LOG_PRIVATE_H */
