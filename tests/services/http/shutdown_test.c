/* Ends with much in flight: everything is reported exactly once, nothing is left. */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>

#define OK_HI REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
#define MANY  500

static exchange_t exchanges[MANY];

static replay_server_t *stalling_server(replay_transport_t transport, size_t stall_at)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789";
    replay_answer_t answer = REPLAY_ANSWER_BYTES(text, sizeof(text) - 1);
    replay_server_t *server = replay_server_new(transport);

    answer.stall_at = stall_at;
    answer.end = REPLAY_HOLD;
    replay_server_set(server, "/", &answer);
    return server;
}

/* How many threads this process has. */
static size_t thread_count(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    size_t count = 0;

    CHECK(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "Threads: %zu", &count);
    }
    (void)fclose(file);
    return count;
}

static void check_cancelled(exchange_t *exchange)
{
    exchange_wait(exchange);
    CHECK_EQ(exchange->done_count, 1);
    CHECK_EQ(exchange->report_count, 1);
    CHECK_EQ(exchange->status, KP_E_CANCELLED);
    exchange_fini(exchange);
}

static void free_with_many_in_flight(replay_transport_t transport, size_t stall_at)
{
    replay_server_t *server = stalling_server(transport, stall_at);
    size_t descriptors;
    client_t client;
    char url[128];

    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL); /* libraries open what they keep */
    client_close(&client);
    descriptors = descriptor_count();
    if (transport == REPLAY_TLS) {
        client_open_trusting(&client, server);
    } else {
        client_open(&client, NULL);
    }
    for (size_t i = 0; i < MANY; i++) {
        exchange_init(&exchanges[i], i % 2 == 0 ? "GET" : "POST", url);
        if (i % 3 == 0) {
            exchange_stream(&exchanges[i]);
        }
        if (transport == REPLAY_UNIX) {
            exchanges[i].plan.request.unix_socket = replay_server_socket_path(server);
        }
        exchange_start(&client, &exchanges[i], NULL);
    }
    replay_server_wait(server, REPLAY_STALLED, MANY);
    client_close(&client);
    for (size_t i = 0; i < MANY; i++) {
        check_cancelled(&exchanges[i]);
    }
    replay_server_wait(server, REPLAY_GONE, replay_server_count(server, REPLAY_CONNECTED));
    CHECK_EQ(descriptor_count(), descriptors);
    replay_server_free(server);
}

static void many_that_wait_for_an_answer_are_reported_once(void)
{
    free_with_many_in_flight(REPLAY_TCP, 0);
}

static void many_within_their_bodies_are_reported_once(void)
{
    free_with_many_in_flight(REPLAY_TCP, 45);
}

static void many_over_unix_sockets_are_reported_once(void)
{
    free_with_many_in_flight(REPLAY_UNIX, 0);
}

static void many_that_were_only_just_started_are_reported_once(void)
{
    replay_server_t *server = stalling_server(REPLAY_TCP, 0);
    client_t client;
    char url[128];

    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    for (size_t i = 0; i < MANY; i++) {
        exchange_init(&exchanges[i], "GET", url);
        exchange_start(&client, &exchanges[i], NULL);
    }
    client_close(&client);
    for (size_t i = 0; i < MANY; i++) {
        latch_wait(&exchanges[i].reported);
        CHECK_EQ(exchanges[i].report_count, 1);
        /* Those whose function had not begun never made a request. */
        CHECK_EQ(exchanges[i].done_count, atomic_load(&exchanges[i].plan.begun) == KP_OK ? 1 : 0);
        exchange_fini(&exchanges[i]);
    }
    replay_server_free(server);
}

static void some_within_their_handshake_are_reported_once(void)
{
    replay_server_t *server = stalling_server(REPLAY_TCP, 0);
    size_t descriptors;
    client_t client;
    char url[128];
    char secure[140];

    replay_server_url(server, "/", url, sizeof(url));
    (void)snprintf(secure, sizeof(secure), "https%s", url + 4);
    client_open(&client, NULL);
    client_close(&client);
    descriptors = descriptor_count();
    client_open(&client, NULL);
    for (size_t i = 0; i < 50; i++) {
        exchange_init(&exchanges[i], "GET", secure);
        /* Over HTTP/1.1 none waits for another one's connection. */
        exchanges[i].plan.request.flags = KP_HTTP_BOUNDED_MEMORY;
        exchange_start(&client, &exchanges[i], NULL);
    }
    replay_server_wait(server, REPLAY_CONNECTED, 50);
    client_close(&client);
    for (size_t i = 0; i < 50; i++) {
        check_cancelled(&exchanges[i]);
    }
    replay_server_wait(server, REPLAY_GONE, 50);
    CHECK_EQ(descriptor_count(), descriptors);
    replay_server_free(server);
}

