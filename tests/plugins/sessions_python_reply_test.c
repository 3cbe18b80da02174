/* What a pool answers, and what comes of it. */
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "support/check.h"

typedef struct sample {
    const char *body;
    const char *text;
    const char *value;
} sample_t;

static void check_sample(const sample_t *sample)
{
    reply_t reply;
    char error[512] = "";
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t value = SK_BUFFER_INIT;

    if (!reply_read(&reply, sample->body, strlen(sample->body), error, sizeof(error))) {
        check_fail(__FILE__, __LINE__, "%s: %s", sample->body, error);
    }
    reply_write_text(&reply, &text);
    reply_write_value(&reply, &value);
    CHECK_STR(sk_buffer_text(&text), sample->text);
    if (sample->value != NULL) {
        CHECK_STR(sk_buffer_text(&value), sample->value);
    }
    CHECK_EQ(sk_json_scan(sk_buffer_text(&value), value.size, NULL, NULL, NULL), SK_JSON_OK);
    sk_buffer_fini(&text);
    sk_buffer_fini(&value);
    reply_fini(&reply);
}

#define CHECK_SAMPLES(...)                                                                         \
    do {                                                                                           \
        static const sample_t samples[] = {__VA_ARGS__};                                           \
        for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {                        \
            check_sample(&samples[i]);                                                             \
        }                                                                                          \
    } while (0)

#define TEXT(status, result, out, err)                                                             \
    "Status:\n" status "\nResult:\n" result "\nStdout:\n" out "\nStderr:\n" err

/* An answer of family B, and what stands around its parts in the value. */
#define B(result)                                                                                  \
    "{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"\",\"stderr\":\"\"," result "}}"
#define V(result)                                                                                  \
    "{\"status\":\"Succeeded\",\"succeeded\":true,\"result\":" result                              \
    ",\"stdout\":\"\",\"stderr\":\"\"}"

static void both_families_come_out_alike(void)
{
    CHECK_SAMPLES(
        {"{\"$id\":\"1\",\"properties\":{\"$id\":\"2\",\"status\":\"Success\",\"stdout\":\"2\\n\","
         "\"stderr\":\"\",\"result\":\"\",\"executionTimeInMilliseconds\":35}}",
         TEXT("Success", "", "2\n", ""),
         "{\"status\":\"Success\",\"succeeded\":true,\"result\":\"\",\"stdout\":\"2\\n\","
         "\"stderr\":\"\",\"execution_time_ms\":35}"},
        {"{\"id\":\"e1\",\"identifier\":\"i\",\"executionType\":\"Synchronous\","
         "\"status\":\"Succeeded\",\"result\":{\"stdout\":\"2\\n\",\"stderr\":\"\","
         "\"executionResult\":null,\"executionTimeInMilliseconds\":12}}",
         TEXT("Succeeded", "", "2\n", ""),
         "{\"status\":\"Succeeded\",\"succeeded\":true,\"result\":null,\"stdout\":\"2\\n\","
         "\"stderr\":\"\",\"execution_time_ms\":12,\"execution_id\":\"e1\"}"},
        {"{\"properties\":{\"status\":\"Success\",\"stdout\":\"\",\"stderr\":\"\","
         "\"executionResult\":3}}",
         TEXT("Success", "3", "", ""), NULL},
        {"{\"status\":\"Success\",\"stdout\":\"o\",\"stderr\":\"e\",\"result\":\"r\"}",
         TEXT("Success", "r", "o", "e"), NULL},
        {"{\"properties\":{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"o\",\"stderr\":\"e\","
         "\"executionResult\":1}}}",
         TEXT("Succeeded", "1", "o", "e"), NULL});
}

static void result_of_family_a_may_look_like_an_envelope(void)
{
    CHECK_SAMPLES({"{\"properties\":{\"status\":\"Success\",\"stdout\":\"mine\",\"stderr\":\"\","
                   "\"result\":{\"stdout\":\"not mine\",\"executionResult\":1}}}",
                   TEXT("Success", "{\"stdout\":\"not mine\",\"executionResult\":1}", "mine", ""),
                   NULL});
}

