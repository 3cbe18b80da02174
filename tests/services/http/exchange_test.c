/* Requests that are answered, and what the plugin learns of the answers. */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OK_HI REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

typedef struct stage { /* a client, a server, one exchange */
    client_t client;
    replay_server_t *server;
    exchange_t exchange;
    char url[128];
} stage_t;

static void stage_open(stage_t *stage, const char *method, const char *path,
                       const replay_answer_t *answer)
{
    stage->server = replay_server_new(REPLAY_TCP);
    replay_server_set(stage->server, path, answer);
    replay_server_url(stage->server, path, stage->url, sizeof(stage->url));
    client_open(&stage->client, NULL);
    exchange_init(&stage->exchange, method, stage->url);
}

static void stage_close(stage_t *stage)
{
    exchange_fini(&stage->exchange);
    client_close(&stage->client);
    replay_server_free(stage->server);
}

/* One exchange, start to end. */
static void stage_play(stage_t *stage, const char *method, const replay_answer_t *answer)
{
    stage_open(stage, method, "/", answer);
    exchange_run(&stage->client, &stage->exchange);
}

static void a_get_brings_status_headers_and_body(void)
{
    static const replay_answer_t answer = REPLAY_ANSWER_TEXT(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  one \r\nx-a: two\r\nX-Empty:\r\n\r\nhi");
    stage_t stage;
    char request[1024];

    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_EQ(stage.exchange.http_status, 200);
    CHECK_EQ(stage.exchange.attempts, 1);
    CHECK_EQ(stage.exchange.retry_after_ms, -1);
    CHECK_EQ(stage.exchange.flags, 0);
    CHECK_STR(sk_buffer_text(&stage.exchange.body), "hi");
    CHECK_STR(sk_buffer_text(&stage.exchange.headers),
              "Content-Length: 2\nX-A: one\nx-a: two\nX-Empty: \n");
    CHECK_STR(sk_buffer_text(&stage.exchange.error), "");
    CHECK_EQ(stage.exchange.done_count, 1);
    CHECK_EQ(stage.exchange.call_status, KERNEL_OK);
    (void)replay_server_request(stage.server, request, sizeof(request));
    CHECK_STR_CONTAINS(request, "GET / HTTP/1.1\r\n");
    CHECK_STR_CONTAINS(request, "\r\nUser-Agent: semkernel/");
    CHECK(strstr(request, "Content-Type") == NULL);
    CHECK(strstr(request, "Content-Length") == NULL);
    stage_close(&stage);
}

static void each_method_is_sent_as_it_is(void)
{
    static const struct {
        const char *method;
        const char *body;
        const char *line;
        const char *length; /* NULL: no body is announced */
    } cases[] = {
        {"GET", NULL, "GET / HTTP/1.1\r\n", NULL},
        {"GET", "{}", "GET / HTTP/1.1\r\n", "Content-Length: 2\r\n"},
        {"POST", "{\"a\":1}", "POST / HTTP/1.1\r\n", "Content-Length: 7\r\n"},
        {"POST", NULL, "POST / HTTP/1.1\r\n", "Content-Length: 0\r\n"},
        {"POST", "", "POST / HTTP/1.1\r\n", "Content-Length: 0\r\n"},
        {"PUT", "x", "PUT / HTTP/1.1\r\n", "Content-Length: 1\r\n"},
        {"PUT", NULL, "PUT / HTTP/1.1\r\n", "Content-Length: 0\r\n"},
        {"PATCH", "x", "PATCH / HTTP/1.1\r\n", "Content-Length: 1\r\n"},
        {"DELETE", NULL, "DELETE / HTTP/1.1\r\n", NULL},
        {"DELETE", "x", "DELETE / HTTP/1.1\r\n", "Content-Length: 1\r\n"},
        {"OPTIONS", NULL, "OPTIONS / HTTP/1.1\r\n", NULL},
        {"BREW", NULL, "BREW / HTTP/1.1\r\n", NULL},
    };
    static const replay_answer_t answer = OK_HI;
    stage_t stage;

    stage_open(&stage, "GET", "/", &answer);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        exchange_t exchange;
        char request[1024];

        exchange_init(&exchange, cases[i].method, stage.url);
        exchange.plan.request.body = cases[i].body;
        exchange.plan.request.body_len = cases[i].body == NULL ? 0 : strlen(cases[i].body);
        exchange_run(&stage.client, &exchange);
        CHECK_EQ(exchange.status, KP_OK);
        (void)replay_server_request(stage.server, request, sizeof(request));
        CHECK(strncmp(request, cases[i].line, strlen(cases[i].line)) == 0);
        CHECK(strstr(request, "Content-Type") == NULL);
        CHECK(strstr(request, "Expect") == NULL);
        if (cases[i].length == NULL) {
            CHECK(strstr(request, "Content-Length") == NULL);
        } else {
            CHECK_STR_CONTAINS(request, cases[i].length);
        }
        CHECK_STR_CONTAINS(request, "\r\n\r\n");
        CHECK_STR(strstr(request, "\r\n\r\n") + 4, cases[i].body == NULL ? "" : cases[i].body);
        exchange_fini(&exchange);
    }
    stage_close(&stage);
}

