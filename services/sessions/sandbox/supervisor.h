/*
 * supervisor.h - the process that was started, and the server below it.
 */
#ifndef SESSIONS_SUPERVISOR_PRIVATE_H
#define SESSIONS_SUPERVISOR_PRIVATE_H

#include <stdbool.h>

/* Run `serve` in a process that exits with what it returns. When that process ends, so does every
 * other that it has left: through the new process namespace that the next fork's child is put into
 * (unshare(CLONE_NEWPID)), or where there is none by Landlock, and then the slots' directories are
 * removed. Signals that ask for the end are passed on to it. Returns its exit status. */
int supervisor_run(bool has_namespace, int (*serve)(void *data), void *data);

#endif /* SESSIONS_SUPERVISOR_PRIVATE_H */
