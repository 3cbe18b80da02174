/* Code of the host around every call, the same for each way of calling. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <stdio.h>

#include "support/fixture.h"

/* ---- functions, of each kind, that count and do as they are told ---- */

typedef struct subject {
    atomic_int runs;
    atomic_int failures_left; /* so many runs fail first */
    int64_t seen;             /* the argument of the last run */
} subject_t;

static int subject_run(kp_call *call)
{
    subject_t *subject = call->self;

    atomic_fetch_add(&subject->runs, 1);
    subject->seen = kp_integer(call, 0);
    if (atomic_fetch_sub(&subject->failures_left, 1) > 0) {
        return kp_fail(call, KP_E_REMOTE, "failed on purpose");
    }
    return kp_return_integer(call, kp_integer(call, 0) + 1);
}

KP_FUNCTION(status, plain, "Add one.", (integer, value, "A number.", .dflt = "10"))
{
    (void)value;
    return subject_run(call);
}

KP_FUNCTION_FLAGS(KP_F_QUICK, status, quick, "Add one.",
                  (integer, value, "A number.", .dflt = "10"))
{
    (void)value;
    return subject_run(call);
}

KP_FUNCTION(async, later, "Add one.", (integer, value, "A number.", .dflt = "10"))
{
    (void)value;
    kp_complete(call, subject_run(call));
    return KP_PENDING;
}

/* ---- ways of calling ---- */

typedef enum way {
    PLAIN_BARE,
    PLAIN_WITH_OPTIONS,
    PLAIN_NESTED,
    PLAIN_STARTED,
    QUICK_STARTED,
    ASYNC_WAITING,
    ASYNC_NESTED,
    ASYNC_STARTED,
    WAYS
} way_t;

typedef struct answer {
    kernel_status_t status;
    int64_t integer;
    char text[128];
} answer_t;

static answer_t answer_of(kernel_result_t *result)
{
    answer_t answer = {.status = kernel_result_status(result),
                       .integer = kernel_result_integer(result)};

    snprintf(answer.text, sizeof(answer.text), "%s", kernel_result_text(result));
    kernel_result_free(result);
    return answer;
}

static answer_t answer_started(const fixture_t *f, const char *name,
                               const kernel_invoke_options_t *options)
{
    outcome_t outcome = OUTCOME_INIT;
    answer_t answer;

    outcome_start(&outcome, f, name, options, NULL, "{}");
    outcome_wait(&outcome);
    answer = (answer_t){.status = outcome.status, .integer = outcome.integer};
    snprintf(answer.text, sizeof(answer.text), "%.127s", outcome.text);
    return answer;
}

static answer_t call_by(const fixture_t *f, way_t way)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;

    options.timeout_ms = FIXTURE_WAIT_MS;
    switch (way) {
    case PLAIN_BARE:
        return answer_of(kernel_invoke(fixture_function(f, "host-plain"), NULL));
    case PLAIN_WITH_OPTIONS:
        return answer_of(kernel_invoke_with(fixture_function(f, "host-plain"), NULL, &options));
    case PLAIN_NESTED:
        return answer_of(fixture_call(f, "caller-call", "{\"name\":\"host-plain\"}"));
    case PLAIN_STARTED:
        return answer_started(f, "host-plain", &options);
    case QUICK_STARTED:
        return answer_started(f, "host-quick", NULL);
    case ASYNC_WAITING:
        return answer_of(kernel_invoke_with(fixture_function(f, "host-later"), NULL, &options));
    case ASYNC_NESTED:
        return answer_of(fixture_call(f, "caller-start", "{\"name\":\"host-later\"}"));
    default:
        return answer_started(f, "host-later", &options);
    }
}

static fixture_t fixture_of(subject_t *subject)
{
    fixture_t f = fixture_with_plugin("caller:caller");

    memset(subject, 0, sizeof(*subject));
    CHECK(kernel_add_function(f.kernel, "host", &kpf_plain, subject, NULL) != NULL);
    CHECK(kernel_add_function(f.kernel, "host", &kpf_quick, subject, NULL) != NULL);
    CHECK(kernel_add_function(f.kernel, "host", &kpf_later, subject, NULL) != NULL);
    return f;
}

/* ---- a filter that writes down what it sees and does as it is told ---- */

