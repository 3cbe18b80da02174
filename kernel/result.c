/*
 * result.c - how a call ended: one counted block that never changes.
 *
 * Value, texts and attachments lie behind the header. What is printed from them
 * is made at the first question and published with one compare-and-swap: of two
 * threads that make it at once, one frees its own.
 */
#include "result.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "coerce.h"
#include "error.h"
#include "json.h"
#include "text.h"

#define FIRST_ATTACHMENT 40u /* sizeof(kp_attachment) in version 1.0 */
#define NO_MEMORY_TEXT   "memory ran out"

typedef struct attachment {
    kernel_attachment_t host;
    kp_attachment plugin; /* the same, as the other side sees it */
} attachment_t;

struct kernel_result {
    atomic_uint owners;
    kernel_status_t status;
    kp_value value;   /* its text is in this block */
    const char *text; /* given beside the value; NULL: none */
    size_t text_size;
    const char *error;  /* "" on success */
    const char *detail; /* NULL: none */
    attachment_t *attachments;
    size_t attachment_count;
    _Atomic(char *) printed; /* owned; made by kernel_result_text() */
    _Atomic(char *) json;    /* owned; made by kernel_result_json() */
};

/* The one result that needs no memory. It is not counted and never freed. */
static char no_memory_json[] =
    "{\"error\":{\"status\":\"KERNEL_E_NO_MEMORY\",\"text\":\"" NO_MEMORY_TEXT "\"}}";
static kernel_result_t no_memory = {
    .owners = 1,
    .status = KERNEL_E_NO_MEMORY,
    .error = NO_MEMORY_TEXT,
    .json = no_memory_json,
};

static const char nothing_text[] = "there is no result";
static const char nothing_json[] =
    "{\"error\":{\"status\":\"KERNEL_E_INVALID\",\"text\":\"there is no result\"}}";

static bool type_has_text(uint32_t type)
{
    return type >= KP_STRING && type <= KP_BYTES;
}

static kernel_result_t *result_new(size_t room, char **memory_out)
{
    kernel_result_t *result = NULL;

    if (room <= SIZE_MAX - sizeof(*result)) {
        result = sk_malloc(sizeof(*result) + room);
    }
    if (result == NULL) {
        return &no_memory;
    }
    memset(result, 0, sizeof(*result));
    atomic_init(&result->owners, 1);
    atomic_init(&result->printed, NULL);
    atomic_init(&result->json, NULL);
    result->error = "";
    *memory_out = (char *)(result + 1);
    return result;
}

/* ---- counting ---- */

void kernel_result_free(kernel_result_t *result)
{
    if (result == NULL || result == &no_memory ||
        (atomic_load_explicit(&result->owners, memory_order_acquire) != 1 && /* the only owner */
         atomic_fetch_sub_explicit(&result->owners, 1, memory_order_acq_rel) != 1)) {
        return;
    }
    sk_free(atomic_load_explicit(&result->printed, memory_order_relaxed));
    sk_free(atomic_load_explicit(&result->json, memory_order_relaxed));
    sk_free(result);
}

/* The count and what is printed late are all that changes in a result. */
static kernel_result_t *unconst(const kernel_result_t *result)
{
    union {
        const kernel_result_t *borrowed;
        kernel_result_t *shared;
    } same = {.borrowed = result};

    return same.shared;
}

kernel_result_t *kernel_result_keep(const kernel_result_t *result)
{
    kernel_result_t *shared = unconst(result);

    if (result != NULL && result != &no_memory) {
        atomic_fetch_add_explicit(&shared->owners, 1, memory_order_relaxed);
    }
    return shared;
}

/* ---- making ---- */

/* Append to the block that was measured before: a NUL follows. */
static const char *put(char **at, const void *data, size_t size)
{
    char *text = *at;

    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    *at += size + 1;
    return text;
}

static bool add_size(size_t *total, size_t more)
{
    if (more > SIZE_MAX / 2 || *total > SIZE_MAX / 2) {
        return false;
    }
    *total += more;
    return true;
}

