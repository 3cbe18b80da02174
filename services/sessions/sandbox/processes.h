/*
 * processes.h - the processes of a sandbox, as its own /proc shows them: all of
 * them, daemons included, and nobody else's.
 */
#ifndef SESSIONS_PROCESSES_PRIVATE_H
#define SESSIONS_PROCESSES_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_INIT 1

typedef struct process {
    int directory; /* its own in /proc: stays that of this process, whoever gets its number */
    int number;    /* inside the sandbox; the host's where it has no namespace */
} process_t;

/* Visit each process of the sandbox that has this init. False if that is gone. Without a process
 * namespace, those are visited that descend from it, and not itself. */
typedef void (*process_fn)(const process_t *process, void *data);
bool processes_visit(pid_t init, process_fn visit, void *data);

/* What all threads of a process have in common. */
typedef struct process_state {
    bool dead;      /* none can run any more */
    bool stopped;   /* each is stopped or dead, as far as the next one tells */
    bool waiting;   /* one waits in the kernel, deaf for signals; is it stopped then? */
    uint64_t trace; /* of its threads and how often each has run: another if one ran in between */
} process_state_t;

process_state_t process_state(const process_t *process);

void process_signal(const process_t *process, int number);

#endif /* SESSIONS_PROCESSES_PRIVATE_H */
