/*
 * cgroup_tree.h - the control groups that are this server's own.
 *
 * Below the group that the server was started in (its home) it makes a group of
 * its own, and in that one for each slot. The name says whose it is, process
 * id and start time, so that a later server can clear away what a killed one left.
 */
#ifndef SESSIONS_CGROUP_TREE_PRIVATE_H
#define SESSIONS_CGROUP_TREE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"

typedef enum cgroup_controller {
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_CPU,
    CGROUP_CONTROLLERS
} cgroup_controller_t;

#define CGROUP_NAME_SIZE 64

typedef struct cgroup_tree {
    int version;                          /* of the kernel's interface, 1 or 2; 0: no tree */
    size_t count;                         /* hierarchies: version 2 has one, version 1 several */
    int homes[CGROUP_CONTROLLERS];        /* directories, one a hierarchy */
    int owns[CGROUP_CONTROLLERS];         /* ours in them, locked while we live */
    size_t hierarchy[CGROUP_CONTROLLERS]; /* in which one each controller is */
    char name[CGROUP_NAME_SIZE];          /* of ours */
    bool enabled[CGROUP_CONTROLLERS];     /* version 2: by us, in the home */
} cgroup_tree_t;

/* Find a hierarchy with memory, pids and cpu that can be written, version 2 first; clear away what
 * dead servers left there; make our own group. With version 2 the calling process moves into a
 * leaf of it, and what it forks from then on. On failure the text says what is in the way. */
bool cgroup_tree_open(cgroup_tree_t *tree, failure_t *failure);

/* Remove it with all that is in it, once its processes are dead, and go home; by the process that
 * has opened it. Without a tree it does nothing. */
void cgroup_tree_close(cgroup_tree_t *tree);

/* ---- for cgroup_v1.c and cgroup_v2.c ---- */

extern const char *const cgroup_controller_names[CGROUP_CONTROLLERS];

/* Is `word` one of the words in `list`, which `separator` divides? */
bool cgroup_list_has(const char *list, char separator, const char *word);
/* The directory of this process's group where file systems of `type` with `controller` (version
 * 2: NULL) are mounted; -1 and a text if there is none. */
int cgroup_open_home(const char *type, const char *controller, failure_t *failure);
/* Make our own group in the home of this number. */
bool cgroup_make_own(cgroup_tree_t *tree, size_t at, failure_t *failure);
bool cgroup_write(int directory, const char *file, const char *text);
/* What a file holds, without its last newline; false if it cannot be read or does not fit. */
bool cgroup_read(int directory, const char *file, char *text, size_t size);

bool cgroup_v1_open(cgroup_tree_t *tree, failure_t *failure);
bool cgroup_v2_open(cgroup_tree_t *tree, failure_t *failure);
/* Out of our own group; false if that is not possible. */
bool cgroup_v2_leave(cgroup_tree_t *tree);

#endif /* SESSIONS_CGROUP_TREE_PRIVATE_H */
