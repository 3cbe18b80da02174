/*
 * exchange.c - exchanges through a kernel, looked at afterwards.
 */
#include "exchange.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the kernel ---- */

static void client_log(kernel_log_level_t level, const char *text, void *data)
{
    client_t *client = data;

    (void)level;
    (void)pthread_mutex_lock(&client->lock);
    sk_buffer_append_text(&client->log, text);
    sk_buffer_append_char(&client->log, '\n');
    (void)pthread_mutex_unlock(&client->lock);
}

static void client_open_kernel(client_t *client, bool adds_service, const char *config)
{
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;

    memset(client, 0, sizeof(*client));
    (void)pthread_mutex_init(&client->lock, NULL);
    options.log = client_log;
    options.log_data = client;
    options.env_file = "";
    client->kernel = kernel_new(&options, &error);
    if (adds_service) {
        (void)kernel_add_service(client->kernel, "http", NULL, config, &error);
    }
    client->plugin =
        kernel_add_plugin(client->kernel, TEST_PLUGIN_DIR "/requester.so", NULL, NULL, &error);
    CHECK_STR(error.text, "");
    client->send = kernel_plugin_find(client->plugin, "send");
    client->send_and_wait = kernel_plugin_find(client->plugin, "send_and_wait");
}

void client_open(client_t *client, const char *config)
{
    client_open_kernel(client, true, config);
}

void client_open_without_service(client_t *client)
{
    client_open_kernel(client, false, NULL);
}

void client_open_trusting(client_t *client, const replay_server_t *server)
{
    char config[160];

    (void)snprintf(config, sizeof(config), "{\"ca_file\":\"%s\"}", replay_server_ca_file(server));
    client_open(client, config);
}

void client_close(client_t *client)
{
    kernel_free(client->kernel);
    CHECK(!client_has_logged(client, "leaked"));
    CHECK(!client_has_logged(client, "left open"));
    (void)pthread_mutex_destroy(&client->lock);
    sk_buffer_fini(&client->log);
}

bool client_has_logged(client_t *client, const char *text)
{
    bool has_logged;

    (void)pthread_mutex_lock(&client->lock);
    has_logged = strstr(sk_buffer_text(&client->log), text) != NULL;
    (void)pthread_mutex_unlock(&client->lock);
    return has_logged;
}

/* ---- what the plugin passes on ---- */

static void exchange_note_thread(exchange_t *exchange)
{
    if (!exchange->has_thread) {
        exchange->has_thread = true;
        exchange->is_on_one_thread = true;
        exchange->thread = pthread_self();
    } else if (pthread_equal(exchange->thread, pthread_self()) == 0) {
        exchange->is_on_one_thread = false;
    }
}

static void exchange_on_chunk(requester_plan_t *plan, const void *data, size_t size)
{
    exchange_t *exchange = (exchange_t *)(void *)plan;

    exchange_note_thread(exchange);
    exchange->chunk_count++;
    sk_buffer_append(&exchange->body, data, size);
    if (exchange->on_chunk != NULL) {
        exchange->on_chunk(exchange, size);
    }
}

static void exchange_on_done(requester_plan_t *plan, const kp_http_response *response)
{
    exchange_t *exchange = (exchange_t *)(void *)plan;

    exchange_note_thread(exchange);
    exchange->status = response->status;
    exchange->http_status = response->http_status;
    exchange->attempts = response->attempts;
    exchange->retry_after_ms = response->retry_after_ms;
    exchange->flags = response->flags;
    for (size_t i = 0; i < response->header_count; i++) {
        sk_buffer_appendf(&exchange->headers, "%s: %s\n", response->headers[i].name,
                          response->headers[i].value);
    }
    sk_buffer_append(&exchange->body, response->body, response->body_len);
    if (response->error != NULL) {
        sk_buffer_append_text(&exchange->error, response->error);
    }
    if (exchange->on_done != NULL) {
        exchange->on_done(exchange);
    }
    atomic_fetch_add(&exchange->done_count, 1);
    latch_open(&exchange->done);
}

