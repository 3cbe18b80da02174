/*
 * kernel/invoke.h - call a kernel function and get its result.
 *
 * The usual case is one line, because a look-up that finds nothing may be
 * passed straight on:
 *
 *     result = kernel_invoke(kernel_plugin_find(plugin, "upper"), args);
 *
 * A failed call is a result too: look at kernel_result_status() first.
 */
#ifndef KERNEL_INVOKE_H
#define KERNEL_INVOKE_H

#include <stddef.h>
#include <stdint.h>

#include <kernel/export.h>
#include <kernel/result.h>
#include <kernel/status.h>
#include <kernel/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where callbacks run. Chosen per kernel, overridable per call. */
typedef enum kernel_delivery {
    KERNEL_DELIVERY_DEFAULT = 0, /* the kernel's choice; for the kernel: LOOP */
    KERNEL_DELIVERY_LOOP = 1,    /* on the kernel's own loop thread; callbacks must not block */
    KERNEL_DELIVERY_FD = 2,      /* in kernel_dispatch(), when kernel_completion_fd() is readable */
    KERNEL_DELIVERY_UV = 3       /* in the host's uv_loop_t (kernel_options_t.loop) */
} kernel_delivery_t;

/* What a chunk holds; the numbers are those of the plugin ABI. */
typedef enum kernel_chunk_kind {
    KERNEL_CHUNK_TEXT = 1, /* UTF-8 */
    KERNEL_CHUNK_JSON = 2, /* JSON text */
    KERNEL_CHUNK_BYTES = 3
} kernel_chunk_kind_t;

/*
 * Receives a piece of output while the call goes on, in order, before its
 * result and never beside another callback of the same call. A NUL follows the
 * data.
 *
 * [thread: chosen] [borrowed: data, until return]
 */
typedef void (*kernel_chunk_fn)(kernel_chunk_kind_t kind, const void *data, size_t size,
                                void *user_data);

/* Receives how far the call is, from 0 to 1. [thread: chosen] */
typedef void (*kernel_progress_fn)(double fraction, void *user_data);

/*
 * Options of one call. Begin with KERNEL_INVOKE_OPTIONS_INIT; zero means the
 * default named beside the field. New fields are only ever added at the end.
 */
typedef struct kernel_invoke_options {
    size_t size;                    /* set by the initialiser; tells old callers from new */
    uint64_t timeout_ms;            /* 0: no deadline */
    kernel_cancel_t *cancel;        /* NULL: none; kept during the call */
    kernel_chunk_fn on_chunk;       /* NULL: chunks are dropped */
    kernel_progress_fn on_progress; /* NULL: dropped */
    void *stream_data;              /* handed to on_chunk and on_progress */
    const kernel_args_t *context;   /* ambient values that plugins ask for; copied; NULL: none */
    kernel_delivery_t delivery;     /* of kernel_invoke_async(); the waiting forms call back on
                                    the waiting thread */
    int from_model;                 /* not 0: a model asked for this call */
} kernel_invoke_options_t;

/* clang-format off */
#define KERNEL_INVOKE_OPTIONS_INIT                                                                 \
    { sizeof(kernel_invoke_options_t), 0, NULL, NULL, NULL, NULL, NULL, KERNEL_DELIVERY_DEFAULT, 0 }
/* clang-format on */

/*
 * Make a call and wait for its result. Arguments become the declared type where
 * nothing is lost: "5" and 5.0 the integer 5, 5 the number 5.0 or the string
 * "5", "true" a boolean, JSON text an object or array, base64 text bytes; "5.5"
 * for an integer, 1 for a boolean, bytes for a string are refused.
 * A plain function runs right here, on
 * the calling thread; for an async one the caller sleeps until it is answered.
 * Never returns NULL: what could not even be started comes back as a result
 * with that status.
 *
 * KERNEL_E_NOT_FOUND       `function` is NULL: the look-up before found nothing
 * KERNEL_E_INVALID         an argument is unknown, missing, of the wrong type or not allowed
 * KERNEL_E_LIMIT           an argument is larger than the kernel's limit
 * KERNEL_E_UNAVAILABLE     its plugin was removed
 * KERNEL_E_WOULD_DEADLOCK  called on the kernel's own loop thread, which must never wait: use
 *                          kernel_invoke_async() there; or the call would wait for one that
 *                          waits for it
 * KERNEL_E_DEPTH           more than 64 calls inside each other
 * KERNEL_E_FORKED          the kernel was made before fork()
 * KERNEL_E_CLOSED          the kernel is being freed
 * or what the function itself answered
 *
 * [thread: any but loop] [owned: kernel_result_free] [nullable: args]
 */
