/*
 * kernel/plugins.h - plugins, services and functions: add, find, look at.
 *
 *     plugin = kernel_add_plugin(kernel, "math", "calc", NULL, &error);
 *     result = kernel_invoke(kernel_plugin_find(plugin, "Add"), args);
 *
 * A *type* is what a shared object offers: the name of its file ("math" finds
 * math.so in the search path), a path with a slash, or "module:type" where one
 * module offers several. An *instance* of it has a name of the host's choice
 * and a configuration. Names are letters, digits and single underscores; a
 * function's full name is plugin-function, at most 64 bytes; people may write
 * plugin.function.
 *
 * Handles stay valid until kernel_free(); after removal what they stand for
 * answers KERNEL_E_UNAVAILABLE. NULL passes through: a function that receives
 * the NULL of a failed look-up answers KERNEL_E_NOT_FOUND, NULL or zero.
 */
#ifndef KERNEL_PLUGINS_H
#define KERNEL_PLUGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/export.h>
#include <kernel/status.h>
#include <kernel/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kp_function; /* plugin.h */
struct kp_module;   /* plugin.h */
struct kp_host;     /* plugin.h */

/*
 * Load a plugin type, if it is not yet loaded, and add an instance of it.
 * `name` NULL: the name that its descriptor gives, as written there. `config` is
 * a JSON object with values for the parameters that the type declares; what it
 * leaves out comes from the process environment, the .env file, the declared
 * default, in this order. NULL: from those alone.
 *
 * KERNEL_E_NOT_FOUND       no such file in the search path, or no such type in it
 * KERNEL_E_DENIED          the file, or a directory above it, can be written by others
 * KERNEL_E_ABI             not a plugin, or made for another epoch or machine
 * KERNEL_E_EXISTS          the name is taken
 * KERNEL_E_INVALID         a bad name, a broken descriptor, a configuration that does not fit
 * KERNEL_E_WOULD_DEADLOCK  called on the kernel's loop thread
 * or what the plugin's own create() answered
 *
 * [thread: any but loop] [borrowed: kernel, until it is freed] [nullable: name, config, error]
 */
KERNEL_API kernel_plugin_t *kernel_add_plugin(kernel_t *kernel, const char *type, const char *name,
                                              const char *config, kernel_error_t *error);

/*
 * The same for a service module: what plugins use rather than what a caller
 * invokes. The kernel adds the services http, identity and sessions by itself
 * when a plugin first needs them; added here before, they have the given
 * configuration.
 *
 * Failures as in kernel_add_plugin().
 *
 * [thread: any but loop] [borrowed: kernel, until it is freed] [nullable: name, config, error]
 */
KERNEL_API kernel_service_t *kernel_add_service(kernel_t *kernel, const char *type,
                                                const char *name, const char *config,
                                                kernel_error_t *error);

/*
 * Add a C function of the host's own, without any shared object. The plugin
 * `plugin_name` is made if it does not exist; only plugins made like this can
 * be added to. The descriptor is copied deeply; `self` becomes call->self and
 * must outlive the kernel. Calls may run at the same time on several threads. A
 * function declared with KP_FUNCTION(type, name, ...) is KP_FUNCTIONS(name)[0].
 *
 * KERNEL_E_EXISTS   the function's name is taken, or the plugin is a loaded one
 * KERNEL_E_INVALID  a bad name or a broken descriptor
 *
 * [thread: any] [borrowed: kernel, until it is freed] [nullable: self, error]
 */
KERNEL_API kernel_function_t *kernel_add_function(kernel_t *kernel, const char *plugin_name,
                                                  const struct kp_function *function, void *self,
                                                  kernel_error_t *error);

/* The entry point of a plugin that is linked into the host (KP_STATIC_NAME).
 * [thread: any] [borrowed: constant, for ever] */
typedef const struct kp_module *(*kernel_entry_fn)(const struct kp_host *host);

