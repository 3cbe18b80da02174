/*
 * coerce.c - one value of one parameter: converted without loss, checked, or
 * refused with a text from which it can be repaired.
 *
 * Conversion first, then the checks; every refusal goes through one of the
 * functions of the first part, which alone decide what may be quoted.
 */
#include "coerce.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "error.h"
#include "text.h"

#define DEFAULT_ARGUMENT_SIZE ((size_t)64 << 20)
#define EXACT_DOUBLE          9007199254740992.0 /* 2^53 */

static const char *const wanted_names[] = {
    [KP_NULL] = "null",          [KP_BOOLEAN] = "a boolean",     [KP_INTEGER] = "an integer",
    [KP_NUMBER] = "a number",    [KP_STRING] = "a string",       [KP_OBJECT] = "a JSON object",
    [KP_ARRAY] = "a JSON array", [KP_BYTES] = "bytes in base64",
};

static const char *const given_names[] = {
    [KP_NULL] = "null",         [KP_BOOLEAN] = "the boolean", [KP_INTEGER] = "the integer",
    [KP_NUMBER] = "the number", [KP_STRING] = "the string",   [KP_OBJECT] = "the object",
    [KP_ARRAY] = "the array",   [KP_BYTES] = "bytes",
};

static const char *const type_words[] = {
    [KP_NULL] = "null",     [KP_BOOLEAN] = "boolean", [KP_INTEGER] = "integer",
    [KP_NUMBER] = "number", [KP_STRING] = "string",   [KP_OBJECT] = "object",
    [KP_ARRAY] = "array",   [KP_BYTES] = "bytes",
};

/* ---- refusals ---- */

