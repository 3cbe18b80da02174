/*
 * fail_alloc.c - an allocator that counts its blocks and fails on demand.
 *
 * The counters are atomic: the kernel allocates on several threads.
 */
#include "support/fail_alloc.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "support/check.h"

static atomic_size_t live;
static atomic_size_t made; /* allocations since fail_alloc_at() */
static atomic_size_t failing;
static atomic_bool happened;
static _Atomic fail_alloc_mode_t failing_mode;

static bool fails_now(void)
{
    size_t n = atomic_load(&failing);
    size_t number = atomic_fetch_add(&made, 1) + 1;

    if (n == 0 || number < n || (number > n && atomic_load(&failing_mode) == FAIL_ALLOC_ONE)) {
        return false;
    }
    atomic_store(&happened, true);
    return true;
}

void *fail_alloc_malloc(size_t size)
{
    void *memory = fails_now() ? NULL : malloc(size > 0 ? size : 1);

    if (memory != NULL) {
        atomic_fetch_add(&live, 1);
    }
    return memory;
}

void *fail_alloc_realloc(void *memory, size_t size)
{
    if (memory == NULL) {
        return fail_alloc_malloc(size);
    }
    return fails_now() ? NULL : realloc(memory, size > 0 ? size : 1);
}

void fail_alloc_free(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_sub(&live, 1);
    }
    free(memory);
}

void fail_alloc_at(size_t n, fail_alloc_mode_t mode)
{
    atomic_store(&made, 0);
    atomic_store(&happened, false);
    atomic_store(&failing_mode, mode);
    atomic_store(&failing, n);
}

bool fail_alloc_happened(void)
{
    return atomic_load(&happened);
}

size_t fail_alloc_live(void)
{
    return atomic_load(&live);
}

void fail_alloc_each(void (*body)(void))
{
    static const fail_alloc_mode_t modes[] = {FAIL_ALLOC_ONE, FAIL_ALLOC_REST};

    /* The first run makes what lives as long as the process. */
    fail_alloc_at(0, FAIL_ALLOC_ONE);
    body();
    if (atomic_load(&made) == 0) {
        check_fail(__FILE__, __LINE__,
                   "nothing was allocated: is the failing allocator installed?");
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        size_t before = fail_alloc_live();
        size_t n = 0;

        do {
            n++;
            fail_alloc_at(n, modes[i]);
            body();
            if (fail_alloc_live() != before) {
                fail_alloc_at(0, FAIL_ALLOC_ONE);
                check_fail(__FILE__, __LINE__, "with allocation %zu failing%s, %zd blocks remain",
                           n, modes[i] == FAIL_ALLOC_REST ? " and all after it" : "",
                           (ssize_t)(fail_alloc_live() - before));
            }
        } while (fail_alloc_happened());
    }
    fail_alloc_at(0, FAIL_ALLOC_ONE);
}