typedef struct watch {
    const char *name;
    struct trail *trail;
    kernel_filter_verdict_t before;
    kernel_filter_verdict_t after;
    const char *answer; /* of `before`; NULL: none is set */
    const char *replacement;
    int64_t argument; /* 0: leave it */
    int attempts;     /* the last one seen */
    bool from_model;
    kernel_status_t status; /* as `after` saw it last */
    kernel_status_t set_args_status;
    void *slot_seen;
} watch_t;

typedef struct trail {
    pthread_mutex_t lock;
    char text[256];
} trail_t;

static void trail_add(trail_t *trail, const char *mark, const char *name)
{
    size_t at;

    pthread_mutex_lock(&trail->lock);
    at = strlen(trail->text);
    snprintf(trail->text + at, sizeof(trail->text) - at, "%s%s ", mark, name);
    pthread_mutex_unlock(&trail->lock);
}

/* Of the functions under test alone: nested ways go through the caller's, too. */
static bool is_of_host(const kernel_filter_context_t *context)
{
    return strncmp(kernel_function_full_name(kernel_filter_function(context)), "host-", 5) == 0;
}

static kernel_filter_verdict_t watch_before(kernel_filter_context_t *context, void *data)
{
    watch_t *watch = data;
    kernel_result_t *answer;

    if (!is_of_host(context)) {
        return KERNEL_FILTER_CONTINUE;
    }
    trail_add(watch->trail, "+", watch->name);
    watch->attempts = kernel_filter_attempt(context);
    watch->from_model = kernel_filter_is_from_model(context);
    *kernel_filter_slot(context) = watch;
    if (watch->argument != 0) {
        kernel_args_t *args = kernel_args_new();

        kernel_args_set_integer(args, "value", watch->argument);
        watch->set_args_status = kernel_filter_set_args(context, args, NULL);
        kernel_args_free(args);
    }
    if (watch->answer != NULL) {
        answer = kernel_result_new_string(watch->answer);
        kernel_filter_set_result(context, answer);
        kernel_result_free(answer);
    }
    return watch->before;
}

static kernel_filter_verdict_t watch_after(kernel_filter_context_t *context,
                                           const kernel_result_t *result, void *data)
{
    watch_t *watch = data;
    kernel_result_t *replacement;

    if (!is_of_host(context)) {
        return KERNEL_FILTER_CONTINUE;
    }
    trail_add(watch->trail, "-", watch->name);
    watch->status = kernel_result_status(result);
    watch->slot_seen = *kernel_filter_slot(context);
    if (watch->replacement != NULL) {
        replacement = kernel_result_new_string(watch->replacement);
        kernel_filter_set_result(context, replacement);
        kernel_result_free(replacement);
    }
    return watch->after;
}

static void watch_add(const fixture_t *f, watch_t *watch)
{
    kernel_filter_t filter = KERNEL_FILTER_INIT;

    filter.name = watch->name;
    filter.before = watch_before;
    filter.after = watch_after;
    filter.data = watch;
    CHECK_EQ(kernel_add_filter(f->kernel, &filter, NULL), KERNEL_OK);
}

#define TRAIL_INIT                                                                                 \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* ---- order ---- */

static void first_filter_added_is_the_outermost(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watches[3] = {{.name = "a", .trail = &trail},
                              {.name = "b", .trail = &trail},
                              {.name = "c", .trail = &trail}};

        for (int i = 0; i < 3; i++) {
            watch_add(&f, &watches[i]);
        }
        CHECK_EQ(call_by(&f, way).integer, 11);
        CHECK_STR(trail.text, "+a +b +c -c -b -a ");
        CHECK_EQ(atomic_load(&subject.runs), 1);
        for (int i = 0; i < 3; i++) {
            CHECK(watches[i].slot_seen == &watches[i]);
            CHECK_EQ(watches[i].attempts, 1);
        }
        fixture_free(&f);
    }
}

static void filter_may_have_one_half_alone(void)
{
    subject_t subject;
    fixture_t f = fixture_of(&subject);
    trail_t trail = TRAIL_INIT;
    watch_t watch = {.name = "x", .trail = &trail};
    kernel_filter_t first = KERNEL_FILTER_INIT;
    kernel_filter_t second = KERNEL_FILTER_INIT;

    first.name = "before";
    first.before = watch_before;
    first.data = &watch;
    second.name = "after";
    second.after = watch_after;
    second.data = &watch;
    CHECK_EQ(kernel_add_filter(f.kernel, &first, NULL), KERNEL_OK);
    CHECK_EQ(kernel_add_filter(f.kernel, &second, NULL), KERNEL_OK);
    for (way_t way = 0; way < WAYS; way++) {
        trail.text[0] = '\0';
        CHECK_EQ(call_by(&f, way).integer, 11);
        CHECK_STR(trail.text, "+x -x ");
    }
    fixture_free(&f);
}

