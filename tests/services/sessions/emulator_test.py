"""What the server does so that clients of the cloud service can be tested against it."""

import base64
import concurrent.futures
import http.client
import json
import time
import unittest

import pool
from pool import NEWEST, VERSION, query

OLD = "2024-02-02-preview"
AUDIENCE = "https://dynamicsessions.io"
CODE = json.dumps({"code": "6 * 7"})


def token(**claims):
    """A JWT that nobody has signed."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".x"


class Emulator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--faults").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def setUp(self):
        self.assertEqual(self.pool.request("DELETE", "/.faults").status, 204)

    def fault(self, text):
        answer = self.pool.request("POST", "/.faults", text)
        self.assertEqual(answer.status, 204, answer.body)

    def post(self, fault=None, identifier="emulator", **headers):
        if fault is not None:
            headers["x-semkernel-fault"] = fault
        return self.pool.post(identifier, CODE, headers=headers)

    def log(self):
        return self.pool.request("GET", "/.faults").json["requests"]

    # ---- answers that go wrong ----

    def test_status_is_answered_instead_and_nothing_runs(self):
        self.pool.run("count = 0", "emulator")
        body = json.dumps({"code": "count += 1"})
        for status in (400, 403, 404, 409, 500, 502, 503, 504, 599):
            answer = self.pool.post("emulator", body, headers={"x-semkernel-fault": "status=%d" % status})
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.json["error"]["code"], answer.headers["x-ms-error-code"])
        self.assertEqual(self.pool.run("count", "emulator").result, 0)

    def test_too_many_sessions_are_told_as_the_service_does(self):
        answer = self.post("status=429,retry-after=7")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "7"))
        self.assertEqual(set(answer.json), {"code", "message"})
        self.assertEqual(answer.json["code"], "SessionsCountExceedsLimit")
        self.assertRegex(answer.json["message"], r"^The request sessions count is '1'\. There are already '10' active "
                         r"sessions and the maximum active sessions count is '10'\.$")
        self.assertNotIn("Retry-After", self.post("status=429").headers)

    def test_unauthorized_has_a_challenge_and_no_body(self):
        answer = self.post("status=401")
        self.assertEqual((answer.status, answer.body), (401, b""))
        self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Bearer"))

    def test_missing_role_is_forbidden(self):
        self.assertEqual(self.post("status=403").json["error"]["code"], "Forbidden")

    def test_delay_comes_before_the_answer(self):
        begun = time.monotonic()
        answer = self.post("delay=300")
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)
        self.assertEqual(answer.json["result"]["executionResult"], 42)
        begun = time.monotonic()
        self.assertEqual(self.post("delay=200,status=503").status, 503)
        self.assertGreaterEqual(time.monotonic() - begun, 0.2)

    def test_others_are_served_during_a_delay(self):
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            late = threads.submit(self.post, "delay=1500")
            pool.wait_until(lambda: self.pool.request("GET", "/session?" + query(**{
                "api-version": NEWEST, "identifier": "emulator"})).status == 200, "it ran")
            self.assertFalse(late.done())
            self.assertEqual(late.result().status, 202)

    def test_cut_ends_the_connection_without_an_answer_once_the_code_has_run(self):
        self.pool.run("count = 0", "emulator")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.pool.post("emulator", json.dumps({"code": "count += 1"}), headers={"x-semkernel-fault": "cut"})
        self.assertEqual(self.pool.run("count", "emulator").result, 1)

    def test_cut_body_ends_it_after_so_many_bytes(self):
        for size in (0, 1, 10):
            with self.assertRaises(http.client.IncompleteRead) as raised:
                self.post("cut-body=%d" % size)
            self.assertEqual(len(raised.exception.partial), size)
        self.pool.run("open('long', 'w').write('x' * 300000)", "emulator")
        target = "/files/long/content?" + query(**{"api-version": NEWEST, "identifier": "emulator"})
        with self.assertRaises(http.client.IncompleteRead) as raised:
            self.pool.request("GET", target, headers={"x-semkernel-fault": "cut-body=200000"})
        self.assertEqual(len(raised.exception.partial), 200000)

    def test_cut_body_that_is_longer_than_the_body_changes_nothing(self):
        self.assertEqual(self.post("cut-body=100000").json["result"]["executionResult"], 42)

    # ---- the one that stands ----

    def test_a_fault_stands_for_those_that_it_names_until_it_is_taken_away(self):
        self.fault("status=503,method=POST,path=executions,times=2")
        other = "/session?" + query(**{"api-version": NEWEST, "identifier": "emulator"})
        self.assertNotEqual(self.pool.request("GET", other).status, 503)
        self.assertEqual([self.post().status for _ in range(3)], [503, 503, 202])
        self.fault("status=500,every=2")
        self.assertEqual([self.post().status for _ in range(4)], [202, 500, 202, 500])
        self.assertEqual(self.pool.request("GET", "/.faults").json["applied"], 2)
        self.pool.request("DELETE", "/.faults")
        self.assertEqual([self.post().status for _ in range(2)], [202, 202])

    def test_a_wrong_description_is_refused_and_the_old_one_stands(self):
        self.fault("status=503")
        answer = self.pool.request("POST", "/.faults", "status=99")
        self.assertEqual((answer.status, answer.json["error"]["code"]), (400, "FaultInvalid"))
        self.assertEqual(self.pool.request("GET", "/.faults").json["fault"], "status=503")
        self.assertEqual(self.post("nonsense").status, 400)
        self.assertEqual(self.pool.request("PUT", "/.faults", "").status, 405)

    def test_only_tokens_for_exactly_this_audience_are_taken_if_asked_for(self):
        self.fault("audience=" + AUDIENCE)
        for audience, status in (
            (AUDIENCE, 202), (AUDIENCE + "/", 401), ("https://acasessions.io", 401), ([AUDIENCE], 401),
        ):
            answer = self.post(Authorization="Bearer " + token(aud=audience))
            self.assertEqual(answer.status, status, audience)
        self.assertEqual(self.post().status, 401)

    def test_what_waits_behind_a_killed_worker_is_aborted_if_asked_for(self):
        self.fault("abort-queued,path=nowhere")
        slow = "import os\nwhile not os.path.exists('go'): pass\nos._exit(1)"
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            body = json.dumps({"code": slow})
            first = threads.submit(self.pool.post, "emulator-queue", body, VERSION, {"operation-id": "first"})
            pool.wait_until(lambda: self.pool.get("emulator-queue", "first").status == 200, "it runs")
            second = threads.submit(self.pool.post, "emulator-queue", CODE, VERSION, {"operation-id": "second"})
            pool.wait_until(lambda: self.pool.get("emulator-queue", "second").status == 200, "it waits")
            self.pool.request(
                "POST", "/files?" + query(**{"api-version": VERSION, "identifier": "emulator-queue"}),
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="go"\r\n\r\n\r\n--b--\r\n',
                {"Content-Type": "multipart/form-data; boundary=b"})
            self.assertIn("Execution aborted", pool.Execution(first.result()).stderr)
            execution = pool.Execution(second.result())
            self.assertEqual(execution.status, "Failed")
            self.assertIn("Execution aborted", execution.stderr)
        self.pool.delete("emulator-queue")

    # ---- the log of requests ----

    def test_requests_are_logged_whole_but_for_their_token(self):
        target = "/a%2Fb//executions?identifier=emulator&extra=%41+b&api-version=" + VERSION
        self.pool.request("POST", target, CODE, {"Authorization": "Bearer sesame", "X-One": "two"})
        (entry,) = self.log()
        self.assertEqual((entry["method"], entry["target"]), ("POST", target))
        self.assertEqual((entry["body"], entry["bodySize"], entry["status"]), (CODE, len(CODE), 202))
        headers = {name.lower(): value for name, value in entry["headers"]}
        self.assertEqual(headers["x-one"], "two")
        self.assertNotIn("authorization", headers)
        self.assertNotIn("sesame", json.dumps(entry))

    def test_bodies_that_are_no_text_are_logged_as_base64(self):
        self.pool.post("emulator", b"\xff\x00x")
        self.assertEqual(base64.b64decode(self.log()[0]["bodyBase64"]), b"\xff\x00x")

    def test_uploads_and_refused_requests_are_logged_too(self):
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc\r\n--b--\r\n'
        target = "/files/upload?" + query(**{"api-version": OLD, "identifier": "emulator"})
        self.pool.request("POST", target, form, {"Content-Type": "multipart/form-data; boundary=b"})
        self.post("status=503")
        self.pool.request("GET", "/nothing")
        entries = self.log()
        self.assertEqual([entry["status"] for entry in entries], [200, 503, 404])
        self.assertEqual(entries[0]["body"].encode(), form)
        self.assertEqual(entries[1]["body"], CODE)

    def test_the_log_keeps_the_latest_and_is_cleared(self):
        connection = self.pool.connect()
        for number in range(260):
            connection.request("GET", "/number/%d" % number)
            connection.getresponse().read()
        connection.close()
        targets = [entry["target"] for entry in self.log()]
        self.assertEqual(targets, ["/number/%d" % number for number in range(4, 260)])
        self.pool.request("DELETE", "/.faults")
        self.assertEqual(self.log(), [])


class Without(unittest.TestCase):
    def test_without_the_flag_there_are_no_faults_and_no_log(self):
        with pool.Pool() as server:
            answer = server.post("without", CODE, headers={"x-semkernel-fault": "status=503"})
            self.assertEqual(answer.status, 202)
            for method in ("GET", "POST", "DELETE"):
                self.assertEqual(server.request(method, "/.faults", "status=503").status, 404)
            self.assertEqual(server.post("without", CODE).status, 202)

    def test_with_the_flag_the_log_says_so(self):
        with pool.Pool("--faults", "--log=json") as server:
            events = [json.loads(line) for line in server.complaint().splitlines()]
            self.assertEqual([(e["event"], e["level"]) for e in events], [("faults", "warn")])

    def test_clients_that_leave_before_a_late_answer_harm_nobody(self):
        with pool.Pool("--faults") as server:
            target = "/executions?" + query(**{"api-version": VERSION, "identifier": "leaving"})
            for number in range(1, 6):
                connection = server.connect()
                connection.request("POST", target, CODE, {"x-semkernel-fault": "delay=300"})
                ran = b'executions_total{outcome="succeeded"} %d\n' % number
                pool.wait_until(lambda: ran in server.request("GET", "/metrics").body, "it has run")
                connection.close()
            pool.wait_until(
                lambda: [entry["method"] for entry in server.request("GET", "/.faults").json["requests"]].count(
                    "POST") == 5, "all are over")
            self.assertEqual(server.post("leaving", CODE).status, 202)

    def test_a_server_ends_with_answers_that_are_late(self):
        with pool.Pool("--faults") as server:
            server.run("1", "ending")
            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                late = threads.submit(server.post, "ending", CODE, VERSION, {"x-semkernel-fault": "delay=60000"})
                pool.wait_until(lambda: server.request("GET", "/metrics").body.count(
                    b'operation="executions",status="202"} 1'), "the first was answered")
                pool.wait_until(lambda: b'executions_total{outcome="succeeded"} 2' in server.request(
                    "GET", "/metrics").body, "the second has run")
                begun = time.monotonic()
                server.process.terminate()
                self.assertEqual(server.process.wait(pool.PATIENCE), 0)
                self.assertLess(time.monotonic() - begun, 20)
                self.assertIn(late.exception() is None and late.result().status, (202, False))


class Routes(unittest.TestCase):
    """Every operation of either family, however its address is written."""

    FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a b.txt"\r\n\r\nabc\r\n--b--\r\n'
    KIND = {"Content-Type": "multipart/form-data; boundary=b"}
    FLAT = json.dumps({"codeInputType": "inline", "executionType": "synchronous", "code": "1"})
    WRAPPED = json.dumps({"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "1"}})
    ROWS = (
        (NEWEST, "POST", "executions", FLAT, {}, 200),
        (NEWEST, "POST", "files", FORM, KIND, 200),
        (NEWEST, "GET", "files", None, {}, 200),
        (NEWEST, "GET", "files/a%20b.txt", None, {}, 200),
        (NEWEST, "GET", "files/a%20b.txt/content", None, {}, 200),
        (NEWEST, "DELETE", "files/a%20b.txt", None, {}, 204),
        (NEWEST, "GET", "session", None, {}, 200),
        (NEWEST, "GET", "listSessions", None, {}, 200),
        (NEWEST, "GET", "metadata", None, {}, 200),
        (NEWEST, "POST", ".management/stopSession", "", {}, 200),
        (OLD, "POST", "code/execute", WRAPPED, {}, 200),
        (OLD, "POST", "python/execute", WRAPPED, {}, 200),
        (OLD, "POST", "files/upload", FORM, KIND, 200),
        (OLD, "POST", "python/uploadFile", FORM, KIND, 200),
        (OLD, "GET", "files", None, {}, 200),
        (OLD, "GET", "files/a%20b.txt", None, {}, 200),
        (OLD, "GET", "files/content/a%20b.txt", None, {}, 200),
        (OLD, "DELETE", "files/a%20b.txt", None, {}, 204),
        (NEWEST, "DELETE", "session", None, {}, 204),
    )
    WRITTEN = (
        "/%s?api-version=%s&identifier=routes",
        "//%s/?identifier=routes&api-version=%s",
        "/subscriptions/s/resourceGroups/files/sessionPools/p/%s?path=&api-version=%s&identifier=routes&x=y",
        "/any//base/%s//?x&identifier=%%72outes&api-version=%s",
    )

    def test_all_operations_are_found_under_any_base_with_any_slashes_and_any_query(self):
        with pool.Pool() as server:
            for written in self.WRITTEN:
                for version, method, path, body, headers, status in self.ROWS:
                    target = written % (path, version)
                    answer = server.request(method, target, body, headers)
                    self.assertEqual(answer.status, status, (method, target, answer.body))
                    self.assertIn("mise-correlation-id", answer.headers)


class Locations(unittest.TestCase):
    def start(self, server, base, **headers):
        target = base + "/executions?" + query(**{"api-version": VERSION, "identifier": "location"})
        body = json.dumps({"code": "1", "executionType": "Asynchronous"})
        return server.request("POST", target, body, headers).headers["Operation-Location"]

    def test_operation_location_is_relative_to_the_pool_or_absolute_as_is_wished(self):
        base = "/subscriptions/1/resourceGroups/2/sessionPools/3"
        with pool.Pool() as server:
            location = self.start(server, base)
            self.assertTrue(location.startswith("/executions/"), location)
            self.assertEqual(server.request("GET", base + location).status, 200)
        with pool.Pool("--operation-location=absolute") as server:
            location = self.start(server, base)
            self.assertTrue(location.startswith("http://localhost" + base + "/executions/"), location)
            self.assertEqual(server.request("GET", location[len("http://localhost"):]).status, 200)
            location = self.start(server, "", **{"X-Forwarded-Proto": "https", "Host": "localhost:8443"})
            self.assertTrue(location.startswith("https://localhost:8443/executions/"), location)


if __name__ == "__main__":
    pool.main()
