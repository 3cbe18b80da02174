/*
 * curl_failure.c - what libcurl's failures mean, in our statuses and words.
 */
#include <stdio.h>
#include <string.h>

#include <kernel/plugin.h>

#include "curl_home.h"

typedef enum failure_detail {
    FAILURE_NO_DETAIL, /* our words say all */
    FAILURE_OS,        /* the system's reason, if there is one, else libcurl's words */
    FAILURE_CURL       /* libcurl's words */
} failure_detail_t;

typedef struct failure_meaning {
    CURLcode code;
    int status;
    failure_detail_t detail;
    const char *why;
    const char *advice; /* NULL: none */
} failure_meaning_t;

static const failure_meaning_t failure_meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, KP_E_UNAVAILABLE, FAILURE_NO_DETAIL,
     "the name of its host could not be resolved", "check the host in the URL and the network"},
    {CURLE_COULDNT_RESOLVE_PROXY, KP_E_UNAVAILABLE, FAILURE_NO_DETAIL,
     "the name of the proxy could not be resolved", "check the proxy that is configured"},
    {CURLE_COULDNT_CONNECT, KP_E_UNAVAILABLE, FAILURE_OS, "could not connect",
     "check that the server runs there"},
    {CURLE_OPERATION_TIMEDOUT, KP_E_TIMEOUT, FAILURE_CURL, "it took too long", NULL},
    {CURLE_OUT_OF_MEMORY, KP_E_NO_MEMORY, FAILURE_NO_DETAIL, "memory ran out", NULL},
    {CURLE_SSL_CONNECT_ERROR, KP_E_UNAVAILABLE, FAILURE_CURL, "the TLS handshake failed", NULL},
    {CURLE_PEER_FAILED_VERIFICATION, KP_E_DENIED, FAILURE_CURL,
     "the server's certificate is not trusted",
     "if it should be, put its authority into the file that ca_file or SSL_CERT_FILE names"},
    {CURLE_SSL_CACERT_BADFILE, KP_E_DENIED, FAILURE_CURL,
     "the file of trusted certificates cannot be read",
     "check the file that ca_file or SSL_CERT_FILE names"},
    {CURLE_SSL_ISSUER_ERROR, KP_E_DENIED, FAILURE_CURL, "the server's certificate is not trusted",
     NULL},
    {CURLE_SEND_ERROR, KP_E_UNAVAILABLE, FAILURE_OS,
     "the connection broke while the request was sent", NULL},
    {CURLE_RECV_ERROR, KP_E_UNAVAILABLE, FAILURE_OS,
     "the connection broke before the answer was whole", NULL},
    {CURLE_GOT_NOTHING, KP_E_UNAVAILABLE, FAILURE_NO_DETAIL,
     "the server closed the connection without an answer", NULL},
    {CURLE_PARTIAL_FILE, KP_E_UNAVAILABLE, FAILURE_CURL,
     "the connection ended before the answer was whole", NULL},
    {CURLE_HTTP2, KP_E_UNAVAILABLE, FAILURE_CURL, "the HTTP/2 connection failed", NULL},
    {CURLE_HTTP2_STREAM, KP_E_UNAVAILABLE, FAILURE_CURL, "the HTTP/2 stream failed", NULL},
    {CURLE_BAD_CONTENT_ENCODING, KP_E_UNAVAILABLE, FAILURE_CURL,
     "the answer's compression is broken", NULL},
    {CURLE_WEIRD_SERVER_REPLY, KP_E_UNAVAILABLE, FAILURE_CURL, "the answer is not HTTP", NULL},
    {CURLE_UNSUPPORTED_PROTOCOL, KP_E_UNAVAILABLE, FAILURE_CURL,
     "the server or the proxy speaks something else", NULL},
    {CURLE_PROXY, KP_E_UNAVAILABLE, FAILURE_CURL, "the proxy failed",
     "check the proxy that is configured"},
};

static const failure_meaning_t failure_unknown = {
    CURLE_OK, KP_E_UNAVAILABLE, FAILURE_CURL, "the transfer failed", NULL,
};

/* What a server or a library wrote may hold anything; a text of ours holds printable ASCII. */
static void failure_clean(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e) {
            *text = '?';
        }
    }
}

void http__failure_of_curl(CURLcode code, const char *detail, long os_error,
                           http__failure_t *failure)
{
    const failure_meaning_t *meaning = &failure_unknown;
    char reason[160] = "";
    char buffer[128];

    for (size_t i = 0; i < sizeof(failure_meanings) / sizeof(failure_meanings[0]); i++) {
        if (failure_meanings[i].code == code) {
            meaning = &failure_meanings[i];
        }
    }
    if (meaning->detail == FAILURE_OS && os_error != 0) {
        (void)snprintf(reason, sizeof(reason), " (%s)",
                       strerror_r((int)os_error, buffer, sizeof(buffer)));
    } else if (meaning->detail != FAILURE_NO_DETAIL) {
        (void)snprintf(reason, sizeof(reason), " (%.150s)",
                       detail[0] != '\0' ? detail : curl_easy_strerror(code));
    }
    failure_clean(reason);
    failure->status = meaning->status;
    failure->is_lookup = code == CURLE_COULDNT_RESOLVE_HOST;
    (void)snprintf(failure->text, sizeof(failure->text), "%s%s%s%s (curl %d)", meaning->why, reason,
                   meaning->advice == NULL ? "" : "; ",
                   meaning->advice == NULL ? "" : meaning->advice, (int)code);
}
