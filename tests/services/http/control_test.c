/* Cancelling, deadlines, clocks, pausing, progress: at every stage, from every side. */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>

#define OK_HI REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

static const char big_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
#define BIG_SIZE 3000000

/* An answer of 3 MB. */
static replay_answer_t big_answer(void)
{
    replay_answer_t answer = REPLAY_ANSWER_BYTES(big_head, sizeof(big_head) - 1);

    answer.filler = BIG_SIZE;
    return answer;
}

static void cancel_op(exchange_t *exchange)
{
    exchange->plan.http->cancel(exchange->plan.http, exchange->plan.op);
}

static void pause_op(exchange_t *exchange)
{
    exchange->plan.http->pause(exchange->plan.http, exchange->plan.op);
}

static void resume_op(exchange_t *exchange)
{
    exchange->plan.http->resume(exchange->plan.http, exchange->plan.op);
}

/* ---- cancelling ---- */

typedef enum stage { CONNECTING, WAITING, RECEIVING, PAUSED, STAGE_COUNT } stage_t;
typedef enum way { BY_OP, BY_CALL, BY_DEADLINE, BY_FREEING, WAY_COUNT } way_t;

static void pause_at_first_chunk(exchange_t *exchange, size_t size)
{
    (void)size;
    pause_op(exchange);
    latch_open(exchange->data);
}

typedef struct scene {
    client_t client;
    replay_server_t *server;
    exchange_t exchange;
    kernel_call_t *call;
    latch_t has_paused;
    char url[128];
} scene_t;

static void scene_open(scene_t *scene, stage_t stage)
{
    static const char begun[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789";
    replay_answer_t answer = REPLAY_ANSWER_BYTES(begun, sizeof(begun) - 1);
    char url[120];

    scene->server = replay_server_new(REPLAY_TCP);
    scene->has_paused = (latch_t)LATCH_INIT;
    answer.stall_at = stage == WAITING ? 0 : sizeof(begun) - 1;
    answer.end = REPLAY_HOLD;
    if (stage == RECEIVING) {
        answer.stall_at = sizeof(begun) - 5;
    } else if (stage == PAUSED) {
        answer = big_answer();
    }
    replay_server_set(scene->server, "/", &answer);
    replay_server_url(scene->server, "/", url, sizeof(url));
    /* A server without TLS that waits for a request never shakes hands. */
    (void)snprintf(scene->url, sizeof(scene->url), "%s%s", stage == CONNECTING ? "https" : "http",
                   url + 4);
    client_open(&scene->client, NULL);
    exchange_init(&scene->exchange, "GET", scene->url);
    if (stage == PAUSED) {
        exchange_stream(&scene->exchange);
        scene->exchange.on_chunk = pause_at_first_chunk;
        scene->exchange.data = &scene->has_paused;
    }
}

/* Wait until the exchange is at its stage. */
static void scene_reach(scene_t *scene, stage_t stage)
{
    switch (stage) {
    case CONNECTING:
        replay_server_wait(scene->server, REPLAY_CONNECTED, 1);
        break;
    case PAUSED:
        latch_wait(&scene->has_paused);
        break;
    default:
        replay_server_wait(scene->server, REPLAY_STALLED, 1);
        break;
    }
}

static void end_at(stage_t stage, way_t way)
{
    scene_t scene;
    size_t connections;

    scene_open(&scene, stage);
    if (way == BY_DEADLINE) {
        exchange_run_until(&scene.client, &scene.exchange, 200);
        CHECK_EQ(scene.exchange.call_status, KERNEL_E_TIMEOUT);
        CHECK_EQ(scene.exchange.status, KP_E_TIMEOUT);
    } else {
        exchange_start(&scene.client, &scene.exchange, &scene.call);
        scene_reach(&scene, stage);
        CHECK_EQ(scene.exchange.done_count, 0);
        if (way == BY_OP) {
            exchange_on_loop(&scene.exchange, cancel_op);
        } else if (way == BY_CALL) {
            kernel_call_cancel(scene.call);
        }
        kernel_call_release(scene.call);
        if (way == BY_FREEING) {
            client_close(&scene.client);
        }
        exchange_wait(&scene.exchange);
        CHECK_EQ(scene.exchange.report_count, 1);
        CHECK_EQ(scene.exchange.status, KP_E_CANCELLED);
    }
    CHECK_EQ(scene.exchange.done_count, 1);
    CHECK_STR_CONTAINS(sk_buffer_text(&scene.exchange.error),
                       way == BY_DEADLINE ? "deadline" : "cancelled");
    connections = replay_server_count(scene.server, REPLAY_CONNECTED);
    replay_server_wait(scene.server, REPLAY_GONE, connections);
    exchange_fini(&scene.exchange);
    if (way != BY_FREEING) {
        client_close(&scene.client);
    }
    replay_server_free(scene.server);
}

static void at_every_stage_the_plugin_may_cancel(void)
{
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        end_at((stage_t)stage, BY_OP);
    }
}