/* ---- answers and replacements ---- */

static void filter_that_answers_is_seen_by_those_outside_alone(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watches[3] = {
            {.name = "a", .trail = &trail},
            {.name = "b", .trail = &trail, .before = KERNEL_FILTER_ANSWER, .answer = "instead"},
            {.name = "c", .trail = &trail}};

        for (int i = 0; i < 3; i++) {
            watch_add(&f, &watches[i]);
        }
        CHECK_STR(call_by(&f, way).text, "instead");
        CHECK_STR(trail.text, "+a +b -a ");
        CHECK_EQ(atomic_load(&subject.runs), 0);
        fixture_free(&f);
    }
}

static void filter_that_answers_without_a_result_refuses_the_call(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watch = {.name = "guard", .trail = &trail, .before = KERNEL_FILTER_ANSWER};
        answer_t answer;

        watch_add(&f, &watch);
        answer = call_by(&f, way);
        CHECK_EQ(answer.status, KERNEL_E_DENIED);
        CHECK_STR_CONTAINS(answer.text, "filter 'guard' refused the call of host-");
        CHECK_EQ(atomic_load(&subject.runs), 0);
        fixture_free(&f);
    }
}

static void filter_may_replace_the_result(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watch = {.name = "a", .trail = &trail, .replacement = "better"};

        watch_add(&f, &watch);
        CHECK_STR(call_by(&f, way).text, "better");
        CHECK_EQ(atomic_load(&subject.runs), 1);
        fixture_free(&f);
    }
}

static void filter_sees_failures_and_may_replace_them(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watches[2] = {{.name = "a", .trail = &trail, .replacement = "rescued"},
                              {.name = "b", .trail = &trail}};
        answer_t answer;

        atomic_store(&subject.failures_left, 1);
        watch_add(&f, &watches[0]);
        watch_add(&f, &watches[1]);
        answer = call_by(&f, way);
        CHECK_EQ(answer.status, KERNEL_OK);
        CHECK_STR(answer.text, "rescued");
        CHECK_EQ(watches[1].status, KERNEL_E_REMOTE);
        fixture_free(&f);
    }
}

/* ---- retry ---- */

static void filter_may_ask_for_one_retry(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watches[3] = {{.name = "a", .trail = &trail},
                              {.name = "b", .trail = &trail, .after = KERNEL_FILTER_RETRY},
                              {.name = "c", .trail = &trail}};

        atomic_store(&subject.failures_left, 1);
        for (int i = 0; i < 3; i++) {
            watch_add(&f, &watches[i]);
        }
        CHECK_EQ(call_by(&f, way).integer, 11);
        CHECK_EQ(atomic_load(&subject.runs), 2);
        CHECK_STR(trail.text, "+a +b +c -c -b +c -c -b -a "); /* asked twice, granted once */
        CHECK_EQ(watches[2].attempts, 2);
        CHECK_EQ(subject.seen, 10); /* the arguments are those of the first attempt */
        fixture_free(&f);
    }
}

/* The one inside answers the second attempt. */
static kernel_filter_verdict_t answer_second(kernel_filter_context_t *context, void *data)
{
    kernel_result_t *answer;

    (void)data;
    if (!is_of_host(context) || kernel_filter_attempt(context) < 2) {
        return KERNEL_FILTER_CONTINUE;
    }
    answer = kernel_result_new_string("second");
    kernel_filter_set_result(context, answer);
    kernel_result_free(answer);
    return KERNEL_FILTER_ANSWER;
}

static void retry_may_be_answered_by_a_filter_inside(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watch = {.name = "a", .trail = &trail, .after = KERNEL_FILTER_RETRY};
        kernel_filter_t inner = KERNEL_FILTER_INIT;

        watch_add(&f, &watch);
        inner.name = "inner";
        inner.before = answer_second;
        CHECK_EQ(kernel_add_filter(f.kernel, &inner, NULL), KERNEL_OK);
        CHECK_STR(call_by(&f, way).text, "second");
        CHECK_EQ(atomic_load(&subject.runs), 1);
        fixture_free(&f);
    }
}

/* The one inside answers the first attempt, and the function runs in the second. */
static kernel_filter_verdict_t answer_first(kernel_filter_context_t *context, void *data)
{
    (void)data;
    return is_of_host(context) && kernel_filter_attempt(context) == 1 ? KERNEL_FILTER_ANSWER
                                                                      : KERNEL_FILTER_CONTINUE;
}

