/*
 * entry.c - modules whose entry answers something that no kernel can use. The
 * build defines which: NO_ENTRY, UNDEFINED, NULL_MODULE, SMALL_MODULE,
 * LATER_MODULE, SMALL_TYPE, NO_TYPES, NAMELESS, BAD_NAME, SAME_NAMES.
 */
#include <kernel/plugin.h>

KP_FUNCTION(integer, one, "Return 1.")
{
    return 1;
}

#ifdef UNDEFINED
int that_nobody_has(void);

KP_FUNCTION(integer, two, "Call what is not there.")
{
    return that_nobody_has();
}
#define LIST KP_FUNCTIONS(one, two)
#else
#define LIST KP_FUNCTIONS(one)
#endif

#ifdef SMALL_TYPE
#define TYPE_SIZE 72
#else
#define TYPE_SIZE sizeof(kp_plugin)
#endif

#if defined(NAMELESS)
#define TYPE_NAME NULL
#elif defined(BAD_NAME)
#define TYPE_NAME "bad__name"
#else
#define TYPE_NAME "entry"
#endif

static const kp_plugin type = {
    .size = TYPE_SIZE,
    .name = TYPE_NAME,
    .version = "1.0.0",
    .description = "A type.",
    .functions = LIST,
};

#ifdef SAME_NAMES
static const kp_plugin same = {
    .size = sizeof(kp_plugin),
    .name = "entry",
    .version = "1.0.0",
    .description = "Another type of the same name.",
    .functions = LIST,
};
#define TYPES                                                                                      \
    {                                                                                              \
        &type, &same, NULL                                                                         \
    }
#elif defined(NO_TYPES)
#define TYPES                                                                                      \
    {                                                                                              \
        NULL, &type                                                                                \
    }
#else
#define TYPES                                                                                      \
    {                                                                                              \
        &type, NULL                                                                                \
    }
#endif

static const kp_plugin *const types[] = TYPES;

#if defined(SMALL_MODULE)
static const kp_module module = {16, KP_MINOR, 0, 0, types};
#elif defined(LATER_MODULE)
static const kp_module module = {sizeof(kp_module), KP_MINOR, 9, 0, types};
#else
static const kp_module module = {sizeof(kp_module), KP_MINOR, 0, 0, types};
#endif

KP_NOTE

#ifdef NO_ENTRY
KP_EXPORT const kp_module *kernel_plugin_v2(const kp_host *host);
KP_EXPORT const kp_module *kernel_plugin_v2(const kp_host *host)
#else
KP_EXPORT const kp_module *kernel_plugin_v1(const kp_host *host);
KP_EXPORT const kp_module *kernel_plugin_v1(const kp_host *host)
#endif
{
    (void)host;
#ifdef NULL_MODULE
    return module.size == 0 ? &module : NULL;
#else
    return &module;
#endif
}