static void missing_and_null_parts_are_empty(void)
{
    CHECK_SAMPLES(
        {"{\"status\":\"Succeeded\"}", TEXT("Succeeded", "", "", ""), V("null")},
        {"{\"status\":\"Succeeded\",\"result\":null}", TEXT("Succeeded", "", "", ""), V("null")},
        {"{\"status\":\"Succeeded\",\"result\":{}}", TEXT("Succeeded", "", "", ""), V("null")},
        {"{\"status\":\"Succeeded\",\"result\":{\"stdout\":null,\"stderr\":null}}",
         TEXT("Succeeded", "", "", ""), V("null")});
}

static void result_keeps_its_type(void)
{
    CHECK_SAMPLES(
        {B("\"executionResult\":2"), TEXT("Succeeded", "2", "", ""), V("2")},
        {B("\"executionResult\":1.5"), TEXT("Succeeded", "1.5", "", ""), V("1.5")},
        {B("\"executionResult\":\"abc\""), TEXT("Succeeded", "abc", "", ""), V("\"abc\"")},
        {B("\"executionResult\":\"\""), TEXT("Succeeded", "", "", ""), V("\"\"")},
        {B("\"executionResult\":true"), TEXT("Succeeded", "true", "", ""), V("true")},
        {B("\"executionResult\": [1, {\"a\": null}]"),
         TEXT("Succeeded", "[1,{\"a\":null}]", "", ""), V("[1,{\"a\":null}]")},
        {B("\"executionResult\":{\"type\":\"image\"}"),
         TEXT("Succeeded", "{\"type\":\"image\"}", "", ""), V("{\"type\":\"image\"}")});
}

static void big_integers_keep_all_digits(void)
{
    CHECK_SAMPLES({B("\"executionResult\":9007199254740993"),
                   TEXT("Succeeded", "9007199254740993", "", ""), V("9007199254740993")},
                  {B("\"executionResult\":1267650600228229401496703205376"),
                   TEXT("Succeeded", "1267650600228229401496703205376", "", ""),
                   V("1267650600228229401496703205376")},
                  {B("\"executionResult\":[12345678901234567890]"),
                   TEXT("Succeeded", "[12345678901234567890]", "", ""),
                   V("[12345678901234567890]")});
}

static void exception_is_a_result(void)
{
    CHECK_SAMPLES(
        {"{\"status\":\"Failed\",\"result\":{\"stdout\":\"before\\n\",\"stderr\":\"Traceback\\n"
         "NameError: name 'x'\",\"executionResult\":null}}",
         TEXT("Failed", "", "before\n", "Traceback\nNameError: name 'x'"),
         "{\"status\":\"Failed\",\"succeeded\":false,\"result\":null,\"stdout\":\"before\\n\","
         "\"stderr\":\"Traceback\\nNameError: name 'x'\",\"failure\":\"exception\"}"});
}

static void kind_of_failure_is_told(void)
{
    static const struct {
        const char *status;
        const char *err;
        const char *failure;
    } samples[] = {
        {"Failed", "NameError", "exception"},
        {"failure", "NameError", "exception"},
        {"Failed", "Request timed out waiting for code execution to complete", "timeout"},
        {"Failure",
         "x\\nRequest timed out waiting for code execution to complete after 120 seconds",
         "timeout"},
        {"Failed", "Execution aborted", "aborted"},
        {"Failed", "Kernel restarted", "aborted"},
        {"Canceled", "", "aborted"},
        {"cancelled", "", "aborted"},
        {"Running", "", NULL},
        {"SUCCEEDED", "Execution aborted", NULL},
        {"0", "", NULL},
        {"1", "", NULL},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        reply_t reply;
        char body[512];
        char error[512] = "";

        (void)snprintf(body, sizeof(body), "{\"status\":\"%s\",\"result\":{\"stderr\":\"%s\"}}",
                       samples[i].status, samples[i].err);
        CHECK(reply_read(&reply, body, strlen(body), error, sizeof(error)));
        CHECK_STR(reply.failure, samples[i].failure);
        CHECK_EQ(reply.succeeded, strcasecmp(samples[i].status, "succeeded") == 0 ||
                                      strcmp(samples[i].status, "0") == 0);
        reply_fini(&reply);
    }
}