/* What a function must not answer with; NULL: all is well. The text goes to `room`. */
static const char *find_fault(const kp_value *value, char *room, size_t room_size)
{
    sk_json_limits_t limits = {SK_JSON_STRICT, SIZE_MAX, 1000};
    sk_json_error_t error = {.status = SK_JSON_OK};
    const char *zero = NULL;
    sk_json_span_t root;
    size_t offset = 0;

    if (value->type > KP_BYTES) {
        snprintf(room, room_size, "the function returned a value of the unknown type %u",
                 (unsigned)value->type);
        return room;
    }
    if (type_has_text(value->type) && value->as.text.ptr == NULL && value->as.text.len > 0) {
        snprintf(room, room_size, "the function returned %zu bytes at NULL", value->as.text.len);
        return room;
    }
    switch (value->type) {
    case KP_STRING:
        if (!sk_utf8_is_valid(value->as.text.ptr, value->as.text.len, &offset)) {
            snprintf(room, room_size,
                     "the function returned a string that is not valid UTF-8 at byte %zu: return "
                     "it as bytes",
                     offset);
            return room;
        }
        zero = value->as.text.len > 0 ? memchr(value->as.text.ptr, '\0', value->as.text.len) : NULL;
        if (zero != NULL) {
            snprintf(room, room_size,
                     "the function returned a string with U+0000 at byte %zu: return it as bytes",
                     (size_t)(zero - value->as.text.ptr));
            return room;
        }
        return NULL;
    case KP_OBJECT:
    case KP_ARRAY:
        if (sk_json_scan(value->as.text.ptr, value->as.text.len, &limits, &root, &error) !=
            SK_JSON_OK) {
            snprintf(room, room_size, "the function returned %s that is not JSON: %s",
                     value->type == KP_OBJECT ? "an object" : "an array", error.text);
            return room;
        }
        if (root.type != (value->type == KP_OBJECT ? SK_JSON_OBJECT : SK_JSON_ARRAY)) {
            snprintf(room, room_size, "the function returned %s as JSON where it promised %s",
                     sk_json_type_name(root.type),
                     value->type == KP_OBJECT ? "an object" : "an array");
            return room;
        }
        return NULL;
    default:
        return NULL;
    }
}

kernel_result_t *kernel__result_value(const kp_value *value)
{
    bool has_text = type_has_text(value->type);
    size_t size = has_text ? value->as.text.len : 0;
    kernel_result_t *result = NULL;
    char fault[256];
    char *at = NULL;

    if (value->type > KP_NUMBER && find_fault(value, fault, sizeof(fault)) != NULL) {
        return kernel__result_error(KERNEL_E_INTERNAL, "%s", fault);
    }
    result = result_new(has_text ? size + 1 : 0, &at);
    if (result == &no_memory) {
        return result;
    }
    result->value.type = value->type;
    result->value.as = value->as;
    if (has_text) {
        result->value.as.text.ptr = put(&at, value->as.text.ptr, size);
    }
    return result;
}

static const kp_attachment *attachment_at(const kp_result *view, size_t index)
{
    return (const kp_attachment *)(const void *)((const char *)view->attachments +
                                                 index * view->attachment_stride);
}

static bool measure_attachments(const kp_result *view, size_t *total)
{
    bool fits = true;

    for (size_t i = 0; i < view->attachment_count && fits; i++) {
        const kp_attachment *from = attachment_at(view, i);

        fits = add_size(total, sizeof(attachment_t)) &&
               add_size(total, from->name != NULL ? strlen(from->name) + 1 : 1) &&
               add_size(total, from->media_type != NULL ? strlen(from->media_type) + 1
                                                        : sizeof("application/octet-stream")) &&
               add_size(total, from->data != NULL ? from->len : 0) && add_size(total, 1);
    }
    return fits;
}

static void copy_attachments(kernel_result_t *result, const kp_result *view, char **at)
{
    result->attachments = (attachment_t *)(void *)*at;
    result->attachment_count = view->attachment_count;
    *at += view->attachment_count * sizeof(attachment_t);
    for (size_t i = 0; i < view->attachment_count; i++) {
        const kp_attachment *from = attachment_at(view, i);
        const char *name = from->name != NULL ? from->name : "";
        const char *media_type =
            from->media_type != NULL ? from->media_type : "application/octet-stream";
        attachment_t *to = &result->attachments[i];

        memset(to, 0, sizeof(*to));
        to->host.size = sizeof(to->host);
        to->host.name = put(at, name, strlen(name));
        to->host.media_type = put(at, media_type, strlen(media_type));
        to->host.data = put(at, from->data, from->data != NULL ? from->len : 0);
        to->host.data_size = from->data != NULL ? from->len : 0;
        to->plugin.size = sizeof(to->plugin);
        to->plugin.name = from->name != NULL ? to->host.name : NULL;
        to->plugin.media_type = from->media_type != NULL ? to->host.media_type : NULL;
        to->plugin.data = to->host.data;
        to->plugin.len = to->host.data_size;
    }
}

