/*
 * kernel/version.h - the release, at compile time and at run time.
 *
 * The only place where the number stands; the build reads it from here.
 */
#ifndef KERNEL_VERSION_H
#define KERNEL_VERSION_H

#include <kernel/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KERNEL_VERSION_MAJOR  0
#define KERNEL_VERSION_MINOR  1
#define KERNEL_VERSION_PATCH  0
#define KERNEL_VERSION_STRING "0.1.0"

/*
 * The version of the library that is running, for instance "0.1.0". It may be
 * later than the headers that the host was compiled with.
 *
 * [thread: any] [borrowed: constant, for ever]
 */
KERNEL_API const char *kernel_version(void);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_VERSION_H */
