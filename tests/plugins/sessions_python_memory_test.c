/* Memory that runs out, at any allocation, is reported: nothing crashes, nothing is kept. */
#include <alloc.h>

#include "code_cleanup.h"
#include "endpoint.h"
#include "remote_error.h"
#include "reply.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static void fail_everywhere(void (*body)(void))
{
    static const sk_allocator_t allocator = {fail_alloc_malloc, fail_alloc_realloc,
                                             fail_alloc_free};

    sk_set_allocator(&allocator);
    fail_alloc_each(body);
    sk_set_allocator(NULL);
}

static void read_reply(void)
{
    static const char body[] =
        "{\"id\":\"e\",\"status\":\"Failed\",\"error\":{\"code\":\"c\",\"message\":\"m\"},"
        "\"result\":"
        "{\"stdout\":\"a\\u0000b\",\"stderr\":\"e\",\"executionResult\":[{\"type\":\"image\","
        "\"format\":\"png\",\"base64_data\":\"aGVsbG8=\"},1],\"displays\":[{\"type\":\"image\","
        "\"format\":\"png\",\"base64_data\":\"aGVsbG8=\"},{\"type\":\"text\","
        "\"mediaType\":\"text/html\",\"text\":\"<b>\"}]}}";
    reply_t reply;
    char error[512] = "";
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t value = SK_BUFFER_INIT;

    if (reply_read(&reply, body, strlen(body), error, sizeof(error))) {
        reply_write_text(&reply, &text);
        reply_write_value(&reply, &value);
        CHECK(!fail_alloc_happened() || text.failed || value.failed);
    } else {
        CHECK_STR_CONTAINS(error, "memory ran out");
    }
    sk_buffer_fini(&text);
    sk_buffer_fini(&value);
    reply_fini(&reply);
}

static void read_refusal(void)
{
    static const char body[] =
        "{\"title\":\"t\",\"errors\":{\"$\":[\"first\"]},\"code\":\"\",\"detail\":\"d\"}";
    remote_error_t error;
    sk_buffer_t text = SK_BUFFER_INIT;

    remote_error_read(&error, 429, "Code", NULL, body, strlen(body));
    remote_error_write(&text, &error, "2024-10-02-preview");
    CHECK_EQ(error.status, -8); /* the HTTP status is known whatever happens */
    sk_buffer_fini(&text);
}

static void read_endpoint(void)
{
    endpoint_t endpoint;
    char error[256] = "";
    sk_buffer_t url = SK_BUFFER_INIT;

    if (endpoint_read(&endpoint, "https://h/a/?x=1", false, error, sizeof(error))) {
        endpoint_write_target(&url, &endpoint, "executions", "a&b&c&d", "2024-10-02-preview");
        CHECK(url.failed == fail_alloc_happened());
        endpoint_fini(&endpoint);
    } else {
        CHECK_STR(error, "memory ran out");
    }
    sk_buffer_fini(&url);
}

static void clean_code(void)
{
    static const char text[] = "```python\n    x = 1\r\n    y = 2\n```";
    sk_buffer_t code = SK_BUFFER_INIT;

    code_cleanup(&code, text, strlen(text));
    CHECK(code.failed == fail_alloc_happened());
    sk_buffer_fini(&code);
}

static void reply_survives_any_failing_allocation(void)
{
    fail_everywhere(read_reply);
}

static void refusal_survives_any_failing_allocation(void)
{
    fail_everywhere(read_refusal);
}

static void endpoint_survives_any_failing_allocation(void)
{
    fail_everywhere(read_endpoint);
}

static void cleanup_survives_any_failing_allocation(void)
{
    fail_everywhere(clean_code);
}

TESTS(TEST(reply_survives_any_failing_allocation), TEST(refusal_survives_any_failing_allocation),
      TEST(endpoint_survives_any_failing_allocation), TEST(cleanup_survives_any_failing_allocation))