/* "math-add: argument 'a' must be an integer". */
__attribute__((cold, noinline, format(printf, 4, 5))) static kernel_status_t
refuse(const kernel__coercion_t *c, const kernel__parameter_t *parameter, kernel_status_t status,
       const char *format, ...)
{
    char reason[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    return kernel__error_set(c->error, status, "%s: %s '%s'%s%s%s %s", c->subject, c->what,
                             parameter->name, c->source != NULL ? " (" : "",
                             c->source != NULL ? c->source : "", c->source != NULL ? ")" : "",
                             reason);
}

static bool is_secret(const kernel__coercion_t *c, const kernel__parameter_t *parameter)
{
    return c->is_secret || (parameter->flags & KP_SECRET) != 0;
}

/* What was given, for people: ", was given the string 'abc'". */
typedef struct given {
    char text[KERNEL__QUOTE_ROOM + 40];
} given_t;

__attribute__((cold, noinline)) static given_t describe_text(const kernel__coercion_t *c,
                                                             const kernel__parameter_t *parameter,
                                                             const char *name, const char *text,
                                                             size_t size, const char *quote)
{
    char quoted[KERNEL__QUOTE_ROOM];
    given_t given = {""};

    if (is_secret(c, parameter)) {
        snprintf(given.text, sizeof(given.text), "a value that is kept secret");
    } else {
        snprintf(given.text, sizeof(given.text), "%s %s%s%s", name, quote,
                 kernel__error_quote(quoted, text, size), quote);
    }
    return given;
}

/* As JSON has it, whatever the locale. */
__attribute__((cold, noinline)) static const char *print_number(char text[64], double value)
{
    sk_buffer_t printed = SK_BUFFER_INIT;

    sk_json_write_double(&printed, value);
    snprintf(text, 64, "%s", printed.failed ? "?" : sk_buffer_text(&printed));
    sk_buffer_fini(&printed);
    return text;
}

__attribute__((cold, noinline)) static given_t describe_value(const kernel__coercion_t *c,
                                                              const kernel__parameter_t *parameter,
                                                              const kp_value *value)
{
    char digits[64];

    switch (value->type) {
    case KP_BOOLEAN:
        snprintf(digits, sizeof(digits), "%s", value->as.boolean != 0 ? "true" : "false");
        break;
    case KP_INTEGER:
        snprintf(digits, sizeof(digits), "%" PRId64, value->as.integer);
        break;
    case KP_NUMBER:
        print_number(digits, value->as.number);
        break;
    case KP_STRING:
    case KP_OBJECT:
    case KP_ARRAY:
        return describe_text(c, parameter, given_names[value->type], value->as.text.ptr,
                             value->as.text.len, value->type == KP_STRING ? "'" : "");
    default:
        snprintf(digits, sizeof(digits), "(%zu of them)", value->as.text.len);
        break;
    }
    return describe_text(c, parameter, given_names[value->type & 7], digits, strlen(digits), "");
}

__attribute__((cold, noinline)) static kernel_status_t
refuse_type(const kernel__coercion_t *c, const kernel__parameter_t *parameter,
            const kp_value *value)
{
    given_t given = describe_value(c, parameter, value);

    return refuse(c, parameter, KERNEL_E_INVALID, "must be %s, was given %s",
                  wanted_names[parameter->type], given.text);
}

__attribute__((cold, noinline)) static kernel_status_t
refuse_digits(const kernel__coercion_t *c, const kernel__parameter_t *parameter, const char *text,
              size_t size)
{
    given_t given = describe_text(c, parameter, "the number", text, size, "");

    return refuse(c, parameter, KERNEL_E_INVALID,
                  "must be %s, but %s has more digits than one can keep",
                  wanted_names[parameter->type], given.text);
}

__attribute__((cold, noinline)) static kernel_status_t
refuse_range(const kernel__coercion_t *c, const kernel__parameter_t *parameter, const char *text,
             size_t size)
{
    given_t given = describe_text(c, parameter, "the number", text, size, "");

    return refuse(c, parameter, KERNEL_E_INVALID,
                  "must be an integer of 64 bits, but %s is outside -9223372036854775808 to "
                  "9223372036854775807",
                  given.text);
}

static kernel_status_t refuse_memory(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter)
{
    return refuse(c, parameter, KERNEL_E_NO_MEMORY, "cannot be held: memory ran out");
}

/* "; did you mean 'fast'? legal: fast, careful", with "..." where the room ends. `name` NULL: there
 * is nothing to be close to. */
__attribute__((cold, noinline)) static void list_legal(char *text, size_t room, const char *name,
                                                       const char *const *legal, size_t count)
{
    static const char more[] = ", ...";
    int closest = name != NULL ? sk_text_closest(name, legal, count) : -1;
    size_t used = 0;

    if (closest >= 0) {
        snprintf(text, room, "; did you mean '%s'? legal: ", legal[closest]);
    } else {
        snprintf(text, room, "; legal: ");
    }
    used = strlen(text);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(legal[i]) + (i > 0 ? 2 : 0);

        if (used + size + sizeof(more) > room) {
            memcpy(text + used, more, sizeof(more));
            return;
        }
        snprintf(text + used, room - used, "%s%s", i > 0 ? ", " : "", legal[i]);
        used += size;
    }
}

__attribute__((cold, noinline)) static kernel_status_t
refuse_choice(const kernel__coercion_t *c, const kernel__parameter_t *parameter,
              const kp_value *value)
{
    const char *const *choices = (const char *const *)parameter->choices;
    given_t given = describe_value(c, parameter, value);
    bool is_near = parameter->type == KP_STRING && !is_secret(c, parameter);
    char list[384];

    list_legal(list, sizeof(list), is_near ? value->as.text.ptr : NULL, choices,
               parameter->choice_count);
    return refuse(c, parameter, KERNEL_E_INVALID, "is none of its choices, was given %s%s",
                  given.text, list);
}

/* ---- checks ---- */

static bool equals_choice(const kp_value *value, const kp_value *choice)
{
    switch (value->type) {
    case KP_INTEGER:
        return value->as.integer == choice->as.integer;
    case KP_NUMBER:
        return value->as.number == choice->as.number;
    default:
        return value->as.text.len == choice->as.text.len &&
               memcmp(value->as.text.ptr, choice->as.text.ptr, value->as.text.len) == 0;
    }
}

static kernel_status_t check_choices(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter, const kp_value *value)
{
    for (size_t i = 0; i < parameter->choice_count; i++) {
        if (equals_choice(value, &parameter->choice_values[i])) {
            return KERNEL_OK;
        }
    }
    return refuse_choice(c, parameter, value);
}

