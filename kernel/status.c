/*
 * status.c - statuses in words, both tables made from the one list.
 */
#include <kernel/status.h>

const char *kernel_status_name(kernel_status_t status)
{
    switch (status) {
#define STATUS_NAME(name, number, text)                                                            \
    case KERNEL_##name:                                                                            \
        return "KERNEL_" #name;
        KERNEL_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "KERNEL_E_?";
}

const char *kernel_status_text(kernel_status_t status)
{
    switch (status) {
#define STATUS_TEXT(name, number, text)                                                            \
    case KERNEL_##name:                                                                            \
        return text;
        KERNEL_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "it failed with a status that this kernel does not know";
}
