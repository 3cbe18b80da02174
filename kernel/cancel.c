/*
 * cancel.c - a host's cancellation: one switch for any number of operations.
 *
 * It does not hold its operations, they hold it: one that is over leaves the
 * list first. A trigger works without the lock, on one operation at a time, which
 * cannot leave meanwhile: so a kernel is not freed under it.
 */
#include "cancel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "alloc.h"
#include "clock.h"
#include "forked.h"
#include "operation.h"

struct kernel_cancel {
    unsigned fork_count; /* of the process that made it; in its children it does nothing */
    atomic_uint refs;
    pthread_mutex_t lock; /* guards the next three */
    pthread_cond_t calm;  /* a trigger has done with an operation */
    bool is_triggered;
    kernel_call_t *first;
};

kernel_cancel_t *kernel_cancel_new(void)
{
    kernel_cancel_t *cancel = sk_calloc(1, sizeof(*cancel));

    if (cancel != NULL) {
        kernel__fork_watch();
        cancel->fork_count = atomic_load_explicit(&kernel__fork_count, memory_order_relaxed);
        atomic_init(&cancel->refs, 1);
        (void)pthread_mutex_init(&cancel->lock, NULL);
        kernel__condition_init(&cancel->calm);
    }
    return cancel;
}

static bool cancel_is_forked(const kernel_cancel_t *cancel)
{
    return cancel->fork_count != atomic_load_explicit(&kernel__fork_count, memory_order_relaxed);
}

kernel_cancel_t *kernel__cancel_keep(kernel_cancel_t *cancel)
{
    if (cancel != NULL) {
        (void)atomic_fetch_add_explicit(&cancel->refs, 1, memory_order_relaxed);
    }
    return cancel;
}

void kernel_cancel_free(kernel_cancel_t *cancel)
{
    if (cancel != NULL && !cancel_is_forked(cancel) &&
        atomic_fetch_sub_explicit(&cancel->refs, 1, memory_order_acq_rel) == 1) {
        (void)pthread_cond_destroy(&cancel->calm);
        (void)pthread_mutex_destroy(&cancel->lock);
        sk_free(cancel);
    }
}

static void cancel_remove(kernel_cancel_t *cancel, kernel_call_t *operation)
{
    if (operation->previous_of_cancel != NULL) {
        operation->previous_of_cancel->next_of_cancel = operation->next_of_cancel;
    } else if (cancel->first == operation) {
        cancel->first = operation->next_of_cancel;
    }
    if (operation->next_of_cancel != NULL) {
        operation->next_of_cancel->previous_of_cancel = operation->previous_of_cancel;
    }
    operation->next_of_cancel = NULL;
    operation->previous_of_cancel = NULL;
    operation->is_linked = false;
}

void kernel__cancel_link(kernel_cancel_t *cancel, kernel_call_t *operation)
{
    bool is_triggered;

    if (cancel == NULL || cancel_is_forked(cancel)) {
        return;
    }
    (void)pthread_mutex_lock(&cancel->lock);
    is_triggered = cancel->is_triggered;
    if (!is_triggered) {
        operation->next_of_cancel = cancel->first;
        if (cancel->first != NULL) {
            cancel->first->previous_of_cancel = operation;
        }
        cancel->first = operation;
        operation->is_linked = true;
    }
    (void)pthread_mutex_unlock(&cancel->lock);
    if (is_triggered) {
        kernel__operation_cancel(operation, KERNEL_E_CANCELLED);
    }
}

void kernel__cancel_unlink(kernel_cancel_t *cancel, kernel_call_t *operation)
{
    if (cancel == NULL || cancel_is_forked(cancel)) {
        return;
    }
    (void)pthread_mutex_lock(&cancel->lock);
    if (operation->is_linked) {
        cancel_remove(cancel, operation);
    }
    while (operation->is_triggered) {
        (void)kernel__condition_wait(&cancel->calm, &cancel->lock, 0);
    }
    (void)pthread_mutex_unlock(&cancel->lock);
}

/* Take the next operation off the list; it stays held by whoever waits in unlink. */
static kernel_call_t *cancel_take(kernel_cancel_t *cancel)
{
    kernel_call_t *operation = cancel->first;

    if (operation != NULL) {
        cancel_remove(cancel, operation);
        operation->is_triggered = true;
    }
    return operation;
}

void kernel_cancel_trigger(kernel_cancel_t *cancel)
{
    kernel_call_t *operation;

    if (cancel == NULL || cancel_is_forked(cancel)) {
        return;
    }
    (void)kernel__cancel_keep(cancel); /* the last operation that has it may end meanwhile */
    (void)pthread_mutex_lock(&cancel->lock);
    cancel->is_triggered = true;
    while ((operation = cancel_take(cancel)) != NULL) {
        (void)pthread_mutex_unlock(&cancel->lock);
        kernel__operation_cancel(operation, KERNEL_E_CANCELLED);
        (void)pthread_mutex_lock(&cancel->lock);
        operation->is_triggered = false;
        (void)pthread_cond_broadcast(&cancel->calm);
    }
    (void)pthread_mutex_unlock(&cancel->lock);
    kernel_cancel_free(cancel);
}
