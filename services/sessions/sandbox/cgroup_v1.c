/*
 * cgroup_v1.c - a hierarchy for each controller, or for several together.
 *
 * There are no rules about where processes may be, so the server stays where it
 * is, and its group stands beside it.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_tree.h"

/* Two controllers may be mounted together: then they have one directory. */
static size_t find_hierarchy(const cgroup_tree_t *tree, int home)
{
    struct stat status;
    struct stat other;
    size_t at = 0;

    (void)fstat(home, &status);
    while (at < tree->count && (fstat(tree->homes[at], &other) != 0 ||
                                other.st_dev != status.st_dev || other.st_ino != status.st_ino)) {
        at++;
    }
    return at;
}

bool cgroup_v1_open(cgroup_tree_t *tree, failure_t *failure)
{
    for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
        int home = cgroup_open_home("cgroup", cgroup_controller_names[i], failure);
        if (home < 0) {
            return false;
        }
        tree->hierarchy[i] = find_hierarchy(tree, home);
        if (tree->hierarchy[i] < tree->count) {
            (void)close(home);
            continue;
        }
        tree->homes[tree->count++] = home;
        if (!cgroup_make_own(tree, tree->count - 1, failure)) {
            return false;
        }
    }
    return true;
}
