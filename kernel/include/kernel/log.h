/*
 * kernel/log.h - what the kernel has to say.
 *
 * Nothing is printed unless asked: by a function in kernel_options_t, or by the
 * environment variable SEMKERNEL_LOG=trace|debug|info|warn|error, which writes
 * to standard error. Log lines hold names, numbers and lengths, never code,
 * tokens or secrets.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

/* How important a line is; the numbers are those of the plugin ABI. */
typedef enum kernel_log_level {
    KERNEL_LOG_TRACE = 0,
    KERNEL_LOG_DEBUG = 1,
    KERNEL_LOG_INFO = 2,
    KERNEL_LOG_WARN = 3,
    KERNEL_LOG_ERROR = 4
} kernel_log_level_t;

/*
 * Receives one line without a line end. Called by several threads at a time; it
 * must not call the kernel.
 *
 * [thread: any] [borrowed: line, until return]
 */
typedef void (*kernel_log_fn)(kernel_log_level_t level, const char *line, void *data);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_LOG_H */
