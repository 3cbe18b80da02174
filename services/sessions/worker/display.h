/*
 * display.h - what an execution displays beside its result: images, and texts of other forms.
 *
 * Like all that a worker sends it is data from untrusted code: the media type is checked, text
 * is made valid, bytes travel as base64. What the bytes of an image are nobody looks at.
 */
#ifndef SESSIONS_DISPLAY_PRIVATE_H
#define SESSIONS_DISPLAY_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

typedef struct display {
    char media_type[72];
    sk_buffer_t data; /* owned */
} display_t;

/* Read the payload of a FRAME_DISPLAY. False for anything else. */
bool display_read(display_t *display, const char *payload, size_t size);
void display_fini(display_t *display);

bool display_is_image(const display_t *display);

/* {"type":"image","format":"png","base64_data":..} or {"type":"text","mediaType":..,"text":..} */
void display_write(const display_t *display, sk_buffer_t *body);

#endif /* SESSIONS_DISPLAY_PRIVATE_H */
