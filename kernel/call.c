/*
 * call.c - one execution of a function, from its record to its result.
 *
 *     kernel__call_new      take a record
 *     kernel__call_run      run the function; it answers, or is pending
 *     kernel__call_complete a pending one answers, from any thread
 *     kernel__call_finish   result, report, end
 *     kernel__call_drop     the last holder puts the record back
 *
 * Cancellation comes from the side: a flag that the function may poll, and a
 * task on the loop thread that wakes its hook and the holds of providers.
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "json.h"
#include "kernel_state.h"
#include "operation.h"
#include "result.h"
#include "text.h"

#define CALL_SLAB      32u /* records made at a time */
#define CALL_FREE_MIN  16u /* free ones before one is used again */
#define CALL_CACHE     8u  /* a thread's own */
#define CALL_ERROR_MAX 4096u

struct kernel__call_slab {
    kernel__call_slab_t *next;
    kernel__call_t calls[CALL_SLAB];
};

/* A thread's own records of the kernel it used last, the longest unused first. */
typedef struct call_cache {
    uint64_t kernel_id;
    unsigned first;
    unsigned count;
    kernel__call_t *calls[CALL_CACHE];
} call_cache_t;

static _Thread_local kernel__call_t *call_current;
static _Thread_local call_cache_t call_cache;
static _Thread_local bool call_cache_is_watched;

static pthread_mutex_t call_kernels_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the next */
static kernel_t *call_kernels;
static pthread_once_t call_cache_once = PTHREAD_ONCE_INIT;
static pthread_key_t call_cache_key;

static void call_on_cancel_task(kernel__task_t *task);

/* ---- the pool of records ---- */

static void pool_put(kernel__call_pool_t *pool, kernel__call_t *call)
{
    call->next = NULL;
    (void)pthread_mutex_lock(&pool->lock);
    if (pool->last != NULL) {
        pool->last->next = call;
    } else {
        pool->first = call;
    }
    pool->last = call;
    pool->free_count++;
    (void)pthread_mutex_unlock(&pool->lock);
}

static void call_prepare(kernel_t *kernel, kernel__call_t *call)
{
    call->kernel = kernel;
    atomic_init(&call->function, NULL);
    atomic_init(&call->phase, KERNEL__CALL_FREE);
    atomic_init(&call->cancelled, 0);
    atomic_init(&call->refs, 0);
    atomic_init(&call->is_touched, false);
    (void)pthread_mutex_init(&call->lock, NULL);
    kernel__condition_init(&call->calm);
    kernel__arena_init(&call->arena, call->first, sizeof(call->first));
}

/* With the pool's lock held. */
static bool pool_grow(kernel_t *kernel, kernel__call_pool_t *pool)
{
    kernel__call_slab_t *slab = sk_calloc(1, sizeof(*slab));

    if (slab == NULL) {
        return false;
    }
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (unsigned i = 0; i < CALL_SLAB; i++) {
        kernel__call_t *call = &slab->calls[i];

        call_prepare(kernel, call);
        call->next = pool->first;
        pool->first = call;
        if (pool->last == NULL) {
            pool->last = call;
        }
    }
    pool->free_count += CALL_SLAB;
    return true;
}

