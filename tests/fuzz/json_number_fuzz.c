/*
 * json_number_fuzz.c - numbers read like the C library, and written so that
 * they read back.
 */
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "json.h"
#include "support/fuzz.h"

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void check_read(const char *text, size_t size)
{
    sk_json_span_t number;
    char *copy = NULL;
    char *end = NULL;
    int64_t integer = 0;
    double value = 0;

    if (!sk_json_number_text(text, size, &number)) {
        return;
    }
    copy = sk_memdup(text, size);
    FUZZ_CHECK(copy != NULL);
    FUZZ_CHECK(sk_json_double(&number, &value));
    FUZZ_CHECK(same_bits(value, strtod(copy, &end)) && end == copy + size);
    if (sk_json_integer(&number, &integer) == SK_JSON_INTEGER) {
        FUZZ_CHECK((double)integer == value);
        if (strcspn(copy, ".eE") == size) {
            FUZZ_CHECK(strtoll(copy, NULL, 10) == integer);
        }
    }
    sk_free(copy);
}

static void check_written(double value)
{
    sk_buffer_t out = SK_BUFFER_INIT;
    sk_json_span_t number;
    double back = 0;

    sk_json_write_double(&out, value);
    if (isfinite(value)) {
        FUZZ_CHECK(sk_json_number_text(out.data, out.size, &number));
        FUZZ_CHECK(sk_json_double(&number, &back) && same_bits(value, back));
        FUZZ_CHECK(strpbrk(out.data, ".e") != NULL && out.size <= 26);
    } else {
        FUZZ_CHECK(strcmp(out.data, "null") == 0);
    }
    sk_buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double value = 0;

    check_read((const char *)data, size);
    memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
    check_written(value);
    return 0;
}
