/*
 * kernel/types.h - the handles of the host API, all opaque.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

typedef struct kernel kernel_t;                               /* kernel.h */
typedef struct kernel_plugin kernel_plugin_t;                 /* plugins.h */
typedef struct kernel_function kernel_function_t;             /* plugins.h */
typedef struct kernel_service kernel_service_t;               /* plugins.h */
typedef struct kernel_args kernel_args_t;                     /* args.h */
typedef struct kernel_result kernel_result_t;                 /* result.h */
typedef struct kernel_call kernel_call_t;                     /* invoke.h */
typedef struct kernel_cancel kernel_cancel_t;                 /* invoke.h */
typedef struct kernel_filter_context kernel_filter_context_t; /* filter.h */

/*
 * Types of arguments and results. The numbers are those of the plugin ABI
 * (KP_NULL, KP_BOOLEAN, ...).
 */
typedef enum kernel_type {
    KERNEL_TYPE_NULL = 0,
    KERNEL_TYPE_BOOLEAN = 1,
    KERNEL_TYPE_INTEGER = 2, /* 64 bits, signed */
    KERNEL_TYPE_NUMBER = 3,  /* double */
    KERNEL_TYPE_STRING = 4,  /* UTF-8 */
    KERNEL_TYPE_OBJECT = 5,  /* JSON text */
    KERNEL_TYPE_ARRAY = 6,   /* JSON text */
    KERNEL_TYPE_BYTES = 7
} kernel_type_t;

#endif /* KERNEL_TYPES_H */
