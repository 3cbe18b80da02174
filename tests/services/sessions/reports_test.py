"""What the server tells about itself: the report of its start, the log, the metrics."""

import json
import os
import re
import unittest

import pool
import ways
from pool import NEWEST, VERSION

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SECRET = "topsecret"  # in everything that belongs to a user: it must be in no report
SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


class Metrics:
    """The text format, read strictly: every sample has a family with HELP and TYPE before it."""

    def __init__(self, text):
        self.types, self.values = {}, {}
        helped = set()
        assert text.endswith("\n")
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                assert name not in helped, "two families " + name
                helped.add(name)
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name in helped and kind in ("counter", "gauge", "histogram"), line
                self.types[name] = kind
            else:
                self.read_sample(line)

    def read_sample(self, line):
        match = SAMPLE.match(line)
        assert match, line
        name, labels, value = match.groups()
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in self.types or self.types.get(family) == "histogram", line
        pairs = LABEL.findall(labels or "")
        assert LABEL.sub("", labels or "") == "", line
        key = (name, tuple(sorted(pairs)))
        assert key not in self.values, "twice: " + line
        self.values[key] = float(value)

    def value(self, name, **labels):
        return self.values[("semkernel_sessiond_" + name, tuple(sorted(labels.items())))]

    def value_or_none(self, name, **labels):
        return self.values.get(("semkernel_sessiond_" + name, tuple(sorted(labels.items()))), 0)


def metrics(server):
    answer = server.request("GET", "/metrics")
    assert answer.status == 200, answer.status
    return Metrics(answer.body.decode())


def events(server, name=None):
    found = [json.loads(line) for line in server.complaint().splitlines()]
    return [event for event in found if name is None or event["event"] == name]


class Start(unittest.TestCase):
    def test_without_a_wish_nothing_is_said(self):
        with pool.Pool() as server:
            server.run("import os; os._exit(1)")
            self.assertEqual(server.complaint(), "")

    def test_a_start_that_is_taken_back_is_nothing_to_warn_of(self):
        server = pool.Pool("--log=json", "--log-level=warn")
        server.process.terminate()
        server.process.wait(pool.PATIENCE)
        self.assertEqual(events(server), [])
        server.__exit__()

    def test_verbose_tells_what_is_there_and_what_holds(self):
        with pool.Pool("--verbose", "--data-size=9M", "--max-sessions=2") as server:
            text = server.complaint()
            self.assertIn(server.announcement["level"] + "; the self-test has passed", text)
            self.assertIn("at most 2, 2 kept warm", text)
            self.assertIn("/mnt/data 9M and 8192 files", text)
            self.assertIn("/usr/bin/python3", text)
            self.assertIn(server.path, text)
            if server.announcement["level"] != "full":
                self.assertIn("  missing ", text)

    def test_in_the_log_the_start_is_one_event(self):
        with pool.Pool("--log=json", "--log-level=info", "--verbose") as server:
            (event,) = events(server, "started")
            self.assertEqual(event["sandbox"], server.announcement["level"])
            self.assertEqual(event["pid"], server.announcement["pid"])
            self.assertEqual(event["socket"], server.path)

    def test_why_it_does_not_start_is_json_where_the_log_is(self):
        server = pool.Pool("--log=json", "--log-level=error", "--bwrap=/usr/bin/nothing")
        self.assertEqual(server.process.returncode, pool.CANNOT_SANDBOX)
        (event,) = events(server)
        self.assertEqual((event["event"], event["level"]), ("failed", "error"))
        self.assertIn("bubblewrap", event["reason"])
        server.__exit__()

    def test_words_that_are_no_form_or_level_are_refused_with_the_choice(self):
        for flag, words in (("--log=xml", "off|text|json"), ("--log-level=loud", "error|warn|info|debug")):
            server = pool.Pool(flag)
            self.assertIn("must be one of " + words, server.complaint())
            server.__exit__()


