/*
 * config_text.c - one table of keys, three texts.
 */
#include "config_text.h"

#include <stdbool.h>
#include <string.h>

#define COLUMNS     80
#define HELP_COLUMN 28 /* of the descriptions in --help */
#define VALUE_MAX   256
#define TEXT_MAX    2048

static void write_size(char *text, size_t size, int64_t bytes)
{
    static const struct {
        int64_t factor;
        const char *letter;
    } units[] = {{GIB, "G"}, {MIB, "M"}, {KIB, "K"}, {1, ""}};
    size_t at = 0;

    while (bytes % units[at].factor != 0 || bytes < units[at].factor) {
        at++;
    }
    (void)snprintf(text, size, "%lld%s", (long long)(bytes / units[at].factor), units[at].letter);
}

/* The default as a configuration file takes it; "" if there is none. */
static void write_default(char *text, size_t size, const config_key_t *key)
{
    const void *field = (const char *)config_defaults() + key->offset;
    const char *words = key->unit;
    int64_t number = 0;
    bool on = false;

    text[0] = '\0';
    switch (key->kind) {
    case KEY_TEXT:
        memcpy(&words, field, sizeof(words));
        (void)snprintf(text, size, "%s", words == NULL ? "" : words);
        break;
    case KEY_NUMBER:
    case KEY_SIZE:
        memcpy(&number, field, sizeof(number));
        if (number < key->smallest) { /* stands for none */
            text[0] = '\0';
        } else if (key->kind == KEY_SIZE) {
            write_size(text, size, number);
        } else {
            (void)snprintf(text, size, "%lld", (long long)number);
        }
        break;
    case KEY_SWITCH:
        memcpy(&on, field, sizeof(on));
        (void)snprintf(text, size, "%s", on ? "true" : "false");
        break;
    case KEY_CHOICE:
        for (memcpy(&number, field, sizeof(number)); number > 0; number--) {
            words = strchr(words, '|') + 1;
        }
        (void)snprintf(text, size, "%.*s", (int)strcspn(words, "|"), words);
        break;
    }
}

/* --max-sessions */
static void write_flag(char *text, size_t size, const config_key_t *key)
{
    (void)snprintf(text, size, "--%s", key->name);
    for (char *at = strchr(text, '_'); at != NULL; at = strchr(at, '_')) {
        *at = '-';
    }
}

/* What it is, and its default if that says something. */
static void write_description(char *text, size_t size, const config_key_t *key)
{
    char value[VALUE_MAX];

    write_default(value, sizeof(value), key);
    if (key->kind == KEY_SWITCH || value[0] == '\0') {
        (void)snprintf(text, size, "%s", key->help);
    } else {
        (void)snprintf(text, size, "%s (%s)", key->help, value);
    }
}

/* Words of `text`, each line behind `indent` blanks; the cursor stands at `column` already. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t indent,
                          const char *lead)
{
    bool first = true; /* of its line */

    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (!first && column + 1 + length > COLUMNS) {
            (void)fprintf(out, "\n%s%*s", lead, (int)indent, "");
            column = strlen(lead) + indent;
            first = true;
        }
        (void)fprintf(out, "%s%.*s", first ? "" : " ", (int)length, text);
        column += length + (first ? 0 : 1);
        first = false;
        text += length;
        text += strspn(text, " ");
    }
    (void)fputc('\n', out);
}

/* ---- help ---- */

static void print_flag(FILE *out, const char *flag, const char *unit, const char *description)
{
    size_t column =
        (size_t)fprintf(out, "  %s%s%s", flag, unit == NULL ? "" : " ", unit == NULL ? "" : unit);

    if (column + 2 > HELP_COLUMN) {
        (void)fputc('\n', out);
        column = 0;
    }
    (void)fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
    print_wrapped(out, description, HELP_COLUMN, HELP_COLUMN, "");
}

