/*
 * survey.c - one execution of survey.py, as a session would run it.
 *
 *   survey_start      a place, a worker
 *   survey_on_ready   the script goes in
 *   survey_on_end     packages and fonts come out; the worker is ended
 *   survey_on_gone    everything is cleared away: waiters are told
 */
#include "survey.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <alloc.h>
#include <json.h>

#include "base/embedded.h"
#include "telemetry/log.h"
#include "worker/execution.h"

#define TIMEOUT_S 60 /* fonts on a slow disk */

typedef enum survey_state { SURVEY_NEW, SURVEY_RUNNING, SURVEY_ENDED } survey_state_t;

struct survey {
    survey_state_t state;
    bool cancelled; /* the server ends: it is no failure that this does */
    sandbox_plan_t *plan;
    pool_t *pool;
    place_t place;
    worker_t *worker;
    execution_t *execution;
    survey_waiter_t *waiters;
    char python[24];
    sk_buffer_t packages; /* JSON */
};

static void survey_on_ready(worker_t *worker, void *data);
static void survey_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                            void *data);
static void survey_on_gone(worker_t *worker, void *data);
static void survey_on_end(execution_t *execution, void *data);

static const worker_events_t survey_events = {
    .on_ready = survey_on_ready, .on_frame = survey_on_frame, .on_gone = survey_on_gone};

survey_t *survey_new(sandbox_plan_t *plan, pool_t *pool)
{
    survey_t *survey = sk_calloc(1, sizeof(*survey));

    if (survey != NULL) {
        survey->plan = plan;
        survey->pool = pool;
        plan->fonts_file = -1;
        plan->fonts_name[0] = '\0';
    }
    return survey;
}

void survey_free(survey_t *survey)
{
    if (survey != NULL) {
        if (survey->plan->fonts_file >= 0) {
            (void)close(survey->plan->fonts_file);
        }
        sk_buffer_fini(&survey->packages);
        sk_free(survey);
    }
}

/* No error: sessions make fonts for themselves, and the list of packages is empty. */
static void survey_complain(const survey_t *survey, const char *why)
{
    LOG_EVENT(survey->cancelled ? LOG_DEBUG : LOG_WARN, "survey_failed", LOG_TEXT("reason", why));
}

static void survey_settle(survey_t *survey)
{
    survey->state = SURVEY_ENDED;
    pool_import_ahead(survey->pool);
    while (survey->waiters != NULL) { /* each may be gone after its call */
        survey_waiter_t *waiter = survey->waiters;
        survey->waiters = waiter->next;
        waiter->on_end(waiter);
    }
}

void survey_start(survey_t *survey)
{
    const sandbox_plan_t *plan = survey->plan;
    failure_t failure = {""};

    if (survey->state != SURVEY_NEW || pool_is_closing(survey->pool)) {
        return;
    }
    survey->state = SURVEY_RUNNING;
    bool mounted = namespace_mount(&survey->place, (unsigned)plan->config->max_sessions,
                                   plan->facility, plan->config, &failure);
    survey->worker =
        mounted ? worker_start(plan, &survey->place, &survey_events, survey, &failure) : NULL;
    if (survey->worker != NULL) {
        pool_hold(survey->pool);
        return;
    }
    survey_complain(survey, failure.text);
    if (mounted) {
        namespace_unmount(&survey->place);
    }
    survey_settle(survey);
}

void survey_cancel(survey_t *survey)
{
    survey->cancelled = true;
    if (survey->state == SURVEY_RUNNING) {
        worker_kill(survey->worker, "the session pool is shutting down");
    } else {
        survey->state = SURVEY_ENDED;
    }
}

static void survey_on_ready(worker_t *worker, void *data)
{
    survey_t *survey = data;
    const execution_wish_t wish = {.timeout_s = TIMEOUT_S};
    char *script = sk_malloc(embedded_survey_size);

    if (script != NULL) {
        memcpy(script, embedded_survey, embedded_survey_size);
        survey->execution = execution_new_take(survey->plan, &wish, script, embedded_survey_size);
    }
    if (survey->execution == NULL) {
        worker_kill(worker, "no memory for it");
        return;
    }
    (void)snprintf(survey->python, sizeof(survey->python), "%s", worker_python(worker));
    survey->execution->on_end = survey_on_end;
    survey->execution->data = survey;
    execution_begin(survey->execution, worker);
}

