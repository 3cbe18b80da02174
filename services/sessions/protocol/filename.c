/*
 * filename.c - segment by segment.
 */
#include "filename.h"

#include <ctype.h>
#include <string.h>

#include <text.h>

#define ROOT "/mnt/data"

/* ASCII that the service lets a file's name consist of, beside letters and digits. */
static const char allowed[] = "-_ .@$&=;,#%^()";

/* Valid UTF-8 without control characters, those of U+0080 to U+009F among them. */
static bool is_text(const char *part, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)part[i];
        if (c < ' ' || c == 0x7F ||
            (c == 0xC2 && i + 1 < size && (unsigned char)part[i + 1] < 0xA0)) {
            return false;
        }
    }
    return sk_utf8_is_valid(part, size, NULL);
}

static bool is_allowed(const char *part, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)part[i];
        if (c < 0x80 && !isalnum(c) && memchr(allowed, c, sizeof(allowed) - 1) == NULL) {
            return false;
        }
    }
    return size < strlen(FILENAME_TEMPORARY) ||
           memcmp(part, FILENAME_TEMPORARY, strlen(FILENAME_TEMPORARY)) != 0;
}

static bool append(filename_t *filename, const char *part, size_t size)
{
    const size_t slash = filename->size > 0;

    if (size > FILENAME_PART_MAX || filename->size + slash + size >= sizeof(filename->path)) {
        return false;
    }
    if (slash) {
        filename->path[filename->size++] = '/';
    }
    filename->base = filename->size;
    memcpy(filename->path + filename->size, part, size);
    filename->size += size;
    filename->path[filename->size] = '\0';
    return true;
}

/* The next segment of text[*at..size), empty ones skipped; 0 at the end. */
static size_t next_part(const char *text, size_t size, size_t *at)
{
    while (*at < size && text[*at] == '/') {
        ++*at;
    }
    const char *slash = memchr(text + *at, '/', size - *at);
    return slash == NULL ? size - *at : (size_t)(slash - (text + *at));
}

static bool append_directories(filename_t *filename, const char *text, size_t size)
{
    size_t at = 0;
    size_t part = 0;
    int depth = 0;

    for (; (part = next_part(text, size, &at)) > 0; at += part) {
        if (memchr(text + at, '.', part) != NULL || memchr(text + at, '\\', part) != NULL ||
            !is_text(text + at, part) || ++depth > FILENAME_DEPTH_MAX ||
            !append(filename, text + at, part)) {
            return false;
        }
    }
    return true;
}

/* An absolute path must lead below the session's directory; what is left is relative to it. */
static bool strip_root(const char **text, size_t *size)
{
    const size_t root = strlen(ROOT);

    if (*size == 0 || (*text)[0] != '/') {
        return true;
    }
    if (*size < root || memcmp(*text, ROOT, root) != 0 || (*size > root && (*text)[root] != '/')) {
        return false;
    }
    *text += root;
    *size -= root;
    return true;
}

filename_fault_t filename_read_directory(filename_t *filename, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);

    filename->path[0] = '\0';
    filename->size = filename->base = 0;
    if (size == 0 || strcmp(text, ".") == 0 || strcmp(text, "/") == 0) {
        return FILENAME_OK;
    }
    return strip_root(&text, &size) && append_directories(filename, text, size)
               ? FILENAME_OK
               : FILENAME_WRONG_DIRECTORY;
}

filename_fault_t filename_read_file(filename_t *filename, const char *text, size_t size,
                                    filename_use_t use)
{
    if (!strip_root(&text, &size)) {
        return FILENAME_WRONG_FILE;
    }
    size_t base = size;
    while (base > 0 && text[base - 1] != '/') {
        base--;
    }
    const char *part = text + base;
    const size_t part_size = size - base;
    if (!append_directories(filename, text, base)) {
        return FILENAME_WRONG_DIRECTORY;
    }
    const bool right = part_size > 0 && !(part_size == 1 && part[0] == '.') &&
                       !(part_size == 2 && memcmp(part, "..", 2) == 0) &&
                       memchr(part, '\\', part_size) == NULL && is_text(part, part_size) &&
                       (use == FILENAME_READ || is_allowed(part, part_size)) &&
                       append(filename, part, part_size);
    return right ? FILENAME_OK : FILENAME_WRONG_FILE;
}
