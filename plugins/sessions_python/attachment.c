/*
 * attachment.c - objects of images and texts, decoded.
 */
#include "attachment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <text.h>

#define WORD_SIZE 24

void attachments_fini(attachments_t *attachments)
{
    for (size_t i = 0; i < attachments->count; i++) {
        sk_buffer_fini(&attachments->items[i].data);
    }
    memset(attachments, 0, sizeof(*attachments));
}

/* A member of type text. */
static bool find_text(const sk_json_span_t *object, const char *name, sk_json_span_t *text)
{
    return sk_json_member(object, name, text) && text->type == SK_JSON_STRING;
}

static bool is_of_type(const sk_json_span_t *value, const char *name)
{
    sk_json_span_t type;

    return value->type == SK_JSON_OBJECT && find_text(value, "type", &type) &&
           sk_json_string_equals(&type, name, strlen(name));
}

/* Read a text of these characters, letters and digits in small letters; false if it is none. */
static bool read_word(const sk_json_span_t *text, const char *others, char *word, size_t word_size)
{
    if (text->size - 2 >= word_size) {
        return false;
    }
    size_t size = sk_json_string_decode(text, word);
    word[size] = '\0';
    for (size_t i = 0; i < size; i++) {
        word[i] = (char)tolower((unsigned char)word[i]);
        if (word[i] == '\0' ||
            (!isalnum((unsigned char)word[i]) && strchr(others, word[i]) == NULL)) {
            return false;
        }
    }
    return size > 0;
}

/* Many encoders break base64 into lines. Nothing is appended if it is none; false: no memory. */
static bool decode_base64(sk_buffer_t *out, const sk_json_span_t *text)
{
    sk_buffer_t base64 = SK_BUFFER_INIT;
    size_t kept = 0;
    bool has_memory = false;

    sk_json_string_append(&base64, text);
    for (size_t i = 0; i < base64.size; i++) {
        if (!isspace((unsigned char)base64.data[i])) {
            base64.data[kept++] = base64.data[i];
        }
    }
    if (!base64.failed && kept > 0) {
        (void)sk_base64_decode(base64.data, kept, out);
    }
    has_memory = !base64.failed && !out->failed;
    sk_buffer_fini(&base64);
    return has_memory;
}

/* ---- images ---- */

/* "png" to "image/png" and "figure-1.png". */
static void name_image(attachment_t *image, char *word, size_t number)
{
    if (strcmp(word, "jpg") == 0) {
        memcpy(word, "jpeg", 5);
    }
    (void)snprintf(image->media_type, sizeof(image->media_type), "image/%s%s", word,
                   strcmp(word, "svg") == 0 ? "+xml" : "");
    word[strcspn(word, "+")] = '\0';
    (void)snprintf(image->name, sizeof(image->name), "figure-%zu.%s", number, word);
}

void attachments_take_image(attachments_t *attachments, const sk_json_span_t *value)
{
    attachment_t *image = &attachments->items[attachments->count];
    sk_json_span_t format;
    sk_json_span_t data;
    char word[WORD_SIZE];

    if (attachments->count < ATTACHMENT_MAX && is_of_type(value, "image") &&
        find_text(value, "format", &format) && find_text(value, "base64_data", &data) &&
        read_word(&format, "+-.", word, sizeof(word))) {
        name_image(image, word, ++attachments->figures);
        image->at = value->text;
        attachments->lacks_memory =
            !decode_base64(&image->data, &data) || attachments->lacks_memory;
        attachments->count++;
    }
}

bool attachment_is_image(const attachment_t *attachment)
{
    return strncmp(attachment->media_type, "image/", 6) == 0;
}

/* ---- texts ---- */

static const char *extension_of(const char *media_type)
{
    static const struct extension {
        const char *media_type;
        const char *extension;
    } extensions[] = {{"text/html", "html"},
                      {"text/latex", "tex"},
                      {"text/markdown", "md"},
                      {"application/json", "json"}};

    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        if (strcmp(extensions[i].media_type, media_type) == 0) {
            return extensions[i].extension;
        }
    }
    return "txt";
}

void attachments_take_display(attachments_t *attachments, const sk_json_span_t *value)
{
    attachment_t *text = &attachments->items[attachments->count];
    sk_json_span_t media_type;
    sk_json_span_t data;

    attachments_take_image(attachments, value);
    if (attachments->count < ATTACHMENT_MAX && is_of_type(value, "text") &&
        find_text(value, "mediaType", &media_type) && find_text(value, "text", &data) &&
        read_word(&media_type, "/+-.", text->media_type, sizeof(text->media_type)) &&
        strcmp(text->media_type, "text/plain") != 0) {
        (void)snprintf(text->name, sizeof(text->name), "display-%zu.%s", ++attachments->texts,
                       extension_of(text->media_type));
        text->at = value->text;
        sk_json_string_append(&text->data, &data);
        attachments->lacks_memory = text->data.failed || attachments->lacks_memory;
        attachments->count++;
    }
}

const attachment_t *attachments_find(const attachments_t *attachments, const sk_json_span_t *value)
{
    for (size_t i = 0; i < attachments->count; i++) {
        if (attachments->items[i].at == value->text && value->type == SK_JSON_OBJECT) {
            return &attachments->items[i];
        }
    }
    return NULL;
}
