/*
 * selftest.c - one execution of selftest.py, through everything a session uses.
 *
 *   selftest_start         bait, a place, a worker
 *   selftest_on_ready      the script goes in, with what it is to try
 *   selftest_on_end        its complaints come out; with control groups, the worker
 *                          is to take more memory than its group may have
 *   selftest_on_gone       it was ended; everything is cleared away: the verdict
 *
 * The group has less than a session's: to use up that much is quick, and what it
 * refuses is not refused by a limit that a process has by itself.
 */
#include "selftest.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <alloc.h>
#include <json.h>

#include "base/embedded.h"
#include "worker/execution.h"

#define TIMEOUT_S       20
#define GROUP_MEMORY    (48 * MIB)
#define GROUP_PROCESSES 12
#define ATTEMPT         "bytearray(b'x') * (64 << 20)\n" /* and a Python around it */

struct selftest {
    const sandbox_plan_t *plan;
    const endpoint_t *endpoint;
    selftest_cb cb;
    void *data;
    place_t place;
    worker_t *worker;
    execution_t *execution;
    int bait; /* listens at an abstract name */
    char abstract[40];
    int port_bait;     /* listens at a port of 127.0.0.1 */
    unsigned port;     /* 0: it does not */
    config_t config;   /* of the group */
    bool takes_memory; /* and is expected to be ended for it */
    bool failed;
    failure_t failure;
};

static void selftest_on_ready(worker_t *worker, void *data);
static void selftest_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                              void *data);
static void selftest_on_gone(worker_t *worker, void *data);
static void selftest_on_end(execution_t *execution, void *data);

static const worker_events_t selftest_events = {
    .on_ready = selftest_on_ready, .on_frame = selftest_on_frame, .on_gone = selftest_on_gone};

static bool set_bait(selftest_t *test)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t random = 0;

    (void)!getrandom(&random, sizeof(random), 0);
    (void)snprintf(test->abstract, sizeof(test->abstract), "semkernel-%016llx",
                   (unsigned long long)random);
    memcpy(address.sun_path + 1, test->abstract, strlen(test->abstract));
    socklen_t size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(test->abstract));
    test->bait = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return test->bait >= 0 && bind(test->bait, (const struct sockaddr *)&address, size) == 0 &&
           listen(test->bait, 1) == 0;
}

/* Where the machine has no loopback interface there is nothing that could be reached. */
static void set_port_bait(selftest_t *test)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    test->port_bait = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (test->port_bait >= 0 &&
        bind(test->port_bait, (const struct sockaddr *)&address, size) == 0 &&
        listen(test->port_bait, 1) == 0 &&
        getsockname(test->port_bait, (struct sockaddr *)&address, &size) == 0) {
        test->port = ntohs(address.sin_port);
    }
}

static void selftest_free(selftest_t *test)
{
    if (test->bait >= 0) {
        (void)close(test->bait);
    }
    if (test->port_bait >= 0) {
        (void)close(test->port_bait);
    }
    sk_free(test);
}

static bool selftest_begin(selftest_t *test, failure_t *failure)
{
    const sandbox_plan_t *plan = test->plan;

    if (!set_bait(test)) {
        return fail(failure, "cannot test the sandbox: no abstract socket can be made: %s",
                    strerror(errno));
    }
    set_port_bait(test);
    test->config = *plan->config;
    test->config.memory = GROUP_MEMORY;
    test->config.cpu = 100; /* nobody is to wait for the server to listen */
    if (plan->facility->cgroups.version != 0 && test->config.processes > GROUP_PROCESSES) {
        test->config.processes = GROUP_PROCESSES;
    }
    if (!namespace_mount(&test->place, (unsigned)plan->config->max_sessions, plan->facility,
                         &test->config, failure)) {
        return false;
    }
    test->worker = worker_start(plan, &test->place, &selftest_events, test, failure);
    if (test->worker == NULL) {
        namespace_unmount(&test->place);
    }
    return test->worker != NULL;
}

selftest_t *selftest_start(const sandbox_plan_t *plan, const endpoint_t *endpoint, selftest_cb cb,
                           void *data, failure_t *failure)
{
    selftest_t *test = sk_calloc(1, sizeof(*test));

    if (test == NULL) {
        (void)fail(failure, "cannot test the sandbox: out of memory");
        return NULL;
    }
    test->plan = plan;
    test->endpoint = endpoint;
    test->cb = cb;
    test->data = data;
    test->bait = test->port_bait = -1;
    test->failed = true; /* until it has passed */
    (void)fail(&test->failure, "cannot sandbox: the self-test was given up");
    if (!selftest_begin(test, failure)) {
        selftest_free(test);
        return NULL;
    }
    return test;
}

void selftest_cancel(selftest_t *test)
{
    worker_kill(test->worker, "the self-test was given up");
}

static void write_member(sk_buffer_t *script, const char *name, int64_t value)
{
    sk_buffer_appendf(script, "\"%s\":%lld,", name, (long long)value);
}

