/*
 * args.c - the named arguments of a call.
 *
 * Everything that is set is checked and hashed here, once, so that binding can
 * borrow it. Up to four arguments with short names and without texts live in
 * the object itself.
 */
#include "args.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "coerce.h"
#include "error.h"
#include "json.h"
#include "names.h"
#include "text.h"

/* ---- the first failure ---- */

/* Why the value of `name` was not set. */
__attribute__((cold, noinline, format(printf, 4, 5))) static void
args_refuse(kernel_args_t *args, const char *name, kernel_status_t status, const char *format, ...)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    char quoted[KERNEL__QUOTE_ROOM];
    char reason[384];
    va_list arguments;

    if (args->status != KERNEL_OK) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    args->status = kernel__error_set(&error, status, "cannot set argument '%s': %s",
                                     kernel__error_quote(quoted, name, strlen(name)), reason);
    args->error = sk_strdup(error.text);
}

/* ---- slots ---- */

static void args_init(kernel_args_t *args)
{
    args->items = args->few;
    args->count = 0;
    args->capacity = KERNEL__ARGS_INLINE;
    args->status = KERNEL_OK;
    args->error = NULL;
}

static void args_fini(kernel_args_t *args)
{
    for (size_t i = 0; i < args->count; i++) {
        sk_free(args->items[i].block);
    }
    if (args->items != args->few) {
        sk_free(args->items);
    }
    sk_free(args->error);
}

static void arg_move(kernel__arg_t *to, const kernel__arg_t *from)
{
    bool is_short = from->name == from->short_name;

    *to = *from;
    if (is_short) {
        to->name = to->short_name;
    }
}

static bool args_reserve(kernel_args_t *args, size_t more)
{
    size_t capacity = args->capacity;
    kernel__arg_t *items = NULL;

    if (more <= args->capacity - args->count) {
        return true;
    }
    while (capacity < args->count + more) {
        capacity *= 2;
    }
    items = sk_malloc(capacity * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < args->count; i++) {
        arg_move(&items[i], &args->items[i]);
    }
    if (args->items != args->few) {
        sk_free(args->items);
    }
    args->items = items;
    args->capacity = capacity;
    return true;
}

static kernel__arg_t *args_find_sized(const kernel_args_t *args, const char *name, size_t size,
                                      uint32_t hash)
{
    for (size_t i = 0; i < args->count; i++) {
        kernel__arg_t *arg = &args->items[i];

        if (arg->hash == hash && arg->name_size == size && memcmp(arg->name, name, size) == 0) {
            return arg;
        }
    }
    return NULL;
}

const kernel__arg_t *kernel__args_find(const kernel_args_t *args, const char *name)
{
    size_t size = 0;

    if (args == NULL || name == NULL) {
        return NULL;
    }
    size = strlen(name);
    return args_find_sized(args, name, size, kernel__name_hash(name, size));
}

static bool type_has_text(uint32_t type)
{
    return type >= KP_STRING && type <= KP_BYTES;
}

static bool args_check_name(kernel_args_t *args, const char *name, size_t size)
{
    size_t offset = 0;

    if (size == 0) {
        args_refuse(args, "", KERNEL_E_INVALID, "its name is missing or empty");
        return false;
    }
    if (size > KERNEL__ARG_NAME_MAX) {
        args_refuse(args, name, KERNEL_E_INVALID, "its name has more than %u bytes",
                    KERNEL__ARG_NAME_MAX);
        return false;
    }
    if (!sk_utf8_is_valid(name, size, &offset)) {
        args_refuse(args, name, KERNEL_E_INVALID, "its name is not valid UTF-8 at byte %zu",
                    offset);
        return false;
    }
    return true;
}

/* Make an argument out of copies, which may be of what `args` itself holds; false: the failure is
 * noted. */
