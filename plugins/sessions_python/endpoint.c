/*
 * endpoint.c - reading a pool management endpoint, writing its operations' URLs.
 *
 * Libraries that read URLs repair what looks odd; here what looks odd is refused,
 * because a bearer token goes to the host that is read.
 */
#include "endpoint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <alloc.h>

#define LEGACY_END "/python/execute" /* how the portal used to show endpoints */

/* The parts of an address, as they stand there. */
typedef struct address {
    const char *host; /* in brackets if it is an IPv6 one */
    size_t host_size;
    const char *authority_end;
    const char *path_end;
    const char *query; /* NULL: none */
    bool is_https;
} address_t;

static bool fail(char *error, size_t error_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(char *error, size_t error_size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- reading ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* What may stand in a URL, escapes not looked into. */
static bool has_url_characters(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7f || strchr("\"<>\\^`{|}", *text) != NULL) {
            return false;
        }
    }
    return true;
}

static bool is_port(const char *at, const char *end)
{
    unsigned port = 0;

    for (; at < end && is_digit(*at) && port <= UINT16_MAX; at++) {
        port = port * 10 + (unsigned)(*at - '0');
    }
    return at == end && port > 0 && port <= UINT16_MAX;
}

/* Letters, digits, - . _ ~ or an IPv6 address in brackets. Returns its end, NULL if it is none. */
static const char *host_end(const char *at, const char *end)
{
    const char *start = at;

    if (at < end && *at == '[') {
        for (at++; at < end && (is_hex(*at) || *at == ':' || *at == '.'); at++) {
        }
        return at < end && *at == ']' && at > start + 1 ? at + 1 : NULL;
    }
    while (at < end && is_unreserved(*at)) {
        at++;
    }
    return at > start ? at : NULL;
}

static bool host_is_loopback(const char *host, size_t size)
{
    unsigned groups = 0;

    if ((size == 9 && strncasecmp(host, "localhost", 9) == 0) ||
        (size == 5 && memcmp(host, "[::1]", 5) == 0)) {
        return true;
    }
    for (const char *at = host; at < host + size; groups++) { /* 127.x.y.z and nothing like it */
        const char *start = at;
        unsigned value = 0;

        while (at < host + size && is_digit(*at) && at - start < 3) {
            value = value * 10 + (unsigned)(*at++ - '0');
        }
        if (at == start || value > 255 || (groups == 0 && value != 127) ||
            (at < host + size && *at++ != '.')) {
            return false;
        }
    }
    return groups == 4 && host[size - 1] != '.';
}

static bool address_read(address_t *address, const char *text, char *error, size_t error_size)
{
    const char *at = text;
    const char *end = text + strlen(text);
    const char *after_host = NULL;

    if (!has_url_characters(text)) {
        return fail(
            error, error_size,
            "it holds a character that no URL may have (a blank, a quote, a line end or one "
            "beyond ASCII)");
    }
    if (strncasecmp(at, "https://", 8) == 0) {
        address->is_https = true;
        at += 8;
    } else if (strncasecmp(at, "http://", 7) == 0) {
        address->is_https = false;
        at += 7;
    } else {
        return fail(error, error_size, "it must begin with https://");
    }
    if (memchr(at, '#', (size_t)(end - at)) != NULL) {
        return fail(error, error_size, "it must not have a fragment, the part from # on");
    }
    address->host = at;
    address->query = memchr(at, '?', (size_t)(end - at));
    address->path_end = address->query == NULL ? end : address->query;
    if (address->query != NULL) {
        address->query++;
    }
    address->authority_end = memchr(at, '/', (size_t)(address->path_end - at));
    if (address->authority_end == NULL) {
        address->authority_end = address->path_end;
    }
    if (memchr(at, '@', (size_t)(address->authority_end - at)) != NULL) {
        return fail(
            error, error_size,
            "it must not hold a user name or password, the part before @; a bearer token is "
            "configured as \"token\"");
    }
    after_host = host_end(at, address->authority_end);
    if (after_host == NULL ||
        (after_host < address->authority_end &&
         (*after_host != ':' || !is_port(after_host + 1, address->authority_end)))) {
        return fail(error, error_size,
                    "what follows the scheme is not a host with an optional port");
    }
    address->host_size = (size_t)(after_host - at);
    return true;
}

/* ---- bringing into shape ---- */

static void write_path(sk_buffer_t *out, const char *at, const char *end)
{
    size_t start = out->size;
    size_t legacy = strlen(LEGACY_END);

    for (; at < end; at++) {
        if (*at != '/' || (at + 1 < end && at[1] != '/')) {
            sk_buffer_append_char(out, *at);
        }
    }
    if (!out->failed && out->size - start >= legacy &&
        strncasecmp(out->data + out->size - legacy, LEGACY_END, legacy) == 0) {
        out->size -= legacy;
        out->data[out->size] = '\0';
    }
}