/* ---- exchanges ---- */

void exchange_init(exchange_t *exchange, const char *method, const char *url)
{
    memset(exchange, 0, sizeof(*exchange));
    exchange->done = (latch_t)LATCH_INIT;
    exchange->reported = (latch_t)LATCH_INIT;
    exchange->plan.request.size = sizeof(exchange->plan.request);
    exchange->plan.request.method = method;
    exchange->plan.request.url = url;
    exchange->plan.on_done = exchange_on_done;
    atomic_store(&exchange->plan.begun, 1);
    (void)pthread_mutex_init(&exchange->plan.lock, NULL);
    (void)pthread_cond_init(&exchange->plan.changed, NULL);
}

void exchange_fini(exchange_t *exchange)
{
    sk_buffer_fini(&exchange->headers);
    sk_buffer_fini(&exchange->body);
    sk_buffer_fini(&exchange->error);
    (void)pthread_mutex_destroy(&exchange->plan.lock);
    (void)pthread_cond_destroy(&exchange->plan.changed);
}

void exchange_stream(exchange_t *exchange)
{
    exchange->plan.on_chunk = exchange_on_chunk;
}

static kernel_args_t *exchange_args(exchange_t *exchange)
{
    kernel_args_t *args = kernel_args_new();

    kernel_args_set_integer(args, "plan", (int64_t)(uintptr_t)&exchange->plan);
    return args;
}

static void exchange_note_result(exchange_t *exchange, const kernel_result_t *result)
{
    const char *error = kernel_result_error(result);

    exchange->call_status = kernel_result_status(result);
    (void)snprintf(exchange->call_error, sizeof(exchange->call_error), "%s",
                   error == NULL ? "" : error);
}

void exchange_run_until(client_t *client, exchange_t *exchange, uint64_t timeout_ms)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_args_t *args = exchange_args(exchange);
    kernel_result_t *result;

    options.timeout_ms = timeout_ms;
    result = kernel_invoke_with(client->send, args, &options);
    exchange_note_result(exchange, result);
    kernel_result_free(result);
    kernel_args_free(args);
    if (atomic_load(&exchange->plan.begun) == KP_OK) {
        latch_wait(&exchange->done);
    }
}

void exchange_run(client_t *client, exchange_t *exchange)
{
    exchange_run_until(client, exchange, 0);
}

static void exchange_on_report(const kernel_result_t *result, void *data)
{
    exchange_t *exchange = data;

    exchange_note_result(exchange, result);
    atomic_fetch_add(&exchange->report_count, 1);
    latch_open(&exchange->reported);
}

void exchange_start(client_t *client, exchange_t *exchange, kernel_call_t **call_out)
{
    kernel_args_t *args = exchange_args(exchange);

    CHECK_EQ(kernel_invoke_async(client->send, args, NULL, exchange_on_report, exchange, call_out),
             KERNEL_OK);
    kernel_args_free(args);
}

void exchange_wait(exchange_t *exchange)
{
    latch_wait(&exchange->reported);
    latch_wait(&exchange->done);
}

typedef struct exchange_errand {
    exchange_t *exchange;
    void (*fn)(exchange_t *exchange);
    latch_t done;
} exchange_errand_t;

static void exchange_on_errand(void *arg)
{
    exchange_errand_t *errand = arg;

    errand->fn(errand->exchange);
    latch_open(&errand->done);
}

void exchange_on_loop(exchange_t *exchange, void (*fn)(exchange_t *exchange))
{
    exchange_errand_t errand = {exchange, fn, LATCH_INIT};
    const requester_plan_t *plan = &exchange->plan;

    CHECK_EQ(plan->loop->post(plan->loop, plan->instance, exchange_on_errand, &errand), KP_OK);
    latch_wait(&errand.done);
}

size_t descriptor_count(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}
