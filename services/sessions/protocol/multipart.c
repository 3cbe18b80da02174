/*
 * multipart.c - one pass, one state.
 *
 * A delimiter begins with the only CR in it, so when a match breaks off, what had
 * matched is content, and only the byte that broke it can begin another.
 */
#include "multipart.h"

#include <string.h>
#include <strings.h>

#include <text.h>

static bool fault(multipart_t *multipart, const char *why)
{
    multipart->state = MULTIPART_WRONG;
    multipart->fault = why;
    return false;
}

/* ---- parameters of a header ---- */

static size_t skip_blanks(const char *text, size_t size, size_t at)
{
    while (at < size && (text[at] == ' ' || text[at] == '\t')) {
        at++;
    }
    return at;
}

/* A value, quoted or a token, from `at` on; what stands behind it. In quotes a backslash escapes
 * a quote only: some browsers send paths of Windows unescaped. */
static size_t read_value(const char *text, size_t size, size_t at, sk_buffer_t *value)
{
    sk_buffer_clear(value);
    if (at < size && text[at] == '"') {
        for (at++; at < size && text[at] != '"'; at++) {
            at += text[at] == '\\' && at + 1 < size && text[at + 1] == '"';
            sk_buffer_append_char(value, text[at]);
        }
        return at < size ? at + 1 : at;
    }
    for (; at < size && text[at] != ';' && text[at] != ' ' && text[at] != '\t'; at++) {
        sk_buffer_append_char(value, text[at]);
    }
    return at;
}

/* The parameter of a header's value: `form-data; name="file"; filename=a`. */
static bool find_parameter(const char *text, size_t size, const char *name, sk_buffer_t *value)
{
    size_t at = 0;

    while (at < size && text[at] != ';') {
        at++;
    }
    while (at < size) {
        at = skip_blanks(text, size, at + 1);
        const char *start = text + at;
        while (at < size && text[at] != '=' && text[at] != ';') {
            at++;
        }
        const size_t length = (size_t)(text + at - start);
        if (at < size && text[at] == '=') {
            at = skip_blanks(text, size, at + 1);
            at = read_value(text, size, at, value);
            if (length == strlen(name) && strncasecmp(start, name, length) == 0) {
                return !value->failed;
            }
        }
        while (at < size && text[at] != ';') {
            at++;
        }
    }
    return false;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* utf-8'language'percent-encoded */
static bool decode_extended(const char *text, size_t size, sk_buffer_t *value)
{
    static const char charset[] = "utf-8'";
    const size_t length = sizeof(charset) - 1;

    if (size < length || strncasecmp(text, charset, length) != 0) {
        return false;
    }
    const char *quote = memchr(text + length, '\'', size - length);
    if (quote == NULL) {
        return false;
    }
    sk_buffer_clear(value);
    for (const char *at = quote + 1; at < text + size; at++) {
        if (*at != '%') {
            sk_buffer_append_char(value, *at);
            continue;
        }
        int high = at + 2 < text + size ? hex(at[1]) : -1;
        int low = high < 0 ? -1 : hex(at[2]);
        if (low < 0) {
            return false;
        }
        sk_buffer_append_char(value, (char)(high * 16 + low));
        at += 2;
    }
    return !value->failed;
}

/* ---- a part's headers ---- */

/* The value of the header of this name in lines parted by CR LF. */
static const char *find_header(const sk_buffer_t *headers, const char *name, size_t *size)
{
    const char *end = headers->data + headers->size;

    for (const char *line = headers->data; line < end;) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        stop = stop == NULL ? end : stop;
        const size_t length = strlen(name);
        if ((size_t)(stop - line) > length && strncasecmp(line, name, length) == 0 &&
            line[length] == ':') {
            *size = (size_t)(stop - line) - length - 1;
            return line + length + 1;
        }
        line = stop + 2;
    }
    return NULL;
}

