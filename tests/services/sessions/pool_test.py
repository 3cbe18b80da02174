"""The pool as a whole: room for one more, age, many sessions, and what dead servers leave."""

import concurrent.futures
import contextlib
import os
import re
import resource
import signal
import subprocess
import tempfile
import threading
import unittest

import pool
from pool import VERSION, query


def names(identifier, **more):
    return query(**{"api-version": VERSION, "identifier": identifier}, **more)


def sessions(server):
    answer = server.request("GET", "/listSessions?api-version=2025-02-02-preview")
    return {session["identifier"]: session for session in answer.json["sessions"]}


def open_call(server, identifier, code, **members):
    """A call that is sent and not waited for."""
    return server.post(identifier, {"code": code, "executionType": "Asynchronous", **members})


class Room(unittest.TestCase):
    def test_the_session_that_was_not_used_longest_makes_room_for_a_new_one(self):
        with pool.Pool("--max-sessions", "3", "--reclaim-after", "0", "--warm-min", "0") as server:
            for name in ("first-session", "second-session", "third-session"):
                server.run("x = 1", name)
            server.run("x = 2", "first-session")
            self.assertEqual(server.run("'x' in globals()", "new-session").result, False)
            self.assertEqual(set(sessions(server)), {"first-session", "third-session", "new-session"})
            self.assertEqual(server.run("x", "first-session").result, 2)

    def test_a_session_that_is_busy_is_never_taken(self):
        with pool.Pool("--max-sessions", "2", "--reclaim-after", "0", "--warm-min", "0") as server:
            open_call(server, "busy-session", "while True: pass")
            server.run("1", "idle-session")
            self.assertEqual(server.run("1", "new-session").result, 1)
            self.assertEqual(set(sessions(server)), {"busy-session", "new-session"})
            open_call(server, "new-session", "while True: pass")
            answer = server.post("other-session", {"code": "1"})
            self.assertEqual(answer.status, 429)

    def test_a_session_that_was_used_just_now_is_not_taken_and_the_refusal_tells_until_when(self):
        for flags, most in (
            (("--reclaim-after", "7"), 7),
            (("--cooldown", "5"), 5),
            (("--max-life", "9"), 9),
        ):
            with pool.Pool("--max-sessions", "1", "--warm-min", "0", *flags) as server:
                server.run("1", "first-session")
                answer = server.post("second-session", {"code": "1"})
                self.assertEqual(answer.status, 429)
                after = int(answer.headers["Retry-After"])
                self.assertTrue(most - 3 <= after <= most, (after, flags))

    def test_after_the_time_that_the_refusal_names_there_is_room(self):
        with pool.Pool("--max-sessions", "1", "--warm-min", "0", "--reclaim-after", "1") as server:
            server.run("1", "first-session")
            answer = server.post("second-session", {"code": "1"})
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "1"))
            pool.wait_until(lambda: server.post("second-session", {"code": "1"}).status == 202, "there was room")

    def test_a_file_that_is_uploaded_waits_for_room_and_its_session_is_not_idle_meanwhile(self):
        with pool.Pool("--max-sessions", "1", "--warm-min", "0", "--cooldown", "1", "--reclaim-after", "0") as server:
            server.run("1", "first-session")
            part = "--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\nbytes\r\n--b--\r\n"
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
            for number in range(6):
                name = "session-%d" % number
                self.assertEqual(server.request("POST", "/files?" + names(name), part, headers).status, 200)
                self.assertEqual(server.run("open('f').read()", name).result, "bytes")


class Warmth(unittest.TestCase):
    def read(self, server, name):
        text = server.request("GET", "/metrics").body.decode()
        return int(re.search(r"^semkernel_sessiond_%s (\d+)$" % re.escape(name), text, re.M).group(1))

    def test_no_worker_is_started_for_warmth_while_every_core_is_busy(self):
        busy = ["busy-session-%d" % number for number in range(os.cpu_count() + 1)]
        with pool.Pool("--warm-min", "1", "--max-sessions", str(len(busy) + 3)) as server:

            def warm():
                return self.read(server, 'workers{state="warm"}') + self.read(server, 'workers{state="starting"}')

            pool.wait_until(lambda: warm() == 1, "one was warm")
            for name in busy:
                open_call(server, name, "while True: pass")
            pool.wait_until(lambda: self.read(server, "executions_running") == len(busy), "all ran")
            pool.wait_until(lambda: self.read(server, 'workers{state="starting"}') == 0, "none was starting")
            server.run("1", "taker-session")  # takes the one that was started before they were busy, if any
            for _ in range(60):
                self.assertEqual(server.run("1", "taker-session").result, 1)
            self.assertEqual(warm(), 0)
            for name in busy:
                server.delete(name)
            pool.wait_until(lambda: warm() == 1, "one was warm again")