/*
 * Make a plugin that is linked into the host known under a type name, in all
 * kernels made afterwards or already there.
 *
 * KERNEL_E_EXISTS   the name is taken
 * KERNEL_E_INVALID  a bad name, or a module that is not of this epoch
 *
 * [thread: any]
 */
KERNEL_API kernel_status_t kernel_register_static(const char *type, kernel_entry_fn entry,
                                                  kernel_error_t *error);

/*
 * Put a new instance in the place of the one of that name: the new one is
 * created first, then the old one is removed. When creating fails, the old one
 * stays; when calls of the old one do not end in time, it is leaked with a log
 * line and the new one takes its place all the same. The old handles answer
 * KERNEL_E_UNAVAILABLE afterwards.
 *
 * Failures as in kernel_add_plugin(), and KERNEL_E_NOT_FOUND and
 * KERNEL_E_WOULD_DEADLOCK as in kernel_remove_plugin().
 *
 * [thread: any but loop] [borrowed: kernel, until it is freed] [nullable: config, error]
 */
KERNEL_API kernel_plugin_t *kernel_replace_plugin(kernel_t *kernel, const char *type,
                                                  const char *name, const char *config,
                                                  kernel_error_t *error);

/*
 * Remove a plugin: new calls are refused, running ones cancelled and waited for
 * (at most the kernel's drain time), then it is destroyed on this thread.
 *
 * KERNEL_E_NOT_FOUND       `plugin` is NULL
 * KERNEL_E_UNAVAILABLE     it was removed before
 * KERNEL_E_WOULD_DEADLOCK  called on the loop thread or inside one of its own calls
 * KERNEL_E_BUSY            calls did not end in time: it stays in memory, but is gone for callers
 *
 * [thread: any but loop]
 */
KERNEL_API kernel_status_t kernel_remove_plugin(kernel_plugin_t *plugin, kernel_error_t *error);

/* Find a plugin by its name. [thread: any] [borrowed: kernel, until it is freed] */
KERNEL_API kernel_plugin_t *kernel_find_plugin(const kernel_t *kernel, const char *name);

/*
 * Find a function by its full name, "plugin-function" or "plugin.function".
 *
 * [thread: any] [borrowed: kernel, until it is freed]
 */
KERNEL_API kernel_function_t *kernel_find_function(const kernel_t *kernel, const char *name);

/* Find a function of a plugin: plugin["name"].
 * [thread: any] [borrowed: kernel, until it is freed] */
KERNEL_API kernel_function_t *kernel_plugin_find(const kernel_plugin_t *plugin, const char *name);

/* ---- looking at what is there ---- */

/* How many plugins were ever added, the removed ones included. [thread: any] */
KERNEL_API size_t kernel_plugin_count(const kernel_t *kernel);

/* A plugin in the order of adding; NULL beyond the end.
 * [thread: any] [borrowed: kernel, until it is freed] */
KERNEL_API kernel_plugin_t *kernel_plugin_at(const kernel_t *kernel, size_t index);

/* Can its functions be called, that is: was it not removed? [thread: any] */
KERNEL_API bool kernel_plugin_is_available(const kernel_plugin_t *plugin);

/* The instance's name. [thread: any] [borrowed: plugin, until the kernel is freed] */
KERNEL_API const char *kernel_plugin_name(const kernel_plugin_t *plugin);

/* The type's own name. [thread: any] [borrowed: plugin, until the kernel is freed] */
KERNEL_API const char *kernel_plugin_type(const kernel_plugin_t *plugin);

/* The version its author gave. [thread: any] [borrowed: plugin, until the kernel is freed] */
KERNEL_API const char *kernel_plugin_version(const kernel_plugin_t *plugin);

/* What it is. [thread: any] [borrowed: plugin, until the kernel is freed] */
KERNEL_API const char *kernel_plugin_description(const kernel_plugin_t *plugin);

