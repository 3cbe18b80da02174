/*
 * version.c - the release that is running.
 */
#include <kernel/version.h>

const char *kernel_version(void)
{
    return KERNEL_VERSION_STRING;
}
