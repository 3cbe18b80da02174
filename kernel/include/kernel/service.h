/* kernel/service.h - what service modules need besides plugin.h.
 *
 * A service is a module of the same ABI with no functions: it answers an
 * extension id (kp_plugin.extension) for the plugins that ask for it.  Its own
 * needs - watching descriptors, starting programs, working on behalf of other
 * instances - are the extensions below.
 */
#ifndef KERNEL_SERVICE_H
#define KERNEL_SERVICE_H

#include <kernel/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */

/* ---- operations on behalf of another instance --------------------------- */

#define KP_EXT_PROVIDER "kernel.provider/1"
typedef struct kp_hold kp_hold;
/* [loop], at most once, never after release.  status: KP_E_CANCELLED or KP_E_TIMEOUT. */
typedef void (*kp_stop_fn)(void *arg, int status);
typedef struct kp_provider kp_provider;
struct kp_provider {
    uint32_t size, reserved;
    /* Begin an operation of `user`, for one of its calls or (call NULL) for the instance itself.
     * Until release the instance is not destroyed and the call's memory stays.  fn tells that the
     * operation should end now: the call was cancelled, its deadline passed, the instance is being
     * removed or the kernel closed.  Any number of holds per call.
     * KP_E_CANCELLED, KP_E_TIMEOUT: too late for this call; KP_E_UNAVAILABLE: the instance is being
     * removed; then nothing is held and fn never runs. */
    int  (*hold)(const kp_provider *, kp_instance *provider, kp_instance *user, kp_call *call,
                 kp_stop_fn fn, void *arg, kp_hold **out);                          /* [any]  */
    void (*release)(const kp_provider *, kp_hold *);                                /* [loop] */
};

/* ---- descriptors ---------------------------------------------------------- */

#define KP_EXT_POLL "kernel.poll/1"
enum { KP_POLL_READABLE = 1u, KP_POLL_WRITABLE = 2u,
       KP_POLL_ERROR    = 4u  /* reported only: error or hang-up; the watch has stopped, change() starts it again */ };
typedef struct kp_watch kp_watch;
typedef void (*kp_watch_fn)(void *arg, uint32_t events);                            /* [loop] */
typedef struct kp_poll kp_poll;
struct kp_poll {
    uint32_t size, reserved;
    /* Level-triggered.  One watch per descriptor; unwatch before the descriptor is closed.
     * NULL: no memory, or the descriptor cannot be watched. */
    kp_watch *(*watch)(const kp_poll *, kp_instance *, int fd, uint32_t events, kp_watch_fn fn, void *arg); /* [loop] */
    /* events 0 pauses; the same events as before cost nothing. */
    int       (*change)(const kp_poll *, kp_watch *, uint32_t events);              /* [loop] */
    void      (*unwatch)(const kp_poll *, kp_watch *);                              /* [loop] fn is over */
};

/* ---- programs -------------------------------------------------------------- */

#define KP_EXT_PROCESS "kernel.process/1"
enum { KP_PROCESS_LIFELINE = 1u  /* keep the program's standard input open, without writing, until it
                                  * ends: it reads the end of file when this process dies, however it dies */ };
typedef struct kp_process kp_process;
typedef struct kp_process_exit {
    uint32_t size;
    int32_t  status;             /* KP_OK: it ended by itself; KP_E_TIMEOUT; KP_E_CANCELLED: stop() */
    int32_t  exit_code;          /* -1 if a signal ended it */
    int32_t  signal;             /* 0 if none */
} kp_process_exit;
typedef struct kp_process_options {   /* zero it, then set size and what is needed; all is copied */
    uint32_t size, flags;
    const char *const *argv;          /* NULL-terminated.  argv[0] with a slash: that file; without: a program
                                       * installed with the kernel, else found in PATH */
    const char *const *envp;          /* NULL-terminated NAME=value; NULL: this process's environment */
    const char *cwd;                  /* NULL: this process's */
    const void *input; size_t input_len;  /* written to its standard input; then the end of file */
    uint64_t timeout_ms;              /* 0: none.  Then its process group is killed */
    /* [loop]; stream 1: standard output, 2: standard error.  NULL: goes to /dev/null */
    void (*on_output)(void *arg, kp_process *, uint32_t stream, const void *, size_t);
    void (*on_exit)(void *arg, kp_process *, const kp_process_exit *);  /* [loop] last, exactly once; after
                                       * it the handle is gone */
    void *arg;
} kp_process_options;
typedef struct kp_process_table kp_process_table;
struct kp_process_table {
    uint32_t size, reserved;
    /* The program gets a process group of its own, default signal handling, an empty signal mask and
     * no descriptor but 0, 1 and 2.  KP_E_NOT_FOUND: no such program; the error's text, if wanted,
     * goes to error[error_size].  Anything but KP_OK: no callback will come. */
    int     (*start)(const kp_process_table *, kp_instance *, const kp_process_options *, kp_process **out,
                     char *error, size_t error_size);                               /* [loop] */
    int64_t (*pid)(const kp_process_table *, const kp_process *);                   /* [loop] */
    /* SIGTERM to its group now, SIGKILL after grace_ms (0: at once). */
    void    (*stop)(const kp_process_table *, kp_process *, uint64_t grace_ms);     /* [loop] */
};

/* clang-format on */

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_SERVICE_H */
