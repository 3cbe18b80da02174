/*
 * loader.c - from a type's name to checked descriptors.
 *
 *     kernel__loader_find   what is asked for; the steps below; an alias if there is nothing
 *     request_read          a name or a path, and the type within the module
 *     loader_search         the first file of that name in the directories
 *     loader_load           may it be trusted, is it on the list; map it, ask its entry
 *     loader_pick           one of its types
 *     loader_not_found      or what there is instead
 *
 * Every failure that is about a file, or about its absence, passes through
 * loader_reject(), which remembers it.
 */
#include "loader.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "error.h"
#include "extensions.h"
#include "file_trust.h"
#include "image.h"
#include "module.h"
#include "place.h"
#include "rejections.h"
#include "static_types.h"
#include "text.h"
#include "trust_list.h"

#define WHY_ROOM  2048
#define KIND_SIZE 2

static const char *const kind_names[KIND_SIZE] = {
    [KERNEL__LOADER_PLUGIN] = "plugin", [KERNEL__LOADER_SERVICE] = "service"};
static const char *const kind_folders[KIND_SIZE] = {
    [KERNEL__LOADER_PLUGIN] = "plugins", [KERNEL__LOADER_SERVICE] = "services"};

/* Types of ours under Semantic Kernel's names. A file of such a name goes first. */
static const struct alias {
    kernel__loader_kind_t kind;
    const char *name;
    const char *type;
} aliases[] = {
    {KERNEL__LOADER_PLUGIN, "MathPlugin", "math"},
    {KERNEL__LOADER_PLUGIN, "SessionsPythonTool", "sessions_python"},
};

typedef struct directory {
    char *path; /* owned */
    bool is_for[KIND_SIZE];
} directory_t;

struct kernel__loader {
    const kernel__log_t *log; /* borrowed; outlives the loader */
    bool is_watched;          /* SEMKERNEL_PLUGIN_DEBUG: each step goes to standard error */
    kernel__trust_list_t *trust;
    directory_t *directories; /* owned; in the order of search */
    size_t directory_count;
    kernel__rejections_t rejections;
};

/* What kernel__loader_find() was asked for. */
typedef struct request {
    kernel__loader_kind_t kind;
    char name[KERNEL__QUOTE_ROOM]; /* for texts */
    bool is_path;
    char module[PATH_MAX]; /* a name or a path */
    const char *type;      /* NULL: the only one of the module */
} request_t;

static kernel_status_t request_read(kernel__loader_kind_t kind, const char *type,
                                    request_t *request, kernel_error_t *error);
static kernel_status_t loader_find_alias(kernel__loader_t *loader, const request_t *request,
                                         kernel__loaded_t *loaded_out, kernel_error_t *error);
static bool loader_search(kernel__loader_t *loader, const request_t *request, char path[PATH_MAX]);
static kernel_status_t loader_load(kernel__loader_t *loader, const request_t *request,
                                   const char *path, kernel__loaded_t *loaded_out,
                                   kernel_error_t *error);
static kernel_status_t loader_pick(const kp_module *module, const request_t *request,
                                   const char *path, kernel__loaded_t *loaded_out,
                                   kernel_error_t *error);
static kernel_status_t loader_not_found(kernel__loader_t *loader, const request_t *request,
                                        kernel_error_t *error);

/* ---- making one ---- */

static bool loader_is_traced(const kernel__loader_t *loader)
{
    return loader->is_watched ||
           (loader->log->fn != NULL && loader->log->level <= KERNEL_LOG_DEBUG);
}

