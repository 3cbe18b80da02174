"""Calls to the kernel that no Python needs, and ways round the filter that refuses them."""

import ctypes
import platform

import attack

FAMILIES = {
    "tracing": "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise "
    "perf_event_open process_mrelease",
    "keyrings": "add_key request_key keyctl",
    "namespaces": "unshare setns",
    "mounts": "mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick "
    "mount_setattr statmount listmount",
    "kernel modules": "init_module finit_module delete_module kexec_load kexec_file_load",
    "the machine": "reboot swapon swapoff sethostname setdomainname acct quotactl syslog iopl "
    "ioperm vhangup modify_ldt",
    "clocks": "settimeofday clock_settime adjtimex clock_adjtime stime",
    "programs for the kernel": "bpf seccomp userfaultfd io_uring_setup io_uring_enter "
    "io_uring_register io_setup io_submit",
    "memory outside all limits": "memfd_secret mlock mlock2 mlockall mbind set_mempolicy "
    "migrate_pages move_pages remap_file_pages vmsplice",
    "System V and POSIX queues": "shmat shmctl semget semop semctl msgget msgsnd msgctl mq_open "
    "mq_unlink",
    "other users": "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid "
    "setfsgid capset",
    "nodes and handles": "mknod mknodat name_to_handle_at open_by_handle_at fanotify_init "
    "fanotify_mark lookup_dcookie cachestat",
    "priorities": "sched_setscheduler sched_setattr sched_setparam ioprio_set",
}
ABSENT = "clone3 memfd_create shmget inotify_init inotify_init1 flock"
IDLE = "sync syncfs fsync fdatasync sync_file_range fadvise64"

NEW_NAMESPACES = {
    "mount": 0x20000,
    "control group": 0x2000000,
    "host name": 0x4000000,
    "IPC": 0x8000000,
    "user": 0x10000000,
    "process": 0x20000000,
    "network": 0x40000000,
}
SOCKETS = {
    "of vsock": (40, 1, 0),
    "of netlink": (16, 3, 0),
    "of packets": (17, 3, 0),
    "of kernel cryptography": (38, 5, 0),
    "of bluetooth": (31, 3, 1),
    "of CAN": (29, 3, 1),
    "of XDP": (44, 3, 0),
    "of IPsec keys": (15, 3, 2),
    "of RDS": (21, 5, 0),
    "of TIPC": (30, 1, 0),
    "of SCTP, whose module would be loaded": (2, 1, 132),
    "of DCCP, whose module would be loaded": (2, 6, 33),
    "of L2TP, whose module would be loaded": (10, 2, 115),
    "of MPTCP": (2, 1, 262),
    "of UDP-Lite": (2, 2, 136),
    "of raw packets": (2, 3, 1),
    "of ping": (2, 2, 1),
    "of vsock behind high bits": (1 << 32 | 40, 1, 0),
    "of SCTP behind high bits": (2, 1, 1 << 32 | 132),
}
PROCESS_CONTROL = {
    "PR_SET_SECCOMP": 22,
    "PR_SET_MM": 35,
    "PR_SET_KEEPCAPS": 8,
    "PR_SET_SECUREBITS": 28,
    "PR_SET_CHILD_SUBREAPER": 36,
    "PR_SET_PTRACER": 0x59616D61,
    "PR_CAP_AMBIENT": 47,
    "PR_CAPBSET_DROP": 24,
    "PR_SET_TIMERSLACK": 29,
    "PR_SET_UNALIGN": 6,
    "PR_TASK_PERF_EVENTS_ENABLE": 32,
    "PR_SET_SPECULATION_CTRL": 53,
    "PR_SET_SYSCALL_USER_DISPATCH": 59,
    "PR_SCHED_CORE": 62,
    "PR_SET_MDWE": 65,
    "PR_SET_SECCOMP behind high bits": 1 << 32 | 22,
}
TERMINAL_REQUESTS = {
    "TIOCSTI": 0x5412,
    "TIOCLINUX": 0x541C,
    "TIOCSCTTY": 0x540E,
    "TIOCCONS": 0x541D,
    "TIOCGPTN": 0x80045430,
    "TIOCSPTLCK": 0x40045431,
    "TIOCNOTTY": 0x5422,
    "TIOCSETD": 0x5423,
    "TCSETS": 0x5402,
    "TIOCSTI behind high bits": 1 << 32 | 0x5412,
}
FILE_COMMANDS = {
    "F_NOTIFY": 1026,
    "F_SETLEASE": 1024,
    "F_NOTIFY behind high bits": 1 << 32 | 1026,
}


