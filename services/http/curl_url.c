/*
 * curl_url.c - URLs, read by libcurl's parser so that the check and the use agree.
 */
#include "url.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include <kernel/plugin.h>

#include "alloc.h"
#include "curl_home.h"

#define URL_SHOWN_MAX 300 /* bytes of the path that are shown */

/* NULL if the part is missing; free with curl_free. */
static char *url_part(CURLU *parsed, CURLUPart part, unsigned flags)
{
    char *text = NULL;

    return curl_url_get(parsed, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* Names that need no look-up: addresses, and localhost, which libcurl knows itself. */
static bool url_is_looked_up(const char *host)
{
    unsigned char bytes[16];
    size_t size = strlen(host);
    static const char local[] = "localhost";
    size_t local_size = sizeof(local) - 1;

    if (host[0] == '[' || inet_pton(AF_INET, host, bytes) == 1) {
        return false;
    }
    return size < local_size || strcasecmp(host + size - local_size, local) != 0 ||
           (size > local_size && host[size - local_size - 1] != '.');
}

static char *url_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *url_format(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size >= 0) {
        text = sk_malloc((size_t)size + 1);
    }
    if (text != NULL) {
        va_start(arguments, format);
        (void)vsnprintf(text, (size_t)size + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

/* `parsed` is a valid URL. */
static int url_take_parts(CURLU *parsed, http__url_t *url, char *error, size_t error_size)
{
    char *scheme = url_part(parsed, CURLUPART_SCHEME, 0);
    char *host = url_part(parsed, CURLUPART_HOST, 0);
    char *port = url_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    char *shown_port = url_part(parsed, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    char *path = url_part(parsed, CURLUPART_PATH, 0);
    int status = KP_E_NO_MEMORY;

    if (host == NULL || host[0] == '\0') {
        (void)snprintf(error, error_size, "its URL names no host");
        status = KP_E_INVALID;
    } else if (scheme == NULL || port == NULL || path == NULL) {
        (void)snprintf(error, error_size, "memory ran out");
    } else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        (void)snprintf(error, error_size, "its URL begins with %.16s:, give one of http or https",
                       scheme);
        status = KP_E_INVALID;
    } else {
        url->is_https = strcmp(scheme, "https") == 0;
        url->shown = url_format("%s://%s%s%s%.*s", scheme, host, shown_port == NULL ? "" : ":",
                                shown_port == NULL ? "" : shown_port, URL_SHOWN_MAX, path);
        if (url_is_looked_up(host)) {
            url->lookup = url_format("%s:%s", host, port);
        }
        if (url->shown != NULL && (url->lookup != NULL || !url_is_looked_up(host))) {
            status = KP_OK;
        } else {
            (void)snprintf(error, error_size, "memory ran out");
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(shown_port);
    curl_free(path);
    return status;
}

int http__url_read(const char *text, http__url_t *url, char *error, size_t error_size)
{
    CURLU *parsed = NULL;
    CURLUcode code = CURLUE_OUT_OF_MEMORY;
    int status;

    *url = (http__url_t){NULL, NULL, false};
    if (strpbrk(text, "\r\n") != NULL) {
        (void)snprintf(error, error_size, "its URL has a line break in it");
        return KP_E_INVALID;
    }
    parsed = curl_url();
    if (parsed != NULL) {
        code = curl_url_set(parsed, CURLUPART_URL, text, 0);
    }
    if (code == CURLUE_OK) {
        status = url_take_parts(parsed, url, error, error_size);
    } else if (code == CURLUE_OUT_OF_MEMORY) {
        (void)snprintf(error, error_size, "memory ran out");
        status = KP_E_NO_MEMORY;
    } else if (code == CURLUE_BAD_SCHEME || code == CURLUE_UNSUPPORTED_SCHEME) {
        (void)snprintf(error, error_size, "its URL does not begin with http:// or https://");
        status = KP_E_INVALID;
    } else {
        (void)snprintf(error, error_size, "its URL is not valid (%s)", curl_url_strerror(code));
        status = KP_E_INVALID;
    }
    curl_url_cleanup(parsed);
    if (status != KP_OK) {
        http__url_fini(url);
    }
    return status;
}

void http__url_fini(http__url_t *url)
{
    sk_free(url->shown);
    sk_free(url->lookup);
    *url = (http__url_t){NULL, NULL, false};
}