/* A text for people: as it is, or with U+FFFD where it is not UTF-8. */
typedef struct piece {
    const char *text;
    size_t size;
    sk_buffer_t repaired;
} piece_t;

static bool piece_take(piece_t *piece, const char *text, size_t size, size_t *total)
{
    piece->text = text;
    piece->size = size;
    if (!sk_utf8_is_valid(text, size, NULL)) {
        sk_utf8_append_repaired(&piece->repaired, text, size);
        piece->text = sk_buffer_text(&piece->repaired);
        piece->size = piece->repaired.size;
    }
    return !piece->repaired.failed && add_size(total, piece->size + 1);
}

static kernel_result_t *copy_failure(const kp_result *view)
{
    kernel_status_t status = view->status < 0 ? (kernel_status_t)view->status : KERNEL_E_INTERNAL;
    const char *text =
        view->error != NULL && view->error[0] != '\0' ? view->error : kernel_status_text(status);
    size_t detail_size = view->detail != NULL ? strlen(view->detail) : 0;
    bool has_detail =
        detail_size > 0 && sk_json_scan(view->detail, detail_size, NULL, NULL, NULL) == SK_JSON_OK;
    size_t room = has_detail ? detail_size + 1 : 0;
    piece_t error = {.text = NULL};
    kernel_result_t *result = &no_memory;
    char *at = NULL;

    if (piece_take(&error, text, strlen(text), &room)) {
        result = result_new(room, &at);
    }
    if (result != &no_memory) {
        result->status = status;
        result->error = put(&at, error.text, error.size);
        result->detail = has_detail ? put(&at, view->detail, detail_size) : NULL;
    }
    sk_buffer_fini(&error.repaired);
    return result;
}

static kernel_result_t *copy_success(const kp_result *view)
{
    const kp_value *value = &view->value;
    bool has_text = type_has_text(value->type);
    size_t room = has_text ? value->as.text.len + 1 : 0;
    piece_t beside = {.text = NULL};
    kernel_result_t *result = &no_memory;
    char *at = NULL;

    if ((view->text == NULL || piece_take(&beside, view->text, view->text_len, &room)) &&
        measure_attachments(view, &room)) {
        result = result_new(room, &at);
    }
    if (result != &no_memory) {
        copy_attachments(result, view, &at); /* first: they need alignment */
        result->value.type = value->type;
        result->value.as = value->as;
        if (has_text) {
            result->value.as.text.ptr = put(&at, value->as.text.ptr, value->as.text.len);
        }
        if (view->text != NULL) {
            result->text = put(&at, beside.text, beside.size);
            result->text_size = beside.size;
        }
    }
    sk_buffer_fini(&beside.repaired);
    return result;
}

kernel_result_t *kernel__result_copy(const kp_result *view)
{
    char fault[256];

    if (view->status != KP_OK) {
        return copy_failure(view);
    }
    if (view->text == NULL && view->attachment_count == 0) {
        return kernel__result_value(&view->value);
    }
    if (view->attachment_count > 0 &&
        (view->attachments == NULL || view->attachment_stride < FIRST_ATTACHMENT)) {
        return kernel__result_error(KERNEL_E_INTERNAL,
                                    "the function attached %u records of %u bytes%s, expected at "
                                    "least %u bytes each",
                                    (unsigned)view->attachment_count,
                                    (unsigned)view->attachment_stride,
                                    view->attachments == NULL ? " at NULL" : "", FIRST_ATTACHMENT);
    }
    if (find_fault(&view->value, fault, sizeof(fault)) != NULL) {
        return kernel__result_error(KERNEL_E_INTERNAL, "%s", fault);
    }
    return copy_success(view);
}

