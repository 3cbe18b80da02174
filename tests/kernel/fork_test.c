/* What a forked child can do with the kernels of its parent: nothing, quickly. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/fixture.h"

/* What tools do not bear: new threads after a fork beside others (ThreadSanitizer), a fork while
 * others allocate (AddressSanitizer). */
#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER true
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER true
#elif __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER true
#endif
#endif
#ifndef HAS_THREAD_SANITIZER
#define HAS_THREAD_SANITIZER false
#endif
#ifndef HAS_ADDRESS_SANITIZER
#define HAS_ADDRESS_SANITIZER false
#endif

/* Run `body` in a forked child, which must end by itself and with 0. */
static void in_child(void (*body)(void *data), void *data)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        body(data);
        _exit(0);
    }
    for (int i = 0; i < FIXTURE_WAIT_MS; i++) {
        if (waitpid(child, &status, WNOHANG) == child) {
            CHECK(WIFEXITED(status));
            CHECK_EQ(WEXITSTATUS(status), 0);
            return;
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    check_fail(__FILE__, __LINE__, "the child hangs");
}

#define CHILD_CHECK(number, condition)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            _exit(number);                                                                         \
        }                                                                                          \
    } while (0)

/* A kernel with a thread in each of the places where one can be when another forks. */
typedef struct busy {
    fixture_t f;
    gate_t gate;
    outcome_t outcomes[4];
    kernel_call_t *call;
    kernel_cancel_t *cancel;
    kernel_function_t *add;
} busy_t;

static void busy_begin(busy_t *busy)
{
    kernel_options_t options = fixture_options();
    kernel_invoke_options_t cancellable = KERNEL_INVOKE_OPTIONS_INIT;

    *busy = (busy_t){.gate = gate_new(), .cancel = kernel_cancel_new()};
    options.delivery = KERNEL_DELIVERY_FD;
    busy->f = fixture_with_options(&options);
    fixture_add(&busy->f, "threads:counter", NULL);
    fixture_add(&busy->f, "async", NULL);
    busy->add = fixture_function(&busy->f, "counter-add");
    for (int i = 0; i < 4; i++) {
        busy->outcomes[i] = (outcome_t)OUTCOME_INIT;
    }
    cancellable.cancel = busy->cancel;
    CHECK(kernel_completion_fd(busy->f.kernel) >= 0);
    outcome_start(&busy->outcomes[0], &busy->f, "counter-hold", NULL, NULL,
                  "{\"begun\":%d,\"go\":%d}", busy->gate.begun[1], busy->gate.go[0]);
    gate_wait(&busy->gate, 1);
    outcome_start(&busy->outcomes[1], &busy->f, "counter-add", NULL, NULL, "{\"amount\":1}");
    outcome_start(&busy->outcomes[2], &busy->f, "async-until_cancelled", &cancellable, &busy->call,
                  "{\"fd\":%d}", busy->gate.begun[1]);
    gate_wait(&busy->gate, 1);
    outcome_start(&busy->outcomes[3], &busy->f, "async-when_told", NULL, NULL, "{\"fd\":%d}",
                  busy->gate.go[0]);
}

static void busy_end(busy_t *busy)
{
    gate_open(&busy->gate, 2);
    kernel_cancel_trigger(busy->cancel);
    kernel_cancel_free(busy->cancel);
    kernel_call_release(busy->call);
    fixture_free(&busy->f);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(outcome_times(&busy->outcomes[i]), 1);
    }
    gate_free(&busy->gate);
}

static kernel_status_t status_of(kernel_result_t *result)
{
    kernel_status_t status = kernel_result_status(result);

    kernel_result_free(result);
    return status;
}

static void never_close(void *data)
{
    (void)data;
}

static kernel_filter_verdict_t before_nothing(kernel_filter_context_t *context, void *data)
{
    (void)context;
    (void)data;
    return KERNEL_FILTER_CONTINUE;
}

