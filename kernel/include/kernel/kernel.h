/*
 * kernel/kernel.h - all that a host program needs.
 *
 *     kernel_error_t error = KERNEL_ERROR_INIT;
 *     kernel_t *kernel = kernel_new(NULL, &error);
 *     kernel_plugin_t *math = kernel_add_plugin(kernel, "math", NULL, NULL, &error);
 *     kernel_args_t *args = kernel_args_new();
 *     kernel_result_t *result;
 *
 *     kernel_args_set_number(args, "input", 1);
 *     kernel_args_set_number(args, "amount", 1);
 *     result = kernel_invoke(kernel_plugin_find(math, "Add"), args);
 *     puts(kernel_result_text(result));
 *
 *     kernel_result_free(result);
 *     kernel_args_free(args);
 *     kernel_free(kernel);
 *
 * A kernel holds plugins (named, described, typed functions) and services (what
 * plugins use). It has no thread until something asynchronous is asked for;
 * then it has a loop thread of its own and, for plain functions started
 * asynchronously, a pool. Any thread may call any function of this API unless a
 * tag in brackets says otherwise; `loop` in a tag is that loop thread.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include <kernel/alloc.h>
#include <kernel/args.h>
#include <kernel/export.h>
#include <kernel/filter.h>
#include <kernel/invoke.h>
#include <kernel/log.h>
#include <kernel/plugins.h>
#include <kernel/result.h>
#include <kernel/status.h>
#include <kernel/types.h>
#include <kernel/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* libuv's uv_loop_t, only for KERNEL_DELIVERY_UV */

/*
 * Answers a {"$secret":"id"} in a configuration: writes the secret and a NUL to
 * `buffer` and returns true, or false if there is none of that id or the room
 * is too small.
 *
 * [thread: any]
 */
typedef bool (*kernel_secret_fn)(const char *id, char *buffer, size_t size, void *data);

/*
 * Options of a kernel. Begin with KERNEL_OPTIONS_INIT; zero means the default
 * named beside the field. All is copied. New fields are only ever added at the
 * end.
 */
typedef struct kernel_options {
    size_t size;                     /* set by the initialiser; tells old callers from new */
    kernel_log_fn log;               /* NULL: standard error if SEMKERNEL_LOG says so */
    void *log_data;                  /* handed to `log` */
    kernel_log_level_t log_level;    /* least level that goes to `log`; 0: all */
    const char *const *plugin_paths; /* absolute; searched first; NULL-terminated; NULL: none */
    const char *env_file;            /* NULL: ".env" of the working directory if it is there;
                                    "": none; else this file, which must exist */
    kernel_delivery_t delivery;      /* where callbacks run; 0: on the loop thread */
    struct uv_loop_s *loop;          /* for KERNEL_DELIVERY_UV: the host's; kernel_new() and
                                    kernel_free() are called on its thread. It keeps turning while
                                    callbacks are due, and must turn once more after
                                    kernel_free() */
    uint64_t drain_ms;               /* how long freeing and removal wait for calls; 0: 5000 */
    size_t max_argument_size;        /* bytes of one argument; 0: 64 MiB */
    size_t max_json_size;            /* bytes of JSON arguments; 0: 16 MiB */
    uint32_t max_json_depth;         /* of JSON arguments; 0: 64 */
    uint32_t pool_threads;   /* threads that the pool keeps unblocked; 0: cores, at least 4 */
    uint32_t pool_limit;     /* threads at most; 0: 1024 */
    size_t pool_stack_size;  /* bytes; 0: 1 MiB */
    kernel_secret_fn secret; /* NULL: {"$secret":..} is refused */
    void *secret_data;       /* handed to `secret` */
    const char *trust;       /* JSON object: which files may be loaded,
                                    {"require_hash":true,"sha256":{"math":"9f86d0..."}};
                                    NULL: no list */
} kernel_options_t;

/* clang-format off */
#define KERNEL_OPTIONS_INIT                                                                        \
    { sizeof(kernel_options_t), NULL, NULL, KERNEL_LOG_TRACE, NULL, NULL, KERNEL_DELIVERY_DEFAULT, \
      NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL }
/* clang-format on */

/*
 * Free a kernel; NULL is fine. Calls in flight are cancelled and reported, and
 * their functions waited for, at most the drain time; what does not end then is
 * leaked with a log line that names it. Callbacks that wait for
 * kernel_dispatch() or for the host's loop run here. Inside a callback or a call
 * of this kernel it is refused with a log line and does nothing; with
 * KERNEL_DELIVERY_UV call kernel_close() first. Log lines reach nobody unless
 * asked for: give `log` or SEMKERNEL_LOG to see them. In a forked child it frees
 * memory and touches no thread.
 *
 * [thread: any but loop]
 */
KERNEL_API void kernel_free(kernel_t *kernel);

/*
 * Make a kernel. `options` NULL: the defaults.
 *
 * KERNEL_E_INVALID    an option is not valid, or the .env file cannot be read
 * KERNEL_E_NO_MEMORY
 *
 * [thread: any] [owned: kernel_free] [nullable: options, error]
 */
KERNEL_API kernel_t *kernel_new(const kernel_options_t *options, kernel_error_t *error)
    KERNEL_OWNED(kernel_free);

/*
 * Tells that a kernel has closed: the last callback there is. kernel_free() is
 * refused inside it; call it when this has returned.
 *
 * [thread: chosen]
 */
typedef void (*kernel_close_cb)(void *data);

/*
 * Begin to close without waiting: new calls answer KERNEL_E_CLOSED, those in
 * flight are cancelled; when the last has been reported, or the drain time is
 * over, `cb` runs once. Then call kernel_free(). For hosts whose thread turns
 * the loop on which callbacks run.
 *
 * KERNEL_E_CLOSED   it was begun before
 * KERNEL_E_INVALID  `cb` is NULL
 *
 * [thread: any]
 */
KERNEL_API kernel_status_t kernel_close(kernel_t *kernel, kernel_close_cb cb,
                                        void *data) KERNEL_MUST_CHECK;

/*
 * A file descriptor that is readable (level-triggered) while callbacks wait for
 * kernel_dispatch(); the kernel's, do not read or close it. For poll, epoll,
 * GLib, Qt, nginx. -1 if it cannot be made.
 *
 * [thread: any]
 */
KERNEL_API int kernel_completion_fd(kernel_t *kernel);

/*
 * Run the callbacks that wait (results, chunks, progress, close), on this
 * thread; returns how many ran. Those that are added meanwhile wait for the next
 * turn. Several threads may do so at a time: each call's callbacks stay in
 * order, one at a time.
 *
 * [thread: any but loop]
 */
KERNEL_API size_t kernel_dispatch(kernel_t *kernel);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_KERNEL_H */
