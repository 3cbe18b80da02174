/*
 * call.h - one execution of a function, as the plugin sees it.
 *
 * The memory is type-stable: records are made in slabs, live until the kernel is
 * freed, and are used again first-in-first-out. A plugin that completes or emits
 * too late therefore meets a record that knows it is over.
 *
 * A record is held (refs) by its execution, by the operation that waits for it,
 * by each hold of a provider, by each child. What the host sees of a call - its
 * outcome, deadline, delivery - is the operation's (operation.h); a plain
 * function called without options has none.
 */
#ifndef KERNEL_CALL_PRIVATE_H
#define KERNEL_CALL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "arena.h"
#include "clock.h"
#include "loop.h"
#include "turn.h"

#define KERNEL__CALL_DEPTH_MAX   64
#define KERNEL__CALL_ARENA_FIRST 512

typedef enum kernel__call_phase {
    KERNEL__CALL_FREE,     /* in the pool of records */
    KERNEL__CALL_READY,    /* made, its function not begun */
    KERNEL__CALL_RUNNING,  /* inside its function */
    KERNEL__CALL_PENDING,  /* the function returned KP_PENDING */
    KERNEL__CALL_COMPLETED /* over for the plugin; held by somebody yet */
} kernel__call_phase_t;

typedef enum kernel__hook_state {
    KERNEL__HOOK_NONE,
    KERNEL__HOOK_INSTALLED,
    KERNEL__HOOK_RUNNING,
    KERNEL__HOOK_DONE
} kernel__hook_state_t;

typedef struct kernel__attachment { /* of the result in the making; in the arena */
    struct kernel__attachment *next;
    kp_attachment pub;
} kernel__attachment_t;

typedef struct kernel__call kernel__call_t;
struct kernel__call {
    kp_call pub; /* what the plugin sees; must be first */

    /* fixed from the beginning to the end of one use */
    kernel_t *kernel;
    _Atomic(kernel_function_t *) function;
    kernel__call_t *parent;  /* held; NULL: called by the host */
    kernel__call_t *beneath; /* while it runs: the call that runs on the same thread, below it */
    const kernel_args_t *context;
    kernel_call_t *context_owner; /* held; whose `context` it is: a child may outlive its parent */
    uint64_t deadline;            /* monotonic ns; 0: none */
    uint32_t depth;               /* from 1 */
    bool has_turn;

    atomic_uint phase;    /* kernel__call_phase_t */
    atomic_int cancelled; /* 0, else KP_E_CANCELLED or KP_E_TIMEOUT */
    atomic_uint refs;
    atomic_bool is_touched; /* something of the next block is in use */
    uint64_t generation;    /* counts the uses */

    pthread_mutex_t lock; /* guards the next block */
    pthread_cond_t calm;  /* the cancel hook has returned */
    /* held until the end; NULL: a plain function called without options */
    kernel_call_t *operation;
    bool is_early; /* completed before the function returned */
    int early_status;
    bool is_finish_due; /* completed while the cancel hook ran: its return finishes */
    int due_status;
    kernel__hook_state_t hook_state;
    kp_cancel_fn hook;
    void *hook_arg;
    kp_drain_fn drain;
    void *drain_arg;
    struct kp_hold *holds;
    bool is_drain_posted;
    kernel__task_t cancel_task;
    kernel__task_t drain_task;

    /* guarded by the kernel's turns.lock */
    kernel__turn_wait_t *wait;
    kernel__call_t *children;
    kernel__call_t *sibling;
    bool is_cancel_passed; /* the parent's cancellation was told to it */

    /* the plugin's thread of the moment alone */
    kernel__arena_t arena;
    const char *error;
    const char *detail;
    const char *text;
    size_t text_size;
    kernel__attachment_t *attachments; /* the newest first */
    uint32_t attachment_count;
    size_t attachment_size;

    kernel__call_t *next; /* free list */
    _Alignas(16) char first[KERNEL__CALL_ARENA_FIRST];
};

typedef struct kernel__call_slab kernel__call_slab_t;
typedef struct kernel__call_pool {
    pthread_mutex_t lock;
    kernel__call_t *first; /* free ones, the longest unused first */
    kernel__call_t *last;
    size_t free_count;
    kernel__call_slab_t *slabs;
} kernel__call_pool_t;

void kernel__call_pool_init(kernel_t *kernel);
void kernel__call_pool_fini(kernel_t *kernel);
/* Leave the list by which threads that end find their kernel; before anything is freed. */
void kernel__call_pool_retire(kernel_t *kernel);

/* A record in phase READY with one reference, for a function whose instance was entered. NULL: no
 * memory. */
