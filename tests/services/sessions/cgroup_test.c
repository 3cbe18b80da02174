/*
 * cgroup_test.c - groups of this machine, where it has some that can be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "support/check.h"

#define TRIES 20

static const config_t limits = {.memory = 64 * MIB, .processes = 4, .cpu = 100};

static void open_tree(cgroup_tree_t *tree)
{
    failure_t failure = {""};

    if (!cgroup_tree_open(tree, &failure)) {
        SKIP(failure.text);
    }
}

static bool has_group(int directory, const char *name)
{
    return faccessat(directory, name, F_OK, 0) == 0;
}

/* A tree and a group in it. */
static void make_group(cgroup_tree_t *tree, cgroup_t *group)
{
    failure_t failure = {""};

    open_tree(tree);
    if (!cgroup_make(group, tree, 3, &limits, &failure)) {
        cgroup_tree_close(tree);
        check_fail(__FILE__, __LINE__, "%s", failure.text);
    }
}

/* A child in the group; not before it is there. */
static pid_t run_inside(const cgroup_t *group, void (*run)(void))
{
    int ends[2];
    char byte = 0;

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        bool joined = cgroup_join(group) && write(ends[1], "j", 1) == 1;
        (void)close(ends[1]);
        if (joined) {
            run();
        }
        _exit(99);
    }
    (void)close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return child;
}

static int wait_for(pid_t child)
{
    int status = -1;

    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void wait_for_ever(void)
{
    for (;;) {
        (void)pause();
    }
}

static void count_forks(void)
{
    pid_t children[TRIES];
    int count = 0;

    while (count < TRIES && (children[count] = fork()) > 0) {
        count++;
    }
    if (count < TRIES && children[count] == 0) {
        wait_for_ever();
    }
    const int refused = errno == EAGAIN ? 0 : 50;
    for (int i = 0; i < count; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
    }
    _exit(count + refused);
}

static void use_memory(void)
{
    const size_t size = 128 * MIB;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(memory, 1, size);
    _exit(memory[size - 1]);
}

static void processes_beyond_the_limit_are_refused(void)
{
    cgroup_tree_t tree;
    cgroup_t group;

    make_group(&tree, &group);
    const int status = wait_for(run_inside(&group, count_forks));
    cgroup_remove(&group);
    cgroup_tree_close(&tree);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status),
             limits.processes); /* beside itself, which is bubblewrap's place */
}

static void memory_beyond_the_limit_ends_a_process_and_is_counted(void)
{
    cgroup_tree_t tree;
    cgroup_t group;

    make_group(&tree, &group);
    const int64_t before = cgroup_memory_kills(&group);
    const int status = wait_for(run_inside(&group, use_memory));
    const int64_t after = cgroup_memory_kills(&group);
    cgroup_remove(&group);
    cgroup_tree_close(&tree);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK_EQ(before, 0);
    CHECK_EQ(after, 1);
}

static void version_2_kills_a_group_also_while_it_is_frozen(void)
{
    cgroup_tree_t tree;
    cgroup_t group;

    make_group(&tree, &group);
    pid_t child = run_inside(&group, wait_for_ever);
    const bool able = tree.version == 2;
    const bool frozen = cgroup_freeze(&group);
    cgroup_kill(&group);
    if (!able) {
        (void)kill(child, SIGKILL);
    }
    const int status = wait_for(child);
    child = run_inside(&group, wait_for_ever);
    (void)cgroup_freeze(&group);
    const bool thawed = cgroup_thaw(&group);
    (void)kill(child, SIGTERM);
    const int end = wait_for(child);
    cgroup_remove(&group);
    cgroup_tree_close(&tree);
    CHECK_EQ(frozen, able);
    CHECK_EQ(thawed, able);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK_EQ(WTERMSIG(end), SIGTERM);
}

static void groups_of_a_dead_server_are_swept_and_those_of_a_living_one_are_not(void)
{
    cgroup_tree_t dead;
    cgroup_tree_t living;
    cgroup_tree_t next;
    failure_t failure = {""};
    int ends[2];

    open_tree(&living);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) { /* ends without a word, as by SIGKILL */
        cgroup_t group;
        const bool made =
            cgroup_tree_open(&dead, &failure) && cgroup_make(&group, &dead, 0, &limits, &failure);
        _exit(made && write(ends[1], dead.name, sizeof(dead.name)) > 0 ? 0 : 1);
    }
    (void)close(ends[1]);
    memset(dead.name, 0, sizeof(dead.name));
    (void)!read(ends[0], dead.name, sizeof(dead.name));
    (void)close(ends[0]);
    const int status = wait_for(child);
    const int home = dup(living.homes[0]);
    const bool left = has_group(home, dead.name);

    child = fork();
    if (child == 0) {
        const bool opened = cgroup_tree_open(&next, &failure);
        const bool right = opened && !has_group(home, dead.name) && has_group(home, living.name);
        cgroup_tree_close(&next);
        _exit(right && !has_group(home, next.name) ? 0 : 1);
    }
    const int next_status = wait_for(child);
    cgroup_tree_close(&living);
    const bool cleared = !has_group(home, living.name);
    (void)close(home);
    CHECK_EQ(status, 0);
    CHECK(left);
    CHECK_EQ(next_status, 0);
    CHECK(cleared);
}

static void without_a_tree_nothing_is_done(void)
{
    const cgroup_tree_t none = {.version = 0};
    cgroup_t group;
    failure_t failure = {""};

    CHECK(cgroup_make(&group, &none, 0, &limits, &failure));
    CHECK(cgroup_join(&group));
    CHECK_EQ(cgroup_memory_kills(&group), 0);
    CHECK(!cgroup_freeze(&group));
    cgroup_kill(&group);
    cgroup_remove(&group);
}

TESTS(TEST(processes_beyond_the_limit_are_refused),
      TEST(memory_beyond_the_limit_ends_a_process_and_is_counted),
      TEST(version_2_kills_a_group_also_while_it_is_frozen),
      TEST(groups_of_a_dead_server_are_swept_and_those_of_a_living_one_are_not),
      TEST(without_a_tree_nothing_is_done))