class Log(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--log=json", "--log-level=debug").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def wait_for(self, name, **members):
        """The newest event of this name with these members."""
        found = []

        def look():
            found[:] = [e for e in events(self.pool, name) if members.items() <= e.items()]
            return found

        pool.wait_until(look, "the log has %s %s" % (name, members))
        return found[-1]

    def test_a_request_is_one_event_with_session_and_execution(self):
        answer = self.pool.post("log-request", {"code": "print(12345)"}, headers={"operation-id": "my-own-id"})
        request = self.wait_for("request", execution="my-own-id")
        self.assertEqual((request["method"], request["operation"], request["status"]), ("POST", "executions", 202))
        self.assertEqual(request["session"], answer.headers["x-ms-session-guid"])
        self.assertEqual(request["received"], len('{"code": "print(12345)"}'))
        self.assertEqual(request["sent"], len(answer.body))
        self.assertGreater(request["ms"], 0)
        execution = self.wait_for("execution", execution="my-own-id")
        self.assertEqual((execution["outcome"], execution["stdout"]), ("succeeded", 6))
        self.assertGreaterEqual(execution["queue_ms"], 0)

    def test_sessions_and_workers_come_and_go_with_a_reason(self):
        answer = self.pool.post("log-life", {"code": "import os; os._exit(0)"})
        guid = answer.headers["x-ms-session-guid"]
        self.wait_for("session_made", session=guid)
        self.assertEqual(self.wait_for("worker_gone", session=guid)["reason"], "it has ended by itself")
        self.assertEqual(self.wait_for("execution", session=guid)["outcome"], "lost")
        self.pool.delete("log-life")
        self.assertEqual(self.wait_for("session_removed", session=guid)["reason"], "the session was deleted")
        self.assertGreater(self.wait_for("worker_ready")["ms"], 0)

    def test_violations_are_warnings(self):
        answer = self.pool.post("log-violation", {"code": "import os\nos.write(3, b'nonsense')"})
        guid = answer.headers["x-ms-session-guid"]
        event = self.wait_for("violation", session=guid)
        self.assertEqual(event["level"], "warn")
        self.assertIn("packet", event["reason"])
        self.pool.delete("log-violation")

    def test_nothing_of_a_user_is_logged(self):
        name = SECRET + "-identifier"
        self.pool.run("print('%s'); %s = 1" % (SECRET, SECRET), name)
        self.pool.run("raise ValueError('%s')" % SECRET, name)
        boundary = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s.txt\"\r\n\r\n%s\r\n--b--\r\n"
        target = "/files?api-version=%s&identifier=%s" % (NEWEST, name)
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = self.pool.request("POST", target, boundary % (SECRET, SECRET), kind)
        self.assertEqual(answer.status, 200, answer.body)
        target = "/files/%s.txt/content?api-version=%s&identifier=%s" % (SECRET, NEWEST, name)
        self.assertEqual(self.pool.request("GET", target).body, SECRET.encode())
        for path in ("/" + SECRET, "/executions/" + SECRET):
            headers = {"Authorization": "Bearer " + SECRET, SECRET: SECRET}
            self.pool.request("GET", path + "?api-version=%s&identifier=%s" % (VERSION, name), headers=headers)
        self.pool.delete(name)
        self.wait_for("request", method="DELETE", operation="session")
        self.wait_for("request", operation="files/**/content", status=200)
        self.assertNotIn(SECRET, self.pool.complaint())

    def test_the_log_as_text_has_the_same_names_and_one_line_an_event(self):
        with pool.Pool("--log=text", "--log-level=info") as server:
            server.run("1")
            pool.wait_until(lambda: " request " in server.complaint(), "the request is logged")
            for line in server.complaint().splitlines():
                self.assertRegex(line, r"^[\d-]{10}T[\d:]{8}\.\d{3}Z (info|warn) \w+( \w+=(\S+|\".*\"))*$")
            wanted = "request method=POST operation=executions status=202 ms=[0-9.]+ session=%s execution=%s"
            self.assertRegex(server.complaint(), wanted % (GUID, GUID))

    def test_a_server_whose_log_nobody_reads_goes_on(self):
        reader, writer = os.pipe()
        before = os.dup(2)
        try:
            server = pool.Pool.__new__(pool.Pool)
            self.start_with_errors(server, writer)
            os.close(writer)
            with server:
                for _ in range(700):  # 200 bytes each: more than the pipe holds
                    self.assertEqual(server.request("GET", "/nothing").status, 404)
                self.assertEqual(server.run("6 * 7").result, 42)
        finally:
            os.close(before)
            os.close(reader)

    @staticmethod
    def start_with_errors(server, writer):
        class Errors:
            fileno = staticmethod(lambda: writer)
            close = staticmethod(lambda: None)

        original = pool.tempfile.TemporaryFile
        pool.tempfile.TemporaryFile = Errors
        try:
            server.__init__("--log=json", "--log-level=debug")
        finally:
            pool.tempfile.TemporaryFile = original


class OverTcp(unittest.TestCase):
    def test_metrics_want_the_token_and_the_log_has_none_of_it(self):
        with pool.Pool("--tcp", "--log=json", "--log-level=debug") as server:
            token = ways.token(server)
            wrong = {"Authorization": "Bearer " + SECRET}
            self.assertEqual(ways.request(server, "tcp", "GET", "/metrics", token=False).status, 401)
            self.assertEqual(
                ways.request(server, "tcp", "GET", "/metrics", headers=wrong, token=False).status, 401)
            answer = ways.request(server, "tcp", "GET", "/metrics")
            self.assertEqual(answer.status, 200)
            self.assertNotIn(token, answer.body.decode())
            (event,) = events(server, "started")
            self.assertEqual(event["tcp"], server.announcement["tcp"])
            pool.wait_until(lambda: len(events(server, "request")) == 3, "all are logged")
            self.assertNotIn(token, server.complaint())
            self.assertNotIn(SECRET, server.complaint())


class Counted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--max-sessions=3", "--warm-min=1").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def test_the_answer_is_the_text_format_of_prometheus(self):
        answer = self.pool.request("GET", "/metrics")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        read = Metrics(answer.body.decode())
        self.assertEqual(read.types["semkernel_sessiond_executions_total"], "counter")
        self.assertEqual(read.types["semkernel_sessiond_execution_seconds"], "histogram")
        level = self.pool.announcement["level"]
        version = self.pool.announcement["version"]
        python = next(dict(k[1])["python"] for k in read.values if k[0] == "semkernel_sessiond_info")
        self.assertEqual(read.value("info", version=version, level=level, python=python), 1)
        self.assertEqual(self.pool.request("POST", "/metrics", "").status, 405)

    def test_histograms_are_cumulative_and_end_at_their_count(self):
        self.pool.run("1", "histogram")
        read = metrics(self.pool)
        for name, kind in read.types.items():
            if kind != "histogram":
                continue
            rows = [(dict(labels)["le"], value) for (sample, labels), value in read.values.items()
                    if sample == name + "_bucket"]
            bounds = [float(le) for le, _ in rows]
            values = [value for _, value in rows]
            self.assertEqual(bounds, sorted(bounds))
            self.assertEqual(values, sorted(values))
            self.assertEqual(bounds[-1], float("inf"))
            self.assertEqual(values[-1], read.values[(name + "_count", ())])
            self.assertGreaterEqual(read.values[(name + "_sum", ())], 0)
        self.assertGreater(read.value("execution_seconds_count"), 0)
        self.pool.delete("histogram")

    def test_executions_are_counted_by_outcome(self):
        before = metrics(self.pool)
        self.pool.run("print('abc')", "counted")
        self.pool.run("1 / 0", "counted")
        self.pool.run("while True: pass", "counted", timeoutInSeconds=1)
        self.pool.run("import os; os._exit(1)", "counted")
        after = metrics(self.pool)
        for outcome in ("succeeded", "failed", "timeout", "lost"):
            was = before.value_or_none("executions_total", outcome=outcome)
            self.assertEqual(after.value("executions_total", outcome=outcome), was + 1, outcome)
        was = before.value("output_bytes_total", stream="stdout")
        self.assertEqual(after.value("output_bytes_total", stream="stdout"), was + 4)
        was = before.value_or_none("worker_ends_total", reason="ended")
        self.assertEqual(after.value("worker_ends_total", reason="ended"), was + 1)
        self.assertGreater(after.value("execution_seconds_sum") - before.value("execution_seconds_sum"), 1)
        self.pool.delete("counted")

    def test_kills_are_counted_by_reason(self):
        before = metrics(self.pool)
        self.pool.run("import os\nos.write(3, b'nonsense')", "killed")
        self.pool.run("import signal\nsignal.signal(2, signal.SIG_IGN)\nwhile True: pass", "killed", timeoutInSeconds=1)
        for reason in ("violation", "not_interruptible"):
            was = before.value_or_none("worker_ends_total", reason=reason)
            pool.wait_until(
                lambda: metrics(self.pool).value_or_none("worker_ends_total", reason=reason) == was + 1, reason)
        self.assertEqual(metrics(self.pool).value("violations_total"), before.value("violations_total") + 1)
        self.pool.delete("killed")

    def test_kills_for_memory_are_counted(self):
        before = metrics(self.pool)
        execution = self.pool.run("import time\nx = b'x' * (700 << 20)\ntime.sleep(20)", "memory")
        self.assertEqual(execution.state, "lost", execution.raw)
        was = before.value_or_none("worker_ends_total", reason="memory")
        self.assertEqual(metrics(self.pool).value("worker_ends_total", reason="memory"), was + 1)
        self.pool.delete("memory")

    def test_ends_of_sessions_are_counted_by_reason(self):
        with pool.Pool("--max-sessions=1", "--cooldown=1", "--reclaim-after=0") as server:
            server.run("1", "first")
            server.run("1", "second")
            pool.wait_until(lambda: metrics(server).value("sessions") == 0, "the second is removed, too")
            read = metrics(server)
            self.assertEqual(read.value("sessions_removed_total", reason="reclaimed"), 1)
            self.assertEqual(read.value("sessions_removed_total", reason="idle"), 1)

    def test_sessions_and_workers_are_those_of_the_moment(self):
        self.pool.run("1", "moment-one")
        self.pool.run("1", "moment-two")
        read = metrics(self.pool)
        self.assertEqual(read.value("sessions"), 2)
        self.assertEqual(read.value("sessions_max"), 3)
        made = read.value("sessions_made_total")
        idle = read.value("workers", state="idle") + read.value("workers", state="frozen")
        self.assertEqual(idle, 2)
        pool.wait_until(
            lambda: metrics(self.pool).value("workers", state="frozen") == 2, "both are frozen")
        self.pool.delete("moment-one")
        self.pool.delete("moment-two")
        read = metrics(self.pool)
        self.assertEqual((read.value("sessions"), read.value("sessions_made_total")), (0, made))
        self.assertGreaterEqual(read.value("sessions_removed_total", reason="deleted"), 2)

    def test_requests_are_counted_by_operation_and_status_whatever_they_ask_for(self):
        before = metrics(self.pool)
        self.pool.post("requests", {"code": "1"})
        for path in ("/no-such-path", "/another\"one", "/metrics/x"):
            self.pool.request("GET", path + "?api-version=" + VERSION)
        self.pool.request("BREW", "/nothing")
        after = metrics(self.pool)
        for method, operation, status, more in (
            ("POST", "executions", "202", 1), ("GET", "none", "404", 3), ("other", "none", "404", 1),
        ):
            labels = {"method": method, "operation": operation, "status": status}
            was = before.value_or_none("requests_total", **labels)
            self.assertEqual(after.value("requests_total", **labels), was + more, labels)
        self.pool.delete("requests")

    def test_counters_never_fall(self):
        first = metrics(self.pool)
        self.pool.run("print(1)", "monotone")
        self.pool.delete("monotone")
        second = metrics(self.pool)
        for (name, labels), value in first.values.items():
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            if first.types.get(name) == "counter" or first.types.get(family) == "histogram":
                self.assertGreaterEqual(second.values[(name, labels)], value, name)

    def test_the_process_tells_its_memory_and_start(self):
        read = metrics(self.pool)
        self.assertGreater(read.values[("process_resident_memory_bytes", ())], 1 << 20)
        self.assertGreater(read.values[("process_open_fds", ())], 5)
        with open("/proc/stat") as file:
            booted = float(re.search(r"^btime (\d+)", file.read(), re.MULTILINE).group(1))
        with open("/proc/%d/stat" % self.pool.server_pid) as file:
            ticks = float(file.read().rsplit(")", 1)[1].split()[19])
        start = booted + ticks / os.sysconf("SC_CLK_TCK")
        self.assertLess(abs(read.values[("process_start_time_seconds", ())] - start), 3)


if __name__ == "__main__":
    pool.main()