static void function_may_run_in_the_second_attempt_alone(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watch = {.name = "a", .trail = &trail, .after = KERNEL_FILTER_RETRY};
        kernel_filter_t inner = KERNEL_FILTER_INIT;

        watch_add(&f, &watch);
        inner.name = "inner";
        inner.before = answer_first;
        CHECK_EQ(kernel_add_filter(f.kernel, &inner, NULL), KERNEL_OK);
        CHECK_EQ(call_by(&f, way).integer, 11);
        CHECK_EQ(atomic_load(&subject.runs), 1);
        fixture_free(&f);
    }
}

/* ---- arguments ---- */

static void filter_may_let_the_function_see_other_arguments(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        trail_t trail = TRAIL_INIT;
        watch_t watch = {.name = "a", .trail = &trail, .argument = 41};

        watch_add(&f, &watch);
        CHECK_EQ(call_by(&f, way).integer, 42);
        CHECK_EQ(watch.set_args_status, KERNEL_OK);
        fixture_free(&f);
    }
}

typedef struct reader {
    int64_t value;
    size_t count;
    kernel_status_t bad_args;
    kernel_status_t late_args;
} reader_t;

static kernel_filter_verdict_t read_args(kernel_filter_context_t *context, void *data)
{
    reader_t *reader = data;
    kernel_args_t *bad = kernel_args_new();

    reader->value = kernel_args_integer(kernel_filter_args(context), "value");
    reader->count = kernel_args_count(kernel_filter_args(context));
    kernel_args_set_string(bad, "value", "much");
    reader->bad_args = kernel_filter_set_args(context, bad, NULL);
    kernel_args_free(bad);
    return KERNEL_FILTER_CONTINUE;
}

static kernel_filter_verdict_t set_args_late(kernel_filter_context_t *context,
                                             const kernel_result_t *result, void *data)
{
    reader_t *reader = data;

    (void)result;
    reader->late_args = kernel_filter_set_args(context, NULL, NULL);
    return KERNEL_FILTER_CONTINUE;
}

static void filter_reads_bound_arguments_and_bad_ones_are_refused(void)
{
    subject_t subject;
    fixture_t f = fixture_of(&subject);
    reader_t reader = {0};
    kernel_filter_t filter = KERNEL_FILTER_INIT;

    filter.name = "reader";
    filter.before = read_args;
    filter.after = set_args_late;
    filter.data = &reader;
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
    CHECK_EQ(call_by(&f, PLAIN_BARE).integer, 11); /* the old ones stay */
    CHECK_EQ(reader.value, 10);                    /* the default, filled in */
    CHECK_EQ(reader.count, 1);
    CHECK_EQ(reader.bad_args, KERNEL_E_INVALID);
    CHECK_EQ(reader.late_args, KERNEL_E_INVALID);
    fixture_free(&f);
}

static void filter_is_told_who_asked(void)
{
    subject_t subject;
    fixture_t f = fixture_of(&subject);
    trail_t trail = TRAIL_INIT;
    watch_t watch = {.name = "a", .trail = &trail};
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    static const char *const names[] = {"host-plain", "host-later"};

    watch_add(&f, &watch);
    options.from_model = 1;
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(kernel_invoke_with(fixture_function(&f, names[i]), NULL, NULL), KERNEL_OK);
        CHECK(!watch.from_model);
        CHECK_STATUS(kernel_invoke_with(fixture_function(&f, names[i]), NULL, &options), KERNEL_OK);
        CHECK(watch.from_model);
    }
    fixture_free(&f);
}

/* ---- the end of calls that are given up ---- */

static kernel_filter_verdict_t retry_always(kernel_filter_context_t *context,
                                            const kernel_result_t *result, void *data)
{
    trail_t *trail = data;

    (void)context;
    trail_add(trail, "-", kernel_status_name(kernel_result_status(result)) + 7);
    return KERNEL_FILTER_RETRY;
}

