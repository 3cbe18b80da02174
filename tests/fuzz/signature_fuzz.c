/*
 * signature_fuzz.c - any text as a parameter's schema, default and choice, and
 * as a value from the environment.
 *
 * What is accepted yields a schema that is JSON and a value of the declared
 * type.
 */
#include "signature.h"

#include <stdlib.h>
#include <string.h>

#include "coerce.h"
#include "json.h"
#include "support/fuzz.h"
#include "text.h"

static void require_error(const kernel_error_t *error, kernel_status_t status)
{
    FUZZ_CHECK(error->status == status && (error->text[0] == '\0') == (status == KERNEL_OK));
    FUZZ_CHECK(sk_utf8_is_valid(error->text, strlen(error->text), NULL));
}

/* Make a signature of one parameter; false if it is refused. */
static bool make(kernel__signature_t *signature, const kp_param *param)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_status_t status = kernel__signature_make(signature, KERNEL__SIGNATURE_CONFIG, param, 1,
                                                    sizeof(*param), "f", &error);

    require_error(&error, status);
    if (status != KERNEL_OK) {
        return false;
    }
    FUZZ_CHECK(sk_json_scan(signature->schema, strlen(signature->schema), NULL, NULL, NULL) ==
               SK_JSON_OK);
    return true;
}

static void read_from_environment(const kernel__signature_t *signature, const char *text)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__arena_t arena;
    kernel__coercion_t coercion = {
        .subject = "f", .what = "configuration key", .arena = &arena, .error = &error};
    kp_value value = {.type = KP_NULL};
    kernel_status_t status = KERNEL_OK;

    kernel__arena_init(&arena, NULL, 0);
    status = kernel__coerce_text(&coercion, &signature->parameters[0], text, strlen(text), &value);
    require_error(&error, status);
    FUZZ_CHECK(status != KERNEL_OK || value.type == signature->parameters[0].type);
    kernel__arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    const char *choices[] = {text, NULL};

    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (uint32_t type = KP_BOOLEAN; type <= KP_BYTES; type++) {
        const kp_param forms[] = {
            {.name = "x", .type = type, .schema = text},
            {.name = "x", .type = type, .dflt = text},
            {.name = "x", .type = type, .choices = choices},
            {.name = "x", .type = type, .description = text, .env = text},
            {.name = "x", .type = type},
        };

        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            kernel__signature_t signature;

            if (make(&signature, &forms[i])) {
                read_from_environment(&signature, text);
                kernel__signature_free(&signature);
            }
        }
    }
    free(text);
    return 0;
}
