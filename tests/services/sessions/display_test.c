/*
 * display_test.c - what a display may be, and how it stands in an answer.
 */
#include <string.h>

#include "support/check.h"
#include "worker/display.h"

/* A payload of this media type with the right length in front. */
static sk_buffer_t make_payload(const char *media_type, const void *data, size_t size)
{
    sk_buffer_t payload = SK_BUFFER_INIT;

    sk_buffer_append_char(&payload, (char)strlen(media_type));
    sk_buffer_append_text(&payload, media_type);
    sk_buffer_append(&payload, data, size);
    return payload;
}

static void check_written(const char *media_type, const char *data, size_t size, const char *wanted)
{
    sk_buffer_t payload = make_payload(media_type, data, size);
    sk_buffer_t body = SK_BUFFER_INIT;
    display_t display;

    CHECK(display_read(&display, payload.data, payload.size));
    display_write(&display, &body);
    CHECK_STR(sk_buffer_text(&body), wanted);
    display_fini(&display);
    sk_buffer_fini(&payload);
    sk_buffer_fini(&body);
}

static void image_is_written_as_base64_under_its_format(void)
{
    check_written("image/png", "\x89P\0", 3,
                  "{\"type\":\"image\",\"format\":\"png\",\"base64_data\":\"iVAA\"}");
    check_written("image/jpeg", "", 0,
                  "{\"type\":\"image\",\"format\":\"jpeg\",\"base64_data\":\"\"}");
    check_written("image/svg+xml", "<svg>", 5,
                  "{\"type\":\"image\",\"format\":\"svg\",\"base64_data\":\"PHN2Zz4=\"}");
}

static void text_is_written_as_valid_json_of_valid_utf8(void)
{
    check_written("text/html", "<b>\"\xFF\n", 6,
                  "{\"type\":\"text\",\"mediaType\":\"text/html\",\"text\":"
                  "\"<b>\\\"\xEF\xBF\xBD\\n\"}");
    check_written(
        "application/vnd.x.v1+json", "{}", 2,
        "{\"type\":\"text\",\"mediaType\":\"application/vnd.x.v1+json\",\"text\":\"{}\"}");
}

static void images_are_told_from_texts(void)
{
    display_t display = {.media_type = "image/png"};

    CHECK(display_is_image(&display));
    display = (display_t){.media_type = "text/html"};
    CHECK(!display_is_image(&display));
}

static void other_payloads_are_refused(void)
{
    static const char long_type[] =
        "text/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaa";
    const char *const types[] = {
        "",          "png",         "image/",   "/png",          "image/png\"", "image/PNG",
        "image/gif", "image/png;x", "text/a b", "text/\xC3\xA4", long_type};
    display_t display;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        sk_buffer_t payload = make_payload(types[i], "x", 1);
        if (display_read(&display, payload.data, payload.size)) {
            check_fail(__FILE__, __LINE__, "taken: %s", types[i]);
        }
        sk_buffer_fini(&payload);
    }
    CHECK(!display_read(&display, "", 0));
    CHECK(!display_read(&display, "\x09image/pn", 9));
    CHECK(!display_read(&display, "\xFFimage/png", 10));
    CHECK(!display_read(&display, "\x09image\0png", 10));
}

TESTS(TEST(image_is_written_as_base64_under_its_format),
      TEST(text_is_written_as_valid_json_of_valid_utf8), TEST(images_are_told_from_texts),
      TEST(other_payloads_are_refused))
