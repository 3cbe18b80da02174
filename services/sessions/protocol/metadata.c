/*
 * metadata.c - what the pool is and what its sessions have.
 *
 * The packages are found out when the first one asks, if not before; until then
 * who asks waits.
 */
#include "metadata.h"

#include <alloc.h>
#include <json.h>
#include <kernel/version.h>

#include "reply.h"

typedef struct pending {
    survey_waiter_t waiter; /* first: they share an address */
    call_t *call;
} pending_t;

static void metadata_answer(const call_t *call)
{
    const config_t *config = call->protocol->plan->config;
    const survey_t *survey = call->protocol->survey;
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_append_text(&body, "{\"runtimes\":[{\"name\":\"Python\",\"version\":");
    sk_json_write_text(&body, survey_python(survey));
    sk_buffer_append_text(&body, "}],\"preInstalledPackages\":");
    sk_buffer_append_text(&body, survey_packages(survey));
    sk_buffer_append_text(&body,
                          ",\"jupyterKernel\":{\"name\":\"semkernel-sessiond\",\"version\":"
                          "\"" KERNEL_VERSION_STRING "\",\"projectUrl\":\"\",\"description\":"
                          "\"Cells of Python with displays and commands, without IPython\"}");
    sk_buffer_append_text(&body, ",\"createdAt\":");
    reply_write_time(&body, &call->protocol->started, 7);
    sk_buffer_append_text(&body, ",\"lastUpdatedAt\":");
    reply_write_time(&body, &call->protocol->started, 7);
    sk_buffer_appendf(&body, ",\"sandbox\":{\"level\":\"%s\",\"selfTest\":\"passed\"}",
                      level_name(call->protocol->plan->facility->level));
    sk_buffer_appendf(
        &body,
        ",\"limits\":{\"sessions\":%lld,\"timeoutInSeconds\":%d,\"memoryInBytes\":%lld,"
        "\"addressSpaceInBytes\":%lld,\"processes\":%lld,\"dataInBytes\":%lld,"
        "\"dataInodes\":%lld,\"outputInBytes\":%lld,\"codeInBytes\":%d,"
        "\"cooldownInSeconds\":%lld}}",
        (long long)config->max_sessions, PROTOCOL_TIMEOUT_MAX_S, (long long)config->memory,
        (long long)config->address_space, (long long)config->processes,
        (long long)config->data_size, (long long)config->data_inodes,
        (long long)config->output_limit, PROTOCOL_CODE_MAX, (long long)config->cooldown);
    request_answer_take(call->request, 200, TYPE_JSON, &body);
}

static void pending_on_end(survey_waiter_t *waiter)
{
    pending_t *pending = (pending_t *)waiter;

    request_set_data(pending->call->request, NULL, NULL);
    metadata_answer(pending->call);
    sk_free(pending);
}

static void pending_on_hang_up(request_t *request)
{
    pending_t *pending = request_data(request);

    survey_remove_waiter(pending->call->protocol->survey, &pending->waiter);
    request_set_data(request, NULL, NULL);
    /* the connection is resumed, so that the library sees the end of it, too */
    request_answer_take(request, 499, NULL, NULL);
    sk_free(pending);
}

void metadata_get(call_t *call)
{
    survey_t *survey = call->protocol->survey;

    survey_start(survey);
    if (survey_has_ended(survey) || pool_is_closing(call->protocol->pool)) {
        metadata_answer(call);
        return;
    }
    pending_t *pending = sk_calloc(1, sizeof(*pending));
    if (pending == NULL) {
        refuse_out_of_memory(call);
        return;
    }
    pending->waiter.on_end = pending_on_end;
    pending->call = call;
    survey_add_waiter(survey, &pending->waiter);
    request_set_data(call->request, pending, pending_on_hang_up);
}
