/*
 * interpreter.h - a kernel with the plugin sessions_python, and what tests of it need.
 *
 * Whatever fails here fails the test.
 */
#ifndef SUPPORT_INTERPRETER_H
#define SUPPORT_INTERPRETER_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include <kernel/kernel.h>

#include "support/check.h"

typedef struct interpreter {
    kernel_t *kernel;
    kernel_plugin_t *plugin;
    kernel_function_t *execute;
    pthread_mutex_t lock;
    pthread_cond_t logged;
    char log[65536]; /* all lines, each with a line end, as long as there is room */
    size_t log_size;
} interpreter_t;

/* Make the kernel, the service sessions if it is given a configuration, and the plugin. Nothing of
 * the environment counts but what a test has set with setenv() itself. */
void interpreter_init(interpreter_t *interpreter, const char *service_config,
                      const char *plugin_config);
/* The same with the real pool, which is started; skips the test where Python cannot be sandboxed,
 * unless SEMKERNEL_REQUIRE_SANDBOX is set. */
void interpreter_start(interpreter_t *interpreter, const char *plugin_config);
void interpreter_free(interpreter_t *interpreter);

/* Run code and wait; kernel_result_free() the result. */
kernel_result_t *interpreter_run(interpreter_t *interpreter, const char *code);
kernel_result_t *interpreter_run_with(interpreter_t *interpreter, const char *code,
                                      const kernel_invoke_options_t *options);
/* Run code and check status, text, error. NULL: not looked at; `part` is a part of the text, or of
 * the error. */
void interpreter_check(interpreter_t *interpreter, const char *code, kernel_status_t status,
                       const char *part);
/* The same, comparing the whole text. */
void interpreter_check_text(interpreter_t *interpreter, const char *code, const char *text);

/* The number behind the last "process " in the log: the pool's, 0 if none was started. */
pid_t interpreter_pool_pid(interpreter_t *interpreter);
/* Does the log hold this text? */
bool interpreter_has_logged(interpreter_t *interpreter, const char *text);
/* Wait until it does; 30 s, then the test fails. */
void interpreter_wait_for_log(interpreter_t *interpreter, const char *text);

/* What interpreter_start() does, for tests that need a kernel of another kind. */
void require_sandbox(void);

/* The processes below one, itself excluded; returns how many. */
size_t processes_below(pid_t pid, pid_t *pids, size_t size);
/* Wait until a process below this one computes; 30 s, then the test fails. */
void wait_until_busy(pid_t pid);
/* Wait until a process has ended, whoever its parent is; 30 s, then the test fails. */
void wait_until_gone(pid_t pid);

/* A call that goes on beside the test. */
typedef struct running {
    latch_t done;
    kernel_call_t *call;
    kernel_result_t *result; /* once done */
} running_t;

void running_start(running_t *running, interpreter_t *interpreter, const char *code);
/* Wait, check the status, free. */
void running_check(running_t *running, kernel_status_t status, const char *part);

#endif /* SUPPORT_INTERPRETER_H */
