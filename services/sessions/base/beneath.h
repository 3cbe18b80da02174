/*
 * beneath.h - opening what lies below a directory, whoever renames there meanwhile.
 */
#ifndef SESSIONS_BENEATH_PRIVATE_H
#define SESSIONS_BENEATH_PRIVATE_H

/* Open `path`, relative and without "..", below `directory`: through no link, into no other file
 * system, waiting for nobody. -1 and errno, ELOOP or ENOTDIR for a link, EXDEV for a way out. */
int open_beneath(int directory, const char *path, int flags, unsigned mode);

#endif /* SESSIONS_BENEATH_PRIVATE_H */
