/*
 * filter.c - the chain of function filters and one call's way through it.
 *
 * `entered` counts the filters whose `before` wanted to go on: exactly these see
 * the result, the last one first.
 */
#include "filters.h"

#include <string.h>

#include "alloc.h"
#include "args.h"
#include "bind.h"
#include "error.h"
#include "kernel_state.h"
#include "result.h"

typedef struct filter_entry {
    char *name; /* owned by the chain that it was added with */
    kernel_filter_before_fn before;
    kernel_filter_after_fn after;
    void *data;
} filter_entry_t;

struct kernel__filter_chain {
    kernel__filter_chain_t *next; /* older ones */
    unsigned count;
    char *owned_name; /* of the filter that this chain added */
    filter_entry_t entries[];
};

void kernel__filters_init(kernel__filters_t *filters)
{
    (void)pthread_mutex_init(&filters->lock, NULL);
    atomic_init(&filters->chain, NULL);
    filters->all = NULL;
}

void kernel__filters_fini(kernel__filters_t *filters)
{
    while (filters->all != NULL) {
        kernel__filter_chain_t *chain = filters->all;

        filters->all = chain->next;
        sk_free(chain->owned_name);
        sk_free(chain);
    }
    (void)pthread_mutex_destroy(&filters->lock);
}

/* ---- adding and removing ---- */

static kernel__filter_chain_t *chain_new(unsigned count)
{
    kernel__filter_chain_t *chain =
        sk_calloc(1, sizeof(*chain) + count * sizeof(chain->entries[0]));

    if (chain != NULL) {
        chain->count = count;
    }
    return chain;
}

static int chain_find(const kernel__filter_chain_t *chain, const char *name)
{
    for (unsigned i = 0; chain != NULL && i < chain->count; i++) {
        if (strcmp(chain->entries[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void filters_publish(kernel__filters_t *filters, kernel__filter_chain_t *chain)
{
    chain->next = filters->all;
    filters->all = chain;
    atomic_store_explicit(&filters->chain, chain->count > 0 ? chain : NULL, memory_order_release);
}

static kernel_status_t filters_add(kernel__filters_t *filters, const kernel_filter_t *filter,
                                   kernel_error_t *error)
{
    kernel__filter_chain_t *old = atomic_load_explicit(&filters->chain, memory_order_acquire);
    unsigned count = old != NULL ? old->count : 0;
    kernel__filter_chain_t *chain;

    if (chain_find(old, filter->name) >= 0) {
        return kernel__error_set(error, KERNEL_E_EXISTS,
                                 "cannot add filter '%s': there is one of that name", filter->name);
    }
    if (count >= KERNEL__FILTERS_MAX) {
        return kernel__error_set(error, KERNEL_E_LIMIT,
                                 "cannot add filter '%s': there are %u, which is the most",
                                 filter->name, count);
    }
    chain = chain_new(count + 1);
    if (chain != NULL) {
        chain->owned_name = sk_strdup(filter->name);
    }
    if (chain == NULL || chain->owned_name == NULL) {
        sk_free(chain);
        return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory to add filter '%s'",
                                 filter->name);
    }
    if (count > 0) {
        memcpy(chain->entries, old->entries, count * sizeof(chain->entries[0]));
    }
    chain->entries[count] = (filter_entry_t){.name = chain->owned_name,
                                             .before = filter->before,
                                             .after = filter->after,
                                             .data = filter->data};
    filters_publish(filters, chain);
    return KERNEL_OK;
}

kernel_status_t kernel_add_filter(kernel_t *kernel, const kernel_filter_t *filter,
                                  kernel_error_t *error)
{
    kernel_status_t status = kernel__check_open(kernel, error);

    if (status != KERNEL_OK) {
        return status;
    }
    if (filter == NULL || filter->size < sizeof(kernel_filter_t) || filter->name == NULL ||
        filter->name[0] == '\0' || (filter->before == NULL && filter->after == NULL)) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot add a filter: it needs a name and `before` or `after`, "
                                 "and begins with KERNEL_FILTER_INIT");
    }
    (void)pthread_mutex_lock(&kernel->filters.lock);
    status = filters_add(&kernel->filters, filter, error);
    (void)pthread_mutex_unlock(&kernel->filters.lock);
    return status;
}

static kernel_status_t filters_remove(kernel__filters_t *filters, const char *name,
                                      kernel_error_t *error)
{
    kernel__filter_chain_t *old = atomic_load_explicit(&filters->chain, memory_order_acquire);
    int at = chain_find(old, name);
    kernel__filter_chain_t *chain;

    if (at < 0) {
        return kernel__error_set(error, KERNEL_E_NOT_FOUND,
                                 "cannot remove filter '%s': there is none of that name", name);
    }
    chain = chain_new(old->count - 1);
    if (chain == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory to remove filter '%s'",
                                 name);
    }
    memcpy(chain->entries, old->entries, (size_t)at * sizeof(chain->entries[0]));
    memcpy(chain->entries + at, old->entries + at + 1,
           (old->count - (unsigned)at - 1) * sizeof(chain->entries[0]));
    filters_publish(filters, chain);
    return KERNEL_OK;
}

kernel_status_t kernel_remove_filter(kernel_t *kernel, const char *name, kernel_error_t *error)
{
    kernel_status_t status = kernel__check_open(kernel, error);

    if (status != KERNEL_OK) {
        return status;
    }
    if (name == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID, "cannot remove a filter without a name");
    }
    (void)pthread_mutex_lock(&kernel->filters.lock);
    status = filters_remove(&kernel->filters, name, error);
    (void)pthread_mutex_unlock(&kernel->filters.lock);
    return status;
}

