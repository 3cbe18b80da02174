"""Levels of isolation: which is taken, what it means, and the control groups of `full`."""

import contextlib
import os
import signal
import subprocess
import unittest

import pool
from pool import CANNOT_SANDBOX, VERSION

LIMITS = {"full": (8, 2 << 30, 64), "no-cgroup": (4, 1 << 30, 16)}


def limits_of(server):
    limits = server.request("GET", "/metadata?api-version=" + VERSION).json["limits"]
    return limits["sessions"], limits["addressSpaceInBytes"], limits["processes"]


def run_program(*flags):
    done = subprocess.run([pool.program(), *flags], capture_output=True, timeout=pool.PATIENCE)
    return done.returncode, done.stderr.decode()


def slots_of(server):
    """Names of the groups of its slots."""
    groups = {os.path.basename(path) for path in pool.groups_of(server.pid)}
    return sorted(name for name in groups if name[0].isdigit())


class Levels(unittest.TestCase):
    def test_each_level_has_its_limits_unless_they_are_set(self):
        with pool.Pool() as server:
            self.assertEqual(limits_of(server), LIMITS[server.level])
        with pool.Pool("--max-sessions", "5", "--processes", "9", "--address-space", "300M") as server:
            self.assertEqual(limits_of(server), (5, 300 << 20, 9))

    def test_a_lower_level_can_be_asked_for(self):
        with pool.Pool("--level", "no-cgroup", "--warm-min", "0") as server:
            self.assertEqual(server.level, "no-cgroup")
            self.assertEqual(limits_of(server), LIMITS["no-cgroup"])
            self.assertEqual(server.run("1").result, 1)
            self.assertEqual(pool.groups_of(server.pid), [])

    def test_the_best_level_is_taken_and_no_lower_one_when_that_is_asked_for(self):
        with pool.Pool() as server:
            best = server.level
        if best == "full":
            with pool.Pool("--require", "full") as server:
                self.assertEqual(server.level, "full")
        if best == "full" or pool.LEVEL_FLAGS:
            return
        for flag in ("--require", "--level"):
            code, errors = run_program(flag, "full")
            self.assertEqual(code, CANNOT_SANDBOX)
            self.assertIn('level "full"', errors)
            self.assertIn("systemd-run", errors)
        with pool.Pool("--verbose") as server:
            self.assertIn("no control groups: version 2: ", server.complaint())


class Groups(unittest.TestCase):
    """Where there are some: else there is nothing to see, before and after."""

    def test_a_slot_has_a_group_as_long_as_it_is_in_use(self):
        with pool.Pool("--warm-min", "0") as server:
            self.assertEqual(slots_of(server), [])
            for identifier in ("one-session", "other-session"):
                server.run("1", identifier)
            full = server.level == "full"
            self.assertEqual(len(slots_of(server)), 2 if full else 0)
            server.delete("one-session")
            pool.wait_until(lambda: len(slots_of(server)) == full, "its group was gone")
        self.assertEqual(pool.groups_of(server.pid), [])

    def test_a_group_outlives_a_worker(self):
        with pool.Pool("--warm-min", "0") as server:
            server.run("1")
            before = slots_of(server)
            self.assertEqual(server.run("import os; os._exit(0)").state, "lost")
            self.assertEqual(server.run("1").result, 1)
            self.assertEqual(slots_of(server), before)

    def test_what_a_killed_server_leaves_is_empty_and_cleared_away_by_the_next(self):
        with pool.Pool() as server:
            server.run("1")
            inside = server.children()
            groups = pool.groups_of(server.pid)
            os.kill(server.pid, signal.SIGKILL)
            server.process.wait()
            pool.wait_until(lambda: not any(map(pool.is_alive, inside)), "all were dead")
            for group in groups:
                with contextlib.suppress(FileNotFoundError):  # another server was there already
                    with open(group + "/cgroup.procs") as processes:
                        self.assertEqual(processes.read(), "")
        with pool.Pool() as following:
            self.assertEqual(pool.groups_of(server.pid), [])
            self.assertEqual(following.run("1").result, 1)

    def test_a_server_that_lost_its_life_alone_leaves_no_group(self):
        with pool.Pool() as server:
            server.run("1")
            os.kill(server.server_pid, signal.SIGKILL)
            server.process.wait(pool.PATIENCE)
            self.assertEqual(pool.groups_of(server.pid), [])

    def test_a_worker_that_took_too_much_memory_is_told_from_one_that_died(self):
        take = "import time\nx = []\nwhile True: x.append(bytearray(b'x' * (4 << 20))); time.sleep(.01)"
        with pool.Pool("--memory", "100M") as server:
            server.run("open('kept', 'w').close()")
            lost = server.run(take)
            self.assertEqual(lost.state, "lost")
            self.assertIn("it used more than 100 MiB of memory", lost.stderr)
            lost = server.run("import os; os._exit(1)")
            self.assertIn("the session's Python has ended", lost.stderr)
            self.assertEqual(server.run("import os; os.listdir()").result, ["kept"])


# Fifteen processes, each with as many mappings as the kernel allows: long to measure.
MANY_MAPPINGS = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
pages = libc.mmap(None, 4096 * 64000, 3, 0x22, -1, 0)
for page in range(pages, pages + 4096 * 64000, 8192):
    ctypes.c_char.from_address(page).value = b'x'
    libc.mprotect(page, 4096, 1)
for _ in range(13):
    if os.fork() == 0:
        while True: time.sleep(100)
with open('/proc/self/maps') as maps: count = len(maps.readlines())
count
"""


class Watch(unittest.TestCase):
    def ticks_of(self, server):
        """Time used by the server's own thread and by all others of it."""
        own = others = 0
        for task in os.listdir("/proc/%d/task" % server.server_pid):
            with open("/proc/%d/task/%s/stat" % (server.server_pid, task)) as file:
                fields = file.read().rsplit(")", 1)[1].split()
            used = int(fields[11]) + int(fields[12])
            if int(task) == server.server_pid:
                own += used
            else:
                others += used
        return own, others

    def test_who_is_long_to_measure_keeps_nobody_waiting(self):
        flags = ("--level", "no-cgroup", "--memory", "2G", "--warm-min", "0", "--background", "run")
        with pool.Pool(*flags) as server:
            self.assertGreater(server.run(MANY_MAPPINGS, timeoutInSeconds=60).result, 60000)
            own, others = self.ticks_of(server)
            pool.wait_until(lambda: self.ticks_of(server)[1] >= others + 50, "it was measured")
            self.assertLess(self.ticks_of(server)[0] - own, 25)


if __name__ == "__main__":
    pool.main()
