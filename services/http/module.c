/*
 * module.c - service "http": the one way out, answers kernel.http/1.
 *
 * All requests of a kernel share one instance: its connections, its limits, its
 * proxies. Nothing is opened before the first request.
 */
#include <inttypes.h>
#include <string.h>

#include <kernel/plugin.h>
#include <kernel/service.h>

#include "client.h"
#include "operation.h"

#define MODULE_MS_MAX 2147483647

typedef enum module_setting {
    MODULE_HTTP_PROXY,
    MODULE_HTTPS_PROXY,
    MODULE_ALL_PROXY,
    MODULE_NO_PROXY,
    MODULE_CA_FILE,
    MODULE_USER_AGENT,
    MODULE_CONNECT_MS,
    MODULE_FIRST_BYTE_MS,
    MODULE_IDLE_MS,
    MODULE_TOTAL_MS,
    MODULE_MAX_RESPONSE,
    MODULE_MAX_CONNECTIONS,
    MODULE_LAZY_POLLING,
    MODULE_SETTING_COUNT
} module_setting_t;

/* HTTP_PROXY in capitals is not read: a web server sets it from a request's header "Proxy". */
static const kp_param module_settings[] = {
    [MODULE_HTTP_PROXY] = {.name = "http_proxy",
                           .type = KP_STRING,
                           .description = "Proxy for http: URLs.",
                           .env = "http_proxy",
                           .flags = KP_OPTIONAL | KP_SECRET},
    [MODULE_HTTPS_PROXY] = {.name = "https_proxy",
                            .type = KP_STRING,
                            .description = "Proxy for https: URLs.",
                            .env = "https_proxy|HTTPS_PROXY",
                            .flags = KP_OPTIONAL | KP_SECRET},
    [MODULE_ALL_PROXY] = {.name = "all_proxy",
                          .type = KP_STRING,
                          .description = "Proxy where none of the others is set.",
                          .env = "all_proxy|ALL_PROXY",
                          .flags = KP_OPTIONAL | KP_SECRET},
    [MODULE_NO_PROXY] = {.name = "no_proxy",
                         .type = KP_STRING,
                         .description = "Hosts that are reached without a proxy, with commas "
                                        "between them; * for all.",
                         .env = "no_proxy|NO_PROXY",
                         .flags = KP_OPTIONAL},
    [MODULE_CA_FILE] = {.name = "ca_file",
                        .type = KP_STRING,
                        .description = "File with the certificates (PEM) of the authorities to "
                                       "trust, instead of the system's.",
                        .env = "SSL_CERT_FILE",
                        .flags = KP_OPTIONAL},
    [MODULE_USER_AGENT] = {.name = "user_agent",
                           .type = KP_STRING,
                           .description =
                               "What requests say in User-Agent, unless the plugin does.",
                           .dflt = "\"semkernel/" HTTP_VERSION "\""},
    [MODULE_CONNECT_MS] = {.name = "connect_ms",
                           .type = KP_INTEGER,
                           .description = "Longest time until a connection stands.",
                           .dflt = "10000",
                           .schema = "{\"minimum\":1,\"maximum\":2147483647}"},
    [MODULE_FIRST_BYTE_MS] = {.name = "first_byte_ms",
                              .type = KP_INTEGER,
                              .description = "Longest time until the answer begins; 0: any.",
                              .dflt = "0",
                              .schema = "{\"minimum\":0,\"maximum\":2147483647}"},
    [MODULE_IDLE_MS] = {.name = "idle_ms",
                        .type = KP_INTEGER,
                        .description = "Longest time without a byte in either direction; 0: any.",
                        .dflt = "0",
                        .schema = "{\"minimum\":0,\"maximum\":2147483647}"},
    [MODULE_TOTAL_MS] = {.name = "total_ms",
                         .type = KP_INTEGER,
                         .description = "Longest time for a request from start to end; 0: any.",
                         .dflt = "0",
                         .schema = "{\"minimum\":0,\"maximum\":2147483647}"},
    [MODULE_MAX_RESPONSE] = {.name = "max_response",
                             .type = KP_INTEGER,
                             .description = "Most bytes of an answer, decoded. A plugin may allow "
                                            "less, and more only where it takes them in pieces.",
                             .dflt = "67108864",
                             .schema = "{\"minimum\":1}"},
    [MODULE_MAX_CONNECTIONS] = {.name = "max_connections",
                                .type = KP_INTEGER,
                                .description = "Most idle connections that are kept for later "
                                               "requests.",
                                .dflt = "256",
                                .schema = "{\"minimum\":1,\"maximum\":65536}"},
    [MODULE_LAZY_POLLING] = {.name = "lazy_polling",
                             .type = KP_BOOLEAN,
                             .description = "Keep watching idle connections, which saves system "
                                            "calls when they are used again.",
                             .dflt = "true"},
};

/* ---- the extension ---- */

static http__client_t *module_client(const kp_http *table)
{
    return (http__client_t *)(uintptr_t)table; /* its first member */
}

