/*
 * private_directory.h - a fresh directory for the socket, and those that dead
 * servers have left.
 *
 * A server holds a lock on its directory for as long as it lives, however it dies.
 */
#ifndef SESSIONS_PRIVATE_DIRECTORY_PRIVATE_H
#define SESSIONS_PRIVATE_DIRECTORY_PRIVATE_H

/* Make a directory of mode 0700 from a path that ends in "-XXXXXX", which becomes its name, and
 * remove what dead servers have left beside it. A descriptor that holds it until it is closed;
 * -1 and errno. */
int private_directory_make(char *path);

#endif /* SESSIONS_PRIVATE_DIRECTORY_PRIVATE_H */
