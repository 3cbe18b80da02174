/*
 * report.h - what the server offers, told once when it listens.
 *
 * For a user at a terminal, and with --verbose: a few lines of text. In the log:
 * the event `started`.
 */
#ifndef SESSIONS_REPORT_PRIVATE_H
#define SESSIONS_REPORT_PRIVATE_H

#include <sys/types.h>

#include "config/config.h"
#include "sandbox/facility.h"

typedef struct report {
    const config_t *config;
    const facility_t *facility;
    const char *python;   /* its version; "" if no worker has told it yet */
    const char *socket;   /* path */
    const char *tcp;      /* URL; "" if there is none */
    pid_t pid;            /* of the process that was started */
    size_t unknown_calls; /* of the system call list that this libseccomp does not know */
} report_t;

void report_start(const report_t *report);

#endif /* SESSIONS_REPORT_PRIVATE_H */