static bool read_filename(multipart_t *multipart, const char *disposition, size_t size)
{
    sk_buffer_t value = SK_BUFFER_INIT;
    bool found = false;

    if (find_parameter(disposition, size, "filename*", &value)) {
        found = decode_extended(sk_buffer_text(&value), value.size, &multipart->filename);
    }
    if (!found && find_parameter(disposition, size, "filename", &value)) {
        sk_buffer_clear(&multipart->filename);
        sk_buffer_append(&multipart->filename, sk_buffer_text(&value), value.size);
        found = true;
    }
    sk_buffer_fini(&value);
    return found;
}

static bool begin_part(multipart_t *multipart)
{
    size_t size = 0;
    const char *value = multipart->headers.size == 0
                            ? NULL
                            : find_header(&multipart->headers, "Content-Disposition", &size);
    sk_buffer_t ignored = SK_BUFFER_INIT;

    multipart->state = MULTIPART_OTHER;
    if (value != NULL && multipart->has_file) {
        bool second = find_parameter(value, size, "filename", &ignored);
        sk_buffer_fini(&ignored);
        return !second || fault(multipart, "the body has more than one file");
    }
    if (value != NULL && read_filename(multipart, value, size)) {
        value = find_header(&multipart->headers, "Content-Transfer-Encoding", &size);
        if (value != NULL) {
            size_t at = skip_blanks(value, size, 0);
            if (strncasecmp(value + at, "base64", 6) == 0 ||
                strncasecmp(value + at, "quoted", 6) == 0) {
                return fault(multipart, "the file must come as it is, not in a transfer encoding");
            }
        }
        multipart->has_file = true;
        multipart->state = MULTIPART_FILE;
    }
    return true;
}

/* ---- the body ---- */

bool multipart_init(multipart_t *multipart, const char *content_type,
                    void (*take)(const char *bytes, size_t size, void *data), void *data)
{
    static const char type[] = "multipart/form-data";
    static const char json[] = "application/json";
    sk_buffer_t boundary = SK_BUFFER_INIT;

    memset(multipart, 0, sizeof(*multipart));
    multipart->take = take;
    multipart->data = data;
    multipart->matched = 2; /* the first boundary may stand at the very beginning */
    if (content_type != NULL && strncasecmp(content_type, json, sizeof(json) - 1) == 0) {
        multipart->state = MULTIPART_UNTOLD;
        return true;
    }
    multipart->state = MULTIPART_BEFORE;
    bool right = content_type != NULL && strncasecmp(content_type, type, sizeof(type) - 1) == 0 &&
                 find_parameter(content_type, strlen(content_type), "boundary", &boundary) &&
                 boundary.size > 0 && boundary.size <= MULTIPART_BOUNDARY_MAX &&
                 memchr(boundary.data, '\r', boundary.size) == NULL;
    if (right) {
        memcpy(multipart->delimiter, "\r\n--", 4);
        memcpy(multipart->delimiter + 4, boundary.data, boundary.size);
        multipart->delimiter_size = boundary.size + 4;
    }
    sk_buffer_fini(&boundary);
    return right;
}

void multipart_fini(multipart_t *multipart)
{
    sk_buffer_fini(&multipart->headers);
    sk_buffer_fini(&multipart->filename);
}

/* The first line: two hyphens and the boundary that nobody has told. */
static size_t read_untold(multipart_t *multipart, const char *bytes, size_t size)
{
    sk_buffer_t *line = &multipart->headers;
    size_t at = 0;

    while (at < size && multipart->state == MULTIPART_UNTOLD) {
        sk_buffer_append_char(line, bytes[at++]);
        if (line->failed || line->size > MULTIPART_BOUNDARY_MAX + 4 ||
            (line->size <= 2 && bytes[at - 1] != '-')) {
            (void)fault(multipart, "a file comes as multipart/form-data, and the content type "
                                   "names a boundary");
        } else if (line->size > 5 && memcmp(line->data + line->size - 2, "\r\n", 2) == 0) {
            memcpy(multipart->delimiter, "\r\n", 2);
            memcpy(multipart->delimiter + 2, line->data, line->size - 2);
            multipart->delimiter_size = line->size;
            multipart->matched = 0;
            multipart->state = MULTIPART_HEADERS;
            sk_buffer_clear(line);
        }
    }
    return at;
}

