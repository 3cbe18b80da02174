/* Requests that come to no whole answer: each ends once, with a status and a clear text. */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define OK_HI REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

/* One exchange with a path of a server, on a client that many share. */
static void play(client_t *client, const replay_server_t *server, const char *path,
                 exchange_t *exchange)
{
    static char url[128];

    replay_server_url(server, path, url, sizeof(url));
    exchange_init(exchange, "GET", url);
    exchange_run(client, exchange);
    CHECK_EQ(exchange->done_count, 1);
    if (exchange->status == KP_OK) {
        CHECK_EQ(exchange->call_status, KERNEL_OK);
        CHECK_STR(sk_buffer_text(&exchange->error), "");
    } else {
        CHECK_EQ(exchange->call_status, exchange->status);
        CHECK_STR_CONTAINS(sk_buffer_text(&exchange->error), url);
        CHECK_EQ(exchange->body.size, 0);
    }
}

/*
 * Cut an answer before each of its first `needed` bytes: no piece of it is ever
 * taken for the whole. Cut behind them it is taken.
 */
static void cut_everywhere(replay_transport_t transport, const char *text, size_t needed,
                           replay_end_t end)
{
    replay_server_t *server = replay_server_new(transport);
    size_t size = strlen(text);
    client_t client;

    if (transport == REPLAY_TLS) {
        client_open_trusting(&client, server);
    } else {
        client_open(&client, NULL);
    }
    for (size_t i = 0; i < size; i++) {
        replay_answer_t answer = REPLAY_ANSWER_BYTES(text, size);
        exchange_t exchange;
        bool is_whole = i >= needed;

        answer.cut_at = i;
        answer.end = end;
        replay_server_set(server, "/", &answer);
        play(&client, server, "/", &exchange);
        if (exchange.status != (is_whole ? KP_OK : KP_E_UNAVAILABLE)) {
            check_fail(__FILE__, __LINE__, "cut at %zu: status %d, %s", i, exchange.status,
                       sk_buffer_text(&exchange.error));
        }
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

static const char answer_with_length[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world!";
static const char answer_in_chunks[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "5\r\nHello\r\n7\r\n world!\r\n0\r\n\r\n";
static const char answer_without_length[] = "HTTP/1.1 200 OK\r\n\r\nall there is";

/* The last line feed tells nothing new, and libcurl does not wait for it. */
#define CHUNKS_NEEDED         (sizeof(answer_in_chunks) - 2)
#define WITHOUT_LENGTH_NEEDED (sizeof("HTTP/1.1 200 OK\r\n\r\n") - 1)

static void an_answer_with_a_length_cut_anywhere_is_a_failure(void)
{
    cut_everywhere(REPLAY_TCP, answer_with_length, sizeof(answer_with_length) - 1, REPLAY_CLOSE);
}

static void an_answer_in_chunks_cut_anywhere_is_a_failure(void)
{
    cut_everywhere(REPLAY_TCP, answer_in_chunks, CHUNKS_NEEDED, REPLAY_CLOSE);
}

static void an_answer_reset_anywhere_is_a_failure(void)
{
    cut_everywhere(REPLAY_TCP, answer_with_length, sizeof(answer_with_length) - 1, REPLAY_RESET);
}

static void an_answer_over_a_unix_socket_cut_anywhere_is_a_failure(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    client_t client;

    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(answer_with_length) - 1; i++) {
        replay_answer_t answer =
            REPLAY_ANSWER_BYTES(answer_with_length, sizeof(answer_with_length) - 1);
        exchange_t exchange;

        answer.cut_at = i;
        answer.end = REPLAY_CLOSE;
        replay_server_set(server, "/", &answer);
        exchange_init(&exchange, "POST", "http://localhost/");
        exchange.plan.request.unix_socket = replay_server_socket_path(server);
        exchange_run(&client, &exchange);
        CHECK_EQ(exchange.status, KP_E_UNAVAILABLE);
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

static void an_answer_over_tls_cut_anywhere_is_a_failure(void)
{
    cut_everywhere(REPLAY_TLS, answer_in_chunks, CHUNKS_NEEDED, REPLAY_CLOSE);
}

static void an_answer_that_ends_with_the_connection_may_end_anywhere_in_its_body(void)
{
    cut_everywhere(REPLAY_TCP, answer_without_length, WITHOUT_LENGTH_NEEDED, REPLAY_CLOSE);
}

/* libcurl makes nothing of a missing goodbye of TLS. */
static void the_same_goes_for_tls(void)
{
    cut_everywhere(REPLAY_TLS, answer_without_length, WITHOUT_LENGTH_NEEDED, REPLAY_CLOSE);
}

static void an_answer_in_pieces_of_any_size_is_whole(void)
{
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;

    client_open(&client, NULL);
    for (size_t piece = 1; piece < sizeof(answer_in_chunks); piece++) {
        replay_answer_t answer =
            REPLAY_ANSWER_BYTES(answer_in_chunks, sizeof(answer_in_chunks) - 1);
        exchange_t exchange;

        answer.piece = piece;
        replay_server_set(server, "/", &answer);
        play(&client, server, "/", &exchange);
        CHECK_EQ(exchange.status, KP_OK);
        CHECK_STR(sk_buffer_text(&exchange.body), "Hello world!");
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

/* Stopped at each byte and let go on: no time-out fires by itself, nothing is lost. */
static void an_answer_that_stalls_anywhere_is_whole_in_the_end(void)
{
    client_t client;

    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(answer_in_chunks) - 1; i++) {
        replay_server_t *server = replay_server_new(REPLAY_TCP);
        replay_answer_t answer =
            REPLAY_ANSWER_BYTES(answer_in_chunks, sizeof(answer_in_chunks) - 1);
        exchange_t exchange;
        char url[128];

        answer.stall_at = i;
        replay_server_set(server, "/", &answer);
        replay_server_url(server, "/", url, sizeof(url));
        exchange_init(&exchange, "GET", url);
        exchange_start(&client, &exchange, NULL);
        replay_server_wait(server, REPLAY_STALLED, 1);
        CHECK_EQ(exchange.done_count, 0);
        replay_server_go(server);
        exchange_wait(&exchange);
        CHECK_EQ(exchange.status, KP_OK);
        CHECK_STR(sk_buffer_text(&exchange.body), "Hello world!");
        exchange_fini(&exchange);
        replay_server_free(server);
    }
    client_close(&client);
}

/* A wrong bit may make another answer, but always one end, and never more than what was sent. */
static void an_answer_with_any_byte_turned_round_ends_once(void)
{
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;

    client_open(&client, "{\"first_byte_ms\":2000,\"idle_ms\":2000}");
    for (size_t i = 0; i < sizeof(answer_in_chunks) - 1; i++) {
        replay_answer_t answer =
            REPLAY_ANSWER_BYTES(answer_in_chunks, sizeof(answer_in_chunks) - 1);
        exchange_t exchange;

        answer.flip_at = i;
        answer.end = REPLAY_CLOSE;
        replay_server_set(server, "/", &answer);
        play(&client, server, "/", &exchange);
        CHECK(exchange.body.size < sizeof(answer_in_chunks));
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

static void what_is_not_http_is_a_failure(void)
{
    static const char *const answers[] = {
        "",
        "\r\n\r\n",
        "garbage without end",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/7.7 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n\xff\xff",
        "HTTP/1.1 200 OK\r\nContent-Encoding: none-such\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhi",
    };
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;

    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        replay_answer_t answer = REPLAY_ANSWER_BYTES(answers[i], strlen(answers[i]));
        exchange_t exchange;

        answer.end = REPLAY_CLOSE;
        replay_server_set(server, "/", &answer);
        play(&client, server, "/", &exchange);
        if (exchange.status != KP_E_UNAVAILABLE) {
            check_fail(__FILE__, __LINE__, "answer %zu: status %d", i, exchange.status);
        }
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

/* Bytes by chance, behind a proper beginning in every other round. */
static void random_bytes_end_once(void)
{
    static unsigned char bytes[4096];
    static const char head[] = "HTTP/1.1 200 OK\r\n";
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    uint32_t seed = 20240607;

    client_open(&client, "{\"first_byte_ms\":2000,\"idle_ms\":2000}");
    for (int round = 0; round < 300; round++) {
        replay_answer_t answer = REPLAY_ANSWER_BYTES(bytes, 1 + (size_t)round * 13 % 4000);
        exchange_t exchange;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = (unsigned char)"\r\n :;0aF\x80\xff\0,x-\t2"[(seed >> 24) % 17];
        }
        if (round % 2 == 0) {
            memcpy(bytes, head, sizeof(head) - 1);
        }
        answer.end = round % 3 == 0 ? REPLAY_RESET : REPLAY_CLOSE;
        replay_server_set(server, "/", &answer);
        play(&client, server, "/", &exchange);
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

static void check_limit(const char *head, size_t head_size, size_t filler, const char *part)
{
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    replay_answer_t answer = REPLAY_ANSWER_BYTES(head, head_size);
    client_t client;
    exchange_t exchange;

    answer.filler = filler;
    replay_server_set(server, "/", &answer);
    client_open(&client, NULL);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_E_LIMIT);
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), part);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void too_many_headers_are_a_failure(void)
{
    static char head[600000];
    size_t size = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n");

    while (size < 400000) {
        size += (size_t)snprintf(head + size, sizeof(head) - size, "X-Header-%zu: some value\r\n",
                                 size);
    }
    check_limit(head, size, 0, "256 KiB");
}

static void a_header_without_end_is_a_failure(void)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX: ";

    check_limit(head, sizeof(head) - 1, 300000, "100 KiB");
}

static void a_body_beyond_the_limit_is_a_failure_wherever_it_goes(void)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n"; /* of no declared length */
    static const struct {
        bool is_stream;
        uint64_t max_response;
        size_t size;
        int status;
        size_t taken; /* at most */
    } cases[] = {
        {false, 0, 5000, KP_OK, 5000},
        {false, 0, 5001, KP_E_LIMIT, 0},
        {false, 100, 101, KP_E_LIMIT, 0},
        {false, 6000, 5001, KP_E_LIMIT, 0}, /* in memory the host's limit counts */
        {true, 0, 5001, KP_E_LIMIT, 5000},
        {true, 100000, 100000, KP_OK, 100000},
        {true, 100000, 100001, KP_E_LIMIT, 100000},
        {true, UINT64_MAX, 200000, KP_OK, 200000},
    };
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    char url[128];

    client_open(&client, "{\"max_response\":5000}");
    replay_server_url(server, "/", url, sizeof(url));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        replay_answer_t answer = REPLAY_ANSWER_BYTES(head, sizeof(head) - 1);
        exchange_t exchange;

        answer.filler = cases[i].size;
        answer.end = REPLAY_CLOSE;
        replay_server_set(server, "/", &answer);
        exchange_init(&exchange, "GET", url);
        exchange.plan.request.max_response = cases[i].max_response;
        if (cases[i].is_stream) {
            exchange_stream(&exchange);
        }
        exchange_run(&client, &exchange);
        CHECK_EQ(exchange.status, cases[i].status);
        CHECK(exchange.body.size <= cases[i].taken);
        CHECK(cases[i].status != KP_OK || exchange.body.size == cases[i].taken);
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_free(server);
}

static void a_body_that_declares_too_much_is_refused_before_its_first_byte(void)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    replay_answer_t answer = REPLAY_ANSWER_BYTES(head, sizeof(head) - 1);
    client_t client;
    exchange_t exchange;
    char url[128];

    answer.filler = 100;
    answer.end = REPLAY_HOLD;
    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange_stream(&exchange);
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_LIMIT);
    CHECK_EQ(exchange.chunk_count, 0);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void an_error_page_without_end_is_cut_and_the_connection_given_up(void)
{
    static const char head[] = "HTTP/1.1 500 Oops\r\n\r\n";
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    replay_answer_t answer = REPLAY_ANSWER_BYTES(head, sizeof(head) - 1);
    client_t client;
    exchange_t exchange;

    answer.filler = 1000000000;
    replay_server_set(server, "/", &answer);
    client_open(&client, NULL);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    CHECK_EQ(exchange.flags, KP_HTTP_BODY_CUT);
    CHECK_EQ(exchange.body.size, 65536);
    replay_server_wait(server, REPLAY_GONE, 1);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

/* A port of this machine where nobody listens: it was free a moment ago. */
static unsigned closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void a_server_that_is_not_there_is_a_failure_with_the_reason(void)
{
    client_t client;
    exchange_t exchange;
    char url[128];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", closed_port());
    client_open(&client, NULL);
    exchange_init(&exchange, "GET", url);
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_UNAVAILABLE);
    CHECK_EQ(exchange.attempts, 1);
    CHECK_EQ(exchange.http_status, 0);
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "GET http://127.0.0.1:");
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "Connection refused");
    exchange_fini(&exchange);
    client_close(&client);
}

static void a_unix_socket_that_is_not_there_is_a_failure_with_the_reason(void)
{
    client_t client;
    exchange_t exchange;

    client_open(&client, NULL);
    exchange_init(&exchange, "GET", "http://localhost/");
    exchange.plan.request.unix_socket = "/nonexistent/socket";
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_UNAVAILABLE);
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "No such file");
    exchange_fini(&exchange);
    client_close(&client);
}

static void a_name_that_cannot_be_resolved_is_a_failure_for_all_who_ask(void)
{
    enum { COUNT = 40 };
    static exchange_t exchanges[COUNT];
    client_t client;

    client_open(&client, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        exchange_init(&exchanges[i], "GET", "http://no-such-host.invalid/");
        exchange_start(&client, &exchanges[i], NULL);
    }
    for (size_t i = 0; i < COUNT; i++) {
        exchange_wait(&exchanges[i]);
        CHECK_EQ(exchanges[i].status, KP_E_UNAVAILABLE);
        CHECK_STR_CONTAINS(sk_buffer_text(&exchanges[i].error), "could not be resolved");
        exchange_fini(&exchanges[i]);
    }
    client_close(&client);
}

static void a_certificate_that_is_not_trusted_is_refused(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TLS);
    client_t client;
    exchange_t exchange;

    replay_server_set(server, "/", &answer);
    client_open(&client, NULL);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_E_DENIED);
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "certificate is not trusted");
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "SSL_CERT_FILE");
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 0);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void a_certificate_for_another_name_is_refused(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TLS);
    client_t client;
    exchange_t exchange;
    char url[128];
    char other[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open_trusting(&client, server);
    (void)snprintf(other, sizeof(other), "https://other.localhost%s", strrchr(url, ':'));
    exchange_init(&exchange, "GET", other);
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_DENIED);
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 0);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void a_file_of_authorities_that_is_not_there_is_named(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TLS);
    client_t client;
    exchange_t exchange;

    replay_server_set(server, "/", &answer);
    client_open(&client, "{\"ca_file\":\"/nonexistent/ca.pem\"}");
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_E_DENIED);
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "/nonexistent/ca.pem");
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void tls_to_a_server_without_tls_is_a_failure(void)
{
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    replay_answer_t answer = REPLAY_ANSWER_TEXT("this is no TLS at all, not even a little\r\n");
    client_t client;
    exchange_t exchange;
    char url[128];
    char secure[140];

    answer.is_hasty = true;
    answer.end = REPLAY_CLOSE;
    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    (void)snprintf(secure, sizeof(secure), "https%s", url + 4);
    client_open(&client, "{\"connect_ms\":300}");
    exchange_init(&exchange, "GET", secure);
    exchange_run(&client, &exchange);
    /* The server waits for a request's end, which never comes: the connection does not stand. */
    CHECK_EQ(exchange.status, KP_E_TIMEOUT);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void private_addresses_are_denied_where_only_public_ones_are_wanted(void)
{
    static const replay_answer_t answer = OK_HI;
    static const char *const hosts[] = {
        "127.0.0.1", "localhost",          "0.0.0.0", "127.1", "2130706433",
        "0x7f.1",    "[::ffff:127.0.0.1]", "[::1]"};
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    char url[128];

    replay_server_set(server, "/", &answer);
    client_open(&client, NULL);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        exchange_t exchange;
        char plain[128];

        replay_server_url(server, "/", plain, sizeof(plain));
        (void)snprintf(url, sizeof(url), "http://%s%s", hosts[i], strrchr(plain, ':'));
        exchange_init(&exchange, "GET", url);
        exchange.plan.request.flags = KP_HTTP_PUBLIC_ONLY;
        exchange_run(&client, &exchange);
        CHECK_EQ(exchange.status, KP_E_DENIED);
        CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "not public");
        exchange_fini(&exchange);
    }
    CHECK_EQ(replay_server_count(server, REPLAY_CONNECTED), 0);
    client_close(&client);
    replay_server_free(server);
}