static void some_within_a_look_up_are_reported_once(void)
{
    client_t client;
    char urls[50][64];

    client_open(&client, NULL);
    for (size_t i = 0; i < 50; i++) {
        (void)snprintf(urls[i], sizeof(urls[i]), "http://host-%zu.invalid/", i / 2);
        exchange_init(&exchanges[i], "GET", urls[i]);
        exchange_start(&client, &exchanges[i], NULL);
    }
    client_close(&client);
    for (size_t i = 0; i < 50; i++) {
        latch_wait(&exchanges[i].reported);
        CHECK_EQ(exchanges[i].done_count, atomic_load(&exchanges[i].plan.begun) == KP_OK ? 1 : 0);
        exchange_fini(&exchanges[i]);
    }
}

static void requests_of_an_instance_end_with_it_and_others_go_on(void)
{
    enum { COUNT = 50 };
    replay_server_t *server = stalling_server(REPLAY_TCP, 5);
    kernel_error_t error = KERNEL_ERROR_INIT;
    client_t client;
    client_t other; /* another instance in the same kernel */
    static exchange_t survivor;
    char url[128];

    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    other = client;
    other.plugin =
        kernel_add_plugin(client.kernel, TEST_PLUGIN_DIR "/requester.so", "other", NULL, &error);
    other.send = kernel_plugin_find(other.plugin, "send");
    for (size_t i = 0; i < COUNT; i++) {
        exchange_init(&exchanges[i], "GET", url);
        exchanges[i].plan.is_of_instance = i % 2 == 0;
        exchange_start(&other, &exchanges[i], NULL);
    }
    exchange_init(&survivor, "GET", url);
    exchange_start(&client, &survivor, NULL);
    replay_server_wait(server, REPLAY_STALLED, COUNT + 1);
    CHECK_EQ(kernel_remove_plugin(other.plugin, &error), KERNEL_OK);
    for (size_t i = 0; i < COUNT; i++) {
        check_cancelled(&exchanges[i]);
    }
    CHECK_EQ(survivor.done_count, 0);
    replay_server_go(server);
    replay_server_free(server); /* cuts what it holds */
    exchange_wait(&survivor);
    CHECK_EQ(survivor.status, KP_E_UNAVAILABLE);
    exchange_fini(&survivor);
    client_close(&client);
}

static void request_again(exchange_t *exchange)
{
    requester_plan_t *plan = &exchange->plan;

    plan->request.call = NULL;
    atomic_store(&plan->begun,
                 plan->http->request(plan->http, plan->instance, &plan->request, &plan->op));
}

