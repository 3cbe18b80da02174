/*
 * usage.h - what a session uses, where neither a control group nor a file system
 * of its own limits it.
 */
#ifndef SESSIONS_USAGE_PRIVATE_H
#define SESSIONS_USAGE_PRIVATE_H

#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

typedef enum usage_excess {
    USAGE_WITHIN,
    USAGE_MEMORY,
    USAGE_PROCESSES,
    USAGE_FILES, /* too much in them, too many, nested too deeply, or hidden */
} excess_t;

/* Does it use more than it may? All processes below the launcher, and what is in the directories
 * or was removed from them and is still open, count. */
excess_t usage_find_excess(pid_t launcher, const char *data, const char *tmp,
                           const config_t *config);

/* The bytes of a process that are in memory, shared pages by their share; -1 if it hides, 0
 * if it is gone. Its directory in `proc` is named by its number. */
int64_t usage_of_memory(int proc, const char *number);

/* How many processes and threads this user has on the machine. */
int64_t usage_count_tasks(uid_t user);

#endif /* SESSIONS_USAGE_PRIVATE_H */