static size_t count_characters(const char *text, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

static size_t count_elements(const char *text, size_t size)
{
    sk_json_span_t array = {text, size, SK_JSON_ARRAY, false};
    sk_json_cursor_t cursor = sk_json_enter(&array);
    sk_json_span_t element;
    size_t count = 0;

    while (sk_json_next(&cursor, NULL, &element)) {
        count++;
    }
    return count;
}

static kernel_status_t check_length(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter, size_t length,
                                    const char *unit)
{
    const kernel__bounds_t *bounds = &parameter->bounds;

    if (length < bounds->min_length) {
        return refuse(c, parameter, KERNEL_E_INVALID, "has %zu %s, must have at least %zu", length,
                      unit, bounds->min_length);
    }
    if (length > bounds->max_length) {
        return refuse(c, parameter, KERNEL_E_INVALID, "has %zu %s, may have at most %zu", length,
                      unit, bounds->max_length);
    }
    return KERNEL_OK;
}

static kernel_status_t check_integer(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter, const kp_value *value)
{
    const kernel__bounds_t *bounds = &parameter->bounds;
    given_t given;

    if (value->as.integer >= bounds->integer_minimum &&
        value->as.integer <= bounds->integer_maximum) {
        return KERNEL_OK;
    }
    given = describe_value(c, parameter, value);
    if (value->as.integer < bounds->integer_minimum) {
        return refuse(c, parameter, KERNEL_E_INVALID, "must be at least %" PRId64 ", was given %s",
                      bounds->integer_minimum, given.text);
    }
    return refuse(c, parameter, KERNEL_E_INVALID, "must be at most %" PRId64 ", was given %s",
                  bounds->integer_maximum, given.text);
}

static kernel_status_t check_number(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter, const kp_value *value)
{
    const kernel__bounds_t *bounds = &parameter->bounds;
    double number = value->as.number;
    bool is_low =
        bounds->minimum_is_exclusive ? number <= bounds->minimum : number < bounds->minimum;
    bool is_high =
        bounds->maximum_is_exclusive ? number >= bounds->maximum : number > bounds->maximum;
    char digits[64];
    given_t given;

    if (!is_low && !is_high) {
        return KERNEL_OK;
    }
    given = describe_value(c, parameter, value);
    if (is_low) {
        return refuse(c, parameter, KERNEL_E_INVALID, "must be %s %s, was given %s",
                      bounds->minimum_is_exclusive ? "greater than" : "at least",
                      print_number(digits, bounds->minimum), given.text);
    }
    return refuse(c, parameter, KERNEL_E_INVALID, "must be %s %s, was given %s",
                  bounds->maximum_is_exclusive ? "less than" : "at most",
                  print_number(digits, bounds->maximum), given.text);
}

static kernel_status_t check_bounds(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter, const kp_value *value)
{
    switch (value->type) {
    case KP_INTEGER:
        return check_integer(c, parameter, value);
    case KP_NUMBER:
        return check_number(c, parameter, value);
    case KP_STRING:
        return check_length(c, parameter, count_characters(value->as.text.ptr, value->as.text.len),
                            "characters");
    case KP_BYTES:
        return check_length(c, parameter, value->as.text.len, "bytes");
    case KP_ARRAY:
        return check_length(c, parameter, count_elements(value->as.text.ptr, value->as.text.len),
                            "elements");
    default:
        return KERNEL_OK;
    }
}

/* Before anything of that size is made. */
static kernel_status_t check_size(const kernel__coercion_t *c, const kernel__parameter_t *parameter,
                                  size_t size)
{
    size_t limit = c->limits != NULL && c->limits->argument_size > 0 ? c->limits->argument_size
                                                                     : DEFAULT_ARGUMENT_SIZE;

    if (size > limit) {
        return refuse(c, parameter, KERNEL_E_LIMIT,
                      "has %zu bytes, more than the %zu that max_argument_size allows", size,
                      limit);
    }
    return KERNEL_OK;
}

/* What stands in base64 is counted as bytes, when it is known how many. */
static kernel_status_t check_given_size(const kernel__coercion_t *c,
                                        const kernel__parameter_t *parameter, uint32_t type,
                                        size_t size)
{
    return type == KP_STRING && parameter->type == KP_BYTES ? KERNEL_OK
                                                            : check_size(c, parameter, size);
}

kernel_status_t kernel__coerce_check(const kernel__coercion_t *coercion,
                                     const kernel__parameter_t *parameter, const kp_value *value)
{
    kernel_status_t status = KERNEL_OK;

    if (parameter->choices != NULL) {
        status = check_choices(coercion, parameter, value);
    }
    if (status == KERNEL_OK && parameter->has_bounds) {
        status = check_bounds(coercion, parameter, value);
    }
    return status;
}

/* ---- conversion: every function leaves a value of the parameter's type, unchecked ---- */

static void set_text(kp_value *out, uint32_t type, const char *text, size_t size)
{
    out->type = type;
    out->flags = 0;
    out->as.text.ptr = text;
    out->as.text.len = size;
}

static kernel_status_t copy_text(const kernel__coercion_t *c, const kernel__parameter_t *parameter,
                                 const char *text, size_t size, kp_value *out)
{
    char *copy = kernel__arena_copy(c->arena, text, size);

    if (copy == NULL) {
        return refuse_memory(c, parameter);
    }
    set_text(out, parameter->type, copy, size);
    return KERNEL_OK;
}

/* A whole number that no other one was rounded to. */
static bool is_integral(double value)
{
    return value > -EXACT_DOUBLE && value < EXACT_DOUBLE && value == floor(value);
}

bool kernel__value_read_number(const sk_json_span_t *number, kp_value *out)
{
    bool is_digits = memchr(number->text, '.', number->size) == NULL &&
                     memchr(number->text, 'e', number->size) == NULL &&
                     memchr(number->text, 'E', number->size) == NULL;
    int64_t integer = 0;
    sk_json_number_t kind = sk_json_integer(number, &integer);
    double value = 0;
    char exact[512];

    memset(out, 0, sizeof(*out));
    if (kind == SK_JSON_INTEGER && is_digits) {
        out->type = KP_INTEGER;
        out->as.integer = integer;
        return true;
    }
    if (!sk_json_double(number, &value) || (kind == SK_JSON_FRACTION && value == floor(value))) {
        return false;
    }
    if (kind == SK_JSON_INTEGER && !is_integral(value)) {
        out->type = KP_INTEGER; /* 9007199254740993.0 */
        out->as.integer = integer;
        return true;
    }
    if (kind == SK_JSON_OUT_OF_RANGE && is_digits) {
        int size = snprintf(exact, sizeof(exact), "%.0f", value);

        if (size < 0 || (size_t)size != number->size ||
            memcmp(exact, number->text, number->size) != 0) {
            return false;
        }
    }
    out->type = KP_NUMBER;
    out->as.number = value;
    return true;
}

/* A boolean, an integer or a number as one of these. */
static kernel_status_t coerce_scalar(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter, const kp_value *value,
                                     kp_value *out)
{
    if (value->type == parameter->type) {
        *out = *value;
        out->flags = 0;
        return KERNEL_OK;
    }
    if (value->type == KP_INTEGER && parameter->type == KP_NUMBER) {
        double number = (double)value->as.integer;

        if (number >= 9223372036854775808.0 || (int64_t)number != value->as.integer) {
            char digits[32];
            int size = snprintf(digits, sizeof(digits), "%" PRId64, value->as.integer);

            return refuse_digits(c, parameter, digits, (size_t)size);
        }
        *out = (kp_value){.type = KP_NUMBER, .as.number = number};
        return KERNEL_OK;
    }
    if (value->type == KP_NUMBER && parameter->type == KP_INTEGER) {
        if (is_integral(value->as.number)) {
            *out = (kp_value){.type = KP_INTEGER, .as.integer = (int64_t)value->as.number};
            return KERNEL_OK;
        }
        if (value->as.number == floor(value->as.number)) {
            given_t given = describe_value(c, parameter, value);

            return refuse(c, parameter, KERNEL_E_INVALID,
                          "must be an integer, was given %s, from 2^53 on, where a number has lost "
                          "digits",
                          given.text);
        }
    }
    return refuse_type(c, parameter, value);
}

static kernel_status_t coerce_digits(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter,
                                     const sk_json_span_t *number, kp_value *out)
{
    kp_value value;
    int64_t integer = 0;
    given_t given;

    if (parameter->type == KP_INTEGER) {
        switch (sk_json_integer(number, &integer)) {
        case SK_JSON_INTEGER:
            *out = (kp_value){.type = KP_INTEGER, .as.integer = integer};
            return KERNEL_OK;
        case SK_JSON_OUT_OF_RANGE:
            return refuse_range(c, parameter, number->text, number->size);
        case SK_JSON_FRACTION:
            given = describe_text(c, parameter, "the number", number->text, number->size, "");
            return refuse(c, parameter, KERNEL_E_INVALID, "must be an integer, was given %s",
                          given.text);
        }
    }
    if (!kernel__value_read_number(number, &value)) {
        return refuse_digits(c, parameter, number->text, number->size);
    }
    return coerce_scalar(c, parameter, &value, out);
}

static kernel_status_t print_scalar(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter, const kp_value *value,
                                    kp_value *out)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    kernel_status_t status = KERNEL_OK;

    kernel__value_write_json(&text, value);
    status = text.failed ? refuse_memory(c, parameter)
                         : copy_text(c, parameter, text.data, text.size, out);
    if (text.data != NULL) {
        sk_wipe(text.data, text.size);
    }
    sk_buffer_fini(&text);
    return status;
}

