"""What executions leave behind: stopped between executions, left running, or killed."""

import contextlib
import os
import re
import signal
import time
import unittest

import pool
from pool import VERSION, query

SESSION = "test-session"

# Makes the file `name` grow for as long as it runs.
GROW = """
import ctypes, os, signal, subprocess, sys, threading, time
libc = ctypes.CDLL(None)
def grow(name):
    with open(name, 'ab', 0) as file:
        while True:
            file.write(b'.')
            time.sleep(.002)
def child(name, *before):
    pid = os.fork()
    if pid == 0:
        for call in before:
            call()
        grow(name)
    return pid
def daemon(name):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            grow(name)
        os._exit(0)
    os.wait()
"""


class Background(unittest.TestCase):
    def start(self, *flags):
        server = pool.Pool("--warm-min", "0", *flags).__enter__()
        self.addCleanup(server.__exit__)
        server.run(GROW, SESSION)
        return server

    def sizes(self, server):
        """Of the session's files, by name: how far each of them has grown."""
        answer = server.request("GET", "/files?" + query(**{"api-version": VERSION, "identifier": SESSION}))
        return {file["name"]: file["sizeInBytes"] for file in answer.json["value"]}

    def look(self, server):
        """The processes of all sandboxes, each init included, bubblewrap's own not: state and number of switches."""
        found = {}
        for pid in server.children() - {server.pid, server.init_pid, server.server_pid}:
            with contextlib.suppress(OSError):
                with open("/proc/%d/status" % pid) as text:
                    status = text.read()
                numbers = re.search(r"NSpid:\s*([\d\s]+)\n", status).group(1).split()
                with open("/proc/%d/status" % server.server_pid) as text:
                    outside = re.search(r"NSpid:\s*([\d\s]+)\n", text.read()).group(1).split()
                if len(numbers) > len(outside):
                    found[pid] = re.search(r"State:\s*(\w)", status).group(1), re.findall(r"switches:\s*(\d+)", status)
        return found

    def inside(self, server):
        return {pid: state for pid, (state, _) in self.look(server).items()}

    def is_frozen(self, server):
        """Two looks that find the same have a moment between them in which nobody ran."""
        first = self.look(server)
        return {state for state, _ in first.values()} <= set("TDZ") and first == self.look(server)

    def wait_until_frozen(self, server):
        pool.wait_until(lambda: self.is_frozen(server), "all were stopped")

    def wait_until_growing(self, server, *names):
        before = self.sizes(server)
        pool.wait_until(
            lambda: all(self.sizes(server).get(name, 0) > before.get(name, 0) for name in names), "all ran"
        )

    def let_time_pass(self, server):
        """Enough for whoever runs: somebody else has run on the same processors."""
        for _ in range(4):
            server.run("sum(range(1000000))", "other-session")

    def assert_nothing_runs(self, server):
        self.wait_until_frozen(server)
        before = self.sizes(server)
        with pool.Pool("--warm-min", "0") as other:
            self.let_time_pass(other)
        self.assertEqual(self.sizes(server), before)

    def escapes(self, server):
        """How often something ran that had been found to be stopped."""
        text = server.request("GET", "/metrics").body.decode()
        return int(re.search(r"^semkernel_sessiond_freeze_escapes_total (\d+)$", text, re.M).group(1))

    def test_nothing_that_a_call_has_left_runs_until_the_next_call(self):
        server = self.start("--freeze-after", "0")
        code = (
            "threading.Thread(target=grow, args=['thread'], daemon=True).start()\n"
            "child('child'); child('other-group', os.setsid); daemon('daemon')\n"
            "child('deaf', lambda: [signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)])\n"
            "ticks = open('ticks', 'ab', 0)\n"
            "_ = signal.signal(signal.SIGALRM, lambda *_: ticks.write(b'.'))\n"
            "_ = signal.setitimer(signal.ITIMER_REAL, .002, .002)\n"
        )
        names = ("thread", "child", "other-group", "daemon", "deaf", "ticks")
        code += "while not all(map(os.path.exists, %r)): time.sleep(.001)" % (names,)
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")
        for _ in range(2):
            self.assert_nothing_runs(server)
            before = self.sizes(server)
            code = "while not all(os.path.getsize(n) > s for n, s in %r.items()): time.sleep(.001)" % before
            self.assertEqual(server.run(code, SESSION).status, "Succeeded")  # all of them went on
            self.assertEqual(set(before), set(names))

    def test_processes_that_wake_each_other_are_stopped_and_stay_so(self):
        server = self.start("--freeze-after", "0")
        code = (
            "def wake():\n"
            "    while True:\n"
            "        libc.kill(-1, signal.SIGCONT)\n"
            "children = [child('c%d' % n, threading.Thread(target=wake).start) for n in range(5)]\n"
            "threading.Thread(target=wake, daemon=True).start()"
        )
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")
        self.assert_nothing_runs(server)
        self.assertEqual(self.escapes(server), 0)
        self.assertEqual(server.run("[os.kill(pid, 9) for pid in children]", SESSION).state, "kept")

    def test_one_that_runs_while_another_is_looked_at_is_not_overlooked(self):
        server = self.start("--freeze-after", "0")
        code = (
            "import mmap\n"
            "memory = mmap.mmap(-1, 64)\n"
            "view = memoryview(memory).cast('q')\n"
            "def relay(number):\n"
            "    os.kill(os.getpid(), signal.SIGSTOP)\n"
            "    while True:\n"
            "        view[0] += 1\n"
            "        libc.kill(ring[(number + 1) % len(ring)], signal.SIGCONT)\n"
            "        libc.kill(os.getpid(), signal.SIGSTOP)\n"
            "def start(number):\n"
            "    pid = os.fork()\n"
            "    if pid == 0:\n"
            "        os.read(pipe[0], 1)\n"
            "        ring[:] = [int(n) for n in open('ring').read().split()]\n"
            "        relay(number)\n"
            "    return pid\n"
            "ring, pipe = [], os.pipe()\n"
            "ring[:] = [start(number) for number in range(7)]\n"
            "open('ring', 'w').write(' '.join(map(str, ring)))\n"
            "os.write(pipe[1], b'x' * len(ring))\n"
            "def state(pid): return open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()[0]\n"
            "while set(map(state, ring)) != {'T'}: pass\n"
            "def go_on():  # the relay ends when one is woken before it has stopped\n"
            "    enough = view[0] + 100\n"
            "    while view[0] < enough: os.kill(ring[0], signal.SIGCONT)\n"
            "go_on()"
        )
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")
        for _ in range(4):
            self.assert_nothing_runs(server)
            self.assertEqual(server.run("go_on()", SESSION).status, "Succeeded")
        self.assertEqual(self.escapes(server), 0)

    def test_children_that_start_children_are_stopped(self):
        server = self.start("--freeze-after", "0")
        code = (
            "def chain():\n"
            "    file = open('chain', 'ab', 0)\n"
            "    while True:\n"
            "        file.write(b'.')\n"
            "        try:\n"
            "            if os.fork(): os._exit(0)\n"
            "        except BlockingIOError: pass  # as many as may be: init has not reaped yet\n"
            "if os.fork() == 0: chain()\n"
            "while not os.path.exists('chain'): pass"
        )
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")
        for _ in range(3):
            self.assert_nothing_runs(server)
            code = "size = os.path.getsize('chain')\nwhile os.path.getsize('chain') == size: pass"
            self.assertEqual(server.run(code, SESSION).status, "Succeeded")

    def test_one_that_lets_a_timer_wake_it_ends_its_session_variables(self):
        server = self.start("--freeze-after", "0")
        code = (
            "_ = signal.signal(signal.SIGCONT, lambda *_: None)\n"
            "event = (ctypes.c_int * 16)(0, 0, signal.SIGCONT, 0)  # SIGEV_SIGNAL\n"
            "made = set()\n"
            "for n in range(1, 151):  # SIGSTOP takes away one that has just fired\n"
            "    timer, once = ctypes.c_void_p(), (ctypes.c_long * 4)(0, 0, n // 16, n % 16 * 62500000)\n"
            "    made.add(libc.timer_create(1, event, ctypes.byref(timer)))\n"
            "    made.add(libc.timer_settime(timer, 0, once, None))\n"
            "list(made), open('kept', 'w').close()"
        )
        self.assertEqual(server.run(code, SESSION).result, [[0], None])
        worker = set(self.inside(server))
        pool.wait_until(lambda: not worker & set(self.inside(server)), "it was ended")
        self.assertGreater(self.escapes(server), 1)
        self.assertEqual(server.run("import os; os.listdir(), 'grow' in globals()", SESSION).result, [["kept"], False])

    def test_what_the_session_has_stopped_itself_stays_stopped(self):
        server = self.start("--freeze-after", "0")
        state = "open('/proc/%d/stat' % pid).read().rsplit(')', 1)[1].split()[0]"
        code = "pid = child('child')\nos.kill(pid, signal.SIGSTOP)\nwhile %s != 'T': pass" % state
        server.run(code, SESSION)
        self.wait_until_frozen(server)
        server.run("1", SESSION)
        self.wait_until_frozen(server)
        self.assertEqual(server.run(state, SESSION).result, "T")
        server.run("os.kill(pid, signal.SIGCONT)", SESSION)
        code = "while not os.path.exists('child') or os.path.getsize('child') < 2: time.sleep(.001)"
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")

    def test_a_thread_that_the_kernel_keeps_waiting_for_a_stopped_child_is_no_obstacle(self):
        server = self.start("--freeze-after", "0")
        vfork = (
            "def start():\n"
            "    libc.syscall(56, 0x4000 | 17, 0, 0, 0, 0)  # clone(CLONE_VFORK)\n"
            "    while True: time.sleep(100)  # the child waits in front of this for a lock\n"
            "def states():\n"
            "    for task in os.listdir('/proc/self/task'):\n"
            "        with open('/proc/self/task/%s/stat' % task) as text:\n"
            "            yield text.read().rsplit(')', 1)[1].split()[0]\n"
            "threading.Thread(target=start, daemon=True).start()\n"
            "while 'D' not in states(): pass"
        )
        if os.uname().machine != "x86_64":
            self.skipTest("the number of clone() is that of x86_64")
        self.assertEqual(server.run(vfork, SESSION).status, "Succeeded")
        for _ in range(2):
            self.assert_nothing_runs(server)
            self.assertEqual(server.run("'D' in states()", SESSION).result, True)

    def test_files_of_a_frozen_session_can_be_had_and_deleted(self):
        server = self.start("--freeze-after", "0")
        server.run("open('file', 'w').write('text')", SESSION)
        self.wait_until_frozen(server)
        names = query(**{"api-version": VERSION, "identifier": SESSION})
        self.assertEqual(server.request("GET", "/files/file/content?" + names).body, b"text")
        part = "--b\r\nContent-Disposition: form-data; name=file; filename=new\r\n\r\nbytes\r\n--b--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        self.assertEqual(server.request("POST", "/files?" + names, part, headers).status, 200)
        self.assertEqual(server.request("DELETE", "/files/file?" + names).status, 204)
        self.assertEqual(set(self.inside(server).values()), {"T"})
        self.assertEqual(server.run("os.listdir(), open('new').read()", SESSION).result, [["new"], "bytes"])

    def test_calls_that_come_while_it_is_being_stopped_find_everything(self):
        server = self.start("--freeze-after", "0")
        code = "child('child'); threading.Thread(target=grow, args=['thread'], daemon=True).start(); n = 0"
        server.run(code, SESSION)
        for number in range(150):
            self.assertEqual(server.run("n += 1; n", SESSION).result, number + 1)
        code = "sizes = os.path.getsize('child'), os.path.getsize('thread')\n" \
               "while not (os.path.getsize('child') > sizes[0] and os.path.getsize('thread') > sizes[1]): pass"
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")

    def test_a_deadline_still_interrupts_what_was_frozen_before(self):
        server = self.start("--freeze-after", "0")
        server.run("x = 1; child('child')", SESSION)
        self.wait_until_frozen(server)
        execution = server.run("while True: pass", SESSION, timeoutInSeconds=1)
        self.assertIn("timed out", execution.stderr)
        self.assertEqual((execution.state, server.run("x", SESSION).result), ("kept", 1))

    def test_a_frozen_session_can_be_deleted_and_a_lost_worker_of_it_is_replaced(self):
        server = self.start("--freeze-after", "0")
        server.run("daemon('daemon')", SESSION)
        self.wait_until_frozen(server)
        frozen = set(self.inside(server))
        os.kill(max(frozen), signal.SIGKILL)  # the daemon: the session goes on
        self.assertEqual(server.run("'grow' in globals()", SESSION).result, True)
        self.wait_until_frozen(server)
        os.kill(sorted(frozen)[0], signal.SIGKILL)  # its init
        pool.wait_until(lambda: not any(map(pool.is_alive, frozen)), "all were dead")
        self.assertEqual(server.run("'grow' in globals()", SESSION).result, False)
        self.wait_until_frozen(server)
        frozen = set(self.inside(server))
        server.delete(SESSION)
        pool.wait_until(lambda: not any(map(pool.is_alive, frozen)), "all were dead")

    def test_death_of_the_server_leaves_nothing_frozen(self):
        for victim in ("pid", "init_pid", "server_pid"):
            server = self.start("--freeze-after", "0")
            server.run("child('child'); daemon('daemon')", SESSION)
            self.wait_until_frozen(server)
            frozen = set(self.inside(server))
            self.assertEqual(len(frozen), 4)
            os.kill(getattr(server, victim), signal.SIGKILL)
            server.process.wait(pool.PATIENCE)
            pool.wait_until(lambda: not any(map(pool.is_alive, frozen)), "all were dead")
            with contextlib.suppress(OSError):
                os.unlink(server.path)
                os.rmdir(os.path.dirname(server.path))

    def test_terminate_ends_frozen_sessions(self):
        server = self.start("--freeze-after", "0")
        server.run("child('child'); daemon('daemon')", SESSION)
        self.wait_until_frozen(server)
        frozen = set(self.inside(server))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(pool.PATIENCE), 0)
        self.assertFalse(any(map(pool.is_alive, frozen)))

    def test_unless_it_is_told_otherwise_it_stops_them_half_a_second_later(self):
        server = self.start()
        before = time.monotonic()
        server.run("child('child')", SESSION)
        self.wait_until_frozen(server)
        self.assertGreaterEqual(time.monotonic() - before, 0.5)

    def test_with_run_they_go_on(self):
        server = self.start("--background", "run", "--freeze-after", "0")
        server.run("child('child'); threading.Thread(target=grow, args=['thread'], daemon=True).start()", SESSION)
        self.wait_until_growing(server, "child", "thread")
        self.assertNotIn("T", self.inside(server).values())

    def test_with_kill_only_the_worker_is_left_when_the_answer_comes(self):
        server = self.start("--background", "kill")
        code = (
            "pid = child('child'); child('other-group', os.setsid); daemon('daemon')\n"
            "def start():\n"
            "    while True: subprocess.Popen(['sleep', '1000'])\n"
            "threading.Thread(target=grow, args=['thread'], daemon=True).start(); x = 1\n"
            "threading.Thread(target=start, daemon=True).start()"
        )
        self.assertEqual(server.run(code, SESSION).status, "Succeeded")
        left = [pid for pid, state in self.inside(server).items() if state != "Z"]
        self.assertEqual(len(left), 2)  # init and worker
        self.assert_nothing_runs(server)
        self.assertEqual(server.run("x, os.waitpid(pid, 0)[1]", SESSION).result, [1, 9])
        execution = server.run("while True: pass", SESSION, timeoutInSeconds=1)
        self.assertEqual(execution.state, "kept", execution.raw)

    def test_an_unknown_word_is_refused_with_those_that_are_known(self):
        server = pool.Pool("--background", "stop")
        self.assertEqual(server.process.returncode, 64)
        self.assertIn('--background: background must be one of freeze|run|kill, not "stop"', server.complaint())
        server.__exit__()


if __name__ == "__main__":
    pool.main()
