"""What each attack is followed by, so that a file of attacks is a table of cases.

A case is a sentence, code, and what is to come of it: a value, or one of the verdicts below.
After each case the session's next call works and a neighbour goes on; after all of them the
server is as it was: its processes, descriptors and mounts, the files and sockets of the host.
"""

import concurrent.futures
import contextlib
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../services/sessions"))
import pool

NOTICE = "the session's Python was restarted: variables are lost, files are kept\n"
TIMED_OUT = "Request timed out waiting for code execution to complete"
SECRET = "nobody inside may read this"

# Names for every case. outcome() is what came of a call: "worked" or the name of its error.
PRELUDE = """
import ctypes, errno, fcntl, os, resource, signal, socket, struct, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def outcome(call, *arguments):
    try:
        result = call(*arguments)
    except OSError as failure:
        return errno.errorcode.get(failure.errno, str(failure))
    except (MemoryError, ValueError) as failure:
        return type(failure).__name__
    if hasattr(result, 'close'):
        result.close()
    return 'worked'
def system_call(number, *arguments):
    if libc.syscall(*(ctypes.c_long(argument) for argument in (number, *arguments))) != -1:
        return 'worked'
    return errno.errorcode[ctypes.get_errno()]
"""

# Frames as the worker sends them, and the nonce of the execution that is running.
FORGE = """
def frame(kind, body=b'', nonce=bytes(16), number=0, total=None):
    total = len(body) if total is None else total
    return struct.pack('<IBBHI16sI', 0x314B5753, kind, 0, number, total, nonce, 0) + body
def nonce_of_this_call():
    at = sys._getframe()
    while 'nonce' not in at.f_locals or at.f_code.co_name != 'serve':
        at = at.f_back
    return at.f_locals['nonce']
"""


def is_lost(test, execution):
    """The worker was ended, the call is answered as aborted."""
    test.assertEqual((execution.status, execution.state), ("Failed", "lost"), execution.raw)
    test.assertIn("Execution aborted", execution.stderr)


def is_answered(test, execution):
    """Whatever the session did to itself, there is an answer."""
    test.assertIn(execution.status, ("Succeeded", "Failed"))


def is_interrupted(test, execution):
    """The deadline has ended it, and its state is kept."""
    test.assertEqual((execution.status, execution.state), ("Failed", "kept"), execution.raw)
    test.assertIn(TIMED_OUT, execution.stderr)


def is_killed(test, execution):
    """The deadline has ended it, at the price of its state."""
    test.assertEqual((execution.status, execution.state), ("Failed", "lost"), execution.raw)
    test.assertIn(TIMED_OUT, execution.stderr)


class Host:
    """Things of the host that no attack may reach, and whether one did."""

    def __init__(self, directory):
        self.secret = os.path.join(directory, "secret")
        with open(self.secret, "w") as file:
            file.write(SECRET)
        os.environ["SEMKERNEL_SECRET"] = SECRET
        self.path = os.path.join(directory, "bait")
        self.name = "semkernel-bait-%d" % os.getpid()
        self.listeners = []
        for family, address in (
            (socket.AF_UNIX, self.path),
            (socket.AF_UNIX, "\0" + self.name),
            (socket.AF_INET, ("127.0.0.1", 0)),
        ):
            listener = socket.socket(family)
            listener.bind(address)
            listener.listen(1)
            listener.setblocking(False)
            self.listeners.append(listener)
        self.port = self.listeners[-1].getsockname()[1]
        self.files = sorted(os.listdir(directory))
        self.state = self.state_of_secret()
        self.mounts = mounts_of("self")

    def state_of_secret(self):
        state = os.stat(self.secret)
        return state.st_mode, state.st_uid, state.st_mtime_ns, os.listxattr(self.secret)

    def check(self, test, directory):
        test.assertEqual(self.state_of_secret(), self.state)
        with open(self.secret) as file:
            test.assertEqual(file.read(), SECRET)
        for listener in self.listeners:
            test.assertRaises(BlockingIOError, listener.accept)  # nobody has come
        test.assertEqual(sorted(os.listdir(directory)), self.files)
        test.assertEqual(mounts_of("self"), self.mounts)

    def close(self):
        for listener in self.listeners:
            listener.close()
        os.unlink(self.path)
        os.unlink(self.secret)