static kernel_status_t coerce_base64(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter, const char *text,
                                     size_t size, kp_value *out)
{
    sk_buffer_t bytes = SK_BUFFER_INIT;
    kernel_status_t status = check_size(c, parameter, size / 4 * 3);

    if (status != KERNEL_OK) {
        return status;
    }
    if (!sk_buffer_reserve(&bytes, size + 4)) {
        status = refuse_memory(c, parameter);
    } else if (!sk_base64_decode(text, size, &bytes)) {
        given_t given = describe_text(c, parameter, "the string", text, size, "'");

        status = refuse(c, parameter, KERNEL_E_INVALID, "must be bytes in base64, was given %s",
                        given.text);
    } else {
        status = copy_text(c, parameter, bytes.data, bytes.size, out);
        sk_wipe(bytes.data, bytes.size);
    }
    sk_buffer_fini(&bytes);
    return status;
}

static kernel_status_t compact_span(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter,
                                    const sk_json_span_t *span, kp_value *out)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    kernel_status_t status = KERNEL_OK;

    sk_json_compact(&text, span);
    status = text.failed ? refuse_memory(c, parameter) : check_size(c, parameter, text.size);
    if (status == KERNEL_OK) {
        status = copy_text(c, parameter, text.data, text.size, out);
    }
    if (text.data != NULL && is_secret(c, parameter)) {
        sk_wipe(text.data, text.size);
    }
    sk_buffer_fini(&text);
    return status;
}

