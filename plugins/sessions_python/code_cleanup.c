/*
 * code_cleanup.c - take the wrapping away, in this order:
 *
 *     cleanup_take_fence        a whole fence: three backticks or more, a line of code or more
 *     cleanup_take_backticks    else backticks at the start, and with them those at the end
 *     cleanup_drop_last_fence   else a closing fence that was never opened
 *     cleanup_drop_language     the language's name before the code
 *     cleanup_write             blank lines at the start, common indentation, CRLF
 *
 * The hard part is the language's name, because `python` is a fine name for a
 * variable, too: "python = 3" keeps it and "python print(3)" loses it.
 *
 * White space is what Python's regular expressions take for it, a no-break space
 * and a byte order mark included; such characters come with text copied from
 * web pages.
 */
#include "code_cleanup.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

typedef struct piece {
    const char *at;
    const char *end;
} piece_t;

static const char *const language_words[] = {"python", "python3", "py",
                                             "py3",    "ipython", "ipython3"};

static bool cleanup_take_fence(piece_t *code);
static bool cleanup_take_backticks(piece_t *code);
static void cleanup_drop_last_fence(piece_t *code);
static void cleanup_drop_language(piece_t *code, bool any_word);
static void cleanup_write(sk_buffer_t *out, piece_t code);

/* ---- characters ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Part of a Python name; what is beyond ASCII may be. */
static bool is_name(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

/* The bytes of the white space character at `at`, 0 if there is none. */
static size_t space_at(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);

    if (left >= 1 && is_ascii_space(*at)) {
        return 1;
    }
    if (left >= 2 && (memcmp(at, "\xC2\x85", 2) == 0 || memcmp(at, "\xC2\xA0", 2) == 0)) {
        return 2;
    }
    return left >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* The bytes of the white space character that ends at `end`. */
static size_t space_before(const char *at, const char *end)
{
    for (size_t size = 1; size <= 3 && size <= (size_t)(end - at); size++) {
        if (space_at(end - size, end) == size) {
            return size;
        }
    }
    return 0;
}

static const char *skip_space(const char *at, const char *end)
{
    size_t size = 0;

    while ((size = space_at(at, end)) > 0) {
        at += size;
    }
    return at;
}

/* White space, but not beyond the line; the CR of a CRLF counts as part of it. */
static const char *skip_within_line(const char *at, const char *end)
{
    size_t size = 0;

    while ((size = space_at(at, end)) > 0 && *at != '\n') {
        at += size;
    }
    return at;
}

static const char *skip_backticks(const char *at, const char *end)
{
    while (at < end && *at == '`') {
        at++;
    }
    return at;
}

static const char *trim_end(const char *at, const char *end)
{
    size_t size = 0;

    while ((size = space_before(at, end)) > 0) {
        end -= size;
    }
    return end;
}

static const char *trim_backticks(const char *at, const char *end)
{
    while (end > at && end[-1] == '`') {
        end--;
    }
    return end;
}

static const char *line_end(const char *at, const char *end)
{
    const char *found = memchr(at, '\n', (size_t)(end - at));

    return found == NULL ? end : found;
}

/* Is this word at `at`, and the whole of it? */
static bool is_word(const char *at, const char *end, const char *word)
{
    size_t size = strlen(word);

    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 &&
           (at + size == end || !is_name(at[size]));
}

static bool has_word(const char *at, const char *end, const char *word)
{
    for (bool inside = false; at < end; at++) {
        if (!inside && is_word(at, end, word)) {
            return true;
        }
        inside = is_name(*at);
    }
    return false;
}

/* Behind the language's name that stands at `at` alone, or `at` if none does. */
static const char *skip_language(const char *at, const char *end, bool any_word)
{
    size_t count = any_word ? sizeof(language_words) / sizeof(language_words[0]) : 1;
    const char *after = at;

    while (after < end && (is_letter(*after) || is_digit(*after))) {
        after++;
    }
    if (after < end && space_at(after, end) == 0) {
        return at;
    }
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(language_words[i]);

        if ((size_t)(after - at) == size && strncasecmp(at, language_words[i], size) == 0) {
            return after;
        }
    }
    return at;
}

/* ---- steps ---- */

void code_cleanup(sk_buffer_t *out, const char *text, size_t size)
{
    piece_t code = {text, text + size};

    code.end = trim_end(code.at, code.end);
    if (!cleanup_take_fence(&code)) {
        bool has_backticks = cleanup_take_backticks(&code);

        if (!has_backticks) {
            cleanup_drop_last_fence(&code);
        }
        cleanup_drop_language(&code, has_backticks);
    }
    cleanup_write(out, code);
}

