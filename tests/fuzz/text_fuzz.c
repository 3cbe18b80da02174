/*
 * text_fuzz.c - base64 and UTF-8 go there and back, distances are symmetric.
 */
#include "text.h"

#include <string.h>

#include "alloc.h"
#include "support/fuzz.h"

static void check_base64(const char *text, size_t size)
{
    sk_buffer_t encoded = SK_BUFFER_INIT;
    sk_buffer_t decoded = SK_BUFFER_INIT;

    sk_base64_append(&encoded, text, size);
    FUZZ_CHECK(sk_base64_decode(sk_buffer_text(&encoded), encoded.size, &decoded));
    FUZZ_CHECK(decoded.size == size && (size == 0 || memcmp(decoded.data, text, size) == 0));

    /* And the text itself, if it is base64: no other text stands for the same bytes. */
    sk_buffer_clear(&encoded);
    sk_buffer_clear(&decoded);
    if (sk_base64_decode(text, size, &decoded)) {
        sk_base64_append(&encoded, sk_buffer_text(&decoded), decoded.size);
        FUZZ_CHECK(encoded.size >= size && encoded.size < size + 3);
        FUZZ_CHECK(size == 0 || memcmp(encoded.data, text, size) == 0);
        FUZZ_CHECK(strspn(sk_buffer_text(&encoded) + size, "=") == encoded.size - size);
    } else {
        FUZZ_CHECK(decoded.size == 0 && !decoded.failed);
    }
    sk_buffer_fini(&encoded);
    sk_buffer_fini(&decoded);
}

static void check_utf8(const char *text, size_t size)
{
    sk_buffer_t repaired = SK_BUFFER_INIT;
    size_t offset = 0;
    bool valid = sk_utf8_is_valid(text, size, &offset);

    FUZZ_CHECK(valid == (offset == size));
    FUZZ_CHECK(sk_utf8_is_valid(text, offset, NULL));
    sk_utf8_append_repaired(&repaired, text, size);
    FUZZ_CHECK(sk_utf8_is_valid(sk_buffer_text(&repaired), repaired.size, NULL));
    FUZZ_CHECK(repaired.size >= offset && repaired.size <= 3 * size);
    if (valid) {
        FUZZ_CHECK(repaired.size == size && (size == 0 || memcmp(repaired.data, text, size) == 0));
    }
    for (size_t limit = 0; limit <= repaired.size && limit < 64; limit++) {
        size_t cut = sk_utf8_cut(sk_buffer_text(&repaired), repaired.size, limit);

        FUZZ_CHECK(cut <= limit && limit - cut < 4);
        FUZZ_CHECK(sk_utf8_is_valid(repaired.data, cut, NULL));
    }
    for (size_t limit = 0; limit < size && limit < 64; limit++) {
        FUZZ_CHECK(sk_utf8_cut(text, size, limit) <= limit);
    }
    sk_buffer_fini(&repaired);
}

/* Three names, cut where the input has zero bytes. */
static void check_names(const char *text, size_t size)
{
    char *names = sk_memdup(text, size < 300 ? size : 300);
    const char *a = names;
    const char *b = NULL;
    const char *c = NULL;
    const char *end = names + (size < 300 ? size : 300);
    const char *all[3] = {NULL, NULL, NULL};
    unsigned there = 0;
    int closest = 0;

    FUZZ_CHECK(names != NULL);
    b = a + strlen(a) < end ? a + strlen(a) + 1 : end;
    c = b + strlen(b) < end ? b + strlen(b) + 1 : end;
    all[0] = b;
    all[2] = c;
    there = sk_text_distance(a, b, 1000);
    FUZZ_CHECK(there == sk_text_distance(b, a, 1000));
    FUZZ_CHECK((there == 0) == (strcmp(a, b) == 0));
    FUZZ_CHECK(sk_text_distance(a, b, 5) == (there < 5 ? there : 5));
    closest = sk_text_closest(a, all, 3);
    FUZZ_CHECK(closest == -1 || closest == 0 || closest == 2);
    sk_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    check_base64(text, size);
    check_utf8(text, size);
    if (size > 0) {
        check_names(text, size);
    }
    return 0;
}
