/*
 * metrics.h - what is counted, and how Prometheus reads it.
 *
 * Counters live as long as the server. What is true at the moment of asking
 * (sessions, workers, memory) is handed over by the asker.
 */
#ifndef SESSIONS_METRICS_PRIVATE_H
#define SESSIONS_METRICS_PRIVATE_H

#include <stdint.h>

#include <buffer.h>

typedef enum metric {
    METRIC_SESSIONS_MADE,
    METRIC_WORKER_STARTS,
    METRIC_WORKER_START_FAILURES,
    METRIC_VIOLATIONS,
    METRIC_ESCAPES,
    METRIC_STDOUT_BYTES,
    METRIC_STDERR_BYTES,
    METRIC_CONNECTIONS_ADMITTED,
    METRIC_CONNECTIONS_TURNED_AWAY,
    METRIC_CONNECTIONS_TOO_SLOW,
    METRIC_COUNT
} metric_t;

/* Counters that are split by one word. The words are literals. */
typedef enum metric_split {
    SPLIT_SESSIONS_REMOVED,
    SPLIT_WORKER_ENDS,
    SPLIT_EXECUTIONS,
    SPLIT_COUNT
} metric_split_t;

typedef enum metric_time {
    TIME_WORKER_START,
    TIME_QUEUE,
    TIME_EXECUTION,
    TIME_REQUEST,
    TIME_COUNT
} metric_time_t;

void metrics_add(metric_t metric, uint64_t number);
void metrics_add_split(metric_split_t split, const char *word);
void metrics_add_time(metric_time_t time, int64_t ns);
/* `method` may be anything; `operation` is a literal. */
void metrics_add_request(const char *method, const char *operation, unsigned status);

/* The state of the moment. */
typedef struct metrics_now {
    const char *version;
    const char *level;
    const char *python;
    uint64_t sessions;
    uint64_t sessions_max;
    uint64_t executions_running;
    uint64_t workers_starting;
    uint64_t workers_warm;
    uint64_t workers_busy;
    uint64_t workers_idle;   /* of a session that runs nothing */
    uint64_t workers_frozen; /* likewise, and stopped */
    uint64_t workers_ending;
} metrics_now_t;

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_write(sk_buffer_t *out, const metrics_now_t *now);

#endif /* SESSIONS_METRICS_PRIVATE_H */
