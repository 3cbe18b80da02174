/*
 * syscall_filter.c - a list of what is allowed; everything else fails with EPERM.
 *
 * Also what a later kernel invents fails with EPERM and kills nobody. Left out
 * on purpose, though harmless-looking: all set*id calls, keyrings, ptrace, bpf,
 * io_uring and asynchronous input, perf, userfaultfd, file handles, mount in all
 * forms, memory files (memory outside every limit: memfd_create reports ENOSYS,
 * so that libraries use a file instead), System V and POSIX queues, device and
 * FIFO nodes, locked memory, real-time scheduling; inotify, its forerunner
 * F_NOTIFY, and leases: the files of /usr are the host's, and who watches them
 * sees each program the host starts.
 *
 * A 32-bit or x32 call is a call of another architecture, and that kills.
 */
#include "syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOW_32_BITS  UINT64_C(0xffffffff)

static const char *const allowed[] = {
    /* reading and writing */
    "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "fallocate", "ftruncate",
    "ftruncate64", "lseek", "_llseek", "pread64", "preadv", "preadv2", "pwrite64", "pwritev",
    "pwritev2", "read", "readahead", "readv", "sendfile", "sendfile64", "splice", "tee", "write",
    "writev",
    /* names and directories */
    "access", "chdir", "chmod", "chown", "chown32", "creat", "faccessat", "faccessat2", "fchdir",
    "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fgetxattr", "flistxattr",
    "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
    "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "lchown", "lchown32", "lgetxattr",
    "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lsetxattr", "lstat", "lstat64",
    "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2", "readlink", "readlinkat",
    "removexattr", "rename", "renameat", "renameat2", "rmdir", "setxattr", "stat", "stat64",
    "statfs", "statfs64", "statx", "symlink", "symlinkat", "truncate", "truncate64", "umask",
    "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
    /* memory */
    "brk", "madvise", "membarrier", "mincore", "mprotect", "mremap", "mseal", "munmap",
    "pkey_alloc", "pkey_free", "pkey_mprotect",
    /* processes, threads, signals */
    "alarm", "arch_prctl", "capget", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
    "get_thread_area", "getcpu", "getegid", "getegid32", "geteuid", "geteuid32", "getgid",
    "getgid32", "getgroups", "getgroups32", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage",
    "getsid", "gettid", "getuid", "getuid32", "ioprio_get", "kill", "landlock_add_rule",
    "landlock_create_ruleset", "landlock_restrict_self", "pause", "pidfd_open", "pidfd_send_signal",
    "prlimit64", "restart_syscall", "riscv_flush_icache", "riscv_hwprobe", "rseq", "rt_sigaction",
    "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
    "sched_setaffinity", "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address",
    "setpgid", "setpriority", "setrlimit", "setsid", "sigaltstack", "signalfd", "signalfd4",
    "sigprocmask", "sigreturn", "tgkill", "tkill", "ugetrlimit", "vfork", "wait4", "waitid",
    "waitpid",
    /* waiting and time */
    "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
    "clock_nanosleep_time64", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "getitimer", "gettimeofday", "nanosleep",
    "_newselect", "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "select",
    "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
    "timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
    "timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times",
    /* pipes and sockets; which sockets, and which of their options, are rules below */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "pipe", "pipe2", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send",
    "sendmmsg", "sendmsg", "sendto", "shutdown",
    /* the system */
    "getrandom", "sysinfo", "uname"};

/* Calls that fail as on a kernel without them, so that libraries take their other way. A lock of
 * flock() needs no right to write: on a file of /usr it would keep the host waiting. */
static const char *const absent[] = {"clone3",        "flock",        "inotify_init",
                                     "inotify_init1", "memfd_create", "shmget"};

/* Calls that succeed and do nothing: all that can be written inside is memory, and the disks and
 * the memory of files that they work on are the host's. */
static const char *const idle[] = {"fadvise64", "fadvise64_64",    "fdatasync", "fsync",
                                   "sync",      "sync_file_range", "syncfs"};

#define CONDITIONS_MAX 3

/* An argument, under a mask, has this value. */
typedef struct condition {
    unsigned argument;
    uint64_t mask; /* 0: no condition */
    uint64_t value;
} condition_t;

/* clang-format off */
/* A socket of this type, its protocol named or not; the type's high bits are flags. */
#define SOCKETS(family, type, protocol) \
    {"socket", {{0, LOW_32_BITS, family}, {1, 0xf, type}, {2, LOW_32_BITS, 0}}}, \
    {"socket", {{0, LOW_32_BITS, family}, {1, 0xf, type}, {2, LOW_32_BITS, protocol}}}
#define SOCKET_OPTION(option) \
    {"setsockopt", {{1, LOW_32_BITS, SOL_SOCKET}, {2, LOW_32_BITS, option}}}
