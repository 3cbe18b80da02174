# Runs in a sandbox before the server listens, as user code would. Each check tries what must
# not work and returns a complaint if it did. Prints the complaints as JSON. CONFIG stands above.
import ctypes
import errno
import fcntl
import json
import os
import resource
import socket

libc = ctypes.CDLL(None, use_errno=True)
machine = os.uname().machine
NUMBERS = {
    "x86_64": {"keyctl": 250, "ptrace": 101, "bpf": 321, "io_uring_setup": 425},
    "aarch64": {"keyctl": 219, "ptrace": 117, "bpf": 280, "io_uring_setup": 425},
}.get(machine, {})
CLONE_NEWUSER = 0x10000000
PR_CAPBSET_READ, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS = 23, 21, 39
TIOCSTI = 0x5412


def works(call, *arguments):
    try:
        result = call(*arguments)
    except (OSError, MemoryError, ValueError):
        return False
    if hasattr(result, "close"):
        result.close()
    return True


def has_capabilities():
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    return libc.capget(header, sets) != 0 or any(sets)


def can_have_capabilities():
    return any(libc.prctl(PR_CAPBSET_READ, number) == 1 for number in range(64))


def is_found(path):
    return works(open, path, "rb") or works(os.listdir, path)


def change_limits():
    parent = os.getppid()
    now = os.getpriority(os.PRIO_PROCESS, parent)
    return works(resource.prlimit, parent, resource.RLIMIT_NOFILE) or works(
        os.setpriority, os.PRIO_PROCESS, parent, now
    )


def changes(path):
    """Can a file of the host get another mode or time?"""
    try:
        before = os.stat(path)
    except OSError:  # another user's
        return False
    works(os.chmod, path, before.st_mode ^ 0o100)
    works(os.utime, path, (1, 1))
    after = os.stat(path)
    works(os.chmod, path, before.st_mode)
    works(os.utime, path, (before.st_atime, before.st_mtime))
    return after.st_mode != before.st_mode or after.st_mtime == 1


def sends_to_names():
    ends = works(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)
    return ends or works(socket.socketpair, socket.AF_UNIX, socket.SOCK_RAW)


def connects(address):
    try:
        one = socket.socket(socket.AF_UNIX)
    except OSError:
        return False
    with one:
        return works(one.connect, address)


def connects_to_port():
    try:
        one = socket.socket()
    except OSError:
        return False
    with one:
        return CONFIG["port"] != 0 and works(one.connect, ("127.0.0.1", CONFIG["port"]))


def sees_other_processes():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as text:
                if b"semkernel-sessiond" in text.read():
                    return True
            with open("/proc/%s/environ" % name, "rb") as text:
                if CONFIG["marker"].encode() in text.read():
                    return True
        except OSError:
            pass
    return False


def can_call(name):
    if name not in NUMBERS:
        return False
    # with arguments that do nothing even where the call is allowed
    return libc.syscall(NUMBERS[name], -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != errno.EPERM


def forks():
    ends = os.pipe()
    count = 0
    try:
        while count <= CONFIG["group"]:
            if os.fork() == 0:
                os.read(ends[0], 1)
                os._exit(0)
            count += 1
    except OSError:
        pass
    for _ in range(count):
        os.write(ends[1], b".")
    for _ in range(count):
        os.wait()
    os.close(ends[0])
    os.close(ends[1])
    return count >= CONFIG["group"]


def own_processes_are_unlimited():
    return resource.getrlimit(resource.RLIMIT_NPROC)[1] > CONFIG["processes"]


def init_is_unlimited():
    if not works(open, "/proc/1/mem", "r+b", 0):
        return False
    return resource.prlimit(1, resource.RLIMIT_NPROC)[1] > CONFIG["processes"]


def can_linger():
    with socket.socketpair()[0] as one:
        return works(one.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))


def can_notify():
    with open("/dev/null") as null:
        return works(fcntl.fcntl, null, fcntl.F_NOTIFY, 0)


def grows(path, size):
    with open(path, "wb") as file:
        grown = works(os.posix_fallocate, file.fileno(), 0, size)
    os.unlink(path)
    return grown


def file_system_is_larger(path, size):
    total = os.statvfs(path)
    return total.f_frsize * total.f_blocks > size or total.f_files == 0


def terminal_takes_input():
    with open("/dev/null") as null:
        try:
            fcntl.ioctl(null, TIOCSTI, b"x")
        except OSError as error:
            return error.errno != errno.EPERM
    return True