static kernel__call_t *pool_get(kernel_t *kernel)
{
    kernel__call_pool_t *pool = &kernel->calls;
    kernel__call_t *call;

    (void)pthread_mutex_lock(&pool->lock);
    if (pool->free_count < CALL_FREE_MIN) {
        (void)pool_grow(kernel, pool);
    }
    call = pool->first;
    if (call != NULL) {
        pool->first = call->next;
        pool->last = pool->first != NULL ? pool->last : NULL;
        pool->free_count--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return call;
}

/* Give this thread's records back to their kernel, if it still lives. */
static void cache_flush(call_cache_t *cache)
{
    kernel_t *kernel;

    (void)pthread_mutex_lock(&call_kernels_lock);
    kernel = call_kernels;
    while (kernel != NULL && kernel->id != cache->kernel_id) {
        kernel = kernel->next;
    }
    while (kernel != NULL && cache->count > 0) {
        pool_put(&kernel->calls, cache->calls[cache->first]);
        cache->first = (cache->first + 1) % CALL_CACHE;
        cache->count--;
    }
    (void)pthread_mutex_unlock(&call_kernels_lock);
    cache->count = 0;
}

static void cache_on_thread_end(void *data)
{
    cache_flush(data);
}

static void cache_make_key(void)
{
    (void)pthread_key_create(&call_cache_key, cache_on_thread_end);
}

static void cache_adopt(kernel_t *kernel)
{
    cache_flush(&call_cache);
    call_cache.kernel_id = kernel->id;
    if (!call_cache_is_watched) {
        (void)pthread_once(&call_cache_once, cache_make_key);
        (void)pthread_setspecific(call_cache_key, &call_cache);
        call_cache_is_watched = true;
    }
}

void kernel__call_after_fork(void)
{
    (void)pthread_mutex_init(&call_kernels_lock, NULL);
}

void kernel__call_pool_init(kernel_t *kernel)
{
    (void)pthread_mutex_init(&kernel->calls.lock, NULL);
    (void)pthread_mutex_lock(&call_kernels_lock);
    kernel->next = call_kernels;
    call_kernels = kernel;
    (void)pthread_mutex_unlock(&call_kernels_lock);
}

void kernel__call_pool_retire(kernel_t *kernel)
{
    kernel_t **at = &call_kernels;

    (void)pthread_mutex_lock(&call_kernels_lock);
    while (*at != NULL && *at != kernel) {
        at = &(*at)->next;
    }
    if (*at == kernel) {
        *at = kernel->next;
    }
    (void)pthread_mutex_unlock(&call_kernels_lock);
}

void kernel__call_pool_fini(kernel_t *kernel)
{
    kernel__call_pool_t *pool = &kernel->calls;

    while (pool->slabs != NULL) {
        kernel__call_slab_t *slab = pool->slabs;

        pool->slabs = slab->next;
        for (unsigned i = 0; i < CALL_SLAB; i++) {
            kernel__arena_reset(&slab->calls[i].arena);
            if (!kernel__is_forked(kernel)) { /* it would wait for the parent's threads */
                (void)pthread_cond_destroy(&slab->calls[i].calm);
            }
            (void)pthread_mutex_destroy(&slab->calls[i].lock);
        }
        sk_free(slab);
    }
    (void)pthread_mutex_destroy(&pool->lock);
}

/* ---- a record's use ---- */

static void call_begin(kernel__call_t *call, kernel_function_t *function)
{
    kp_call *pub = &call->pub;

    pub->host = &kernel__host;
    pub->instance = &function->plugin->pub;
    pub->self = function->self;
    pub->function = &function->descriptor;
    pub->argv = NULL;
    pub->argc = (uint32_t)function->signature.count;
    pub->flags = 0;
    pub->status = 0;
    pub->reserved0 = 0;
    pub->result.type = KP_NULL;
    pub->result.flags = 0;
    pub->result.as.text.ptr = NULL;
    pub->result.as.text.len = 0;
    pub->result_free = NULL;
    pub->data = NULL;
    call->parent = NULL;
    call->context = NULL;
    call->context_owner = NULL;
    call->deadline = 0;
    call->depth = 1;
    call->has_turn = false;
    call->error = NULL;
    call->detail = NULL;
    call->text = NULL;
    call->text_size = 0;
    call->attachments = NULL;
    call->attachment_count = 0;
    call->attachment_size = 0;
    call->generation++;
    atomic_store_explicit(&call->function, function, memory_order_relaxed);
    atomic_store_explicit(&call->cancelled, 0, memory_order_relaxed);
    atomic_store_explicit(&call->phase, KERNEL__CALL_READY, memory_order_relaxed);
    /* Who removes the instance closes it first and looks at the records then; we look at its state
     * after this: one of the two sees the other. */
    atomic_store_explicit(&call->refs, 1, memory_order_seq_cst);
}

kernel__call_t *kernel__call_new(kernel_function_t *function)
{
    kernel__call_t *call = pool_get(function->plugin->kernel);

    if (call != NULL) {
        call_begin(call, function);
    }
    return call;
}

static kernel__call_t *cache_take(kernel_t *kernel)
{
    kernel__call_t *call;

    if (call_cache.kernel_id != kernel->id) {
        cache_adopt(kernel);
    }
    if (call_cache.count < CALL_CACHE / 2) {
        return pool_get(kernel);
    }
    call = call_cache.calls[call_cache.first];
    call_cache.first = (call_cache.first + 1) % CALL_CACHE;
    call_cache.count--;
    return call;
}

kernel__call_t *kernel__call_new_here(kernel_function_t *function, kernel_status_t *status_out)
{
    kernel_plugin_t *plugin = function->plugin;
    kernel__call_t *call = cache_take(plugin->kernel);

    if (call == NULL) {
        *status_out = KERNEL_E_NO_MEMORY;
        return NULL;
    }
    call_begin(call, function);
    if (atomic_load_explicit(&plugin->state, memory_order_seq_cst) != KERNEL__INSTANCE_OPEN) {
        *status_out =
            atomic_load(&plugin->kernel->is_closing) ? KERNEL_E_CLOSED : KERNEL_E_UNAVAILABLE;
        kernel__call_drop_here(call);
        return NULL;
    }
    return call;
}

/* What the last use left in the block that the lock guards. */
static void call_calm(kernel__call_t *call)
{
    call->is_early = false;
    call->is_finish_due = false;
    call->hook_state = KERNEL__HOOK_NONE;
    call->hook = NULL;
    call->drain = NULL;
    call->is_drain_posted = false;
    call->is_cancel_passed = false;
    call->children = NULL;
    call->sibling = NULL;
    call->wait = NULL;
    atomic_store_explicit(&call->is_touched, false, memory_order_relaxed);
}

/* Secrets among the arguments do not outlive the call. */
static void call_forget_memory(kernel__call_t *call)
{
    const kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);

    if (function->signature.has_secrets) {
        kernel__arena_wipe(&call->arena);
    }
    kernel__arena_reset(&call->arena);
}