static void fate_of_the_session_is_told(void)
{
    CHECK_SAMPLES(
        {"{\"status\":\"Failed\",\"result\":{\"stderr\":\"Request timed out waiting for "
         "code execution to complete\",\"sessionState\":\"kept\"}}",
         TEXT("Failed", "", "", "Request timed out waiting for code execution to complete"),
         "{\"status\":\"Failed\",\"succeeded\":false,\"result\":null,\"stdout\":\"\","
         "\"stderr\":\"Request timed out waiting for code execution to complete\","
         "\"failure\":\"timeout\",\"session_state\":\"kept\"}"});
}

static void error_of_the_service_takes_the_place_of_a_missing_stderr(void)
{
    CHECK_SAMPLES(
        {"{\"status\":\"Failed\",\"error\":{\"error\":{\"code\":\"X\",\"message\":\"no room\"}}}",
         TEXT("Failed", "", "", "no room"),
         "{\"status\":\"Failed\",\"succeeded\":false,\"result\":null,\"stdout\":\"\","
         "\"stderr\":\"no room\",\"failure\":\"exception\",\"error\":{\"code\":\"X\","
         "\"message\":\"no room\"}}"},
        {"{\"status\":\"Failed\",\"error\":{\"code\":\"X\",\"message\":\"no room\"},"
         "\"result\":{\"stderr\":\"e\"}}",
         TEXT("Failed", "", "", "e"), NULL});
}

static void image_becomes_bytes_beside_the_text(void)
{
    static const char body[] = B("\"executionResult\":{\"type\":\"image\",\"format\":\"png\","
                                 "\"base64_data\":\"aGVs\\nbG8=\\n\"}");
    reply_t reply;
    char error[512] = "";

    CHECK_SAMPLES({body, TEXT("Succeeded", "[image/png, 5 bytes]", "", ""),
                   V("{\"type\":\"image\",\"media_type\":\"image/png\",\"size\":5,"
                     "\"attachment\":\"figure-1.png\"}")});
    CHECK(reply_read(&reply, body, strlen(body), error, sizeof(error)));
    CHECK_EQ(reply.attachments.count, 1);
    CHECK_STR(reply.attachments.items[0].name, "figure-1.png");
    CHECK_STR(reply.attachments.items[0].media_type, "image/png");
    CHECK_STR(sk_buffer_text(&reply.attachments.items[0].data), "hello");
    reply_fini(&reply);
}

static void images_among_others_keep_their_places(void)
{
    CHECK_SAMPLES(
        {B("\"executionResult\":[1,{\"type\":\"image\",\"format\":\"JPG\",\"base64_data\":\"aA==\"}"
           ","
           "{\"type\":\"image\",\"format\":\"svg\",\"base64_data\":\"aGU=\"}]"),
         TEXT("Succeeded", "[1,\"[image/jpeg, 1 bytes]\",\"[image/svg+xml, 2 bytes]\"]", "", ""),
         V("[1,{\"type\":\"image\",\"media_type\":\"image/jpeg\",\"size\":1,\"attachment\":"
           "\"figure-1.jpeg\"},{\"type\":\"image\",\"media_type\":\"image/svg+xml\",\"size\":2,"
           "\"attachment\":\"figure-2.svg\"}]")});
}

static void image_that_cannot_be_read_does_not_reach_the_text(void)
{
    CHECK_SAMPLES({B("\"executionResult\":{\"type\":\"image\",\"format\":\"png\","
                     "\"base64_data\":\"%%%%\"}"),
                   TEXT("Succeeded", "[image/png, not readable]", "", ""),
                   V("{\"type\":\"image\",\"media_type\":\"image/png\",\"size\":0}")});
}

#define PNG "{\"type\":\"image\",\"format\":\"png\",\"base64_data\":\"aGVsbG8=\"}"
#define PNG_VALUE(number)                                                                          \
    "{\"type\":\"image\",\"media_type\":\"image/png\",\"size\":5,\"attachment\":"                  \
    "\"figure-" number ".png\"}"

