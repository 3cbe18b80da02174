/*
 * metadata.h - the operation that tells what the pool is.
 */
#ifndef SESSIONS_METADATA_PRIVATE_H
#define SESSIONS_METADATA_PRIVATE_H

#include "call.h"

void metadata_get(call_t *call);

#endif /* SESSIONS_METADATA_PRIVATE_H */
