/*
 * sessions_value_fuzz.c - payloads of a worker that lies: what goes on is JSON.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <json.h>

#include "worker/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sk_json_limits_t limits = {SK_JSON_REPLY, 0, 65};
    sk_buffer_t out = SK_BUFFER_INIT;
    sk_json_span_t root;

    if (value_read_result((const char *)data, size, &out) &&
        sk_json_scan(out.data, out.size, &limits, &root, NULL) != SK_JSON_OK) {
        abort();
    }
    (void)value_read_error((const char *)data, size, &out);
    sk_buffer_fini(&out);
    return 0;
}