class Age(unittest.TestCase):
    def test_a_session_that_is_too_old_is_removed_however_busy_it_is(self):
        with pool.Pool("--max-life", "2", "--warm-min", "0") as server:
            server.run("x = 1")
            end = sessions(server)["test-session"]["expireAt"]
            results = set()

            def is_new():
                results.add(server.run("'x' in globals()").result)
                return False in results

            pool.wait_until(is_new, "it was another session")
            self.assertEqual(results, {True, False})
            self.assertNotEqual(sessions(server)["test-session"]["expireAt"], end)

    def test_what_runs_when_it_is_too_old_is_answered_first(self):
        with pool.Pool("--max-life", "1", "--warm-min", "0") as server:
            execution = server.run("import time; x = 1; time.sleep(2); x")
            self.assertEqual((execution.result, execution.state), (1, "kept"))
            self.assertEqual(server.run("'x' in globals()").result, False)


class Many(unittest.TestCase):
    COUNT = 40

    def test_many_sessions_live_beside_each_other_and_descriptors_are_no_obstacle(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        try:
            server = pool.Pool("--max-sessions", str(self.COUNT), "--warm-min", "0").__enter__()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.addCleanup(server.__exit__)
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            made = clients.map(lambda n: server.run("x = %d; x" % n, "session-%d" % n).result, range(self.COUNT))
            self.assertEqual(list(made), list(range(self.COUNT)))
            self.assertEqual(server.post("one-more", {"code": "1"}).status, 429)
            kept = clients.map(lambda n: server.run("x", "session-%d" % n).result, range(self.COUNT))
            self.assertEqual(list(kept), list(range(self.COUNT)))
        self.assertGreater(len(os.listdir("/proc/%d/fd" % server.server_pid)), 128)

    def test_a_machine_that_allows_too_few_descriptors_is_told_before_the_start(self):
        if os.geteuid() == 0:
            self.skipTest("root may raise every limit")
        flags = [pool.program(), "--max-sessions", "256"]
        done = subprocess.run(
            flags,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=pool.PATIENCE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)),
        )
        self.assertEqual((done.returncode, done.stdout), (71, ""), done.stderr)
        self.assertRegex(done.stderr, r"256 sessions.* need \d+ open descriptors, 512 are allowed.*LimitNOFILE=")

    def test_one_identifier_made_and_deleted_by_everybody_at_once_is_one_session_or_none(self):
        with pool.Pool("--max-sessions", "2") as server:
            statuses = set()

            def work(number):
                for _ in range(6):
                    if number % 2:
                        statuses.add(server.delete("test-session").status)
                    else:
                        answer = server.post("test-session", {"code": "6 * 7"})
                        statuses.add(answer.status)
                        if answer.status == 202 and answer.json["status"] == "Succeeded":
                            self.assertEqual(answer.json["result"]["executionResult"], 42)

            with concurrent.futures.ThreadPoolExecutor(30) as clients:
                list(clients.map(work, range(30)))
            self.assertLessEqual(statuses, {202, 204, 429})
            self.assertEqual(server.run("6 * 7").result, 42)
            self.assertEqual(set(sessions(server)), {"test-session"})


class Attacked(unittest.TestCase):
    def test_any_process_of_a_session_may_be_killed_at_any_time(self):
        with pool.Pool("--warm-min", "1") as server:
            own = {server.pid, server.init_pid, server.server_pid}
            for number in range(24):
                call = threading.Thread(target=server.post, args=("test-session", {"code": "import os; os.fork()"}))
                call.start()
                for pid in sorted(server.children() - own)[number % 5 :: 5]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                call.join(pool.PATIENCE)
                self.assertFalse(call.is_alive())
            pool.wait_until(lambda: server.post("test-session", {"code": "1"}).status == 202, "it answers")
            self.assertEqual(server.run("6 * 7").result, 42)
            server.delete("test-session")
            pool.wait_until(lambda: len(server.children() - own) == 3, "one warm sandbox was left")

    def test_a_sandbox_whose_bubblewrap_is_killed_while_it_is_built_leaves_nothing(self):
        with pool.Pool("--warm-min", "0") as server:
            own = {server.pid, server.init_pid, server.server_pid}
            for number in range(20):
                call = threading.Thread(target=server.post, args=("test-session", {"code": "1"}))
                call.start()
                pool.wait_until(lambda: server.children() - own, "bubblewrap was there")
                for pid in server.children() - own:
                    with contextlib.suppress(OSError):
                        with open("/proc/%d/status" % pid) as status:
                            if re.search(r"^PPid:\s*%d$" % server.server_pid, status.read(), re.M):
                                os.kill(pid, signal.SIGKILL)
                call.join(pool.PATIENCE)
                server.delete("test-session")
                pool.wait_until(lambda: not server.children() - own, "nothing was left")

    def test_a_session_of_many_processes_ends_with_all_of_them_stopped_or_not(self):
        with pool.Pool("--processes", "64", "--warm-min", "0", "--freeze-after", "0") as server:
            own = {server.pid, server.init_pid, server.server_pid}
            code = "import os, time\nfor _ in range(50):\n    if os.fork() == 0: os.setsid(); time.sleep(1000)\n"
            for then in ("", "while True: pass"):
                self.assertEqual(open_call(server, "test-session", code + then).status, 202)
                pool.wait_until(lambda: len(server.children() - own) >= 53, "all were there")
                self.assertEqual(server.delete("test-session").status, 204)
                pool.wait_until(lambda: not server.children() - own, "all were dead and reaped")

    def test_files_survive_when_the_next_worker_is_killed_before_it_is_ready(self):
        with pool.Pool("--warm-min", "0") as server:
            own = {server.pid, server.init_pid, server.server_pid}
            for _ in range(6):
                execution = server.run("import os; open('kept', 'w').close(); os._exit(1)")
                self.assertEqual(execution.state, "lost")  # and another one is being started
                for pid in server.children() - own:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.assertEqual(server.run("import os; os.listdir()").result, ["kept"])

    def test_a_session_may_be_deleted_whatever_it_does(self):
        with pool.Pool("--max-sessions", "2", "--warm-min", "1") as server:
            part = "--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\n%s\r\n--b--\r\n"
            part %= "x" * 9999999
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
            does = (
                lambda: server.post("test-session", {"code": "while True: pass"}),
                lambda: server.post("test-session", {"code": "1"}),
                lambda: server.request("POST", "/files?" + names("test-session"), part, headers),
                lambda: server.request("GET", "/files/f/content?" + names("test-session")),
                lambda: server.request("GET", "/files?" + names("test-session")),
            )
            with concurrent.futures.ThreadPoolExecutor(len(does)) as clients:
                for number in range(8):
                    calls = [clients.submit(one) for one in does]
                    while not all(call.done() for call in calls):
                        self.assertEqual(server.delete("test-session").status, 204)
                        concurrent.futures.wait(calls, 0.01 * (number % 4))
                    for call in calls:  # 503: what waited for the session hears that it has ended
                        self.assertIn(call.result().status, (200, 202, 404, 503))
            server.delete("test-session")
            self.assertEqual(server.run("import os; os.listdir()").result, [])