static void call_recycle(kernel__call_t *call)
{
    kernel__call_t *parent = call->parent;
    kernel_call_t *context_owner = call->context_owner;

    if (call->arena.at != call->first || call->arena.blocks != NULL) {
        call_forget_memory(call);
    }
    if (atomic_load_explicit(&call->is_touched, memory_order_acquire)) {
        (void)pthread_mutex_lock(&call->lock);
        call_calm(call);
        (void)pthread_mutex_unlock(&call->lock);
    }
    atomic_store_explicit(&call->phase, KERNEL__CALL_FREE, memory_order_release);
    if (context_owner != NULL) {
        kernel__operation_drop(context_owner);
    }
    if (parent != NULL) {
        kernel__call_drop(parent);
    }
}

void kernel__call_keep(kernel__call_t *call)
{
    (void)atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

void kernel__call_drop(kernel__call_t *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) == 1) {
        call_recycle(call);
        pool_put(&call->kernel->calls, call);
    }
}

/* Not the way of every call: something of it may outlive this, or this thread has no room. */
static void call_drop_counted(kernel__call_t *call)
{
    kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    bool is_inside = kernel__instance_enter_owner(function->plugin) == KERNEL_OK;

    kernel__call_drop(call);
    if (is_inside) {
        kernel__instance_leave(function->plugin);
    }
}