static int module_request(const kp_http *table, kp_instance *user, const kp_http_request *request,
                          kp_http_op **op)
{
    http__client_t *client = module_client(table);

    return http__operation_start(client, user != NULL ? user : client->instance, request, op);
}

static void module_cancel(const kp_http *table, kp_http_op *op)
{
    (void)table;
    if (op != NULL) {
        http__operation_cancel(op);
    }
}

static void module_pause(const kp_http *table, kp_http_op *op)
{
    (void)table;
    if (op != NULL) {
        http__operation_pause(op);
    }
}

static void module_resume(const kp_http *table, kp_http_op *op)
{
    (void)table;
    if (op != NULL) {
        http__operation_resume(op);
    }
}

static const void *module_extension(kp_instance *instance, const char *id)
{
    const http__client_t *client = instance->self;

    return strcmp(id, KP_EXT_HTTP) == 0 ? &client->table : NULL;
}

/* ---- the instance ---- */

static const char *module_text(const kp_instance *instance, module_setting_t setting)
{
    const kp_value *value = &instance->config[setting];

    return value->type == KP_NULL || value->as.text.len == 0 ? NULL : value->as.text.ptr;
}

/* KP_E_INVALID: it is not from `least` to `most`. */
static int module_integer(kp_instance *instance, module_setting_t setting, int64_t least,
                          int64_t most, int64_t *value_out)
{
    *value_out = instance->config[setting].as.integer;
    if (*value_out < least || *value_out > most) {
        kp_log(instance, KP_LOG_ERROR, "%s is %" PRId64 ", it must be from %" PRId64 " to %" PRId64,
               module_settings[setting].name, *value_out, least, most);
        return KP_E_INVALID;
    }
    return KP_OK;
}

static int module_read_config(kp_instance *instance, http__config_t *config)
{
    int64_t connect_ms;
    int64_t first_byte_ms;
    int64_t idle_ms;
    int64_t total_ms;
    int64_t max_response;
    int64_t max_connections;

    if (module_integer(instance, MODULE_CONNECT_MS, 1, MODULE_MS_MAX, &connect_ms) != KP_OK ||
        module_integer(instance, MODULE_FIRST_BYTE_MS, 0, MODULE_MS_MAX, &first_byte_ms) != KP_OK ||
        module_integer(instance, MODULE_IDLE_MS, 0, MODULE_MS_MAX, &idle_ms) != KP_OK ||
        module_integer(instance, MODULE_TOTAL_MS, 0, MODULE_MS_MAX, &total_ms) != KP_OK ||
        module_integer(instance, MODULE_MAX_RESPONSE, 1, INT64_MAX, &max_response) != KP_OK ||
        module_integer(instance, MODULE_MAX_CONNECTIONS, 1, 65536, &max_connections) != KP_OK) {
        return KP_E_INVALID;
    }
    *config = (http__config_t){
        .http_proxy = module_text(instance, MODULE_HTTP_PROXY),
        .https_proxy = module_text(instance, MODULE_HTTPS_PROXY),
        .all_proxy = module_text(instance, MODULE_ALL_PROXY),
        .no_proxy = module_text(instance, MODULE_NO_PROXY),
        .ca_file = module_text(instance, MODULE_CA_FILE),
        .user_agent = module_text(instance, MODULE_USER_AGENT),
        .connect_ms = (uint32_t)connect_ms,
        .first_byte_ms = (uint32_t)first_byte_ms,
        .idle_ms = (uint32_t)idle_ms,
        .total_ms = (uint32_t)total_ms,
        .max_response = (uint64_t)max_response,
        .max_connections = (uint32_t)max_connections,
        .is_polling_lazily = instance->config[MODULE_LAZY_POLLING].as.boolean != 0,
    };
    return KP_OK;
}

static int module_create(kp_instance *instance)
{
    http__config_t config;
    http__client_t *client = NULL;
    int status = module_read_config(instance, &config);

    if (status != KP_OK) {
        return status;
    }
    if (!http__engine_prepare()) {
        kp_log(instance, KP_LOG_ERROR, "cannot prepare libcurl for use");
        return KP_E_UNAVAILABLE;
    }
    client = http__client_new(instance);
    if (client == NULL) {
        return KP_E_NO_MEMORY;
    }
    client->config = config;
    client->table.size = (uint32_t)sizeof(client->table);
    client->table.request = module_request;
    client->table.cancel = module_cancel;
    client->table.pause = module_pause;
    client->table.resume = module_resume;
    instance->self = client;
    return KP_OK;
}

static void module_destroy(kp_instance *instance)
{
    http__client_free(instance->self);
}

static const kp_function *const module_functions[] = {NULL};

KP_PLUGIN_EX(.name = "http", .version = HTTP_VERSION,
             .description = "Requests over HTTP and HTTPS, for plugins.",
             .functions = module_functions, .config = module_settings,
             .config_count = MODULE_SETTING_COUNT, .config_stride = sizeof(kp_param),
             .create = module_create, .destroy = module_destroy, .extension = module_extension);