/* ---- a call's way ---- */

void kernel__filter_begin(kernel_filter_context_t *context, kernel__filter_chain_t *chain,
                          kernel_function_t *function, kernel__call_t *call, bool from_model)
{
    context->function = function;
    context->call = call;
    context->chain = chain;
    context->entered = 0;
    context->at = 0;
    context->in_before = false;
    context->from_model = from_model;
    context->was_retried = false;
    context->attempt = 1;
    context->result = NULL;
    context->args = NULL;
    context->slots = NULL;
}

static kernel_result_t *filter_take_result(kernel_filter_context_t *context)
{
    kernel_result_t *result = context->result;

    context->result = NULL;
    return result;
}

/* What takes the function's place; takes `answer`, which may be NULL. */
static kernel_result_t *filter_answer(const kernel_filter_context_t *context,
                                      const filter_entry_t *entry, kernel_filter_verdict_t verdict,
                                      kernel_result_t *answer)
{
    if (verdict != KERNEL_FILTER_ANSWER) {
        kernel_result_free(answer);
        return kernel__result_error(KERNEL_E_INTERNAL,
                                    "filter '%s' answered %d before the call of %s, where only "
                                    "KERNEL_FILTER_CONTINUE and KERNEL_FILTER_ANSWER are known",
                                    entry->name, (int)verdict, context->function->full_name);
    }
    return answer != NULL
               ? answer
               : kernel__result_error(KERNEL_E_DENIED, "filter '%s' refused the call of %s",
                                      entry->name, context->function->full_name);
}

kernel_result_t *kernel__filter_before(kernel_filter_context_t *context)
{
    const kernel__filter_chain_t *chain = context->chain;

    context->in_before = true;
    for (; context->entered < chain->count; context->entered++) {
        const filter_entry_t *entry = &chain->entries[context->entered];
        kernel_filter_verdict_t verdict = KERNEL_FILTER_CONTINUE;
        kernel_result_t *answer;

        context->at = context->entered;
        if (entry->before != NULL) {
            verdict = entry->before(context, entry->data);
        }
        answer = filter_take_result(context);
        if (verdict != KERNEL_FILTER_CONTINUE) {
            context->in_before = false;
            return filter_answer(context, entry, verdict, answer);
        }
        kernel_result_free(answer); /* set, but not given */
    }
    context->in_before = false;
    return NULL;
}