static bool is_key(const char *pair, size_t size, const char *key)
{
    const char *equals = memchr(pair, '=', size);

    if (equals != NULL) {
        size = (size_t)(equals - pair);
    }
    return size == strlen(key) && strncasecmp(pair, key, size) == 0;
}

/* All pairs but those that are ours to set. */
static void write_query(sk_buffer_t *out, const char *query)
{
    while (query != NULL && *query != '\0') {
        size_t size = strcspn(query, "&");

        if (size > 0 && !is_key(query, size, "api-version") && !is_key(query, size, "identifier")) {
            if (out->size > 0) {
                sk_buffer_append_char(out, '&');
            }
            sk_buffer_append(out, query, size);
        }
        query += size + (query[size] == '&' ? 1 : 0);
    }
}

bool endpoint_read(endpoint_t *endpoint, const char *text, bool allow_http, char *error,
                   size_t error_size)
{
    address_t address = {0};
    sk_buffer_t base = SK_BUFFER_INIT;
    sk_buffer_t query = SK_BUFFER_INIT;

    memset(endpoint, 0, sizeof(*endpoint));
    if (!address_read(&address, text, error, error_size)) {
        return false;
    }
    endpoint->is_loopback = host_is_loopback(address.host, address.host_size);
    if (!address.is_https && !endpoint->is_loopback && !allow_http) {
        return fail(error, error_size,
                    "http://%.*s would send code and token unencrypted: use https, or set "
                    "\"allow_http\" to true if the way there is safe",
                    (int)(address.host_size < 128 ? address.host_size : 128), address.host);
    }
    sk_buffer_append_text(&base, address.is_https ? "https://" : "http://");
    sk_buffer_append(&base, address.host, (size_t)(address.authority_end - address.host));
    endpoint->origin_size = base.size;
    write_path(&base, address.authority_end, address.path_end);
    write_query(&query, address.query);
    endpoint->base = sk_buffer_take(&base, NULL);
    endpoint->query = sk_buffer_take(&query, NULL);
    if (endpoint->base == NULL || endpoint->query == NULL) {
        endpoint_fini(endpoint);
        return fail(error, error_size, "memory ran out");
    }
    return true;
}

void endpoint_fini(endpoint_t *endpoint)
{
    sk_free(endpoint->base);
    sk_free(endpoint->query);
    memset(endpoint, 0, sizeof(*endpoint));
}

/* ---- writing ---- */

static void write_escaped(sk_buffer_t *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (is_unreserved(*text)) {
            sk_buffer_append_char(out, *text);
        } else {
            sk_buffer_appendf(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

void endpoint_write_target(sk_buffer_t *out, const endpoint_t *endpoint, const char *operation,
                           const char *identifier, const char *api_version)
{
    sk_buffer_append_text(out, endpoint->base);
    sk_buffer_append_char(out, '/');
    sk_buffer_append_text(out, operation);
    sk_buffer_append_char(out, '?');
    if (endpoint->query[0] != '\0') {
        sk_buffer_append_text(out, endpoint->query);
        sk_buffer_append_char(out, '&');
    }
    sk_buffer_append_text(out, "identifier=");
    write_escaped(out, identifier);
    sk_buffer_append_text(out, "&api-version=");
    write_escaped(out, api_version);
}

/* ---- versions ---- */

bool api_version_read(const char *text, api_family_t *family)
{
    static const char form[] = "dddd-dd-dd";

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] == 'd' ? !is_digit(text[i]) : text[i] != form[i]) {
            return false;
        }
    }
    *family = strncmp(text, "2024-10-02", sizeof(form) - 1) < 0 ? API_FAMILY_A : API_FAMILY_B;
    return text[sizeof(form) - 1] == '\0' || strcmp(text + sizeof(form) - 1, "-preview") == 0;
}

/* ---- identifiers ---- */

bool identifier_is_legal(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '\\') {
            return false;
        }
    }
    return size >= 4 && size <= 128;
}

bool identifier_make(char out[IDENTIFIER_SIZE])
{
    unsigned char random[16];
    size_t size = 0;
    char *at = out;

    while (size < sizeof(random)) {
        ssize_t got = getrandom(random + size, sizeof(random) - size, 0);

        if (got < 0 && errno != EINTR) {
            return false;
        }
        size += got > 0 ? (size_t)got : 0;
    }
    random[6] = (unsigned char)((random[6] & 0x0f) | 0x40); /* version 4 */
    random[8] = (unsigned char)((random[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(random); i++) {
        static const char digits[] = "0123456789abcdef";

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = digits[random[i] >> 4];
        *at++ = digits[random[i] & 0x0f];
    }
    *at = '\0';
    return true;
}
