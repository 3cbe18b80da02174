"""Code that means harm, or does harm without meaning it.

Each test proves that the call is answered, that the next one works, and that files are
kept; what the sandbox itself refuses is tried by the server's own test at each start.
"""

import os
import time
import unittest

import pool

TIMED_OUT = "Request timed out waiting for code execution to complete"
NOTICE = "the session's Python was restarted: variables are lost, files are kept\n"
MIB = 1024 * 1024

# Frames as the worker sends them, and the nonce of the execution that is running.
FORGE = """
import os, struct, sys, gc
def frame(kind, body=b'', nonce=bytes(16), number=0, total=None, magic=0x314B5753, flags=0):
    total = len(body) if total is None else total
    return struct.pack('<IBBHI16sI', magic, kind, flags, number, total, nonce, 0) + body
def steal():
    at = sys._getframe()
    while 'nonce' not in at.f_locals or at.f_code.co_name != 'serve':
        at = at.f_back
    return at.f_locals['nonce']
"""


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--memory", "256M", "--processes", "16").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def setUp(self):
        self.session = "hostile-" + self.id().rsplit(".", 1)[1][:100]
        self.run_code("open('kept', 'w').close(); before = 1")

    def tearDown(self):
        self.pool.delete(self.session)

    def run_code(self, code, **members):
        return self.pool.run(code, self.session, **members)

    def assert_lost(self, execution):
        """The call is answered as aborted; the next one tells, and finds the files."""
        self.assertEqual(execution.status, "Failed")
        self.assertEqual(execution.state, "lost")
        self.assertIn("Execution aborted", execution.stderr)
        self.assert_restarted()

    def assert_restarted(self):
        after = self.run_code("import os; ('before' in globals(), os.path.exists('kept'))")
        self.assertEqual(after.result, [False, True])
        self.assertEqual(after.stderr, NOTICE)
        self.assertEqual(self.run_code("1").stderr, "")

    def assert_kept(self):
        after = self.run_code("import os; (before, os.path.exists('kept'))")
        self.assertEqual(after.result, [1, True])
        self.assertEqual(after.stderr, "")

    # ---- forged frames ----

    def test_frame_with_a_wrong_nonce_ends_the_worker(self):
        execution = self.run_code(FORGE + "os.write(3, frame(5)); import time; time.sleep(20)")
        self.assertIn("wrong nonce", execution.stderr)
        self.assert_lost(execution)

    def test_frame_from_a_child_ends_the_worker_even_with_the_right_nonce(self):
        code = FORGE + (
            "nonce = steal()\n"
            "if os.fork() == 0:\n    os.write(3, frame(5, nonce=nonce))\n    os._exit(0)\n"
            "os.wait(); import time; time.sleep(20)"
        )
        execution = self.run_code(code)
        self.assertIn("another process", execution.stderr)
        self.assert_lost(execution)

    def test_malformed_frames_end_the_worker(self):
        rows = (
            "b'short'",
            "frame(5, nonce=steal(), magic=1)",
            "frame(5, nonce=steal(), flags=1)",
            "frame(1, nonce=steal())",
            "frame(77, nonce=steal())",
            "frame(3, b'x', steal(), total=2**31)",
            "frame(3, b'x', steal(), total=16 * 1024 * 1024 + 1)",
            "frame(3, b'x' * 50, steal(), total=10)",
            "frame(3, b'', steal(), total=10)",
            "frame(3, b'x', steal(), number=1, total=10)",
            "frame(5, b'x', steal())",
            "frame(3, b'no json', steal())",
            "frame(3, b'[1]', steal())",
            "frame(3, b'{\"value\":' + b'[' * 70 + b']' * 70 + b'}', steal())",
            "frame(4, b'{}', steal())",
        )
        for row in rows:
            with self.subTest(frame=row):
                self.run_code("before = 1")
                execution = self.run_code(
                    FORGE + "data = %s\nos.write(3, data)\nimport time; time.sleep(20)" % row
                )
                self.assert_lost(execution)

    def test_too_many_frames_in_one_execution_end_the_worker(self):
        code = FORGE + (
            "nonce, size = steal(), 16 * 1024 * 1024\n"
            "body = b'{\"value\":0}' + b' ' * (size - 11)\n"
            "room = 60 * 1024 - 32\n"
            "for _ in range(3):\n"
            "    for number, at in enumerate(range(0, size, room)):\n"
            "        os.write(3, frame(3, body[at:at + room], nonce, number, size))\n"
            "import time; time.sleep(20)"
        )
        execution = self.run_code(code)
        self.assertIn("too much", execution.stderr)
        self.assert_lost(execution)

    def test_code_can_forge_its_own_result_and_nothing_after_it(self):
        code = FORGE + (
            "nonce = steal()\n"
            "os.write(3, frame(3, b'{\"value\":\"forged\"}', nonce))\nos.write(3, frame(5, nonce=nonce))\n"
        )
        execution = self.run_code(code)
        self.assertEqual((execution.status, execution.result), ("Succeeded", "forged"))
        pool.wait_until(
            lambda: self.run_code("'before' in globals()").result is False, "the worker was ended"
        )
        self.assertEqual(self.run_code("1").result, 1)

    def test_frame_between_two_executions_ends_the_worker(self):
        code = FORGE + (
            "import threading\n"
            "def late():\n"
            "    while os.readlink('/proc/self/fd/1') != '/dev/null': pass\n"
            "    os.write(3, frame(5))\n"
            "threading.Thread(target=late).start()"
        )
        self.assertEqual(self.run_code(code).status, "Succeeded")
        pool.wait_until(
            lambda: self.run_code("'before' in globals()").result is False, "the worker was ended"
        )
        self.assertEqual(self.run_code("1").result, 1)

    # ---- the interpreter ----

    def test_bare_fork_answers_once_and_leaves_no_second_worker(self):
        self.assertEqual(self.run_code("import os; pid = os.fork(); 'x'").result, "x")
        self.assertEqual(self.run_code("os.waitpid(pid, 0)[1]").result, 0)
        self.assert_kept()

    def test_sabotage_of_streams_and_modules_breaks_nothing(self):
        code = (
            "import sys, json, os, socket, builtins, traceback, linecache, signal\n"
            "sys.stdout = sys.stderr = None\n"
            "json.dumps = json.loads = os.write = os.dup2 = os.getpid = None\n"
            "socket.socket = traceback.TracebackException = None\n"
            "signal.signal = signal.pthread_sigmask = None\n"
            "builtins.print = builtins.setattr = builtins.zip = builtins.type = None"
        )
        self.run_code(code)
        self.assertEqual(self.run_code("6 * 7").result, 42)
        self.assertIn("ZeroDivisionError", self.run_code("1/0").stderr)
        execution = self.run_code("sys.stdout.write('x'); None")
        self.assertEqual((execution.stdout, execution.stderr), ("x", ""))

    def test_descriptors_that_are_used_up_leave_room_for_the_next_call(self):
        code = (
            "files = []\ntry:\n    while True: files.append(open('/dev/null'))\n"
            "except OSError as e: print(e.errno)"
        )
        self.assertEqual(self.run_code(code).stdout, "24\n")
        execution = self.run_code("print('still here')")
        self.assertEqual(execution.stdout, "still here\n")
        self.run_code("del files")
        self.assert_kept()

    def test_closing_all_descriptors_loses_the_worker_only(self):
        self.assert_lost(self.run_code("import os; os.closerange(0, 300)"))

    def test_killing_everything_within_reach_reaches_nothing_else(self):
        self.run_code("import os, signal; os.kill(-1, signal.SIGKILL)")
        self.assertEqual(self.pool.run("1", "hostile-neighbour").result, 1)
        self.pool.delete("hostile-neighbour")
        self.assert_kept()

    def test_closing_output_loses_output_only(self):
        self.run_code("import os; os.close(1); os.close(2)")
        self.assertEqual(self.run_code("print('back')").stdout, "back\n")
        self.assert_kept()

    def test_ends_of_the_process_lose_the_worker_only(self):
        for code in (
            "import os; print('said', flush=True); os._exit(3)",
            "import os, signal; print('said'); os.kill(os.getpid(), signal.SIGKILL)",
            "import ctypes; print('said'); ctypes.string_at(0)",
            "import os; print('said'); os.abort()",
        ):
            with self.subTest(code=code):
                self.run_code("before = 1")
                execution = self.run_code(code)
                self.assertEqual(execution.stdout, "said\n")
                self.assert_lost(execution)

    # ---- time ----

    def test_endless_code_is_interrupted_and_the_state_kept(self):
        for code in (
            "while True: pass",
            "import os; os.system('sleep 30')",
            "import subprocess; subprocess.run(['sleep', '30'])",
            "import time; time.sleep(30)",
            "import asyncio; await asyncio.sleep(30)",
            "class E:\n    def __repr__(self):\n        while True: pass\nE()",
            "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
        ):
            with self.subTest(code=code):
                execution = self.run_code("print('so far')\n" + code, timeoutInSeconds=1)
                self.assertEqual(execution.status, "Failed")
                self.assertEqual(execution.stdout, "so far\n")
                self.assertEqual(execution.stderr, TIMED_OUT)
                self.assertEqual(execution.state, "kept")
                self.assertGreaterEqual(execution.ms, 1000)
                self.assert_kept()

    def test_code_that_swallows_the_interrupt_is_killed(self):
        code = (
            "import sys; sys.stderr.write('so far')\n"
            "import time\nwhile True:\n    try: time.sleep(100)\n    except BaseException: pass"
        )
        execution = self.run_code(code, timeoutInSeconds=1)
        self.assertEqual(execution.status, "Failed")
        self.assertTrue(execution.stderr.startswith("so far\n" + TIMED_OUT), execution.stderr)
        self.assertEqual(execution.state, "lost")
        self.assert_restarted()

    def test_interrupt_handlers_of_a_call_do_not_outlive_it(self):
        code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
        self.run_code(code)
        execution = self.run_code("while True: pass", timeoutInSeconds=1)
        self.assertEqual((execution.stderr, execution.state), (TIMED_OUT, "kept"))
        self.assert_kept()

    # ---- output, memory, processes, files ----

    def test_endless_output_is_interrupted_and_the_state_kept(self):
        execution = self.run_code("while True: print('x' * 1000000)")
        self.assertEqual(execution.status, "Failed")
        self.assertEqual(execution.stderr, "output limit exceeded")
        self.assertLess(len(execution.stdout), 2 * MIB)
        self.assertIn("characters cut]", execution.stdout[-60:])
        self.assertEqual(execution.state, "kept")
        self.assert_kept()

    def test_one_hundred_megabytes_of_output_are_cut_or_interrupted(self):
        execution = self.run_code("import sys; sys.stdout.write('y' * 100_000_000); 'end'")
        self.assertEqual(execution.stderr, "output limit exceeded")
        self.assert_kept()
        execution = self.run_code("import sys; sys.stdout.write('y' * 50_000_000); 'end'")
        self.assertEqual((execution.status, execution.result), ("Succeeded", "end"))

    def test_too_large_objects_are_memory_errors(self):
        execution = self.run_code("bytearray(20 * 10**9)")
        self.assertEqual(execution.status, "Failed")
        self.assertIn("MemoryError", execution.stderr)
        self.assert_kept()

    def test_memory_in_many_objects_is_watched(self):
        code = "import time\nx = []\nwhile True:\n    x.append(bytearray(b'x' * (8 << 20))); time.sleep(.01)"
        execution = self.run_code(code)
        if "MemoryError" not in execution.stderr:
            self.assertIn("more than 256 MiB of memory", execution.stderr)
            self.assert_lost(execution)

    def test_memory_in_many_processes_is_watched(self):
        code = (
            "import os, time\n"
            "for _ in range(6):\n"
            "    if os.fork() == 0:\n        x = bytearray(b'x' * (60 << 20)); time.sleep(60)\n"
            "os.wait()"
        )
        execution = self.run_code(code)
        self.assertIn("more than 256 MiB of memory", execution.stderr)
        if execution.state == "kept":  # the kernel has ended one of them, and that was enough
            self.assertIn("a process of the session was ended", execution.stderr)
        else:
            self.assert_lost(execution)

    def test_memory_of_daemons_between_calls_is_watched(self):
        code = (
            "import os, time\n"
            "for _ in range(6):\n"
            "    if os.fork() == 0:\n        os.setsid(); x = bytearray(b'x' * (60 << 20)); time.sleep(60)\n"
        )
        self.run_code(code)

        def is_noticed():
            execution = self.run_code("'before' in globals()")
            return execution.result is False or "more than 256 MiB" in execution.stderr

        pool.wait_until(is_noticed, "the worker, or one of them, was ended")

    def test_fork_bomb_ends_at_the_limit_and_others_go_on(self):
        code = (
            "import os, time\nn = 0\ntry:\n"
            "    while True:\n        if os.fork() == 0: time.sleep(100); os._exit(0)\n        n += 1\n"
            "except OSError as e: print(e.errno)\nn < 16"
        )
        execution = self.run_code(code)
        self.assertEqual((execution.stdout, execution.result), ("11\n", True))
        self.assertEqual(self.pool.run("1", "hostile-neighbour").result, 1)
        self.pool.delete("hostile-neighbour")
        self.assertEqual(self.run_code("1").result, 1)

    def test_raging_fork_bomb_is_survived(self):
        code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        execution = self.run_code(code, timeoutInSeconds=1)
        self.assertEqual(execution.status, "Failed")
        self.assertEqual(self.pool.run("1", "hostile-neighbour").result, 1)
        self.pool.delete("hostile-neighbour")
        self.assertEqual(self.run_code("1").result, 1)

    def test_files_end_at_their_limits(self):
        fill = (
            "import os\ntry:\n    with open('%s/large', 'wb') as f:\n"
            "        while True: f.write(bytes(1 << 20))\n"
            "except OSError as e: print(e.errno in (27, 28))\n"
            "size = os.path.getsize('%s/large'); os.unlink('%s/large'); size <= %d << 20"
        )
        for directory, mib in (("/mnt/data", 128), ("/tmp", 64), ("/dev/shm", 64)):
            execution = self.run_code(fill % (directory, directory, directory, mib))
            self.assertEqual((execution.stdout, execution.result), ("True\n", True), directory)
        self.assert_kept()

    def test_inodes_end_at_their_limits(self):
        fill = (
            "import os\nn = 0\nos.mkdir('%s/many')\ntry:\n"
            "    while True:\n        open('%s/many/%%d' %% n, 'w').close(); n += 1\n"
            "except OSError as e: print(e.errno)\n"
            "import shutil; shutil.rmtree('%s/many'); n <= %d"
        )
        for directory, count in (("/mnt/data", 8192), ("/tmp", 4096), ("/dev/shm", 1024)):
            execution = self.run_code(fill % (directory, directory, directory, count))
            self.assertEqual((execution.stdout, execution.result), ("28\n", True), execution.stderr)

    def test_limits_cannot_be_raised(self):
        code = (
            "import resource\nbad = []\n"
            "for kind in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):\n"
            "    try: resource.setrlimit(kind, (resource.RLIM_INFINITY,) * 2); bad.append(kind)\n"
            "    except (OSError, ValueError): pass\nbad"
        )
        self.assertEqual(self.run_code(code).result, [])

    # ---- the world outside ----

    def test_nothing_of_the_host_shows(self):
        code = "import os; (sorted(os.listdir('/')), sorted(os.environ), os.getcwd())"
        root, names, directory = self.run_code(code).result
        self.assertEqual(
            root, ["bin", "dev", "etc", "lib", "lib64", "mnt", "opt", "proc", "tmp", "usr"]
        )
        self.assertLessEqual(
            set(names),
            {"PATH", "HOME", "LANG", "TMPDIR", "MPLBACKEND", "MPLCONFIGDIR", "PWD", "LC_CTYPE",
             "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"},
        )
        self.assertEqual(directory, "/mnt/data")
        mounts = self.run_code("open('/proc/self/mountinfo').read()").result
        for word in (os.environ["TMPDIR"], "semkernel", "/home", "/root"):
            self.assertNotIn(word, mounts)
        processes = self.run_code("[n for n in os.listdir('/proc') if n.isdigit()]").result
        self.assertLessEqual(len(processes), 3)
        self.assertEqual(self.run_code("open('/proc/1/environ').read()").result, "")

    def test_there_is_no_network_but_its_own(self):
        code = (
            "import socket\ns = socket.socket(); s.settimeout(2)\n"
            "try: s.connect(('192.0.2.1', 80)); r = 'connected'\n"
            "except OSError as e: r = e.errno\nr"
        )
        self.assertEqual(self.run_code(code).result, 101)
        code = (
            "l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)\n"
            "c = socket.create_connection(l.getsockname()); 'own'"
        )
        self.assertEqual(self.run_code(code).result, "own")

    def test_descriptors_inside_are_the_known_ones(self):
        code = (
            "import os\n"
            "def target(n):\n"
            "    try: return os.readlink('/proc/self/fd/%d' % n).split(':')[0]\n"
            "    except OSError: return ''\n"
            "[target(n) for n in range(300) if target(n)]"
        )
        self.assertEqual(self.run_code(code).result, ["/dev/null", "pipe", "pipe", "socket"])

    def test_usual_programs_work(self):
        rows = (
            "import threading\nx = []\nt = threading.Thread(target=x.append, args=(1,))\n"
            "t.start(); t.join(); x == [1]",
            "from concurrent.futures import ThreadPoolExecutor\n"
            "list(ThreadPoolExecutor(4).map(abs, [-1])) == [1]",
            "import multiprocessing as m\n"
            "with m.get_context('fork').Pool(2) as p: r = p.map(abs, [-1, -2])\nr == [1, 2]",
            "import multiprocessing as m\n"
            "with m.get_context('spawn').Pool(2) as p: r = p.map(abs, [-1, -2])\nr == [1, 2]",
            "from multiprocessing import shared_memory as s\n"
            "x = s.SharedMemory(create=True, size=10); x.close(); x.unlink(); True",
            "import sqlite3\nc = sqlite3.connect('/mnt/data/db')\n"
            "c.execute('create table t (x)'); True",
            "import subprocess\n"
            "subprocess.check_output('echo $((1+1))', shell=True) == b'2\\n'",
            "import tempfile, zipfile, mmap, ctypes, decimal, uuid\nstr(uuid.uuid4()) != ''",
            "import asyncio\np = await asyncio.create_subprocess_exec('true')\n"
            "await p.wait() == 0",
            "import ctypes\nf = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)\n"
            "f(1) == 2",
            "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
            "signal.setitimer(signal.ITIMER_REAL, .05); signal.pause()\nTrue",
        )
        for code in rows:
            with self.subTest(code=code):
                execution = self.run_code(code)
                self.assertIs(execution.result, True, execution.stderr)


class Neighbours(unittest.TestCase):
    def test_daemons_die_with_their_session(self):
        with pool.Pool("--warm-min", "0") as server:
            code = (
                "import os\n"
                "if os.fork() == 0:\n    os.setsid()\n"
                "    if os.fork() == 0:\n        import time; time.sleep(100)\n    os._exit(0)\n"
            )
            server.run(code, "daemon-session")
            inside = server.children() - {server.pid, server.init_pid, server.server_pid}
            self.assertGreaterEqual(len(inside), 4)
            server.delete("daemon-session")
            pool.wait_until(lambda: not any(map(pool.is_alive, inside)), "all were dead")

    def test_an_endless_session_does_not_hold_up_others(self):
        with pool.Pool() as server:
            server.post("busy-session", {"code": "while True: pass", "executionType": "Asynchronous"})
            begin = time.monotonic()
            self.assertEqual(server.run("1", "other-session").result, 1)
            self.assertLess(time.monotonic() - begin, 10)


if __name__ == "__main__":
    pool.main()
