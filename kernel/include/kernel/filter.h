/*
 * kernel/filter.h - code of the host around every call of a function.
 *
 * A filter is a pair: `before` sees the call and may answer instead of the
 * function; `after` sees the result and may replace it or ask for one retry.
 * It is Semantic Kernel's function invocation filter (context, next), cut in
 * two at next() so that it is the same for plain and asynchronous functions:
 * the first filter added is the outermost, its `before` runs first and its
 * `after` last. When a `before` answers, only the filters outside it see that
 * result in their `after`.
 *
 * Both run on a thread that takes part in the call: `before` where the call is
 * started, `after` where the caller waits or, for kernel_invoke_async(), on the
 * kernel's loop thread, as does `before` of a retry. They must not block there.
 */
#ifndef KERNEL_FILTER_H
#define KERNEL_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include <kernel/export.h>
#include <kernel/status.h>
#include <kernel/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a filter wants. */
typedef enum kernel_filter_verdict {
    KERNEL_FILTER_CONTINUE = 0, /* go on */
    KERNEL_FILTER_ANSWER = 1,   /* before: do not run the function, the result is set; without one
                                   the call is refused with KERNEL_E_DENIED */
    KERNEL_FILTER_RETRY = 2     /* after: run the function once more (granted once a call) */
} kernel_filter_verdict_t;

/*
 * Runs before the function, with bound and checked arguments.
 *
 * [thread: any] [borrowed: context, until return]
 */
typedef kernel_filter_verdict_t (*kernel_filter_before_fn)(kernel_filter_context_t *context,
                                                           void *data);

/*
 * Runs after the function, also when it failed.
 *
 * [thread: any] [borrowed: context, until return] [borrowed: result, until return]
 */
typedef kernel_filter_verdict_t (*kernel_filter_after_fn)(kernel_filter_context_t *context,
                                                          const kernel_result_t *result,
                                                          void *data);

/* A filter; `before` or `after` may be NULL. Begin with KERNEL_FILTER_INIT. */
typedef struct kernel_filter {
    size_t size;      /* set by the initialiser */
    const char *name; /* for removal, unique in the kernel; copied */
    kernel_filter_before_fn before;
    kernel_filter_after_fn after;
    void *data; /* handed to both; the host's, must outlive the kernel */
} kernel_filter_t;

/* clang-format off */
#define KERNEL_FILTER_INIT { sizeof(kernel_filter_t), NULL, NULL, NULL, NULL }
/* clang-format on */

/*
 * Add a filter innermost. Calls that are running keep the chain they began
 * with.
 *
 * KERNEL_E_INVALID    no name, or neither function
 * KERNEL_E_EXISTS     a filter of that name is there
 * KERNEL_E_LIMIT      more than 32 filters
 * KERNEL_E_NO_MEMORY
 *
 * [thread: any]
 */
KERNEL_API kernel_status_t kernel_add_filter(kernel_t *kernel, const kernel_filter_t *filter,
                                             kernel_error_t *error);

/*
 * Remove a filter. Calls that are running may still use it: do not free `data`
 * before the kernel is freed.
 *
 * KERNEL_E_NOT_FOUND  there is none of that name
 *
 * [thread: any]
 */
KERNEL_API kernel_status_t kernel_remove_filter(kernel_t *kernel, const char *name,
                                                kernel_error_t *error);

/* The function that is called. [thread: any] [borrowed: context, until the kernel is freed] */
KERNEL_API kernel_function_t *kernel_filter_function(const kernel_filter_context_t *context);

/*
 * The arguments as the function will see them: checked, converted, with
 * defaults filled in. Made at the first request of a call; NULL when memory
 * runs out.
 *
 * [thread: any] [borrowed: context, until the filter returns]
 */
KERNEL_API const kernel_args_t *kernel_filter_args(kernel_filter_context_t *context);

/*
 * Let the function see other arguments; only in `before`. They are copied and
 * checked like those of a call.
 *
 * KERNEL_E_INVALID  they do not fit the function; the old ones stay
 *
 * [thread: any]
 */
KERNEL_API kernel_status_t kernel_filter_set_args(kernel_filter_context_t *context,
                                                  const kernel_args_t *args,
                                                  kernel_error_t *error) KERNEL_MUST_CHECK;

/*
 * Set the result: in `before` together with KERNEL_FILTER_ANSWER (with any
 * other verdict it is dropped), in `after` to replace the function's. It is
 * kept, the caller still frees its own.
 *
 * [thread: any]
 */
KERNEL_API void kernel_filter_set_result(kernel_filter_context_t *context,
                                         const kernel_result_t *result);

/* 1, or 2 after a retry. [thread: any] */
KERNEL_API int kernel_filter_attempt(const kernel_filter_context_t *context);

/* Did a model ask for this call? [thread: any] */
KERNEL_API bool kernel_filter_is_from_model(const kernel_filter_context_t *context);

/*
 * A pointer that is this filter's alone during one call, to carry something
 * from `before` to `after`; NULL at first, and NULL as return when memory runs
 * out.
 *
 * [thread: any] [borrowed: context, until the call ends]
 */
KERNEL_API void **kernel_filter_slot(kernel_filter_context_t *context);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_FILTER_H */
