/*
 * sandbox.h - one running sandbox: bubblewrap, its init, and the worker inside.
 *
 * From spawn to gone: the callback runs once, when every process of the sandbox
 * is dead. Only then may its file systems be given to someone else.
 */
#ifndef SESSIONS_SANDBOX_PRIVATE_H
#define SESSIONS_SANDBOX_PRIVATE_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "base/failure.h"
#include "config/config.h"
#include "facility.h"
#include "namespace.h"
#include "program.h"

/* What all sandboxes of a server have in common. */
typedef struct sandbox_plan {
    uv_loop_t *loop;
    const config_t *config;
    const facility_t *facility;
    int seccomp_file;         /* the filter's program */
    const program_t *program; /* of the workers */
    int fonts_file;           /* matplotlib's font cache, once there is one: */
    char fonts_name[40];      /* "" before */
    char memory_reason[64];   /* why a worker was ended that had too much */
} sandbox_plan_t;

/* What a sandbox is started with, for a recipe to hand on. */
typedef struct sandbox_ends {
    int control;   /* for the worker: its descriptor 3 */
    int info;      /* to be written: {"child-pid": its init} */
    int complaint; /* to be written: what went wrong, before the worker is ready */
} sandbox_ends_t;

typedef struct sandbox sandbox_t;
typedef void (*sandbox_gone_cb)(sandbox_t *sandbox, void *data);

/* Start a sandbox over the files of `place`; `control` becomes the worker's
 * descriptor 3 and stays the caller's here. NULL on failure, and then `cb` never
 * runs. After `cb` the sandbox frees itself. */
sandbox_t *sandbox_spawn(const sandbox_plan_t *plan, const place_t *place, int control,
                         sandbox_gone_cb cb, void *data, failure_t *failure);

/* Its worker is ready: from here on its complaints could be user code's, and are not heard. */
void sandbox_hush(sandbox_t *sandbox);

/* End all processes in it; the callback tells when that has happened. */
void sandbox_kill(sandbox_t *sandbox);

/* Its init, as this process sees it; 0 while bubblewrap has not told. */
pid_t sandbox_init(const sandbox_t *sandbox);

/* What it printed before the worker was ready, "" if nothing. */
const char *sandbox_diagnosis(const sandbox_t *sandbox);

#endif /* SESSIONS_SANDBOX_PRIVATE_H */