/* 32-bit machines have a second one. */
#define FILE_COMMAND(command) \
    {"fcntl", {{1, LOW_32_BITS, command}}}, {"fcntl64", {{1, LOW_32_BITS, command}}}
/* clang-format on */

/* A call that is allowed while all conditions of one of its rows hold. */
static const struct argument_rule {
    const char *name;
    condition_t conditions[CONDITIONS_MAX];
} argument_rules[] = {
    {"clone",
     {{0,
       CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
           CLONE_NEWNET,
       0}}},
    {"socket", {{0, LOW_32_BITS, AF_UNIX}}},
    /* TCP and UDP alone: to name another protocol makes the host's kernel load its module */
    SOCKETS(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    SOCKETS(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    SOCKETS(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    SOCKETS(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    {"socketpair", {{0, LOW_32_BITS, AF_UNIX}}},
    {"setsockopt", {{1, LOW_32_BITS, IPPROTO_IP}}},
    {"setsockopt", {{1, LOW_32_BITS, IPPROTO_TCP}}},
    {"setsockopt", {{1, LOW_32_BITS, IPPROTO_UDP}}},
    {"setsockopt", {{1, LOW_32_BITS, IPPROTO_IPV6}}},
    /* no SO_LINGER: the server would wait where it closes a socket that was sent to it;
     * no filters: programs for the kernel */
    SOCKET_OPTION(SO_REUSEADDR),
    SOCKET_OPTION(SO_DONTROUTE),
    SOCKET_OPTION(SO_BROADCAST),
    SOCKET_OPTION(SO_SNDBUF),
    SOCKET_OPTION(SO_RCVBUF),
    SOCKET_OPTION(SO_KEEPALIVE),
    SOCKET_OPTION(SO_OOBINLINE),
    SOCKET_OPTION(SO_PRIORITY),
    SOCKET_OPTION(SO_REUSEPORT),
    SOCKET_OPTION(SO_PASSCRED),
    SOCKET_OPTION(SO_RCVLOWAT),
    SOCKET_OPTION(SO_RCVTIMEO),
    SOCKET_OPTION(SO_SNDTIMEO),
    SOCKET_OPTION(SO_TIMESTAMP),
    /* no F_NOTIFY, no F_SETLEASE */
    FILE_COMMAND(F_DUPFD),
    FILE_COMMAND(F_GETFD),
    FILE_COMMAND(F_SETFD),
    FILE_COMMAND(F_GETFL),
    FILE_COMMAND(F_SETFL),
    FILE_COMMAND(F_GETLK),
    FILE_COMMAND(F_SETLK),
    FILE_COMMAND(F_SETLKW),
    FILE_COMMAND(F_SETOWN),
    FILE_COMMAND(F_GETOWN),
    FILE_COMMAND(F_SETSIG),
    FILE_COMMAND(F_GETSIG),
    FILE_COMMAND(F_SETOWN_EX),
    FILE_COMMAND(F_GETOWN_EX),
    FILE_COMMAND(F_OFD_GETLK),
    FILE_COMMAND(F_OFD_SETLK),
    FILE_COMMAND(F_OFD_SETLKW),
    FILE_COMMAND(F_DUPFD_CLOEXEC),
    FILE_COMMAND(F_SETPIPE_SZ),
    FILE_COMMAND(F_GETPIPE_SZ),
    FILE_COMMAND(F_GET_SEALS),
    /* the kernel looks at 32 bits of the request: a 64-bit comparison could be walked around */
    {"ioctl", {{1, LOW_32_BITS, TCGETS}}},
    {"ioctl", {{1, LOW_32_BITS, TIOCGWINSZ}}},
    {"ioctl", {{1, LOW_32_BITS, TIOCGPGRP}}},
    {"ioctl", {{1, LOW_32_BITS, FIONREAD}}},
    {"ioctl", {{1, LOW_32_BITS, FIONBIO}}},
    {"ioctl", {{1, LOW_32_BITS, FIOASYNC}}},
    {"ioctl", {{1, LOW_32_BITS, FIOCLEX}}},
    {"ioctl", {{1, LOW_32_BITS, FIONCLEX}}},
    {"prctl", {{0, LOW_32_BITS, PR_SET_NAME}}},
    {"prctl", {{0, LOW_32_BITS, PR_GET_NAME}}},
    {"prctl", {{0, LOW_32_BITS, PR_SET_PDEATHSIG}}},
    {"prctl", {{0, LOW_32_BITS, PR_GET_PDEATHSIG}}},
    {"prctl", {{0, LOW_32_BITS, PR_SET_DUMPABLE}}},
    {"prctl", {{0, LOW_32_BITS, PR_GET_DUMPABLE}}},
    {"prctl", {{0, LOW_32_BITS, PR_SET_NO_NEW_PRIVS}}},
    {"prctl", {{0, LOW_32_BITS, PR_GET_NO_NEW_PRIVS}}},
    {"prctl", {{0, LOW_32_BITS, PR_SET_VMA}}},
    {"prctl", {{0, LOW_32_BITS, PR_CAPBSET_READ}}},
    {"prctl", {{0, LOW_32_BITS, PR_GET_SECCOMP}}},
    {"prctl", {{0, LOW_32_BITS, PR_SET_THP_DISABLE}}},
    {"prctl", {{0, LOW_32_BITS, PR_GET_THP_DISABLE}}},
    /* pages that the host keeps apart for its own programs count for nobody */
    {"mmap", {{3, MAP_HUGETLB, 0}}},
    {"mmap2", {{3, MAP_HUGETLB, 0}}},
    {"msync", {{2, MS_SYNC, 0}}},
    {"personality", {{0, LOW_32_BITS, 0}}},
    {"personality", {{0, LOW_32_BITS, 0xffffffff}}},
};

/* Calls that succeed and do nothing while the conditions of a row hold. */
static const struct argument_rule idle_rules[] = {
    {"msync", {{2, MS_SYNC, MS_SYNC}}}, /* as fsync() */
};

enum { NOTHING_UNLESS = -2, ALLOWED = -1, NOTHING = 0 };

/* Instead of what stands above, where there are no namespaces around. Landlock says which files can
 * be opened, made and removed; it does not keep from others what is done to a file by its name
 * alone, to processes of the same user, or through a socket of the host that has a name. What such
 * a call would do to a file of its own, and programs do without need, does nothing; space comes by
 * writing alone, which can be watched. */
static const struct bare_rule {
    const char *name;
    int answer; /* ALLOWED while the conditions hold; success and NOTHING done, always or while
                 * the condition does not hold; or an error */
    condition_t conditions[CONDITIONS_MAX];
} bare_rules[] = {
    {"chmod", NOTHING, {{0}}},
    {"fchmodat", NOTHING, {{0}}},
    {"fchmodat2", NOTHING, {{0}}},
    {"utime", NOTHING, {{0}}},
    {"utimes", NOTHING, {{0}}},
    {"futimesat", NOTHING, {{0}}},
    /* a time that is not named is that of a file to be made if it is not there */
    {"utimensat", NOTHING_UNLESS, {{2, UINT64_MAX, 0}}},
    {"utimensat_time64", NOTHING_UNLESS, {{2, UINT64_MAX, 0}}},
    {"chown", EPERM, {{0}}},
    {"chown32", EPERM, {{0}}},
    {"fchownat", EPERM, {{0}}},
    {"lchown", EPERM, {{0}}},
    {"lchown32", EPERM, {{0}}},
    {"getxattr", ENOTSUP, {{0}}},
    {"lgetxattr", ENOTSUP, {{0}}},
    {"listxattr", ENOTSUP, {{0}}},
    {"llistxattr", ENOTSUP, {{0}}},
    {"setxattr", ENOTSUP, {{0}}},
    {"lsetxattr", ENOTSUP, {{0}}},
    {"removexattr", ENOTSUP, {{0}}},
    {"lremovexattr", ENOTSUP, {{0}}},
    {"fallocate", ENOTSUP, {{0}}},
    {"socket", EPERM, {{0}}},
    {"accept", EPERM, {{0}}},
    {"accept4", EPERM, {{0}}},
    {"bind", EPERM, {{0}}},
    {"connect", EPERM, {{0}}},
    {"listen", EPERM, {{0}}},
    /* no datagrams: those could be sent to any socket that has a name */
    {"socketpair", ALLOWED, {{0, LOW_32_BITS, AF_UNIX}, {1, 0xf, SOCK_STREAM}}},
    {"socketpair", ALLOWED, {{0, LOW_32_BITS, AF_UNIX}, {1, 0xf, SOCK_SEQPACKET}}},
    {"prlimit64", ALLOWED, {{0, LOW_32_BITS, 0}}},
    {"sched_setaffinity", ALLOWED, {{0, LOW_32_BITS, 0}}},
    {"setpriority", ALLOWED, {{0, LOW_32_BITS, PRIO_PROCESS}, {1, LOW_32_BITS, 0}}},
    /* without PR_SET_DUMPABLE: what hides from the server cannot be watched */
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_SET_NAME}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_GET_NAME}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_SET_PDEATHSIG}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_GET_PDEATHSIG}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_GET_DUMPABLE}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_SET_NO_NEW_PRIVS}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_GET_NO_NEW_PRIVS}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_SET_VMA}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_CAPBSET_READ}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_GET_SECCOMP}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_SET_THP_DISABLE}}},
    {"prctl", ALLOWED, {{0, LOW_32_BITS, PR_GET_THP_DISABLE}}},
};

