/*
 * filters.h - the chain of function filters and one call's way through it.
 *
 * A chain never changes: adding or removing makes a new one. A call keeps the
 * chain it began with; old chains are freed with the kernel.
 */
#ifndef KERNEL_FILTERS_PRIVATE_H
#define KERNEL_FILTERS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <kernel/kernel.h>

struct kernel__call;

#define KERNEL__FILTERS_MAX 32u

typedef struct kernel__filter_chain kernel__filter_chain_t;

typedef struct kernel__filters {
    pthread_mutex_t lock;
    _Atomic(kernel__filter_chain_t *) chain; /* NULL: no filter, which is what calls ask first */
    kernel__filter_chain_t *all;             /* owned */
} kernel__filters_t;

struct kernel_filter_context {
    kernel_function_t *function;
    struct kernel__call *call; /* of this attempt */
    kernel__filter_chain_t *chain;
    unsigned entered; /* filters whose `before` wanted to go on: their `after` is due */
    unsigned at;      /* the filter that runs */
    bool in_before;
    bool from_model;
    bool was_retried;
    int attempt;
    kernel_result_t *result; /* set by a filter; owned */
    kernel_args_t *args;     /* made for filters that ask; owned */
    void **slots;            /* owned */
};

void kernel__filters_init(kernel__filters_t *filters);
void kernel__filters_fini(kernel__filters_t *filters);

void kernel__filter_begin(kernel_filter_context_t *context, kernel__filter_chain_t *chain,
                          kernel_function_t *function, struct kernel__call *call, bool from_model);
/* Run the `before`s. NULL: call the function; else the answer that takes its place, owned by the
 * caller, still to go through kernel__filter_after(). */
kernel_result_t *kernel__filter_before(kernel_filter_context_t *context);
/* Run the `after`s; takes `result`. NULL: a filter wants a retry, begin again with another call. */
kernel_result_t *kernel__filter_after(kernel_filter_context_t *context, kernel_result_t *result);
void kernel__filter_retry(kernel_filter_context_t *context, struct kernel__call *call);
void kernel__filter_end(kernel_filter_context_t *context);

#endif /* KERNEL_FILTERS_PRIVATE_H */