/* Text that must be JSON of the parameter's type, an object or an array. */
static kernel_status_t coerce_json_text(const kernel__coercion_t *c,
                                        const kernel__parameter_t *parameter, const char *text,
                                        size_t size, kp_value *out)
{
    sk_json_limits_t limits = {SK_JSON_STRICT, size, c->limits != NULL ? c->limits->json_depth : 0};
    sk_json_type_t type = parameter->type == KP_OBJECT ? SK_JSON_OBJECT : SK_JSON_ARRAY;
    sk_json_error_t error = {.status = SK_JSON_OK};
    kernel_status_t status = check_size(c, parameter, size);
    sk_json_span_t root;

    if (status != KERNEL_OK) {
        return status;
    }
    switch (sk_json_scan(text, size, &limits, &root, &error)) {
    case SK_JSON_OK:
        break;
    case SK_JSON_NO_MEMORY:
        return refuse_memory(c, parameter);
    case SK_JSON_TOO_DEEP:
    case SK_JSON_TOO_LONG:
        return refuse(c, parameter, KERNEL_E_LIMIT, "is not taken: %s", error.text);
    case SK_JSON_INVALID:
        if (is_secret(c, parameter)) {
            return refuse(c, parameter, KERNEL_E_INVALID, "must be %s, is not JSON at byte %zu",
                          wanted_names[parameter->type], error.offset);
        }
        return refuse(c, parameter, KERNEL_E_INVALID, "must be %s, is not JSON: %s",
                      wanted_names[parameter->type], error.text);
    }
    if (root.type != type) {
        given_t given = describe_text(c, parameter, "the JSON", root.text, root.size, "");

        return refuse(c, parameter, KERNEL_E_INVALID, "must be %s, was given %s",
                      wanted_names[parameter->type], given.text);
    }
    return compact_span(c, parameter, &root, out);
}

