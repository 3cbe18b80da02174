/*
 * dotenv.c - reading a .env file.
 *
 * The text is copied once. Names and values are then made within that copy,
 * since no value is longer than how it is written; so secrets lie in one place
 * only, which is wiped in the end.
 */
#include "dotenv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "text.h"

#define LARGEST_FILE ((size_t)1 << 20)

typedef struct variable {
    const char *name;
    const char *value;
} variable_t;

struct sk_dotenv {
    char *text; /* owned; what the variables point into */
    size_t text_size;
    variable_t *variables; /* owned */
    size_t count;
    size_t room;
};

/* Reads at `at` and writes, always behind it, at `out`. */
typedef struct reader {
    char *at;
    const char *end;
    char *out;
    unsigned line;
    const char *wrong; /* NULL: nothing, or memory is out */
} reader_t;

static bool refuse(reader_t *reader, unsigned line, const char *wrong)
{
    reader->line = line;
    reader->wrong = wrong;
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* At a line's end or the text's? A CR counts only in front of an LF or the end. */
static bool at_line_end(const reader_t *reader)
{
    const char *at = reader->at;

    if (at < reader->end && *at == '\r') {
        at++;
    }
    return at == reader->end || *at == '\n';
}

static void skip_blanks(reader_t *reader)
{
    while (reader->at < reader->end && is_blank(*reader->at)) {
        reader->at++;
    }
}

static void skip_line(reader_t *reader)
{
    while (reader->at < reader->end && *reader->at != '\n') {
        reader->at++;
    }
    if (reader->at < reader->end) {
        reader->at++;
        reader->line++;
    }
}

/* ---- names ---- */

static bool is_name_char(char c, bool is_first)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_') {
        return true;
    }
    return !is_first && ((c >= '0' && c <= '9') || c == '.' || c == '-');
}

/* A variable may be named export, too. */
static void skip_export(reader_t *reader)
{
    char *begin = reader->at;

    if (reader->end - reader->at > 6 && memcmp(reader->at, "export", 6) == 0 &&
        is_blank(reader->at[6])) {
        reader->at += 6;
        skip_blanks(reader);
    }
    if (reader->at < reader->end && *reader->at == '=') {
        reader->at = begin;
    }
}

static bool read_name(reader_t *reader, const char **name_out)
{
    *name_out = reader->out;
    while (reader->at < reader->end && is_name_char(*reader->at, reader->out == *name_out)) {
        *reader->out++ = *reader->at++;
    }
    skip_blanks(reader);
    if (reader->out == *name_out || reader->at == reader->end || *reader->at != '=') {
        return refuse(reader, reader->line, "expected NAME=value");
    }
    reader->at++; /* the = makes room for the NUL */
    *reader->out++ = '\0';
    return true;
}

/* ---- values ---- */

static void read_bare(reader_t *reader)
{
    const char *begin = reader->out;

    while (!at_line_end(reader) && !(*reader->at == '#' && is_blank(reader->at[-1]))) {
        *reader->out++ = *reader->at++;
    }
    while (reader->out > begin && is_blank(reader->out[-1])) {
        reader->out--;
    }
}

static char escaped_char(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '\\':
    case '"':
    case '$':
        return c;
    default:
        return '\0';
    }
}

/* Up to the closing quote; a line's end is always LF in the value. */
static bool read_quoted(reader_t *reader)
{
    char quote = *reader->at++;
    unsigned line = reader->line;

    while (reader->at < reader->end && *reader->at != quote) {
        char escaped = '\0';

        if (quote == '"' && *reader->at == '\\' && reader->end - reader->at > 1) {
            escaped = escaped_char(reader->at[1]);
        }
        if (escaped != '\0') {
            *reader->out++ = escaped;
            reader->at += 2;
            continue;
        }
        if (*reader->at == '\r' && at_line_end(reader) && reader->end - reader->at > 1) {
            reader->at++;
        }
        reader->line += *reader->at == '\n';
        *reader->out++ = *reader->at++;
    }
    if (reader->at == reader->end) {
        return refuse(reader, line, "the quote that begins here is not closed");
    }
    reader->at++;
    skip_blanks(reader);
    if (!at_line_end(reader) && *reader->at != '#') {
        return refuse(reader, reader->line, "only a comment may follow the closing quote");
    }
    return true;
}

static bool read_value(reader_t *reader, const char **value_out)
{
    char *begin = reader->out;

    *value_out = begin;
    skip_blanks(reader);
    if (!at_line_end(reader) && (*reader->at == '"' || *reader->at == '\'')) {
        if (!read_quoted(reader)) {
            return false;
        }
    } else {
        read_bare(reader);
    }
    return true;
}

/* ---- the whole ---- */

static bool add_variable(sk_dotenv_t *dotenv, const char *name, const char *value)
{
    for (size_t i = 0; i < dotenv->count; i++) {
        if (strcmp(dotenv->variables[i].name, name) == 0) {
            dotenv->variables[i].value = value;
            return true;
        }
    }
    if (dotenv->count == dotenv->room) {
        size_t room = dotenv->room > 0 ? 2 * dotenv->room : 16;
        variable_t *variables = sk_realloc(dotenv->variables, room * sizeof(*variables));

        if (variables == NULL) {
            return false;
        }
        dotenv->variables = variables;
        dotenv->room = room;
    }
    dotenv->variables[dotenv->count++] = (variable_t){name, value};
    return true;
}

