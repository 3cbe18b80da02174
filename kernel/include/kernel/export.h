/*
 * kernel/export.h - what declarations say to the compiler.
 */
#ifndef KERNEL_EXPORT_H
#define KERNEL_EXPORT_H

#if defined(__GNUC__)
#define KERNEL_API          __attribute__((visibility("default")))
#define KERNEL_MUST_CHECK   __attribute__((warn_unused_result))
#define KERNEL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define KERNEL_API
#define KERNEL_MUST_CHECK
#define KERNEL_PRINTF(f, a)
#endif

/* Marks a function whose result the caller frees with `free_fn`. gcc 11 and
 * later then report an ignored result and a release by the wrong function. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define KERNEL_OWNED(free_fn) __attribute__((malloc(free_fn, 1), warn_unused_result))
#else
#define KERNEL_OWNED(free_fn) KERNEL_MUST_CHECK
#endif

#endif /* KERNEL_EXPORT_H */
