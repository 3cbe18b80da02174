/*
 * config.c - one table of keys, three sources.
 *
 * The sources are read weakest first, so that each overwrites what came before:
 * defaults, file, environment, flags. The file's path is looked up ahead of them.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <alloc.h>

#define ENVIRONMENT_PREFIX "SEMKERNEL_SESSIOND_"
#define FILE_MAX           (64 * 1024)
#define COUNT(array)       (sizeof(array) / sizeof((array)[0]))

#define KEY_TITLE(title) {NULL, KEY_TEXT, 0, 0, 0, NULL, title},
#define KEY_ROW(kind, field, value, smallest, largest, unit, help)                                 \
    {#field, KEY_##kind, offsetof(config_t, field), smallest, largest, unit, help},

static const config_key_t keys[] = {CONFIG_KEYS(KEY_TITLE, KEY_ROW)};

#define KEY_DEFAULT(kind, field, value, ...) .field = value,

static const config_t defaults = {CONFIG_KEYS(CONFIG_NOTHING, KEY_DEFAULT)};

const config_key_t *config_keys(size_t *count_out)
{
    *count_out = COUNT(keys);
    return keys;
}

const config_t *config_defaults(void)
{
    return &defaults;
}

static bool set_key(config_t *config, const config_key_t *key, const char *value,
                    const char *source, failure_t *failure);

/* Is `name`, in the spelling of a source, this key? Flags write - for _, variables capitals. */
static const config_key_t *find_key(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (keys[i].name == NULL || strlen(keys[i].name) != length) {
            continue;
        }
        size_t at = 0;
        while (at < length &&
               (name[at] == '-' ? '_' : tolower((unsigned char)name[at])) == keys[i].name[at]) {
            at++;
        }
        if (at == length) {
            return &keys[i];
        }
    }
    return NULL;
}

static const char *find_variable(char **environment, const char *name)
{
    for (char **entry = environment; *entry != NULL; entry++) {
        size_t length = strlen(name);
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return NULL;
}

static bool read_environment(config_t *config, char **environment, failure_t *failure)
{
    for (char **entry = environment; *entry != NULL; entry++) {
        if (strncmp(*entry, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0) {
            continue;
        }
        const char *name = *entry + strlen(ENVIRONMENT_PREFIX);
        const char *equals = strchr(name, '=');
        if (equals == NULL) {
            continue;
        }
        const config_key_t *key = find_key(name, (size_t)(equals - name));
        if (key == NULL) {
            return fail(failure, "unknown environment variable %.*s, see --help for the keys",
                        (int)(equals - *entry), *entry);
        }
        if (equals[1] != '\0' && !set_key(config, key, equals + 1, *entry, failure)) {
            return false;
        }
    }
    return true;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        text[--length] = '\0';
    }
    return text;
}

static bool read_line(config_t *config, char *line, const char *path, unsigned number,
                      failure_t *failure)
{
    char source[512];
    line = trim(line);
    if (*line == '\0' || *line == '#') {
        return true;
    }
    char *equals = strchr(line, '=');
    (void)snprintf(source, sizeof(source), "%s line %u", path, number);
    if (equals == NULL) {
        return fail(failure, "%s: expected key = value, found \"%s\"", source, line);
    }
    *equals = '\0';
    const char *name = trim(line);
    const config_key_t *key = find_key(name, strlen(name));
    if (key == NULL || strcmp(key->name, "config") == 0) {
        return fail(failure, "%s: unknown key \"%s\", see --help for the keys", source, name);
    }
    char *value = trim(equals + 1);
    return *value == '\0' || set_key(config, key, value, source, failure);
}

static bool read_file(config_t *config, const char *path, failure_t *failure)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fail(failure, "cannot read the configuration file %s: %s", path, strerror(errno));
    }
    char *text = sk_calloc(1, FILE_MAX + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, FILE_MAX, file);
    bool ok = text != NULL && ferror(file) == 0 && feof(file) != 0;
    (void)fclose(file);
    if (!ok) {
        sk_free(text);
        return fail(failure,
                    "cannot read the configuration file %s: it must be a text of at most "
                    "64 KiB",
                    path);
    }
    text[size] = '\0';
    config->file_text = text;
    unsigned number = 1;
    for (char *line = text; ok && line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        ok = read_line(config, line, path, number, failure);
        line = end == NULL ? NULL : end + 1;
    }
    return ok;
}