static void loader_trace(const kernel__loader_t *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void loader_trace(const kernel__loader_t *loader, const char *format, ...)
{
    char line[WHY_ROOM];
    va_list arguments;

    if (!loader_is_traced(loader)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (loader->is_watched) {
        fprintf(stderr, "semkernel: %s\n", line);
    }
    kernel__log_write(loader->log, KERNEL_LOG_DEBUG, "%s", line);
}

static kernel_status_t loader_no_memory(kernel_error_t *error)
{
    return kernel__error_set(error, KERNEL_E_NO_MEMORY,
                             "cannot prepare the search for plugins: memory ran out");
}

static kernel_status_t loader_add_directory(kernel__loader_t *loader, const char *path, size_t size,
                                            bool for_plugins, bool for_services,
                                            kernel_error_t *error)
{
    directory_t *grown = sk_realloc(loader->directories,
                                    (loader->directory_count + 1) * sizeof(*loader->directories));
    directory_t *added = NULL;

    if (grown == NULL) {
        return loader_no_memory(error);
    }
    loader->directories = grown;
    added = &grown[loader->directory_count];
    added->is_for[KERNEL__LOADER_PLUGIN] = for_plugins;
    added->is_for[KERNEL__LOADER_SERVICE] = for_services;
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    added->path = sk_memdup(path, size);
    if (added->path == NULL) {
        return loader_no_memory(error);
    }
    loader->directory_count++;
    return KERNEL_OK;
}

/* The host's own: one that cannot mean anything is a mistake in its source. */
static kernel_status_t loader_add_options(kernel__loader_t *loader, const char *const *paths,
                                          kernel_error_t *error)
{
    for (size_t i = 0; paths != NULL && paths[i] != NULL; i++) {
        if (paths[i][0] != '/') {
            return kernel__error_set(
                error, KERNEL_E_INVALID,
                "option plugin_paths: directory %zu is '%s', expected an absolute path", i,
                paths[i]);
        }
        if (loader_add_directory(loader, paths[i], strlen(paths[i]), true, true, error) !=
            KERNEL_OK) {
            return KERNEL_E_NO_MEMORY;
        }
    }
    return KERNEL_OK;
}

static kernel_status_t loader_add_environment(kernel__loader_t *loader, kernel_error_t *error)
{
    const char *at = getenv("SEMKERNEL_PLUGIN_PATH");

    if (at == NULL || at[0] == '\0') {
        return KERNEL_OK;
    }
    if (getauxval(AT_SECURE) != 0) {
        kernel__log_write(loader->log, KERNEL_LOG_WARN,
                          "SEMKERNEL_PLUGIN_PATH is ignored, since this program runs with the "
                          "rights of its file");
        return KERNEL_OK;
    }
    for (;;) {
        size_t size = strcspn(at, ":");

        if (at[0] != '/') {
            kernel__log_write(loader->log, KERNEL_LOG_WARN,
                              "SEMKERNEL_PLUGIN_PATH: the directory '%.*s' is ignored, since it is "
                              "%s: give absolute paths, separated by colons",
                              (int)size, at, size == 0 ? "empty" : "relative");
        } else if (loader_add_directory(loader, at, size, true, true, error) != KERNEL_OK) {
            return KERNEL_E_NO_MEMORY;
        }
        if (at[size] == '\0') {
            return KERNEL_OK;
        }
        at += size + 1;
    }
}

static kernel_status_t loader_add_installed(kernel__loader_t *loader, const char *libdir,
                                            kernel_error_t *error)
{
    for (int kind = 0; kind < KIND_SIZE; kind++) {
        char path[PATH_MAX];
        size_t size =
            (size_t)snprintf(path, sizeof(path), "%s/semkernel/%s", libdir, kind_folders[kind]);

        if (size < sizeof(path) &&
            loader_add_directory(loader, path, size, kind == KERNEL__LOADER_PLUGIN,
                                 kind == KERNEL__LOADER_SERVICE, error) != KERNEL_OK) {
            return KERNEL_E_NO_MEMORY;
        }
    }
    return KERNEL_OK;
}

static kernel_status_t loader_add_directories(kernel__loader_t *loader,
                                              const kernel_options_t *options,
                                              kernel_error_t *error)
{
    char beside[PATH_MAX];
    kernel_status_t status = KERNEL_OK;

    if (options != NULL) {
        status = loader_add_options(loader, options->plugin_paths, error);
    }
    if (status == KERNEL_OK) {
        status = loader_add_environment(loader, error);
    }
    if (status == KERNEL_OK && kernel__place_of_library(beside)) {
        status = loader_add_installed(loader, beside, error);
        if (strcmp(beside, SEMKERNEL_LIBDIR) == 0) {
            return status;
        }
    }
    return status == KERNEL_OK ? loader_add_installed(loader, SEMKERNEL_LIBDIR, error) : status;
}

kernel__loader_t *kernel__loader_new(const kernel_options_t *options, const kernel__log_t *log,
                                     kernel_error_t *error)
{
    kernel__loader_t *loader = sk_calloc(1, sizeof(*loader));
    const char *watched = getenv("SEMKERNEL_PLUGIN_DEBUG");
    kernel_status_t status = KERNEL_OK;

    if (loader == NULL) {
        loader_no_memory(error);
        return NULL;
    }
    loader->log = log;
    loader->is_watched = watched != NULL && strcmp(watched, "1") == 0;
    kernel__rejections_init(&loader->rejections);
    status = loader_add_directories(loader, options, error);
    if (status == KERNEL_OK && options != NULL && options->trust != NULL) {
        loader->trust = kernel__trust_list_new(options->trust, error);
        status = loader->trust != NULL ? KERNEL_OK : KERNEL_E_INVALID;
    }
    if (status != KERNEL_OK) {
        kernel__loader_free(loader);
        return NULL;
    }
    return loader;
}

void kernel__loader_free(kernel__loader_t *loader)
{
    if (loader == NULL) {
        return;
    }
    for (size_t i = 0; i < loader->directory_count; i++) {
        sk_free(loader->directories[i].path);
    }
    kernel__rejections_fini(&loader->rejections);
    kernel__trust_list_free(loader->trust);
    sk_free(loader->directories);
    sk_free(loader);
}

/* ---- rejections ---- */

void kernel__loader_reject(kernel__loader_t *loader, const char *path, kernel_status_t status,
                           const char *text)
{
    loader_trace(loader, "%s", text);
    kernel__rejections_add(&loader->rejections, path, status, text);
}

static kernel_status_t loader_reject(kernel__loader_t *loader, const request_t *request,
                                     const char *path, kernel_status_t status, const char *why,
                                     kernel_error_t *error)
{
    char text[WHY_ROOM];

    snprintf(text, sizeof(text), "cannot load %s '%s': %s", kind_names[request->kind],
             request->name, why);
    kernel__loader_reject(loader, path, status, text);
    return kernel__error_set(error, status, "%s", text);
}

size_t kernel__loader_rejection_count(kernel__loader_t *loader)
{
    return kernel__rejections_count(&loader->rejections);
}

const kernel_rejection_t *kernel__loader_rejection_at(kernel__loader_t *loader, size_t index)
{
    return kernel__rejections_at(&loader->rejections, index);
}

/* ---- finding ---- */

kernel_status_t kernel__loader_find(kernel__loader_t *loader, kernel__loader_kind_t kind,
                                    const char *type, kernel__loaded_t *loaded_out,
                                    kernel_error_t *error)
{
    request_t request;
    char path[PATH_MAX];
    const kp_module *built_in = NULL;
    kernel_status_t status = KERNEL_OK;

    memset(loaded_out, 0, sizeof(*loaded_out));
    status = request_read(kind, type, &request, error);
    if (status != KERNEL_OK) {
        return status;
    }
    if (request.is_path) {
        return loader_load(loader, &request, request.module, loaded_out, error);
    }
    built_in = kernel__static_find(request.module);
    if (built_in != NULL) {
        loader_trace(loader, "%s '%s' is linked into the host", kind_names[kind], request.name);
        return loader_pick(built_in, &request, "", loaded_out, error);
    }
    if (loader_search(loader, &request, path)) {
        return loader_load(loader, &request, path, loaded_out, error);
    }
    return loader_find_alias(loader, &request, loaded_out, error);
}

static kernel_status_t loader_find_alias(kernel__loader_t *loader, const request_t *request,
                                         kernel__loaded_t *loaded_out, kernel_error_t *error)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (aliases[i].kind == request->kind && request->type == NULL &&
            strcmp(aliases[i].name, request->module) == 0) {
            return kernel__loader_find(loader, request->kind, aliases[i].type, loaded_out, error);
        }
    }
    return loader_not_found(loader, request, error);
}

