/*
 * namespace.h - the server's own namespaces, and the file systems of the slots
 * in them.
 *
 * Nothing of it is visible outside, and all of it is gone when the server is,
 * however it ends. Level landlock has none: there slots have directories.
 */
#ifndef SESSIONS_NAMESPACE_PRIVATE_H
#define SESSIONS_NAMESPACE_PRIVATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/failure.h"
#include "cgroup.h"
#include "config/config.h"
#include "facility.h"

#define PLACE_PATH_MAX 160

/* Where one slot's sandbox keeps its files, and what it may have. */
typedef struct place {
    uid_t uid;
    gid_t gid;
    char data[PLACE_PATH_MAX]; /* becomes /mnt/data, where something can be mounted */
    char tmp[PLACE_PATH_MAX];
    char shm[PLACE_PATH_MAX];
    char worker[PLACE_PATH_MAX]; /* the worker's program, where nothing can be mounted */
    cgroup_t group;
} place_t;

/* Enter the namespaces; while the process has one thread only. That of processes begins with the
 * next fork. */
bool namespace_enter(const facility_t *facility, failure_t *failure);
/* Could they be entered, and a sandbox make its own in them? In processes of its own: nothing is
 * changed for this one. */
bool namespace_try(const facility_t *facility, const config_t *config, failure_t *failure);
/* Inside, then: its /proc, and room for the slots. */
bool namespace_furnish(const facility_t *facility, failure_t *failure);

/* Mount a slot's empty file systems and make its control group; those of the same number must be
 * unmounted. */
bool namespace_mount(place_t *place, unsigned number, const facility_t *facility,
                     const config_t *config, failure_t *failure);
/* Unmount them: their content is gone. Every process of the slot must be dead. */
void namespace_unmount(place_t *place);

#endif /* SESSIONS_NAMESPACE_PRIVATE_H */