static bool arg_make(kernel_args_t *args, kernel__arg_t *arg, const char *name, size_t name_size,
                     const kp_value *value)
{
    bool has_text = type_has_text(value->type);
    size_t name_room = name_size < KERNEL__SHORT_NAME_ROOM ? 0 : name_size + 1;
    char *own_name = arg->short_name;

    if (!args_check_name(args, name, name_size)) {
        return false;
    }
    arg->name_size = (uint32_t)name_size;
    arg->hash = kernel__name_hash(name, name_size);
    arg->value = *value;
    arg->value.flags = 0;
    arg->block = NULL;
    memset(arg->short_name, 0, sizeof(arg->short_name));
    if (name_room > 0 || has_text) {
        size_t text_size = has_text ? value->as.text.len : 0;

        if (text_size < SIZE_MAX - name_room) {
            arg->block = sk_malloc(name_room + text_size + 1);
        }
        if (arg->block == NULL) {
            args_refuse(args, name, KERNEL_E_NO_MEMORY, "memory ran out");
            return false;
        }
        if (has_text) {
            char *text = arg->block + name_room;

            if (text_size > 0) {
                memcpy(text, value->as.text.ptr, text_size);
            }
            text[text_size] = '\0';
            arg->value.as.text.ptr = text;
        }
    }
    if (name_room > 0) {
        own_name = arg->block;
    }
    memcpy(own_name, name, name_size);
    own_name[name_size] = '\0';
    arg->name = own_name;
    return true;
}

/* In the place of the one of that name, else at the end, where there must be room. */
static void args_put(kernel_args_t *args, const kernel__arg_t *arg)
{
    kernel__arg_t *there = args_find_sized(args, arg->name, arg->name_size, arg->hash);

    if (there != NULL) {
        sk_free(there->block);
    } else {
        assert(args->count < args->capacity);
        there = &args->items[args->count++];
    }
    arg_move(there, arg);
}

static void args_store(kernel_args_t *args, const char *name, size_t name_size,
                       const kp_value *value)
{
    kernel__arg_t arg;

    if (!arg_make(args, &arg, name, name_size, value)) {
        return;
    }
    if (args->count >= KERNEL__ARGS_MAX &&
        args_find_sized(args, arg.name, arg.name_size, arg.hash) == NULL) {
        args_refuse(args, arg.name, KERNEL_E_LIMIT, "there are %u already", KERNEL__ARGS_MAX);
        sk_free(arg.block);
        return;
    }
    if (!args_reserve(args, 1)) {
        args_refuse(args, arg.name, KERNEL_E_NO_MEMORY, "memory ran out");
        sk_free(arg.block);
        return;
    }
    args_put(args, &arg);
}

/* ---- new, copy, free ---- */

void kernel_args_free(kernel_args_t *args)
{
    if (args != NULL) {
        args_fini(args);
        sk_free(args);
    }
}

kernel_args_t *kernel_args_new(void)
{
    kernel_args_t *args = sk_malloc(sizeof(*args));

    if (args != NULL) {
        args_init(args);
    }
    return args;
}

kernel_args_t *kernel_args_copy(const kernel_args_t *args)
{
    kernel_args_t *copy = args != NULL ? kernel_args_new() : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (!args_reserve(copy, args->count)) {
        kernel_args_free(copy);
        return NULL;
    }
    for (size_t i = 0; i < args->count; i++) {
        args_store(copy, args->items[i].name, args->items[i].name_size, &args->items[i].value);
    }
    if (copy->status != KERNEL_OK) {
        kernel_args_free(copy);
        return NULL;
    }
    copy->status = args->status;
    copy->error = sk_strdup(args->error);
    return copy;
}

/* ---- setters ---- */

static size_t name_size_of(const char *name)
{
    return name != NULL ? strlen(name) : 0;
}

void kernel_args_set_string(kernel_args_t *args, const char *name, const char *text)
{
    if (text == NULL) {
        kernel_args_set_null(args, name);
    } else {
        kernel_args_set_text(args, name, text, strlen(text));
    }
}