/* A dictionary in front of the script: JSON of texts and whole numbers is Python, too. */
static char *make_script(const selftest_t *test, size_t *size_out)
{
    const config_t *config = test->plan->config;
    sk_buffer_t script = SK_BUFFER_INIT;

    sk_buffer_append_text(&script, "CONFIG = {");
    write_member(&script, "memory", config->address_space);
    write_member(&script, "processes", config->processes);
    write_member(&script, "group", test->config.processes);
    write_member(&script, "data", config->data_size);
    write_member(&script, "port", test->port);
    write_member(&script, "tmp", config->tmp_size);
    sk_buffer_append_text(&script, test->plan->facility->level == LEVEL_LANDLOCK
                                       ? "\"bare\":True,\"home\":"
                                       : "\"bare\":False,\"home\":");
    sk_json_write_text(&script, test->plan->facility->level == LEVEL_LANDLOCK ? test->place.data
                                                                              : "/mnt/data");
    sk_buffer_append_text(&script, ",\"directory\":");
    sk_json_write_text(&script, test->endpoint->parent);
    sk_buffer_append_text(&script, ",\"socket\":");
    sk_json_write_text(&script, test->endpoint->path);
    sk_buffer_append_text(&script, ",\"marker\":\"SEMKERNEL_SESSIOND_\",\"abstract\":");
    sk_json_write_text(&script, test->abstract);
    sk_buffer_append_text(&script, "}\n");
    sk_buffer_append(&script, embedded_selftest, embedded_selftest_size);
    return sk_buffer_take(&script, size_out);
}

/* `script` is taken, and NULL if memory was out. */
static void selftest_run_take(selftest_t *test, char *script, size_t size)
{
    const execution_wish_t wish = {.timeout_s = TIMEOUT_S};

    test->execution = script == NULL ? NULL : execution_new_take(test->plan, &wish, script, size);
    if (test->execution == NULL) {
        worker_kill(test->worker, "no memory for the self-test");
        return;
    }
    test->execution->on_end = selftest_on_end;
    test->execution->data = test;
    execution_begin(test->execution, test->worker);
}

static void selftest_on_ready(worker_t *worker, void *data)
{
    size_t size = 0;
    char *script = make_script(data, &size);

    (void)worker;
    selftest_run_take(data, script, size);
}

static void selftest_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                              void *data)
{
    selftest_t *test = data;

    if (test->execution != NULL && !execution_on_frame(test->execution, type, payload, size)) {
        worker_kill(worker, "a frame that is not what it must be");
    }
}

/* The first complaint, or that the script did not come to its end. */
static void selftest_judge(selftest_t *test, const execution_t *execution)
{
    sk_json_span_t list;
    sk_json_span_t complaint;
    char text[128];
    const char *output = sk_buffer_text(&execution->output);

    if (execution->outcome != OUTCOME_SUCCEEDED ||
        sk_json_scan(output, execution->output.size, NULL, &list, NULL) != SK_JSON_OK ||
        list.type != SK_JSON_ARRAY) {
        const char *errors = sk_buffer_text(&execution->errors);
        size_t size = execution->errors.size;
        (void)fail(&test->failure, "cannot sandbox: the self-test did not come to its end: %s",
                   size > 300 ? errors + size - 300 : errors);
        return;
    }
    sk_json_cursor_t cursor = sk_json_enter(&list);
    if (sk_json_next(&cursor, NULL, &complaint) && complaint.size < sizeof(text)) {
        text[sk_json_string_decode(&complaint, text)] = '\0';
        (void)fail(&test->failure,
                   "cannot sandbox: the self-test found a hole: inside, %s; nothing is run on this "
                   "machine",
                   text);
        return;
    }
    test->failed = false;
}

static void selftest_take_memory(selftest_t *test)
{
    sk_buffer_t script = SK_BUFFER_INIT;
    size_t size = 0;

    test->takes_memory = true;
    test->failed = true;
    (void)fail(&test->failure, "cannot sandbox: the self-test found a hole: its control group does "
                               "not limit memory; nothing is run on this machine");
    sk_buffer_append_text(&script, ATTEMPT);
    char *text = sk_buffer_take(&script, &size);
    selftest_run_take(test, text, size);
}

static void selftest_on_end(execution_t *execution, void *data)
{
    selftest_t *test = data;
    const bool goes_on = !test->takes_memory && test->plan->facility->cgroups.version != 0;

    if (!test->takes_memory) {
        selftest_judge(test, execution);
    }
    test->execution = NULL;
    execution_release(execution);
    if (goes_on && !test->failed) {
        selftest_take_memory(test);
    } else {
        worker_kill(test->worker, "the self-test has ended");
    }
}

static void selftest_on_gone(worker_t *worker, void *data)
{
    selftest_t *test = data;

    if (!worker_was_ready(worker) && worker_reason(worker) == NULL) {
        (void)facility_explain_sandbox(worker_diagnosis(worker), &test->failure);
    } else if (!worker_was_ready(worker)) {
        (void)fail(&test->failure, "cannot sandbox: the self-test was given up: %s",
                   worker_reason(worker));
    } else if (test->execution != NULL) {
        const bool memory = worker_reason(worker) == test->plan->memory_reason;
        execution_abort(test->execution, OUTCOME_FAILED, worker_reason(worker));
        test->failed = !(test->takes_memory && memory);
    }
    namespace_unmount(&test->place);
    test->cb(test->failed ? &test->failure : NULL, test->data);
    selftest_free(test);
}
