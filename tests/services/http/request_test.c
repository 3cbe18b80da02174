/* What is refused before anything is sent, and how a request is copied. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

static void on_done(void *arg, const kp_http_response *response)
{
    (void)arg;
    (void)response;
}

static void on_event(void *arg, kp_http_op *op, const kp_http_event *event)
{
    (void)arg;
    (void)op;
    (void)event;
}

static kp_http_request plain_request(void)
{
    kp_http_request request = {
        .size = sizeof(request), .method = "GET", .url = "http://h/", .on_done = on_done};

    return request;
}

static void check_refused(const kp_http_request *request, int status, const char *part)
{
    http__request_t copy;
    char error[HTTP__ERROR_MAX] = "";

    CHECK_EQ(http__request_copy(request, &copy, error, sizeof(error)), status);
    CHECK_STR_CONTAINS(error, "cannot send the request: ");
    CHECK_STR_CONTAINS(error, part);
}

static void a_request_without_size_method_url_or_on_done_is_refused(void)
{
    kp_http_request request = plain_request();

    check_refused(NULL, KP_E_INVALID, "size");
    request.size = 0;
    check_refused(&request, KP_E_INVALID, "sizeof(kp_http_request)");
    request = plain_request();
    request.method = NULL;
    check_refused(&request, KP_E_INVALID, "method");
    request = plain_request();
    request.url = NULL;
    check_refused(&request, KP_E_INVALID, "no URL");
    request = plain_request();
    request.on_done = NULL;
    check_refused(&request, KP_E_INVALID, "on_done");
}

static void methods_that_are_no_words_are_refused(void)
{
    static const char *const methods[] = {"", "GET ", "G\r\nX: y", "GET/", "\xc3\xa9", "CONNECT"};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        kp_http_request request = plain_request();

        request.method = methods[i];
        check_refused(&request, KP_E_INVALID, "method");
    }
}

static void urls_that_are_not_http_or_not_valid_are_refused(void)
{
    static const char *const urls[] = {
        "",
        "h",
        "h/path",
        "//h/",
        "file:///etc/passwd",
        "ftp://h/",
        "gopher://h",
        "http://",
        "http://h h/",
        "http://h:99999/",
        "http://[",
        "http://[::1",

        "http://h\r\n/",
        "http://h/\r\nHost: x",
        "http://h/ x",
        "javascript:alert(1)",
        "http://h/\x01",
    };

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        kp_http_request request = plain_request();

        request.url = urls[i];
        check_refused(&request, KP_E_INVALID, "its URL");
    }
}

static void the_text_of_a_refusal_tells_nothing_of_the_url(void)
{
    http__request_t copy;
    kp_http_request request = plain_request();
    char error[HTTP__ERROR_MAX];

    request.url = "http://user:hush@h:99999/secret?key=hush";
    CHECK_EQ(http__request_copy(&request, &copy, error, sizeof(error)), KP_E_INVALID);
    CHECK(strstr(error, "hush") == NULL);
    CHECK(strstr(error, "secret") == NULL);
}

static void headers_that_would_break_out_of_their_line_are_refused(void)
{
    static const kp_http_header headers[] = {
        {"X", "a\r\nY: b"},
        {"X", "a\rb"},
        {"X", "a\nb"},
        {"X", "a\x01"},
        {"X", "\x7f"},
        {"X\r\nY", "a"},
        {"X: Y", "a"},
        {"", "a"},
        {NULL, "a"},
        {"X", NULL},
        {"X Y", "a"},
        {"X\n", "a"},
        {"\xc3\xa9", "a"},
        {"X", "\x1b[2J"},
        {"Content-Length", "1"},
        {"transfer-encoding", "chunked"},
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        kp_http_request request = plain_request();

        request.headers = &headers[i];
        request.header_count = 1;
        check_refused(&request, KP_E_INVALID, "header");
        request = plain_request();
        request.secret_headers = &headers[i];
        request.secret_header_count = 1;
        check_refused(&request, KP_E_INVALID, "header");
    }
}

static void a_refused_secret_is_not_quoted(void)
{
    static const kp_http_header header = {"api-key", "hush\r\n"};
    http__request_t copy;
    kp_http_request request = plain_request();
    char error[HTTP__ERROR_MAX];

    request.secret_headers = &header;
    request.secret_header_count = 1;
    CHECK_EQ(http__request_copy(&request, &copy, error, sizeof(error)), KP_E_INVALID);
    CHECK_STR_CONTAINS(error, "api-key");
    CHECK(strstr(error, "hush") == NULL);
}

static void counts_without_content_are_refused(void)
{
    kp_http_request request = plain_request();

    request.header_count = 1;
    check_refused(&request, KP_E_INVALID, "headers");
    request = plain_request();
    request.secret_header_count = 1;
    check_refused(&request, KP_E_INVALID, "secret headers");
    request = plain_request();
    request.body_len = 1;
    check_refused(&request, KP_E_INVALID, "body");
}

static void what_is_not_built_is_refused_as_unsupported(void)
{
    kp_http_part part = {.name = "a", .data = "b", .len = 1};
    kp_http_request request = plain_request();

    request.parts = &part;
    request.part_count = 1;
    request.part_stride = sizeof(part);
    check_refused(&request, KP_E_UNSUPPORTED, "multipart");
    request = plain_request();
    request.download_path = "/tmp/x";
    check_refused(&request, KP_E_UNSUPPORTED, "download");
    request = plain_request();
    request.max_attempts = 2;
    check_refused(&request, KP_E_UNSUPPORTED, "max_attempts");
    request = plain_request();
    request.redirects = KP_HTTP_REDIRECT_GET;
    check_refused(&request, KP_E_UNSUPPORTED, "redirects");
    request = plain_request();
    request.on_event = on_event;
    check_refused(&request, KP_E_UNSUPPORTED, "server-sent events");
}

static void a_unix_socket_needs_a_path_that_fits_and_is_never_public(void)
{
    char path[200];
    kp_http_request request = plain_request();

    request.unix_socket = "";
    check_refused(&request, KP_E_INVALID, "unix socket");
    memset(path, 'a', sizeof(path));
    path[108] = '\0';
    request.unix_socket = path;
    check_refused(&request, KP_E_INVALID, "107");
    request.unix_socket = "/run/x";
    request.flags = KP_HTTP_PUBLIC_ONLY;
    check_refused(&request, KP_E_INVALID, "public");
}

static void everything_is_copied(void)
{
    char name[] = "X-Name";
    char value[] = " the value";
    char secret[] = "hush";
    char url[] = "https://user:pw@Example.org:8443/a/b?key=hush#part";
    char method[] = "PATCH";
    char body[] = "a\0b";
    char socket_path[] = "/run/s";
    kp_http_header header = {name, value};
    kp_http_header secrets[] = {{"Authorization", secret}, {"X-Empty", ""}};
    kp_http_request request = plain_request();
    http__request_t copy;
    char error[HTTP__ERROR_MAX];

    request.method = method;
    request.url = url;
    request.unix_socket = socket_path;
    request.headers = &header;
    request.header_count = 1;
    request.secret_headers = secrets;
    request.secret_header_count = 2;
    request.body = body;
    request.body_len = 3;
    request.connect_ms = 1;
    request.first_byte_ms = 2;
    request.idle_ms = 3;
    request.total_ms = 4;
    request.max_response = 5;
    CHECK_EQ(http__request_copy(&request, &copy, error, sizeof(error)), KP_OK);
    memset(name, '?', sizeof(name) - 1);
    memset(value, '?', sizeof(value) - 1);
    memset(secret, '?', sizeof(secret) - 1);
    memset(url, '?', sizeof(url) - 1);
    memset(method, '?', sizeof(method) - 1);
    memset(body, '?', sizeof(body));
    memset(socket_path, '?', sizeof(socket_path) - 1);

    CHECK_STR(copy.method, "PATCH");
    CHECK_STR(copy.url, "https://user:pw@Example.org:8443/a/b?key=hush#part");
    CHECK_STR(copy.unix_socket, "/run/s");
    CHECK_EQ(copy.headers_size,
             sizeof("X-Name: the value") + sizeof("Authorization: hush") + sizeof("X-Empty;"));
    CHECK(memcmp(copy.headers, "X-Name: the value\0Authorization: hush\0X-Empty;",
                 copy.headers_size) == 0);
    CHECK_EQ(copy.body_size, 3);
    CHECK(memcmp(copy.body, "a\0b", 3) == 0);
    CHECK_EQ(copy.connect_ms, 1);
    CHECK_EQ(copy.first_byte_ms, 2);
    CHECK_EQ(copy.idle_ms, 3);
    CHECK_EQ(copy.total_ms, 4);
    CHECK_EQ(copy.max_response, 5);
    CHECK(!copy.has_content_type);
    http__request_fini(&copy);
}

static void what_is_shown_of_a_url_has_neither_user_nor_query(void)
{
    static const struct {
        const char *url;
        const char *shown;
        const char *lookup;
        bool is_https;
    } cases[] = {
        {"http://h/", "http://h/", "h:80", false},
        {"http://user:hush@h/a/b?key=hush#c", "http://h/a/b", "h:80", false},
        {"HTTPS://Example.org:443", "https://Example.org/", "Example.org:443", true},
        {"https://example.org:8443/x", "https://example.org:8443/x", "example.org:8443", true},
        {"http://127.0.0.1:80/", "http://127.0.0.1/", NULL, false},
        {"http://[::1]:8080/", "http://[::1]:8080/", NULL, false},
        {"http://localhost/", "http://localhost/", NULL, false},
        {"http://a.localhost/", "http://a.localhost/", NULL, false},
        {"http://notlocalhost/", "http://notlocalhost/", "notlocalhost:80", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        http__url_t url;
        char error[HTTP__ERROR_MAX] = "";

        CHECK_EQ(http__url_read(cases[i].url, &url, error, sizeof(error)), KP_OK);
        CHECK_STR(url.shown, cases[i].shown);
        CHECK_EQ(url.is_https, cases[i].is_https);
        CHECK_EQ(url.lookup == NULL, cases[i].lookup == NULL);
        if (url.lookup != NULL) {
            CHECK_STR(url.lookup, cases[i].lookup);
        }
        http__url_fini(&url);
    }
}

static void an_empty_body_is_not_the_same_as_none(void)
{
    http__request_t copy;
    kp_http_request request = plain_request();
    char error[HTTP__ERROR_MAX];

    CHECK_EQ(http__request_copy(&request, &copy, error, sizeof(error)), KP_OK);
    CHECK(copy.body == NULL);
    http__request_fini(&copy);
    request.body = "";
    CHECK_EQ(http__request_copy(&request, &copy, error, sizeof(error)), KP_OK);
    CHECK(copy.body != NULL);
    CHECK_EQ(copy.body_size, 0);
    http__request_fini(&copy);
}

static void a_larger_struct_of_a_later_header_is_taken(void)
{
    struct {
        kp_http_request request;
        uint64_t later[4];
    } grown = {.request = plain_request(), .later = {1, 2, 3, 4}};
    http__request_t copy;
    char error[HTTP__ERROR_MAX];

    grown.request.size = sizeof(grown);
    CHECK_EQ(http__request_copy(&grown.request, &copy, error, sizeof(error)), KP_OK);
    http__request_fini(&copy);
}

static void only_post_patch_and_unknown_methods_must_not_be_repeated(void)
{
    static const struct {
        const char *method;
        uint32_t flags;
        bool is_repeatable;
    } cases[] = {
        {"GET", 0, true},   {"HEAD", 0, true},
        {"PUT", 0, true},   {"DELETE", 0, true},
        {"POST", 0, false}, {"PATCH", 0, false},
        {"BREW", 0, false}, {"POST", KP_HTTP_RETRY_UNSAFE, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_http_request request = plain_request();
        http__request_t copy;
        char error[HTTP__ERROR_MAX];

        request.method = cases[i].method;
        request.flags = cases[i].flags;
        CHECK_EQ(http__request_copy(&request, &copy, error, sizeof(error)), KP_OK);
        CHECK_EQ(http__request_is_repeatable(&copy), cases[i].is_repeatable);
        http__request_fini(&copy);
    }
}

TESTS(TEST(a_request_without_size_method_url_or_on_done_is_refused),
      TEST(methods_that_are_no_words_are_refused),
      TEST(urls_that_are_not_http_or_not_valid_are_refused),
      TEST(the_text_of_a_refusal_tells_nothing_of_the_url),
      TEST(headers_that_would_break_out_of_their_line_are_refused),
      TEST(a_refused_secret_is_not_quoted), TEST(counts_without_content_are_refused),
      TEST(what_is_not_built_is_refused_as_unsupported),
      TEST(a_unix_socket_needs_a_path_that_fits_and_is_never_public), TEST(everything_is_copied),
      TEST(what_is_shown_of_a_url_has_neither_user_nor_query),
      TEST(an_empty_body_is_not_the_same_as_none), TEST(a_larger_struct_of_a_later_header_is_taken),
      TEST(only_post_patch_and_unknown_methods_must_not_be_repeated))