static void an_instance_that_is_being_removed_can_start_nothing_more(void)
{
    replay_server_t *server = stalling_server(REPLAY_TCP, 0);
    kernel_error_t error = KERNEL_ERROR_INIT;
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange.plan.is_of_instance = true;
    exchange.on_done = request_again;
    exchange_start(&client, &exchange, NULL);
    replay_server_wait(server, REPLAY_STALLED, 1);
    CHECK_EQ(kernel_remove_plugin(client.plugin, &error), KERNEL_OK);
    exchange_wait(&exchange);
    CHECK_EQ(exchange.done_count, 1);
    CHECK_EQ(atomic_load(&exchange.plan.begun), KP_E_UNAVAILABLE);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

/* The service that nobody added is there when the first request asks for it. */
static void the_service_comes_by_itself_and_goes_with_the_kernel(void)
{
    replay_server_t *server = stalling_server(REPLAY_TCP, 0);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_url(server, "/", url, sizeof(url));
    client_open_without_service(&client);
    exchange_init(&exchange, "GET", url);
    exchange.plan.is_of_instance = true;
    exchange_start(&client, &exchange, NULL);
    replay_server_wait(server, REPLAY_STALLED, 1);
    client_close(&client);
    exchange_wait(&exchange);
    CHECK_EQ(exchange.status, KP_E_CANCELLED);
    CHECK_EQ(exchange.done_count, 1);
    exchange_fini(&exchange);
    replay_server_wait(server, REPLAY_GONE, 1);
    replay_server_free(server);
}

typedef struct worker {
    client_t *client;
    const char *url;
    unsigned done;
} worker_t;

static void *send_some(void *data)
{
    worker_t *worker = data;

    for (int i = 0; i < 30; i++) {
        exchange_t exchange;
        kernel_args_t *args = kernel_args_new();
        kernel_result_t *result;

        exchange_init(&exchange, i % 2 == 0 ? "GET" : "PUT", worker->url);
        kernel_args_set_integer(args, "plan", (int64_t)(uintptr_t)&exchange.plan);
        result =
            kernel_invoke(i % 3 == 0 ? worker->client->send : worker->client->send_and_wait, args);
        worker->done += kernel_result_status(result) == KERNEL_OK && exchange.done_count == 1;
        kernel_result_free(result);
        kernel_args_free(args);
        exchange_fini(&exchange);
    }
    return NULL;
}

static void two_kernels_serve_many_threads_and_end_one_after_the_other(void)
{
    enum { THREADS = 8 };
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t clients[2];
    pthread_t threads[2 * THREADS];
    worker_t workers[2 * THREADS];
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&clients[0], NULL);
    client_open(&clients[1], "{\"lazy_polling\":false,\"user_agent\":\"two\"}");
    for (size_t i = 0; i < 2 * THREADS; i++) {
        workers[i] = (worker_t){&clients[i % 2], url, 0};
        CHECK_EQ(pthread_create(&threads[i], NULL, send_some, &workers[i]), 0);
    }
    for (size_t i = 0; i < 2 * THREADS; i += 2) { /* those of the first kernel */
        (void)pthread_join(threads[i], NULL);
        CHECK_EQ(workers[i].done, 30);
    }
    client_close(&clients[0]);
    for (size_t i = 1; i < 2 * THREADS; i += 2) {
        (void)pthread_join(threads[i], NULL);
        CHECK_EQ(workers[i].done, 30);
    }
    client_close(&clients[1]);
    replay_server_free(server);
}

static void kernels_that_come_and_go_leave_nothing_behind(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TLS);
    size_t descriptors = 0;
    size_t threads = 0;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    for (size_t round = 0; round < 20; round++) {
        client_t client;
        exchange_t exchange;

        client_open_trusting(&client, server);
        exchange_init(&exchange, "GET", url);
        exchange_run(&client, &exchange);
        CHECK_EQ(exchange.status, KP_OK);
        exchange_fini(&exchange);
        client_close(&client);
        replay_server_wait(server, REPLAY_GONE, round + 1);
        if (round == 0) {
            descriptors = descriptor_count();
            threads = thread_count();
        }
        CHECK_EQ(descriptor_count(), descriptors);
        CHECK_EQ(thread_count(), threads);
    }
    replay_server_free(server);
}

/* What the server sends or does on a connection that nobody uses for now harms nothing. */
static void idle_connections_may_do_what_they_like(void)
{
    static const replay_end_t ends[] = {REPLAY_CLOSE, REPLAY_RESET, REPLAY_HOLD};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        static const char text[] =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more that nobody asked for";
        replay_server_t *server = replay_server_new(REPLAY_TCP);
        replay_answer_t answer = REPLAY_ANSWER_BYTES(text, sizeof(text) - 1);
        client_t client;
        char url[128];

        answer.stall_at = sizeof(text) - 20;
        answer.end = ends[i];
        replay_server_set(server, "/", &answer);
        replay_server_url(server, "/", url, sizeof(url));
        client_open(&client, NULL);
        for (int round = 0; round < 5; round++) {
            exchange_t exchange;

            exchange_init(&exchange, "GET", url);
            exchange_run(&client, &exchange);
            CHECK_EQ(exchange.status, KP_OK);
            CHECK_STR(sk_buffer_text(&exchange.body), "hi");
            exchange_fini(&exchange);
            replay_server_go(server);
        }
        client_close(&client);
        replay_server_free(server);
    }
}

TESTS(TEST(many_that_wait_for_an_answer_are_reported_once),
      TEST(many_within_their_bodies_are_reported_once),
      TEST(many_over_unix_sockets_are_reported_once),
      TEST(many_that_were_only_just_started_are_reported_once),
      TEST(some_within_their_handshake_are_reported_once),
      TEST(some_within_a_look_up_are_reported_once),
      TEST(requests_of_an_instance_end_with_it_and_others_go_on),
      TEST(an_instance_that_is_being_removed_can_start_nothing_more),
      TEST(the_service_comes_by_itself_and_goes_with_the_kernel),
      TEST(two_kernels_serve_many_threads_and_end_one_after_the_other),
      TEST(kernels_that_come_and_go_leave_nothing_behind),
      TEST(idle_connections_may_do_what_they_like))
