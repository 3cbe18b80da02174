/*
 * guid.h - random names.
 */
#ifndef SESSIONS_GUID_PRIVATE_H
#define SESSIONS_GUID_PRIVATE_H

#define GUID_SIZE 37 /* with the NUL */

/* 122 random bits in the form of a GUID. */
void guid_make(char guid[GUID_SIZE]);

#endif /* SESSIONS_GUID_PRIVATE_H */
