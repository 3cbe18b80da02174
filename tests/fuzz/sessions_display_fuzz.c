/*
 * sessions_display_fuzz.c - displays of a worker that lies: what stands in the answer is JSON.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <json.h>

#include "worker/display.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sk_json_limits_t limits = {SK_JSON_REPLY, 0, 2}; /* with U+0000 */
    sk_buffer_t out = SK_BUFFER_INIT;
    display_t display;
    sk_json_span_t root;
    sk_json_span_t type;

    if (display_read(&display, (const char *)data, size)) {
        display_write(&display, &out);
        if (sk_json_scan(out.data, out.size, &limits, &root, NULL) != SK_JSON_OK ||
            !sk_json_member(&root, "type", &type) ||
            !sk_json_string_equals(&type, display_is_image(&display) ? "image" : "text",
                                   display_is_image(&display) ? 5 : 4)) {
            abort();
        }
        display_fini(&display);
    }
    sk_buffer_fini(&out);
    return 0;
}