/* The file it came from, "" for one without.
 * [thread: any] [borrowed: plugin, until the kernel is freed] */
KERNEL_API const char *kernel_plugin_path(const kernel_plugin_t *plugin);

/* How many functions it has. [thread: any] */
KERNEL_API size_t kernel_plugin_function_count(const kernel_plugin_t *plugin);

/* A function in the order of declaration; NULL beyond the end.
 * [thread: any] [borrowed: plugin, until the kernel is freed] */
KERNEL_API kernel_function_t *kernel_plugin_function_at(const kernel_plugin_t *plugin,
                                                        size_t index);

/* The name within its plugin. [thread: any] [borrowed: function, until the kernel is freed] */
KERNEL_API const char *kernel_function_name(const kernel_function_t *function);

/* "plugin-function", as models see it.
 * [thread: any] [borrowed: function, until the kernel is freed] */
KERNEL_API const char *kernel_function_full_name(const kernel_function_t *function);

/* What it does, "" if nobody said. [thread: any] [borrowed: function, until the kernel is freed] */
KERNEL_API const char *kernel_function_description(const kernel_function_t *function);

/* The plugin it belongs to. [thread: any] [borrowed: function, until the kernel is freed] */
KERNEL_API kernel_plugin_t *kernel_function_plugin(const kernel_function_t *function);

/* Its KP_F_ flags (plugin.h). [thread: any] */
KERNEL_API uint32_t kernel_function_flags(const kernel_function_t *function);

/* What it returns; KERNEL_TYPE_NULL: any type. [thread: any] */
KERNEL_API kernel_type_t kernel_function_returns(const kernel_function_t *function);

/*
 * The JSON Schema of its arguments, an object with properties, required and
 * additionalProperties; made once when the plugin was added. Parameters that
 * models do not see (KP_HIDDEN) are not in it.
 *
 * [thread: any] [borrowed: function, until the kernel is freed]
 */
KERNEL_API const char *kernel_function_schema(const kernel_function_t *function);

/* The JSON Schema of its result, "{}" if nothing is declared.
 * [thread: any] [borrowed: function, until the kernel is freed] */
KERNEL_API const char *kernel_function_returns_schema(const kernel_function_t *function);

/* One declared parameter; all pointers are borrowed from the function. */
typedef struct kernel_parameter {
    size_t size; /* set by the caller to sizeof(kernel_parameter_t) */
    const char *name;
    const char *description; /* "" if nobody said */
    kernel_type_t type;
    bool is_required;
    bool is_hidden;            /* filled from the context, never shown to models */
    bool is_secret;            /* never logged */
    const char *default_value; /* JSON text; NULL: none */
    const char *schema;        /* JSON Schema of this parameter alone */
} kernel_parameter_t;

/* How many parameters it declares. [thread: any] */
KERNEL_API size_t kernel_function_parameter_count(const kernel_function_t *function);

/*
 * Describe a parameter, in the order of declaration. Set `parameter->size`
 * first. False beyond the end.
 *
 * [thread: any] [borrowed: *parameter, until the kernel is freed]
 */
KERNEL_API bool kernel_function_parameter_at(const kernel_function_t *function, size_t index,
                                             kernel_parameter_t *parameter);

/* A file that was looked at and not loaded. */
typedef struct kernel_rejection {
    size_t size;            /* of this struct */
    const char *path;       /* "" when no file was found */
    kernel_status_t status; /* as kernel_add_plugin() reported it */
    const char *text;       /* which check, what was found, what was expected, what to do */
} kernel_rejection_t;

/* How many files were rejected so far, each once. [thread: any] */
KERNEL_API size_t kernel_rejection_count(const kernel_t *kernel);

/* Why a file was rejected, in the order of trying; NULL beyond the end.
 * [thread: any] [borrowed: kernel, until it is freed] */
KERNEL_API const kernel_rejection_t *kernel_rejection_at(const kernel_t *kernel, size_t index);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL_PLUGINS_H */
