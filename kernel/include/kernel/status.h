/*
 * kernel/status.h - why something could not be done.
 *
 * One list makes the enum, the names and the texts. KERNEL_E_X and the plugin
 * side's KP_E_X are the same number; -100 and below exist for hosts only.
 */
#ifndef KERNEL_STATUS_H
#define KERNEL_STATUS_H

#include <stddef.h>

#include <kernel/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
#define KERNEL_STATUS_LIST(X)                                                                      \
    X(OK,               0,    "done")                                                              \
    X(E_INVALID,        -1,   "an argument or a configuration value is not valid")                 \
    X(E_NOT_FOUND,      -2,   "there is nothing of that name")                                     \
    X(E_EXISTS,         -3,   "the name is taken")                                                 \
    X(E_DENIED,         -4,   "a policy does not allow it")                                        \
    X(E_AUTH,           -5,   "credentials are missing or were refused")                           \
    X(E_TIMEOUT,        -6,   "the deadline passed")                                               \
    X(E_CANCELLED,      -7,   "the call was cancelled")                                            \
    X(E_BUSY,           -8,   "too much is going on, try again later")                             \
    X(E_UNAVAILABLE,    -9,   "it cannot be reached or is being removed")                          \
    X(E_REMOTE,         -10,  "the far side answered with an error")                               \
    X(E_LIMIT,          -11,  "too big, too deep or too many")                                     \
    X(E_NO_MEMORY,      -12,  "memory ran out")                                                    \
    X(E_UNSUPPORTED,    -13,  "this is not supported")                                             \
    X(E_INTERNAL,       -14,  "a function or the kernel broke its contract")                       \
    X(E_CRASHED,        -15,  "the process that ran the function died")                            \
    X(E_ABI,            -16,  "the file is not a plugin that this kernel can load")                \
    X(E_WOULD_DEADLOCK, -17,  "waiting here could never end")                                      \
    X(E_DEPTH,          -18,  "calls are nested deeper than 64")                                   \
    X(E_FORKED,         -100, "the kernel was made before fork() and serves the parent alone")     \
    X(E_CLOSED,         -101, "the kernel is being closed")
/* clang-format on */

typedef enum kernel_status {
#define KERNEL_STATUS_ENUM(name, number, text) KERNEL_##name = number,
    KERNEL_STATUS_LIST(KERNEL_STATUS_ENUM)
#undef KERNEL_STATUS_ENUM
} kernel_status_t;

/*
 * The name of a status, for instance "KERNEL_E_TIMEOUT"; "KERNEL_E_?" for a
 * number that is none.
 *
 * [thread: any] [borrowed: constant, for ever]
 */
KERNEL_API const char *kernel_status_name(kernel_status_t status);

/*
 * What a status means in general; the text in kernel_error_t or in a result
 * says more.
 *
 * [thread: any] [borrowed: constant, for ever]
 */
KERNEL_API const char *kernel_status_text(kernel_status_t status);

/*
 * The first failure of a series of calls. Begin with KERNEL_ERROR_INIT and
 * pass the same one to all of them: the cause is still there at the end, since
 * an error that is set is never overwritten, not by a success either. Whether
 * one call of the series worked, its return value says. The text says what was attempted,
 * on what, why it failed and what to do; it outlives the kernel.
 */
typedef struct kernel_error {
    size_t size;            /* set by the initialiser; tells old callers from new */
    kernel_status_t status; /* KERNEL_OK: no failure so far */
    char text[512];         /* NUL-terminated UTF-8, "" without a failure */
} kernel_error_t;

/* clang-format off */
#define KERNEL_ERROR_INIT { sizeof(kernel_error_t), KERNEL_OK, "" }
/* clang-format on */

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_STATUS_H */
