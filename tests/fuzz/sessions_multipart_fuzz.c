/*
 * sessions_multipart_fuzz.c - a body read at once and byte by byte is the same file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <buffer.h>

#include "protocol/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(const char *bytes, size_t size, void *data)
{
    sk_buffer_append(data, bytes, size);
}

static bool read_in_steps(const char *type, const char *body, size_t size, size_t step,
                          multipart_t *multipart, sk_buffer_t *file)
{
    bool right = multipart_init(multipart, type, keep, file);

    for (size_t at = 0; right && at < size; at += step) {
        right = multipart_read(multipart, body + at, size - at < step ? size - at : step);
    }
    return right && multipart_end(multipart);
}

static void compare(const char *type, const char *body, size_t size)
{
    multipart_t once;
    multipart_t slowly;
    sk_buffer_t files[2] = {SK_BUFFER_INIT, SK_BUFFER_INIT};
    const bool right = read_in_steps(type, body, size, size + 1, &once, &files[0]);

    if (right != read_in_steps(type, body, size, 1, &slowly, &files[1]) ||
        files[0].size != files[1].size ||
        strcmp(sk_buffer_text(&once.filename), sk_buffer_text(&slowly.filename)) != 0 ||
        (files[0].size > 0 && memcmp(files[0].data, files[1].data, files[0].size) != 0)) {
        abort();
    }
    multipart_fini(&once);
    multipart_fini(&slowly);
    sk_buffer_fini(&files[0]);
    sk_buffer_fini(&files[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compare("multipart/form-data; boundary=b", (const char *)data, size);
    compare("application/json", (const char *)data, size);
    return 0;
}
