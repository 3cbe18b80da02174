/*
 * main.c - the server from start to end.
 *
 *   configuration      flags, environment, file
 *   facilities         what this machine offers; else exit status 78
 *   endpoint           the socket is bound, nobody is let in yet
 *   namespaces         while there is one thread only; what follows runs inside
 *   self-test          beside the start of the first worker; else exit status 78
 *   listening          one line of JSON on stdout
 *   end                SIGTERM, SIGINT, or the lifeline's end of file
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <uv.h>

#include <buffer.h>
#include <json.h>
#include <kernel/version.h>

#include "base/embedded.h"
#include "config/config.h"
#include "config/config_text.h"
#include "descriptors.h"
#include "http/doors.h"
#include "http/http.h"
#include "http/whereabouts.h"
#include "pool/pool.h"
#include "pool/selftest.h"
#include "pool/watch.h"
#include "protocol/protocol.h"
#include "report.h"
#include "sandbox/facility.h"
#include "sandbox/launcher.h"
#include "sandbox/namespace.h"
#include "sandbox/program.h"
#include "sandbox/sandbox.h"
#include "sandbox/supervisor.h"
#include "sandbox/syscall_filter.h"
#include "telemetry/log.h"
#include "worker/preimport.h"

extern char **environ;

typedef struct server {
    config_t config;
    facility_t facility;
    doors_t doors;
    uv_loop_t loop;
    sandbox_plan_t plan;
    program_t *program;
    pool_t *pool;
    survey_t *survey;
    watch_t *watch; /* NULL where control groups limit memory */
    http_t *http;   /* NULL before the self-test has passed */
    protocol_t protocol;
    uv_signal_t signals[2];
    pid_t pid;            /* of the process that was started */
    size_t unknown_calls; /* to libseccomp */
    uv_poll_t lifeline;
    bool ending;
    selftest_t *test; /* NULL once it has ended */
    int exit_status;
} server_t;

static void server_on_tested(const failure_t *failure, void *data);
static void server_on_pool_closed(void *data);

static int complain(int exit_status, const failure_t *failure)
{
    log_complain(failure->text);
    return exit_status;
}

/* ---- end ---- */

static void server_end(server_t *server, bool at_once)
{
    if (!server->ending && server->http != NULL) {
        http_quiesce(server->http);
        activation_notify(&server->doors.activation, "STOPPING=1");
    }
    server->ending = true;
    if (server->test != NULL) {
        selftest_cancel(server->test); /* server_on_tested() comes back here */
    } else {
        survey_cancel(server->survey);
        pool_close(server->pool, at_once, server_on_pool_closed, server);
    }
}

static void server_on_pool_closed(void *data)
{
    server_t *server = data;

    if (server->http != NULL) {
        http_stop(server->http);
        server->http = NULL;
    }
    watch_stop(server->watch);
    server->watch = NULL;
    program_close(server->program);
    for (size_t i = 0; i < sizeof(server->signals) / sizeof(server->signals[0]); i++) {
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    }
    if (server->config.lifeline >= 0) {
        uv_close((uv_handle_t *)&server->lifeline, NULL);
    }
}

static void server_on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    LOG_EVENT(LOG_INFO, "ending", LOG_TEXT("reason", "a signal asks for it"));
    server_end(handle->data, false);
}

static void server_on_lifeline(uv_poll_t *handle, int status, int events)
{
    server_t *server = handle->data;
    char bytes[256];

    (void)events;
    ssize_t got = read((int)server->config.lifeline, bytes, sizeof(bytes));
    if (status >= 0 && (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))) {
        return;
    }
    (void)uv_poll_stop(handle);
    LOG_EVENT(LOG_INFO, "ending", LOG_TEXT("reason", "the lifeline was cut"));
    if (server->http != NULL) {
        http_sever(server->http); /* what is aborted now is no answer to anybody's code */
    }
    server_end(server, true);
}

/* ---- start ---- */

