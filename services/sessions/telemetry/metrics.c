/*
 * metrics.c - counters, and their text for Prometheus.
 */
#include "metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define PREFIX        "semkernel_sessiond_"
#define SPLIT_WORDS   16
#define REQUEST_KINDS 256
#define BUCKETS       17
#define MEMORY_FIELDS 2
#define START_FIELD   22 /* of /proc/self/stat: when the process began */
#define FIELDS_BEFORE 3  /* of those behind the name in brackets, counted from 1 */
#define OVERFLOW_WORD "other"
#define METHOD_MAX    8

/* Upper bounds in seconds; the text is the label, exactly. */
static const struct {
    int64_t ns;
    const char *label;
} buckets[BUCKETS] = {
    {1000000, "0.001"},    {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},
    {25000000, "0.025"},   {50000000, "0.05"},  {100000000, "0.1"},  {250000000, "0.25"},
    {500000000, "0.5"},    {1000000000, "1"},   {2500000000, "2.5"}, {5000000000, "5"},
    {10000000000, "10"},   {30000000000, "30"}, {60000000000, "60"}, {120000000000, "120"},
    {240000000000, "240"},
};

static const struct {
    const char *name;
    const char *label; /* with its value, or NULL */
    const char *help;  /* NULL: of the family before */
} counters[METRIC_COUNT] = {
    [METRIC_SESSIONS_MADE] = {"sessions_made_total", NULL, "Sessions made."},
    [METRIC_WORKER_STARTS] = {"worker_starts_total", NULL, "Workers that became ready."},
    [METRIC_WORKER_START_FAILURES] = {"worker_start_failures_total", NULL,
                                      "Workers that did not become ready."},
    [METRIC_VIOLATIONS] = {"violations_total", NULL,
                           "Workers ended because they broke a rule of the protocol."},
    [METRIC_ESCAPES] = {"freeze_escapes_total", NULL,
                        "Times that something of a stopped session was found to have run."},
    [METRIC_STDOUT_BYTES] = {"output_bytes_total", "stream=\"stdout\"",
                             "Bytes that executions wrote, kept or not."},
    [METRIC_STDERR_BYTES] = {"output_bytes_total", "stream=\"stderr\"", NULL},
    [METRIC_CONNECTIONS_ADMITTED] = {"connections_total", "event=\"admitted\"",
                                     "Connections of clients: let in, turned away because there "
                                     "were too many, cut because they were too slow."},
    [METRIC_CONNECTIONS_TURNED_AWAY] = {"connections_total", "event=\"turned_away\"", NULL},
    [METRIC_CONNECTIONS_TOO_SLOW] = {"connections_total", "event=\"too_slow\"", NULL},
};

static const struct {
    const char *name;
    const char *label;
    const char *help;
} splits[SPLIT_COUNT] = {
    [SPLIT_SESSIONS_REMOVED] = {"sessions_removed_total", "reason", "Sessions that have ended."},
    [SPLIT_WORKER_ENDS] = {"worker_ends_total", "reason", "Workers that have ended."},
    [SPLIT_EXECUTIONS] = {"executions_total", "outcome", "Executions that have ended."},
};

static const struct {
    const char *name;
    const char *help;
} times[TIME_COUNT] = {
    [TIME_WORKER_START] = {"worker_start_seconds",
                           "From the start of a sandbox to a ready Python."},
    [TIME_QUEUE] = {"execution_queue_seconds",
                    "From the request of an execution to its beginning."},
    [TIME_EXECUTION] = {"execution_seconds", "From the beginning of an execution to its end."},
    [TIME_REQUEST] = {"request_seconds", "From the head of a request to the end of its answer."},
};

typedef struct split_word {
    const char *word;
    uint64_t count;
} split_word_t;

typedef struct histogram {
    uint64_t counts[BUCKETS + 1]; /* each for itself; the last is above all bounds */
    uint64_t count;
    int64_t sum_ns;
} histogram_t;

typedef struct request_kind {
    char method[METHOD_MAX];
    const char *operation;
    unsigned status;
    uint64_t count;
} request_kind_t;

static struct {
    uint64_t numbers[METRIC_COUNT];
    split_word_t words[SPLIT_COUNT][SPLIT_WORDS];
    histogram_t histograms[TIME_COUNT];
    request_kind_t requests[REQUEST_KINDS];
    size_t request_count;
} state; /* of the one server in this process */

/* ---- counting ---- */

void metrics_add(metric_t metric, uint64_t number)
{
    state.numbers[metric] += number;
}

