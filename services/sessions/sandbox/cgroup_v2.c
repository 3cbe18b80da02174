/*
 * cgroup_v2.c - one hierarchy, whose controllers are handed down from group to group.
 *
 * A group that hands controllers down must not hold processes itself, unless it
 * is the root. So the server leaves its home for a leaf:
 *
 *     home/                             hands down memory, pids, cpu
 *       semkernel-<pid>-<start>/        likewise
 *         server/                       the server's own processes
 *         <slot>-<count>/               one for each slot in use
 *
 * Where others' processes are in the home this is impossible, and they are
 * nobody's to move: the server must be started in a group of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_tree.h"

#define CONTROL "cgroup.subtree_control"

/* Does `file` of the home list all controllers? Else `lacking` names the first that it does not. */
static bool has_controllers(int home, const char *file, const char **lacking)
{
    char list[1024];

    *lacking = cgroup_controller_names[0];
    if (!cgroup_read(home, file, list, sizeof(list))) {
        return false;
    }
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        *lacking = cgroup_controller_names[i];
        if (!cgroup_list_has(list, ' ', *lacking)) {
            return false;
        }
    }
    return true;
}

/* Have the home hand down what it does not yet, and note what that was. */
static bool enable_in_home(cgroup_tree_t *tree)
{
    char list[1024];
    char wish[32];

    if (!cgroup_read(tree->homes[0], CONTROL, list, sizeof(list))) {
        return false;
    }
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (cgroup_list_has(list, ' ', cgroup_controller_names[i])) {
            continue;
        }
        (void)snprintf(wish, sizeof(wish), "+%s", cgroup_controller_names[i]);
        if (!cgroup_write(tree->homes[0], CONTROL, wish)) {
            return false;
        }
        tree->enabled[i] = true;
    }
    return true;
}

static bool move_to_leaf(const cgroup_tree_t *tree)
{
    return mkdirat(tree->owns[0], "server", 0755) == 0 &&
           cgroup_write(tree->owns[0], "server/cgroup.procs", "0");
}

bool cgroup_v2_open(cgroup_tree_t *tree, failure_t *failure)
{
    const char *lacking = NULL;

    tree->count = 1;
    tree->homes[0] = cgroup_open_home("cgroup2", NULL, failure);
    if (tree->homes[0] < 0) {
        return false;
    }
    if (!has_controllers(tree->homes[0], "cgroup.controllers", &lacking)) {
        return fail(failure, "the server's group has no controller %s", lacking);
    }
    if (!cgroup_make_own(tree, 0, failure)) {
        return false;
    }
    if (!move_to_leaf(tree)) {
        return fail(failure, "the server cannot move within its group: %s", strerror(errno));
    }
    const bool enabled = enable_in_home(tree);
    if (!enabled && errno == EBUSY) {
        return fail(failure, "others' processes are in the server's group");
    }
    if (!enabled || !cgroup_write(tree->owns[0], CONTROL, "+memory +pids +cpu")) {
        return fail(failure, "the server's group cannot hand down its controllers: %s",
                    strerror(errno));
    }
    return true;
}

/* The home must hand nothing down before it takes processes again. Another server beside us keeps
 * the kernel from taking its controllers away. */
bool cgroup_v2_leave(cgroup_tree_t *tree)
{
    char wish[32];

    if (cgroup_write(tree->homes[0], "cgroup.procs", "0")) {
        return true; /* the root, or nothing had been handed down yet */
    }
    (void)cgroup_write(tree->owns[0], CONTROL, "-memory -pids -cpu");
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (tree->enabled[i]) {
            (void)snprintf(wish, sizeof(wish), "-%s", cgroup_controller_names[i]);
            (void)cgroup_write(tree->homes[0], CONTROL, wish);
        }
    }
    return cgroup_write(tree->homes[0], "cgroup.procs", "0");
}