static void give(multipart_t *multipart, const char *bytes, size_t size)
{
    if (multipart->state == MULTIPART_FILE && size > 0) {
        multipart->take(bytes, size, multipart->data);
    }
}

/* Content up to the next delimiter; how many bytes of it were read. */
static size_t read_content(multipart_t *multipart, const char *bytes, size_t size)
{
    size_t at = 0;
    size_t start = 0; /* of content that was not given away yet */

    while (at < size) {
        if (multipart->matched == 0) {
            const char *cr = memchr(bytes + at, '\r', size - at);
            at = cr == NULL ? size : (size_t)(cr - bytes);
            give(multipart, bytes + start, at - start);
            start = at;
            if (at == size) {
                break;
            }
        }
        if (bytes[at] == multipart->delimiter[multipart->matched]) {
            at++;
            start = at;
            if (++multipart->matched == multipart->delimiter_size) {
                multipart->matched = 0;
                multipart->state = MULTIPART_CLOSING;
                sk_buffer_clear(&multipart->headers);
                return at;
            }
        } else {
            give(multipart, multipart->delimiter, multipart->matched);
            multipart->matched = 0;
        }
    }
    return at;
}

/* Behind a boundary: "--" ends it all, blanks and CR LF begin a part's headers. */
static size_t read_closing(multipart_t *multipart, const char *bytes, size_t size)
{
    sk_buffer_t *line = &multipart->headers;
    size_t at = 0;

    while (at < size && multipart->state == MULTIPART_CLOSING) {
        const char c = bytes[at++];
        if ((c == ' ' || c == '\t') && line->size == 0) {
            continue;
        }
        sk_buffer_append_char(line, c);
        if (line->size == 2) {
            if (memcmp(line->data, "--", 2) == 0) {
                multipart->state = MULTIPART_DONE;
            } else if (memcmp(line->data, "\r\n", 2) == 0) {
                multipart->state = MULTIPART_HEADERS;
                sk_buffer_clear(line);
            } else {
                (void)fault(multipart, "a boundary's line has something behind the boundary");
            }
        }
    }
    return at;
}

static size_t read_headers(multipart_t *multipart, const char *bytes, size_t size)
{
    sk_buffer_t *headers = &multipart->headers;
    size_t at = 0;

    while (at < size && multipart->state == MULTIPART_HEADERS) {
        sk_buffer_append_char(headers, bytes[at++]);
        if (headers->failed || headers->size > MULTIPART_HEADERS_MAX) {
            (void)fault(multipart, "the headers of a part are too long");
        } else if (bytes[at - 1] == '\n' &&
                   ((headers->size == 2 && memcmp(headers->data, "\r\n", 2) == 0) ||
                    (headers->size >= 4 &&
                     memcmp(headers->data + headers->size - 4, "\r\n\r\n", 4) == 0))) {
            (void)begin_part(multipart);
        }
    }
    return at;
}

bool multipart_read(multipart_t *multipart, const char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size && multipart->state != MULTIPART_DONE) {
        switch (multipart->state) {
        case MULTIPART_UNTOLD:
            at += read_untold(multipart, bytes + at, size - at);
            break;
        case MULTIPART_CLOSING:
            at += read_closing(multipart, bytes + at, size - at);
            break;
        case MULTIPART_HEADERS:
            at += read_headers(multipart, bytes + at, size - at);
            break;
        case MULTIPART_BEFORE:
        case MULTIPART_FILE:
        case MULTIPART_OTHER:
            at += read_content(multipart, bytes + at, size - at);
            break;
        case MULTIPART_DONE:
        case MULTIPART_WRONG:
            return false;
        }
    }
    return multipart->state != MULTIPART_WRONG;
}

bool multipart_end(multipart_t *multipart)
{
    if (multipart->state == MULTIPART_WRONG) {
        return false;
    }
    if (multipart->state != MULTIPART_DONE) {
        return fault(multipart, "the body ends before its last boundary");
    }
    return multipart->has_file || fault(multipart, "the body has no part with a file name");
}
