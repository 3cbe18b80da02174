/*
 * display.c - out of a frame, into an answer.
 */
#include "display.h"

#include <string.h>

#include <json.h>
#include <text.h>

/* Of these images alone; their names in an answer are those that clients of the service know. */
static const struct image {
    const char *media_type;
    const char *format;
} images[] = {{"image/png", "png"}, {"image/jpeg", "jpeg"}, {"image/svg+xml", "svg"}};

static const char *image_format(const char *media_type)
{
    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
        if (strcmp(images[i].media_type, media_type) == 0) {
            return images[i].format;
        }
    }
    return NULL;
}

/* type/name in small letters, digits and what stands between them. */
static bool is_media_type(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t length = strspn(text, letters);

    return length > 0 && text[length] == '/' && text[length + 1] != '\0' &&
           strspn(text + length + 1, "abcdefghijklmnopqrstuvwxyz0123456789.+-") ==
               strlen(text + length + 1);
}

bool display_read(display_t *display, const char *payload, size_t size)
{
    const size_t length = size == 0 ? 0 : (unsigned char)payload[0];

    memset(display, 0, sizeof(*display));
    if (length == 0 || length >= sizeof(display->media_type) || size - 1 < length) {
        return false;
    }
    memcpy(display->media_type, payload + 1, length);
    if (strlen(display->media_type) != length || !is_media_type(display->media_type) ||
        (strncmp(display->media_type, "image/", 6) == 0 &&
         image_format(display->media_type) == NULL)) {
        return false;
    }
    sk_buffer_append(&display->data, payload + 1 + length, size - 1 - length);
    if (display->data.failed) {
        display_fini(display);
        return false;
    }
    return true;
}

void display_fini(display_t *display)
{
    sk_buffer_fini(&display->data);
}

bool display_is_image(const display_t *display)
{
    return image_format(display->media_type) != NULL;
}

static void write_text(sk_buffer_t *body, const sk_buffer_t *data)
{
    sk_buffer_t text = SK_BUFFER_INIT;

    sk_utf8_append_repaired(&text, sk_buffer_text(data), data->size);
    sk_json_write_string(body, sk_buffer_text(&text), text.size);
    body->failed = body->failed || text.failed;
    sk_buffer_fini(&text);
}

void display_write(const display_t *display, sk_buffer_t *body)
{
    const char *format = image_format(display->media_type);

    if (format != NULL) {
        sk_buffer_appendf(body, "{\"type\":\"image\",\"format\":\"%s\",\"base64_data\":\"", format);
        sk_base64_append(body, sk_buffer_text(&display->data), display->data.size);
        sk_buffer_append_text(body, "\"}");
    } else {
        sk_buffer_appendf(body,
                          "{\"type\":\"text\",\"mediaType\":\"%s\",\"text\":", display->media_type);
        write_text(body, &display->data);
        sk_buffer_append_char(body, '}');
    }
}