static void displays_become_attachments_and_lines_of_the_text(void)
{
    CHECK_SAMPLES(
        {B("\"executionResult\":" PNG ",\"displays\":[" PNG "," PNG "]"),
         TEXT("Succeeded", "[image/png, 5 bytes]\n[image/png, 5 bytes]\n[image/png, 5 bytes]", "",
              ""),
         V(PNG_VALUE("1") ",\"displays\":[" PNG_VALUE("2") "," PNG_VALUE("3") "]")},
        {B("\"executionResult\":5,\"displays\":[" PNG "]"),
         TEXT("Succeeded", "5\n[image/png, 5 bytes]", "", ""),
         V("5,\"displays\":[" PNG_VALUE("1") "]")},
        {B("\"executionResult\":\"\",\"displays\":[" PNG "]"),
         TEXT("Succeeded", "[image/png, 5 bytes]", "", ""), NULL},
        {B("\"executionResult\":\"a  b\",\"displays\":[{\"type\":\"text\",\"mediaType\":"
           "\"text/html\",\"text\":\"<b>\"}]"),
         TEXT("Succeeded", "a  b", "", ""),
         V("\"a  b\",\"displays\":[{\"type\":\"text\",\"media_type\":\"text/html\",\"size\":3,"
           "\"attachment\":\"display-1.html\"}]")},
        {B("\"executionResult\":" PNG ",\"displays\":[{\"type\":\"text\",\"mediaType\":"
           "\"text/plain\",\"text\":\"<Axes>\"}]"),
         TEXT("Succeeded", "[image/png, 5 bytes]\n<Axes>", "", ""),
         V(PNG_VALUE("1") ",\"displays\":[{\"type\":\"text\",\"mediaType\":\"text/plain\","
                          "\"text\":\"<Axes>\"}]")});
}

static void displays_of_no_known_kind_do_no_harm(void)
{
    CHECK_SAMPLES(
        {B("\"executionResult\":1,\"displays\":[]"), TEXT("Succeeded", "1", "", ""),
         V("1,\"displays\":[]")},
        {B("\"executionResult\":1,\"displays\":{\"a\":1}"), TEXT("Succeeded", "1", "", ""), V("1")},
        {B("\"executionResult\":1,\"displays\":null"), TEXT("Succeeded", "1", "", ""), V("1")},
        {B("\"executionResult\":1,\"displays\":[7]"),
         TEXT("Succeeded", "1\n[a display that is not readable]", "", ""), V("1,\"displays\":[7]")},
        {B("\"executionResult\":1,\"displays\":[{\"type\":\"text\",\"mediaType\":\"a\\\"b\","
           "\"text\":\"t\"}]"),
         TEXT("Succeeded", "1\nt", "", ""), NULL});
}

static void more_displays_than_are_attached_are_still_told(void)
{
    sk_buffer_t body = SK_BUFFER_INIT;
    sk_buffer_t text = SK_BUFFER_INIT;
    char error[512] = "";
    reply_t reply;

    sk_buffer_append_text(&body,
                          "{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"\",\"displays\":[");
    for (int i = 0; i <= ATTACHMENT_MAX; i++) {
        sk_buffer_append_text(&body, i == 0 ? PNG : "," PNG);
    }
    sk_buffer_append_text(&body, "]}}");
    CHECK(reply_read(&reply, body.data, body.size, error, sizeof(error)));
    CHECK_EQ(reply.attachments.count, ATTACHMENT_MAX);
    reply_write_text(&reply, &text);
    CHECK_STR_CONTAINS(sk_buffer_text(&text), "bytes]\n[a display that is not readable]\nStdout:");
    reply_fini(&reply);
    sk_buffer_fini(&body);
    sk_buffer_fini(&text);
}

static void odd_characters_are_made_harmless(void)
{
    CHECK_SAMPLES(
        {B("\"executionResult\":\"a\\u0000b\\\\u0000\""),
         TEXT("Succeeded",
              "a\xE2\x90\x80"
              "b\\u0000",
              "", ""),
         V("\"a\xE2\x90\x80"
           "b\\\\u0000\"")},
        {B("\"executionResult\":\"\\ud800\""), TEXT("Succeeded", "\xEF\xBF\xBD", "", ""),
         V("\"\xEF\xBF\xBD\"")},
        {B("\"executionResult\":\"\\ud83d\\ude00\""), TEXT("Succeeded", "\xF0\x9F\x98\x80", "", ""),
         NULL},
        {"{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"\xFF\",\"stderr\":\"\\u0000\"}}",
         TEXT("Succeeded", "", "\xEF\xBF\xBD", "\xE2\x90\x80"), NULL});
}

