/*
 * macros.c - each declaration macro of plugin.h, used once.
 *
 * Compiled as C and as C++20 by the checks beside it; never run.
 */
#define KP_NEEDS_MINOR 0u
#include <kernel/plugin.h>
#include <kernel/service.h>

KP_FUNCTION(integer, add, "Adds two integers.", (integer, a, "First addend"),
            (integer, b, "Second addend", .dflt = "1", .schema = "{\"minimum\":0}"))
{
    return a + b;
}

KP_FUNCTION(number, half, "Halves a number.", (number, x, "The number"))
{
    return x / 2;
}

KP_FUNCTION(boolean, negation, "Turns a truth value round.", (boolean, x, "The truth value"))
{
    return !x;
}

KP_FUNCTION(string, echo, "Returns the text.",
            (string, text, "The text", .choices = KP_CHOICES("yes", "no"), .flags = KP_SECRET))
{
    return text;
}

KP_FUNCTION(object, first, "Returns the first of two JSON values.", (object, a, "An object"),
            (array, b, "An array", .flags = KP_OPTIONAL | KP_HIDDEN))
{
    return kp_given(call, 1) ? b : a;
}

KP_FUNCTION(array, none_at_all, "Returns an empty array.")
{
    return "[]";
}

KP_FUNCTION(bytes, same, "Returns the bytes.", (bytes, data, "The bytes"))
{
    return data;
}

KP_FUNCTION(none, nothing, "Returns nothing.")
{
}

KP_FUNCTION(status, refuse, "Refuses.", (integer, limit, "What is allowed"))
{
    return kp_fail(call, KP_E_LIMIT, "at most %d is allowed", (int)limit);
}

static void stopped(kp_call *call, void *arg)
{
    (void)arg;
    kp_complete(call, KP_E_CANCELLED);
}

KP_FUNCTION(async, wait, "Waits until it is cancelled.")
{
    int status = kp_on_cancel(call, stopped, NULL);

    return status == KP_OK ? KP_PENDING : status;
}

KP_FUNCTION_FLAGS(KP_F_READ_ONLY | KP_F_STREAMS, status, tell, "Streams a piece.",
                  (string, text, "The piece"))
{
    int status = kp_emit_text(call, text, kp_len(call, 0));

    return status == KP_OK ? kp_return_string(call, text) : status;
}

KP_FUNCTION_RETURNS(KP_F_READ_ONLY, async, list, (array, "The names.", NULL), "Lists names.",
                    (string, path, "Where"))
{
    return kp_return_text(call, KP_ARRAY, path == NULL ? NULL : "[]");
}

KP_FUNCTION(integer, sixteen, "Adds as many integers as a macro allows.", (integer, a, "1"),
            (integer, b, "2"), (integer, c, "3"), (integer, d, "4"), (integer, e, "5"),
            (integer, f, "6"), (integer, g, "7"), (integer, h, "8"), (integer, i, "9"),
            (integer, j, "10"), (integer, k, "11"), (integer, l, "12"), (integer, m, "13"),
            (integer, n, "14"), (integer, o, "15"), (integer, p, "16"))
{
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p;
}

static int create(kp_instance *instance)
{
    if (kp_extension(instance, KP_EXT_LOOP) == NULL) {
        kp_log(instance, KP_LOG_WARN, "%s has no loop", instance->name);
        return KP_E_UNSUPPORTED;
    }
    return KP_OK;
}

static void destroy(kp_instance *instance)
{
    instance->self = NULL;
}

KP_PLUGIN_EX(.name = "macros", .version = "1.0.0", .description = "Each macro once.",
             .functions = KP_FUNCTIONS(add, half, negation, echo, first, none_at_all, same, nothing,
                                       refuse, wait, tell, list, sixteen),
             KP_CONFIG((integer, limit, "What is allowed", .dflt = "1", .env = "MACROS_LIMIT"),
                       (string, key, "A secret", .flags = KP_SECRET | KP_OPTIONAL)),
             .create = create, .destroy = destroy);