static void deadline_is_seen_by_filters_and_not_overcome_by_a_retry(void)
{
    static const char *const names[] = {"async-until_cancelled", "threads-poll_cancelled",
                                        "threads-wake"};

    for (int i = 0; i < 6; i++) {
        fixture_t f = fixture_with_plugin("async");
        trail_t trail = TRAIL_INIT;
        kernel_filter_t filter = KERNEL_FILTER_INIT;
        kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
        outcome_t outcome = OUTCOME_INIT;

        fixture_add(&f, "threads:threads", NULL);
        filter.name = "again";
        filter.after = retry_always;
        filter.data = &trail;
        CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
        options.timeout_ms = 5;
        if (i % 2 == 0) {
            outcome_start(&outcome, &f, names[i / 2], &options, NULL, "{}");
            outcome_wait(&outcome);
            CHECK_EQ(outcome.status, KERNEL_E_TIMEOUT);
        } else {
            CHECK_STATUS(kernel_invoke_with(fixture_function(&f, names[i / 2]), NULL, &options),
                         KERNEL_E_TIMEOUT);
        }
        fixture_free(&f);
        CHECK_STR(trail.text, "-E_TIMEOUT -E_TIMEOUT ");
    }
}

static void cancellation_is_not_overcome_by_a_retry(void)
{
    static const char *const names[] = {"async-until_cancelled", "threads-poll_cancelled",
                                        "threads-wake"};

    for (int i = 0; i < 3; i++) {
        fixture_t f = fixture_with_plugin("async");
        gate_t gate = gate_new();
        trail_t trail = TRAIL_INIT;
        kernel_filter_t filter = KERNEL_FILTER_INIT;
        outcome_t outcome = OUTCOME_INIT;
        kernel_call_t *call = NULL;

        fixture_add(&f, "threads:threads", NULL);
        filter.name = "again";
        filter.after = retry_always;
        filter.data = &trail;
        CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
        outcome_start(&outcome, &f, names[i], NULL, &call, "{\"%s\":%d}", i == 0 ? "fd" : "begun",
                      gate.begun[1]);
        gate_wait(&gate, 1);
        kernel_call_cancel(call);
        outcome_wait(&outcome);
        kernel_call_release(call);
        CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
        fixture_free(&f);
        CHECK_EQ(outcome_times(&outcome), 1);
        CHECK_STR(trail.text, "-E_CANCELLED -E_CANCELLED ");
        gate_free(&gate);
    }
}

/* Cancels the call it is asked about, which is then not begun. */
typedef struct canceller {
    kernel_call_t *call;
} canceller_t;

static kernel_filter_verdict_t cancel_before(kernel_filter_context_t *context, void *data)
{
    canceller_t *canceller = data;

    (void)context;
    kernel_call_cancel(canceller->call);
    return KERNEL_FILTER_CONTINUE;
}

static void call_that_is_cancelled_while_filters_run_does_not_begin(void)
{
    subject_t subject;
    fixture_t f = fixture_of(&subject);
    trail_t trail = TRAIL_INIT;
    watch_t watch = {.name = "a", .trail = &trail};
    canceller_t canceller = {NULL};
    kernel_filter_t filter = KERNEL_FILTER_INIT;
    static const char *const names[] = {"host-plain", "host-quick", "host-later"};

    watch_add(&f, &watch);
    filter.name = "canceller";
    filter.before = cancel_before;
    filter.data = &canceller;
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
    for (int i = 0; i < 3; i++) {
        outcome_t outcome = OUTCOME_INIT;

        trail.text[0] = '\0';
        canceller.call = NULL;
        outcome_start(&outcome, &f, names[i], NULL, &canceller.call, "{}");
        outcome_wait(&outcome);
        kernel_call_release(canceller.call);
        CHECK_EQ(outcome.status, KERNEL_E_CANCELLED);
        CHECK_STR(trail.text, "+a -a ");
        CHECK_EQ(outcome_times(&outcome), 1);
    }
    CHECK_EQ(atomic_load(&subject.runs), 0);
    fixture_free(&f);
}

/* ---- adding and removing ---- */

static void filters_that_are_not_right_are_refused(void)
{
    fixture_t f = fixture_new();
    kernel_filter_t filter = KERNEL_FILTER_INIT;
    kernel_filter_t uninitialised = {.name = "x", .before = answer_first};
    char name[32];

    CHECK_EQ(kernel_add_filter(f.kernel, NULL, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_add_filter(f.kernel, &uninitialised, NULL), KERNEL_E_INVALID);
    filter.name = "a";
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_E_INVALID);
    filter.before = answer_first;
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_E_EXISTS);
    CHECK_EQ(kernel_remove_filter(f.kernel, "b", NULL), KERNEL_E_NOT_FOUND);
    CHECK_EQ(kernel_remove_filter(f.kernel, NULL, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_remove_filter(f.kernel, "a", NULL), KERNEL_OK);
    CHECK_EQ(kernel_remove_filter(f.kernel, "a", NULL), KERNEL_E_NOT_FOUND);
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof(name), "filter %d", i);
        filter.name = name;
        CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
    }
    filter.name = "one too many";
    CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_E_LIMIT);
    fixture_free(&f);
}