static bool equals_word(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

/* A string for a parameter that is none. */
static kernel_status_t coerce_string(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter, const char *text,
                                     size_t size, kp_value *out)
{
    kp_value value;
    sk_json_span_t number;

    switch (parameter->type) {
    case KP_BOOLEAN:
        if (equals_word(text, size, "true") || equals_word(text, size, "false")) {
            *out = (kp_value){.type = KP_BOOLEAN, .as.boolean = size == strlen("true")};
            return KERNEL_OK;
        }
        break;
    case KP_INTEGER:
    case KP_NUMBER:
        if (sk_json_number_text(text, size, &number)) {
            return coerce_digits(c, parameter, &number, out);
        }
        break;
    case KP_OBJECT:
    case KP_ARRAY:
        return coerce_json_text(c, parameter, text, size, out);
    case KP_BYTES:
        return coerce_base64(c, parameter, text, size, out);
    default:
        break;
    }
    set_text(&value, KP_STRING, text, size);
    return refuse_type(c, parameter, &value);
}

/* Texts of others that have not been looked at. */
static kernel_status_t check_text(const kernel__coercion_t *c, const kernel__parameter_t *parameter,
                                  const char *text, size_t size)
{
    const char *zero = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t offset = 0;

    if (zero != NULL) {
        return refuse(c, parameter, KERNEL_E_INVALID, "has U+0000 at byte %zu: only bytes may",
                      (size_t)(zero - text));
    }
    if (!sk_utf8_is_valid(text, size, &offset)) {
        return refuse(c, parameter, KERNEL_E_INVALID, "is not valid UTF-8 at byte %zu", offset);
    }
    return KERNEL_OK;
}

static kernel_status_t convert_value(const kernel__coercion_t *c,
                                     const kernel__parameter_t *parameter, const kp_value *value,
                                     kp_value *out)
{
    const char *text = value->as.text.ptr;
    size_t size = value->as.text.len;
    kernel_status_t status = KERNEL_OK;

    switch (value->type) {
    case KP_NUMBER:
        if (!isfinite(value->as.number)) {
            return refuse(c, parameter, KERNEL_E_INVALID, "must be finite");
        }
        break;
    case KP_BOOLEAN:
    case KP_INTEGER:
        break;
    case KP_STRING:
    case KP_OBJECT:
    case KP_ARRAY:
    case KP_BYTES:
        status = check_given_size(c, parameter, value->type, size);
        if (status == KERNEL_OK && !c->is_valid && value->type != KP_BYTES) {
            status = check_text(c, parameter, text, size);
        }
        if (status != KERNEL_OK) {
            return status;
        }
        if (value->type == parameter->type) {
            if (!c->is_valid && (value->type == KP_OBJECT || value->type == KP_ARRAY)) {
                return coerce_json_text(c, parameter, text, size, out);
            }
            if (c->copy) {
                return copy_text(c, parameter, text, size, out);
            }
            set_text(out, value->type, text, size);
            return KERNEL_OK;
        }
        return value->type == KP_STRING ? coerce_string(c, parameter, text, size, out)
                                        : refuse_type(c, parameter, value);
    default:
        return refuse(c, parameter, KERNEL_E_INVALID, "was given a value of the unknown type %u",
                      (unsigned)value->type);
    }
    return parameter->type == KP_STRING ? print_scalar(c, parameter, value, out)
                                        : coerce_scalar(c, parameter, value, out);
}

kernel_status_t kernel__coerce_value(const kernel__coercion_t *coercion,
                                     const kernel__parameter_t *parameter, const kp_value *value,
                                     kp_value *out)
{
    kernel_status_t status = convert_value(coercion, parameter, value, out);

    return status == KERNEL_OK ? kernel__coerce_check(coercion, parameter, out) : status;
}

/* The value of a string span, decoded into the arena where it is not plain. */
static kernel_status_t convert_string_span(const kernel__coercion_t *c,
                                           const kernel__parameter_t *parameter,
                                           const sk_json_span_t *span, kp_value *out)
{
    const char *text = span->text + 1;
    size_t size = span->size - 2;
    char *decoded = NULL;
    kernel_status_t status = KERNEL_OK;

    if (!span->plain) {
        decoded = kernel__arena_alloc(c->arena, size + 1);
        if (decoded == NULL) {
            return refuse_memory(c, parameter);
        }
        size = sk_json_string_decode(span, decoded);
        text = decoded;
    }
    status = check_given_size(c, parameter, KP_STRING, size);
    if (status == KERNEL_OK && parameter->type != KP_STRING) {
        status = coerce_string(c, parameter, text, size, out);
    } else if (status == KERNEL_OK && span->plain) {
        return copy_text(c, parameter, text, size, out);
    } else if (status == KERNEL_OK) {
        set_text(out, KP_STRING, text, size);
        return KERNEL_OK;
    }
    if (decoded != NULL && is_secret(c, parameter)) {
        sk_wipe(decoded, size);
    }
    return status;
}

static kernel_status_t convert_span(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter,
                                    const sk_json_span_t *span, kp_value *out)
{
    kp_value value = {.type = KP_NULL};

    switch (span->type) {
    case SK_JSON_NULL:
        break;
    case SK_JSON_BOOLEAN:
        value.type = KP_BOOLEAN;
        value.as.boolean = span->text[0] == 't';
        return parameter->type == KP_STRING ? copy_text(c, parameter, span->text, span->size, out)
                                            : coerce_scalar(c, parameter, &value, out);
    case SK_JSON_NUMBER:
        return parameter->type == KP_STRING ? copy_text(c, parameter, span->text, span->size, out)
                                            : coerce_digits(c, parameter, span, out);
    case SK_JSON_STRING:
        return convert_string_span(c, parameter, span, out);
    case SK_JSON_ARRAY:
    case SK_JSON_OBJECT:
        set_text(&value, span->type == SK_JSON_OBJECT ? KP_OBJECT : KP_ARRAY, span->text,
                 span->size);
        return value.type == parameter->type ? compact_span(c, parameter, span, out)
                                             : refuse_type(c, parameter, &value);
    }
    return refuse_type(c, parameter, &value);
}

kernel_status_t kernel__coerce_span(const kernel__coercion_t *coercion,
                                    const kernel__parameter_t *parameter,
                                    const sk_json_span_t *span, kp_value *out)
{
    kernel_status_t status = convert_span(coercion, parameter, span, out);

    return status == KERNEL_OK ? kernel__coerce_check(coercion, parameter, out) : status;
}

static kernel_status_t convert_text(const kernel__coercion_t *c,
                                    const kernel__parameter_t *parameter, const char *text,
                                    size_t size, kp_value *out)
{
    sk_json_span_t root;
    kernel_status_t status = check_given_size(c, parameter, KP_STRING, size);

    if (status == KERNEL_OK) {
        status = check_text(c, parameter, text, size);
    }
    if (status != KERNEL_OK) {
        return status;
    }
    switch (parameter->type) {
    case KP_STRING:
        return copy_text(c, parameter, text, size, out);
    case KP_BOOLEAN:
        if (equals_word(text, size, "1") || equals_word(text, size, "0")) {
            *out = (kp_value){.type = KP_BOOLEAN, .as.boolean = text[0] == '1'};
            return KERNEL_OK;
        }
        break;
    case KP_INTEGER:
    case KP_NUMBER:
        if (sk_json_scan(text, size, NULL, &root, NULL) == SK_JSON_OK &&
            root.type != SK_JSON_NULL) {
            return convert_span(c, parameter, &root, out);
        }
        break;
    default:
        break;
    }
    return coerce_string(c, parameter, text, size, out);
}

kernel_status_t kernel__coerce_text(const kernel__coercion_t *coercion,
                                    const kernel__parameter_t *parameter, const char *text,
                                    size_t size, kp_value *out)
{
    kernel_status_t status = convert_text(coercion, parameter, text, size, out);

    return status == KERNEL_OK ? kernel__coerce_check(coercion, parameter, out) : status;
}

/* ---- names ---- */

kernel_status_t kernel__coerce_refuse_name(const kernel__coercion_t *coercion,
                                           const kernel__signature_t *signature, const char *name,
                                           size_t size)
{
    const char *legal[KERNEL__PARAMETERS_MAX];
    char quoted[KERNEL__QUOTE_ROOM];
    char list[400];
    size_t count = 0;

    kernel__error_quote(quoted, name, size);
    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *parameter = &signature->parameters[i];

        if ((parameter->flags & KP_HIDDEN) == 0) {
            legal[count++] = parameter->name;
        } else if (size == parameter->name_size && memcmp(name, parameter->name, size) == 0) {
            return kernel__error_set(coercion->error, KERNEL_E_INVALID,
                                     "%s: %s '%s' comes from the invocation's context, it cannot "
                                     "be given",
                                     coercion->subject, coercion->what, quoted);
        }
    }
    list_legal(list, sizeof(list), size < KERNEL__QUOTE_ROOM ? quoted : NULL, legal, count);
    return kernel__error_set(coercion->error, KERNEL_E_INVALID, "%s: unknown %s '%s'%s",
                             coercion->subject, coercion->what, quoted,
                             count > 0 ? list : "; there are none to give");
}

