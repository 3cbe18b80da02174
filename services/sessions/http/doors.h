/*
 * doors.h - every way in: the unix socket, TCP on the loopback interface, and what clients need to
 * know of them.
 *
 * Beside the unix socket lie two files of mode 0600: NAME.json with all of it, and, if there is TCP
 * and the token was made here, NAME.token with the token alone.
 */
#ifndef SESSIONS_DOORS_PRIVATE_H
#define SESSIONS_DOORS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>

#include "activation.h"
#include "config/config.h"
#include "endpoint.h"
#include "http.h"
#include "tls.h"
#include "token.h"

#define DOORS_MAX     (ACTIVATION_MAX + 2)
#define DOORS_FILE    ".json"
#define DOORS_TOKEN   ".token"
#define DOORS_ADDRESS 64

typedef struct doors {
    endpoint_t endpoint;
    activation_t activation;
    listener_t listeners[DOORS_MAX];
    size_t listener_count;
    token_t token;
    bool own_token; /* made here, and written to a file */
    const char *token_file;
    tls_t *tls;              /* NULL: none */
    char tcp[DOORS_ADDRESS]; /* address of the first TCP socket; "": there is none */
} doors_t;

/* Bind what the configuration wants, and take what was handed over. Clients are let in later. */
bool doors_open(doors_t *doors, const config_t *config, failure_t *failure);
/* Listen, and write the files; `about` are members of the JSON that others know. */
bool doors_listen(doors_t *doors, const char *about, failure_t *failure);
/* Members of the announcement, each with a comma behind it. */
void doors_announce(const doors_t *doors, sk_buffer_t *line);
/* Remove what was made. */
void doors_close(doors_t *doors);

#endif /* SESSIONS_DOORS_PRIVATE_H */