static void at_every_stage_the_call_may_be_cancelled(void)
{
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        end_at((stage_t)stage, BY_CALL);
    }
}

static void at_every_stage_the_deadline_may_pass(void)
{
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        end_at((stage_t)stage, BY_DEADLINE);
    }
}

static void at_every_stage_the_kernel_may_be_freed(void)
{
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        end_at((stage_t)stage, BY_FREEING);
    }
}

static void cancel_plan(requester_plan_t *plan)
{
    plan->http->cancel(plan->http, plan->op);
    plan->http->cancel(plan->http, plan->op);
}

static void a_request_cancelled_right_after_its_start_sends_nothing(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange.plan.on_started = cancel_plan;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_CANCELLED);
    CHECK_EQ(exchange.attempts, 0);
    CHECK_EQ(exchange.done_count, 1);
    CHECK_EQ(replay_server_count(server, REPLAY_CONNECTED), 0);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void cancel_at_chunk(exchange_t *exchange, size_t size)
{
    (void)size;
    cancel_op(exchange);
    pause_op(exchange); /* too late for all of these */
    resume_op(exchange);
}

static void after_a_cancel_inside_a_chunk_no_other_chunk_comes(void)
{
    const replay_answer_t answer = big_answer();
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange_stream(&exchange);
    exchange.on_chunk = cancel_at_chunk;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_CANCELLED);
    CHECK_EQ(exchange.chunk_count, 1);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void cancel_when_done(exchange_t *exchange)
{
    cancel_op(exchange);
    pause_op(exchange);
    resume_op(exchange);
}

