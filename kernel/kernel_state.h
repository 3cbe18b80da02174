/*
 * kernel_state.h - what a kernel is made of.
 */
#ifndef KERNEL_STATE_PRIVATE_H
#define KERNEL_STATE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <kernel/kernel.h>

#include "bind.h"
#include "call.h"
#include "config.h"
#include "delivery.h"
#include "extensions.h"
#include "filters.h"
#include "forked.h"
#include "loader.h"
#include "log.h"
#include "loop.h"
#include "pool.h"
#include "registry.h"
#include "turn.h"

struct kernel {
    uint64_t id; /* never used again in this process */
    unsigned fork_count;
    atomic_bool is_closing;
    kernel__log_t log;
    kernel_delivery_t default_delivery;
    uint64_t drain_ms;
    kernel__limits_t limits;
    sk_dotenv_t *dotenv; /* owned; NULL: none */
    char *dotenv_path;   /* owned */
    kernel__config_sources_t sources;

    kernel__loader_t *loader;
    kernel__registry_t registry;
    kernel__turns_t turns;
    kernel__filters_t filters;
    kernel__call_pool_t calls;
    kernel__loop_t loop;
    kernel__pool_t pool;
    kernel__delivery_t delivery;
    kernel__extension_tables_t tables;

    /* waiting for things to end: removal, closing, freeing */
    pthread_mutex_t idle_lock;
    pthread_cond_t idle;
    atomic_long unreported; /* operations whose callback has not run */

    /* kernel_close(), guarded by idle_lock */
    kernel_close_cb close_cb;
    void *close_data;
    uint64_t close_deadline;
    kernel__task_t close_task;
    bool is_close_reported;

    kernel_t *next; /* list of living kernels */
};

static inline bool kernel__is_forked(const kernel_t *kernel)
{
    return kernel->fork_count != atomic_load_explicit(&kernel__fork_count, memory_order_relaxed);
}

/* Around callbacks on a thread of the host's: kernel_free() is refused there. */
typedef struct kernel__dispatch {
    const kernel_t *kernel;
    const struct kernel__dispatch *outer;
} kernel__dispatch_t;
void kernel__dispatch_begin(kernel__dispatch_t *dispatch, const kernel_t *kernel);
void kernel__dispatch_end(const kernel__dispatch_t *dispatch);
/* A callback has run; the kernel may be gone afterwards. */
void kernel__report_end(kernel_t *kernel);
/* Something may have become idle. */
void kernel__idle_notify(kernel_t *kernel);
/* KERNEL_OK, KERNEL_E_FORKED or KERNEL_E_CLOSED; NULL: KERNEL_E_INVALID. */
kernel_status_t kernel__check_open(const kernel_t *kernel, kernel_error_t *error);

#endif /* KERNEL_STATE_PRIVATE_H */
