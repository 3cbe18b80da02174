/*
 * file_text.h - a file as each API family tells of it.
 */
#ifndef SESSIONS_FILE_TEXT_PRIVATE_H
#define SESSIONS_FILE_TEXT_PRIVATE_H

#include "call.h"
#include "files.h"

/* One file; in family A the objects are numbered from *number on. */
void file_text_write(sk_buffer_t *body, family_t family, const file_entry_t *entry, int *number);
/* The same of what was opened under this name. */
void file_text_write_opened(sk_buffer_t *body, family_t family, filename_t *filename,
                            const struct stat *status, int *number);

#endif /* SESSIONS_FILE_TEXT_PRIVATE_H */
