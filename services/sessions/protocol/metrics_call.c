/*
 * metrics_call.c - counters and the state of the moment, for whoever may ask.
 */
#include "metrics_call.h"

#include <string.h>

#include <kernel/version.h>

#include "reply.h"
#include "telemetry/metrics.h"

bool metrics_are_asked(const request_t *request)
{
    return strcmp(request_path(request), "/metrics") == 0;
}

void metrics_get(call_t *call)
{
    pool_t *pool = call->protocol->pool;
    const sandbox_plan_t *plan = call->protocol->plan;
    metrics_now_t now = {.version = KERNEL_VERSION_STRING,
                         .level = level_name(plan->facility->level),
                         .python = pool_python(pool),
                         .sessions = pool_session_count(pool),
                         .sessions_max = (uint64_t)plan->config->max_sessions};
    sk_buffer_t body = SK_BUFFER_INIT;

    request_note_operation(call->request, "metrics");
    if (strcmp(request_method(call->request), "GET") != 0) {
        request_add_header(call->request, "Allow", "GET");
        refuse(call, 405, "MethodNotAllowed", NULL, "this path takes another method");
        return;
    }
    pool_tally(pool, &now);
    metrics_write(&body, &now);
    request_answer_take(call->request, 200, METRICS_TYPE, &body);
}
