/*
 * configured.c - shows how its configuration arrived; a secret only by its length.
 */
#include <kernel/plugin.h>

static int print_value(char *text, size_t room, const kp_param *parameter, const kp_value *value)
{
    if (value->type == KP_NULL) {
        return snprintf(text, room, "%s: none\n", parameter->name);
    }
    if ((parameter->flags & KP_SECRET) != 0 || value->type == KP_BYTES) {
        return snprintf(text, room, "%s: %zu bytes\n", parameter->name, value->as.text.len);
    }
    if (value->type == KP_NUMBER) {
        return snprintf(text, room, "%s: %.17g\n", parameter->name, value->as.number);
    }
    if (value->type >= KP_STRING) {
        return snprintf(text, room, "%s: %s\n", parameter->name, value->as.text.ptr);
    }
    return snprintf(text, room, "%s: %lld\n", parameter->name, (long long)value->as.integer);
}

KP_FUNCTION(string, show, "Return the configuration, one line for each value.")
{
    const kp_instance *instance = call->instance;
    size_t room = 4096;
    size_t length = 0;
    char *text = kp_alloc(call, room);

    if (text == NULL) {
        kp_fail(call, KP_E_NO_MEMORY, "cannot show the configuration");
        return NULL;
    }
    text[0] = '\0';
    for (uint32_t i = 0; i < instance->config_count && length < room; i++) {
        length += (size_t)print_value(text + length, room - length, &instance->plugin->config[i],
                                      &instance->config[i]);
    }
    return text;
}

KP_PLUGIN_EX(.name = "configured", .version = "1.0.0", .description = "Has a configuration.",
             .functions = KP_FUNCTIONS(show),
             KP_CONFIG((string, endpoint, "Required.", .env = "CONFIGURED_ENDPOINT"),
                       (string, name, "A string.", .dflt = "\"nobody\"",
                        .env = "CONFIGURED_NAME|CONFIGURED_OLD_NAME"),
                       (integer, count, "An integer.", .dflt = "3", .env = "CONFIGURED_COUNT",
                        .schema = "{\"minimum\":1,\"maximum\":10}"),
                       (number, ratio, "A number.", .dflt = "0.5", .env = "CONFIGURED_RATIO"),
                       (boolean, on, "A boolean.", .dflt = "false", .env = "CONFIGURED_ON"),
                       (object, record, "An object.", .dflt = "{}", .env = "CONFIGURED_RECORD"),
                       (array, list, "An array.", .dflt = "[]", .env = "CONFIGURED_LIST"),
                       (bytes, blob, "Bytes.", .env = "CONFIGURED_BLOB", .flags = KP_OPTIONAL),
                       (string, key, "A secret.", .env = "CONFIGURED_KEY",
                        .flags = KP_OPTIONAL | KP_SECRET),
                       (string, mode, "A choice.", .dflt = "\"slow\"", .env = "CONFIGURED_MODE",
                        .choices = KP_CHOICES("slow", "fast"))));
