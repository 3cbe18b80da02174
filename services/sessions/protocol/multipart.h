/*
 * multipart.h - multipart/form-data as it arrives, one file in it.
 *
 * Bytes go in as they come, in parts of any size; the content of the one part that
 * has a file name comes out, without being kept. Names are taken quoted, as a
 * token, and as filename*=utf-8''..., since clients send all three.
 */
#ifndef SESSIONS_MULTIPART_PRIVATE_H
#define SESSIONS_MULTIPART_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

#define MULTIPART_BOUNDARY_MAX 200
#define MULTIPART_HEADERS_MAX  (16 * 1024) /* of one part */

typedef enum multipart_state {
    MULTIPART_UNTOLD,  /* the first boundary: learnt from the body itself */
    MULTIPART_BEFORE,  /* the first boundary: skipped */
    MULTIPART_CLOSING, /* behind a boundary: its line's end, or two hyphens */
    MULTIPART_HEADERS,
    MULTIPART_FILE,
    MULTIPART_OTHER, /* the content of a part that is no file: skipped */
    MULTIPART_DONE,
    MULTIPART_WRONG
} multipart_state_t;

typedef struct multipart {
    multipart_state_t state;
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* CR LF -- boundary */
    size_t delimiter_size;
    size_t matched;       /* bytes of the delimiter that the last bytes were */
    sk_buffer_t headers;  /* of the part that begins */
    sk_buffer_t filename; /* decoded; of the file */
    bool has_file;
    const char *fault; /* what is wrong, static text */

    /* the file's content; `data` */
    void (*take)(const char *bytes, size_t size, void *data);
    void *data;
} multipart_t;

/* False if the content type is not multipart/form-data with a boundary. There is one client
 * (semantic-kernel for Python) that says application/json of a form, once it has executed
 * something; then the body's first line is taken for the boundary. */
bool multipart_init(multipart_t *multipart, const char *content_type,
                    void (*take)(const char *bytes, size_t size, void *data), void *data);
void multipart_fini(multipart_t *multipart);

/* False from the first wrong byte on; `fault` says why. */
bool multipart_read(multipart_t *multipart, const char *bytes, size_t size);
/* The body has ended: was it whole, with one file in it? */
bool multipart_end(multipart_t *multipart);

#endif /* SESSIONS_MULTIPART_PRIVATE_H */
