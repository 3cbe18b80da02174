"""Start, refusal, warmth, waiting, interruption, and the end in all its forms."""

import contextlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

import pool
from pool import VERSION

USAGE, CANNOT_SANDBOX, CANNOT_CREATE = 64, 78, 73
NOTICE = "the session's Python was restarted: variables are lost, files are kept\n"

# A stand-in for bubblewrap that answers --version and then does what stands in BODY.
STAND_IN = """#!/bin/sh
if [ "$1" = --version ]; then echo "bubblewrap 0.8.0"; exit; fi
%s
"""

# Runs the worker with no sandbox around it.
OPEN_STAND_IN = """#!/usr/bin/python3 -I
import os, sys
if sys.argv[1] == "--version":
    print("bubblewrap 0.8.0")
    sys.exit()
os.write(10, b'{"child-pid": %d\\n}' % os.getpid())
os.chdir("/tmp")
os.execv(sys.argv[4], [sys.argv[4], "-I", "/dev/fd/8"] + sys.argv[7:])
"""


def run_program(*flags, environment=None):
    """The program when it must not come to serve: its exit status and stderr."""
    done = subprocess.run(
        [pool.program(), *flags],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=pool.PATIENCE,
        env={**os.environ, **(environment or {})},
    )
    return done.returncode, done.stderr, done.stdout


def make_script(text):
    handle, path = tempfile.mkstemp()
    os.write(handle, text.encode())
    os.close(handle)
    os.chmod(path, 0o755)
    return path


def open_call(server, identifier, code, **members):
    """A request that is sent and not waited for; the connection."""
    connection = server.connect()
    target = "/executions?" + pool.query(**{"api-version": VERSION, "identifier": identifier})
    connection.request("POST", target, json.dumps({"code": code, **members}))
    return connection


def finish_call(connection):
    execution = pool.Execution(pool.Answer(connection.getresponse()))
    connection.close()
    return execution


def is_running(server, identifier):
    """Has the session begun what it was sent? It makes the file begun first."""
    return server.run("import os; os.path.exists('begun')", identifier).result


def sandboxed(server):
    return server.children() - {server.pid, server.init_pid, server.server_pid}