static kernel_status_t request_refuse(const request_t *request, kernel_error_t *error,
                                      const char *why)
{
    return kernel__error_set(error, KERNEL_E_INVALID, "cannot load %s '%s': %s",
                             kind_names[request->kind], request->name, why);
}

/* A colon behind the last slash separates module and type. */
static kernel_status_t request_read(kernel__loader_kind_t kind, const char *type,
                                    request_t *request, kernel_error_t *error)
{
    const char *slash = NULL;
    const char *colon = NULL;
    size_t size = 0;

    request->kind = kind;
    request->type = NULL;
    if (type == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot load a %s without a type: give the name of a module",
                                 kind_names[kind]);
    }
    kernel__error_quote(request->name, type, strlen(type));
    slash = strrchr(type, '/');
    colon = strrchr(slash != NULL ? slash : type, ':');
    size = colon != NULL ? (size_t)(colon - type) : strlen(type);
    request->is_path = slash != NULL;
    if (colon != NULL) {
        request->type = colon + 1;
    }
    if (size == 0 || (colon != NULL && colon[1] == '\0')) {
        return request_refuse(request, error,
                              "a name is missing: say module, module:type or an absolute path");
    }
    if (request->is_path && type[0] != '/') {
        return request_refuse(request, error,
                              "the path is relative, and the working directory is never searched: "
                              "give an absolute path, or a name without a slash");
    }
    if (size >= (request->is_path ? sizeof(request->module) : (size_t)NAME_MAX - 3)) {
        return request_refuse(request, error, "the name is too long for a file");
    }
    memcpy(request->module, type, size);
    request->module[size] = '\0';
    return KERNEL_OK;
}