static void a_kept_connection_is_no_way_round_the_denial(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    replay_server_set(server, "/", &answer);
    replay_server_url(server, "/", url, sizeof(url));
    client_open(&client, NULL);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    exchange_fini(&exchange);
    exchange_init(&exchange, "GET", url);
    exchange.plan.request.flags = KP_HTTP_PUBLIC_ONLY;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, KP_E_DENIED);
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 1);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

/* The server reads the second request on the connection of the first and goes without a word. */
static void check_lost_connection(const char *method, uint32_t flags, int status, size_t requests)
{
    static const replay_answer_t answer = OK_HI;
    replay_answer_t silence = REPLAY_ANSWER_BYTES("x", 1);
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    client_t client;
    exchange_t exchange;
    char url[128];

    silence.cut_at = 0;
    silence.end = REPLAY_CLOSE;
    replay_server_set(server, "/", &answer);
    replay_server_set(server, "/lost", &silence);
    client_open(&client, NULL);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    exchange_fini(&exchange);
    replay_server_url(server, "/lost", url, sizeof(url));
    exchange_init(&exchange, method, url);
    exchange.plan.request.flags = flags;
    exchange.plan.request.body = "{}";
    exchange.plan.request.body_len = 2;
    exchange_run(&client, &exchange);
    CHECK_EQ(exchange.status, status);
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 1 + requests);
    if (requests == 1) {
        CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "may have carried it out");
    }
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void a_post_on_a_lost_connection_is_not_sent_twice(void)
{
    check_lost_connection("POST", 0, KP_E_UNAVAILABLE, 1);
    check_lost_connection("PATCH", 0, KP_E_UNAVAILABLE, 1);
}

