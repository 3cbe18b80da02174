/*
 * deadlines.c - a binary heap of the times at which operations are looked at.
 */
#include "deadlines.h"

#include <assert.h>

#include "alloc.h"

static void deadlines_place(http__deadlines_t *deadlines, size_t position,
                            http__deadline_t *deadline)
{
    deadlines->heap[position] = deadline;
    deadline->position = position;
}

/* Let `deadline` rise from an empty position, then sink, to where it belongs. */
static void deadlines_settle(http__deadlines_t *deadlines, size_t position,
                             http__deadline_t *deadline)
{
    while (position > 0 && deadlines->heap[(position - 1) / 2]->at > deadline->at) {
        deadlines_place(deadlines, position, deadlines->heap[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * position + 1;

        if (child + 1 < deadlines->count &&
            deadlines->heap[child + 1]->at < deadlines->heap[child]->at) {
            child++;
        }
        if (child >= deadlines->count || deadlines->heap[child]->at >= deadline->at) {
            break;
        }
        deadlines_place(deadlines, position, deadlines->heap[child]);
        position = child;
    }
    deadlines_place(deadlines, position, deadline);
}

static void deadlines_remove(http__deadlines_t *deadlines, size_t position)
{
    http__deadline_t *last = deadlines->heap[deadlines->count - 1];

    deadlines->count--;
    if (position < deadlines->count) {
        deadlines_settle(deadlines, position, last);
    }
}

void http__deadlines_fini(http__deadlines_t *deadlines)
{
    assert(deadlines->count == 0 && deadlines->reserved == 0);
    sk_free(deadlines->heap);
    *deadlines = (http__deadlines_t){NULL, 0, 0, 0};
}

bool http__deadlines_reserve(http__deadlines_t *deadlines)
{
    if (deadlines->reserved == deadlines->capacity) {
        size_t capacity = deadlines->capacity == 0 ? 64 : 2 * deadlines->capacity;
        http__deadline_t **heap =
            sk_realloc(deadlines->heap, capacity * sizeof(http__deadline_t *));

        if (heap == NULL) {
            return false;
        }
        deadlines->heap = heap;
        deadlines->capacity = capacity;
    }
    deadlines->reserved++;
    return true;
}

void http__deadlines_leave(http__deadlines_t *deadlines, http__deadline_t *deadline)
{
    http__deadlines_set(deadlines, deadline, HTTP__NEVER);
    deadlines->reserved--;
}

void http__deadlines_set(http__deadlines_t *deadlines, http__deadline_t *deadline, uint64_t at)
{
    uint64_t before = deadline->at;

    deadline->at = at;
    if (before == at) {
        return;
    }
    if (at == HTTP__NEVER) {
        deadlines_remove(deadlines, deadline->position);
    } else if (before == HTTP__NEVER) {
        assert(deadlines->count < deadlines->reserved);
        deadlines->count++;
        deadlines_settle(deadlines, deadlines->count - 1, deadline);
    } else {
        deadlines_settle(deadlines, deadline->position, deadline);
    }
}

http__deadline_t *http__deadlines_first(const http__deadlines_t *deadlines)
{
    return deadlines->count == 0 ? NULL : deadlines->heap[0];
}