void kernel__call_drop_here(kernel__call_t *call)
{
    call_cache_t *cache = &call_cache;

    if (atomic_load_explicit(&call->is_touched, memory_order_acquire) ||
        cache->kernel_id != call->kernel->id || cache->count >= CALL_CACHE) {
        call_drop_counted(call);
        return;
    }
    if (call->arena.at != call->first || call->arena.blocks != NULL) {
        call_forget_memory(call);
    }
    atomic_store_explicit(&call->phase, KERNEL__CALL_FREE, memory_order_release);
    /* From here on the kernel may be freed: only the pointer is kept. A walker that holds the
     * record at this moment puts it back itself. */
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) == 1) {
        cache->calls[(cache->first + cache->count) % CALL_CACHE] = call;
        cache->count++;
    }
}

/* For those who found the record by walking: NULL if it is free. */
static kernel__call_t *call_keep_if_used(kernel__call_t *call)
{
    unsigned refs = atomic_load_explicit(&call->refs, memory_order_relaxed);

    while (refs != 0) {
        if (atomic_compare_exchange_weak_explicit(&call->refs, &refs, refs + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return call;
        }
    }
    return NULL;
}

void kernel__call_touch(kernel__call_t *call)
{
    atomic_store_explicit(&call->is_touched, true, memory_order_release);
}

void kernel__call_set_operation(kernel__call_t *call, kernel_call_t *operation)
{
    kernel__operation_keep(operation);
    kernel__call_touch(call);
    (void)pthread_mutex_lock(&call->lock);
    call->operation = operation;
    (void)pthread_mutex_unlock(&call->lock);
}

void kernel__call_attach(kernel__call_t *call, kernel__call_t *parent)
{
    kernel__turns_t *turns = &call->kernel->turns;

    kernel__call_keep(parent);
    kernel__call_touch(call);
    kernel__call_touch(parent);
    call->parent = parent;
    call->depth = parent->depth + 1;
    kernel__call_set_context(call, parent->context_owner);
    (void)pthread_mutex_lock(&turns->lock);
    call->sibling = parent->children;
    parent->children = call;
    (void)pthread_mutex_unlock(&turns->lock);
}

void kernel__call_set_context(kernel__call_t *call, kernel_call_t *owner)
{
    if (call->context_owner != NULL) {
        kernel__operation_drop(call->context_owner);
    }
    call->context_owner = owner;
    call->context = owner != NULL ? owner->context : NULL;
    if (owner != NULL) {
        kernel__operation_keep(owner);
        kernel__call_touch(call);
    }
}

static void call_detach(kernel__call_t *call)
{
    kernel__turns_t *turns = &call->kernel->turns;
    kernel__call_t **at = &call->parent->children;

    (void)pthread_mutex_lock(&turns->lock);
    while (*at != NULL && *at != call) {
        at = &(*at)->sibling;
    }
    if (*at == call) {
        *at = call->sibling;
    }
    call->sibling = NULL;
    (void)pthread_mutex_unlock(&turns->lock);
}

kernel__call_t *kernel__call_current(void)
{
    return call_current;
}

unsigned kernel__call_stack_depth(void)
{
    unsigned depth = 0;

    for (const kernel__call_t *call = call_current; call != NULL; call = call->beneath) {
        depth++;
    }
    return depth;
}

bool kernel__call_is_inside(const kernel_t *kernel, const kernel_plugin_t *plugin)
{
    for (const kernel__call_t *top = call_current; top != NULL; top = top->beneath) {
        for (const kernel__call_t *call = top; call != NULL; call = call->parent) {
            const kernel_function_t *function =
                atomic_load_explicit(&call->function, memory_order_relaxed);

            if (plugin != NULL ? function->plugin == plugin : call->kernel == kernel) {
                return true;
            }
        }
    }
    return false;
}

void kernel__call_misuse(kernel_t *kernel, const kernel__call_t *call, const char *what)
{
    const kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);

    kernel__log_write(&kernel->log, KERNEL_LOG_ERROR, "%s: %s; ignored",
                      function != NULL ? function->full_name : "a function", what);
#if defined(KERNEL_ABORT_ON_MISUSE)
    abort();
#endif
}

