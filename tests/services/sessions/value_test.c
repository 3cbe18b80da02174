/*
 * value_test.c - frames of a worker read and written anew.
 */
#include <string.h>

#include "support/check.h"
#include "worker/value.h"

typedef struct row {
    const char *frame;
    const char *wanted; /* NULL: refused */
} row_t;

static void results_are_written_anew(void)
{
    static const row_t rows[] = {
        {"{\"value\":1}", "1"},
        {"{\"value\": [ 1 , { \"a\" : null } , true ] }", "[1,{\"a\":null},true]"},
        {"{\"value\":[]}", "[]"},
        {"{\"value\":{}}", "{}"},
        {"{\"value\":-12345678901234567890123456789}", "-12345678901234567890123456789"},
        {"{\"value\":1.5e+300}", "1.5e+300"},
        {"{\"value\":0.10}", "0.10"},
        {"{\"value\":\"a\\u0000b\"}", "\"a\\u0000b\""},
        {"{\"value\":\"\\ud800\"}", "\"\xEF\xBF\xBD\""},
        {"{\"value\":\"\\ud83d\\ude00\"}", "\"\xF0\x9F\x98\x80\""},
        {"{\"value\":\"\xFF\"}", "\"?\""},
        {"{\"value\":{\"a\":1,\"b\":2,\"a\":3}}", "{\"b\":2,\"a\":3}"},
        {"{\"value\":{\"\\ud800\":1,\"\\ud801\":2}}", "{\"\xEF\xBF\xBD\":2}"},
        {"{\"value\":{\"b\":1,\"a\":2}}", "{\"b\":1,\"a\":2}"},
        {"{\"value\":1,\"value\":2}", "2"},
        {"", NULL},
        {"{}", NULL},
        {"[1]", NULL},
        {"{\"value\":}", NULL},
        {"{\"value\":1}x", NULL},
        {"{\"value\":NaN}", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sk_buffer_t json = SK_BUFFER_INIT;
        bool read = value_read_result(rows[i].frame, strlen(rows[i].frame), &json);
        check_equal(__FILE__, __LINE__, rows[i].frame, read, rows[i].wanted != NULL);
        if (read) {
            check_text(__FILE__, __LINE__, rows[i].frame, sk_buffer_text(&json), rows[i].wanted);
        }
        sk_buffer_fini(&json);
    }
}

static void value_that_is_nested_too_deep_is_refused(void)
{
    sk_buffer_t frame = SK_BUFFER_INIT;
    sk_buffer_t json = SK_BUFFER_INIT;

    sk_buffer_append_text(&frame, "{\"value\":");
    for (int i = 0; i < 100; i++) {
        sk_buffer_append_char(&frame, '[');
    }
    for (int i = 0; i < 100; i++) {
        sk_buffer_append_char(&frame, ']');
    }
    sk_buffer_append_char(&frame, '}');
    CHECK(!value_read_result(frame.data, frame.size, &json));
    sk_buffer_fini(&frame);
    sk_buffer_fini(&json);
}

static void errors_give_their_traceback(void)
{
    static const row_t rows[] = {
        {"{\"name\":\"E\",\"value\":\"v\",\"traceback\":\"line\\n\"}", "line\n"},
        {"{\"traceback\":\"\"}", ""},
        {"{\"name\":\"E\"}", NULL},
        {"{\"traceback\":5}", NULL},
        {"no json", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sk_buffer_t text = SK_BUFFER_INIT;
        bool read = value_read_error(rows[i].frame, strlen(rows[i].frame), &text);
        check_equal(__FILE__, __LINE__, rows[i].frame, read, rows[i].wanted != NULL);
        if (read) {
            check_text(__FILE__, __LINE__, rows[i].frame, sk_buffer_text(&text), rows[i].wanted);
        }
        sk_buffer_fini(&text);
    }
}

TESTS(TEST(results_are_written_anew), TEST(value_that_is_nested_too_deep_is_refused),
      TEST(errors_give_their_traceback))