static void a_cancel_inside_on_done_changes_nothing(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange.on_done = cancel_when_done;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    CHECK_EQ(exchange.done_count, 1);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void cancel_other(exchange_t *exchange)
{
    cancel_op(exchange->data);
}

static void cancel_other_at_chunk(exchange_t *exchange, size_t size)
{
    (void)size;
    cancel_other(exchange);
}

static void a_callback_of_one_request_may_cancel_another(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_answer_t silence = OK_HI;

    silence.stall_at = 0;
    for (int is_in_chunk = 0; is_in_chunk < 2; is_in_chunk++) {
        replay_server_t *server = replay_server_new(REPLAY_TCP);
        client_t client;
        exchange_t waiting;
        exchange_t exchange;
        char url[128];
        char silent_url[128];

        replay_server_set(server, "/", &answer);
        replay_server_set(server, "/silent", &silence);
        replay_server_url(server, "/", url, sizeof(url));
        replay_server_url(server, "/silent", silent_url, sizeof(silent_url));
        client_open(&client, NULL);
        exchange_init(&waiting, "GET", silent_url);
        exchange_init(&exchange, "GET", url);
        exchange.data = &waiting;
        if (is_in_chunk) {
            exchange_stream(&exchange);
            exchange.on_chunk = cancel_other_at_chunk;
        } else {
            exchange.on_done = cancel_other;
        }
        exchange_start(&client, &waiting, NULL);
        replay_server_wait(server, REPLAY_STALLED, 1);
        exchange_run(&client, &exchange);
        exchange_wait(&waiting);
        CHECK_EQ(exchange.status, KP_OK);
        CHECK_EQ(waiting.status, KP_E_CANCELLED);
        exchange_fini(&waiting);
        exchange_fini(&exchange);
        client_close(&client);
        replay_server_free(server);
    }
}

/* ---- requests inside callbacks ---- */

#define CHAIN 6

/* Starts the next exchange of the chain, on behalf of the instance. */
static void start_next(exchange_t *exchange)
{
    exchange_t *next = exchange->data;

    if (next != NULL) {
        next->plan.instance = exchange->plan.instance;
        next->plan.http = exchange->plan.http;
        next->plan.request.arg = &next->plan;
        next->plan.request.on_done = exchange->plan.request.on_done;
        CHECK_EQ(next->plan.http->request(next->plan.http, next->plan.instance, &next->plan.request,
                                          &next->plan.op),
                 KP_OK);
        CHECK(next->plan.op != NULL);
        CHECK_EQ(next->done_count, 0); /* never inside request() */
    }
}

static void on_done_may_start_the_next_request(void)
{
    static const replay_answer_t answer = OK_HI;
    static exchange_t exchanges[CHAIN];
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    for (size_t i = 0; i < CHAIN; i++) {
        exchange_init(&exchanges[i], "GET", url);
        exchanges[i].plan.is_of_instance = true;
        exchanges[i].on_done = start_next;
        exchanges[i].data = i + 1 < CHAIN ? &exchanges[i + 1] : NULL;
    }
    exchange_start(&client, &exchanges[0], NULL);
    for (size_t i = 0; i < CHAIN; i++) {
        latch_wait(&exchanges[i].done);
        CHECK_EQ(exchanges[i].status, KP_OK);
    }
    latch_wait(&exchanges[0].reported);
    CHECK_EQ(replay_server_count(server, REPLAY_CONNECTED), 1);
    for (size_t i = 0; i < CHAIN; i++) {
        exchange_fini(&exchanges[i]);
    }
    client_close(&client);
    replay_server_free(server);
}

/* ---- clocks ---- */

typedef struct clock_case {
    const char *name;
    uint32_t first_byte_ms;
    uint32_t idle_ms;
    uint32_t total_ms;
    size_t stall_at;
    size_t body_size; /* of the request, which the server does not read */
    const char *part; /* of the error */
} clock_case_t;

static const clock_case_t clock_cases[] = {
    {"first byte", 60, 0, 0, 0, 0, "no answer for 60 ms"},
    {"first byte with a stalled head", 60, 0, 0, 15, 0, "no answer for 60 ms"},
    {"first byte before idle", 90, 30, 0, 0, 0, "no answer for 90 ms"},
    {"idle before the answer", 0, 60, 0, 0, 0, "no answer for 60 ms"},
    {"idle within the body", 0, 250, 0, 45, 0, "nothing more of the answer came for 250 ms"},
    {"first byte does not count within the body", 300, 350, 0, 45, 0, "came for 350 ms"},
    {"total", 0, 0, 60, 0, 0, "did not end within 60 ms"},
    {"total within the body", 0, 10000, 60, 45, 0, "did not end within 60 ms"},
    {"a body nobody reads", 0, 60, 0, 0, 30000000, "no answer for 60 ms"},
};

static void each_clock_ends_a_request_that_stalls(void)
{
    static char body[30000000];
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789";

    for (size_t i = 0; i < sizeof(clock_cases) / sizeof(clock_cases[0]); i++) {
        const clock_case_t *clock = &clock_cases[i];
        bool is_configured = i % 2 == 0; /* or told by the request */
        replay_answer_t answer = REPLAY_ANSWER_BYTES(text, sizeof(text) - 1);
        replay_server_t *server = replay_server_new(REPLAY_TCP);
        client_t client;
        exchange_t exchange;
        char url[128];
        char config[128];

        answer.stall_at = clock->stall_at;
        answer.is_hasty = clock->body_size > 0;
        replay_server_set(server, "/", &answer);
        replay_server_url(server, "/", url, sizeof(url));
        (void)snprintf(config, sizeof(config),
                       "{\"first_byte_ms\":%u,\"idle_ms\":%u,\"total_ms\":%u}",
                       clock->first_byte_ms, clock->idle_ms, clock->total_ms);
        client_open(&client, is_configured ? config : NULL);
        exchange_init(&exchange, "PUT", url);
        if (!is_configured) {
            exchange.plan.request.first_byte_ms = clock->first_byte_ms;
            exchange.plan.request.idle_ms = clock->idle_ms;
            exchange.plan.request.total_ms = clock->total_ms;
        }
        exchange.plan.request.body = body;
        exchange.plan.request.body_len = clock->body_size;
        exchange_run(&client, &exchange);
        if (exchange.status != KP_E_TIMEOUT) {
            check_fail(__FILE__, __LINE__, "%s: status %d", clock->name, exchange.status);
        }
        CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), clock->part);
        exchange_fini(&exchange);
        client_close(&client);
        replay_server_free(server);
    }
}