void metrics_add_split(metric_split_t split, const char *word)
{
    split_word_t *words = state.words[split];
    size_t at = 0;

    while (at < SPLIT_WORDS - 1 && words[at].word != NULL && strcmp(words[at].word, word) != 0) {
        at++;
    }
    if (words[at].word == NULL) {
        words[at].word = at == SPLIT_WORDS - 1 ? OVERFLOW_WORD : word;
    }
    words[at].count++;
}

void metrics_add_time(metric_time_t time, int64_t ns)
{
    histogram_t *histogram = &state.histograms[time];
    size_t at = 0;

    ns = ns < 0 ? 0 : ns;
    while (at < BUCKETS && ns > buckets[at].ns) {
        at++;
    }
    histogram->counts[at]++;
    histogram->count++;
    histogram->sum_ns += ns;
}

/* A client can send any word as a method. */
static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET",   "HEAD",    "POST",  "PUT",
                                          "PATCH", "OPTIONS", "DELETE"};

    for (size_t i = 0; i < COUNT(methods); i++) {
        if (strcmp(method, methods[i]) == 0) {
            return methods[i];
        }
    }
    return OVERFLOW_WORD;
}

void metrics_add_request(const char *method, const char *operation, unsigned status)
{
    const char *known = known_method(method);
    size_t at = 0;

    while (at < state.request_count &&
           (state.requests[at].status != status || strcmp(state.requests[at].method, known) != 0 ||
            strcmp(state.requests[at].operation, operation) != 0)) {
        at++;
    }
    if (at == REQUEST_KINDS) { /* more than all operations times all their statuses */
        at--;
    }
    request_kind_t *kind = &state.requests[at];
    if (at == state.request_count) {
        state.request_count++;
        (void)snprintf(kind->method, sizeof(kind->method), "%s", known);
        kind->operation = operation;
        kind->status = status;
    }
    kind->count++;
}

/* ---- text ---- */

static void write_family(sk_buffer_t *out, const char *name, const char *type, const char *help)
{
    sk_buffer_appendf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
                      type);
}

/* In quotes, as the format has it. */
static void write_label(sk_buffer_t *out, const char *name, const char *value)
{
    sk_buffer_appendf(out, "%s=\"", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n') {
            sk_buffer_append_text(out, "\\n");
        } else {
            if (*at == '\\' || *at == '"') {
                sk_buffer_append_char(out, '\\');
            }
            sk_buffer_append_char(out, *at);
        }
    }
    sk_buffer_append_char(out, '"');
}

static void write_seconds(sk_buffer_t *out, int64_t ns)
{
    sk_buffer_appendf(out, "%" PRId64 ".%09" PRId64 "\n", ns / 1000000000, ns % 1000000000);
}

static void write_counters(sk_buffer_t *out)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (counters[i].help != NULL) {
            write_family(out, counters[i].name, "counter", counters[i].help);
        }
        sk_buffer_appendf(out, PREFIX "%s%s%s%s %" PRIu64 "\n", counters[i].name,
                          counters[i].label == NULL ? "" : "{",
                          counters[i].label == NULL ? "" : counters[i].label,
                          counters[i].label == NULL ? "" : "}", state.numbers[i]);
    }
}

static void write_splits(sk_buffer_t *out)
{
    for (size_t i = 0; i < SPLIT_COUNT; i++) {
        write_family(out, splits[i].name, "counter", splits[i].help);
        for (size_t k = 0; k < SPLIT_WORDS && state.words[i][k].word != NULL; k++) {
            sk_buffer_appendf(out, PREFIX "%s{", splits[i].name);
            write_label(out, splits[i].label, state.words[i][k].word);
            sk_buffer_appendf(out, "} %" PRIu64 "\n", state.words[i][k].count);
        }
    }
}

static void write_histograms(sk_buffer_t *out)
{
    for (size_t i = 0; i < TIME_COUNT; i++) {
        const histogram_t *histogram = &state.histograms[i];
        const char *name = times[i].name;
        uint64_t below = 0;
        write_family(out, name, "histogram", times[i].help);
        for (size_t k = 0; k < BUCKETS; k++) {
            below += histogram->counts[k];
            sk_buffer_appendf(out, PREFIX "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name,
                              buckets[k].label, below);
        }
        sk_buffer_appendf(out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n" PREFIX "%s_sum ", name,
                          histogram->count, name);
        write_seconds(out, histogram->sum_ns);
        sk_buffer_appendf(out, PREFIX "%s_count %" PRIu64 "\n", name, histogram->count);
    }
}