kernel_status_t kernel__coerce_refuse_missing(const kernel__coercion_t *coercion,
                                              const kernel__signature_t *signature,
                                              const bool *is_missing)
{
    char list[400] = "";
    size_t used = 0;
    size_t count = 0;

    for (size_t i = 0; i < signature->count; i++) {
        const kernel__parameter_t *parameter = &signature->parameters[i];
        int size = 0;

        if (!is_missing[i]) {
            continue;
        }
        size =
            snprintf(list + used, sizeof(list) - used, "%s'%s' (%s%s)", count > 0 ? ", " : "",
                     parameter->name, type_words[parameter->type],
                     (parameter->flags & KP_HIDDEN) != 0 ? ", from the invocation's context" : "");
        count++;
        if (size > 0 && (size_t)size < sizeof(list) - used) {
            used += (size_t)size;
        } else {
            memcpy(list + used, "", 1);
        }
    }
    return kernel__error_set(coercion->error, KERNEL_E_INVALID, "%s: missing %s%s %s",
                             coercion->subject, coercion->what, count > 1 ? "s" : "", list);
}

/* ---- values without a parameter ---- */

void kernel__value_write_json(sk_buffer_t *out, const kp_value *value)
{
    switch (value->type) {
    case KP_BOOLEAN:
        sk_buffer_append_text(out, value->as.boolean != 0 ? "true" : "false");
        break;
    case KP_INTEGER:
        sk_json_write_integer(out, value->as.integer);
        break;
    case KP_NUMBER:
        sk_json_write_double(out, value->as.number);
        break;
    case KP_STRING:
        sk_json_write_string(out, value->as.text.ptr, value->as.text.len);
        break;
    case KP_OBJECT:
    case KP_ARRAY:
        sk_buffer_append(out, value->as.text.ptr, value->as.text.len);
        break;
    case KP_BYTES:
        sk_buffer_append_char(out, '"');
        sk_base64_append(out, value->as.text.ptr, value->as.text.len);
        sk_buffer_append_char(out, '"');
        break;
    default:
        sk_buffer_append(out, "null", 4);
        break;
    }
}
