/*
 * kernel/args.h - the named arguments of a call.
 *
 *     kernel_args_t *args = kernel_args_new();
 *     kernel_args_set_string(args, "code", "print(1 + 1)");
 *     kernel_args_set_integer(args, "timeout", 30);
 *
 * Setters return nothing: the first one that fails (memory, an empty name, text
 * that is not UTF-8) is remembered for good and reported by the call that uses
 * the arguments. A later value of the same name replaces the earlier one.
 *
 * An argument object may be read by many threads while nobody changes it. All
 * functions accept NULL: setters do nothing, questions answer no, zero or NULL.
 */
#ifndef KERNEL_ARGS_H
#define KERNEL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/export.h>
#include <kernel/status.h>
#include <kernel/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Free arguments; NULL is fine. [thread: any] */
KERNEL_API void kernel_args_free(kernel_args_t *args);

/*
 * Make an empty set of arguments. NULL when memory runs out; a call with NULL
 * is one without arguments.
 *
 * [thread: any] [owned: kernel_args_free]
 */
KERNEL_API kernel_args_t *kernel_args_new(void) KERNEL_OWNED(kernel_args_free);

/* Deep copy; NULL for NULL or when memory runs out. [thread: any] [owned: kernel_args_free] */
KERNEL_API kernel_args_t *kernel_args_copy(const kernel_args_t *args)
    KERNEL_OWNED(kernel_args_free);

/* Set a UTF-8 text, copied; NULL sets null. [thread: any] */
KERNEL_API void kernel_args_set_string(kernel_args_t *args, const char *name, const char *text);

/* Set a UTF-8 text of `size` bytes, copied. U+0000 inside is refused. [thread: any] */
KERNEL_API void kernel_args_set_text(kernel_args_t *args, const char *name, const char *text,
                                     size_t size);

/* Set an integer. [thread: any] */
KERNEL_API void kernel_args_set_integer(kernel_args_t *args, const char *name, int64_t value);

/* Set a number; NaN and infinities are refused. [thread: any] */
KERNEL_API void kernel_args_set_number(kernel_args_t *args, const char *name, double value);

/* Set a truth value. [thread: any] */
KERNEL_API void kernel_args_set_boolean(kernel_args_t *args, const char *name, bool value);

/* Set null: for a declared parameter the same as leaving it out. [thread: any] */
KERNEL_API void kernel_args_set_null(kernel_args_t *args, const char *name);

/* Set bytes, copied. [thread: any] */
KERNEL_API void kernel_args_set_bytes(kernel_args_t *args, const char *name, const void *data,
                                      size_t size);

/*
 * Set any JSON value from its text, copied: objects and arrays as such, the
 * others as if by the setter of their type. [thread: any]
 */
KERNEL_API void kernel_args_set_json(kernel_args_t *args, const char *name, const char *json);

/* Forget one value; absent is fine. [thread: any] */
KERNEL_API void kernel_args_unset(kernel_args_t *args, const char *name);

/*
 * Set every member of a JSON object. All or nothing.
 *
 * KERNEL_E_INVALID    not a JSON object; equal names; invalid UTF-8
 * KERNEL_E_LIMIT      above 16 MiB or 64 levels, or more than 4096 arguments
 * KERNEL_E_NO_MEMORY
 *
 * [thread: any] [nullable: error]
 */
KERNEL_API kernel_status_t kernel_args_read_json(kernel_args_t *args, const char *json, size_t size,
                                                 kernel_error_t *error);

/*
 * The first failure of a setter, KERNEL_OK if there was none; its text goes to
 * `error`. Only for those who want to know before the call. [thread: any]
 */
KERNEL_API kernel_status_t kernel_args_status(const kernel_args_t *args, kernel_error_t *error);

/* How many values there are. [thread: any] */
KERNEL_API size_t kernel_args_count(const kernel_args_t *args);

/* The name at an index, in the order of setting; NULL beyond the end.
 * [thread: any] [borrowed: args, until it is changed] */
KERNEL_API const char *kernel_args_name_at(const kernel_args_t *args, size_t index);

/* Is there a value of that name? [thread: any] */
KERNEL_API bool kernel_args_has(const kernel_args_t *args, const char *name);

/* The type of a value, KERNEL_TYPE_NULL if absent. [thread: any] */
KERNEL_API kernel_type_t kernel_args_type(const kernel_args_t *args, const char *name);

/* An INTEGER's value, 0 if it is none. [thread: any] */
KERNEL_API int64_t kernel_args_integer(const kernel_args_t *args, const char *name);

/* A NUMBER's or INTEGER's value, 0 if it is none. [thread: any] */
KERNEL_API double kernel_args_number(const kernel_args_t *args, const char *name);

/* A BOOLEAN's value, false if it is none. [thread: any] */
KERNEL_API bool kernel_args_boolean(const kernel_args_t *args, const char *name);

/*
 * The text of a STRING, the JSON of an OBJECT or ARRAY, the content of BYTES;
 * NULL for others. A NUL follows it. `size_out` may be NULL.
 *
 * [thread: any] [borrowed: args, until it is changed]
 */
KERNEL_API const char *kernel_args_text(const kernel_args_t *args, const char *name,
                                        size_t *size_out);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_ARGS_H */
