/*
 * tls.c - the home of GnuTLS: whether certificate and key are what they should be.
 *
 * The library that serves HTTP takes the same two texts, but would not say what is
 * wrong with them.
 */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <alloc.h>

#define FILE_MAX (256 * 1024)

struct tls {
    char *certificate;
    char *key;
    gnutls_x509_crt_t leaf;
};

static char *read_text(const char *path, const char *what, failure_t *failure)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (file < 0 || fstat(file, &status) != 0) {
        (void)fail(failure, "cannot read the %s %s: %s", what, path, strerror(errno));
    } else if (!S_ISREG(status.st_mode) || status.st_size > FILE_MAX) {
        (void)fail(failure, "cannot read the %s %s: it must be a PEM file of at most 256 KiB", what,
                   path);
    } else {
        char *text = sk_calloc(1, (size_t)status.st_size + 1);
        ssize_t size = text == NULL ? -1 : read(file, text, (size_t)status.st_size);
        int error = text == NULL ? ENOMEM : errno;
        (void)close(file);
        if (size < 0) {
            (void)fail(failure, "cannot read the %s %s: %s", what, path, strerror(error));
            sk_free(text);
            return NULL;
        }
        return text;
    }
    if (file >= 0) {
        (void)close(file);
    }
    return NULL;
}

static gnutls_datum_t datum(char *text)
{
    return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static bool check_leaf(tls_t *tls, const char *path, failure_t *failure)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    const gnutls_datum_t text = datum(tls->certificate);
    int code = gnutls_x509_crt_list_import2(&list, &count, &text, GNUTLS_X509_FMT_PEM, 0);

    if (code < 0) {
        return fail(failure, "cannot use the certificate %s: it is not PEM: %s", path,
                    gnutls_strerror(code));
    }
    tls->leaf = list[0];
    for (unsigned i = 1; i < count; i++) {
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    return true;
}

static bool check_pair(tls_t *tls, const char *certificate_path, const char *key_path,
                       failure_t *failure)
{
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_x509_privkey_t key = NULL;
    const gnutls_datum_t certificate_text = datum(tls->certificate);
    const gnutls_datum_t key_text = datum(tls->key);
    bool right = false;

    int code = gnutls_x509_privkey_init(&key);
    if (code >= 0) {
        code = gnutls_x509_privkey_import2(key, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    if (code < 0) {
        (void)fail(failure, "cannot use the key %s: it is no PEM key without a password: %s",
                   key_path, gnutls_strerror(code));
        goto done;
    }
    code = gnutls_certificate_allocate_credentials(&credentials);
    if (code >= 0) {
        code = gnutls_certificate_set_x509_key_mem(credentials, &certificate_text, &key_text,
                                                   GNUTLS_X509_FMT_PEM);
    }
    if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        (void)fail(failure, "cannot serve TLS: the key %s does not belong to the certificate %s",
                   key_path, certificate_path);
    } else if (code < 0) {
        (void)fail(failure, "cannot serve TLS with the certificate %s and the key %s: %s",
                   certificate_path, key_path, gnutls_strerror(code));
    }
    right = code >= 0;

done:
    if (credentials != NULL) {
        gnutls_certificate_free_credentials(credentials);
    }
    gnutls_x509_privkey_deinit(key);
    return right;
}

tls_t *tls_new(const char *certificate_path, const char *key_path, failure_t *failure)
{
    tls_t *tls = sk_calloc(1, sizeof(*tls));

    if (tls == NULL) {
        (void)fail(failure, "cannot serve TLS: out of memory");
        return NULL;
    }
    tls->certificate = read_text(certificate_path, "certificate", failure);
    tls->key = tls->certificate == NULL ? NULL : read_text(key_path, "key", failure);
    if (tls->key == NULL || !check_leaf(tls, certificate_path, failure) ||
        !check_pair(tls, certificate_path, key_path, failure)) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(tls_t *tls)
{
    if (tls == NULL) {
        return;
    }
    if (tls->leaf != NULL) {
        gnutls_x509_crt_deinit(tls->leaf);
    }
    if (tls->key != NULL) {
        explicit_bzero(tls->key, strlen(tls->key));
    }
    sk_free(tls->key);
    sk_free(tls->certificate);
    sk_free(tls);
}

const char *tls_certificate(const tls_t *tls)
{
    return tls->certificate;
}

const char *tls_key(const tls_t *tls)
{
    return tls->key;
}

bool tls_covers(const tls_t *tls, const char *host)
{
    return gnutls_x509_crt_check_hostname(tls->leaf, host) != 0;
}
