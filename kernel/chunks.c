/*
 * chunks.c - pieces of output on their way from a function to its caller.
 *
 * At most KERNEL__CHUNKS_MAX wait; who emits more is told to come back, and is
 * called (kp_on_drain) when half of them are gone.
 */
#include <string.h>

#include "alloc.h"
#include "kernel_state.h"
#include "operation.h"

static kernel__chunk_t *chunk_pop(kernel_call_t *operation)
{
    kernel__chunk_t *chunk = operation->chunks;

    if (chunk != NULL) {
        operation->chunks = chunk->next;
        if (operation->chunks == NULL) {
            operation->last_chunk = &operation->chunks;
        }
        operation->chunk_count--;
    }
    return chunk;
}

static void chunk_hand_out(kernel_call_t *operation, const kernel__chunk_t *chunk)
{
    if (chunk->kind == KP_EMIT_PROGRESS) {
        if (operation->on_progress != NULL) {
            operation->on_progress(chunk->fraction, operation->stream_data);
        }
    } else if (operation->on_chunk != NULL) {
        operation->on_chunk((kernel_chunk_kind_t)chunk->kind, chunk->data, chunk->size,
                            operation->stream_data);
    }
}

/* With the lock held, which is let go of meanwhile: hand out what waits. */
void kernel__operation_hand_out(kernel_call_t *operation)
{
    kernel__chunk_t *chunk;

    while ((chunk = chunk_pop(operation)) != NULL) {
        kernel__call_t *drained = NULL;

        if (operation->is_starved && operation->chunk_count <= KERNEL__CHUNKS_MAX / 2) {
            operation->is_starved = false;
            drained = operation->call;
            if (drained != NULL) {
                kernel__call_keep(drained);
            }
        }
        (void)pthread_mutex_unlock(&operation->lock);
        if (drained != NULL) {
            kernel__call_drain(drained);
            kernel__call_drop(drained);
        }
        chunk_hand_out(operation, chunk);
        sk_free(chunk);
        (void)pthread_mutex_lock(&operation->lock);
    }
}

void kernel__operation_take_chunks(kernel_call_t *operation)
{
    (void)pthread_mutex_lock(&operation->lock);
    kernel__operation_hand_out(operation);
    (void)pthread_mutex_unlock(&operation->lock);
}

static kernel__chunk_t *chunk_new(uint32_t kind, const kp_value *value, double fraction)
{
    size_t size = value != NULL ? value->as.text.len : 0;
    kernel__chunk_t *chunk = sk_malloc(sizeof(*chunk) + size + 1);

    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->kind = kind;
        chunk->fraction = fraction;
        chunk->size = size;
        if (size > 0) {
            memcpy(chunk->data, value->as.text.ptr, size);
        }
        chunk->data[size] = '\0';
    }
    return chunk;
}

int kernel__operation_emit(kernel_call_t *operation, uint32_t kind, const kp_value *value,
                           double fraction)
{
    kernel__chunk_t *chunk;
    int status = KP_OK;

    if (kind == KP_EMIT_PROGRESS ? operation->on_progress == NULL : operation->on_chunk == NULL) {
        return KP_OK;
    }
    chunk = chunk_new(kind, kind != KP_EMIT_PROGRESS ? value : NULL, fraction);
    if (chunk == NULL) {
        return KP_E_NO_MEMORY;
    }
    if (operation->kind == KERNEL__OPERATION_INLINE &&
        pthread_equal(operation->thread, pthread_self())) {
        kernel__operation_take_chunks(operation);
        chunk_hand_out(operation, chunk);
        sk_free(chunk);
        return KP_OK;
    }
    (void)pthread_mutex_lock(&operation->lock);
    if (operation->is_settled) {
        status = KP_E_CANCELLED;
    } else if (operation->chunk_count >= KERNEL__CHUNKS_MAX) {
        operation->is_starved = true;
        status = KP_E_BUSY;
    } else {
        *operation->last_chunk = chunk;
        operation->last_chunk = &chunk->next;
        operation->chunk_count++;
        (void)pthread_cond_broadcast(&operation->changed);
    }
    (void)pthread_mutex_unlock(&operation->lock);
    if (status != KP_OK) {
        sk_free(chunk);
    } else if (operation->kind == KERNEL__OPERATION_STARTED) {
        kernel__operation_schedule(operation);
    }
    return status;
}

bool kernel__operation_has_room(kernel_call_t *operation)
{
    bool has_room;

    (void)pthread_mutex_lock(&operation->lock);
    has_room = operation->chunk_count <= KERNEL__CHUNKS_MAX / 2;
    operation->is_starved = !has_room;
    (void)pthread_mutex_unlock(&operation->lock);
    return has_room;
}