static void a_harmless_request_on_a_lost_connection_gets_a_new_one(void)
{
    check_lost_connection("PUT", 0, KP_E_UNAVAILABLE, 2);
    check_lost_connection("POST", KP_HTTP_RETRY_UNSAFE, KP_E_UNAVAILABLE, 2);
}

static void without_descriptors_a_request_fails_and_the_next_one_works(void)
{
    static const replay_answer_t answer = OK_HI;
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    struct rlimit limit;
    struct rlimit few;
    client_t client;
    exchange_t exchange;
    int taken[200];
    size_t count = 0;

    replay_server_set(server, "/", &answer);
    client_open(&client, NULL);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = 100;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 200 && (taken[count] = dup(0)) >= 0) {
        count++;
    }
    CHECK(count < 200);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_E_UNAVAILABLE);
    CHECK_STR_CONTAINS(sk_buffer_text(&exchange.error), "descriptor");
    exchange_fini(&exchange);
    while (count > 0) {
        count--;
        (void)close(taken[count]);
    }
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    play(&client, server, "/", &exchange);
    CHECK_EQ(exchange.status, KP_OK);
    exchange_fini(&exchange);
    client_close(&client);
    replay_server_free(server);
}

static void failures_leave_no_descriptor_open(void)
{
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    size_t before;
    client_t client;

    client_open(&client, NULL);
    client_close(&client);
    before = descriptor_count();
    client_open(&client, NULL);
    for (size_t i = 0; i < 50; i++) {
        replay_answer_t answer =
            REPLAY_ANSWER_BYTES(answer_in_chunks, sizeof(answer_in_chunks) - 1);
        exchange_t exchange;

        answer.cut_at = i;
        answer.end = i % 2 == 0 ? REPLAY_RESET : REPLAY_CLOSE;
        replay_server_set(server, "/", &answer);
        play(&client, server, "/", &exchange);
        exchange_fini(&exchange);
    }
    client_close(&client);
    replay_server_wait(server, REPLAY_GONE, replay_server_count(server, REPLAY_CONNECTED));
    CHECK_EQ(descriptor_count(), before);
    replay_server_free(server);
}

