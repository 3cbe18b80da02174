"""How level landlock begins and ends: nothing is left, though no namespace ends with the server."""

import ctypes
import os
import subprocess
import sys
import tempfile
import unittest

import attack
import pool

CLONE_NEWUSER = 0x10000000
PR_SET_DUMPABLE = 4

# Processes that are in no session or group of the worker's, nor its children; their numbers.
DAEMONS = """
import os, time
ends = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(ends[1], b"%8d" % os.getpid())
            time.sleep(1000)
        os._exit(0)
    os.wait()
[int(os.read(ends[0], 8)) for _ in range(3)]
"""


def places():
    return [name for name in os.listdir(os.environ["TMPDIR"]) if "places" in name]


class Ends(unittest.TestCase):
    """Each of the server's processes is killed while a session has daemons."""

    def setUp(self):
        self.before = os.listdir(os.environ["TMPDIR"])

    def daemons(self, server):
        pids = server.run(DAEMONS).result
        self.assertTrue(all(map(pool.is_alive, pids)))
        return pids

    def check_killed(self, which):
        server = pool.Pool("--warm-min", "1").__enter__()
        inside = server.children() | set(self.daemons(server))
        os.kill(which(server), 9)
        server.__exit__()
        pool.wait_until(lambda: not list(filter(pool.is_alive, inside)), "all were dead")
        pool.wait_until(lambda: not places(), "their files were removed")

    def test_nothing_is_left_when_the_supervisor_is_killed(self):
        self.check_killed(lambda server: server.pid)

    def test_nothing_is_left_when_the_init_is_killed(self):
        self.check_killed(lambda server: server.init_pid)

    def test_nothing_is_left_when_the_server_is_killed(self):
        self.check_killed(lambda server: server.server_pid)

    def test_nothing_is_left_of_a_session_that_is_deleted(self):
        with pool.Pool("--warm-min", "0") as server:
            pids = self.daemons(server)
            server.delete("test-session")
            pool.wait_until(lambda: not list(filter(pool.is_alive, pids)), "its daemons were dead")
            again = self.daemons(server)
            server.run("import os; os._exit(0)")
            pool.wait_until(lambda: not list(filter(pool.is_alive, again)), "these, too")
        self.assertEqual(os.listdir(os.environ["TMPDIR"]), self.before)

    def test_files_that_killed_servers_left_are_removed_by_the_next(self):
        left = os.path.join(os.environ["TMPDIR"], "semkernel-places-abcdef")
        os.makedirs(left + "/0/data/a/b")
        os.symlink("/usr", left + "/0/data/link")
        with pool.Pool("--warm-min", "0") as server:
            self.assertFalse(os.path.exists(left))
            with pool.Pool("--warm-min", "0"):
                self.assertEqual(server.run("open('a', 'w').write('x')").result, 1)
        self.assertTrue(os.path.exists("/usr/bin"))


def without_user_namespaces():
    """In the child: a user namespace in which there can be no other."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(pool.USER, pool.USER, pool.USER)
        os.setresuid(pool.USER, pool.USER, pool.USER)
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # who has changed his user may not write these files
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError("no user namespace")
    for path, text in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", "%d %d 1" % (user, user)),
        ("/proc/self/gid_map", "%d %d 1" % (group, group)),
        ("/proc/sys/user/max_user_namespaces", "0"),
    ):
        with open(path, "w") as file:
            file.write(text)


class NoNamespaces(unittest.TestCase):
    """A machine without user namespaces, as an ordinary user finds it."""

    def start(self, *flags):
        directory = tempfile.mkdtemp()
        os.chmod(directory, 0o777)
        own = os.path.join(directory, "own")
        environment = {**os.environ, "TMPDIR": own}
        return subprocess.Popen(
            ["/bin/sh", "-c", 'mkdir -m 700 "$TMPDIR" && exec "$@"', "sh", pool.program(), "--verbose",
             *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=without_user_namespaces, env=environment,
        )

    def test_level_landlock_runs_only_where_it_is_allowed(self):
        refused = self.start()
        _, errors = refused.communicate(timeout=pool.PATIENCE)
        self.assertEqual(refused.returncode, pool.CANNOT_SANDBOX, errors)
        self.assertIn(b"user.max_user_namespaces", errors)

        allowed = self.start("--allow-level", "landlock")
        line = allowed.stdout.readline()
        allowed.terminate()
        _, errors = allowed.communicate(timeout=pool.PATIENCE)
        self.assertIn(b'"level":"landlock"', line, errors)
        self.assertIn(b"user.max_user_namespaces", errors)
        self.assertEqual(allowed.returncode, 0)


if __name__ == "__main__":
    if "--landlock" not in sys.argv:
        sys.argv.append("--landlock")
    attack.main()
