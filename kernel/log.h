/*
 * log.h - log lines of one kernel, to its host's function or to standard error.
 */
#ifndef KERNEL_LOG_PRIVATE_H
#define KERNEL_LOG_PRIVATE_H

#include <kernel/log.h>

typedef struct kernel__log {
    kernel_log_fn fn; /* NULL: nobody listens */
    void *data;
    int level; /* least that is passed on */
} kernel__log_t;

/* From the host's function, else from SEMKERNEL_LOG. */
void kernel__log_init(kernel__log_t *log, kernel_log_fn fn, void *data, int level);
/* One line, cut at 1023 bytes. */
void kernel__log_write(const kernel__log_t *log, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* KERNEL_LOG_PRIVATE_H */