static void survey_on_frame(worker_t *worker, frame_type_t type, const char *payload, size_t size,
                            void *data)
{
    survey_t *survey = data;

    if (survey->execution != NULL && !execution_on_frame(survey->execution, type, payload, size)) {
        worker_kill(worker, "a frame that is not what it must be");
    }
}

/* A file name without directories, and no other than matplotlib's. */
static bool is_font_list(const char *name)
{
    size_t digits = strspn(name + strcspn(name, "0123456789"), "0123456789");
    char wanted[32];

    (void)snprintf(wanted, sizeof(wanted), "fontlist-v%.*s.json", (int)digits,
                   name + strcspn(name, "0123456789"));
    return digits > 0 && strcmp(name, wanted) == 0;
}

/* Sealed, since sandboxes get it to read: whoever has it may open it anew for writing. */
static int make_sealed_file(const sk_buffer_t *content)
{
    int file = memfd_create("fonts", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (file >= 0 &&
        (write(file, content->data, content->size) != (ssize_t)content->size ||
         fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
        (void)close(file);
        file = -1;
    }
    return file;
}

static void survey_take_fonts(survey_t *survey, const execution_t *execution,
                              const sk_json_span_t *name)
{
    sandbox_plan_t *plan = survey->plan;
    char text[sizeof(plan->fonts_name)];

    if (name->type != SK_JSON_STRING || name->size > sizeof(text) ||
        execution->display_count != 1) {
        return;
    }
    text[sk_json_string_decode(name, text)] = '\0';
    if (is_font_list(text)) {
        plan->fonts_file = make_sealed_file(&execution->displays[0].data);
        if (plan->fonts_file >= 0) {
            memcpy(plan->fonts_name, text, sizeof(text));
        }
    }
}

static void survey_on_end(execution_t *execution, void *data)
{
    survey_t *survey = data;
    sk_json_span_t root;
    sk_json_span_t packages;
    sk_json_span_t fonts;

    if (execution->outcome == OUTCOME_SUCCEEDED &&
        sk_json_scan(sk_buffer_text(&execution->result), execution->result.size, NULL, &root,
                     NULL) == SK_JSON_OK &&
        root.type == SK_JSON_OBJECT && sk_json_member(&root, "packages", &packages) &&
        sk_json_member(&root, "fonts", &fonts)) {
        sk_buffer_append(&survey->packages, packages.text, packages.size);
        survey_take_fonts(survey, execution, &fonts);
    } else {
        survey_complain(survey, sk_buffer_text(&execution->errors));
    }
    survey->execution = NULL;
    execution_release(execution);
    worker_kill(survey->worker, "the survey has ended");
}

static void survey_on_gone(worker_t *worker, void *data)
{
    survey_t *survey = data;

    if (survey->execution != NULL) {
        execution_abort(survey->execution, OUTCOME_FAILED, worker_reason(worker));
    }
    survey->worker = NULL;
    namespace_unmount(&survey->place);
    survey_settle(survey);
    pool_let_go(survey->pool);
}

bool survey_has_ended(const survey_t *survey)
{
    return survey->state == SURVEY_ENDED;
}

void survey_add_waiter(survey_t *survey, survey_waiter_t *waiter)
{
    waiter->next = survey->waiters;
    survey->waiters = waiter;
}

void survey_remove_waiter(survey_t *survey, survey_waiter_t *waiter)
{
    for (survey_waiter_t **at = &survey->waiters; *at != NULL; at = &(*at)->next) {
        if (*at == waiter) {
            *at = waiter->next;
            return;
        }
    }
}

const char *survey_python(const survey_t *survey)
{
    return survey->python;
}

const char *survey_packages(const survey_t *survey)
{
    return survey->packages.size > 0 && !survey->packages.failed ? survey->packages.data : "[]";
}