static void a_head_has_headers_and_no_body(void)
{
    static const replay_answer_t answer =
        REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    stage_t stage;

    stage_play(&stage, "HEAD", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_EQ(stage.exchange.http_status, 200);
    CHECK_EQ(stage.exchange.body.size, 0);
    stage_close(&stage);
}

static void an_answer_without_content_is_whole(void)
{
    static const replay_answer_t answer = REPLAY_ANSWER_TEXT("HTTP/1.1 204 No Content\r\n\r\n");
    stage_t stage;

    stage_play(&stage, "DELETE", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_EQ(stage.exchange.http_status, 204);
    stage_close(&stage);
}

static void headers_of_both_lists_are_sent_and_secrets_appear_nowhere_else(void)
{
    static const kp_http_header headers[] = {{"X-Plain", "a b"},
                                             {"X-Empty", ""},
                                             {"Content-Type", "application/json"},
                                             {"User-Agent", "mine"}};
    static const kp_http_header secrets[] = {{"Authorization", "Bearer hush-1"},
                                             {"api-key", "hush-2"}};
    static const replay_answer_t answer = OK_HI;
    stage_t stage;
    char request[1024];

    stage_open(&stage, "POST", "/", &answer);
    stage.exchange.plan.request.headers = headers;
    stage.exchange.plan.request.header_count = 4;
    stage.exchange.plan.request.secret_headers = secrets;
    stage.exchange.plan.request.secret_header_count = 2;
    stage.exchange.plan.request.body = "hush-3";
    stage.exchange.plan.request.body_len = 6;
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.status, KP_OK);
    (void)replay_server_request(stage.server, request, sizeof(request));
    CHECK_STR_CONTAINS(request, "\r\nX-Plain: a b\r\n");
    CHECK_STR_CONTAINS(request, "\r\nX-Empty:\r\n");
    CHECK_STR_CONTAINS(request, "\r\nContent-Type: application/json\r\n");
    CHECK_STR_CONTAINS(request, "\r\nUser-Agent: mine\r\n");
    CHECK_STR_CONTAINS(request, "\r\nAuthorization: Bearer hush-1\r\n");
    CHECK_STR_CONTAINS(request, "\r\napi-key: hush-2\r\n");
    CHECK(strstr(request, "semkernel/") == NULL);
    CHECK(!client_has_logged(&stage.client, "hush"));
    stage_close(&stage);
}

static void a_url_is_logged_without_user_and_query(void)
{
    static const replay_answer_t answer = OK_HI;
    stage_t stage;
    char url[160];

    stage_open(&stage, "GET", "/path", &answer);
    (void)snprintf(url, sizeof(url), "http://user:hush@%s?key=hush", stage.url + 7);
    stage.exchange.plan.request.url = url;
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK(client_has_logged(&stage.client, stage.url));
    CHECK(!client_has_logged(&stage.client, "hush"));
    stage_close(&stage);
}

static void a_url_in_an_error_has_neither_user_nor_query(void)
{
    static const replay_answer_t answer = {.bytes = "",
                                           .cut_at = 0,
                                           .stall_at = REPLAY_NEVER,
                                           .flip_at = REPLAY_NEVER,
                                           .end = REPLAY_CLOSE};
    stage_t stage;
    char url[160];

    stage_open(&stage, "GET", "/path", &answer);
    (void)snprintf(url, sizeof(url), "http://user:hush@%s?key=hush", stage.url + 7);
    stage.exchange.plan.request.url = url;
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.status, KP_E_UNAVAILABLE);
    CHECK_STR_CONTAINS(sk_buffer_text(&stage.exchange.error), stage.url);
    CHECK(strstr(sk_buffer_text(&stage.exchange.error), "hush") == NULL);
    CHECK(!client_has_logged(&stage.client, "hush"));
    stage_close(&stage);
}

