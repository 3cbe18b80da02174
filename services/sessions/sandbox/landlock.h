/*
 * landlock.h - what Linux lets a process give up for itself and all it starts,
 * without any right of its own: files, the network, and who hears its signals.
 */
#ifndef SESSIONS_LANDLOCK_PRIVATE_H
#define SESSIONS_LANDLOCK_PRIVATE_H

#include <stdbool.h>

#define LANDLOCK_ABI_NEEDED 6 /* Linux 6.12: scopes of signals and abstract sockets */

/* The version of this kernel's Landlock, 0 if it has none. */
int landlock_abi(void);

/* From now on this process and what it forks send signals to each other only. False if it is not
 * so, which is found by trying on the parent. */
bool landlock_enclose(void);

/* End all processes of the enclosure but this one, in one step: no fork escapes it. Does nothing
 * outside one. */
void landlock_kill_others(void);

typedef enum landlock_use { LANDLOCK_SEE, LANDLOCK_RUN, LANDLOCK_DEVICE, LANDLOCK_OWN } use_t;

/* A file or directory and what may be done there: read; read and execute; read and write; read,
 * write, make, rename and remove. */
typedef struct landlock_grant {
    use_t use;
    const char *path; /* what does not exist is granted to nobody */
} landlock_grant_t;

/* Give up all files but these, TCP, abstract sockets and signals to others. Needs, as the above,
 * that no new privileges can be had. */
bool landlock_confine(const landlock_grant_t *grants, unsigned count);

#endif /* SESSIONS_LANDLOCK_PRIVATE_H */
