/*
 * tls.h - a certificate with its key, checked before anybody is served.
 */
#ifndef SESSIONS_TLS_PRIVATE_H
#define SESSIONS_TLS_PRIVATE_H

#include <stdbool.h>

#include "base/failure.h"

typedef struct tls tls_t;

/* Read both files, PEM; the certificate's may hold its chain. NULL on failure. */
tls_t *tls_new(const char *certificate_path, const char *key_path, failure_t *failure);
void tls_free(tls_t *tls);

const char *tls_certificate(const tls_t *tls);
const char *tls_key(const tls_t *tls);
/* Was the certificate issued for this name or address? */
bool tls_covers(const tls_t *tls, const char *host);

#endif /* SESSIONS_TLS_PRIVATE_H */