void kernel_args_set_text(kernel_args_t *args, const char *name, const char *text, size_t size)
{
    kp_value value = {.type = KP_STRING};
    const char *zero = NULL;
    size_t offset = 0;

    if (args == NULL) {
        return;
    }
    if (text == NULL && size > 0) {
        args_refuse(args, name != NULL ? name : "", KERNEL_E_INVALID, "there is no text");
        return;
    }
    zero = size > 0 ? memchr(text, '\0', size) : NULL;
    if (zero != NULL) {
        args_refuse(args, name != NULL ? name : "", KERNEL_E_INVALID,
                    "a text cannot hold U+0000, which is at byte %zu: set it as bytes",
                    (size_t)(zero - text));
        return;
    }
    if (!sk_utf8_is_valid(text, size, &offset)) {
        args_refuse(args, name != NULL ? name : "", KERNEL_E_INVALID, "not valid UTF-8 at byte %zu",
                    offset);
        return;
    }
    value.as.text.ptr = text;
    value.as.text.len = size;
    args_store(args, name, name_size_of(name), &value);
}

void kernel_args_set_integer(kernel_args_t *args, const char *name, int64_t value)
{
    kp_value integer = {.type = KP_INTEGER, .as.integer = value};

    if (args != NULL) {
        args_store(args, name, name_size_of(name), &integer);
    }
}

void kernel_args_set_number(kernel_args_t *args, const char *name, double value)
{
    kp_value number = {.type = KP_NUMBER, .as.number = value};

    if (args == NULL) {
        return;
    }
    if (!isfinite(value)) {
        args_refuse(args, name != NULL ? name : "", KERNEL_E_INVALID, "%s is not a number of JSON",
                    isnan(value) ? "NaN" : "an infinity");
        return;
    }
    args_store(args, name, name_size_of(name), &number);
}

void kernel_args_set_boolean(kernel_args_t *args, const char *name, bool value)
{
    kp_value boolean = {.type = KP_BOOLEAN, .as.boolean = value};

    if (args != NULL) {
        args_store(args, name, name_size_of(name), &boolean);
    }
}

void kernel_args_set_null(kernel_args_t *args, const char *name)
{
    kp_value null = {.type = KP_NULL};

    if (args != NULL) {
        args_store(args, name, name_size_of(name), &null);
    }
}

void kernel_args_set_bytes(kernel_args_t *args, const char *name, const void *data, size_t size)
{
    kp_value bytes = {.type = KP_BYTES, .as.text = {data, size}};

    if (args == NULL) {
        return;
    }
    if (data == NULL && size > 0) {
        args_refuse(args, name != NULL ? name : "", KERNEL_E_INVALID, "there are no bytes");
        return;
    }
    args_store(args, name, name_size_of(name), &bytes);
}

/* Room for the text of a span is enough for it decoded or compacted. */
static void args_store_span(kernel_args_t *args, const char *name, size_t name_size,
                            const sk_json_span_t *span)
{
    kp_value value = {.type = KP_NULL};
    sk_buffer_t text = SK_BUFFER_INIT;

    switch (span->type) {
    case SK_JSON_NULL:
        break;
    case SK_JSON_BOOLEAN:
        value.type = KP_BOOLEAN;
        value.as.boolean = span->text[0] == 't';
        break;
    case SK_JSON_NUMBER:
        if (!kernel__value_read_number(span, &value)) {
            char quoted[KERNEL__QUOTE_ROOM];

            args_refuse(args, name, KERNEL_E_INVALID,
                        "%s has more digits than a number can keep: give it as a string",
                        kernel__error_quote(quoted, span->text, span->size));
            return;
        }
        break;
    case SK_JSON_STRING:
        value.type = KP_STRING;
        if (!span->plain) {
            sk_json_string_append(&text, span);
            sk_buffer_reserve(&text, 0);
            value.as.text.ptr = text.data;
            value.as.text.len = text.size;
        } else {
            value.as.text.ptr = span->text + 1;
            value.as.text.len = span->size - 2;
        }
        break;
    case SK_JSON_ARRAY:
    case SK_JSON_OBJECT:
        value.type = span->type == SK_JSON_ARRAY ? KP_ARRAY : KP_OBJECT;
        sk_json_compact(&text, span);
        value.as.text.ptr = text.data;
        value.as.text.len = text.size;
        break;
    }
    if (text.failed) {
        args_refuse(args, name, KERNEL_E_NO_MEMORY, "memory ran out");
    } else {
        args_store(args, name, name_size, &value);
    }
    sk_buffer_fini(&text);
}