static void a_connection_that_does_not_come_about_ends_in_time(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    static exchange_t exchanges[5];
    char url[128];
    char secure[140];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    (void)snprintf(secure, sizeof(secure), "https%s", url + 4);
    client_open(&client, NULL);
    for (size_t i = 0; i < 5; i++) { /* all but one wait for the first one's connection */
        exchange_init(&exchanges[i], "GET", secure);
        exchanges[i].plan.request.connect_ms = 150;
        exchange_start(&client, &exchanges[i], NULL);
    }
    for (size_t i = 0; i < 5; i++) {
        exchange_wait(&exchanges[i]);
        CHECK_EQ(exchanges[i].status, KP_E_TIMEOUT);
        exchange_fini(&exchanges[i]);
    }
    client_close(&client);
    replay_server_free(server);
}

/* ---- pausing ---- */

static void resume_later(void *arg)
{
    resume_op(arg);
}

static void pause_and_post_resume(exchange_t *exchange, size_t size)
{
    const requester_plan_t *plan = &exchange->plan;

    (void)size;
    pause_op(exchange);
    CHECK_EQ(plan->loop->post(plan->loop, plan->instance, resume_later, exchange), KP_OK);
}

static void pause_and_resume(exchange_t *exchange, size_t size)
{
    (void)size;
    pause_op(exchange);
    resume_op(exchange);
}

