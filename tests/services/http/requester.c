/*
 * requester.c - plugin "requester": sends what a test has planned.
 */
#include "requester.h"

static requester_plan_t *plan_of(int64_t address)
{
    return (requester_plan_t *)(uintptr_t)address;
}

static void on_chunk(void *arg, kp_http_op *op, const void *data, size_t size)
{
    requester_plan_t *plan = arg;

    plan->seen_op = op;
    plan->on_chunk(plan, data, size);
}

static void on_progress(void *arg, kp_http_op *op, uint64_t sent, uint64_t send_total,
                        uint64_t received, uint64_t receive_total)
{
    requester_plan_t *plan = arg;

    plan->seen_op = op;
    plan->on_progress(plan, sent, send_total, received, receive_total);
}

static void on_done(void *arg, const kp_http_response *response)
{
    requester_plan_t *plan = arg;
    kp_call *call = plan->request.call;
    bool is_waited_for = (call->function->flags & KP_F_ASYNC) == 0;
    int status = response->status == KP_OK ? kp_return_integer(call, (int64_t)response->http_status)
                                           : kp_fail(call, response->status, "%s", response->error);

    if (plan->on_done != NULL) {
        plan->on_done(plan, response);
    }
    if (!is_waited_for) {
        kp_complete(call, status); /* the plan may be gone by now */
        return;
    }
    (void)pthread_mutex_lock(&plan->lock);
    plan->outcome = status;
    plan->is_over = true;
    (void)pthread_cond_signal(&plan->changed);
    (void)pthread_mutex_unlock(&plan->lock);
}

static void on_done_of_instance(void *arg, const kp_http_response *response)
{
    requester_plan_t *plan = arg;

    if (plan->on_done != NULL) {
        plan->on_done(plan, response);
    }
}

static int begin(requester_plan_t *plan, kp_call *call)
{
    kp_http_request *request = &plan->request;
    int status;

    plan->instance = call->instance;
    plan->call = call;
    plan->http = kp_extension(call->instance, KP_EXT_HTTP);
    plan->loop = kp_extension(call->instance, KP_EXT_LOOP);
    if (plan->http == NULL || plan->loop == NULL) {
        return kp_fail(call, KP_E_UNSUPPORTED, "this kernel has no kernel.http/1");
    }
    /* The callbacks may come before request() returns. */
    request->call = plan->is_of_instance ? NULL : call;
    request->arg = plan;
    request->on_chunk = plan->on_chunk == NULL ? NULL : on_chunk;
    request->on_progress = plan->on_progress == NULL ? NULL : on_progress;
    request->on_done = plan->is_of_instance ? on_done_of_instance : on_done;
    status = plan->http->request(plan->http, call->instance, request, &plan->op);
    atomic_store(&plan->begun, status);
    return status;
}

KP_FUNCTION(async, send, "Sends a request and completes with its HTTP status.",
            (integer, plan, "Address of a plan."))
{
    requester_plan_t *what = plan_of(plan);
    int status = begin(what, call);

    if (status != KP_OK) {
        return status;
    }
    if (what->on_started != NULL) {
        what->on_started(what);
    }
    return what->is_of_instance ? kp_return_null(call) : KP_PENDING;
}

KP_FUNCTION_FLAGS(KP_F_CONCURRENT, status, send_and_wait,
                  "Sends a request from a thread that waits for its end.",
                  (integer, plan, "Address of a plan."))
{
    requester_plan_t *what = plan_of(plan);
    int status = begin(what, call);

    if (status != KP_OK || what->is_of_instance) {
        return status;
    }
    (void)pthread_mutex_lock(&what->lock);
    while (!what->is_over) {
        (void)pthread_cond_wait(&what->changed, &what->lock);
    }
    status = what->outcome;
    (void)pthread_mutex_unlock(&what->lock);
    return status;
}

KP_PLUGIN("requester", "1.0.0", "Sends what a test has planned.", send, send_and_wait);