static kernel_status_t status_of_scan(sk_json_status_t status)
{
    switch (status) {
    case SK_JSON_OK:
        return KERNEL_OK;
    case SK_JSON_TOO_DEEP:
    case SK_JSON_TOO_LONG:
        return KERNEL_E_LIMIT;
    case SK_JSON_NO_MEMORY:
        return KERNEL_E_NO_MEMORY;
    case SK_JSON_INVALID:
        break;
    }
    return KERNEL_E_INVALID;
}

void kernel_args_set_json(kernel_args_t *args, const char *name, const char *json)
{
    sk_json_error_t error = {.status = SK_JSON_OK};
    sk_json_span_t root;

    if (args == NULL) {
        return;
    }
    if (name == NULL || json == NULL) {
        args_refuse(args, name != NULL ? name : "", KERNEL_E_INVALID, "there is no %s",
                    name == NULL ? "name" : "JSON text");
        return;
    }
    if (sk_json_scan(json, strlen(json), NULL, &root, &error) != SK_JSON_OK) {
        args_refuse(args, name, status_of_scan(error.status), "%s: %s",
                    error.status == SK_JSON_INVALID ? "not valid JSON" : "JSON is not taken",
                    error.text);
        return;
    }
    args_store_span(args, name, strlen(name), &root);
}

void kernel_args_unset(kernel_args_t *args, const char *name)
{
    const kernel__arg_t *arg = kernel__args_find(args, name);
    size_t at = 0;

    if (arg == NULL) {
        return;
    }
    at = (size_t)(arg - args->items);
    sk_free(args->items[at].block);
    args->count--;
    for (; at < args->count; at++) {
        arg_move(&args->items[at], &args->items[at + 1]);
    }
}

bool kernel__args_set_value(kernel_args_t *args, const char *name, const kp_value *value)
{
    size_t size = strlen(name);

    args_store(args, name, size, value);
    return args->status == KERNEL_OK;
}

/* ---- from a JSON object ---- */

static void args_read_members(kernel_args_t *args, const sk_json_span_t *object)
{
    sk_json_cursor_t cursor = sk_json_enter(object);
    sk_json_span_t key;
    sk_json_span_t value;

    while (args->status == KERNEL_OK && sk_json_next(&cursor, &key, &value)) {
        char name[KERNEL__ARG_NAME_MAX + 1];
        char *copy = NULL;
        size_t size = key.size - 2;

        if (size <= KERNEL__ARG_NAME_MAX) {
            size = sk_json_string_decode(&key, name);
            args_store_span(args, name, size, &value);
            continue;
        }
        copy = sk_json_string_copy(&key, &size); /* escapes may hide a shorter name */
        if (copy == NULL) {
            args_refuse(args, "", KERNEL_E_NO_MEMORY, "memory ran out");
            return;
        }
        args_store_span(args, copy, size, &value); /* refuses it if it is as long as it looks */
        sk_free(copy);
    }
}

