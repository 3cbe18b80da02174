/*
 * facility.h - what this machine offers to build a sandbox from, and how to get
 * what it lacks.
 */
#ifndef SESSIONS_FACILITY_PRIVATE_H
#define SESSIONS_FACILITY_PRIVATE_H

#include <stdbool.h>

#include "base/failure.h"
#include "cgroup_tree.h"
#include "config/config.h"

/* From the strongest isolation to none; a level is chosen at start and never left. */
typedef enum level { LEVEL_FULL, LEVEL_NO_CGROUP, LEVEL_LANDLOCK } level_t;

const char *level_name(level_t level);

typedef struct facility {
    level_t level;
    bool root;               /* may switch to the slots' own user ids */
    bool disable_userns;     /* bubblewrap 0.8 and later: --disable-userns */
    char python_etc[64];     /* /etc/python3.11, that of the chosen Python; "" for none */
    cgroup_tree_t cgroups;   /* of level full; else without a version */
    failure_t no_cgroups;    /* why there are none; "" if nobody has asked for them */
    failure_t no_namespaces; /* likewise */
} facility_t;

/* Look for the programs and the level asked for, else the strongest there is; limits of `config`
 * that go by the level and were not set are set. On failure the text names what is missing and how
 * to get it. Ended by facility_leave(), also after a failure. */
bool facility_find(facility_t *facility, config_t *config, failure_t *failure);
/* By the same process, when all others of the server have ended. */
void facility_leave(facility_t *facility);

/* Why namespaces could not be entered, from errno and the machine's switches. */
bool facility_explain_namespaces(int error, failure_t *failure);

/* Why a sandbox did not start, from what bubblewrap printed. */
bool facility_explain_sandbox(const char *diagnosis, failure_t *failure);

#endif /* SESSIONS_FACILITY_PRIVATE_H */