static void stream_with(void (*on_chunk)(exchange_t *exchange, size_t size), uint32_t flags)
{
    const replay_answer_t answer = big_answer();
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange_stream(&exchange);
    exchange.plan.request.flags = flags;
    exchange.on_chunk = on_chunk;
    exchange_run(&client, &exchange);
    CHECK_STR(sk_buffer_text(&exchange.error), "");
    CHECK_EQ(exchange.status, KP_OK);
    CHECK_EQ(exchange.body.size, BIG_SIZE);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void a_stream_paused_at_every_chunk_and_resumed_later_is_whole(void)
{
    stream_with(pause_and_post_resume, 0);
    stream_with(pause_and_post_resume, KP_HTTP_BOUNDED_MEMORY);
}

static void a_pause_that_is_taken_back_at_once_is_none(void)
{
    stream_with(pause_and_resume, 0);
}

static void run_another(client_t *client, const replay_server_t *server)
{
    exchange_t other;
    char url[128];

    replay_server_url(server, "/other", url, sizeof(url));
    exchange_init(&other, "GET", url);
    exchange_run(client, &other);
    CHECK_EQ(other.http_status, 404);
    exchange_fini(&other);
}

static void while_paused_nothing_comes_and_others_go_on(void)
{
    scene_t scene;

    scene_open(&scene, PAUSED);
    exchange_start(&scene.client, &scene.exchange, NULL);
    scene_reach(&scene, PAUSED);
    for (int i = 0; i < 20; i++) {
        run_another(&scene.client, scene.server);
    }
    CHECK_EQ(scene.exchange.chunk_count, 1);
    CHECK_EQ(scene.exchange.done_count, 0);
    scene.exchange.on_chunk = NULL;
    exchange_on_loop(&scene.exchange, resume_op);
    exchange_wait(&scene.exchange);
    CHECK_EQ(scene.exchange.status, KP_OK);
    CHECK_EQ(scene.exchange.body.size, BIG_SIZE);
    exchange_fini(&scene.exchange);
    client_close(&scene.client);
    replay_server_free(scene.server);
}

static void a_pause_between_chunks_holds_the_next_one_back(void)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
    replay_answer_t answer = REPLAY_ANSWER_BYTES(text, sizeof(text) - 1);
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    answer.stall_at = sizeof(text) - 5;
    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange_stream(&exchange);
    exchange_start(&client, &exchange, NULL);
    replay_server_wait(server, REPLAY_STALLED, 1);
    exchange_on_loop(&exchange, pause_op);
    replay_server_go(server);
    for (int i = 0; i < 20; i++) {
        run_another(&client, server);
    }
    CHECK_EQ(exchange.done_count, 0);
    CHECK(exchange.chunk_count <= 1);
    exchange_on_loop(&exchange, resume_op);
    exchange_wait(&exchange);
    CHECK_STR(sk_buffer_text(&exchange.body), "0123456789");
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void a_pause_at_the_last_chunk_holds_the_end_back(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    latch_t has_paused = LATCH_INIT;
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange_stream(&exchange);
    exchange.on_chunk = pause_at_first_chunk;
    exchange.data = &has_paused;
    exchange_start(&client, &exchange, NULL);
    latch_wait(&has_paused);
    for (int i = 0; i < 20; i++) {
        run_another(&client, server);
    }
    CHECK_EQ(exchange.done_count, 0);
    exchange_on_loop(&exchange, resume_op);
    exchange_wait(&exchange);
    CHECK_EQ(exchange.status, KP_OK);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void resume_when_due(void *arg)
{
    resume_op(arg);
}

static void pause_for_long(exchange_t *exchange, size_t size)
{
    const requester_plan_t *plan = &exchange->plan;

    (void)size;
    pause_op(exchange);
    CHECK(plan->loop->timer(plan->loop, plan->instance, 900, resume_when_due, exchange) != NULL);
    exchange->on_chunk = NULL;
}

static void a_pause_is_not_idle(void)
{
    const replay_answer_t answer = big_answer();
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, "{\"idle_ms\":700}");
    exchange_init(&exchange, "GET", url);
    exchange_stream(&exchange);
    exchange.on_chunk = pause_for_long;
    exchange_run(&client, &exchange);
    CHECK_STR(sk_buffer_text(&exchange.error), "");
    CHECK_EQ(exchange.body.size, BIG_SIZE);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void a_pause_has_an_end_where_the_total_time_has(void)
{
    scene_t scene;

    scene_open(&scene, PAUSED);
    scene.exchange.plan.request.total_ms = 500;
    exchange_run(&scene.client, &scene.exchange);
    CHECK_EQ(scene.exchange.status, KP_E_TIMEOUT);
    CHECK_EQ(scene.exchange.chunk_count, 1);
    exchange_fini(&scene.exchange);
    client_close(&scene.client);
    replay_server_free(scene.server);
}

/* ---- bodies of requests, progress ---- */

typedef struct progress {
    uint64_t sent;
    uint64_t send_total;
    uint64_t received;
    uint64_t receive_total;
    size_t count;
    bool is_growing;
} progress_t;

static void note_progress(requester_plan_t *plan, uint64_t sent, uint64_t send_total,
                          uint64_t received, uint64_t receive_total)
{
    progress_t *progress = plan->data;

    progress->is_growing =
        progress->is_growing && sent >= progress->sent && received >= progress->received;
    progress->sent = sent;
    progress->send_total = send_total;
    progress->received = received;
    progress->receive_total = receive_total;
    progress->count++;
}

static void progress_tells_of_both_directions(void)
{
    static char body[4000000];
    const replay_answer_t answer = big_answer();
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    progress_t progress = {.is_growing = true};
    client_t client;
    exchange_t exchange;
    char request[1024];
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "POST", url);
    exchange.plan.request.body = body;
    exchange.plan.request.body_len = sizeof(body);
    exchange.plan.on_progress = note_progress;
    exchange.plan.data = &progress;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    CHECK(progress.is_growing);
    CHECK(progress.count > 2);
    CHECK_EQ(progress.sent, sizeof(body));
    CHECK_EQ(progress.send_total, sizeof(body));
    CHECK_EQ(progress.received, BIG_SIZE);
    CHECK_EQ(progress.receive_total, BIG_SIZE);
    CHECK(replay_server_request(server, request, sizeof(request)) > sizeof(body));
    CHECK_STR_CONTAINS(request, "\r\nContent-Length: 4000000\r\n");
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void cancel_at_progress(requester_plan_t *plan, uint64_t sent, uint64_t send_total,
                               uint64_t received, uint64_t receive_total)
{
    (void)sent;
    (void)send_total;
    (void)received;
    (void)receive_total;
    plan->http->cancel(plan->http, plan->seen_op);
}

static void a_cancel_inside_on_progress_ends_the_request(void)
{
    static char body[4000000];
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "POST", url);
    exchange.plan.request.body = body;
    exchange.plan.request.body_len = sizeof(body);
    exchange.plan.on_progress = cancel_at_progress;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_CANCELLED);
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 0);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void an_answer_that_comes_before_the_body_was_read_is_taken(void)
{
    static char body[4000000];
    replay_answer_t answer = REPLAY_ANSWER_TEXT(
        "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    answer.is_hasty = true;
    answer.end = REPLAY_HOLD;
    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "POST", url);
    exchange.plan.request.body = body;
    exchange.plan.request.body_len = sizeof(body);
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    CHECK_EQ(exchange.http_status, 413);
    CHECK_STR(sk_buffer_text(&exchange.body), "big");
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

TESTS(TEST(at_every_stage_the_plugin_may_cancel), TEST(at_every_stage_the_call_may_be_cancelled),
      TEST(at_every_stage_the_deadline_may_pass), TEST(at_every_stage_the_kernel_may_be_freed),
      TEST(a_request_cancelled_right_after_its_start_sends_nothing),
      TEST(after_a_cancel_inside_a_chunk_no_other_chunk_comes),
      TEST(a_cancel_inside_on_done_changes_nothing),
      TEST(a_callback_of_one_request_may_cancel_another), TEST(on_done_may_start_the_next_request),
      TEST(each_clock_ends_a_request_that_stalls),
      TEST(a_connection_that_does_not_come_about_ends_in_time),
      TEST(a_stream_paused_at_every_chunk_and_resumed_later_is_whole),
      TEST(a_pause_that_is_taken_back_at_once_is_none),
      TEST(while_paused_nothing_comes_and_others_go_on),
      TEST(a_pause_between_chunks_holds_the_next_one_back),
      TEST(a_pause_at_the_last_chunk_holds_the_end_back), TEST(a_pause_is_not_idle),
      TEST(a_pause_has_an_end_where_the_total_time_has), TEST(progress_tells_of_both_directions),
      TEST(a_cancel_inside_on_progress_ends_the_request),
      TEST(an_answer_that_comes_before_the_body_was_read_is_taken))
