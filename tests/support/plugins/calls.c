/*
 * calls.c - values in, values out, failures: one type, plain functions, no state.
 */
#include <kernel/plugin.h>

#include <stdatomic.h>
#include <stdlib.h>

static atomic_int taken_count; /* of the process, for all instances */

KP_FUNCTION(string, echo, "Return the text.", (string, text, "Any text."))
{
    return text;
}

KP_FUNCTION(integer, add, "Add two integers.", (integer, a, "First addend."),
            (integer, b, "Second addend.", .dflt = "1"))
{
    return a + b;
}

/* One line for each argument: its type's number, and its value or its length. */
KP_FUNCTION(string, kinds, "Tell what has arrived.",
            (boolean, flag, "A boolean.", .flags = KP_OPTIONAL),
            (integer, whole, "An integer.",
             .schema = "{\"minimum\":-5,\"maximum\":9007199254740993}", .flags = KP_OPTIONAL),
            (number, real, "A number.", .flags = KP_OPTIONAL),
            (string, text, "A string.", .flags = KP_OPTIONAL),
            (object, record, "An object.", .flags = KP_OPTIONAL),
            (array, list, "An array.", .flags = KP_OPTIONAL),
            (bytes, blob, "Bytes.", .flags = KP_OPTIONAL),
            (string, color, "One of three.", .dflt = "\"red\"",
             .choices = KP_CHOICES("red", "green", "blue")))
{
    char *text_out = kp_alloc(call, 1024);
    size_t length = 0;

    if (text_out == NULL) {
        kp_fail(call, KP_E_NO_MEMORY, "cannot describe the arguments");
        return NULL;
    }
    for (uint32_t i = 0; i < call->argc && length < 1024; i++) {
        const kp_value *value = &call->argv[i];
        size_t room = 1024 - length;
        int written = 0;

        switch (value->type) {
        case KP_NULL:
            written = snprintf(text_out + length, room, "-\n");
            break;
        case KP_BOOLEAN:
        case KP_INTEGER:
            written = snprintf(text_out + length, room, "%u %lld\n", value->type,
                               (long long)value->as.integer);
            break;
        case KP_NUMBER:
            written =
                snprintf(text_out + length, room, "%u %.17g\n", value->type, value->as.number);
            break;
        default:
            written =
                snprintf(text_out + length, room, "%u %zu\n", value->type, value->as.text.len);
            break;
        }
        length += (size_t)written;
    }
    return text_out;
}

KP_FUNCTION(status, fail, "Fail.", (integer, code, "A KP_E_ number."),
            (string, text, "The error's text."))
{
    return kp_fail(call, (int)code, "%s", text);
}

KP_FUNCTION(status, fail_with_detail, "Fail, with JSON for logs.",
            (integer, code, "A KP_E_ number."), (string, text, "The error's text."),
            (object, detail, "For logs."))
{
    call->host->fail(call, (int)code, text, strlen(text), detail);
    return (int)code;
}

KP_FUNCTION(status, fail_silently, "Fail without a text.", (integer, code, "A KP_E_ number."))
{
    return (int)code;
}

KP_FUNCTION(none, nothing, "Return nothing.")
{
}

KP_FUNCTION(status, big, "Return a long text.", (integer, size, "Its length in bytes."))
{
    char *text = malloc((size_t)size + 1);
    int status = KP_OK;

    if (text == NULL) {
        return kp_fail(call, KP_E_NO_MEMORY, "cannot make %lld bytes", (long long)size);
    }
    memset(text, 'x', (size_t)size);
    text[size] = '\0';
    status = kp_return_copy(call, KP_STRING, text, (size_t)size);
    free(text);
    return status;
}

static void take_back(void *memory)
{
    atomic_fetch_add(&taken_count, 1);
    free(memory);
}

KP_FUNCTION(status, take, "Return text that this plugin frees.", (string, text, "The text."))
{
    char *copy = malloc(strlen(text) + 1);

    if (copy == NULL) {
        return kp_fail(call, KP_E_NO_MEMORY, "cannot copy the text");
    }
    memcpy(copy, text, strlen(text) + 1);
    return kp_return_take(call, KP_STRING, copy, strlen(copy), take_back);
}

KP_FUNCTION(integer, taken, "Tell how many texts of `take` were freed in this process.")
{
    return atomic_load(&taken_count);
}

/* Declared an integer, but a string. */
static int wrong_type_invoke(kp_call *call)
{
    return kp_return_string(call, "no integer");
}

static const kp_function kpf_wrong_type = {
    .size = sizeof(kp_function),
    .name = "wrong_type",
    .description = "Return another type than declared.",
    .param_stride = sizeof(kp_param),
    .returns = KP_INTEGER,
    .invoke = wrong_type_invoke,
};

KP_FUNCTION(status, attach, "Return 42, a text beside it, and attachments.",
            (integer, count, "How many."), (integer, size, "Bytes of each."))
{
    static const char text[] = "forty-two";
    char *data = calloc(1, (size_t)size + 1);
    int status = data != NULL ? KP_OK : KP_E_NO_MEMORY;

    for (int64_t i = 0; i < count && status == KP_OK; i++) {
        char name[32];

        snprintf(name, sizeof(name), "part-%lld.bin", (long long)i);
        memset(data, (int)('a' + i % 26), (size_t)size);
        status = kp_attach(call, name, i == 0 ? "image/png" : NULL, data, (size_t)size);
    }
    free(data);
    if (status != KP_OK) {
        return status;
    }
    kp_set_text(call, text, strlen(text));
    return kp_return_integer(call, 42);
}

KP_FUNCTION_RETURNS(0u, status, about, (object, "What the call says about itself.", NULL),
                    "Tell flags, time left, instance and function.")
{
    char text[256];

    snprintf(text, sizeof(text),
             "{\"flags\":%u,\"time_left\":%lld,\"instance\":\"%s\",\"function\":\"%s\"}",
             call->flags, (long long)call->host->time_left(call), call->instance->name,
             call->function->name);
    return kp_return_text(call, KP_OBJECT, text);
}

KP_FUNCTION(none, say, "Write a line to the log.", (integer, level, "A KP_LOG_ number."),
            (string, text, "The line."))
{
    kp_log(call->instance, (int)level, "%s", text);
}

KP_FUNCTION(string, who, "Return the ambient user.",
            (string, user, "Filled by the host.", .flags = KP_HIDDEN),
            (string, greeting, "What to say."))
{
    char *text = kp_alloc(call, strlen(user) + strlen(greeting) + 2);

    if (text != NULL) {
        snprintf(text, strlen(user) + strlen(greeting) + 2, "%s %s", greeting, user);
    }
    return text;
}

KP_FUNCTION(integer, keep_secret, "Return the length of a secret.",
            (string, token, "Not for logs.", .flags = KP_SECRET))
{
    return (int64_t)strlen(token);
}

static const kp_function *const functions[] = {
    &kpf_echo,          &kpf_add,     &kpf_kinds, &kpf_fail,  &kpf_fail_with_detail,
    &kpf_fail_silently, &kpf_big,     &kpf_take,  &kpf_taken, &kpf_attach,
    &kpf_wrong_type,    &kpf_nothing, &kpf_say,   &kpf_about, &kpf_keep_secret,
    &kpf_who,           NULL,
};

KP_PLUGIN_EX(.name = "calls", .version = "1.2.3", .description = "Values and failures.",
             .functions = functions);