/* ---- running ---- */

static int call_refuse_status(kernel__call_t *call, const kernel_function_t *function, int status)
{
    char text[160];
    int size;

    if (status == KP_PENDING) {
        size = snprintf(text, sizeof(text),
                        "%s returned KP_PENDING, but is not declared async: nothing would ever "
                        "complete it",
                        function->full_name);
    } else {
        size = snprintf(text, sizeof(text), "%s returned %d, which is no status of the plugin ABI",
                        function->full_name, status);
    }
    kernel__log_write(&call->kernel->log, KERNEL_LOG_ERROR, "%s", text);
    kernel__call_fail(call, KP_E_INTERNAL, text, (size_t)size, NULL);
    return KP_E_INTERNAL;
}

void kernel__call_fail(kernel__call_t *call, int code, const char *text, size_t size,
                       const char *detail_json)
{
    sk_buffer_t repaired = SK_BUFFER_INIT;

    call->pub.status = code < 0 ? code : KP_E_INTERNAL;
    sk_utf8_append_repaired(&repaired, text, sk_utf8_cut(text, size, CALL_ERROR_MAX - 1));
    call->error = kernel__arena_copy(&call->arena, sk_buffer_text(&repaired), repaired.size);
    sk_buffer_fini(&repaired);
    call->detail = detail_json != NULL
                       ? kernel__arena_copy(&call->arena, detail_json, strlen(detail_json))
                       : NULL;
}

/* A plain function has returned: no hook may run beside what follows. */
static void call_settle_hook(kernel__call_t *call)
{
    (void)pthread_mutex_lock(&call->lock);
    while (call->hook_state == KERNEL__HOOK_RUNNING) {
        (void)kernel__condition_wait(&call->calm, &call->lock, 0);
    }
    call->hook_state = KERNEL__HOOK_DONE;
    call->drain = NULL;
    atomic_store_explicit(&call->phase, KERNEL__CALL_COMPLETED, memory_order_release);
    (void)pthread_mutex_unlock(&call->lock);
}

static bool call_settle_async(kernel__call_t *call, const kernel_function_t *function, int status,
                              int *status_out)
{
    bool has_answered = true;

    (void)pthread_mutex_lock(&call->lock);
    if (call->is_early) {
        *status_out = call->early_status;
    } else if (status == KP_PENDING) {
        atomic_store_explicit(&call->phase, KERNEL__CALL_PENDING, memory_order_release);
        has_answered = false;
    } else {
        *status_out = status;
    }
    if (has_answered) {
        call->hook_state = KERNEL__HOOK_DONE;
        call->drain = NULL;
        atomic_store_explicit(&call->phase, KERNEL__CALL_COMPLETED, memory_order_release);
    }
    (void)pthread_mutex_unlock(&call->lock);
    if (has_answered && *status_out > 0) {
        *status_out = call_refuse_status(call, function, *status_out);
    }
    return has_answered;
}

bool kernel__call_run(kernel__call_t *call, int *status_out)
{
    kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    kernel__call_t *outer = call_current;
    int status;

    atomic_store_explicit(&call->phase, KERNEL__CALL_RUNNING, memory_order_release);
    call->beneath = outer;
    call_current = call;
    status = function->descriptor.invoke(&call->pub);
    call_current = outer;

    if (function->is_async) {
        return call_settle_async(call, function, status, status_out);
    }
    if (atomic_load_explicit(&call->is_touched, memory_order_acquire)) {
        call_settle_hook(call);
    } else {
        atomic_store_explicit(&call->phase, KERNEL__CALL_COMPLETED, memory_order_release);
    }
    *status_out = status <= 0 ? status : call_refuse_status(call, function, status);
    return true;
}

