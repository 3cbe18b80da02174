/*
 * check.c - runs tests, each in a process of its own.
 *
 * A child runs the test and leaves with exit(), so that a sanitizer looking
 * for leaks at the end has its say; a check that fails leaves with _exit(). A
 * page shared with the parent tells how far the test came, so that one that
 * ends its process is a failure too, whatever the exit status.
 *
 * --no-fork, or CHECK_NO_FORK in the environment, runs all in this process, for
 * debuggers and valgrind: each test on a thread, which a skipped one leaves; a
 * failed check ends the program.
 */
#include "support/check.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATCH_SECONDS 30

typedef enum verdict { RUNNING, PASSED, FAILED, SKIPPED } verdict_t;

static struct {
    bool forks;
    const char *name;    /* of the test that runs */
    atomic_int *verdict; /* of it; shared with its process */
    unsigned counts[SKIPPED + 1];
} run;

/* ---- leaving a test ---- */

static void print_summary(void)
{
    printf("%u passed, %u failed, %u skipped\n", run.counts[PASSED], run.counts[FAILED],
           run.counts[SKIPPED]);
    fflush(stdout);
}

static _Noreturn void leave_failed(void)
{
    atomic_store(run.verdict, FAILED);
    if (!run.forks) {
        run.counts[FAILED]++;
        print_summary();
    }
    fflush(NULL);
    _exit(1);
}

void check_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    printf("FAIL %s\n     %s:%d: ", run.name, file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    leave_failed();
}

void check_skip(const char *reason)
{
    printf("SKIP %s: %s\n", run.name, reason);
    atomic_store(run.verdict, SKIPPED);
    fflush(NULL);
    if (!run.forks) {
        pthread_exit(NULL);
    }
    _exit(0);
}

/* ---- checks ---- */

void check_equal(const char *file, int line, const char *what, long long got, long long wanted)
{
    if (got != wanted) {
        check_fail(file, line, "%s is %lld, wanted %lld", what, got, wanted);
    }
}

void check_text(const char *file, int line, const char *what, const char *got, const char *wanted)
{
    if (got == NULL || wanted == NULL) {
        if (got != wanted) {
            check_fail(file, line, "%s is %s, wanted %s", what, got != NULL ? got : "NULL",
                       wanted != NULL ? wanted : "NULL");
        }
        return;
    }
    if (strcmp(got, wanted) != 0) {
        check_fail(file, line, "%s is\n       \"%s\", wanted\n       \"%s\"", what, got, wanted);
    }
}

void check_contains(const char *file, int line, const char *what, const char *got, const char *part)
{
    if (got == NULL || strstr(got, part) == NULL) {
        check_fail(file, line, "%s is\n       \"%s\", wanted \"%s\" in it", what,
                   got != NULL ? got : "(NULL)", part);
    }
}

/* ---- latches ---- */

void latch_open(latch_t *latch)
{
    pthread_mutex_lock(&latch->mutex);
    latch->open = true;
    pthread_cond_broadcast(&latch->condition);
    pthread_mutex_unlock(&latch->mutex);
}

void latch_wait(latch_t *latch)
{
    struct timespec deadline;
    bool open = false;
    int status = 0;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += LATCH_SECONDS;
    pthread_mutex_lock(&latch->mutex);
    while (!latch->open && status == 0) {
        status =
            pthread_cond_clockwait(&latch->condition, &latch->mutex, CLOCK_MONOTONIC, &deadline);
    }
    open = latch->open;
    pthread_mutex_unlock(&latch->mutex);
    if (!open) {
        check_fail(__FILE__, __LINE__, "a latch was not opened within %d s", LATCH_SECONDS);
    }
}

/* ---- running ---- */

/* How the process of a test that seemed to pass ended, if not well. */
static verdict_t judge_end(verdict_t verdict, int status)
{
    if (verdict == FAILED) {
        return FAILED;
    }
    if (WIFSIGNALED(status)) {
        printf("FAIL %s\n     killed by signal %d (%s)\n", run.name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
        return FAILED;
    }
    if (verdict == RUNNING) {
        printf("FAIL %s\n     its process ended within the test, exit status %d\n", run.name,
               WEXITSTATUS(status));
        return FAILED;
    }
    if (WEXITSTATUS(status) != 0) {
        printf("FAIL %s\n     exit status %d after the test\n", run.name, WEXITSTATUS(status));
        return FAILED;
    }
    return verdict;
}

static verdict_t run_in_child(const check_test_t *test)
{
    pid_t parent = getpid();
    pid_t child = -1;
    int status = 0;

    fflush(NULL);
    child = fork();
    if (child < 0) {
        printf("FAIL %s\n     cannot fork: %s\n", test->name, strerror(errno));
        return FAILED;
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        test->run();
        atomic_store(run.verdict, PASSED);
        exit(0);
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            printf("FAIL %s\n     cannot wait for it: %s\n", test->name, strerror(errno));
            return FAILED;
        }
    }
    return judge_end((verdict_t)atomic_load(run.verdict), status);
}

static void *run_on_thread(void *data)
{
    const check_test_t *test = data;

    test->run();
    atomic_store(run.verdict, PASSED);
    return NULL;
}

static verdict_t run_here(const check_test_t *test)
{
    check_test_t copy = *test;
    pthread_t thread;
    int status = pthread_create(&thread, NULL, run_on_thread, &copy);

    if (status != 0) {
        printf("FAIL %s\n     cannot start a thread: %s\n", test->name, strerror(status));
        return FAILED;
    }
    pthread_join(thread, NULL);
    return (verdict_t)atomic_load(run.verdict);
}

static void run_test(const check_test_t *test)
{
    verdict_t verdict = RUNNING;

    run.name = test->name;
    atomic_store(run.verdict, RUNNING);
    verdict = run.forks ? run_in_child(test) : run_here(test);
    if (verdict == PASSED) {
        printf("ok   %s\n", test->name);
    }
    run.counts[verdict]++;
    fflush(stdout);
}

/* Without words every test is wanted. */
static bool is_wanted(const char *name, int argc, char **argv)
{
    bool has_words = false;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            continue;
        }
        has_words = true;
        if (strstr(name, argv[i]) != NULL) {
            return true;
        }
    }
    return !has_words;
}

static bool read_options(int argc, char **argv)
{
    run.forks = getenv("CHECK_NO_FORK") == NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-fork") == 0) {
            run.forks = false;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            fprintf(stderr, "usage: %s [--no-fork] [WORD ...]\n", argv[0]);
            return false;
        }
    }
    return true;
}

int check_main(const check_test_t *tests, size_t count, int argc, char **argv)
{
    memset(&run, 0, sizeof(run));
    if (!read_options(argc, argv)) {
        return 1;
    }
    run.verdict =
        mmap(NULL, sizeof(*run.verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.verdict == MAP_FAILED) {
        fprintf(stderr, "cannot map a page to share with the tests: %s\n", strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(tests[i].name, argc, argv)) {
            run_test(&tests[i]);
        }
    }
    print_summary();
    if (run.counts[FAILED] > 0 || run.counts[PASSED] + run.counts[SKIPPED] == 0) {
        return 1;
    }
    return run.counts[PASSED] > 0 ? 0 : 77;
}
