/*
 * kernel/result.h - how a call ended: one typed value, or why there is none.
 *
 *     puts(kernel_result_text(result));
 *
 * A result never changes, owns all its memory, may be read by any number of
 * threads and outlives plugin and kernel. It is counted: who wants to keep a
 * borrowed one calls kernel_result_keep(). NULL is a result with the status
 * KERNEL_E_INVALID.
 */
#ifndef KERNEL_RESULT_H
#define KERNEL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/export.h>
#include <kernel/status.h>
#include <kernel/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes beside the value: an image, a table. */
typedef struct kernel_attachment {
    size_t size;            /* of this struct */
    const char *name;       /* "" if it has none */
    const char *media_type; /* for instance "image/png" */
    const void *data;
    size_t data_size; /* bytes */
} kernel_attachment_t;

/* Let go of a result; NULL is fine. [thread: any] */
KERNEL_API void kernel_result_free(kernel_result_t *result);

/*
 * Count one more owner, for instance of a result that is only borrowed; returns
 * its argument.
 *
 * [thread: any] [owned: kernel_result_free]
 */
KERNEL_API kernel_result_t *kernel_result_keep(const kernel_result_t *result)
    KERNEL_OWNED(kernel_result_free);

/* KERNEL_OK, or why there is no value. [thread: any] */
KERNEL_API kernel_status_t kernel_result_status(const kernel_result_t *result);

/* The text of a failure, "" on success. [thread: any] [borrowed: result, until it is freed] */
KERNEL_API const char *kernel_result_error(const kernel_result_t *result);

/*
 * JSON beside the text of a failure, for logs and filters (an HTTP status, the
 * far side's code); NULL if there is none.
 *
 * [thread: any] [borrowed: result, until it is freed]
 */
KERNEL_API const char *kernel_result_detail(const kernel_result_t *result);

/* The type of the value; KERNEL_TYPE_NULL for a failure. [thread: any] */
KERNEL_API kernel_type_t kernel_result_type(const kernel_result_t *result);

/* An INTEGER's value, 0 if it is none. [thread: any] */
KERNEL_API int64_t kernel_result_integer(const kernel_result_t *result);

/* A NUMBER's or INTEGER's value, 0 if it is none. [thread: any] */
KERNEL_API double kernel_result_number(const kernel_result_t *result);

/* A BOOLEAN's value, false if it is none. [thread: any] */
KERNEL_API bool kernel_result_boolean(const kernel_result_t *result);

/*
 * The text of a STRING, the JSON of an OBJECT or ARRAY, the content of BYTES,
 * NULL for others. A NUL follows it. `size_out` may be NULL.
 *
 * [thread: any] [borrowed: result, until it is freed]
 */
KERNEL_API const char *kernel_result_string(const kernel_result_t *result, size_t *size_out);

/*
 * The result for people and models: the text that the function gave beside its
 * value, else the value printed (strings as they are, bytes as "[N bytes]"),
 * else the text of the failure. Never NULL; "" for null.
 *
 * [thread: any] [borrowed: result, until it is freed]
 */
KERNEL_API const char *kernel_result_text(const kernel_result_t *result);

/*
 * The value as JSON text, bytes as base64; a failure as
 * {"error":{"status":"KERNEL_E_...","text":"..."}}. Rendered at the first call;
 * NULL only when memory runs out.
 *
 * [thread: any] [borrowed: result, until it is freed]
 */
KERNEL_API const char *kernel_result_json(const kernel_result_t *result);

/* How many attachments there are. [thread: any] */
KERNEL_API size_t kernel_result_attachment_count(const kernel_result_t *result);

/* An attachment; NULL beyond the end. [thread: any] [borrowed: result, until it is freed] */
KERNEL_API const kernel_attachment_t *kernel_result_attachment_at(const kernel_result_t *result,
                                                                  size_t index);

/*
 * Make a result, for filters that answer instead of a function. The text is
 * copied. Never NULL: when memory runs out it is a failure with that status.
 *
 * [thread: any] [owned: kernel_result_free]
 */
KERNEL_API kernel_result_t *kernel_result_new_string(const char *text) KERNEL_MUST_CHECK;

/* The same from any JSON value; text that is not JSON makes a failure.
 * [thread: any] [owned: kernel_result_free] */
KERNEL_API kernel_result_t *kernel_result_new_json(const char *json) KERNEL_MUST_CHECK;

/* The same for a failure; `status` must be negative. [thread: any] [owned: kernel_result_free] */
KERNEL_API kernel_result_t *kernel_result_new_error(kernel_status_t status,
                                                    const char *text) KERNEL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_RESULT_H */