kernel_status_t kernel_args_read_json(kernel_args_t *args, const char *json, size_t size,
                                      kernel_error_t *error)
{
    sk_json_error_t scan_error = {.status = SK_JSON_OK};
    sk_json_span_t root;
    kernel_args_t read;
    kernel_status_t status = KERNEL_OK;

    if (args == NULL || json == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID, "cannot read arguments: there %s",
                                 args == NULL ? "is nothing to read them into" : "is no JSON text");
    }
    if (sk_json_scan(json, size, NULL, &root, &scan_error) != SK_JSON_OK) {
        return kernel__error_set(
            error, status_of_scan(scan_error.status), "cannot read arguments: %s: %s",
            scan_error.status == SK_JSON_INVALID ? "not valid JSON" : "JSON is not taken",
            scan_error.text);
    }
    if (root.type != SK_JSON_OBJECT) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot read arguments: expected a JSON object, found %s",
                                 sk_json_type_name(root.type));
    }
    args_init(&read);
    args_read_members(&read, &root);
    status = kernel_args_status(&read, error);
    if (status == KERNEL_OK && args->count + read.count > KERNEL__ARGS_MAX) {
        status = kernel__error_set(error, KERNEL_E_LIMIT,
                                   "cannot read arguments: they would be more than %u",
                                   KERNEL__ARGS_MAX);
    }
    if (status == KERNEL_OK && !args_reserve(args, read.count)) {
        status =
            kernel__error_set(error, KERNEL_E_NO_MEMORY, "cannot read arguments: memory ran out");
    }
    for (size_t i = 0; status == KERNEL_OK && i < read.count; i++) {
        args_put(args, &read.items[i]);
    }
    read.count = status == KERNEL_OK ? 0 : read.count; /* what was put belongs to `args` now */
    args_fini(&read);
    return status;
}

/* ---- questions ---- */

kernel_status_t kernel_args_status(const kernel_args_t *args, kernel_error_t *error)
{
    if (args == NULL || args->status == KERNEL_OK) {
        return KERNEL_OK;
    }
    return kernel__error_set(error, args->status, "%s",
                             args->error != NULL ? args->error : kernel_status_text(args->status));
}

size_t kernel_args_count(const kernel_args_t *args)
{
    return args != NULL ? args->count : 0;
}

const char *kernel_args_name_at(const kernel_args_t *args, size_t index)
{
    return args != NULL && index < args->count ? args->items[index].name : NULL;
}

bool kernel_args_has(const kernel_args_t *args, const char *name)
{
    return kernel__args_find(args, name) != NULL;
}

kernel_type_t kernel_args_type(const kernel_args_t *args, const char *name)
{
    const kernel__arg_t *arg = kernel__args_find(args, name);

    return arg != NULL ? (kernel_type_t)arg->value.type : KERNEL_TYPE_NULL;
}

int64_t kernel_args_integer(const kernel_args_t *args, const char *name)
{
    const kernel__arg_t *arg = kernel__args_find(args, name);

    return arg != NULL && arg->value.type == KP_INTEGER ? arg->value.as.integer : 0;
}

double kernel_args_number(const kernel_args_t *args, const char *name)
{
    const kernel__arg_t *arg = kernel__args_find(args, name);

    if (arg == NULL) {
        return 0;
    }
    switch (arg->value.type) {
    case KP_NUMBER:
        return arg->value.as.number;
    case KP_INTEGER:
        return (double)arg->value.as.integer;
    default:
        return 0;
    }
}

bool kernel_args_boolean(const kernel_args_t *args, const char *name)
{
    const kernel__arg_t *arg = kernel__args_find(args, name);

    return arg != NULL && arg->value.type == KP_BOOLEAN && arg->value.as.boolean != 0;
}

const char *kernel_args_text(const kernel_args_t *args, const char *name, size_t *size_out)
{
    const kernel__arg_t *arg = kernel__args_find(args, name);
    bool has_text = arg != NULL && type_has_text(arg->value.type);

    if (size_out != NULL) {
        *size_out = has_text ? arg->value.as.text.len : 0;
    }
    return has_text ? arg->value.as.text.ptr : NULL;
}
