/*
 * resource.c - what a session is, and what the pool is.
 */
#include "resource.h"

#include <json.h>

#include "reply.h"

void resource_delete_session(call_t *call)
{
    session_t *session = session_find(call->protocol->pool, call->identifier);

    if (session != NULL) {
        session_remove(session, "the session was deleted");
    }
    request_answer_take(call->request, 204, NULL, NULL);
}

void resource_get_metadata(call_t *call)
{
    const config_t *config = call->protocol->plan->config;
    sk_buffer_t body = SK_BUFFER_INIT;

    sk_buffer_append_text(&body, "{\"runtimes\":[{\"name\":\"Python\",\"version\":");
    sk_json_write_text(&body, pool_python(call->protocol->pool));
    sk_buffer_append_text(&body, "}],\"createdAt\":");
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
