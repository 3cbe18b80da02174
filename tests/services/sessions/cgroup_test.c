/*
 * cgroup_test.c - groups of this machine, where it has some that can be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup.h"
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

/* fork() without what a sanitizer does at one: its thread in each child would be counted, too. */
static pid_t fork_bare(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

/* A child in the group; not before it is there. */
static pid_t run_inside(const cgroup_t *group, void (*run)(void))
{
    int ends[2];
    char byte = 0;

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork_bare();
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

    while (count < TRIES && (children[count] = fork_bare()) > 0) {
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
    CHECK(after >= 1); /* version 2 counts it as a process and as one of a group */
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

/* When a process began, as the kernel counts. */
static unsigned long long start_of(pid_t pid)
{
    char path[64];
    char text[1024] = "";
    unsigned long long ticks = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    CHECK(file != NULL && fgets(text, sizeof(text), file) != NULL);
    (void)fclose(file);
    CHECK_EQ(sscanf(strrchr(text, ')'),
                    ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                    "%llu",
                    &ticks),
             1);
    return ticks;
}

typedef char name_t[64];

/* What a server of this process has, or had. */
static void make_directories(int home, name_t name, pid_t pid, unsigned long long start)
{
    char inner[sizeof(name_t) + 8];

    (void)snprintf(name, sizeof(name_t), "semkernel-%d-%llu", (int)pid, start);
    (void)snprintf(inner, sizeof(inner), "%.63s/0-1", name);
    CHECK_EQ(mkdirat(home, name, 0755), 0);
    CHECK_EQ(mkdirat(home, inner, 0755), 0);
}

static void remove_directories(int home, const name_t name)
{
    char inner[sizeof(name_t) + 8];

    (void)snprintf(inner, sizeof(inner), "%.63s/0-1", name);
    (void)unlinkat(home, inner, AT_REMOVEDIR);
    (void)unlinkat(home, name, AT_REMOVEDIR);
}

static void groups_of_dead_servers_are_swept_and_of_living_ones_are_not(void)
{
    const pid_t parent = getppid();
    enum { DEAD, REUSED, LOCKED, LIVING, COUNT };
    name_t names[COUNT];
    bool left[COUNT];
    cgroup_tree_t tree;
    const pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    (void)wait_for(child); /* nobody has its number now */
    open_tree(&tree);
    const int home = dup(tree.homes[0]);
    cgroup_tree_close(&tree);
    make_directories(home, names[DEAD], child, 1);
    make_directories(home, names[REUSED], parent, 1);
    make_directories(home, names[LOCKED], child, 2);
    make_directories(home, names[LIVING], parent, start_of(parent));
    const int locked = openat(home, names[LOCKED], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_EQ(flock(locked, LOCK_EX | LOCK_NB), 0);
    open_tree(&tree);
    for (int i = 0; i < COUNT; i++) {
        left[i] = has_group(home, names[i]);
    }
    (void)close(locked);
    cgroup_tree_close(&tree);
    for (int i = 0; i < COUNT; i++) {
        remove_directories(home, names[i]);
    }
    (void)close(home);
    CHECK(!left[DEAD]);
    CHECK(!left[REUSED]);
    CHECK(left[LOCKED]);
    CHECK(left[LIVING]);
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
      TEST(groups_of_dead_servers_are_swept_and_of_living_ones_are_not),
      TEST(without_a_tree_nothing_is_done))