void kernel__call_complete(kernel__call_t *call, int status)
{
    const kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    unsigned phase;
    bool is_due = false;
    const char *misuse = NULL;

    (void)pthread_mutex_lock(&call->lock);
    phase = atomic_load_explicit(&call->phase, memory_order_acquire);
    if (phase == KERNEL__CALL_RUNNING && function->is_async && !call->is_early) {
        call->is_early = true;
        call->early_status = status;
    } else if (phase == KERNEL__CALL_PENDING) {
        atomic_store_explicit(&call->phase, KERNEL__CALL_COMPLETED, memory_order_release);
        call->drain = NULL;
        if (call->hook_state == KERNEL__HOOK_RUNNING) {
            call->is_finish_due = true;
            call->due_status = status;
        } else {
            call->hook_state = KERNEL__HOOK_DONE;
            is_due = true;
        }
    } else if (phase == KERNEL__CALL_RUNNING && !function->is_async) {
        misuse = "a plain function called kp_complete(); it answers by returning";
    } else {
        misuse = "completed a second time, or a call that is over";
    }
    (void)pthread_mutex_unlock(&call->lock);

    if (misuse != NULL) {
        kernel__call_misuse(call->kernel, call, misuse);
    } else if (is_due) {
        kernel__call_finish(call,
                            status <= 0 ? status : call_refuse_status(call, function, status));
    }
}

/* ---- the end ---- */

void kernel__call_end(kernel__call_t *call)
{
    kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);
    kernel_call_t *operation = NULL;

    atomic_store_explicit(&call->phase, KERNEL__CALL_COMPLETED, memory_order_release);
    if (call->has_turn) {
        call->has_turn = false;
        kernel__turn_give(&call->kernel->turns, &function->plugin->turn, call);
    }
    if (atomic_load_explicit(&call->is_touched, memory_order_acquire)) {
        (void)pthread_mutex_lock(&call->lock);
        operation = call->operation;
        call->operation = NULL;
        (void)pthread_mutex_unlock(&call->lock);
    }
    if (call->parent != NULL) {
        call_detach(call);
    }
    if (operation != NULL) {
        kernel__operation_drop(operation);
    }
}

void kernel__call_abort(kernel__call_t *call)
{
    kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);

    kernel__call_end(call);
    kernel__call_drop(call);
    kernel__instance_leave(function->plugin);
}

void kernel__call_finish(kernel__call_t *call, int status)
{
    kernel_result_t *result = kernel__call_result(call, kernel__call_status(call, status));

    atomic_store_explicit(&call->phase, KERNEL__CALL_COMPLETED, memory_order_release);
    kernel__operation_answered(call->operation, call, result);
    kernel__call_abort(call);
}

/* ---- cancellation ---- */

bool kernel__call_is_over(kernel__call_t *call)
{
    unsigned phase = atomic_load_explicit(&call->phase, memory_order_acquire);

    return phase == KERNEL__CALL_FREE || phase == KERNEL__CALL_COMPLETED;
}

/* Set the flag and have the loop thread tell the function. */
static bool call_mark_cancelled(kernel__call_t *call, int status)
{
    bool is_first = false;

    (void)pthread_mutex_lock(&call->lock);
    if (!kernel__call_is_over(call) &&
        atomic_load_explicit(&call->cancelled, memory_order_relaxed) == 0) {
        atomic_store_explicit(&call->cancelled, status, memory_order_release);
        is_first = true;
        if (call->hook_state == KERNEL__HOOK_INSTALLED || call->holds != NULL) {
            call->cancel_task.run = call_on_cancel_task;
            kernel__call_keep(call);
            if (kernel__loop_post(&call->kernel->loop, &call->cancel_task) != KERNEL_OK) {
                kernel__log_write(&call->kernel->log, KERNEL_LOG_ERROR,
                                  "%s cannot be told to stop: there is no loop thread",
                                  call->pub.function->name);
                kernel__call_drop(call); /* not the last: the caller holds it */
            }
        }
    }
    (void)pthread_mutex_unlock(&call->lock);
    return is_first;
}

