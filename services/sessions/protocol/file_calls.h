/*
 * file_calls.h - the operations on files, in both API families.
 */
#ifndef SESSIONS_FILE_CALLS_PRIVATE_H
#define SESSIONS_FILE_CALLS_PRIVATE_H

#include "call.h"

/* listing.c */
void listing_get(call_t *call);
/* one_file.c */
void one_file_describe(call_t *call);
void one_file_remove(call_t *call);
/* download.c */
void download_get(call_t *call);
/* upload.c; with the head of the request */
void upload_open(call_t *call);

#endif /* SESSIONS_FILE_CALLS_PRIVATE_H */