/* One flag at argv[*at]; moves *at over its value. */
static bool read_flag(config_t *config, int argc, char **argv, int *at, failure_t *failure)
{
    const char *flag = argv[*at];
    if (strncmp(flag, "--", 2) != 0 || flag[2] == '\0') {
        return fail(failure, "unexpected argument \"%s\", see --help", flag);
    }
    const char *equals = strchr(flag, '=');
    size_t length = equals == NULL ? strlen(flag + 2) : (size_t)(equals - flag - 2);
    const config_key_t *key = find_key(flag + 2, length);
    if (key == NULL) {
        return fail(failure, "unknown flag \"%.*s\", see --help", (int)length + 2, flag);
    }
    const char *value = equals == NULL ? NULL : equals + 1;
    if (value == NULL && key->kind == KEY_SWITCH) {
        value = "true";
    }
    if (value == NULL) {
        if (*at + 1 >= argc) {
            return fail(failure, "the flag %s needs a value: %s", flag, key->unit);
        }
        value = argv[++*at];
    }
    return set_key(config, key, value, flag, failure);
}

void config_fini(config_t *config)
{
    sk_free(config->file_text);
    config->file_text = NULL;
}

config_wish_t config_read(config_t *config, int argc, char **argv, char **environment,
                          failure_t *failure)
{
    *config = defaults;
    const char *path = find_variable(environment, ENVIRONMENT_PREFIX "CONFIG");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return CONFIG_HELP;
        }
        if (strcmp(argv[i], "--version") == 0) {
            return CONFIG_VERSION;
        }
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            path = argv[i + 1];
        }
        if (strncmp(argv[i], "--config=", 9) == 0) {
            path = argv[i] + 9;
        }
    }
    if (path != NULL && *path != '\0' && !read_file(config, path, failure)) {
        return CONFIG_WRONG;
    }
    if (!read_environment(config, environment, failure)) {
        return CONFIG_WRONG;
    }
    for (int i = 1; i < argc; i++) {
        if (!read_flag(config, argc, argv, &i, failure)) {
            return CONFIG_WRONG;
        }
    }
    return CONFIG_RUN;
}

/* ---- values ---- */

static bool read_number(const char *value, bool with_unit, int64_t *number)
{
    char *end = NULL;
    if (!isdigit((unsigned char)*value)) {
        return false;
    }
    errno = 0;
    long long read = strtoll(value, &end, 10);
    if (errno != 0) {
        return false;
    }
    int64_t factor = 1;
    if (with_unit && *end != '\0') {
        switch (*end++) {
        case 'k':
        case 'K':
            factor = KIB;
            break;
        case 'm':
        case 'M':
            factor = MIB;
            break;
        case 'g':
        case 'G':
            factor = GIB;
            break;
        default:
            return false;
        }
    }
    return *end == '\0' && !__builtin_mul_overflow(read, factor, number);
}

static bool read_switch(const char *value, bool *on)
{
    static const char *const yes[] = {"true", "on", "yes", "1"};
    static const char *const no[] = {"false", "off", "no", "0"};
    for (size_t i = 0; i < COUNT(yes); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *on = strcmp(value, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

/* The index of one of the words of "one|other|third". */
static bool read_choice(const char *words, const char *value, int64_t *index)
{
    const size_t length = strlen(value);

    *index = 0;
    for (const char *word = words; word != NULL; word = strchr(word, '|')) {
        word += *word == '|';
        if (strcspn(word, "|") == length && strncmp(word, value, length) == 0) {
            return true;
        }
        ++*index;
    }
    return false;
}

static bool set_key(config_t *config, const config_key_t *key, const char *value,
                    const char *source, failure_t *failure)
{
    void *field = (char *)config + key->offset;
    int64_t number = 0;
    bool on = false;

    /* A variable's source is the whole entry: name it without its value. */
    int named = (int)strcspn(source, "=");
    switch (key->kind) {
    case KEY_TEXT:
        if (*value == '\0') {
            return fail(failure, "%.*s: %s must not be empty", named, source, key->name);
        }
        memcpy(field, &value, sizeof(value));
        return true;
    case KEY_NUMBER:
    case KEY_SIZE:
        if (!read_number(value, key->kind == KEY_SIZE, &number) || number < key->smallest ||
            number > key->largest) {
            return fail(failure, "%.*s: %s must be %s from %lld to %lld%s, not \"%s\"", named,
                        source, key->name, key->kind == KEY_SIZE ? "a size" : "a number",
                        (long long)key->smallest, (long long)key->largest,
                        key->kind == KEY_SIZE ? " (K, M and G may follow)" : "", value);
        }
        memcpy(field, &number, sizeof(number));
        return true;
    case KEY_SWITCH:
        if (!read_switch(value, &on)) {
            return fail(failure, "%.*s: %s must be true or false, not \"%s\"", named, source,
                        key->name, value);
        }
        memcpy(field, &on, sizeof(on));
        return true;
    case KEY_CHOICE:
        if (!read_choice(key->unit, value, &number)) {
            return fail(failure, "%.*s: %s must be one of %s, not \"%s\"", named, source, key->name,
                        key->unit, value);
        }
        memcpy(field, &number, sizeof(number));
        return true;
    }
    return true;
}