static void call_on_cancel_task(kernel__task_t *task)
{
    kernel__call_t *call =
        (kernel__call_t *)(void *)((char *)task - offsetof(kernel__call_t, cancel_task));
    int status = atomic_load_explicit(&call->cancelled, memory_order_acquire);
    bool is_due = false;

    (void)pthread_mutex_lock(&call->lock);
    if (call->hook_state == KERNEL__HOOK_INSTALLED && !kernel__call_is_over(call)) {
        call->hook_state = KERNEL__HOOK_RUNNING;
        (void)pthread_mutex_unlock(&call->lock);
        call->hook(&call->pub, call->hook_arg);
        (void)pthread_mutex_lock(&call->lock);
        call->hook_state = KERNEL__HOOK_DONE;
        is_due = call->is_finish_due;
        (void)pthread_cond_broadcast(&call->calm);
    }
    (void)pthread_mutex_unlock(&call->lock);
    if (is_due) {
        const kernel_function_t *function =
            atomic_load_explicit(&call->function, memory_order_relaxed);

        kernel__call_finish(call, call->due_status <= 0
                                      ? call->due_status
                                      : call_refuse_status(call, function, call->due_status));
    }
    kernel__provider_stop_call(call->kernel, call, status);
    kernel__call_drop(call);
}

static void call_on_drain_task(kernel__task_t *task)
{
    kernel__call_t *call =
        (kernel__call_t *)(void *)((char *)task - offsetof(kernel__call_t, drain_task));
    kp_drain_fn drain;

    (void)pthread_mutex_lock(&call->lock);
    drain = call->drain;
    call->drain = NULL;
    call->is_drain_posted = false;
    (void)pthread_mutex_unlock(&call->lock);
    if (drain != NULL && !kernel__call_is_over(call)) {
        drain(&call->pub, call->drain_arg);
    }
    kernel__call_drop(call);
}

void kernel__call_drain(kernel__call_t *call)
{
    (void)pthread_mutex_lock(&call->lock);
    if (call->drain != NULL && !call->is_drain_posted) {
        call->is_drain_posted = true;
        call->drain_task.run = call_on_drain_task;
        kernel__call_keep(call);
        if (kernel__loop_post(&call->kernel->loop, &call->drain_task) != KERNEL_OK) {
            call->is_drain_posted = false;
            kernel__call_drop(call); /* not the last: the caller holds it */
        }
    }
    (void)pthread_mutex_unlock(&call->lock);
}

/* The next child that was not told, its operation held; NULL when all were. */
static kernel_call_t *call_next_child(kernel__call_t *call)
{
    kernel_call_t *operation = NULL;

    (void)pthread_mutex_lock(&call->kernel->turns.lock);
    for (kernel__call_t *child = call->children; child != NULL && operation == NULL;
         child = child->sibling) {
        if (child->is_cancel_passed) {
            continue;
        }
        child->is_cancel_passed = true;
        (void)pthread_mutex_lock(&child->lock);
        operation = child->operation;
        if (operation != NULL) {
            kernel__operation_keep(operation);
        }
        (void)pthread_mutex_unlock(&child->lock);
    }
    (void)pthread_mutex_unlock(&call->kernel->turns.lock);
    return operation;
}

void kernel__call_cancel(kernel__call_t *call, int status)
{
    kernel_call_t *child;

    if (!call_mark_cancelled(call, status)) {
        return;
    }
    if (kernel__turn_abandon(&call->kernel->turns, call)) {
        kernel_call_t *operation = call->operation; /* nobody else can end this call any more */

        kernel__call_finish(call, status);
        kernel__operation_drop(operation); /* what its place in the queue held */
    }
    while ((child = call_next_child(call)) != NULL) {
        kernel__operation_cancel(child,
                                 status == KP_E_TIMEOUT ? KERNEL_E_TIMEOUT : KERNEL_E_CANCELLED);
        kernel__operation_drop(child);
    }
}

