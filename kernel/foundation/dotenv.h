/*
 * dotenv.h - reading a .env file.
 *
 * One variable a line: NAME=value, `export ` before it and blanks around are
 * allowed; # begins a comment at the line's start, after a blank outside
 * quotes, or behind a closing quote; 'single quotes' keep everything, "double
 * quotes" know \n \r \t \\ \" \$, both may span lines; LF, CRLF (LF within
 * quotes), and a byte order mark at the start are accepted. The last of equal
 * names wins. No variable is expanded: a value is what stands there. The text
 * must be UTF-8 without NUL.
 */
#ifndef SK_DOTENV_H
#define SK_DOTENV_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sk_dotenv sk_dotenv_t; /* immutable once read: any thread */

typedef struct sk_dotenv_error {
    int system_error; /* errno of open or read; 0: the text was refused */
    unsigned line;    /* from 1 */
    char text[192];   /* never quotes a value */
} sk_dotenv_error_t;

/* NULL on failure. A file above 1 MiB is refused. */
sk_dotenv_t *sk_dotenv_read_file(const char *path, sk_dotenv_error_t *error);
sk_dotenv_t *sk_dotenv_read(const char *text, size_t size, sk_dotenv_error_t *error);
const char *sk_dotenv_find(const sk_dotenv_t *dotenv,
                           const char *name); /* NULL ok, NULL if absent */
size_t sk_dotenv_count(const sk_dotenv_t *dotenv);
const char *sk_dotenv_name_at(const sk_dotenv_t *dotenv, size_t index);
const char *sk_dotenv_value_at(const sk_dotenv_t *dotenv, size_t index);
void sk_dotenv_free(sk_dotenv_t *dotenv); /* wipes the values */

#endif /* SK_DOTENV_H */