KERNEL_API kernel_result_t *kernel_invoke(const kernel_function_t *function,
                                          const kernel_args_t *args)
    KERNEL_OWNED(kernel_result_free);

/*
 * The same with options. At the deadline the result is KERNEL_E_TIMEOUT, after
 * a cancellation KERNEL_E_CANCELLED, at once: an async function is told to stop
 * and left behind. A plain function runs on this thread and is told, too, but
 * runs to its end: a value that comes late is delivered, a failure that comes
 * late becomes KERNEL_E_TIMEOUT or KERNEL_E_CANCELLED with the function's text.
 *
 * [thread: any but loop] [owned: kernel_result_free] [nullable: args, options]
 */
KERNEL_API kernel_result_t *kernel_invoke_with(const kernel_function_t *function,
                                               const kernel_args_t *args,
                                               const kernel_invoke_options_t *options)
    KERNEL_OWNED(kernel_result_free);

/*
 * Call a function by its full name ("plugin-function") with a JSON object of
 * arguments, the form that models send. The text is read strictly: equal names,
 * invalid UTF-8, numbers that lose digits, trailing text are refused with a text
 * that says how to repair it.
 *
 * KERNEL_E_NOT_FOUND  no such function; the text names the closest one
 * and all that kernel_invoke() answers
 *
 * [thread: any but loop] [owned: kernel_result_free] [nullable: json]
 */
KERNEL_API kernel_result_t *kernel_invoke_json(kernel_t *kernel, const char *name, const char *json)
    KERNEL_OWNED(kernel_result_free);

/*
 * Receives the outcome of a call: exactly once per started call, and never
 * inside kernel_invoke_async(). On another thread it may well run before that
 * function has returned, so `data` must be ready when the call is started.
 *
 * [thread: chosen] [borrowed: result, until return]
 */
typedef void (*kernel_invoke_cb)(const kernel_result_t *result, void *data);

/*
 * Start a call and report its outcome to `cb`, which gets `data` back. `args`
 * and `options` are copied and may be NULL. `call_out` may be NULL; it is set
 * to a handle for kernel_call_cancel() before `cb` can run, or to NULL on
 * failure. After any failure `cb` never runs; arguments that do not fit are an
 * outcome, not a failure to start.
 *
 * KERNEL_E_NOT_FOUND  `function` is NULL: the look-up before found nothing
 * KERNEL_E_INVALID    `cb` is NULL, or `options` were not initialised
 * KERNEL_E_CLOSED     the kernel is being freed
 * KERNEL_E_FORKED     the kernel was made before fork()
 * KERNEL_E_NO_MEMORY
 *
 * [thread: any] [owned: *call_out, kernel_call_release]
 */
KERNEL_API kernel_status_t kernel_invoke_async(const kernel_function_t *function,
                                               const kernel_args_t *args,
                                               const kernel_invoke_options_t *options,
                                               kernel_invoke_cb cb, void *data,
                                               kernel_call_t **call_out) KERNEL_MUST_CHECK;

/*
 * Give up on a call: its callback runs with KERNEL_E_CANCELLED, unless the
 * outcome was already decided. The function is asked to stop, not forced.
 *
 * [thread: any]
 */
KERNEL_API void kernel_call_cancel(kernel_call_t *call);

/*
 * Let go of a handle; NULL is fine. The call itself goes on. It is counted,
 * because only so can a thread cancel a call that another one just finished.
 * A handle may outlive the kernel.
 *
 * [thread: any]
 */
KERNEL_API void kernel_call_release(kernel_call_t *call);

/* Let go of a cancellation; NULL is fine. Calls that use it keep it. [thread: any] */
KERNEL_API void kernel_cancel_free(kernel_cancel_t *cancel);

/*
 * Make a cancellation that any number of calls may be given in their options,
 * so that another thread can end them, waiting ones included. NULL when memory
 * runs out.
 *
 * [thread: any] [owned: kernel_cancel_free]
 */
KERNEL_API kernel_cancel_t *kernel_cancel_new(void) KERNEL_OWNED(kernel_cancel_free);

/* Cancel all calls that have it, now and later; once for ever. [thread: any] */
KERNEL_API void kernel_cancel_trigger(kernel_cancel_t *cancel);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_INVOKE_H */