/* Removes itself; the call keeps the chain it began with. */
typedef struct leaver {
    kernel_t *kernel;
    atomic_int seen;
} leaver_t;

static kernel_filter_verdict_t leave_before(kernel_filter_context_t *context, void *data)
{
    leaver_t *leaver = data;

    (void)context;
    (void)kernel_remove_filter(leaver->kernel, "leaver", NULL);
    atomic_fetch_add(&leaver->seen, 1);
    return KERNEL_FILTER_CONTINUE;
}

static kernel_filter_verdict_t leave_after(kernel_filter_context_t *context,
                                           const kernel_result_t *result, void *data)
{
    leaver_t *leaver = data;

    (void)context;
    (void)result;
    atomic_fetch_add(&leaver->seen, 1);
    return KERNEL_FILTER_CONTINUE;
}

static void filter_that_is_removed_during_a_call_sees_its_end(void)
{
    for (way_t way = 0; way < WAYS; way++) {
        subject_t subject;
        fixture_t f = fixture_of(&subject);
        leaver_t leaver = {.kernel = f.kernel};
        kernel_filter_t filter = KERNEL_FILTER_INIT;

        filter.name = "leaver";
        filter.before = leave_before;
        filter.after = leave_after;
        filter.data = &leaver;
        CHECK_EQ(kernel_add_filter(f.kernel, &filter, NULL), KERNEL_OK);
        CHECK_EQ(call_by(&f, way).integer, 11);
        /* nested ways begin with the caller's own call, which removes it for the inner one */
        CHECK_EQ(atomic_load(&leaver.seen), 2);
        CHECK_EQ(call_by(&f, way).integer, 11);
        CHECK_EQ(atomic_load(&leaver.seen), 2);
        fixture_free(&f);
    }
}

typedef struct changer {
    kernel_filter_t filter;
    leaver_t counter;
    atomic_bool is_over;
    pthread_t thread;
} changer_t;

static void *change_filters(void *data)
{
    changer_t *changer = data;

    while (!atomic_load(&changer->is_over)) {
        (void)kernel_add_filter(changer->counter.kernel, &changer->filter, NULL);
        (void)kernel_remove_filter(changer->counter.kernel, changer->filter.name, NULL);
    }
    return NULL;
}

static void filters_may_change_beside_calls(void)
{
    static const char *const names[] = {"a", "b"};
    subject_t subject;
    fixture_t f = fixture_of(&subject);
    changer_t changers[2];

    for (int i = 0; i < 2; i++) {
        changers[i] = (changer_t){.filter = KERNEL_FILTER_INIT, .counter = {.kernel = f.kernel}};
        changers[i].filter.name = names[i];
        changers[i].filter.after = leave_after;
        changers[i].filter.data = &changers[i].counter;
        CHECK_EQ(pthread_create(&changers[i].thread, NULL, change_filters, &changers[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(call_by(&f, (way_t)(i % WAYS)).integer, 11);
    }
    for (int i = 0; i < 2; i++) {
        atomic_store(&changers[i].is_over, true);
        pthread_join(changers[i].thread, NULL);
    }
    fixture_free(&f);
}

TESTS(TEST(first_filter_added_is_the_outermost), TEST(filter_may_have_one_half_alone),
      TEST(filter_that_answers_is_seen_by_those_outside_alone),
      TEST(filter_that_answers_without_a_result_refuses_the_call),
      TEST(filter_may_replace_the_result), TEST(filter_sees_failures_and_may_replace_them),
      TEST(filter_may_ask_for_one_retry), TEST(retry_may_be_answered_by_a_filter_inside),
      TEST(function_may_run_in_the_second_attempt_alone),
      TEST(filter_may_let_the_function_see_other_arguments),
      TEST(filter_reads_bound_arguments_and_bad_ones_are_refused), TEST(filter_is_told_who_asked),
      TEST(deadline_is_seen_by_filters_and_not_overcome_by_a_retry),
      TEST(cancellation_is_not_overcome_by_a_retry),
      TEST(call_that_is_cancelled_while_filters_run_does_not_begin),
      TEST(filters_that_are_not_right_are_refused),
      TEST(filter_that_is_removed_during_a_call_sees_its_end),
      TEST(filters_may_change_beside_calls))
