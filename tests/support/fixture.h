/*
 * fixture.h - a kernel for a test, and what calls are watched with.
 *
 *     fixture_t f = fixture_with_plugin("slow");
 *     outcome_t outcome = OUTCOME_INIT;
 *
 *     kernel_args_set_integer(f.args, "ms", 1);
 *     CHECK_EQ(kernel_invoke_async(kernel_plugin_find(f.plugin, "wait"), f.args, NULL,
 *                                  outcome_note, &outcome, NULL), KERNEL_OK);
 *     outcome_wait(&outcome);
 *     fixture_free(&f);
 *     CHECK_EQ(outcome_times(&outcome), 1);
 *
 * The kernel finds the modules made for tests, reads no .env file and keeps what
 * it logs. Whatever cannot be had ends the test.
 */
#ifndef SUPPORT_FIXTURE_H
#define SUPPORT_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kernel/kernel.h>

#include "support/check.h"

#define FIXTURE_WAIT_MS 30000 /* after that something is not slow, but lost */

typedef struct fixture_log fixture_log_t;

typedef struct fixture {
    kernel_t *kernel;
    kernel_plugin_t *plugin; /* the one asked for first */
    kernel_args_t *args;     /* empty */
    fixture_log_t *log;
} fixture_t;

/* What a fixture's kernel is made with; to be changed and handed to fixture_with_options(). */
kernel_options_t fixture_options(void);
fixture_t fixture_with_options(const kernel_options_t *options);
fixture_t fixture_new(void);
/* With a plugin of that type, under the type's own name ("module:type": the type's). */
fixture_t fixture_with_plugin(const char *type);
/* Frees the kernel: what was to come has come. */
void fixture_free(fixture_t *fixture);
/* The same for a kernel that cannot be freed, because something in it never ends: its log stays. */
void fixture_leave(fixture_t *fixture);

kernel_plugin_t *fixture_add(fixture_t *fixture, const char *type, const char *name);
/* By full name. */
kernel_function_t *fixture_function(const fixture_t *fixture, const char *name);

/* How many lines with `part` in them were logged. */
size_t fixture_log_count(const fixture_t *fixture, const char *part);
/* Wait until there is one. */
void fixture_log_wait(const fixture_t *fixture, const char *part);

/* Call a function by its full name, with arguments from a printf format of JSON. */
kernel_result_t *fixture_call(const fixture_t *fixture, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, and check that it answers `text`. */
void fixture_check(const char *file, int line, const fixture_t *fixture, const char *name,
                   const char *json, const char *text);
#define CHECK_CALL(fixture, name, json, text)                                                      \
    fixture_check(__FILE__, __LINE__, (fixture), (name), (json), (text))
/* Check the status of a result, show its text if it is another one, and free it. */
void fixture_check_status(const char *file, int line, kernel_result_t *result,
                          kernel_status_t wanted);
#define CHECK_STATUS(result, wanted) fixture_check_status(__FILE__, __LINE__, (result), (wanted))

/* ---- what became of a started call ---- */

typedef struct outcome {
    latch_t done;
    atomic_int times;
    kernel_status_t status;
    int64_t integer;
    char text[256];
    pthread_t thread; /* that the callback ran on */
} outcome_t;

#define OUTCOME_INIT                                                                               \
    {                                                                                              \
        .done = LATCH_INIT                                                                         \
    }
/* A kernel_invoke_cb. */
void outcome_note(const kernel_result_t *result, void *data);
void outcome_wait(outcome_t *outcome);
int outcome_times(const outcome_t *outcome);
/* Start a function by its full name, with JSON arguments. */
void outcome_start(outcome_t *outcome, const fixture_t *fixture, const char *name,
                   const kernel_invoke_options_t *options, kernel_call_t **call_out,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- pipes that functions of the fixture plugins wait at ---- */

typedef struct gate {
    int begun[2]; /* the function writes a byte when it is there */
    int go[2];    /* and reads one to go on */
} gate_t;

gate_t gate_new(void);
void gate_free(gate_t *gate);
/* Wait for `count` functions to be there. */
void gate_wait(const gate_t *gate, int count);
/* Has one come? */
bool gate_has_begun(const gate_t *gate);
/* Let `count` of them go on. */
void gate_open(const gate_t *gate, int count);

/* ---- */

/* Threads of this process. */
int thread_count(void);
/* Descriptors of this process. */
int descriptor_count(void);
/* Wait until a question is answered with yes; polls, for what gives no other sign. */
void wait_until(bool (*is_so)(void *data), void *data, const char *what);

#endif /* SUPPORT_FIXTURE_H */