# What libraries lock and flush with.
LOCKS = (
    (
        "a lock that needs no right to write, on a file of the host",
        "outcome(fcntl.flock, open('/usr/bin/env'), fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "ENOSYS",
    ),
    (
        "record locks",
        "file = open('lock', 'w'); fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "if os.fork() == 0:\n"
        "    os._exit(outcome(fcntl.lockf, open('lock', 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB) == 'EAGAIN')\n"
        "os.waitstatus_to_exitcode(os.wait()[1])",
        1,
    ),
    (
        "a data base of two writers",
        "import sqlite3\n"
        "def write(name):\n"
        "    with sqlite3.connect('base', timeout=30) as base:\n"
        "        for number in range(20):\n"
        "            base.execute('insert into t values (?, ?)', (name, number)); base.commit()\n"
        "with sqlite3.connect('base') as base:\n"
        "    base.execute('pragma journal_mode = wal'); base.execute('create table t (name, number)')\n"
        "if os.fork() == 0:\n    write('child'); os._exit(0)\n"
        "write('parent'); os.wait()\n"
        "sqlite3.connect('base').execute('select count(*) from t').fetchone()[0]",
        40,
    ),
    (
        "locks and queues of many processes",
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(3) as pool: result = sum(pool.map(abs, range(-50, 0)))\n"
        "lock = multiprocessing.Lock()\nwith lock: pass\nresult",
        1275,
    ),
    (
        "a mapped file that is flushed",
        "import mmap\nfile = open('mapped', 'w+b'); file.truncate(8192)\n"
        "with mmap.mmap(file.fileno(), 0) as page: page[:4] = b'text'; page.flush()\n"
        "os.fsync(file.fileno())\nopen('mapped').read(4)",
        "text",
    ),
    (
        "a mailbox, which locks",
        "import mailbox\nbox = mailbox.mbox('box'); box.lock(); box.add('text'); box.flush(); box.unlock()\n"
        "len(box)",
        1,
    ),
)


def number_of(name):
    """This machine's number of a call; below 0 if it has none."""
    return ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name.encode())


class SystemCalls(attack.Attacks):
    def compare(self, calls, expected):
        """Make all these calls, named by what they try, in one session."""
        code = "{name: system_call(*call) for name, call in %r.items()}" % calls
        with self.session() as session:
            found = self.run_code(code, session).result
            for name in calls:
                with self.subTest(name):
                    self.assertEqual(found[name], expected)

    def test_calls_of_no_use_are_refused(self):
        # with arguments that would do nothing if the call were made
        for family, names in FAMILIES.items():
            numbers = {name: number_of(name) for name in names.split()}
            calls = {name: (number, *[-1] * 6) for name, number in numbers.items() if number >= 0}
            with self.subTest(family):
                self.assertGreater(len(calls), 0)
                self.compare(calls, "EPERM")

    def test_calls_with_a_substitute_seem_not_to_exist(self):
        numbers = {name: number_of(name) for name in ABSENT.split()}
        self.compare(
            {name: (number, *[0] * 6) for name, number in numbers.items() if number >= 0}, "ENOSYS"
        )

    def test_calls_that_make_disks_and_caches_of_the_host_work_do_nothing(self):
        # a descriptor that is none would be noticed by whoever did anything
        calls = {name: (number_of(name), *[-1] * 6) for name in IDLE.split()}
        calls["msync with MS_SYNC"] = (number_of("msync"), 1, 4096, 4, 0, 0, 0)
        self.compare(calls, "worked")
        self.compare({"msync of no address": (number_of("msync"), 1, 4096, 1, 0, 0, 0)}, "EINVAL")

    def test_namespaces_do_not_come_with_new_processes(self):
        clone = number_of("clone")
        calls = {name: (clone, flag | 17, 0, 0, 0, 0) for name, flag in NEW_NAMESPACES.items()}
        calls["user, behind high bits"] = (clone, 1 << 40 | 0x10000000 | 17, 0, 0, 0, 0)
        self.compare(calls, "EPERM")

    def test_sockets_of_other_families_and_protocols_are_refused(self):
        socket = number_of("socket")
        self.compare({name: (socket, *call) for name, call in SOCKETS.items()}, "EPERM")

    def test_process_control_is_for_harmless_things(self):
        prctl = number_of("prctl")
        self.compare({name: (prctl, n, 0, 0, 0, 0) for name, n in PROCESS_CONTROL.items()}, "EPERM")

    def test_terminals_take_no_requests(self):
        ioctl = number_of("ioctl")
        self.compare({name: (ioctl, 0, n, 0) for name, n in TERMINAL_REQUESTS.items()}, "EPERM")

    def test_files_of_the_host_cannot_be_watched_or_held(self):
        fcntl = number_of("fcntl")
        self.compare({name: (fcntl, 0, n, 0) for name, n in FILE_COMMANDS.items()}, "EPERM")

    def test_locks_and_what_they_need_work_between_own_processes(self):
        if self.pool.level == "landlock":
            self.skipTest("level landlock has no /dev/shm to keep them in")
        self.attack_each(LOCKS, timeoutInSeconds=60)

    def test_personality_stays(self):
        number = number_of("personality")
        self.compare(
            {"no random addresses": (number, 0x40000), "32-bit addresses": (number, 0x8)}, "EPERM"
        )

    def test_socket_options_hold_no_surprise_for_who_gets_the_socket(self):
        options = {"SO_LINGER": 13, "SO_ATTACH_FILTER": 26, "SO_ATTACH_BPF": 50, "SO_MARK": 36}
        code = "outcome(socket.socketpair()[0].setsockopt, socket.SOL_SOCKET, %d, bytes(16))"
        self.attack_each([(name, code % number, "EPERM") for name, number in options.items()])

    def test_calls_of_another_architecture_end_the_worker(self):
        if platform.machine() != "x86_64":
            self.skipTest("only this machine has other architectures' calls")
        run = (
            "import mmap\n"
            "page = mmap.mmap(-1, 4096, prot=7)\npage.write(%r)\n"
            "address = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
            "ctypes.CFUNCTYPE(ctypes.c_int)(address)()"
        )
        getpid_of_32_bits = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
        self.attack_each(
            [
                ("32 bits by interrupt", run % getpid_of_32_bits, attack.is_lost),
                ("x32", "libc.syscall(ctypes.c_long(0x40000000 | 39))", attack.is_lost),
            ]
        )


if __name__ == "__main__":
    attack.main()
