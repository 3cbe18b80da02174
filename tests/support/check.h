/*
 * check.h - the test harness: named sentences, checks, one executable a file.
 *
 *     static void sum_of_two_is_right(void) { CHECK_EQ(1 + 1, 2); }
 *     TESTS(TEST(sum_of_two_is_right))
 *
 * `name_test` runs all, `name_test WORD` those whose name contains WORD. A failing
 * check prints where and what and ends its test; SKIP(reason) counts the test as
 * skipped. The last line is "N passed, N failed, N skipped"; the exit status is 1 when
 * one failed, 77 when all were skipped.
 */
#ifndef SUPPORT_CHECK_H
#define SUPPORT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test_t;

#define TEST(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }
#define TESTS(...)                                                                                 \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const check_test_t tests[] = {__VA_ARGS__};                                         \
        return check_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);                    \
    }

int check_main(const check_test_t *tests, size_t count, int argc, char **argv);

/* Reports and leaves the test (from any depth; only on the test's own thread). */
_Noreturn void check_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void check_skip(const char *reason);

void check_equal(const char *file, int line, const char *what, long long got, long long wanted);
void check_text(const char *file, int line, const char *what, const char *got, const char *wanted);
void check_contains(const char *file, int line, const char *what, const char *got,
                    const char *part);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_fail(__FILE__, __LINE__, "%s", #condition);                                      \
        }                                                                                          \
    } while (0)
#define CHECK_EQ(got, wanted)                                                                      \
    check_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(wanted))
#define CHECK_STR(got, wanted)        check_text(__FILE__, __LINE__, #got, (got), (wanted))
#define CHECK_STR_CONTAINS(got, part) check_contains(__FILE__, __LINE__, #got, (got), (part))
#define SKIP(reason)                  check_skip(reason)

/* A door that one thread opens and another waits at (30 s, then the test fails). */
#include <pthread.h>
typedef struct latch {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool open;
} latch_t;
#define LATCH_INIT                                                                                 \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }
void latch_open(latch_t *latch);
void latch_wait(latch_t *latch);

#endif /* SUPPORT_CHECK_H */