TESTS(TEST(an_answer_with_a_length_cut_anywhere_is_a_failure),
      TEST(an_answer_in_chunks_cut_anywhere_is_a_failure),
      TEST(an_answer_reset_anywhere_is_a_failure),
      TEST(an_answer_over_a_unix_socket_cut_anywhere_is_a_failure),
      TEST(an_answer_over_tls_cut_anywhere_is_a_failure),
      TEST(an_answer_that_ends_with_the_connection_may_end_anywhere_in_its_body),
      TEST(the_same_goes_for_tls), TEST(an_answer_in_pieces_of_any_size_is_whole),
      TEST(an_answer_that_stalls_anywhere_is_whole_in_the_end),
      TEST(an_answer_with_any_byte_turned_round_ends_once), TEST(what_is_not_http_is_a_failure),
      TEST(random_bytes_end_once), TEST(too_many_headers_are_a_failure),
      TEST(a_header_without_end_is_a_failure),
      TEST(a_body_beyond_the_limit_is_a_failure_wherever_it_goes),
      TEST(a_body_that_declares_too_much_is_refused_before_its_first_byte),
      TEST(an_error_page_without_end_is_cut_and_the_connection_given_up),
      TEST(a_server_that_is_not_there_is_a_failure_with_the_reason),
      TEST(a_unix_socket_that_is_not_there_is_a_failure_with_the_reason),
      TEST(a_name_that_cannot_be_resolved_is_a_failure_for_all_who_ask),
      TEST(a_certificate_that_is_not_trusted_is_refused),
      TEST(a_certificate_for_another_name_is_refused),
      TEST(a_file_of_authorities_that_is_not_there_is_named),
      TEST(tls_to_a_server_without_tls_is_a_failure),
      TEST(private_addresses_are_denied_where_only_public_ones_are_wanted),
      TEST(a_kept_connection_is_no_way_round_the_denial),
      TEST(a_post_on_a_lost_connection_is_not_sent_twice),
      TEST(a_harmless_request_on_a_lost_connection_gets_a_new_one),
      TEST(without_descriptors_a_request_fails_and_the_next_one_works),
      TEST(failures_leave_no_descriptor_open))
