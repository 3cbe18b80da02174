/*
 * request.h - what a call is made with, from whichever entry point, and the
 * record that it becomes.
 */
#ifndef KERNEL_REQUEST_PRIVATE_H
#define KERNEL_REQUEST_PRIVATE_H

#include <stdbool.h>

#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include "call.h"

typedef struct kernel__request {
    const kernel_function_t *function;
    const kernel_args_t *args; /* one of the three forms */
    const kp_named *named;
    size_t named_count;
    const char *json; /* used when `is_json` */
    size_t json_size;
    bool is_json;
    kernel__call_t *parent;                 /* NULL: the host's call */
    const kernel_invoke_options_t *options; /* NULL: none; else complete */
} kernel__request_t;

/* Enter the instance and take a record with bound arguments; `operation` gives deadline and
 * context. NULL: *result_out says why not. */
kernel__call_t *kernel__request_prepare(const kernel__request_t *request, kernel_call_t *operation,
                                        kernel_result_t **result_out);
/* The same for a call that ends on this thread: it borrows its arguments, is not counted by its
 * instance, and goes back by kernel__call_drop_here(). */
kernel__call_t *kernel__request_prepare_here(const kernel__request_t *request,
                                             kernel_result_t **result_out);
/* A second record for a retry, with the arguments of the first, which stays held. NULL: no memory,
 * or the instance is being removed. */
kernel__call_t *kernel__request_again(kernel__call_t *first);

#endif /* KERNEL_REQUEST_PRIVATE_H */
