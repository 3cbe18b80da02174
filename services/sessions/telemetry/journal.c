/*
 * journal.c - events on their way to log and counters.
 */
#include "journal.h"

#include <string.h>

#include "log.h"
#include "metrics.h"

/* A reason is a sentence for people; counters want a word. By the beginnings of the sentences. */
static const char *word_of(const char *why)
{
    static const struct {
        const char *beginning;
        const char *word;
    } words[] = {
        {"an interrupt did not end", "not_interruptible"},
        {"it used more than", "memory"},
        {"its processes could not be stopped", "not_stoppable"},
        {"it was idle", "idle"},
        {"it was too old", "too_old"},
        {"its place was needed", "reclaimed"},
        {"it was too old", "too_old"},
        {"its place was needed", "reclaimed"},
        {"the session was deleted", "deleted"},
        {"the session was stopped", "stopped"},
        {"the session pool is shutting down", "shutdown"},
    };

    for (size_t i = 0; why != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(why, words[i].beginning, strlen(words[i].beginning)) == 0) {
            return words[i].word;
        }
    }
    return why == NULL ? "ended" : "other";
}

void journal_request(const journal_request_t *request)
{
    const char *operation = request->operation == NULL ? "none" : request->operation;

    metrics_add_request(request->method, operation, request->status);
    metrics_add_time(TIME_REQUEST, request->ns);
    LOG_EVENT(request->status >= 500 ? LOG_WARN : LOG_INFO, "request",
              LOG_TEXT("method", request->method), LOG_TEXT("operation", operation),
              LOG_NUMBER("status", request->status), LOG_MS("ms", request->ns),
              LOG_TEXT("session", request->session), LOG_TEXT("execution", request->execution),
              LOG_NUMBER("received", request->received), LOG_NUMBER("sent", request->sent));
}

void journal_execution(const journal_execution_t *execution)
{
    metrics_add_split(SPLIT_EXECUTIONS, execution->outcome);
    metrics_add(METRIC_STDOUT_BYTES, execution->output);
    metrics_add(METRIC_STDERR_BYTES, execution->errors);
    if (execution->queue_ns >= 0) {
        metrics_add_time(TIME_QUEUE, execution->queue_ns);
    }
    if (execution->ns >= 0) {
        metrics_add_time(TIME_EXECUTION, execution->ns);
    }
    LOG_EVENT(LOG_INFO, "execution", LOG_TEXT("session", execution->session),
              LOG_TEXT("execution", execution->id), LOG_TEXT("outcome", execution->outcome),
              LOG_MS("queue_ms", execution->queue_ns), LOG_MS("ms", execution->ns),
              LOG_NUMBER("stdout", execution->output), LOG_NUMBER("stderr", execution->errors));
}

void journal_session_made(const char *session)
{
    metrics_add(METRIC_SESSIONS_MADE, 1);
    LOG_EVENT(LOG_INFO, "session_made", LOG_TEXT("session", session));
}

void journal_session_removed(const char *session, const char *why)
{
    metrics_add_split(SPLIT_SESSIONS_REMOVED, word_of(why));
    LOG_EVENT(LOG_INFO, "session_removed", LOG_TEXT("session", session), LOG_TEXT("reason", why));
}

void journal_worker_ready(unsigned slot, int64_t ns)
{
    metrics_add(METRIC_WORKER_STARTS, 1);
    metrics_add_time(TIME_WORKER_START, ns);
    LOG_EVENT(LOG_DEBUG, "worker_ready", LOG_NUMBER("slot", slot), LOG_MS("ms", ns));
}

void journal_worker_warm(unsigned slot, int64_t ns, bool all, const char *missing)
{
    LOG_EVENT(LOG_INFO, "worker_warm", LOG_NUMBER("slot", slot), LOG_MS("ms", ns),
              LOG_TEXT("imports", all ? "all" : "some"), LOG_TEXT("missing", missing));
}

void journal_worker_gone(unsigned slot, const char *session, const char *why, bool violated)
{
    metrics_add_split(SPLIT_WORKER_ENDS, violated ? "violation" : word_of(why));
    if (violated) {
        metrics_add(METRIC_VIOLATIONS, 1);
    }
    LOG_EVENT(violated ? LOG_WARN : LOG_INFO, violated ? "violation" : "worker_gone",
              LOG_NUMBER("slot", slot), LOG_TEXT("session", session),
              LOG_TEXT("reason", why == NULL ? "it has ended by itself" : why));
}

void journal_start_failed(const char *why)
{
    metrics_add(METRIC_WORKER_START_FAILURES, 1);
    LOG_EVENT(LOG_WARN, "start_failed", LOG_TEXT("reason", why));
}
