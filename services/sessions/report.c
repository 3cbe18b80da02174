/*
 * report.c - the report of a start.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <kernel/version.h>

#include "telemetry/log.h"
#include "worker/preimport.h"

__attribute__((format(printf, 2, 3))) static void print_line(const char *name, const char *format,
                                                             ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fprintf(stderr, "  %-10s ", name);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

/* A size with the largest unit that fits. */
static const char *size_text(char *text, size_t size, int64_t bytes)
{
    const char *unit = bytes % GIB == 0   ? "G"
                       : bytes % MIB == 0 ? "M"
                       : bytes % KIB == 0 ? "K"
                                          : "";
    int64_t factor = bytes % GIB == 0 ? GIB : bytes % MIB == 0 ? MIB : bytes % KIB == 0 ? KIB : 1;

    (void)snprintf(text, size, "%lld%s", (long long)(bytes / factor), unit);
    return text;
}

static void print_limits(const config_t *config)
{
    char memory[32];
    char space[32];
    char data[32];
    char tmp[32];

    print_line("sessions", "at most %lld, %lld kept warm, removed when idle for %lld s",
               (long long)config->max_sessions, (long long)config->warm_min,
               (long long)config->cooldown);
    print_line("each", "memory %s, address space of a process %s, %lld processes and threads",
               size_text(memory, sizeof(memory), config->memory),
               size_text(space, sizeof(space), config->address_space),
               (long long)config->processes);
    print_line("", "/mnt/data %s and %lld files, /tmp %s, %lld descriptors",
               size_text(data, sizeof(data), config->data_size), (long long)config->data_inodes,
               size_text(tmp, sizeof(tmp), config->tmp_size), (long long)config->descriptors);
    print_line("execution", "%lld s unless the request says, output of %s kept and %s read",
               (long long)config->timeout, size_text(memory, sizeof(memory), config->output_limit),
               size_text(space, sizeof(space), config->output_drain));
}

static void print_preimport(const config_t *config)
{
    sk_buffer_t names = SK_BUFFER_INIT;

    preimport_write(config, &names);
    if (names.size > 0) {
        print_line("imported", "%s, if they are installed, by workers that are kept warm",
                   sk_buffer_text(&names));
    }
    sk_buffer_fini(&names);
}

static void print_report(const report_t *report)
{
    const facility_t *facility = report->facility;

    (void)fprintf(stderr, "semkernel-sessiond %s, process %ld\n", KERNEL_VERSION_STRING,
                  (long)report->pid);
    print_line("level", "%s; the self-test has passed", level_name(facility->level));
    if (facility->no_cgroups.text[0] != '\0') {
        print_line("missing", "%s", facility->no_cgroups.text);
    }
    if (facility->no_namespaces.text[0] != '\0') {
        print_line("missing", "%s", facility->no_namespaces.text);
    }
    if (facility->level != LEVEL_LANDLOCK && !facility->disable_userns) {
        print_line("missing", "bubblewrap 0.8 or later, a second bar before new user namespaces");
    }
    if (report->unknown_calls > 0) {
        print_line("missing",
                   "%zu system calls of the list that this libseccomp does not know: "
                   "they are refused; a newer libseccomp would allow them",
                   report->unknown_calls);
    }
    print_line("python", "%s %s", report->config->python, report->python);
    print_preimport(report->config);
    print_limits(report->config);
    print_line("listening", "%s", report->socket);
    if (report->tcp[0] != '\0') {
        print_line("", "%s, with the token beside the socket", report->tcp);
    }
    if (report->config->faults) {
        print_line("faults", "can be asked for by anybody who may ask at all: for tests only");
    }
}

void report_start(const report_t *report)
{
    const config_t *config = report->config;

    if (config->faults) {
        LOG_EVENT(LOG_WARN, "faults",
                  LOG_TEXT("reason", "--faults is set: for tests of clients only"));
    }
    if (config->log != LOG_JSON && (config->verbose || isatty(STDERR_FILENO) == 1)) {
        print_report(report);
        return;
    }
    LOG_EVENT(
        LOG_INFO, "started", LOG_TEXT("version", KERNEL_VERSION_STRING),
        LOG_NUMBER("pid", report->pid), LOG_TEXT("sandbox", level_name(report->facility->level)),
        LOG_TEXT("missing", report->facility->no_cgroups.text), LOG_TEXT("python", report->python),
        LOG_TEXT("socket", report->socket), LOG_TEXT("tcp", report->tcp),
        LOG_NUMBER("max_sessions", config->max_sessions), LOG_NUMBER("warm_min", config->warm_min),
        LOG_NUMBER("memory", config->memory), LOG_NUMBER("processes", config->processes),
        LOG_NUMBER("data_size", config->data_size));
}
