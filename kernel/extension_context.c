/*
 * extension_context.c - kernel.context/1: ambient values of an invocation.
 */
#include <stddef.h>

#include "args.h"
#include "kernel_state.h"

static int context_get(const kp_context *table, kp_call *pub, const char *key, kp_value *out)
{
    const kernel__call_t *call = (const kernel__call_t *)(const void *)pub;
    const kernel__arg_t *found = kernel__args_find(call->context, key);

    (void)table;
    if (found == NULL) {
        *out = (kp_value){0};
        return KP_E_NOT_FOUND;
    }
    *out = found->value;
    return KP_OK;
}

void kernel__extension_context_fill(kp_context *table)
{
    *table = (kp_context){.size = sizeof(*table), .get = context_get};
}