kernel_result_t *kernel__result_error(kernel_status_t status, const char *format, ...)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    va_list arguments;

    va_start(arguments, format);
    kernel__error_vset(&error, status, format, arguments);
    va_end(arguments);
    return kernel__result_from_error(&error);
}

kernel_result_t *kernel__result_from_error(const kernel_error_t *error)
{
    kp_result view = {.status = error->status, .error = error->text};

    return copy_failure(&view);
}

void kernel__result_view(const kernel_result_t *result, kp_result *view_out)
{
    memset(view_out, 0, sizeof(*view_out));
    view_out->size = sizeof(*view_out);
    view_out->status = (int32_t)kernel_result_status(result);
    if (view_out->status != KP_OK) {
        view_out->error = kernel_result_error(result);
        view_out->detail = kernel_result_detail(result);
        return;
    }
    view_out->value = result->value;
    view_out->text = result->text;
    view_out->text_len = result->text_size;
    if (result->attachment_count > 0) {
        view_out->attachments = &result->attachments[0].plugin;
        view_out->attachment_count = (uint32_t)result->attachment_count;
        view_out->attachment_stride = sizeof(attachment_t);
    }
}

/* ---- made by hosts ---- */

kernel_result_t *kernel_result_new_string(const char *text)
{
    kp_value value = {.type = KP_NULL};
    size_t offset = 0;

    if (text != NULL) {
        value.type = KP_STRING;
        value.as.text.ptr = text;
        value.as.text.len = strlen(text);
        if (!sk_utf8_is_valid(text, value.as.text.len, &offset)) {
            return kernel__result_error(KERNEL_E_INVALID,
                                        "cannot make a result: the text is not valid UTF-8 at "
                                        "byte %zu",
                                        offset);
        }
    }
    return kernel__result_value(&value);
}

kernel_result_t *kernel_result_new_json(const char *json)
{
    sk_json_error_t error = {.status = SK_JSON_INVALID, .text = "there is none"};
    sk_buffer_t text = SK_BUFFER_INIT;
    kp_value value = {.type = KP_NULL};
    kernel_result_t *result = NULL;
    sk_json_span_t root;

    if (json == NULL || sk_json_scan(json, strlen(json), NULL, &root, &error) != SK_JSON_OK) {
        if (error.status == SK_JSON_NO_MEMORY) {
            return &no_memory;
        }
        return kernel__result_error(error.status == SK_JSON_INVALID ? KERNEL_E_INVALID
                                                                    : KERNEL_E_LIMIT,
                                    "cannot make a result of the JSON text: %s", error.text);
    }
    switch (root.type) {
    case SK_JSON_NULL:
        break;
    case SK_JSON_BOOLEAN:
        value.type = KP_BOOLEAN;
        value.as.boolean = root.text[0] == 't';
        break;
    case SK_JSON_NUMBER:
        if (!kernel__value_read_number(&root, &value)) {
            return kernel__result_error(KERNEL_E_INVALID,
                                        "cannot make a result of the JSON text: the number has "
                                        "more digits than one can keep");
        }
        break;
    case SK_JSON_STRING:
        value.type = KP_STRING;
        sk_json_string_append(&text, &root);
        break;
    case SK_JSON_ARRAY:
    case SK_JSON_OBJECT:
        value.type = root.type == SK_JSON_ARRAY ? KP_ARRAY : KP_OBJECT;
        sk_json_compact(&text, &root);
        break;
    }
    if (type_has_text(value.type)) {
        value.as.text.ptr = sk_buffer_text(&text);
        value.as.text.len = text.size;
    }
    result = text.failed ? &no_memory : kernel__result_value(&value);
    sk_buffer_fini(&text);
    return result;
}

kernel_result_t *kernel_result_new_error(kernel_status_t status, const char *text)
{
    kp_result view = {.status = status, .error = text};

    if (status >= 0) {
        return kernel__result_error(KERNEL_E_INVALID,
                                    "cannot make a failure with the status %d: it must be negative",
                                    (int)status);
    }
    return copy_failure(&view);
}

/* ---- reading ---- */

kernel_status_t kernel_result_status(const kernel_result_t *result)
{
    return result != NULL ? result->status : KERNEL_E_INVALID;
}

const char *kernel_result_error(const kernel_result_t *result)
{
    return result != NULL ? result->error : nothing_text;
}

