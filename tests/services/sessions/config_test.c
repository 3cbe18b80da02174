/*
 * config_test.c - keys from flags and environment; the file is read by the whole program's tests.
 */
#include "config/config.h"

#include <stdio.h>

#include "support/check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static config_wish_t read_flags(config_t *config, char **flags, int count, failure_t *failure)
{
    static char *nothing[] = {NULL};

    return config_read(config, count, flags, nothing, failure);
}

static void without_flags_everything_has_its_default(void)
{
    char name[] = "semkernel-sessiond";
    char *flags[] = {name, NULL};
    config_t config;
    failure_t failure;

    CHECK_EQ(read_flags(&config, flags, 1, &failure), CONFIG_RUN);
    CHECK(config.socket == NULL);
    CHECK_EQ(config.lifeline, -1);
    CHECK_EQ(config.max_sessions, BY_LEVEL);
    CHECK_EQ(config.processes, BY_LEVEL);
    CHECK_EQ(config.address_space, BY_LEVEL);
    CHECK_EQ(config.memory, 512 * MIB);
    CHECK_EQ(config.verbose, false);
    CHECK_STR(config.bwrap, "/usr/bin/bwrap");
}

static void sizes_take_a_letter_and_numbers_do_not(void)
{
    static const struct {
        const char *flag;
        bool right;
        int64_t data_size;
    } cases[] = {{"--data-size=2097152", true, 2 * MIB},
                 {"--data-size=2048k", true, 2 * MIB},
                 {"--data-size=2M", true, 2 * MIB},
                 {"--data-size=1G", true, 1 * GIB},
                 {"--data-size=2MB", false, 0},
                 {"--data-size=-1", false, 0},
                 {"--data-size=", false, 0},
                 {"--data-size=M", false, 0},
                 {"--data-size=9999999999G", false, 0},
                 {"--data-size=1", false, 0},
                 {"--data_size=2M", true, 2 * MIB},
                 {"--max-sessions=1K", false, 0}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[] = "semkernel-sessiond";
        char flag[64];
        char *flags[] = {name, flag, NULL};
        config_t config;
        failure_t failure;
        (void)snprintf(flag, sizeof(flag), "%s", cases[i].flag);
        config_wish_t wish = read_flags(&config, flags, 2, &failure);
        check_equal(__FILE__, __LINE__, cases[i].flag, wish,
                    cases[i].right ? CONFIG_RUN : CONFIG_WRONG);
        if (cases[i].right) {
            check_equal(__FILE__, __LINE__, cases[i].flag, config.data_size, cases[i].data_size);
        }
    }
}

static void switch_may_stand_alone_or_with_a_value(void)
{
    char name[] = "semkernel-sessiond";
    char alone[] = "--verbose";
    char off[] = "--verbose=off";
    char *on_flags[] = {name, alone, NULL};
    char *off_flags[] = {name, alone, off, NULL};
    config_t config;
    failure_t failure;

    CHECK_EQ(read_flags(&config, on_flags, 2, &failure), CONFIG_RUN);
    CHECK(config.verbose);
    CHECK_EQ(read_flags(&config, off_flags, 3, &failure), CONFIG_RUN);
    CHECK(!config.verbose);
}

static void empty_variable_is_as_good_as_none(void)
{
    char name[] = "semkernel-sessiond";
    char empty[] = "SEMKERNEL_SESSIOND_WARM_MIN=";
    char full[] = "SEMKERNEL_SESSIOND_COOLDOWN=20";
    char other[] = "SEMKERNEL_SESSIONDX=5";
    char *flags[] = {name, NULL};
    char *environment[] = {empty, full, other, NULL};
    config_t config;
    failure_t failure;

    CHECK_EQ(config_read(&config, 1, flags, environment, &failure), CONFIG_RUN);
    CHECK_EQ(config.warm_min, 2);
    CHECK_EQ(config.cooldown, 20);
}

TESTS(TEST(without_flags_everything_has_its_default), TEST(sizes_take_a_letter_and_numbers_do_not),
      TEST(switch_may_stand_alone_or_with_a_value), TEST(empty_variable_is_as_good_as_none))
