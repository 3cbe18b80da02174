/*
 * syscall_filter.h - the system calls that a sandbox may make.
 */
#ifndef SESSIONS_SYSCALL_FILTER_PRIVATE_H
#define SESSIONS_SYSCALL_FILTER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

/* The filter as a program in a memory file, ready for bubblewrap's --seccomp; the
 * caller closes it. `bare` is for a sandbox without namespaces of its own, which sees the host's
 * files, processes and network. -1 on failure. `unknown_out` counts the calls of the list
 * that this libseccomp does not know, and so refuses. */
int syscall_filter_program(bool bare, size_t *unknown_out, failure_t *failure);

#endif /* SESSIONS_SYSCALL_FILTER_PRIVATE_H */