void config_print_help(FILE *out)
{
    size_t count = 0;
    const config_key_t *keys = config_keys(&count);
    char flag[64];
    char description[TEXT_MAX];

    (void)fputs("usage: semkernel-sessiond [flags]\n\n"
                "Runs untrusted Python in sandboxed sessions and answers the dynamic sessions\n"
                "REST API. Prints one line of JSON when it listens. Exit status 78: this machine\n"
                "cannot sandbox, and stderr says why and what to do.\n",
                out);
    for (size_t i = 0; i < count; i++) {
        if (keys[i].name == NULL) {
            (void)fprintf(out, "\n%s:\n", keys[i].help);
            continue;
        }
        write_flag(flag, sizeof(flag), &keys[i]);
        write_description(description, sizeof(description), &keys[i]);
        print_flag(out, flag, keys[i].unit, description);
    }
    (void)fputs("\nHelp:\n", out);
    print_flag(out, "--help", NULL, "print this");
    print_flag(out, "--version", NULL, "print the version");
    (void)fputs("\nBYTES may end in K, M or G. Each flag is also a variable of the environment,\n"
                "SEMKERNEL_SESSIOND_MAX_SESSIONS, and a line of the configuration file,\n"
                "max_sessions = 4. A flag beats the environment, the environment beats the file.\n",
                out);
}

/* ---- manual ---- */

static void print_roff(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '\\':
            (void)fputs("\\e", out);
            break;
        case '-':
            (void)fputs("\\-", out);
            break;
        default:
            (void)fputc(*at, out);
        }
    }
}

static void print_manual_flag(FILE *out, const config_key_t *key)
{
    char text[TEXT_MAX];

    write_flag(text, sizeof(text), key);
    (void)fputs(".TP\n\\fB", out);
    print_roff(out, text);
    (void)fputs("\\fR", out);
    if (key->unit != NULL) {
        (void)fputs(" \\fI", out);
        print_roff(out, key->unit);
        (void)fputs("\\fR", out);
    }
    write_description(text, sizeof(text), key);
    (void)fputs("\n\\&", out); /* no request, whatever it begins with */
    print_roff(out, text);
    (void)fputc('\n', out);
}

void config_print_manual(FILE *out)
{
    size_t count = 0;
    const config_key_t *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (keys[i].name == NULL) {
            (void)fprintf(out, ".SS %s\n", keys[i].help);
        } else {
            print_manual_flag(out, &keys[i]);
        }
    }
    (void)fputs(".SS Help\n.TP\n\\fB\\-\\-help\\fR\nprint the flags\n"
                ".TP\n\\fB\\-\\-version\\fR\nprint the version\n",
                out);
}

/* ---- example ---- */

static void print_example_key(FILE *out, const config_key_t *key)
{
    char value[VALUE_MAX];

    (void)fputs("\n# ", out);
    print_wrapped(out, key->help, 2, 0, "# ");
    if (key->kind == KEY_CHOICE) {
        (void)fprintf(out, "# (%s)\n", key->unit);
    } else if (key->unit != NULL && (key->kind == KEY_NUMBER || key->kind == KEY_SIZE)) {
        (void)fprintf(out, "# (%s, %lld to %lld)\n", key->unit, (long long)key->smallest,
                      (long long)key->largest);
    }
    write_default(value, sizeof(value), key);
    (void)fprintf(out, "#%s =%s%s\n", key->name, value[0] == '\0' ? "" : " ", value);
}

void config_print_example(FILE *out)
{
    size_t count = 0;
    const config_key_t *keys = config_keys(&count);

    (void)fputs("# Configuration of semkernel-sessiond, read with --config PATH.\n"
                "#\n"
                "# Every key stands here at its default: take the # away and change the value.\n"
                "# An empty value is none. BYTES may end in K, M or G. A variable of the\n"
                "# environment, SEMKERNEL_SESSIOND_MAX_SESSIONS, beats this file, and a flag,\n"
                "# --max-sessions, beats both.\n",
                out);
    for (size_t i = 0; i < count; i++) {
        if (keys[i].name == NULL) {
            (void)fprintf(out, "\n\n# ---- %s ----\n", keys[i].help);
        } else if (strcmp(keys[i].name, "config") != 0) { /* a file names no other */
            print_example_key(out, &keys[i]);
        }
    }
}
