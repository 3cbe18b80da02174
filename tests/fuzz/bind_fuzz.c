/*
 * bind_fuzz.c - any bytes as the JSON arguments of a function.
 *
 * What is bound is what was declared, and the same as what kernel_args_t would
 * have brought.
 */
#include "bind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "support/fuzz.h"
#include "text.h"

enum { PARAMETER_COUNT = 8 };

static const char *const choices[] = {"low", "high", NULL};
static const kp_param params[PARAMETER_COUNT] = {
    {.name = "b", .type = KP_BOOLEAN, .flags = KP_OPTIONAL},
    {.name = "i", .type = KP_INTEGER, .flags = KP_OPTIONAL, .schema = "{\"minimum\":-9}"},
    {.name = "n", .type = KP_NUMBER, .dflt = "0.5"},
    {.name = "s", .type = KP_STRING, .flags = KP_OPTIONAL, .schema = "{\"maxLength\":9}"},
    {.name = "o", .type = KP_OBJECT, .flags = KP_OPTIONAL},
    {.name = "a", .type = KP_ARRAY, .flags = KP_OPTIONAL, .schema = "{\"maxItems\":3}"},
    {.name = "raw_bytes_of_a_long_name", .type = KP_BYTES, .flags = KP_OPTIONAL | KP_SECRET},
    {.name = "level", .type = KP_STRING, .dflt = "\"low\"", .choices = choices},
};

static void require_sound(const kp_value *value, uint32_t type)
{
    const char *text = value->as.text.ptr;
    size_t size = value->as.text.len;
    sk_json_span_t root;

    if (value->type == KP_NULL) {
        return;
    }
    FUZZ_CHECK(value->type == type);
    switch (type) {
    case KP_NUMBER:
        FUZZ_CHECK(isfinite(value->as.number));
        break;
    case KP_STRING:
        FUZZ_CHECK(strlen(text) == size && sk_utf8_is_valid(text, size, NULL));
        break;
    case KP_OBJECT:
    case KP_ARRAY:
        FUZZ_CHECK(strlen(text) == size);
        FUZZ_CHECK(sk_json_scan(text, size, NULL, &root, NULL) == SK_JSON_OK);
        FUZZ_CHECK(root.type == (type == KP_OBJECT ? SK_JSON_OBJECT : SK_JSON_ARRAY));
        break;
    case KP_BYTES:
        FUZZ_CHECK(text[size] == '\0');
        break;
    default:
        break;
    }
}

/* A number that becomes a string keeps its spelling only on the direct way. */
static void require_equal(const kp_value *a, const kp_value *b, uint32_t type)
{
    FUZZ_CHECK(a->type == b->type);
    if (a->type == KP_NULL || type == KP_STRING) {
        return;
    }
    if (a->type >= KP_STRING) {
        FUZZ_CHECK(a->as.text.len == b->as.text.len);
        FUZZ_CHECK(memcmp(a->as.text.ptr, b->as.text.ptr, a->as.text.len) == 0);
    } else {
        FUZZ_CHECK(a->as.integer == b->as.integer || a->as.number == b->as.number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kernel__limits_t limits = {.argument_size = 4096, .json_size = 65536, .json_depth = 64};
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__signature_t signature;
    kernel__arena_t arena;
    kp_value direct[PARAMETER_COUNT];
    kp_value by_way[PARAMETER_COUNT];
    kernel__binding_t binding = {.signature = &signature,
                                 .subject = "f",
                                 .limits = &limits,
                                 .arena = &arena,
                                 .argv = direct,
                                 .error = &error};
    kernel_args_t *args = kernel_args_new();
    kernel_status_t status = KERNEL_OK;

    FUZZ_CHECK(kernel__signature_make(&signature, KERNEL__SIGNATURE_FUNCTION, params,
                                      PARAMETER_COUNT, sizeof(params[0]), "f", NULL) == KERNEL_OK);
    kernel__arena_init(&arena, NULL, 0);
    status = kernel__bind_json(&binding, (const char *)data, size);
    FUZZ_CHECK(error.status == status && (error.text[0] == '\0') == (status == KERNEL_OK));
    FUZZ_CHECK(sk_utf8_is_valid(error.text, strlen(error.text), NULL));
    for (size_t i = 0; status == KERNEL_OK && i < PARAMETER_COUNT; i++) {
        require_sound(&direct[i], params[i].type);
    }
    if (kernel_args_read_json(args, (const char *)data, size, NULL) == KERNEL_OK) {
        binding.argv = by_way;
        binding.error = NULL;
        if (kernel__bind_args(&binding, args) == KERNEL_OK && size <= limits.json_size) {
            FUZZ_CHECK(status == KERNEL_OK);
            for (size_t i = 0; i < PARAMETER_COUNT; i++) {
                require_sound(&by_way[i], params[i].type);
                require_equal(&direct[i], &by_way[i], params[i].type);
            }
        }
    }
    kernel_args_free(args);
    kernel__arena_reset(&arena);
    kernel__signature_free(&signature);
    return 0;
}