static void a_chunked_answer_comes_whole_and_its_trailers_are_no_headers(void)
{
    static const replay_answer_t answer =
        REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
                           "3\r\nabc\r\n0a;ext=1\r\n0123456789\r\n0\r\nX-T: late\r\n\r\n");
    stage_t stage;

    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_STR(sk_buffer_text(&stage.exchange.body), "abc0123456789");
    CHECK(strstr(sk_buffer_text(&stage.exchange.headers), "late") == NULL);
    stage_close(&stage);
}

static void answers_before_the_answer_are_passed_over(void)
{
    static const replay_answer_t answer = REPLAY_ANSWER_TEXT(
        "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Early: 2\r\n\r\n"
        "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi");
    stage_t stage;

    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.http_status, 201);
    CHECK_STR(sk_buffer_text(&stage.exchange.body), "hi");
    CHECK_STR(sk_buffer_text(&stage.exchange.headers), "Content-Length: 2\n");
    stage_close(&stage);
}

static void an_answer_that_the_end_of_the_connection_ends_is_whole(void)
{
    replay_answer_t answer = REPLAY_ANSWER_TEXT("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    stage_t stage;

    answer.end = REPLAY_CLOSE;
    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_STR(sk_buffer_text(&stage.exchange.body), "until the end");
    stage_close(&stage);
}

static void an_answer_that_is_not_2xx_is_an_answer_and_goes_to_body(void)
{
    static const replay_answer_t answer =
        REPLAY_ANSWER_TEXT("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot there");
    stage_t stage;

    stage_open(&stage, "GET", "/", &answer);
    exchange_stream(&stage.exchange);
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_EQ(stage.exchange.http_status, 404);
    CHECK_EQ(stage.exchange.chunk_count, 0);
    CHECK_STR(sk_buffer_text(&stage.exchange.body), "not there");
    stage_close(&stage);
}

static void a_redirect_is_not_followed(void)
{
    static const replay_answer_t answer =
        REPLAY_ANSWER_TEXT("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    stage_t stage;

    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_EQ(stage.exchange.http_status, 302);
    CHECK_STR_CONTAINS(sk_buffer_text(&stage.exchange.headers), "Location: /b\n");
    CHECK_EQ(replay_server_count(stage.server, REPLAY_REQUESTED), 1);
    stage_close(&stage);
}

static void the_body_of_an_answer_that_is_not_2xx_is_cut(void)
{
    static const struct {
        size_t size;
        uint32_t flags;
    } cases[] = {{65535, 0}, {65536, 0}, {65537, KP_HTTP_BODY_CUT}, {5000000, KP_HTTP_BODY_CUT}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[80];
        int size = snprintf(head, sizeof(head), "HTTP/1.1 500 Oops\r\nContent-Length: %zu\r\n\r\n",
                            cases[i].size);
        replay_answer_t answer = REPLAY_ANSWER_BYTES(head, (size_t)size);
        stage_t stage;

        answer.filler = cases[i].size;
        stage_play(&stage, "GET", &answer);
        CHECK_EQ(stage.exchange.status, KP_OK);
        CHECK_EQ(stage.exchange.http_status, 500);
        CHECK_EQ(stage.exchange.body.size, cases[i].size < 65536 ? cases[i].size : 65536);
        CHECK_EQ(stage.exchange.flags, cases[i].flags);
        stage_close(&stage);
    }
}

static void what_the_server_asks_to_wait_is_told(void)
{
    static const struct {
        const char *value;
        int64_t wanted;
    } cases[] = {
        {"120", 120000}, {"0", 0},    {"999999999999999999999", 1000000000000},
        {"soon", -1},    {"-5", -1},  {"12 seconds", -1},
        {"", -1},        {"1.5", -1}, {"Wed, 21 Oct 2015 07:28:00 GMT", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char head[160];
        int size = snprintf(head, sizeof(head),
                            "HTTP/1.1 429 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
                            cases[i].value);
        replay_answer_t answer = REPLAY_ANSWER_BYTES(head, (size_t)size);
        stage_t stage;

        stage_play(&stage, "GET", &answer);
        CHECK_EQ(stage.exchange.http_status, 429);
        CHECK_EQ(stage.exchange.retry_after_ms, cases[i].wanted);
        stage_close(&stage);
    }
}

static void a_date_to_wait_for_is_told_as_a_time_from_now(void)
{
    char head[160];
    char date[64];
    time_t then = time(NULL) + 100;
    struct tm parts;
    replay_answer_t answer = REPLAY_ANSWER_BYTES(head, 0);
    stage_t stage;

    CHECK(gmtime_r(&then, &parts) != NULL);
    CHECK(strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    answer.size =
        (size_t)snprintf(head, sizeof(head),
                         "HTTP/1.1 503 No\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
    stage_play(&stage, "GET", &answer);
    CHECK(stage.exchange.retry_after_ms > 30000);
    CHECK(stage.exchange.retry_after_ms <= 100000);
    stage_close(&stage);
}

static size_t compress_zeros(size_t size, unsigned char *out, size_t capacity)
{
    char command[80];
    FILE *packed = NULL;
    size_t packed_size;

    (void)snprintf(command, sizeof(command), "head -c %zu /dev/zero | gzip -9", size);
    packed = popen(command, "r");
    CHECK(packed != NULL);
    packed_size = fread(out, 1, capacity, packed);
    CHECK_EQ(pclose(packed), 0);
    return packed_size;
}

/* An answer whose body is `size` compressed zeros. */
static replay_answer_t compressed_answer(size_t size, unsigned char *memory, size_t capacity)
{
    static unsigned char packed[200000];
    size_t packed_size = compress_zeros(size, packed, sizeof(packed));
    int head_size = snprintf((char *)memory, capacity,
                             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             packed_size);
    replay_answer_t answer = REPLAY_ANSWER_BYTES(memory, (size_t)head_size + packed_size);

    CHECK((size_t)head_size + packed_size <= capacity);
    memcpy(memory + head_size, packed, packed_size);
    return answer;
}

static unsigned char answer_memory[200000];

static void a_compressed_body_is_asked_for_and_decoded(void)
{
    replay_answer_t answer = compressed_answer(100000, answer_memory, sizeof(answer_memory));
    stage_t stage;
    char request[1024];

    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK_EQ(stage.exchange.body.size, 100000);
    (void)replay_server_request(stage.server, request, sizeof(request));
    CHECK_STR_CONTAINS(request, "gzip");
    stage_close(&stage);
}

static void a_small_answer_that_unpacks_to_a_huge_one_is_stopped_at_the_limit(void)
{
    replay_answer_t answer = compressed_answer(70000000, answer_memory, sizeof(answer_memory));
    stage_t stage;

    CHECK(answer.size < 150000);
    stage_play(&stage, "GET", &answer);
    CHECK_EQ(stage.exchange.status, KP_E_LIMIT);
    CHECK_EQ(stage.exchange.body.size, 0);
    CHECK_STR_CONTAINS(sk_buffer_text(&stage.exchange.error), "67108864");
    stage_close(&stage);
}

static void a_stream_is_not_compressed_nor_what_the_plugin_asked_for(void)
{
    static const kp_http_header header = {"Accept-Encoding", "gzip"};
    replay_answer_t answer = compressed_answer(100000, answer_memory, sizeof(answer_memory));
    char request[1024];
    stage_t stage;

    stage_open(&stage, "GET", "/", &answer);
    exchange_stream(&stage.exchange);
    exchange_run(&stage.client, &stage.exchange);
    (void)replay_server_request(stage.server, request, sizeof(request));
    CHECK(strstr(request, "Accept-Encoding") == NULL);
    CHECK(stage.exchange.body.size < 1000);
    stage_close(&stage);

    stage_open(&stage, "GET", "/", &answer);
    stage.exchange.plan.request.headers = &header;
    stage.exchange.plan.request.header_count = 1;
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK(stage.exchange.body.size < 1000);
    stage_close(&stage);
}

static void chunks_come_in_order_and_only_they_carry_the_body(void)
{
    char head[80];
    size_t body_size = 3000000;
    int size =
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body_size);
    replay_answer_t answer = REPLAY_ANSWER_BYTES(head, (size_t)size);
    stage_t stage;

    answer.filler = body_size;
    stage_open(&stage, "GET", "/", &answer);
    exchange_stream(&stage.exchange);
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.status, KP_OK);
    CHECK(stage.exchange.chunk_count > 1);
    CHECK_EQ(stage.exchange.body.size, body_size);
    CHECK(stage.exchange.is_on_one_thread);
    stage_close(&stage);
}

static void a_connection_is_used_again(void)
{
    static const replay_answer_t answer = OK_HI;
    stage_t stage;

    stage_open(&stage, "GET", "/", &answer);
    for (int i = 0; i < 20; i++) {
        exchange_t exchange;

        exchange_init(&exchange, i % 2 == 0 ? "GET" : "POST", stage.url);
        exchange_run(&stage.client, &exchange);
        CHECK_EQ(exchange.status, KP_OK);
        exchange_fini(&exchange);
    }
    CHECK_EQ(replay_server_count(stage.server, REPLAY_REQUESTED), 20);
    CHECK_EQ(replay_server_count(stage.server, REPLAY_CONNECTED), 1);
    stage_close(&stage);
}

static void without_lazy_polling_it_works_the_same(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, "{\"lazy_polling\":false}");
    for (int i = 0; i < 20; i++) {
        exchange_t exchange;

        exchange_init(&exchange, "GET", url);
        exchange_run(&client, &exchange);
        CHECK_EQ(exchange.status, KP_OK);
        exchange_fini(&exchange);
    }
    CHECK_EQ(replay_server_count(server, REPLAY_CONNECTED), 1);
    client_close(&client);
    replay_server_free(server);
}

/* Nobody listens on ::1; the number of its descriptor is used again for 127.0.0.1. */
static void a_host_whose_first_address_refuses_is_reached_at_its_second(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_answer_t last = OK_HI;
    stage_t stage;
    char url[128];

    last.end = REPLAY_CLOSE;
    stage_open(&stage, "GET", "/", &answer);
    replay_server_set(stage.server, "/last", &last);
    for (int i = 0; i < 30; i++) {
        exchange_t exchange;

        (void)snprintf(url, sizeof(url), "http://localhost%s%s", strrchr(stage.url, ':'),
                       i % 3 == 0 ? "last" : "");
        exchange_init(&exchange, "GET", url);
        exchange_run(&stage.client, &exchange);
        CHECK_STR(sk_buffer_text(&exchange.error), "");
        CHECK_STR(sk_buffer_text(&exchange.body), "hi");
        exchange_fini(&exchange);
    }
    stage_close(&stage);
}

static void a_unix_socket_replaces_the_connection_alone(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    client_t client;
    exchange_t exchange;
    char request[1024];

    replay_server_set(server, "/code/execute", &answer);
    client_open(&client, "{\"http_proxy\":\"http://127.0.0.1:1/\"}");
    exchange_init(&exchange, "POST", "http://pool.example/code/execute?api-version=1");
    exchange.plan.request.unix_socket = replay_server_socket_path(server);
    exchange.plan.request.body = "{}";
    exchange.plan.request.body_len = 2;
    exchange_run(&client, &exchange);
    CHECK_STR(sk_buffer_text(&exchange.error), "");
    CHECK_STR(sk_buffer_text(&exchange.body), "hi");
    (void)replay_server_request(server, request, sizeof(request));
    CHECK_STR_CONTAINS(request, "POST /code/execute?api-version=1 HTTP/1.1\r\n");
    CHECK_STR_CONTAINS(request, "\r\nHost: pool.example\r\n");
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void tls_works_with_a_trusted_certificate_and_its_connection_is_used_again(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TLS);
    client_t client;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open_trusting(&client, server);
    for (int i = 0; i < 5; i++) {
        exchange_t exchange;

        exchange_init(&exchange, "POST", url);
        exchange_run(&client, &exchange);
        CHECK_STR(sk_buffer_text(&exchange.error), "");
        CHECK_STR(sk_buffer_text(&exchange.body), "hi");
        exchange_fini(&exchange);
    }
    CHECK_EQ(replay_server_count(server, REPLAY_CONNECTED), 1);
    client_close(&client);
    replay_server_free(server);
}

static void a_proxy_gets_the_request_unless_its_host_is_excepted(void)
{
    static const replay_answer_t direct = OK_HI;
    static const replay_answer_t proxied =
        REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy");
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    replay_server_t *proxy = replay_server_new(REPLAY_TCP);
    char url[128];
    char proxy_url[128];
    char config[300];
    char request[1024];

    replay_server_set(server, "/a", &direct);
    replay_server_url(server, "/a", url, sizeof(url));
    replay_server_url(proxy, "", proxy_url, sizeof(proxy_url));
    replay_server_set(proxy, url, &proxied); /* a proxy is asked for the whole URL */
    for (int is_excepted = 0; is_excepted < 2; is_excepted++) {
        client_t client;
        exchange_t exchange;

        (void)snprintf(config, sizeof(config), "{\"http_proxy\":\"%s\"%s}", proxy_url,
                       is_excepted ? ",\"no_proxy\":\"example.org,127.0.0.1\"" : "");
        client_open(&client, config);
        exchange_init(&exchange, "GET", url);
        exchange_run(&client, &exchange);
        CHECK_STR(sk_buffer_text(&exchange.body), is_excepted ? "hi" : "proxy");
        exchange_fini(&exchange);
        client_close(&client);
    }
    (void)replay_server_request(proxy, request, sizeof(request));
    CHECK_STR_CONTAINS(request, "GET http://127.0.0.1:");
    CHECK_EQ(replay_server_count(proxy, REPLAY_REQUESTED), 1);
    replay_server_free(proxy);
    replay_server_free(server);
}

static void a_plain_function_may_send_and_wait(void)
{
    static const replay_answer_t answer = OK_HI;
    stage_t stage;
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result;

    stage_open(&stage, "GET", "/", &answer);
    kernel_args_set_integer(args, "plan", (int64_t)(uintptr_t)&stage.exchange.plan);
    result = kernel_invoke(stage.client.send_and_wait, args);
    CHECK_STR(kernel_result_text(result), "200");
    CHECK(stage.exchange.plan.op == NULL); /* not on the loop thread: no handle */
    CHECK_EQ(stage.exchange.done_count, 1);
    kernel_result_free(result);
    kernel_args_free(args);
    stage_close(&stage);
}

static void an_async_function_gets_the_handle_that_callbacks_carry(void)
{
    static const replay_answer_t answer = OK_HI;
    stage_t stage;

    stage_open(&stage, "GET", "/", &answer);
    exchange_stream(&stage.exchange);
    exchange_run(&stage.client, &stage.exchange);
    CHECK(stage.exchange.plan.op != NULL);
    CHECK(stage.exchange.plan.op == stage.exchange.plan.seen_op);
    stage_close(&stage);
}

static void a_request_of_the_instance_outlives_its_call(void)
{
    replay_answer_t answer = OK_HI;
    stage_t stage;

    answer.stall_at = 10;
    stage_open(&stage, "GET", "/", &answer);
    stage.exchange.plan.is_of_instance = true;
    exchange_start(&stage.client, &stage.exchange, NULL);
    latch_wait(&stage.exchange.reported);
    CHECK_EQ(stage.exchange.call_status, KERNEL_OK);
    CHECK_EQ(stage.exchange.done_count, 0);
    replay_server_go(stage.server);
    latch_wait(&stage.exchange.done);
    CHECK_STR(sk_buffer_text(&stage.exchange.body), "hi");
    stage_close(&stage);
}

static void a_refused_request_tells_its_call_why_and_calls_nothing_back(void)
{
    static const replay_answer_t answer = OK_HI;
    static const kp_http_header header = {"X", "a\r\nb"};
    stage_t stage;

    stage_open(&stage, "GET", "/", &answer);
    stage.exchange.plan.request.headers = &header;
    stage.exchange.plan.request.header_count = 1;
    exchange_run(&stage.client, &stage.exchange);
    CHECK_EQ(stage.exchange.call_status, KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(stage.exchange.call_error, "line break");
    CHECK(client_has_logged(&stage.client, "line break"));
    CHECK_EQ(stage.exchange.done_count, 0);
    CHECK_EQ(replay_server_count(stage.server, REPLAY_CONNECTED), 0);
    stage_close(&stage);
}

static void many_requests_at_once_are_all_answered(void)
{
    enum { COUNT = 100 };
    static exchange_t exchanges[COUNT];
    replay_answer_t answer = OK_HI;
    stage_t stage;

    answer.stall_at = 5;
    stage_open(&stage, "GET", "/", &answer);
    for (size_t i = 0; i < COUNT; i++) {
        exchange_init(&exchanges[i], "GET", stage.url);
        exchange_start(&stage.client, &exchanges[i], NULL);
    }
    replay_server_wait(stage.server, REPLAY_STALLED, COUNT);
    replay_server_go(stage.server);
    for (size_t i = 0; i < COUNT; i++) {
        exchange_wait(&exchanges[i]);
        CHECK_EQ(exchanges[i].status, KP_OK);
        CHECK_STR(sk_buffer_text(&exchanges[i].body), "hi");
        exchange_fini(&exchanges[i]);
    }
    stage_close(&stage);
}

TESTS(TEST(a_get_brings_status_headers_and_body), TEST(each_method_is_sent_as_it_is),
      TEST(a_head_has_headers_and_no_body), TEST(an_answer_without_content_is_whole),
      TEST(headers_of_both_lists_are_sent_and_secrets_appear_nowhere_else),
      TEST(a_url_is_logged_without_user_and_query),
      TEST(a_url_in_an_error_has_neither_user_nor_query),
      TEST(a_chunked_answer_comes_whole_and_its_trailers_are_no_headers),
      TEST(answers_before_the_answer_are_passed_over),
      TEST(an_answer_that_the_end_of_the_connection_ends_is_whole),
      TEST(an_answer_that_is_not_2xx_is_an_answer_and_goes_to_body),
      TEST(a_redirect_is_not_followed), TEST(the_body_of_an_answer_that_is_not_2xx_is_cut),
      TEST(what_the_server_asks_to_wait_is_told),
      TEST(a_date_to_wait_for_is_told_as_a_time_from_now),
      TEST(a_compressed_body_is_asked_for_and_decoded),
      TEST(a_small_answer_that_unpacks_to_a_huge_one_is_stopped_at_the_limit),
      TEST(a_stream_is_not_compressed_nor_what_the_plugin_asked_for),
      TEST(chunks_come_in_order_and_only_they_carry_the_body), TEST(a_connection_is_used_again),
      TEST(without_lazy_polling_it_works_the_same),
      TEST(a_host_whose_first_address_refuses_is_reached_at_its_second),
      TEST(a_unix_socket_replaces_the_connection_alone),
      TEST(tls_works_with_a_trusted_certificate_and_its_connection_is_used_again),
      TEST(a_proxy_gets_the_request_unless_its_host_is_excepted),
      TEST(a_plain_function_may_send_and_wait),
      TEST(an_async_function_gets_the_handle_that_callbacks_carry),
      TEST(a_request_of_the_instance_outlives_its_call),
      TEST(a_refused_request_tells_its_call_why_and_calls_nothing_back),
      TEST(many_requests_at_once_are_all_answered))