/* A line, or several if its value goes on. */
static bool read_line(reader_t *reader, sk_dotenv_t *dotenv)
{
    const char *name = NULL;
    const char *value = NULL;

    skip_blanks(reader);
    if (!at_line_end(reader) && *reader->at != '#') {
        skip_export(reader);
        if (!read_name(reader, &name) || !read_value(reader, &value)) {
            return false;
        }
        skip_line(reader); /* before the NUL, for which the line's end makes room */
        *reader->out++ = '\0';
        return add_variable(dotenv, name, value);
    }
    skip_line(reader);
    return true;
}

static unsigned line_of(const char *text, size_t offset)
{
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++) {
        line += text[i] == '\n';
    }
    return line;
}

static void fail(sk_dotenv_error_t *error, int system_error, unsigned line, const char *text)
{
    if (error == NULL) {
        return;
    }
    error->system_error = system_error;
    error->line = line;
    snprintf(error->text, sizeof(error->text), "%s", text);
}

static bool check_text(const char *text, size_t size, sk_dotenv_error_t *error)
{
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t offset = 0;

    if (size > LARGEST_FILE) {
        fail(error, 0, 1, "the text is larger than 1 MiB");
        return false;
    }
    if (nul != NULL) {
        fail(error, 0, line_of(text, (size_t)(nul - text)), "the text has a NUL byte");
        return false;
    }
    if (!sk_utf8_is_valid(text, size, &offset)) {
        fail(error, 0, line_of(text, offset), "the text is not UTF-8");
        return false;
    }
    return true;
}

sk_dotenv_t *sk_dotenv_read(const char *text, size_t size, sk_dotenv_error_t *error)
{
    sk_dotenv_t *dotenv = NULL;
    reader_t reader = {.line = 1};

    fail(error, 0, 0, "");
    if (!check_text(text, size, error)) {
        return NULL;
    }
    dotenv = sk_calloc(1, sizeof(*dotenv));
    if (dotenv != NULL) {
        dotenv->text = sk_memdup(size > 0 ? text : "", size);
    }
    if (dotenv == NULL || dotenv->text == NULL) {
        sk_dotenv_free(dotenv);
        fail(error, ENOMEM, 0, "not enough memory");
        return NULL;
    }
    dotenv->text_size = size;
    reader.at = dotenv->text;
    reader.out = dotenv->text;
    reader.end = dotenv->text + size;
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        reader.at += 3;
    }
    while (reader.at < reader.end) {
        if (!read_line(&reader, dotenv)) {
            sk_dotenv_free(dotenv);
            if (reader.wrong != NULL) {
                fail(error, 0, reader.line, reader.wrong);
            } else {
                fail(error, ENOMEM, 0, "not enough memory");
            }
            return NULL;
        }
    }
    return dotenv;
}

/* The size of the file, at most one byte above the limit; -1 and errno. */
static ssize_t read_all(const char *path, char *out)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t step = 1;
    int system_error = 0;

    if (file < 0) {
        return -1;
    }
    while (size <= LARGEST_FILE && step != 0) {
        step = read(file, out + size, LARGEST_FILE + 1 - size);
        if (step < 0 && errno != EINTR) {
            system_error = errno;
            break;
        }
        size += step > 0 ? (size_t)step : 0;
    }
    close(file);
    errno = system_error;
    return system_error != 0 ? -1 : (ssize_t)size;
}

sk_dotenv_t *sk_dotenv_read_file(const char *path, sk_dotenv_error_t *error)
{
    char *text = sk_malloc(LARGEST_FILE + 1);
    sk_dotenv_t *dotenv = NULL;
    ssize_t size = 0;

    if (text == NULL) {
        fail(error, ENOMEM, 0, "not enough memory");
        return NULL;
    }
    size = read_all(path, text);
    if (size < 0) {
        char reason[96];
        int system_error = errno;

        fail(error, system_error, 0, strerror_r(system_error, reason, sizeof(reason)));
    } else {
        dotenv = sk_dotenv_read(text, (size_t)size, error);
        sk_wipe(text, (size_t)size);
    }
    sk_free(text);
    return dotenv;
}

const char *sk_dotenv_find(const sk_dotenv_t *dotenv, const char *name)
{
    for (size_t i = 0; i < sk_dotenv_count(dotenv); i++) {
        if (strcmp(dotenv->variables[i].name, name) == 0) {
            return dotenv->variables[i].value;
        }
    }
    return NULL;
}

size_t sk_dotenv_count(const sk_dotenv_t *dotenv)
{
    return dotenv != NULL ? dotenv->count : 0;
}

const char *sk_dotenv_name_at(const sk_dotenv_t *dotenv, size_t index)
{
    return index < sk_dotenv_count(dotenv) ? dotenv->variables[index].name : NULL;
}

const char *sk_dotenv_value_at(const sk_dotenv_t *dotenv, size_t index)
{
    return index < sk_dotenv_count(dotenv) ? dotenv->variables[index].value : NULL;
}

void sk_dotenv_free(sk_dotenv_t *dotenv)
{
    if (dotenv == NULL) {
        return;
    }
    sk_wipe(dotenv->text, dotenv->text_size);
    sk_free(dotenv->text);
    sk_free(dotenv->variables);
    sk_free(dotenv);
}