def mounts_of(process):
    with open("/proc/%s/mounts" % process) as text:
        return sorted(text)


class Attacks(unittest.TestCase):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.directory = os.environ["TMPDIR"]
        cls.host = Host(cls.directory)
        cls.pool = pool.Pool(
            "--memory", "256M", "--processes", "16", "--max-sessions", "16", "--warm-min", "0",
            *cls.flags,
        ).__enter__()
        cls.directories = os.listdir(os.path.dirname(cls.pool.path))
        cls.pool.run("n = 0", "attack-neighbour")
        cls.count = 0
        cls.settle()
        cls.before = cls.resources()

    @classmethod
    def tearDownClass(cls):
        test = cls()
        try:
            with contextlib.suppress(AssertionError):
                pool.wait_until(lambda: cls.resources() == cls.before, "it was as before")
            test.assertEqual(cls.resources(), cls.before)
            test.assertEqual(os.listdir(os.path.dirname(cls.pool.path)), cls.directories)
        finally:
            inside = cls.pool.children()
            cls.pool.__exit__()
            cls.host.check(test, cls.directory)
            cls.host.close()
        test.assertFalse(list(filter(pool.is_alive, inside)))
        test.assertEqual(pool.groups_of(cls.pool.pid), [])
        test.assertEqual(cls.pool.process.returncode, 0)

    def runTest(self):
        """Only so that one can be made for its assertions."""

    @classmethod
    def workers(cls):
        found = 0
        for pid in cls.pool.children():
            with contextlib.suppress(OSError):
                with open("/proc/%d/cmdline" % pid, "rb") as text:
                    found += text.read().startswith(b"/usr/bin/python3\0-I\0")
        return found

    @classmethod
    def resources(cls):
        """The server's own: number of processes, kinds of its descriptors, mounts."""
        server = cls.pool.server_pid
        kinds = {}
        for name in os.listdir("/proc/%d/fd" % server):
            with contextlib.suppress(OSError):
                kind = os.readlink("/proc/%d/fd/%s" % (server, name)).split(":")[0]
                kinds[kind] = kinds.get(kind, 0) + 1
        return len(cls.pool.children()), kinds, len(mounts_of(server))

    @classmethod
    def settle(cls):
        """Wait until the neighbour's worker is the only one, and twice the same is there."""
        seen = []

        def is_quiet():
            seen.append(cls.resources())
            return cls.workers() == 1 and seen[-2:-1] == seen[-1:]

        pool.wait_until(is_quiet, "the server was quiet")

    def run_code(self, code, session, **members):
        return self.pool.run(PRELUDE + code, session, **members)

    def check_after(self, session):
        """The next call works, and the neighbour has lost nothing."""
        pool.wait_until(
            lambda: self.pool.run("6 * 7", session).result == 42, "the session worked again"
        )
        type(self).count += 1
        neighbour = self.pool.run("n += 1; n", "attack-neighbour")
        self.assertEqual((neighbour.result, neighbour.state), (self.count, "kept"))

    def judge(self, execution, expected):
        if callable(expected):
            expected(self, execution)
        else:
            self.assertEqual(execution.result, expected, execution.raw)

    @contextlib.contextmanager
    def session(self, name="attack-session"):
        try:
            yield name
            self.check_after(name)
        finally:
            self.pool.delete(name)

    def attack_each(self, cases, **members):
        """One after the other, each in a session of its own."""
        for sentence, code, expected in cases:
            with self.subTest(sentence), self.session() as session:
                self.judge(self.run_code(code, session, **members), expected)

    def attack_together(self, cases, **members):
        """All at once: for what has to wait for a deadline."""
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as threads:
            names = ["attack-%d" % number for number in range(len(cases))]
            calls = [
                threads.submit(self.run_code, code, name, **members)
                for name, (_, code, _) in zip(names, cases)
            ]
            for name, (sentence, _, expected), call in zip(names, cases, calls):
                with self.subTest(sentence), self.session(name):
                    self.judge(call.result(), expected)


def main(level=None):
    pool.main(level)
