/* The harness itself: what counts as failed, and what it prints. */
#include "support/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void passes(void)
{
    CHECK(true);
    CHECK_EQ(2, 2);
    CHECK_STR("a", "a");
    CHECK_STR(NULL, NULL);
    CHECK_STR_CONTAINS("abc", "bc");
}

static void fails_a_condition(void)
{
    CHECK(1 > 2);
}

static void fails_a_number(void)
{
    CHECK_EQ(1 + 1, 3);
}

static void fails_a_text(void)
{
    CHECK_STR("abc", "abd");
}

static void fails_a_null_text(void)
{
    CHECK_STR(NULL, "abd");
}

static void fails_a_part(void)
{
    CHECK_STR_CONTAINS("abc", "x");
}

static void ends_the_process(void)
{
    exit(0);
}

static void crashes(void)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void is_skipped(void)
{
    SKIP("for a reason");
}

static void leave_with_three(void)
{
    _exit(3);
}

/* As a sanitizer does that finds a leak. */
static void is_found_bad_at_exit(void)
{
    atexit(leave_with_three);
}

typedef struct outcome {
    int status;
    char text[8192];
} outcome_t;

/* Run the inner tests in a process of their own and collect what it prints. */
static outcome_t run_inner(const check_test_t *tests, size_t count, int argc, char **argv)
{
    outcome_t outcome = {0};
    int ends[2] = {-1, -1};
    size_t size = 0;
    ssize_t step = 0;
    pid_t child = -1;

    fflush(NULL);
    CHECK_EQ(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(check_main(tests, count, argc, argv));
    }
    close(ends[1]);
    while ((step = read(ends[0], outcome.text + size, sizeof(outcome.text) - 1 - size)) > 0) {
        size += (size_t)step;
    }
    close(ends[0]);
    CHECK_EQ(waitpid(child, &outcome.status, 0), child);
    CHECK(WIFEXITED(outcome.status));
    outcome.status = WEXITSTATUS(outcome.status);
    return outcome;
}

static const check_test_t inner[] = {
    TEST(passes),       TEST(fails_a_condition), TEST(fails_a_number),
    TEST(fails_a_text), TEST(fails_a_null_text), TEST(fails_a_part),
    TEST(crashes),      TEST(ends_the_process),  TEST(is_found_bad_at_exit),
    TEST(is_skipped),
};

static char program[] = "inner";
static char no_fork[] = "--no-fork";

static void each_way_to_fail_is_told_and_counted(void)
{
    char *arguments[] = {program, NULL};
    outcome_t outcome = run_inner(inner, sizeof(inner) / sizeof(inner[0]), 1, arguments);

    CHECK_EQ(outcome.status, 1);
    CHECK_STR_CONTAINS(outcome.text, "ok   passes\n");
    CHECK_STR_CONTAINS(outcome.text, "FAIL fails_a_condition\n");
    CHECK_STR_CONTAINS(outcome.text, "1 > 2");
    CHECK_STR_CONTAINS(outcome.text, "1 + 1 is 2, wanted 3");
    CHECK_STR_CONTAINS(outcome.text, "\"abd\"");
    CHECK_STR_CONTAINS(outcome.text, "NULL is NULL, wanted abd");
    CHECK_STR_CONTAINS(outcome.text, "wanted \"x\" in it");
    CHECK_STR_CONTAINS(outcome.text, "killed by signal 6");
    CHECK_STR_CONTAINS(outcome.text, "its process ended within the test, exit status 0");
    CHECK_STR_CONTAINS(outcome.text, "exit status 3 after the test");
    CHECK_STR_CONTAINS(outcome.text, "SKIP is_skipped: for a reason\n");
    CHECK_STR_CONTAINS(outcome.text, "\n1 passed, 8 failed, 1 skipped\n");
}

static void words_choose_the_tests(void)
{
    char word[] = "pass";
    char *arguments[] = {program, word, NULL};
    outcome_t outcome = run_inner(inner, sizeof(inner) / sizeof(inner[0]), 2, arguments);

    CHECK_EQ(outcome.status, 0);
    CHECK_STR(outcome.text, "ok   passes\n1 passed, 0 failed, 0 skipped\n");
}

static void a_word_that_chooses_nothing_is_a_failure(void)
{
    char word[] = "nothing";
    char *arguments[] = {program, word, NULL};
    outcome_t outcome = run_inner(inner, sizeof(inner) / sizeof(inner[0]), 2, arguments);

    CHECK_EQ(outcome.status, 1);
    CHECK_STR(outcome.text, "0 passed, 0 failed, 0 skipped\n");
}

static void all_skipped_is_status_77(void)
{
    char *arguments[] = {program, NULL};
    check_test_t skipped = TEST(is_skipped);

    CHECK_EQ(run_inner(&skipped, 1, 1, arguments).status, 77);
}

static void without_a_fork_a_skipped_test_is_left_and_a_failed_one_ends_all(void)
{
    static const check_test_t tests[] = {TEST(is_skipped), TEST(passes), TEST(fails_a_number),
                                         TEST(crashes)};
    char *arguments[] = {program, no_fork, NULL};
    outcome_t outcome = run_inner(tests, sizeof(tests) / sizeof(tests[0]), 2, arguments);

    CHECK_EQ(outcome.status, 1);
    CHECK_STR_CONTAINS(outcome.text, "SKIP is_skipped: for a reason\nok   passes\n");
    CHECK_STR_CONTAINS(outcome.text, "1 + 1 is 2, wanted 3\n1 passed, 1 failed, 1 skipped\n");
}

static void *open_latch(void *data)
{
    latch_open(data);
    return NULL;
}

static void latch_opened_by_another_thread_ends_the_wait(void)
{
    static latch_t latch = LATCH_INIT;
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, open_latch, &latch), 0);
    latch_wait(&latch);
    latch_wait(&latch);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TESTS(TEST(each_way_to_fail_is_told_and_counted), TEST(words_choose_the_tests),
      TEST(a_word_that_chooses_nothing_is_a_failure), TEST(all_skipped_is_status_77),
      TEST(without_a_fork_a_skipped_test_is_left_and_a_failed_one_ends_all),
      TEST(latch_opened_by_another_thread_ends_the_wait))