static bool print_announcement(const server_t *server, const char *about)
{
    sk_buffer_t line = SK_BUFFER_INIT;

    sk_buffer_append_char(&line, '{');
    doors_announce(&server->doors, &line);
    sk_buffer_appendf(&line, "%s}\n", about);
    bool printed = !line.failed && fputs(line.data, stdout) >= 0 && fflush(stdout) == 0;
    sk_buffer_fini(&line);
    return printed;
}

static void server_report(const server_t *server)
{
    const report_t report = {&server->config,           &server->facility,
                             pool_python(server->pool), server->doors.endpoint.path,
                             server->doors.tcp,         server->pid,
                             server->unknown_calls};

    report_start(&report);
}

static bool server_listen(server_t *server, failure_t *failure)
{
    const config_t *config = &server->config;
    const http_options_t options = {.loop = &server->loop,
                                    .listeners = server->doors.listeners,
                                    .listener_count = server->doors.listener_count,
                                    .connections = (unsigned)config->connections,
                                    .patience_s = (unsigned)config->request_timeout,
                                    .body_max = PROTOCOL_BODY_MAX,
                                    .handler = protocol_handle,
                                    .data = &server->protocol,
                                    .faults = config->faults,
                                    .level = level_name(server->facility.level),
                                    .token = server->doors.token.text,
                                    .hosts = config->host_name,
                                    .tls = server->doors.tls};
    char about[128];

    (void)snprintf(about, sizeof(about), "\"level\":\"%s\",\"pid\":%ld,\"version\":\"%s\"",
                   level_name(server->facility.level), (long)server->pid, KERNEL_VERSION_STRING);
    if (!doors_listen(&server->doors, about, failure)) {
        return false;
    }
    server->protocol.plan = &server->plan;
    server->protocol.pool = server->pool;
    server->protocol.survey = server->survey;
    (void)clock_gettime(CLOCK_REALTIME, &server->protocol.started);
    server->http = http_start(&options, failure);
    if (server->http == NULL) {
        return false;
    }
    server_report(server); /* before it is announced, so that who waits for that has it all */
    if (!print_announcement(server, about)) {
        return fail(failure, "cannot announce the endpoint on stdout: %s", strerror(errno));
    }
    activation_notify(&server->doors.activation, "READY=1");
    return true;
}

static void server_on_tested(const failure_t *failure, void *data)
{
    server_t *server = data;
    failure_t own = {""};

    server->test = NULL;
    if (failure != NULL && !server->ending) {
        server->exit_status = complain(EX_CONFIG, failure);
        server_end(server, true);
    } else if (server->ending) {
        server_end(server, true);
    } else if (!server_listen(server, &own)) {
        server->exit_status = complain(EX_CANTCREAT, &own);
        server_end(server, true);
    } else {
        program_compile(server->program); /* only now: the start has the machine */
        if (preimport_is_wanted(&server->config)) {
            survey_start(server->survey); /* else when somebody asks for what it finds */
        }
    }
}

static bool server_prepare(server_t *server, failure_t *failure)
{
    server->plan.loop = &server->loop;
    server->plan.config = &server->config;
    server->plan.facility = &server->facility;
    server->plan.seccomp_file = syscall_filter_program(server->facility.level == LEVEL_LANDLOCK,
                                                       &server->unknown_calls, failure);
    if (server->plan.seccomp_file < 0) {
        return false;
    }
    (void)snprintf(server->plan.memory_reason, sizeof(server->plan.memory_reason),
                   "it used more than %lld MiB of memory",
                   (long long)(server->config.memory / MIB));
    server->program = program_new(&server->loop, server->config.python, embedded_worker,
                                  embedded_worker_size, failure);
    server->plan.program = server->program;
    if (server->program == NULL) {
        return false;
    }
    server->pool = pool_new(&server->plan);
    server->survey = server->pool == NULL ? NULL : survey_new(&server->plan, server->pool);
    return server->survey != NULL || fail(failure, "cannot start: out of memory");
}

static void server_watch_end(server_t *server)
{
    static const int numbers[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        (void)uv_signal_start(&server->signals[i], server_on_signal, numbers[i]);
    }
    if (server->config.lifeline >= 0) {
        (void)uv_poll_init(&server->loop, &server->lifeline, (int)server->config.lifeline);
        server->lifeline.data = server;
        (void)uv_poll_start(&server->lifeline, UV_READABLE | UV_DISCONNECT, server_on_lifeline);
    }
}

