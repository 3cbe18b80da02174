/*
 * What happens when memory runs out: every request that was begun ends once, and
 * nothing is left behind. The service is linked into this program, so that its
 * memory is the failing allocator's; the kernel's own is not.
 */
#include "exchange.h"

#include "alloc.h"
#include "support/fail_alloc.h"

extern const kp_module *kernel_plugin_v1_http(const kp_host *host);

static replay_server_t *server;
static bool is_streaming;

static void check_ended(exchange_t *exchange)
{
    bool was_begun = atomic_load(&exchange->plan.begun) == KP_OK;

    CHECK_EQ(exchange->done_count, was_begun ? 1 : 0);
    CHECK_EQ(exchange->call_status == KERNEL_OK, was_begun && exchange->status == KP_OK);
    if (exchange->status == KP_OK && was_begun) {
        CHECK_EQ(exchange->http_status, 200);
    }
}

static void exchange_in_a_kernel_of_its_own(void)
{
    static const kp_http_header header = {"X-A", "b"};
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;
    client_t client;
    exchange_t exchange;
    char url[128];

    memset(&client, 0, sizeof(client));
    options.env_file = "";
    options.log_level = KERNEL_LOG_ERROR;
    replay_server_url(server, "/", url, sizeof(url));
    client.kernel = kernel_new(&options, &error);
    (void)kernel_add_service(client.kernel, "http", NULL, NULL, &error); /* may fail */
    client.plugin =
        kernel_add_plugin(client.kernel, TEST_PLUGIN_DIR "/requester.so", NULL, NULL, NULL);
    client.send = kernel_plugin_find(client.plugin, "send");
    CHECK(client.send != NULL);
    for (int i = 0; i < 2; i++) {
        exchange_init(&exchange, i == 0 ? "GET" : "POST", url);
        exchange.plan.request.headers = &header;
        exchange.plan.request.header_count = 1;
        exchange.plan.request.body = i == 0 ? NULL : "{}";
        exchange.plan.request.body_len = i == 0 ? 0 : 2;
        exchange.plan.request.idle_ms = 10000;
        if (is_streaming) {
            exchange_stream(&exchange);
        }
        exchange_run(&client, &exchange);
        check_ended(&exchange);
        exchange_fini(&exchange);
    }
    kernel_free(client.kernel);
}

static void fail_each(bool streaming)
{
    static const sk_allocator_t allocator = {fail_alloc_malloc, fail_alloc_realloc,
                                             fail_alloc_free};
    static const replay_answer_t answer = REPLAY_ANSWER_TEXT(
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-A: b\r\nX-B: c\r\n\r\n0123456789");
    kernel_error_t error = KERNEL_ERROR_INIT;

    sk_set_allocator(&allocator);
    CHECK_EQ(kernel_register_static("http", kernel_plugin_v1_http, &error), KERNEL_OK);
    server = replay_server_new(REPLAY_TCP);
    replay_server_set(server, "/", &answer);
    is_streaming = streaming;
    fail_alloc_each(exchange_in_a_kernel_of_its_own);
    replay_server_free(server);
}

static void an_exchange_survives_any_failing_allocation(void)
{
    fail_each(false);
}

static void a_stream_survives_any_failing_allocation(void)
{
    fail_each(true);
}

TESTS(TEST(an_exchange_survives_any_failing_allocation),
      TEST(a_stream_survives_any_failing_allocation))