kernel_result_t *kernel__filter_after(kernel_filter_context_t *context, kernel_result_t *result)
{
    while (context->entered > 0) {
        const filter_entry_t *entry = &context->chain->entries[context->entered - 1];
        kernel_filter_verdict_t verdict = KERNEL_FILTER_CONTINUE;
        kernel_result_t *replacement;

        context->at = context->entered - 1;
        if (entry->after != NULL) {
            verdict = entry->after(context, result, entry->data);
        }
        replacement = filter_take_result(context);
        if (verdict == KERNEL_FILTER_RETRY && !context->was_retried) {
            kernel_result_free(replacement);
            kernel_result_free(result);
            context->was_retried = true;
            return NULL; /* this filter and those outside stay entered, those inside begin again */
        }
        if (replacement != NULL) {
            kernel_result_free(result);
            result = replacement;
        }
        context->entered--;
    }
    return result;
}

void kernel__filter_retry(kernel_filter_context_t *context, kernel__call_t *call)
{
    context->call = call;
    context->attempt++;
    kernel_args_free(context->args);
    context->args = NULL;
}

void kernel__filter_end(kernel_filter_context_t *context)
{
    kernel_result_free(context->result);
    kernel_args_free(context->args);
    sk_free(context->slots);
    context->result = NULL;
    context->args = NULL;
    context->slots = NULL;
    context->chain = NULL;
}

/* ---- what filters may ask and do ---- */

kernel_function_t *kernel_filter_function(const kernel_filter_context_t *context)
{
    return context != NULL ? context->function : NULL;
}

const kernel_args_t *kernel_filter_args(kernel_filter_context_t *context)
{
    const kernel__signature_t *signature;
    const kp_value *argv;

    if (context == NULL) {
        return NULL;
    }
    if (context->args != NULL) {
        return context->args;
    }
    signature = &context->function->signature;
    argv = context->call->pub.argv;
    context->args = kernel_args_new();
    for (size_t i = 0; context->args != NULL && i < signature->count; i++) {
        if (argv[i].type != KP_NULL &&
            !kernel__args_set_value(context->args, signature->parameters[i].name, &argv[i])) {
            kernel_args_free(context->args);
            context->args = NULL;
        }
    }
    return context->args;
}

kernel_status_t kernel_filter_set_args(kernel_filter_context_t *context, const kernel_args_t *args,
                                       kernel_error_t *error)
{
    kernel__call_t *call;
    const kernel_function_t *function;
    kernel__binding_t binding;
    kernel_status_t status;

    if (context == NULL || !context->in_before) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "arguments can be replaced only in a filter's `before`");
    }
    call = context->call;
    function = context->function;
    binding = (kernel__binding_t){.signature = &function->signature,
                                  .subject = function->full_name,
                                  .limits = &call->kernel->limits,
                                  .context = call->context,
                                  .arena = &call->arena,
                                  .copy = true,
                                  .error = error};
    binding.argv =
        kernel__arena_alloc(&call->arena, (function->signature.count + 1) * sizeof(kp_value));
    if (binding.argv == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY, "no memory for the arguments of %s",
                                 function->full_name);
    }
    status = kernel__bind_args(&binding, args);
    if (status == KERNEL_OK) {
        call->pub.argv = binding.argv;
        kernel_args_free(context->args);
        context->args = NULL;
    }
    return status;
}

void kernel_filter_set_result(kernel_filter_context_t *context, const kernel_result_t *result)
{
    if (context != NULL) {
        kernel_result_free(context->result);
        context->result = kernel_result_keep(result);
    }
}

int kernel_filter_attempt(const kernel_filter_context_t *context)
{
    return context != NULL ? context->attempt : 0;
}

bool kernel_filter_is_from_model(const kernel_filter_context_t *context)
{
    return context != NULL && context->from_model;
}

void **kernel_filter_slot(kernel_filter_context_t *context)
{
    if (context == NULL) {
        return NULL;
    }
    if (context->slots == NULL) {
        context->slots = sk_calloc(context->chain->count, sizeof(*context->slots));
    }
    return context->slots != NULL ? &context->slots[context->at] : NULL;
}
