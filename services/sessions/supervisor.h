/*
 * supervisor.h - the process that was started, and the server below it.
 */
#ifndef SESSIONS_SUPERVISOR_PRIVATE_H
#define SESSIONS_SUPERVISOR_PRIVATE_H

/* With the next fork's child put into a new process namespace (unshare(CLONE_NEWPID)): run `serve`
 * in that namespace, in a process that exits with what it returns. When that process ends, so does
 * every other there. Signals that ask for the end are passed on to it. Returns its exit status. */
int supervisor_run(int (*serve)(void *data), void *data);

#endif /* SESSIONS_SUPERVISOR_PRIVATE_H */