/* Call `fn` for each record in use that belongs to the instance (NULL: any). */
static void call_each(kernel_t *kernel, const kernel_plugin_t *plugin,
                      void (*fn)(kernel__call_t *call, kernel_status_t status),
                      kernel_status_t status)
{
    kernel__call_slab_t *slab;

    (void)pthread_mutex_lock(&kernel->calls.lock);
    slab = kernel->calls.slabs; /* new ones are put before it: nothing that is wanted is in them */
    (void)pthread_mutex_unlock(&kernel->calls.lock);
    for (; slab != NULL; slab = slab->next) {
        for (unsigned i = 0; i < CALL_SLAB; i++) {
            kernel__call_t *call = call_keep_if_used(&slab->calls[i]);
            const kernel_function_t *function;

            if (call == NULL) {
                continue;
            }
            function = atomic_load_explicit(&call->function, memory_order_relaxed);
            if (plugin == NULL || function->plugin == plugin) {
                fn(call, status);
            }
            kernel__call_drop(call);
        }
    }
}

bool kernel__call_any(kernel_t *kernel, const kernel_plugin_t *plugin)
{
    kernel__call_slab_t *slab;

    (void)pthread_mutex_lock(&kernel->calls.lock);
    slab = kernel->calls.slabs;
    (void)pthread_mutex_unlock(&kernel->calls.lock);
    for (; slab != NULL; slab = slab->next) {
        for (unsigned i = 0; i < CALL_SLAB; i++) {
            const kernel__call_t *call = &slab->calls[i];
            const kernel_function_t *function;

            if (atomic_load_explicit(&call->refs, memory_order_seq_cst) == 0) {
                continue;
            }
            function = atomic_load_explicit(&call->function, memory_order_relaxed);
            if (plugin == NULL || (function != NULL && function->plugin == plugin)) {
                return true;
            }
        }
    }
    return false;
}

static void call_cancel_found(kernel__call_t *call, kernel_status_t status)
{
    kernel_call_t *operation;

    if (kernel__call_is_over(call)) {
        return;
    }
    (void)pthread_mutex_lock(&call->lock);
    operation = call->operation;
    if (operation != NULL) {
        kernel__operation_keep(operation);
    }
    (void)pthread_mutex_unlock(&call->lock);
    if (operation != NULL) {
        kernel__operation_cancel(operation, status);
        kernel__operation_drop(operation);
    }
    kernel__call_cancel(call, KP_E_CANCELLED);
}

void kernel__call_cancel_all(kernel_t *kernel, const kernel_plugin_t *plugin,
                             kernel_status_t status)
{
    call_each(kernel, plugin, call_cancel_found, status);
}

static void call_log_found(kernel__call_t *call, kernel_status_t status)
{
    const kernel_function_t *function = atomic_load_explicit(&call->function, memory_order_relaxed);

    (void)status;
    if (!kernel__call_is_over(call)) {
        kernel__log_write(&call->kernel->log, KERNEL_LOG_ERROR, "a call of %s has not ended",
                          function->full_name);
    }
}

void kernel__call_log_unfinished(kernel_t *kernel, const kernel_plugin_t *plugin)
{
    call_each(kernel, plugin, call_log_found, KERNEL_OK);
}

static void call_stop_found(kernel__call_t *call, kernel_status_t status)
{
    if (kernel__call_is_over(call)) {
        kernel__provider_stop_call(call->kernel, call, (int)status);
    }
}

void kernel__call_stop_holds(kernel_t *kernel, const kernel_plugin_t *plugin)
{
    call_each(kernel, plugin, call_stop_found, KERNEL_E_CANCELLED);
}