static bool loader_search(kernel__loader_t *loader, const request_t *request, char path[PATH_MAX])
{
    bool is_found = false;

    for (size_t i = 0; i < loader->directory_count; i++) {
        const directory_t *directory = &loader->directories[i];
        char candidate[PATH_MAX];
        struct stat stats;

        if (!directory->is_for[request->kind] ||
            (size_t)snprintf(candidate, sizeof(candidate), "%s/%s.so", directory->path,
                             request->module) >= sizeof(candidate)) {
            continue;
        }
        if (stat(candidate, &stats) != 0) {
            loader_trace(loader, "%s '%s': not %s: %s", kind_names[request->kind], request->name,
                         candidate, strerror(errno));
        } else if (is_found) {
            loader_trace(loader, "%s '%s': %s is shadowed by %s", kind_names[request->kind],
                         request->name, candidate, path);
        } else {
            loader_trace(loader, "%s '%s': found %s", kind_names[request->kind], request->name,
                         candidate);
            memcpy(path, candidate, sizeof(candidate));
            is_found = true;
            if (!loader_is_traced(loader)) {
                break; /* what it shadows is of interest to nobody */
            }
        }
    }
    return is_found;
}

static kernel_status_t loader_load(kernel__loader_t *loader, const request_t *request,
                                   const char *path, kernel__loaded_t *loaded_out,
                                   kernel_error_t *error)
{
    char why[WHY_ROOM - 256];
    kernel__trusted_file_t file;
    const kernel__image_t *image = NULL;
    const kp_module *module = NULL;
    kernel_status_t status = kernel__file_trust_open(path, &file, why, sizeof(why));

    if (status == KERNEL_OK) {
        status = kernel__trust_list_judge(loader->trust, file.path, file.fd, why, sizeof(why));
    }
    if (status == KERNEL_OK) {
        status = kernel__image_load(&file, &image, why, sizeof(why));
    }
    if (file.fd >= 0) {
        close(file.fd);
    }
    if (status == KERNEL_OK) {
        module = image->entry(&kernel__host);
        status = kernel__module_check(module, image->path, why, sizeof(why));
    }
    if (status != KERNEL_OK) {
        return loader_reject(loader, request, path, status, why, error);
    }
    loader_trace(loader, "%s '%s': loaded %s", kind_names[request->kind], request->name,
                 image->path);
    return loader_pick(module, request, image->path, loaded_out, error);
}