def writable(directory):
    path = directory + "/semkernel-selftest"
    if not works(open, path, "w"):
        return False
    os.unlink(path)
    return True


CHECKS = (
    ("its user is root", lambda: os.getuid() == 0 or os.geteuid() == 0),
    ("new privileges are possible", lambda: libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1),
    ("no system call filter is in force", lambda: libc.prctl(PR_GET_SECCOMP) != 2),
    ("it has capabilities", has_capabilities),
    ("the server's directory is visible", lambda: works(os.listdir, CONFIG["directory"])),
    ("the server's socket can be reached", lambda: connects(CONFIG["socket"])),
    ("ports of the machine can be reached", connects_to_port),
    ("abstract sockets can be reached", lambda: connects("\0" + CONFIG["abstract"])),
    ("files of /etc are visible", lambda: is_found("/etc/passwd")),
    ("vsock sockets can be made", lambda: works(socket.socket, 40, socket.SOCK_STREAM)),
    ("netlink sockets can be made", lambda: works(socket.socket, 16, socket.SOCK_RAW)),
    ("packet sockets can be made", lambda: works(socket.socket, 17, socket.SOCK_RAW)),
    ("user namespaces can be made", lambda: libc.unshare(CLONE_NEWUSER) == 0),
    ("keyctl is allowed", lambda: can_call("keyctl")),
    ("ptrace is allowed", lambda: can_call("ptrace")),
    ("bpf is allowed", lambda: can_call("bpf")),
    ("io_uring is allowed", lambda: can_call("io_uring_setup")),
    ("use of the host's files can be watched", lambda: libc.inotify_init() != -1 or can_notify()),
    ("closing a socket can be made to wait", can_linger),
    ("other protocols can be asked for", lambda: works(socket.socket, 2, 1, 132)),
    ("input can be put into terminals", terminal_takes_input),
    ("device nodes can be made", lambda: works(os.mknod, CONFIG["home"] + "/node", 0o020600, 0x0103)),
    ("/ is writable", lambda: writable("")),
    ("/usr is writable", lambda: writable("/usr")),
    ("/usr/local is writable", lambda: writable("/usr/local")),
    ("/dev is writable", lambda: writable("/dev")),
    ("/opt is writable", lambda: writable("/opt")),
    ("its own directory is not writable", lambda: not writable(CONFIG["home"])),
    ("memory is not limited", lambda: works(bytearray, CONFIG["memory"])),
    ("file size is not limited", lambda: grows(CONFIG["home"] + "/large", CONFIG["data"] + 1)),
)

# where a sandbox has namespaces
APART = (
    ("processes are not limited", forks),
    ("processes of its user are not limited", own_processes_are_unlimited),
    ("the init of the sandbox is not limited", init_is_unlimited),
    ("processes of the host are visible", sees_other_processes),
    ("it can have capabilities", can_have_capabilities),
    ("files are not limited", lambda: file_system_is_larger("/mnt/data", CONFIG["data"])),
    ("/tmp is not limited", lambda: file_system_is_larger("/tmp", CONFIG["tmp"])),
    ("/dev/shm is not limited", lambda: file_system_is_larger("/dev/shm", CONFIG["tmp"])),
)

# where it has none: what is in reach must not be touched
BARE = (
    ("signals reach the server", lambda: works(os.kill, os.getppid(), 0)),
    ("signals reach other processes", lambda: works(os.kill, 1, 0)),
    ("other processes can be limited or slowed down", change_limits),
    ("processes of the host can be read", lambda: is_found("/proc/1/cmdline") or is_found("/proc")),
    ("the home directories are visible", lambda: is_found("/home") or is_found("/root")),
    ("/etc is visible", lambda: is_found("/etc")),
    ("/usr/local is visible", lambda: is_found("/usr/local")),
    ("/tmp is visible", lambda: is_found("/tmp") or writable("/tmp")),
    ("/dev/shm is visible", lambda: is_found("/dev/shm") or writable("/dev/shm")),
    ("files of the host can be changed", lambda: changes(CONFIG["directory"])),
    ("a socket of the network can be made", lambda: works(socket.socket, socket.AF_INET)),
    ("a socket with a name can be made", lambda: works(socket.socket, socket.AF_UNIX)),
    ("datagrams reach sockets that have names", sends_to_names),
    ("space can be taken without being written", lambda: libc.fallocate(0, 0, 0, 1) != -1),
)


def complains(check):
    try:
        return check()
    except Exception:  # not even what it needs is as it must be
        return True


print(json.dumps([name for name, check in CHECKS + (BARE if CONFIG["bare"] else APART) if complains(check)]))
