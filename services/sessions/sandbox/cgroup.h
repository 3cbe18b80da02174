/*
 * cgroup.h - the control group of one slot: what its processes may have together.
 *
 * It lasts as long as the slot's files, and longer than a worker: files are
 * memory, too, and stay counted when a worker is replaced.
 *
 * Without a tree (a level below `full`) there are no groups, and all of this
 * does nothing.
 */
#ifndef SESSIONS_CGROUP_PRIVATE_H
#define SESSIONS_CGROUP_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "cgroup_tree.h"
#include "config/config.h"

typedef struct cgroup {
    const cgroup_tree_t *tree; /* borrowed, outlives the group; NULL: there is no group */
    char name[32];
} cgroup_t;

/* Make the group of this slot with the limits of `config`. */
bool cgroup_make(cgroup_t *group, const cgroup_tree_t *tree, unsigned slot, const config_t *config,
                 failure_t *failure);
/* Remove it once its processes are dead. */
void cgroup_remove(cgroup_t *group);

/* Put the calling process into it; between fork and exec, while it still has its rights. */
bool cgroup_join(const cgroup_t *group);

/* How many of its processes the kernel has ended because memory was out. */
int64_t cgroup_memory_kills(const cgroup_t *group);

/* Kill all processes in it at once, frozen ones, too; it is thawed afterwards. Version 1 of the
 * interface cannot: there it does nothing. */
void cgroup_kill(const cgroup_t *group);

/* Let no process of it run, and let them go on. False where the group cannot do that: with
 * version 1, whose frozen processes not even SIGKILL ends, and where there is no group. Version 2
 * kills what is frozen. */
bool cgroup_freeze(const cgroup_t *group);
bool cgroup_thaw(const cgroup_t *group);

#endif /* SESSIONS_CGROUP_PRIVATE_H */
