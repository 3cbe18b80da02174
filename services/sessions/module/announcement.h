/*
 * announcement.h - what the pool program says of itself: one line of JSON on
 * stdout when it is ready, on stderr why it cannot be.
 *
 *     {"socket":"/run/..","endpoint":"http://localhost","level":"no-cgroup","pid":42}
 *
 * Pure functions.
 */
#ifndef SESSIONS_ANNOUNCEMENT_PRIVATE_H
#define SESSIONS_ANNOUNCEMENT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

typedef struct announcement { /* all owned */
    char *socket;
    char *endpoint;
    char *level;
} announcement_t;

/* Read the line. On failure nothing is left to free and `error` says what is wrong with it. */
bool announcement_read(announcement_t *announcement, const char *line, size_t size, char *error,
                       size_t error_size);
void announcement_fini(announcement_t *announcement);

/* Keep only the end of what a program says. */
void complaint_append(sk_buffer_t *tail, const char *text, size_t size);
/* Its last line, without the program's name, "" if it said nothing, in the place of `out`. */
void complaint_write(sk_buffer_t *out, const sk_buffer_t *tail);

#endif /* SESSIONS_ANNOUNCEMENT_PRIVATE_H */
