"""Code that takes all it can get: processes, memory, files, descriptors, time, output."""

import platform

import attack

FORK_ALL = (
    "count = 0\n"
    "while count < 100:\n"
    "    try: child = os.fork()\n"
    "    except OSError as failure: break\n"
    "    if child == 0:\n"
    "        while True: signal.pause()\n"
    "    count += 1\n"
)

# Machine code into the sandbox's init, which the session may write to: it forks 40 times. Init
# comes upon it when it wakes up to bury a process.
FORK_FROM_INIT = """
code = bytes.fromhex(
    'bb28000000'        # 40 times:
    'b839000000' '0f05' # fork()
    '85c0' '7404'       # in the child: pause
    'ffcb' '75f1'       # again
    'b822000000' '0f05' # pause()
    'ebf7')             # for ever
maps = open('/proc/1/maps').read().splitlines()
text = next(line for line in maps if 'r-xp' in line and 'bwrap' in line)
begin, end = (int(part, 16) for part in text.split()[0].split('-'))
with open('/proc/1/mem', 'r+b', 0) as memory:
    memory.seek(begin)
    memory.write((b'\\x90' * (end - begin - len(code))) + code)
if os.fork() == 0:
    if os.fork() == 0: os._exit(0)
    os._exit(0)
os.wait()
time.sleep(.3)
len([name for name in os.listdir('/proc') if name.isdigit()])
"""


def is_within(limit):
    def check(test, execution):
        test.assertIsInstance(execution.result, int, execution.raw)
        test.assertLessEqual(execution.result, limit)

    return check


def is_out_of_memory(test, execution):
    """Python could not have it; the watch has ended all; or the kernel all or one of them."""
    if "MemoryError" not in execution.stderr:
        test.assertIn("more than 256 MiB of memory", execution.stderr)
        if "a process of the session was ended" not in execution.stderr:
            attack.is_lost(test, execution)


def has_no_reader(test, execution):
    """As root the pipe is another user's."""
    test.assertIn(execution.result, (["EPIPE"], ["EACCES"]), execution.raw)


def is_over_output(test, execution):
    test.assertEqual(execution.status, "Failed")
    test.assertEqual(execution.stderr.splitlines()[-1], "output limit exceeded")