static int server_run(void *data)
{
    server_t *server = data;
    failure_t failure = {""};

    if (!namespace_furnish(&server->facility, &failure)) {
        return complain(EX_CONFIG, &failure);
    }
    (void)uv_loop_init(&server->loop);
    if (!server_prepare(server, &failure)) {
        return complain(EX_CONFIG, &failure);
    }
    server_watch_end(server);
    if (server->facility.cgroups.version == 0) {
        server->watch = watch_start(&server->plan, server->pool, &failure);
        if (server->watch == NULL) {
            return complain(EX_OSERR, &failure);
        }
    }
    pool_warm(server->pool);
    server->test =
        selftest_start(&server->plan, &server->doors.endpoint, server_on_tested, server, &failure);
    if (server->test == NULL) {
        server_on_tested(&failure, server);
    }
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&server->loop);
    survey_free(server->survey);
    pool_free(server->pool);
    (void)close(server->plan.seccomp_file);
    program_free(server->program);
    return server->exit_status;
}

/* A lifeline must be something that can end, and stays out of every child. */
static bool check_lifeline(const config_t *config, failure_t *failure)
{
    int file = (int)config->lifeline;
    struct stat status;

    if (file < 0) {
        return true;
    }
    if (fstat(file, &status) != 0 || fcntl(file, F_SETFD, FD_CLOEXEC) != 0) {
        return fail(failure, "the lifeline %d is not an open descriptor: %s", file,
                    strerror(errno));
    }
    if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) {
        return fail(failure, "the lifeline %d must be a pipe or a socket, whose other end closes",
                    file);
    }
    return true;
}

/* Returns only if nothing was started. */
static int server_main(server_t *server)
{
    failure_t failure = {""};

    if (!check_lifeline(&server->config, &failure) || !preimport_check(&server->config, &failure)) {
        return complain(EX_USAGE, &failure);
    }
    if (!facility_find(&server->facility, &server->config, &failure)) {
        facility_leave(&server->facility);
        return complain(EX_CONFIG, &failure);
    }
    if (!descriptors_raise(&server->config, &failure)) {
        facility_leave(&server->facility);
        return complain(EX_OSERR, &failure);
    }
    if (!doors_open(&server->doors, &server->config, &failure)) {
        doors_close(&server->doors);
        facility_leave(&server->facility);
        return complain(EX_CANTCREAT, &failure);
    }
    server->pid = getpid();
    int exit_status =
        namespace_enter(&server->facility, &failure)
            ? supervisor_run(server->facility.level != LEVEL_LANDLOCK, server_run, server)
            : complain(EX_CONFIG, &failure);
    doors_close(&server->doors);
    facility_leave(&server->facility);
    (void)fflush(NULL);
    _exit(exit_status); /* the namespace for its children is dead: exit() may want to make one */
}

static int tell_endpoint(const config_t *config)
{
    failure_t failure = {""};

    return whereabouts_print(config->socket, stdout, &failure) ? EXIT_SUCCESS
                                                               : complain(EX_UNAVAILABLE, &failure);
}

int main(int argc, char **argv)
{
    static server_t server;
    failure_t failure = {""};
    int exit_status = EXIT_SUCCESS;

    if (argc > 0 && strcmp(argv[0], LAUNCHER_NAME) == 0) {
        return launcher_main(argc, argv);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    switch (config_read(&server.config, argc, argv, environ, &failure)) {
    case CONFIG_HELP:
        config_print_help(stdout);
        break;
    case CONFIG_VERSION:
        (void)puts("semkernel-sessiond " KERNEL_VERSION_STRING);
        break;
    case CONFIG_WRONG:
        exit_status = complain(EX_USAGE, &failure);
        break;
    case CONFIG_RUN:
        log_open(&server.config);
        exit_status =
            server.config.print_endpoint ? tell_endpoint(&server.config) : server_main(&server);
        break;
    }
    config_fini(&server.config);
    return exit_status;
}