kernel__call_t *kernel__call_new(kernel_function_t *function);
/* The same from this thread's own few, for a call that ends on this thread; the instance need not
 * be entered, the record itself keeps it. NULL: *status_out says why. */
kernel__call_t *kernel__call_new_here(kernel_function_t *function, kernel_status_t *status_out);
void kernel__call_keep(kernel__call_t *call);
void kernel__call_drop(kernel__call_t *call);
/* End a call of kernel__call_new_here(). Nothing of the kernel is touched afterwards. */
void kernel__call_drop_here(kernel__call_t *call);

/* Become a child of `parent`: depth and context are inherited, cancellation reaches it. */
void kernel__call_attach(kernel__call_t *call, kernel__call_t *parent);

/* Take the context of an operation (held) for that of the call; NULL: none. */
void kernel__call_set_context(kernel__call_t *call, kernel_call_t *owner);

/* The innermost call that runs on this thread, NULL if none. */
kernel__call_t *kernel__call_current(void);
/* How many calls run on this thread inside each other, of whichever kernels. */
unsigned kernel__call_stack_depth(void);
/* Does this thread run a call of the kernel (plugin NULL) or of the instance, or one that such a
 * call waits for? */
bool kernel__call_is_inside(const kernel_t *kernel, const kernel_plugin_t *plugin);

/*
 * Run the function on this thread. True: it has answered, and the status (KP_OK or negative) is
 * written; false: it is pending, kernel__operation_answered() will be called.
 */
bool kernel__call_run(kernel__call_t *call, int *status_out);
/* The status to report for the function's own: one that fails when it was asked to stop was
 * cancelled, or too late. */
int kernel__call_status(const kernel__call_t *call, int status);
/* What the function answered, as a result that owns its memory. Never NULL. */
kernel_result_t *kernel__call_result(kernel__call_t *call, int status);
/* The execution is over, or never was: gives the turn, lets go of the operation and the parent. The
 * caller then drops the execution's reference and, last of all, leaves the instance: until then the
 * kernel is not freed. */
void kernel__call_end(kernel__call_t *call);
/* End, drop, leave: for a call whose function will not run. */
void kernel__call_abort(kernel__call_t *call);
/* Result, answer to the operation, end, drop: for a call that has an operation and will not run any
 * more. */
void kernel__call_finish(kernel__call_t *call, int status);
/* Note why it fails; what the plugin gets as kp_fail(). */
void kernel__call_fail(kernel__call_t *call, int code, const char *text, size_t size,
                       const char *detail_json);
/* Give it an operation, which it holds. */
void kernel__call_set_operation(kernel__call_t *call, kernel_call_t *operation);
/* kp_complete() of a pending call, or what takes its place. */
void kernel__call_complete(kernel__call_t *call, int status);

/* Ask the function to stop: sets the flag, wakes its hook, holds, children and its wait for a turn.
 * Does nothing when it is over or was asked before. [thread: any] */
void kernel__call_cancel(kernel__call_t *call, int status);
/* Cancelled, or past its deadline? 0, or the status to stop with. */
static inline int kernel__call_stop_status(const kernel__call_t *call)
{
    int cancelled = atomic_load_explicit(&call->cancelled, memory_order_acquire);

    if (cancelled != 0 || call->deadline == 0) {
        return cancelled;
    }
    return kernel__clock_now() >= call->deadline ? KP_E_TIMEOUT : KP_OK;
}
/* There is room for chunks again: run the drain hook, if there is one. [thread: any] */
void kernel__call_drain(kernel__call_t *call);
/* Is its function done with it? */
bool kernel__call_is_over(kernel__call_t *call);
/* Mark that the block behind `lock` is in use. */
void kernel__call_touch(kernel__call_t *call);
/* Cancel all calls of an instance (NULL: all there are); their operations settle with `status`. */
void kernel__call_cancel_all(kernel_t *kernel, const kernel_plugin_t *plugin,
                             kernel_status_t status);
/* Is any record of the instance (NULL: of the kernel) in use? */
bool kernel__call_any(kernel_t *kernel, const kernel_plugin_t *plugin);
/* Tell the holds of calls of an instance that are over, but held, to stop. [thread: loop] */
void kernel__call_stop_holds(kernel_t *kernel, const kernel_plugin_t *plugin);
/* Log the names of calls of an instance (NULL: all) that have not ended. */
void kernel__call_log_unfinished(kernel_t *kernel, const kernel_plugin_t *plugin);

/* A plugin broke the contract: log; a build with KERNEL_ABORT_ON_MISUSE aborts. */
void kernel__call_misuse(kernel_t *kernel, const kernel__call_t *call, const char *what);

#endif /* KERNEL_CALL_PRIVATE_H */