CASES = (
    ("processes", FORK_ALL + "count", is_within(15)),
    (
        "processes in sessions of their own",
        FORK_ALL.replace("while True", "os.setsid()\n        while True") + "count",
        is_within(15),
    ),
    (
        "threads",
        "count = 0\n"
        "try:\n"
        "    while count < 100:\n"
        "        threading.Thread(target=time.sleep, args=(100,), daemon=True).start(); count += 1\n"
        "except RuntimeError: pass\ncount",
        is_within(15),
    ),
    ("processes of a higher limit",
     "outcome(resource.setrlimit, resource.RLIMIT_NPROC, (100, 100))", "ValueError"),
    ("limits of the init",
     "[resource.prlimit(1, kind)[1] == resource.getrlimit(kind)[1] for kind in\n"
     " (resource.RLIMIT_NPROC, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]",
     [True] * 4),
    ("one large piece of memory", "bytearray(10**12)", is_out_of_memory),
    (
        "memory in pieces",
        "x = []\nwhile True: x.append(bytearray(b'x' * (4 << 20)))",
        is_out_of_memory,
    ),
    (
        "memory that is mapped and hidden from debuggers",
        "import mmap\nlibc.prctl(4, 0, 0, 0, 0)\nx = []\n"
        "while True:\n    x.append(mmap.mmap(-1, 8 << 20)); x[-1].write(bytes(8 << 20))\n"
        "    time.sleep(.005)",
        is_out_of_memory,
    ),
    (
        "memory of many processes",
        "for _ in range(8):\n"
        "    if os.fork() == 0:\n        x = bytearray(b'x' * (60 << 20)); time.sleep(100)\n"
        "os.wait()",
        is_out_of_memory,
    ),
    (
        "memory without files",
        "[outcome(os.memfd_create, 'x'), system_call(29, 0, 1 << 30, 0o1600)]",
        ["ENOSYS", "ENOSYS"] if platform.machine() == "x86_64" else attack.is_answered,
    ),
    (
        "memory of large pages, which the host keeps for its own",
        "import mmap\n"
        "flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS\n"
        "[outcome(mmap.mmap, -1, 2 << 20, flags | large) for large in (0, 0x40000)]",
        ["worked", "EPERM"],
    ),
    ("memory that is locked", "libc.mlockall(3)", -1),
    (
        "pending signals",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {40})\ncount = 0\n"
        "while count < 1000 and libc.sigqueue(os.getpid(), 40, None) == 0: count += 1\ncount",
        is_within(256),
    ),
    (
        "timers",
        "count, timer = 0, ctypes.c_void_p()\n"
        "while count < 1000 and libc.timer_create(1, None, ctypes.byref(timer)) == 0: count += 1\n"
        "count",
        is_within(256),
    ),
    (
        "descriptors",
        "files = []\n"
        "while outcome(lambda: files.append(os.dup(0))) == 'worked': pass\nlen(files)",
        is_within(256),
    ),
    (
        "descriptors in flight",
        "import array\npair = socket.socketpair(); count = 0\n"
        "files = array.array('i', [0] * 200)\n"
        "pair[0].setblocking(False)\n"
        "while count < 10000 and outcome(pair[0].sendmsg, [b'x'],\n"
        "        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]) == 'worked': count += 200\ncount",
        is_within(600),
    ),
    (
        "pipes as large as they get",
        "count = 0\n"
        "while count < 1000 and outcome(os.pipe) == 'worked': count += 1\ncount",
        is_within(128),
    ),
    (
        "a file larger than allowed",
        "file = open('large', 'wb')\noutcome(os.posix_fallocate, file.fileno(), 0, 1 << 40)",
        "EFBIG",
    ),
    (
        "a file system that is full, and stays so",
        "file = open('large', 'wb')\n"
        "while outcome(file.write, bytes(1 << 20)) == 'worked': pass\n"
        "os._exit(1)",
        attack.is_lost,
    ),
    (
        "as many files as there can be",
        "count = 0\n"
        "while outcome(open, str(count), 'w') == 'worked': count += 1\ncount",
        is_within(8192),
    ),
    (
        "as many links as there can be",
        "count = 0\n"
        "while outcome(os.symlink, 'x' * 4000, str(count)) == 'worked': count += 1\ncount",
        is_within(8192),
    ),
    (
        "directories without a bottom",
        "depth = 0\n"
        "try:\n"
        "    while True: os.mkdir('d'); os.chdir('d'); depth += 1\n"
        "except OSError: pass\ndepth",
        is_within(8192),
    ),
    (
        "a sparse file, mapped as a whole",
        "import mmap\nfile = open('sparse', 'w+b'); file.truncate(100 << 20)\n"
        "x = mmap.mmap(file.fileno(), 100 << 20)\nx[::4096] = bytes(25600)\n1",
        1,
    ),
    ("output without an end", "while True: os.write(1, bytes(65536))", is_over_output),
    ("errors without an end", "while True: os.write(2, b'\\xff' * 65536)", is_over_output),
    (
        "output of a child that goes on",
        "if os.fork() == 0:\n    while True: os.write(1, bytes(65536))\n"
        "time.sleep(.05)",
        attack.is_answered,
    ),
    (
        "output that a child holds open",
        "if os.fork() == 0: time.sleep(100)\nprint('said')",
        lambda test, execution: test.assertEqual(execution.stdout, "said\n"),
    ),
    (
        "pipes of the init, at whose other end somebody reads",
        "def write(path): return os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b'x')\n"
        "[outcome(write, '/proc/1/fd/' + name) for name in os.listdir('/proc/1/fd')\n"
        " if os.readlink('/proc/1/fd/' + name).startswith('pipe:')]",
        has_no_reader,
    ),
    ("a result without an end", "'x' * (100 << 20)", attack.is_answered),
    ("a list of a hundred million", "[0] * (20 << 20)", attack.is_answered),
    (
        "signals to everybody",
        "for number in (1, 2, 3, 9, 15, 19): outcome(os.kill, 1, number)\n"
        "for number in (1, 13, 18, 28): outcome(os.kill, -1, number)\n1",
        attack.is_answered,
    ),
    (
        "a kill of everybody",
        "outcome(os.kill, -1, signal.SIGKILL)\nos.kill(os.getpid(), 9)",
        attack.is_lost,
    ),
    ("an alarm for the next call", "signal.setitimer(signal.ITIMER_REAL, .05)", attack.is_answered),
)

# Processes that are still there, and busy, when their call and then their session ends.
DAEMONS = (
    (
        "daemons that hear no signal",
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        for number in range(1, 65): outcome(signal.signal, number, signal.SIG_IGN)\n"
        "        while True: time.sleep(100)",
        attack.is_answered,
    ),
    (
        "stopped daemons",
        "for _ in range(4):\n    if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)",
        attack.is_answered,
    ),
    (
        "daemons that replace themselves all the time",
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    while True:\n"
        "        if os.fork(): os._exit(0)",
        attack.is_answered,
    ),
    (
        "threads that go on",
        "for _ in range(5): threading.Thread(target=time.sleep, args=(100,)).start()",
        attack.is_answered,
    ),
)


class Resources(attack.Attacks):
    def test_init_has_the_limits_of_its_session(self):
        if platform.machine() != "x86_64":
            self.skipTest("the code is this machine's")
        self.attack_each([("processes of the init", FORK_FROM_INIT, is_within(16))])

    def test_what_there_is_has_an_end(self):
        self.attack_each(CASES, timeoutInSeconds=20)

    def test_what_outlives_its_call_dies_with_its_session(self):
        self.attack_each(DAEMONS, timeoutInSeconds=10)

    def test_fork_bomb_that_never_rests_is_ended(self):
        code = "while True:\n    try: os.fork()\n    except OSError: pass"
        self.attack_together([("a bomb", code, attack.is_answered)], timeoutInSeconds=1)


if __name__ == "__main__":
    attack.main()
