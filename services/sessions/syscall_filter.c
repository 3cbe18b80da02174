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

static int allow_names(scmp_filter_ctx filter, size_t *unknown_out)
{
    int result = 0;

    for (size_t i = 0; i < COUNT(allowed) && result == 0; i++) {
        int number = seccomp_syscall_resolve_name(allowed[i]);
        if (number == __NR_SCMP_ERROR) {
            ++*unknown_out;
        } else if (number >= 0) { /* below: known, but not a call of this architecture */
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
        }
    }
    return result;
}

static int add_rules(scmp_filter_ctx filter, uint32_t action, const struct argument_rule *rules,
                     size_t rule_count)
{
    int result = 0;

    for (size_t i = 0; i < rule_count && result == 0; i++) {
        const struct argument_rule *rule = &rules[i];
        int number = seccomp_syscall_resolve_name(rule->name);
        if (number >= 0) {
            struct scmp_arg_cmp comparisons[CONDITIONS_MAX];
            unsigned count = 0;
            for (; count < CONDITIONS_MAX && rule->conditions[count].mask != 0; count++) {
                const condition_t *condition = &rule->conditions[count];
                comparisons[count] = SCMP_CMP64(condition->argument, SCMP_CMP_MASKED_EQ,
                                                condition->mask, condition->value);
            }
            result = seccomp_rule_add_array(filter, action, number, count, comparisons);
        }
    }
    return result;
}

int syscall_filter_program(size_t *unknown_out, failure_t *failure)
{
    int file = -1;
    int result = -ENOMEM;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    *unknown_out = 0;
    if (filter != NULL) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }
    if (result == 0) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
    }
    if (result == 0) {
        result = allow_names(filter, unknown_out);
    }
    if (result == 0) {
        result = answer_names(filter, absent, COUNT(absent), ENOSYS);
    }
    if (result == 0) {
        result = answer_names(filter, idle, COUNT(idle), 0);
    }
    if (result == 0) {
        result = add_rules(filter, SCMP_ACT_ALLOW, argument_rules, COUNT(argument_rules));
    }
    if (result == 0) {
        result = add_rules(filter, SCMP_ACT_ERRNO(0), idle_rules, COUNT(idle_rules));
    }
    if (result == 0) {
        file = memfd_create("seccomp", MFD_CLOEXEC);
        result = file < 0 ? -errno : seccomp_export_bpf(filter, file);
    }
    if (filter != NULL) {
        seccomp_release(filter);
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
