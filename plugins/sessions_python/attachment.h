/*
 * attachment.h - what an execution displayed: bytes beside the result, never base64 inside a text.
 *
 * A picture stands in the place of the result or among the displays, a text of another form
 * (HTML, Markdown, ..) among the displays. Pure functions.
 */
#ifndef SESSIONS_PYTHON_ATTACHMENT_PRIVATE_H
#define SESSIONS_PYTHON_ATTACHMENT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>
#include <json.h>

#define ATTACHMENT_MAX 32

typedef struct attachment {
    const char *at;      /* where its object begins in the body */
    sk_buffer_t data;    /* owned; empty: there is nothing in it, or it could not be read */
    char media_type[80]; /* "image/png" */
    char name[40];       /* "figure-1.png", "display-1.html" */
} attachment_t;

typedef struct attachments {
    attachment_t items[ATTACHMENT_MAX];
    size_t count;
    size_t figures; /* of them */
    size_t texts;
    bool lacks_memory;
} attachments_t;

void attachments_fini(attachments_t *attachments);

/* Take a value if it is an image. */
void attachments_take_image(attachments_t *attachments, const sk_json_span_t *value);
/* The same for an item of the displays, which may also be a text; one of text/plain is left. */
void attachments_take_display(attachments_t *attachments, const sk_json_span_t *value);

/* What was taken of this value; NULL if nothing was. */
const attachment_t *attachments_find(const attachments_t *attachments, const sk_json_span_t *value);

bool attachment_is_image(const attachment_t *attachment);

#endif /* SESSIONS_PYTHON_ATTACHMENT_PRIVATE_H */