const char *kernel_result_detail(const kernel_result_t *result)
{
    return result != NULL ? result->detail : NULL;
}

kernel_type_t kernel_result_type(const kernel_result_t *result)
{
    return result != NULL ? (kernel_type_t)result->value.type : KERNEL_TYPE_NULL;
}

int64_t kernel_result_integer(const kernel_result_t *result)
{
    return kernel_result_type(result) == KERNEL_TYPE_INTEGER ? result->value.as.integer : 0;
}

double kernel_result_number(const kernel_result_t *result)
{
    switch (kernel_result_type(result)) {
    case KERNEL_TYPE_NUMBER:
        return result->value.as.number;
    case KERNEL_TYPE_INTEGER:
        return (double)result->value.as.integer;
    default:
        return 0;
    }
}

bool kernel_result_boolean(const kernel_result_t *result)
{
    return kernel_result_type(result) == KERNEL_TYPE_BOOLEAN && result->value.as.boolean != 0;
}

const char *kernel_result_string(const kernel_result_t *result, size_t *size_out)
{
    bool has_text = type_has_text((uint32_t)kernel_result_type(result));

    if (size_out != NULL) {
        *size_out = has_text ? result->value.as.text.len : 0;
    }
    return has_text ? result->value.as.text.ptr : NULL;
}

size_t kernel_result_attachment_count(const kernel_result_t *result)
{
    return result != NULL ? result->attachment_count : 0;
}

const kernel_attachment_t *kernel_result_attachment_at(const kernel_result_t *result, size_t index)
{
    return index < kernel_result_attachment_count(result) ? &result->attachments[index].host : NULL;
}

/* ---- printing ---- */

/* Hand the text over to `slot`, unless somebody was faster; NULL when memory was out. */
static const char *publish(_Atomic(char *) *slot, sk_buffer_t *made)
{
    char *text = sk_buffer_take(made, NULL);
    char *there = NULL;

    if (text == NULL || atomic_compare_exchange_strong_explicit(
                            slot, &there, text, memory_order_acq_rel, memory_order_acquire)) {
        return text;
    }
    sk_free(text);
    return there;
}

const char *kernel_result_text(const kernel_result_t *result)
{
    kernel_result_t *shared = unconst(result);
    sk_buffer_t made = SK_BUFFER_INIT;
    const char *text = NULL;

    if (result == NULL || result->status != KERNEL_OK) {
        return kernel_result_error(result);
    }
    if (result->text != NULL) {
        return result->text;
    }
    switch (result->value.type) {
    case KP_NULL:
        return "";
    case KP_BOOLEAN:
        return result->value.as.boolean != 0 ? "true" : "false";
    case KP_STRING:
    case KP_OBJECT:
    case KP_ARRAY:
        return result->value.as.text.ptr;
    default:
        break;
    }
    text = atomic_load_explicit(&shared->printed, memory_order_acquire);
    if (text != NULL) {
        return text;
    }
    if (result->value.type == KP_BYTES) {
        sk_buffer_appendf(&made, "[%zu bytes]", result->value.as.text.len);
    } else {
        kernel__value_write_json(&made, &result->value);
    }
    text = publish(&shared->printed, &made);
    return text != NULL ? text : NO_MEMORY_TEXT;
}

const char *kernel_result_json(const kernel_result_t *result)
{
    kernel_result_t *shared = unconst(result);
    sk_buffer_t made = SK_BUFFER_INIT;
    const char *json = NULL;

    if (result == NULL) {
        return nothing_json;
    }
    if (result->value.type == KP_OBJECT || result->value.type == KP_ARRAY) {
        return result->value.as.text.ptr;
    }
    json = atomic_load_explicit(&shared->json, memory_order_acquire);
    if (json != NULL) {
        return json;
    }
    if (result->status == KERNEL_OK) {
        kernel__value_write_json(&made, &result->value);
    } else {
        sk_buffer_append_text(&made, "{\"error\":{\"status\":");
        sk_json_write_text(&made, kernel_status_name(result->status));
        sk_buffer_append_text(&made, ",\"text\":");
        sk_json_write_text(&made, result->error);
        sk_buffer_append_text(&made, "}}");
    }
    return publish(&shared->json, &made);
}
