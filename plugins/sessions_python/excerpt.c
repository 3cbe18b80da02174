/*
 * excerpt.c - foreign text made short and harmless.
 */
#include "excerpt.h"

#include <stdbool.h>
#include <string.h>

#include <text.h>

static const char *skip_tag(const char *at, const char *end)
{
    const char *close = NULL;

    if (end - at < 2 || *at != '<' || !(at[1] == '/' || at[1] == '!' || (at[1] | 0x20) >= 'a')) {
        return at;
    }
    close = memchr(at, '>', (size_t)(end - at));
    return close == NULL ? at : close + 1;
}

void excerpt_write(char out[EXCERPT_SIZE], const char *text, size_t size)
{
    const char *end = text + size;
    size_t used = 0;
    bool blank = false;

    while (text < end) {
        const char *behind_tag = skip_tag(text, end);
        bool valid = true;
        size_t step = 0;

        if (behind_tag > text || *text == ' ' || (*text >= '\t' && *text <= '\r')) {
            blank = true;
            text = behind_tag > text ? behind_tag : text + 1;
            continue;
        }
        step = sk_utf8_step(text, (size_t)(end - text), &valid);
        valid = valid && (unsigned char)*text >= ' ' && *text != 0x7f;
        if (used + (blank ? 1 : 0) + (valid ? step : 1) > EXCERPT_SIZE - 4) {
            memcpy(out + used, "...", 4);
            return;
        }
        if (blank && used > 0) {
            out[used++] = ' ';
        }
        blank = false;
        if (valid) {
            memcpy(out + used, text, step);
            used += step;
        } else {
            out[used++] = '?';
        }
        text += step;
    }
    out[used] = '\0';
}