def processes_with(word):
    """Those whose arguments hold this word."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open("/proc/%s/cmdline" % name, "rb") as text:
                if word.encode() in text.read() and pool.is_alive(int(name)):
                    found.append(int(name))
    return found


class Refusal(unittest.TestCase):
    def assert_refused(self, status, part, *flags, **kinds):
        code, errors, output = run_program(*flags, **kinds)
        self.assertEqual(code, status, errors)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertTrue(errors.startswith("semkernel-sessiond: "), errors)
        self.assertIn(part, errors)
        self.assertEqual(output, "")

    def test_missing_bubblewrap_is_named_with_its_package(self):
        self.assert_refused(CANNOT_SANDBOX, "apt install bubblewrap", "--bwrap", "/nowhere/bwrap")

    def test_program_that_is_not_bubblewrap_is_not_used(self):
        self.assert_refused(CANNOT_SANDBOX, "as bubblewrap does", "--bwrap", "/usr/bin/true")

    def test_bubblewrap_that_is_too_old_is_not_used(self):
        path = make_script('#!/bin/sh\necho "bubblewrap 0.3.1"\n')
        self.assert_refused(CANNOT_SANDBOX, "too old", "--bwrap", path)

    def test_missing_python_is_named_with_its_package(self):
        self.assert_refused(CANNOT_SANDBOX, "apt install python3", "--python", "/usr/bin/python9")

    def test_python_outside_usr_is_not_used(self):
        self.assert_refused(CANNOT_SANDBOX, "below /usr", "--python", make_script("#!/bin/sh\n"))

    def test_level_that_cannot_be_reached_is_not_replaced_by_a_lower_one(self):
        flags = ("--require", "full", "--level", "no-cgroup")
        self.assert_refused(CANNOT_SANDBOX, '"full": --level asks for', *flags)
        self.assert_refused(CANNOT_SANDBOX, "unknown level", "--level", "best")
        self.assert_refused(CANNOT_SANDBOX, "unknown level", "--require", "best")

    def test_sandbox_that_does_not_start_says_why(self):
        rows = (
            ("echo 'bwrap: Creating new namespace failed: Operation not permitted' >&2; exit 1", "namespaces"),
            ("echo \"bwrap: Can't mount proc on /newroot/proc\" >&2; exit 1", "/proc"),
            ("echo 'bwrap: something else' >&2; exit 1", "something else"),
            ("exit 0", "no reason"),
        )
        for body, part in rows:
            with self.subTest(part=part):
                code, errors, output = run_program("--bwrap", make_script(STAND_IN % body))
                self.assertEqual(code, CANNOT_SANDBOX)
                self.assertIn(part, errors)
                self.assertIn("cannot sandbox", errors)
                self.assertEqual(output, "")

    def test_sandbox_that_is_none_is_found_by_the_self_test(self):
        code, errors, output = run_program("--bwrap", make_script(OPEN_STAND_IN))
        self.assertEqual(code, CANNOT_SANDBOX, errors)
        self.assertIn("the self-test found a hole", errors)
        self.assertEqual(output, "")

    def test_wrong_flags_and_values_are_named(self):
        for part, flags in (
            ("--frobnicate", ["--frobnicate"]),
            ("word", ["word"]),
            ("max_sessions", ["--max-sessions", "0"]),
            ("max_sessions", ["--max-sessions=many"]),
            ("max_sessions", ["--max-sessions", "99999999999999999999"]),
            ("memory", ["--memory", "5T"]),
            ("verbose", ["--verbose=maybe"]),
            ("needs a value", ["--socket"]),
            ("not an open descriptor", ["--lifeline", "99"]),
            ("pipe or a socket", ["--lifeline", "0"]),
            ("cannot read", ["--config", "/nowhere/file"]),
        ):
            with self.subTest(flags=flags):
                self.assert_refused(USAGE, part, *flags)

    def test_wrong_environment_and_file_are_named_without_their_values(self):
        environment = {"SEMKERNEL_SESSIOND_MAX_SESSION": "1"}
        self.assert_refused(USAGE, "SEMKERNEL_SESSIOND_MAX_SESSION", environment=environment)
        environment = {"SEMKERNEL_SESSIOND_COOLDOWN": "soon"}
        self.assert_refused(USAGE, "cooldown must be", environment=environment)
        path = make_script("# comment\n\nmax_sessions = 2\nsession = 5\n")
        self.assert_refused(USAGE, 'line 4: unknown key "session"', "--config", path)

    def test_socket_that_cannot_be_is_explained(self):
        open_directory = tempfile.mkdtemp()
        os.chmod(open_directory, 0o755)
        private = tempfile.mkdtemp()
        open(private + "/file", "w").close()
        for part, path in (
            ("107", private + "/" + "x" * 120),
            ("mode 0700", open_directory + "/socket"),
            ("No such file", private + "/missing/socket"),
            ("absolute", "relative"),
            ("another server", private + "/file"),
        ):
            with self.subTest(path=path):
                self.assert_refused(CANNOT_CREATE, part, "--socket", path)
        long = private + "/" + "d" * 100
        os.mkdir(long, 0o700)
        self.assert_refused(CANNOT_CREATE, "107", environment={"TMPDIR": long})

    def test_user_ids_that_belong_to_somebody_are_not_used(self):
        if os.geteuid() != 0:
            self.skipTest("only root switches users")
        self.assert_refused(CANNOT_SANDBOX, "belongs to", "--uid-base", "65533")


class Start(unittest.TestCase):
    def test_announcement_tells_where_and_how(self):
        with pool.Pool() as server:
            announcement = server.announcement
            self.assertEqual(announcement["endpoint"], "http://localhost")
            self.assertIn(announcement["level"], ("full", "no-cgroup"))
            self.assertEqual(announcement["pid"], server.pid)
            self.assertTrue(stat.S_ISSOCK(os.stat(announcement["socket"]).st_mode))
            self.assertEqual(server.complaint(), "")

    def test_help_names_every_flag_and_version_is_that_of_the_project(self):
        code, _, text = run_program("--help")
        self.assertEqual(code, 0)
        for flag in ("--socket PATH", "--lifeline FD", "--max-sessions N", "--memory BYTES", "--help"):
            self.assertIn(flag, text)
        code, _, text = run_program("--version")
        self.assertRegex(text, r"^semkernel-sessiond \d+\.\d+\.\d+\n$")

    def test_flag_beats_environment_and_environment_beats_file(self):
        path = make_script("max_sessions = 1\ncooldown = 11 \ndata_size = 9M\n")
        environment = {"SEMKERNEL_SESSIOND_MAX_SESSIONS": "2", "SEMKERNEL_SESSIOND_CONFIG": path,
                       "SEMKERNEL_SESSIOND_DATA_SIZE": "8M"}
        with pool.Pool("--max-sessions=3", environment=environment) as server:
            limits = server.request("GET", "/metadata?api-version=" + VERSION).json["limits"]
            self.assertEqual(limits["sessions"], 3)
            self.assertEqual(limits["cooldownInSeconds"], 11)
            self.assertEqual(limits["dataInBytes"], 8 << 20)

    def test_limits_of_the_configuration_hold_inside(self):
        flags = ("--processes", "8", "--descriptors", "40", "--data-size", "2M",
                 "--data-inodes", "20", "--tmp-size", "1M", "--address-space", "300M",
                 "--output-limit", "2K", "--output-drain", "1M", "--timeout", "1", "--connections", "3")
        with pool.Pool(*flags) as server:
            code = (
                "import os, resource as r\n"
                "s = os.statvfs('/mnt/data'); t = os.statvfs('/tmp')\n"
                "[r.getrlimit(k)[0] for k in (r.RLIMIT_NPROC, r.RLIMIT_NOFILE, r.RLIMIT_AS, r.RLIMIT_FSIZE)]"
                " + [s.f_blocks * s.f_frsize, s.f_files, t.f_blocks * t.f_frsize]"
            )
            wanted = [8, 40, 300 << 20, 2 << 20, 2 << 20, 20, 1 << 20]
            self.assertEqual(server.run(code).result, wanted)
            self.assertEqual(server.run("print('x' * 5000, end='')").stdout,
                             "x" * 2048 + "\n[2952 characters cut]")
            self.assertEqual(server.run("while True: print('x' * 1000)", timeoutInSeconds=60).stderr,
                             "output limit exceeded")
            self.assertIn("timed out", server.run("while True: pass").stderr)

    def test_given_socket_is_used_and_one_left_by_a_dead_server_is_replaced(self):
        path = tempfile.mkdtemp() + "/socket"
        with pool.Pool("--socket", path) as server:
            self.assertEqual(server.path, path)
            code, errors, _ = run_program("--socket", path)
            self.assertEqual(code, CANNOT_CREATE)
            self.assertIn("another server", errors)
            self.assertEqual(server.run("1").result, 1)
            listening = server.server_pid
            server.process.kill()
            server.process.wait()
            pool.wait_until(lambda: not pool.is_alive(listening), "nobody listened any more")
            self.assertTrue(os.path.exists(path))
        with pool.Pool("--socket", path) as server:
            self.assertEqual(server.run("2").result, 2)
        self.assertFalse(os.path.exists(path))
        self.assertTrue(os.path.isdir(os.path.dirname(path)))

    def test_default_socket_lies_in_the_runtime_directory_and_leaves_nothing(self):
        runtime = tempfile.mkdtemp()
        with pool.Pool(environment={"XDG_RUNTIME_DIR": runtime}) as server:
            self.assertTrue(server.path.startswith(runtime + "/semkernel/"))
            directory = os.path.dirname(server.path)
            server.run("1")
        self.assertFalse(os.path.exists(directory))
        self.assertEqual(os.listdir(runtime + "/semkernel"), [])

    def test_two_servers_live_side_by_side(self):
        with pool.Pool() as one, pool.Pool() as other:
            one.run("x = 1")
            self.assertEqual(other.run("'x' in globals()").result, False)


class Warmth(unittest.TestCase):
    def workers(self, server):
        inits = 0
        for pid in sandboxed(server):
            with contextlib.suppress(OSError):
                with open("/proc/%d/cmdline" % pid, "rb") as text:
                    inits += text.read().startswith(b"/usr/bin/python3")
        return inits

    def test_so_many_workers_are_ready_as_are_wanted(self):
        for wanted in (0, 1, 3):
            with pool.Pool("--warm-min", str(wanted)) as server:
                pool.wait_until(lambda: self.workers(server) == wanted, "they were ready")
                server.run("1")
                pool.wait_until(lambda: self.workers(server) == min(wanted + 1, 4), "one more")

    def test_later_workers_run_code_that_was_compiled_once_and_show_no_line_of_it(self):
        names = ("code-%d" % number for number in itertools.count())
        code = "import importlib.util as u; open('/opt/w.py', 'rb').read(4) == u.MAGIC_NUMBER"

        def runs_code(server):
            name = next(names)
            is_code = server.run(code, name).result
            failed = server.run("1/0", name)
            self.assertIn("1/0", failed.stderr)
            self.assertNotIn("/opt/", failed.stderr)
            server.delete(name)
            return is_code

        with pool.Pool("--warm-min", "0") as server:
            pool.wait_until(lambda: runs_code(server), "a session runs compiled code")

    def test_idle_sessions_are_removed(self):
        with pool.Pool("--cooldown", "1", "--warm-min", "0") as server:
            server.run("x = 1")
            self.assertGreaterEqual(len(sandboxed(server)), 3)
            pool.wait_until(lambda: not sandboxed(server), "it was removed")
            self.assertEqual(server.run("'x' in globals()").result, False)

    def test_busy_sessions_are_not_idle(self):
        with pool.Pool("--cooldown", "1") as server:
            execution = server.run("import time; x = 1; time.sleep(2.5)", timeoutInSeconds=10)
            self.assertEqual(execution.status, "Succeeded")
            self.assertEqual(server.run("x").result, 1)

    def test_more_sessions_than_may_be_are_refused_for_now(self):
        with pool.Pool("--max-sessions", "2") as server:
            server.run("1", "session-1")
            server.run("1", "session-2")
            answer = server.post("session-3", {"code": "1"})
            self.assertEqual(answer.status, 429)
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.assertEqual(
                answer.json,
                {
                    "code": "SessionsCountExceedsLimit",
                    "message": "The request sessions count is '1'. There are already '2' active "
                    "sessions and the maximum active sessions count is '2'.",
                },
            )
            for number in range(3, 9):  # each as soon as one has gone
                server.delete("session-%d" % (number - 1))
                self.assertEqual(server.run("7", "session-%d" % number).result, 7)

    def test_many_sessions_leave_nothing_behind(self):
        with pool.Pool("--warm-min", "1") as server:
            server.run("1", "first-session")
            server.delete("first-session")
            descriptors = "/proc/%d/fd" % server.server_pid
            pool.wait_until(lambda: self.workers(server) == 1, "one was ready")
            before = len(os.listdir(descriptors))
            for number in range(25):
                self.assertEqual(server.run("1", "session-%d" % number).result, 1)
                server.delete("session-%d" % number)
            pool.wait_until(lambda: self.workers(server) == 1, "one was ready")
            few = 5  # a worker that is just starting has more than one that is ready
            pool.wait_until(lambda: len(os.listdir(descriptors)) <= before + few, "all were closed")
            pool.wait_until(lambda: all(map(pool.is_alive, server.children())), "all were reaped")

            def mounts():
                with open("/proc/%d/mounts" % server.server_pid) as text:
                    return len(re.findall(r" /\w+/\d+/\w+ tmpfs", text.read()))

            pool.wait_until(lambda: mounts() == 3, "all were unmounted")


class Waiting(unittest.TestCase):
    def setUp(self):
        self.server = pool.Pool("--queue-wait", "20").__enter__()

    def tearDown(self):
        self.server.__exit__()

    def test_calls_of_one_session_run_one_after_the_other_in_order(self):
        self.server.run("order = []")
        calls = [open_call(self.server, "test-session", "order.append(%d); order" % n) for n in range(8)]
        lengths = sorted(len(finish_call(call).result) for call in calls)
        self.assertEqual(lengths, list(range(1, 9)))

    def test_sessions_run_beside_each_other(self):
        code = "import os, time\nwhile not os.path.exists('/tmp/go'): time.sleep(.005)\n'went'"
        call = open_call(self.server, "waiting-session", code)
        self.assertEqual(self.server.run("5", "other-session").result, 5)
        self.server.delete("waiting-session")
        self.assertEqual(finish_call(call).state, "lost")

    def test_a_call_that_may_not_wait_is_told_to_come_again(self):
        with pool.Pool("--queue-wait", "0") as server:
            body = {"code": "while True: pass", "executionType": "Asynchronous"}
            self.assertEqual(server.post("busy-session", body).status, 202)
            answer = server.post("busy-session", {"code": "1"})
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.json["error"]["code"], "SessionBusy")
            self.assertEqual(answer.headers["Retry-After"], "1")

    def test_a_call_that_waited_too_long_is_told_to_come_again(self):
        with pool.Pool("--queue-wait", "1") as server:
            body = {"code": "while True: pass", "executionType": "Asynchronous"}
            server.post("busy-session", body)
            answer = server.post("busy-session", {"code": "1"})
            self.assertEqual((answer.status, answer.json["error"]["code"]), (429, "SessionBusy"))

    def test_client_that_hangs_up_interrupts_its_execution(self):
        self.server.run("x = 1")
        call = open_call(self.server, "test-session", "open('begun', 'w').close()\nwhile True: pass")
        waiting = open_call(self.server, "test-session", "import os; (x, os.path.exists('begun'))")
        self.assertEqual(select.select([waiting.sock], [], [], 0.3)[0], [])
        call.sock.close()
        call.close()
        self.assertEqual(finish_call(waiting).result, [1, True])

    def test_client_that_hangs_up_while_waiting_is_forgotten(self):
        first = open_call(self.server, "test-session", "while True: pass", timeoutInSeconds=1)
        second = open_call(self.server, "test-session", "open('ran', 'w').close()")
        second.sock.close()
        second.close()
        self.assertIn("timed out", finish_call(first).stderr)
        self.assertEqual(self.server.run("import os; os.path.exists('ran')").result, False)

    def test_delete_ends_what_is_running(self):
        call = open_call(self.server, "test-session", "while True: pass")
        waiting = open_call(self.server, "test-session", "1")
        pool.wait_until(lambda: len(sandboxed(self.server)) >= 6, "it was replaced")
        self.server.delete("test-session")
        for one in (call, waiting):
            execution = finish_call(one)
            self.assertEqual(execution.status, "Failed")
            self.assertIn("Execution aborted\nthe session was deleted", execution.stderr)


class End(unittest.TestCase):
    def start(self):
        server = pool.Pool().__enter__()
        self.addCleanup(server.__exit__)
        return server

    def start_busy(self):
        server = self.start()
        call = open_call(server, "test-session", "import os\nos.fork()\nwhile True: pass")
        pool.wait_until(lambda: len(sandboxed(server)) >= 4, "workers were there")
        return server, call

    def test_terminate_answers_what_runs_and_leaves_nothing(self):
        server, call = self.start_busy()
        idle = server.connect()
        idle.connect()
        server.run("1", "idle-session")
        inside, directory = sandboxed(server), os.path.dirname(server.path)
        server.process.send_signal(signal.SIGTERM)
        execution = finish_call(call)
        self.assertEqual(execution.status, "Failed")
        self.assertIn("Execution aborted", execution.stderr)
        self.assertEqual(server.process.wait(pool.PATIENCE), 0)
        self.assertFalse(any(map(pool.is_alive, inside)))
        self.assertFalse(os.path.exists(directory))
        idle.close()

    def test_terminate_kills_what_does_not_listen(self):
        server = self.start()
        code = "import signal, time\nsignal.signal(2, signal.SIG_IGN)\nopen('begun', 'w')\nwhile True: time.sleep(10)"
        call = open_call(server, "test-session", code)
        pool.wait_until(lambda: len(sandboxed(server)) >= 6, "workers were there")
        server.process.send_signal(signal.SIGTERM)
        self.assertIn("Execution aborted", finish_call(call).stderr)
        self.assertEqual(server.process.wait(pool.PATIENCE), 0)

    def test_lifeline_ends_it_at_once(self):
        server, call = self.start_busy()
        inside, directory = sandboxed(server), os.path.dirname(server.path)
        os.close(server.cut)
        server.cut = os.open("/dev/null", os.O_RDONLY)
        self.assertEqual(server.process.wait(pool.PATIENCE), 0)
        self.assertFalse(any(map(pool.is_alive, inside)))
        self.assertFalse(os.path.exists(directory))
        call.close()

    def test_death_of_the_host_ends_it(self):
        code = (
            "import os, subprocess, sys, time\n"
            "r, w = os.pipe()\n"
            "p = subprocess.Popen([sys.argv[1], '--lifeline', str(r)], pass_fds=[r], stdout=subprocess.PIPE)\n"
            "os.close(r)\n"
            "print(p.pid, p.stdout.readline().decode(), flush=True)\n"
            "time.sleep(600)"
        )
        host = subprocess.Popen(
            ["/usr/bin/python3", "-c", code, pool.program()], stdout=subprocess.PIPE, text=True
        )
        server = int(host.stdout.readline().split()[0])
        self.assertTrue(pool.is_alive(server))
        host.kill()
        host.wait()
        host.stdout.close()
        pool.wait_until(lambda: not pool.is_alive(server), "the server was gone")

    def test_kill_of_the_server_takes_all_sandboxes(self):
        server, call = self.start_busy()
        inside = sandboxed(server)
        self.assertGreaterEqual(len(inside), 4)
        server.process.kill()
        server.process.wait()
        pool.wait_until(lambda: not any(map(pool.is_alive, inside)), "all were dead")
        call.close()
        shutil.rmtree(os.path.dirname(server.path))

    def test_kill_at_any_moment_leaves_no_process(self):
        for number in range(12):
            python = "/usr/bin/" + "./" * (number + 40) + "python3"
            with pool.Pool("--warm-min", "4", "--python", python) as server:
                call = open_call(server, "test-session", "1")
                select.select([], [], [], 0.004 * number)
                victim = (server.pid, server.init_pid, server.server_pid)[number % 3]
                os.kill(victim, signal.SIGKILL)
                server.process.wait()
                call.close()
                pool.wait_until(lambda: not processes_with(python), "none was left")
                shutil.rmtree(os.path.dirname(server.path), ignore_errors=True)

    def test_death_of_the_server_alone_is_told_and_cleared_away(self):
        server, call = self.start_busy()
        inside, directory = sandboxed(server), os.path.dirname(server.path)
        os.kill(server.server_pid, signal.SIGKILL)
        self.assertEqual(server.process.wait(pool.PATIENCE), 70)
        self.assertFalse(any(map(pool.is_alive, inside)))
        self.assertFalse(os.path.exists(directory))
        self.assertIn("ended by signal 9", server.complaint())
        call.close()

    def test_requests_after_terminate_are_refused_clearly(self):
        server, call = self.start_busy()
        kept = server.connect()
        target = "/executions?api-version=%s&identifier=late-session" % VERSION
        kept.request("GET", "/metadata?api-version=" + VERSION)
        kept.getresponse().read()
        server.process.send_signal(signal.SIGSTOP)
        kept.request("POST", target, '{"code":"1"}')
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        answer = pool.Answer(kept.getresponse())
        self.assertIn(answer.status, (202, 503))
        self.assertEqual(server.process.wait(pool.PATIENCE), 0)
        kept.close()
        call.close()

    def test_worker_that_died_between_calls_is_replaced(self):
        server = self.start()
        server.run("x = 1; open('kept', 'w').close()")
        inside = int(server.run("import os; os.getpid()").result)
        for pid in sandboxed(server):
            with contextlib.suppress(OSError):
                with open("/proc/%d/status" % pid) as status:
                    numbers = re.search(r"NSpid:\s*([\d\s]+)\n", status.read()).group(1).split()
                with open("/proc/%d/cmdline" % pid, "rb") as text:
                    if int(numbers[-1]) == inside and text.read().startswith(b"/usr/bin/python3"):
                        os.kill(pid, signal.SIGKILL)
        pool.wait_until(
            lambda: server.run("'x' in globals()").result is False, "it was replaced"
        )
        self.assertEqual(server.run("import os; os.listdir()").result, ["kept"])


if __name__ == "__main__":
    pool.main()