static void raw_nul_is_made_visible(void)
{
    static const char body[] = "{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"a\0b\"}}";
    reply_t reply;
    char error[512] = "";

    CHECK(reply_read(&reply, body, sizeof(body) - 1, error, sizeof(error)));
    CHECK_STR(sk_buffer_text(&reply.out), "a\xE2\x90\x80"
                                          "b");
    reply_fini(&reply);
}

/* "[[..]]" inside `before` and `after`. */
static char *nested(const char *before, size_t depth, const char *after)
{
    sk_buffer_t text = SK_BUFFER_INIT;

    sk_buffer_append_text(&text, before);
    for (size_t i = 0; i < depth; i++) {
        sk_buffer_append_char(&text, '[');
    }
    for (size_t i = 0; i < depth; i++) {
        sk_buffer_append_char(&text, ']');
    }
    sk_buffer_append_text(&text, after);
    return sk_buffer_take(&text, NULL);
}

static void value_that_is_too_deep_stays_text(void)
{
    static const struct {
        const char *before;
        const char *after;
    } samples[] = {
        {"{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"o\",\"executionResult\":", "}}"},
        {"{\"properties\": {\"status\":\"Success\" , \"stdout\":\"o\", \"result\":", "} }"},
        {"{\"status\":\"Success\",\"stdout\":\"o\",\"result\":", "}"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char *body = nested(samples[i].before, 10000, samples[i].after);
        char *wanted = nested("", 10000, "");
        sk_buffer_t text = SK_BUFFER_INIT;
        reply_t reply;
        char error[512] = "";

        CHECK(reply_read(&reply, body, strlen(body), error, sizeof(error)));
        CHECK_EQ(reply.result.type, SK_JSON_STRING);
        sk_json_string_append(&text, &reply.result);
        CHECK_STR(sk_buffer_text(&text), wanted);
        CHECK_STR(sk_buffer_text(&reply.out), "o");
        reply_fini(&reply);
        sk_buffer_fini(&text);
        free(body);
        free(wanted);
    }
}

static void answer_that_cannot_be_read_is_shown_in_part(void)
{
    static const struct {
        const char *body;
        const char *error;
    } samples[] = {
        {"", "not JSON"},
        {"<html>oops</html>", "near \"oops\""},
        {"{\"status\":\"Succeeded\",\"result\":{\"executionResult\":NaN}}", "NaN"},
        {"{\"status\":\"Succeeded\",\"result\":{\"executionResult\":-Infinity}}", "Infinity"},
        {"{\"status\":\"Succeeded\"} trailing", "trailing"},
        {"{\"status\":\"Succeeded\"", "not JSON"},
        {"[]", "no status"},
        {"{}", "no status"},
        {"{\"status\":null}", "no status"},
        {"{\"status\":{}}", "no status"},
        {"{\"properties\":{}}", "no status"},
        {"7", "no status"},
    };
    char *deep = nested("", 5000, "");
    reply_t reply;
    char error[512] = "";

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        CHECK(!reply_read(&reply, samples[i].body, strlen(samples[i].body), error, sizeof(error)));
        CHECK_STR_CONTAINS(error, samples[i].error);
        reply_fini(&reply);
    }
    CHECK(!reply_read(&reply, deep, strlen(deep), error, sizeof(error)));
    reply_fini(&reply);
    free(deep);
}

TESTS(TEST(both_families_come_out_alike), TEST(result_of_family_a_may_look_like_an_envelope),
      TEST(missing_and_null_parts_are_empty), TEST(result_keeps_its_type),
      TEST(big_integers_keep_all_digits), TEST(exception_is_a_result),
      TEST(kind_of_failure_is_told), TEST(fate_of_the_session_is_told),
      TEST(error_of_the_service_takes_the_place_of_a_missing_stderr),
      TEST(image_becomes_bytes_beside_the_text), TEST(images_among_others_keep_their_places),
      TEST(image_that_cannot_be_read_does_not_reach_the_text),
      TEST(displays_become_attachments_and_lines_of_the_text),
      TEST(displays_of_no_known_kind_do_no_harm),
      TEST(more_displays_than_are_attached_are_still_told), TEST(odd_characters_are_made_harmless),
      TEST(raw_nul_is_made_visible), TEST(value_that_is_too_deep_stays_text),
      TEST(answer_that_cannot_be_read_is_shown_in_part))