static void write_requests(sk_buffer_t *out)
{
    write_family(out, "requests_total", "counter",
                 "Requests; status 0: the connection ended without an answer.");
    for (size_t i = 0; i < state.request_count; i++) {
        const request_kind_t *kind = &state.requests[i];
        sk_buffer_append_text(out, PREFIX "requests_total{");
        write_label(out, "method", kind->method);
        sk_buffer_append_char(out, ',');
        write_label(out, "operation", kind->operation);
        sk_buffer_appendf(out, ",status=\"%u\"} %" PRIu64 "\n", kind->status, kind->count);
    }
}

static void write_now(sk_buffer_t *out, const metrics_now_t *now)
{
    const struct {
        const char *state;
        uint64_t count;
    } workers[] = {{"starting", now->workers_starting}, {"warm", now->workers_warm},
                   {"busy", now->workers_busy},         {"idle", now->workers_idle},
                   {"frozen", now->workers_frozen},     {"ending", now->workers_ending}};
    const struct {
        const char *name;
        uint64_t count;
        const char *help;
    } gauges[] = {{"sessions", now->sessions, "Sessions that exist."},
                  {"sessions_max", now->sessions_max, "Sessions that may exist at a time."},
                  {"executions_running", now->executions_running, "Executions that run."}};

    write_family(out, "info", "gauge", "What this server is.");
    sk_buffer_append_text(out, PREFIX "info{");
    write_label(out, "version", now->version);
    sk_buffer_append_char(out, ',');
    write_label(out, "level", now->level);
    sk_buffer_append_char(out, ',');
    write_label(out, "python", now->python);
    sk_buffer_append_text(out, "} 1\n");
    for (size_t i = 0; i < COUNT(gauges); i++) {
        write_family(out, gauges[i].name, "gauge", gauges[i].help);
        sk_buffer_appendf(out, PREFIX "%s %" PRIu64 "\n", gauges[i].name, gauges[i].count);
    }
    write_family(out, "workers", "gauge", "Workers by what they do.");
    for (size_t i = 0; i < COUNT(workers); i++) {
        sk_buffer_appendf(out, PREFIX "workers{state=\"%s\"} %" PRIu64 "\n", workers[i].state,
                          workers[i].count);
    }
}

/* ---- the process itself ---- */

/* Clock ticks since the machine's start at which this process began; -1 if unknown. */
static long long read_start_ticks(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);

    if (file != NULL) {
        (void)fclose(file);
    }
    text[size] = '\0';
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = FIELDS_BEFORE; at != NULL && field <= START_FIELD; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? -1 : strtoll(at, NULL, 10);
}

static uint64_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;

    while (directory != NULL && readdir(directory) != NULL) {
        count++;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count < 3 ? 0 : count - 3; /* . and .. and its own */
}

static void write_process_value(sk_buffer_t *out, const char *name, const char *type,
                                const char *help)
{
    sk_buffer_appendf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s ", name, help,
                      name, type, name);
}

static void write_process(sk_buffer_t *out)
{
    unsigned long long pages[MEMORY_FIELDS] = {0, 0};
    const unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
    struct timespec now;
    struct timespec up;
    struct timespec used;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &pages[0], &pages[1]) != MEMORY_FIELDS) {
            pages[0] = pages[1] = 0;
        }
        (void)fclose(file);
    }
    write_process_value(out, "virtual_memory_bytes", "gauge", "Address space of the server.");
    sk_buffer_appendf(out, "%llu\n", pages[0] * page);
    write_process_value(out, "resident_memory_bytes", "gauge", "Memory of the server.");
    sk_buffer_appendf(out, "%llu\n", pages[1] * page);
    write_process_value(out, "open_fds", "gauge", "Open descriptors of the server.");
    sk_buffer_appendf(out, "%" PRIu64 "\n", count_descriptors());
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    write_process_value(out, "cpu_seconds_total", "counter", "Processor time of the server.");
    write_seconds(out, (int64_t)used.tv_sec * 1000000000 + used.tv_nsec);
    long long ticks = read_start_ticks();
    if (ticks >= 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 &&
        clock_gettime(CLOCK_BOOTTIME, &up) == 0) {
        write_process_value(out, "start_time_seconds", "gauge", "When the server began.");
        sk_buffer_appendf(out, "%lld\n",
                          (long long)(now.tv_sec - up.tv_sec) + ticks / sysconf(_SC_CLK_TCK));
    }
}

void metrics_write(sk_buffer_t *out, const metrics_now_t *now)
{
    write_now(out, now);
    write_counters(out);
    write_splits(out);
    write_histograms(out);
    write_requests(out);
    write_process(out);
}
