/*
 * config_text_test.c - the texts that are made of the table of keys say what it says.
 */
#include "config/config_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"

/* What a function prints; the caller frees it. */
static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CHECK(out != NULL);
    print(out);
    (void)fclose(out);
    return text;
}

/* The example with every key's # taken away. A comment's stands before a blank or a line's end. */
static void uncomment(char *text)
{
    for (char *line = text; line != NULL && *line != '\0';) {
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n') {
            line[0] = ' ';
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
}

static config_wish_t read_text(config_t *config, const char *text, failure_t *failure)
{
    char path[] = "/tmp/semkernel-config-XXXXXX";
    char name[] = "semkernel-sessiond";
    char flag[] = "--config";
    char *flags[] = {name, flag, path, NULL};
    char *environment[] = {NULL};
    int file = mkstemp(path);

    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(file);
    config_wish_t wish = config_read(config, 3, flags, environment, failure);
    (void)unlink(path);
    return wish;
}

static bool is_default(const config_t *config, const config_key_t *key)
{
    const char *field = (const char *)config + key->offset;
    const char *dflt = (const char *)config_defaults() + key->offset;
    const char *texts[2];

    switch (key->kind) {
    case KEY_TEXT:
        memcpy(&texts[0], field, sizeof(texts[0]));
        memcpy(&texts[1], dflt, sizeof(texts[1]));
        return texts[0] == texts[1] ||
               (texts[0] != NULL && texts[1] != NULL && strcmp(texts[0], texts[1]) == 0);
    case KEY_SWITCH:
        return memcmp(field, dflt, sizeof(bool)) == 0;
    default:
        return memcmp(field, dflt, sizeof(int64_t)) == 0;
    }
}

static void every_key_of_the_example_is_its_default(void)
{
    char *text = printed(config_print_example);
    config_t config;
    failure_t failure = {""};
    size_t count = 0;
    const config_key_t *keys = config_keys(&count);

    uncomment(text);
    CHECK_EQ(read_text(&config, text, &failure), CONFIG_RUN);
    CHECK_STR(failure.text, "");
    for (size_t i = 0; i < count; i++) {
        char line[80];
        if (keys[i].name == NULL || strcmp(keys[i].name, "config") == 0) {
            continue;
        }
        check_equal(__FILE__, __LINE__, keys[i].name, is_default(&config, &keys[i]), true);
        (void)snprintf(line, sizeof(line), "\n %s =", keys[i].name);
        check_equal(__FILE__, __LINE__, keys[i].name, strstr(text, line) != NULL, true);
    }
    config_fini(&config);
    free(text);
}

static void example_as_it_stands_sets_nothing(void)
{
    char *text = printed(config_print_example);
    config_t config;
    failure_t failure = {""};

    CHECK_EQ(read_text(&config, text, &failure), CONFIG_RUN);
    char *owned = config.file_text;
    config.file_text = NULL;
    CHECK_EQ(config.max_sessions, config_defaults()->max_sessions);
    CHECK(config.socket == NULL);
    config.file_text = owned;
    config_fini(&config);
    free(text);
}

static void empty_value_in_a_file_is_none(void)
{
    config_t config;
    failure_t failure = {""};

    CHECK_EQ(read_text(&config, "socket =\nwarm_min = 1\n", &failure), CONFIG_RUN);
    CHECK(config.socket == NULL);
    CHECK_EQ(config.warm_min, 1);
    config_fini(&config);
}

static void help_and_example_are_at_most_80_columns_wide(void)
{
    void (*const prints[])(FILE *) = {config_print_help, config_print_example};

    for (size_t i = 0; i < sizeof(prints) / sizeof(prints[0]); i++) {
        char *text = printed(prints[i]);
        for (char *line = text; *line != '\0';) {
            size_t length = strcspn(line, "\n");
            if (length > 80 || (length > 0 && line[length - 1] == ' ')) {
                line[length] = '\0';
                CHECK_STR(line, "at most 80 columns, no blank at the end");
                break;
            }
            line += length + 1;
        }
        free(text);
    }
}

static void help_tells_defaults_in_the_unit_that_suits(void)
{
    char *text = printed(config_print_help);

    CHECK(strstr(text, "session (512M)\n") != NULL);
    CHECK(strstr(text, "(/usr/bin/bwrap)") != NULL);
    CHECK(strstr(text, "--max-sessions N") != NULL);
    CHECK(strstr(text, "(-1)") == NULL);
    CHECK(strstr(text, "\nIsolation:\n") != NULL);
    free(text);
}

TESTS(TEST(every_key_of_the_example_is_its_default), TEST(example_as_it_stands_sets_nothing),
      TEST(empty_value_in_a_file_is_none), TEST(help_and_example_are_at_most_80_columns_wide),
      TEST(help_tells_defaults_in_the_unit_that_suits))