static kernel_status_t loader_pick(const kp_module *module, const request_t *request,
                                   const char *path, kernel__loaded_t *loaded_out,
                                   kernel_error_t *error)
{
    char types[256];

    loaded_out->plugin = kernel__module_find(module, request->type);
    if (loaded_out->plugin != NULL) {
        loaded_out->path = path;
        loaded_out->minor = module->minor;
        return KERNEL_OK;
    }
    kernel__module_list(module, types, sizeof(types));
    if (request->type == NULL) {
        return kernel__error_set(error, KERNEL_E_INVALID,
                                 "cannot load %s '%s': the module offers several types, say which "
                                 "one, for instance '%s:%s'; there are: %s",
                                 kind_names[request->kind], request->name, request->name,
                                 module->plugins[0]->name, types);
    }
    return kernel__error_set(error, KERNEL_E_NOT_FOUND,
                             "cannot load %s '%s': the module offers no such type; there are: %s",
                             kind_names[request->kind], request->name, types);
}

/* ---- nothing there ---- */

#define NAMES_MAX 512

typedef struct names {
    char *items[NAMES_MAX]; /* owned */
    size_t count;
} names_t;

static void names_add(names_t *names, const char *name, size_t size)
{
    if (names->count < NAMES_MAX) {
        names->items[names->count] = sk_memdup(name, size);
        names->count += names->items[names->count] != NULL;
    }
}

static void names_add_directory(names_t *names, const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        size_t size = strlen(entry->d_name);

        if (size > 3 && strcmp(entry->d_name + size - 3, ".so") == 0) {
            names_add(names, entry->d_name, size - 3);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

static void names_add_static(const char *name, void *data)
{
    names_add(data, name, strlen(name));
}

static void names_add_known(names_t *names, const kernel__loader_t *loader,
                            kernel__loader_kind_t kind)
{
    kernel__static_each(names_add_static, names);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (aliases[i].kind == kind) {
            names_add(names, aliases[i].name, strlen(aliases[i].name));
        }
    }
    for (size_t i = 0; i < loader->directory_count; i++) {
        if (loader->directories[i].is_for[kind]) {
            names_add_directory(names, loader->directories[i].path);
        }
    }
}

static kernel_status_t loader_not_found(kernel__loader_t *loader, const request_t *request,
                                        kernel_error_t *error)
{
    names_t names = {.count = 0};
    char why[WHY_ROOM - 256];
    size_t length = 0;
    size_t module_size = strlen(request->module);
    bool has_suffix = module_size > 3 && strcmp(request->module + module_size - 3, ".so") == 0;
    int closest = -1;

    names_add_known(&names, loader, request->kind);
    closest = sk_text_closest(request->module, (const char *const *)names.items, names.count);
    length = (size_t)snprintf(why, sizeof(why), "there is no such file");
    if (has_suffix) {
        length +=
            (size_t)snprintf(why + length, sizeof(why) - length, "; the name goes without .so");
    } else if (closest >= 0) {
        length += (size_t)snprintf(why + length, sizeof(why) - length, "; did you mean '%s'?",
                                   names.items[closest]);
    }
    length += (size_t)snprintf(why + length, sizeof(why) - length,
                               "; install it, add its directory to SEMKERNEL_PLUGIN_PATH or "
                               "plugin_paths, or give an absolute path; searched:");
    for (size_t i = 0; i < loader->directory_count && length < sizeof(why); i++) {
        if (loader->directories[i].is_for[request->kind]) {
            length += (size_t)snprintf(why + length, sizeof(why) - length, " %s",
                                       loader->directories[i].path);
        }
    }
    for (size_t i = 0; i < names.count; i++) {
        sk_free(names.items[i]);
    }
    return loader_reject(loader, request, "", KERNEL_E_NOT_FOUND, why, error);
}
