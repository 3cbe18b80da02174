/* Whatever is pasted: the clean-up ends, invents nothing, and leaves plain code alone. */
#include "code_cleanup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <text.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* Every byte of `part` is found in `whole`, in that order. */
static int is_subsequence(const char *part, size_t part_size, const char *whole, size_t whole_size)
{
    size_t at = 0;

    for (size_t i = 0; i < whole_size && at < part_size; i++) {
        at += part[at] == whole[i] ? 1 : 0;
    }
    return at == part_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    sk_buffer_t code = SK_BUFFER_INIT;
    sk_buffer_t plain = SK_BUFFER_INIT;
    sk_buffer_t again = SK_BUFFER_INIT;

    code_cleanup(&code, text, size);
    require(is_subsequence(sk_buffer_text(&code), code.size, text, size));
    require(code.size == 0 || (strchr(" \t\n\r", code.data[0]) == NULL || code.data[0] == '\0'));
    require(code.size == 0 || strchr(" \t\n\r", code.data[code.size - 1]) == NULL ||
            code.data[code.size - 1] == '\0');
    require(!sk_utf8_is_valid(text, size, NULL) ||
            sk_utf8_is_valid(sk_buffer_text(&code), code.size, NULL));

    /* Behind an unindented line that is no wrapping, only the end of a text can be wrapping. */
    sk_buffer_append_text(&plain, "x = 1\n");
    sk_buffer_append(&plain, sk_buffer_text(&code), code.size);
    sk_buffer_append_text(&plain, "\ny = 2");
    if (code.size == 0 || memchr(code.data, '\r', code.size) == NULL) {
        code_cleanup(&again, sk_buffer_text(&plain), plain.size);
        require(again.size == plain.size &&
                memcmp(sk_buffer_text(&again), sk_buffer_text(&plain), plain.size) == 0);
    }
    sk_buffer_fini(&code);
    sk_buffer_fini(&plain);
    sk_buffer_fini(&again);
    return 0;
}