static bool cleanup_take_fence(piece_t *code)
{
    const char *fence = skip_space(code->at, code->end);
    const char *at = skip_backticks(fence, code->end);
    const char *closing = NULL;
    size_t width = (size_t)(at - fence);

    if (width < 3) {
        return false;
    }
    at = skip_within_line(at, code->end);
    at = skip_language(at, code->end, true);
    at = skip_within_line(at, code->end);
    if (at == code->end || *at != '\n') {
        return false;
    }
    code->at = at + 1;
    closing = trim_backticks(code->at, code->end);
    if ((size_t)(code->end - closing) >= width) { /* a shorter run belongs to the code */
        code->end = closing;
    }
    return true;
}

static bool cleanup_take_backticks(piece_t *code)
{
    const char *at = skip_space(code->at, code->end);
    const char *before = NULL;

    if (at == code->end || *at != '`') {
        return false;
    }
    while (at != before) {
        before = at;
        at = skip_space(skip_backticks(at, code->end), code->end);
    }
    while (at > code->at && is_blank(at[-1])) { /* the first line's indentation counts later */
        at--;
    }
    code->at = at;
    before = NULL;
    while (code->end != before) {
        before = code->end;
        code->end = trim_end(at, trim_backticks(at, code->end));
    }
    return true;
}

static void cleanup_drop_last_fence(piece_t *code)
{
    const char *line = code->end;
    const char *at = NULL;

    while (line > code->at && line[-1] != '\n') {
        line--;
    }
    at = skip_space(line, code->end);
    if (code->end - at >= 3 && skip_backticks(at, code->end) == code->end) {
        code->end = line;
    }
}

/* Does the line go on as if a name stood before `at`? */
static bool continues_expression(const char *at, const char *end)
{
    const char *line = trim_end(at, line_end(at, end));
    const char *after_not = NULL;

    if (*at != '\0' && strchr("=([.,:;+-*/&|^<>", *at) != NULL) {
        return true;
    }
    if (*at == '!') {
        return line - at >= 2 && at[1] == '=';
    }
    if (*at == '%') { /* a magic command otherwise: %matplotlib */
        return line - at < 2 || !is_letter(at[1]);
    }
    if (is_word(at, line, "not")) {
        after_not = skip_space(at + 3, line);
        return is_word(after_not, line, "in");
    }
    if (is_word(at, line, "if")) {
        return has_word(at, line, "else") && line[-1] != ':';
    }
    return is_word(at, line, "in") || is_word(at, line, "is") || is_word(at, line, "and") ||
           is_word(at, line, "or");
}

static void cleanup_drop_language(piece_t *code, bool any_word)
{
    const char *word = skip_space(code->at, code->end);
    const char *after = skip_language(word, code->end, any_word);

    if (after == word) {
        return;
    }
    after = skip_within_line(after, code->end);
    if (after == code->end || *after == '\n' || !continues_expression(after, code->end)) {
        code->at = after;
    }
}

/* ---- writing ---- */

static size_t indentation(const char *at, const char *end)
{
    const char *start = at;

    while (at < end && is_blank(*at)) {
        at++;
    }
    return (size_t)(at - start);
}

/* How much of the first line's indentation every other line has, too. */
static size_t common_indentation(piece_t code)
{
    size_t common = indentation(code.at, code.end);

    for (const char *at = line_end(code.at, code.end); at < code.end && common > 0;) {
        const char *line = at + 1;
        size_t same = 0;

        at = line_end(line, code.end);
        if (skip_space(line, at) == at) {
            continue; /* blank */
        }
        while (same < common && line[same] == code.at[same]) {
            same++;
        }
        common = same;
    }
    return common;
}

static void write_line(sk_buffer_t *out, const char *at, const char *end, bool has_next)
{
    if (has_next && end > at && end[-1] == '\r') {
        end--;
    }
    sk_buffer_append(out, at, (size_t)(end - at));
    if (has_next) {
        sk_buffer_append_char(out, '\n');
    }
}

static void cleanup_write(sk_buffer_t *out, piece_t code)
{
    const char *at = NULL;
    const char *end = NULL;
    size_t common = 0;

    code.end = trim_end(code.at, code.end);
    while ((at = skip_within_line(code.at, code.end)) < code.end && *at == '\n') {
        code.at = at + 1;
    }
    common = common_indentation(code);

    /* The first line loses all of its white space: any rest is an error to Python. */
    end = line_end(at, code.end);
    write_line(out, at, end, end < code.end);
    while (end < code.end) {
        size_t own = 0;

        at = end + 1;
        end = line_end(at, code.end);
        own = indentation(at, end);
        write_line(out, at + (own < common ? own : common), end, end < code.end);
    }
}
