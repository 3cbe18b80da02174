/*
 * cancel.c - a host's cancellation: one switch for any number of operations.
 *
 * It does not hold its operations, they hold it: one that is being freed leaves
 * the list first, and a trigger keeps only those that are still held by others.
 */
#include "cancel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "alloc.h"
#include "operation.h"

struct kernel_cancel {
    atomic_uint refs;
    pthread_mutex_t lock; /* guards the next two */
    bool is_triggered;
    kernel_call_t *first;
};

kernel_cancel_t *kernel_cancel_new(void)
{
    kernel_cancel_t *cancel = sk_calloc(1, sizeof(*cancel));

    if (cancel != NULL) {
        atomic_init(&cancel->refs, 1);
        (void)pthread_mutex_init(&cancel->lock, NULL);
    }
    return cancel;
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
    if (cancel != NULL && atomic_fetch_sub_explicit(&cancel->refs, 1, memory_order_acq_rel) == 1) {
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
}

void kernel__cancel_link(kernel_cancel_t *cancel, kernel_call_t *operation)
{
    bool is_triggered;

    if (cancel == NULL) {
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
    }
    (void)pthread_mutex_unlock(&cancel->lock);
    if (is_triggered) {
        kernel__operation_cancel(operation, KERNEL_E_CANCELLED);
    }
}

void kernel__cancel_unlink(kernel_cancel_t *cancel, kernel_call_t *operation)
{
    (void)pthread_mutex_lock(&cancel->lock);
    cancel_remove(cancel, operation);
    (void)pthread_mutex_unlock(&cancel->lock);
}

static bool operation_keep_if_held(kernel_call_t *operation)
{
    unsigned refs = atomic_load_explicit(&operation->refs, memory_order_relaxed);

    while (refs != 0) {
        if (atomic_compare_exchange_weak_explicit(&operation->refs, &refs, refs + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* Take the next operation off the list, held; NULL at the end. */
static kernel_call_t *cancel_take(kernel_cancel_t *cancel)
{
    kernel_call_t *operation;

    (void)pthread_mutex_lock(&cancel->lock);
    cancel->is_triggered = true;
    do {
        operation = cancel->first;
        if (operation != NULL) {
            cancel_remove(cancel, operation);
        }
    } while (operation != NULL && !operation_keep_if_held(operation));
    (void)pthread_mutex_unlock(&cancel->lock);
    return operation;
}

void kernel_cancel_trigger(kernel_cancel_t *cancel)
{
    kernel_call_t *operation;

    if (cancel == NULL) {
        return;
    }
    while ((operation = cancel_take(cancel)) != NULL) {
        kernel__operation_cancel(operation, KERNEL_E_CANCELLED);
        kernel__operation_drop(operation);
    }
}