typedef struct filter {
    scmp_filter_ctx rules;
    bool bare;
    size_t unknown; /* names of the list that libseccomp does not know */
} filter_t;

static bool is_replaced(const filter_t *filter, const char *name)
{
    for (size_t i = 0; i < COUNT(bare_rules) && filter->bare; i++) {
        if (strcmp(bare_rules[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Answer these calls with one number. */
static int answer_names(scmp_filter_ctx filter, const char *const *names, size_t count, int error)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number >= 0) {
            result = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), number, 0);
        }
    }
    return result;
}

static int allow_names(filter_t *filter)
{
    int result = 0;

    for (size_t i = 0; i < COUNT(allowed) && result == 0; i++) {
        /* below 0: unknown, or known but not a call of this architecture */
        int number = seccomp_syscall_resolve_name(allowed[i]);
        if (number == __NR_SCMP_ERROR) {
            filter->unknown++;
        } else if (number >= 0 && !is_replaced(filter, allowed[i])) {
            result = seccomp_rule_add(filter->rules, SCMP_ACT_ALLOW, number, 0);
        }
    }
    return result;
}

/* Give a call one answer while all conditions hold, or while the one condition does not. */
static int add_rule(const filter_t *filter, uint32_t action, const char *name,
                    const condition_t *conditions, bool unless)
{
    struct scmp_arg_cmp comparisons[CONDITIONS_MAX];
    unsigned count = 0;
    int number = seccomp_syscall_resolve_name(name);

    for (; count < CONDITIONS_MAX && conditions[count].mask != 0; count++) {
        const condition_t *condition = &conditions[count];
        comparisons[count] = unless
                                 ? SCMP_CMP64(condition->argument, SCMP_CMP_NE, condition->value, 0)
                                 : SCMP_CMP64(condition->argument, SCMP_CMP_MASKED_EQ,
                                              condition->mask, condition->value);
    }
    return number < 0 ? 0
                      : seccomp_rule_add_array(filter->rules, action, number, count, comparisons);
}