class Left(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.environment = {"XDG_RUNTIME_DIR": "", "TMPDIR": self.directory}

    def start(self):
        server = pool.Pool(environment=self.environment).__enter__()
        self.addCleanup(server.__exit__)
        return server

    def kill(self, server):
        own = server.init_pid, server.server_pid
        server.process.kill()
        server.process.wait()
        pool.wait_until(lambda: not any(map(pool.is_alive, own)), "those that hold it were dead")

    def test_the_directory_of_a_server_that_died_is_removed_and_that_of_a_live_one_is_not(self):
        dead, live = self.start(), self.start()
        self.kill(dead)
        self.assertTrue(os.path.exists(dead.path))
        third = self.start()
        left = {os.path.join(self.directory, name) for name in os.listdir(self.directory)}
        self.assertEqual(left, {os.path.dirname(live.path), os.path.dirname(third.path)})
        self.assertEqual([live.run("1").result, third.run("2").result], [1, 2])

    def test_what_only_looks_like_one_is_left_alone(self):
        victim = tempfile.mkdtemp()
        open(victim + "/socket", "w").close()

        def make(ending, mode=0o700, file=None):
            path = os.path.join(self.directory, "semkernel-sessions-" + ending)
            os.mkdir(path)
            os.chmod(path, mode)
            if file:
                open(os.path.join(path, file), "w").close()
            return path

        kept = [make("longer0", file="socket"), make("open00", 0o755, "socket"), make("other0", file="novel")]
        if os.geteuid() == 0:
            kept.append(make("theirs", file="socket"))
            os.chown(kept[-1], pool.USER, pool.USER)
        nested = make("nested")
        os.mkdir(nested + "/socket")
        link, linked = os.path.join(self.directory, "semkernel-sessions-link00"), make("linked")
        os.symlink(victim, link)
        os.symlink(victim + "/socket", linked + "/socket")
        gone = make("gone00", file="socket")
        self.start()
        for path in (*kept, nested, link, linked):
            self.assertTrue(os.path.lexists(path), path)
        for path in kept:
            self.assertEqual(len(os.listdir(path)), 1, path)
        self.assertEqual(os.listdir(victim), ["socket"])
        self.assertTrue(os.path.lexists(linked + "/socket"))
        self.assertFalse(os.path.exists(gone))

    def test_servers_that_start_at_once_sweep_without_harm_to_each_other(self):
        for _ in range(2):
            for number in range(20):
                path = os.path.join(self.directory, "semkernel-sessions-old%03d" % number)
                os.mkdir(path, 0o700)
                open(path + "/socket", "w").close()
            with concurrent.futures.ThreadPoolExecutor(4) as starters:
                servers = list(starters.map(lambda _: self.start(), range(4)))
            left = {os.path.join(self.directory, name) for name in os.listdir(self.directory)}
            self.assertEqual(left, {os.path.dirname(server.path) for server in servers})
            for server in servers:
                self.kill(server)


if __name__ == "__main__":
    pool.main()
