/*
 * fail_alloc_kernel.c - puts the failing allocator into the kernel and into
 * cJSON before main(). Part of a test's SOURCES, it is all that is needed.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <kernel/alloc.h>

#include "support/fail_alloc.h"

/* cJSON_Hooks. The test does not link cJSON: the library under test brings it. */
typedef struct json_hooks {
    void *(*malloc_fn)(size_t size);
    void (*free_fn)(void *memory);
} json_hooks_t;

__attribute__((constructor)) static void install(void)
{
    static const kernel_allocator_t allocator = {sizeof(kernel_allocator_t), fail_alloc_malloc,
                                                 fail_alloc_realloc, fail_alloc_free};
    json_hooks_t hooks = {fail_alloc_malloc, fail_alloc_free};
    void (*set_json_hooks)(json_hooks_t *) = NULL;

    *(void **)&set_json_hooks = dlsym(RTLD_DEFAULT, "cJSON_InitHooks");
    if (set_json_hooks != NULL) { /* NULL where nothing under test parses JSON */
        set_json_hooks(&hooks);
    }
    if (kernel_set_allocator(&allocator) != KERNEL_OK) {
        fputs("cannot install the failing allocator: something was allocated before\n", stderr);
        abort();
    }
}