static int allow_arguments(const filter_t *filter)
{
    int result = 0;

    for (size_t i = 0; i < COUNT(argument_rules) && result == 0; i++) {
        if (!is_replaced(filter, argument_rules[i].name)) {
            result = add_rule(filter, SCMP_ACT_ALLOW, argument_rules[i].name,
                              argument_rules[i].conditions, false);
        }
    }
    return result;
}

static int answer_idle_rules(const filter_t *filter)
{
    int result = 0;

    for (size_t i = 0; i < COUNT(idle_rules) && result == 0; i++) {
        result = add_rule(filter, SCMP_ACT_ERRNO(0), idle_rules[i].name, idle_rules[i].conditions,
                          false);
    }
    return result;
}

static int replace_for_bare(const filter_t *filter)
{
    int result = 0;

    for (size_t i = 0; i < COUNT(bare_rules) && result == 0 && filter->bare; i++) {
        const struct bare_rule *rule = &bare_rules[i];
        if (rule->answer != EPERM) { /* which is what a call gets that has no rule */
            const bool unless = rule->answer == NOTHING_UNLESS;
            const uint32_t error = unless ? NOTHING : (uint32_t)rule->answer;
            result =
                add_rule(filter, rule->answer == ALLOWED ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(error),
                         rule->name, rule->conditions, unless);
        }
    }
    return result;
}

int syscall_filter_program(bool bare, size_t *unknown_out, failure_t *failure)
{
    int file = -1;
    int result = -ENOMEM;
    filter_t filter = {seccomp_init(SCMP_ACT_ERRNO(EPERM)), bare, 0};

    if (filter.rules != NULL) {
        result = seccomp_attr_set(filter.rules, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }
    if (result == 0) {
        result = seccomp_attr_set(filter.rules, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
    }
    if (result == 0) {
        result = allow_names(&filter);
    }
    if (result == 0) {
        result = answer_names(filter.rules, absent, COUNT(absent), ENOSYS);
    }
    if (result == 0) {
        result = answer_names(filter.rules, idle, COUNT(idle), 0);
    }
    if (result == 0) {
        result = allow_arguments(&filter);
    }
    if (result == 0) {
        result = answer_idle_rules(&filter);
    }
    if (result == 0) {
        result = replace_for_bare(&filter);
    }
    *unknown_out = filter.unknown;
    if (result == 0) {
        file = memfd_create("seccomp", MFD_CLOEXEC);
        result = file < 0 ? -errno : seccomp_export_bpf(filter.rules, file);
    }
    if (filter.rules != NULL) {
        seccomp_release(filter.rules);
    }
    if (result != 0) {
        (void)fail(failure, "cannot sandbox: the system call filter could not be made: %s",
                   strerror(-result));
        if (file >= 0) {
            (void)close(file);
        }
        return -1;
    }
    return file;
}