static void try_everything(void *data)
{
    busy_t *busy = data;
    kernel_t *kernel = busy->f.kernel;
    kernel_error_t errors[6] = {KERNEL_ERROR_INIT, KERNEL_ERROR_INIT, KERNEL_ERROR_INIT,
                                KERNEL_ERROR_INIT, KERNEL_ERROR_INIT, KERNEL_ERROR_INIT};
    static const kp_function nothing = {.size = sizeof(kp_function), .name = "nothing"};
    kernel_filter_t filter = KERNEL_FILTER_INIT;
    outcome_t outcome = OUTCOME_INIT;

    filter.name = "filter";
    filter.before = before_nothing;
    CHILD_CHECK(1, status_of(kernel_invoke(busy->add, NULL)) == KERNEL_E_FORKED);
    CHILD_CHECK(2, status_of(kernel_invoke_with(busy->add, NULL, NULL)) == KERNEL_E_FORKED);
    CHILD_CHECK(3, status_of(kernel_invoke_json(kernel, "counter-add", "{}")) == KERNEL_E_FORKED);
    CHILD_CHECK(4, kernel_invoke_async(busy->add, NULL, NULL, outcome_note, &outcome, NULL) ==
                       KERNEL_E_FORKED);
    CHILD_CHECK(5, kernel_add_plugin(kernel, "calls", NULL, NULL, &errors[0]) == NULL &&
                       errors[0].status == KERNEL_E_FORKED);
    CHILD_CHECK(6, kernel_add_service(kernel, "http", NULL, NULL, &errors[1]) == NULL &&
                       errors[1].status == KERNEL_E_FORKED);
    CHILD_CHECK(7, kernel_add_function(kernel, "host", &nothing, NULL, &errors[2]) == NULL &&
                       errors[2].status == KERNEL_E_FORKED);
    CHILD_CHECK(8, kernel_replace_plugin(kernel, "calls", "async", NULL, &errors[3]) == NULL &&
                       errors[3].status == KERNEL_E_FORKED);
    CHILD_CHECK(9, kernel_remove_plugin(busy->f.plugin, &errors[4]) == KERNEL_E_FORKED);
    CHILD_CHECK(10, kernel_add_filter(kernel, &filter, NULL) == KERNEL_E_FORKED);
    CHILD_CHECK(11, kernel_remove_filter(kernel, "filter", NULL) == KERNEL_E_FORKED);
    CHILD_CHECK(12, kernel_close(kernel, never_close, NULL) == KERNEL_E_FORKED);
    CHILD_CHECK(13, kernel_dispatch(kernel) == 0);
    CHILD_CHECK(14, kernel_completion_fd(kernel) == -1);
    CHILD_CHECK(15, kernel_find_plugin(kernel, "async") == NULL);
    CHILD_CHECK(16, kernel_find_function(kernel, "async-now") == NULL);
    CHILD_CHECK(17, kernel_plugin_find(busy->f.plugin, "add") == NULL);
    CHILD_CHECK(18, kernel_plugin_count(kernel) == 0);
    CHILD_CHECK(19, !kernel_plugin_is_available(busy->f.plugin));
    CHILD_CHECK(20, kernel_plugin_function_count(busy->f.plugin) == 0);
    kernel_call_cancel(busy->call);
    kernel_cancel_trigger(busy->cancel);
    kernel_call_release(busy->call);
    kernel_cancel_free(busy->cancel);
    kernel_free(kernel);
    CHILD_CHECK(21, outcome_times(&outcome) == 0);
}

static void every_entry_point_of_a_child_answers_that_it_is_forked(void)
{
    busy_t busy;

    busy_begin(&busy);
    in_child(try_everything, &busy);
    busy_end(&busy);
}

static void free_alone(void *data)
{
    kernel_free(data);
}

static void child_frees_a_kernel_that_had_no_thread(void)
{
    fixture_t f = fixture_with_plugin("calls");

    CHECK_CALL(&f, "calls-add", "{\"a\":1}", "2");
    in_child(free_alone, f.kernel);
    CHECK_CALL(&f, "calls-add", "{\"a\":2}", "3");
    fixture_free(&f);
}

/* ---- a child with a kernel of its own ---- */

static void make_a_kernel(void *data)
{
    fixture_t f = fixture_with_plugin("async");
    outcome_t outcome = OUTCOME_INIT;

    (void)data;
    outcome_start(&outcome, &f, "async-from_thread", NULL, NULL, "{\"value\":1}");
    outcome_wait(&outcome);
    fixture_free(&f);
    CHILD_CHECK(1, outcome.status == KERNEL_OK && outcome_times(&outcome) == 1);
}

static void child_makes_a_kernel_of_its_own(void)
{
    busy_t busy;

    if (HAS_THREAD_SANITIZER) {
        SKIP("ThreadSanitizer allows no new threads after a fork beside others");
    }
    busy_begin(&busy);
    in_child(make_a_kernel, NULL);
    busy_end(&busy);
}

/* Locks of the whole process may be held at the moment of the fork. */
typedef struct maker {
    atomic_bool is_over;
    pthread_t thread;
} maker_t;

static void *make_and_free(void *data)
{
    maker_t *maker = data;

    while (!atomic_load(&maker->is_over)) {
        fixture_t f = fixture_with_plugin("calls");

        CHECK_CALL(&f, "calls-add", "{\"a\":1}", "2");
        fixture_free(&f);
    }
    return NULL;
}

static void make_a_plain_kernel(void *data)
{
    fixture_t f = fixture_with_plugin("calls");

    (void)data;
    CHILD_CHECK(1, status_of(fixture_call(&f, "calls-add", "{\"a\":1}")) == KERNEL_OK);
    fixture_free(&f);
}

static void fork_beside_threads_that_make_kernels_does_no_harm(void)
{
    maker_t makers[3];

    if (HAS_ADDRESS_SANITIZER) {
        SKIP("AddressSanitizer's allocator is locked in a child forked while others allocate");
    }
    make_a_plain_kernel(NULL); /* then no child needs the C library's loader, which may be locked */
    for (int i = 0; i < 3; i++) {
        atomic_init(&makers[i].is_over, false);
        CHECK_EQ(pthread_create(&makers[i].thread, NULL, make_and_free, &makers[i]), 0);
    }
    for (int i = 0; i < 30; i++) {
        in_child(make_a_plain_kernel, NULL);
    }
    for (int i = 0; i < 3; i++) {
        atomic_store(&makers[i].is_over, true);
        pthread_join(makers[i].thread, NULL);
    }
}

TESTS(TEST(every_entry_point_of_a_child_answers_that_it_is_forked),
      TEST(child_frees_a_kernel_that_had_no_thread), TEST(child_makes_a_kernel_of_its_own),
      TEST(fork_beside_threads_that_make_kernels_does_no_harm))
