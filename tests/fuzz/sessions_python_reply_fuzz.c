/* Whatever a pool answers: what comes of it is JSON and UTF-8 without NUL. */
#include "reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <text.h>

#include "remote_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void check_reply(const char *body, size_t size)
{
    static const sk_json_limits_t limits = {.profile = SK_JSON_REPLY, .max_depth = 1000};
    char error[512] = "";
    reply_t reply;
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_buffer_t value = SK_BUFFER_INIT;

    if (reply_read(&reply, body, size, error, sizeof(error))) {
        reply_write_text(&reply, &text);
        reply_write_value(&reply, &value);
        require(sk_utf8_is_valid(sk_buffer_text(&text), text.size, NULL));
        require(strlen(sk_buffer_text(&text)) == text.size);
        require(strlen(sk_buffer_text(&value)) == value.size);
        require(sk_json_scan(sk_buffer_text(&value), value.size, &limits, NULL, NULL) ==
                SK_JSON_OK);
    } else {
        require(error[0] != '\0');
        require(sk_utf8_is_valid(error, strlen(error), NULL));
    }
    sk_buffer_fini(&text);
    sk_buffer_fini(&value);
    reply_fini(&reply);
}

static void check_error(const char *body, size_t size)
{
    remote_error_t error;
    sk_buffer_t text = SK_BUFFER_INIT;

    remote_error_read(&error, size % 2 == 0 ? 401 : 500, NULL, NULL, body, size);
    remote_error_write(&text, &error, "2024-10-02-preview");
    require(sk_utf8_is_valid(sk_buffer_text(&text), text.size, NULL));
    sk_buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_reply((const char *)data, size);
    check_error((const char *)data, size);
    return 0;
}
