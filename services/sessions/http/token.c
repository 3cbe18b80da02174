/*
 * token.c - made, read, compared.
 */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_SIZE 32
#define TOKEN_CHARACTERS                                                                           \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=" /* of RFC 6750 */

bool token_make(token_t *token, failure_t *failure)
{
    unsigned char random[RANDOM_SIZE];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return fail(failure, "cannot make a token: no random numbers: %s", strerror(errno));
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        (void)snprintf(token->text + 2 * i, 3, "%02x", random[i]);
    }
    explicit_bzero(random, sizeof(random));
    return true;
}

/* Opened without waiting: the path may be a pipe's. */
static int open_private(const char *path, failure_t *failure)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (file < 0 || fstat(file, &status) != 0) {
        (void)fail(failure, "cannot read the token file %s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        (void)fail(failure, "cannot read the token file %s: it is no regular file", path);
    } else if ((status.st_mode & 077) != 0 || (status.st_uid != geteuid() && status.st_uid != 0)) {
        (void)fail(failure,
                   "cannot trust the token file %s: it must belong to the same user or root, and "
                   "nobody else may have rights to it; chmod 600 it",
                   path);
    } else {
        return file;
    }
    if (file >= 0) {
        (void)close(file);
    }
    return -1;
}

bool token_read(token_t *token, const char *path, failure_t *failure)
{
    char text[TOKEN_MAX + 2];
    int file = open_private(path, failure);

    if (file < 0) {
        return false;
    }
    ssize_t size = read(file, text, sizeof(text));
    int error = errno;
    (void)close(file);
    if (size < 0) {
        return fail(failure, "cannot read the token file %s: %s", path, strerror(error));
    }
    if (size > 0 && text[size - 1] == '\n') {
        size--;
    }
    bool right = size >= TOKEN_MIN && size <= TOKEN_MAX;
    for (ssize_t i = 0; right && i < size; i++) {
        right = text[i] != '\0' && strchr(TOKEN_CHARACTERS, text[i]) != NULL;
    }
    if (right) {
        memcpy(token->text, text, (size_t)size);
        token->text[size] = '\0';
    }
    explicit_bzero(text, sizeof(text));
    return right || fail(failure,
                         "cannot use the token file %s: it must hold one line of %d to %d letters, "
                         "digits and -._~+/=, and nothing else",
                         path, TOKEN_MIN, TOKEN_MAX);
}

void token_fini(token_t *token)
{
    explicit_bzero(token, sizeof(*token));
}

bool token_is(const char *token, const char *shown, size_t shown_size)
{
    const size_t size = strlen(token);
    unsigned different = size != shown_size || shown_size == 0;

    for (size_t i = 0; i < size; i++) {
        different |= (unsigned char)(token[i] ^ (i < shown_size ? shown[i] : 0));
    }
    return different == 0;
}
