/*
 * extensions.h - what kp_extension() answers.
 */
#ifndef KERNEL_EXTENSIONS_PRIVATE_H
#define KERNEL_EXTENSIONS_PRIVATE_H

#include <kernel/kernel.h>
#include <kernel/plugin.h>
#include <kernel/service.h>

struct kernel__call;

/* The tables that the kernel itself answers; each first in a struct that finds the kernel. */
typedef struct kernel__extension_tables {
    struct {
        kp_loop table;
        kernel_t *kernel;
    } loop;
    struct {
        kp_invoke table;
        kernel_t *kernel;
    } invoke;
    struct {
        kp_context table;
        kernel_t *kernel;
    } context;
    struct {
        kp_poll table;
        kernel_t *kernel;
    } poll;
    struct {
        kp_process_table table;
        kernel_t *kernel;
    } process;
    struct {
        kp_provider table;
        kernel_t *kernel;
    } provider;
} kernel__extension_tables_t;

void kernel__extensions_init(kernel_t *kernel);
/* A table, or NULL. Loads and adds the service that answers, if the kernel knows which. */
const void *kernel__extension_find(kernel_plugin_t *plugin, const char *id);

void kernel__extension_loop_fill(kp_loop *table);
void kernel__extension_invoke_fill(kp_invoke *table);
void kernel__extension_context_fill(kp_context *table);
void kernel__extension_poll_fill(kp_poll *table);
void kernel__extension_process_fill(kp_process_table *table);
void kernel__extension_provider_fill(kp_provider *table);

/* ---- what calls and removal need of them ---- */

/* Tell the holds of a cancelled call, or (call NULL) of an instance, to stop. [thread: loop] */
void kernel__provider_stop_call(kernel_t *kernel, struct kernel__call *call, int status);
void kernel__provider_stop_instance(kernel_plugin_t *plugin);
/* Keep the timers of an instance from firing; their handles stay until it is destroyed.
 * [thread: loop] */
void kernel__extension_loop_silence(kernel_plugin_t *plugin);
/* After destroy(): free the handles that are left. [thread: loop] */
void kernel__extension_loop_forget(kernel_plugin_t *plugin);
/* Post what create() posted; or forget it. */
void kernel__extension_loop_release_held(kernel_plugin_t *plugin, bool run);

/* The host's vtable, the same for all kernels. */
extern const kp_host kernel__host;

#endif /* KERNEL_EXTENSIONS_PRIVATE_H */
