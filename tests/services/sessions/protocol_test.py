"""The REST API: routes, versions, checks, error bodies, who may ask."""

import base64
import json
import os
import re
import socket
import unittest

import pool
from pool import NEWEST, VERSION, query

VERSIONS = ((VERSION, 202), ("2025-02-02-preview", 202), (NEWEST, 200))
GUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def post(self, body, identifier="protocol", version=VERSION, headers=None):
        return self.pool.post(identifier, body, version, headers)

    def assert_error(self, answer, status, code, target=None):
        self.assertEqual(answer.status, status, answer.body)
        error = answer.json["error"]
        self.assertEqual(error["code"], code)
        self.assertTrue(error["message"])
        self.assertEqual(error.get("target"), target)
        self.assertRegex(error["traceId"], GUID)
        self.assertEqual(answer.headers["x-ms-error-code"], code)

    # ---- executions ----

    def test_each_version_answers_with_its_status_and_the_whole_envelope(self):
        for version, status in VERSIONS:
            with self.subTest(version=version):
                answer = self.post({"code": "6 * 7", "timeoutInSeconds": 5}, version=version)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
                self.assertEqual(answer.headers["semkernel-sandbox"], self.pool.level)
                body = answer.json
                self.assertRegex(body["id"], GUID)
                self.assertEqual(answer.headers["operation-id"], body["id"])
                self.assertEqual(body["identifier"], "protocol")
                self.assertEqual(body["executionType"], "Synchronous")
                self.assertEqual(body["status"], "Succeeded")
                self.assertEqual(body["sessionState"], "kept")
                self.assertEqual(
                    set(body["result"]),
                    {"stdout", "stderr", "executionResult", "executionTimeInMilliseconds"},
                )

    def test_enums_are_accepted_in_any_letter_case(self):
        for code_input, kind in (("inline", "synchronous"), ("Inline", "Synchronous"), ("INLINE", "SYNCHRONOUS")):
            body = {"codeInputType": code_input, "executionType": kind, "code": "1"}
            self.assertEqual(self.post(body).json["result"]["executionResult"], 1)

    def test_code_may_come_as_text_or_as_base64(self):
        code = base64.b64encode("'\u20ac'".encode()).decode()
        body = {"codeInputType": "inlineBase64", "code": code}
        self.assertEqual(self.post(body).json["result"]["executionResult"], "\u20ac")
        body = {"codeInputType": "InlineText", "code": "2"}
        self.assertEqual(self.post(body).json["result"]["executionResult"], 2)
        for wrong in ("***", base64.b64encode(b"\xff\xfe").decode()):
            answer = self.post({"codeInputType": "InlineBase64", "code": wrong})
            self.assert_error(answer, 400, "SessionRequestValidationFailed", "code")

    def test_an_execution_can_be_asked_for_again_by_its_id(self):
        first = self.post({"code": "print('once')"}).json
        answer = self.pool.get("protocol", first["id"])
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json, first)

    def test_unknown_executions_are_not_found(self):
        self.assert_error(self.pool.get("protocol", "nothing"), 404, "ExecutionNotFound")
        self.assert_error(self.pool.get("no-such-session", "nothing"), 404, "ExecutionNotFound")
        mine = self.post({"code": "1"}, "protocol-mine").json["id"]
        self.post({"code": "1"}, "protocol-other")
        self.assert_error(self.pool.get("protocol-other", mine), 404, "ExecutionNotFound")
        self.pool.delete("protocol-mine")
        self.pool.delete("protocol-other")

    def test_the_client_may_choose_the_id_and_a_repeated_id_runs_nothing_again(self):
        self.pool.run("count = 0", "protocol")
        headers = {"operation-id": "my-own.id~1"}
        first = self.post({"code": "count += 1; count"}, headers=headers)
        again = self.post({"code": "count += 1; count"}, headers=headers)
        self.assertEqual(first.json["id"], "my-own.id~1")
        self.assertEqual(again.json, first.json)
        self.assertEqual(self.pool.run("count", "protocol").result, 1)
        for wrong in ("with blank", "x" * 129, "a/b"):
            answer = self.post({"code": "1"}, headers={"operation-id": wrong})
            self.assert_error(answer, 400, "SessionRequestValidationFailed", "operation-id")

    def test_asynchronous_executions_run_on_and_are_polled(self):
        body = {"code": "import os\nwhile not os.path.exists('go'): pass\n'went'", "executionType": "Asynchronous"}
        answer = self.post(body)
        self.assertEqual(answer.status, 202)
        started = answer.json
        self.assertEqual(started["executionType"], "Asynchronous")
        self.assertIn(started["status"], ("Running", "NotStarted"))
        self.assertNotIn("result", started)
        location = answer.headers["Operation-Location"]
        self.assertTrue(location.startswith("/executions/" + started["id"] + "?"))
        self.assertEqual(self.pool.request("GET", location).json["status"], "Running")
        self.pool.delete("protocol")
        self.assertEqual(self.pool.request("GET", location).status, 404)
        finished = self.post({"code": "3", "executionType": "asynchronous"})
        location = finished.headers["Operation-Location"]
        pool.wait_until(
            lambda: self.pool.request("GET", location).json["status"] == "Succeeded", "it ended"
        )
        self.assertEqual(self.pool.request("GET", location).json["result"]["executionResult"], 3)

    def test_operation_location_encodes_the_identifier(self):
        identifier = "a b&#%+\u007e<>".replace(" ", "_")
        answer = self.post({"code": "1", "executionType": "Asynchronous"}, identifier)
        location = answer.headers["Operation-Location"]
        self.assertNotIn("#", location)
        pool.wait_until(
            lambda: self.pool.request("GET", location).json["status"] == "Succeeded", "it ended"
        )
        self.pool.delete(identifier)

    def test_sessions_have_nothing_in_common(self):
        self.pool.run("secret = 1\nopen('file', 'w').close()", "protocol-one")
        execution = self.pool.run("import os; ('secret' in globals(), os.listdir())", "protocol-two")
        self.assertEqual(execution.result, [False, []])
        self.pool.delete("protocol-one")
        self.pool.delete("protocol-two")

    def test_a_deleted_session_begins_anew(self):
        self.pool.run("x = 1\nopen('file', 'w').close()")
        self.assertEqual(self.pool.delete("test-session").status, 204)
        self.assertEqual(self.pool.delete("test-session").status, 204)
        execution = self.pool.run("import os; ('x' in globals(), os.listdir())")
        self.assertEqual(execution.result, [False, []])
        self.assertEqual(execution.stderr, "")
        self.pool.delete("test-session")

    # ---- request bodies ----

    def test_malformed_json_gets_a_problem_document(self):
        deep = '{"code":' + "[" * 100 + "]" * 100 + "}"
        wrong = ["", "{", "nonsense", '{"code":"a"} x', '{"code":"a","code":"b"}', "[1]", '"x"', deep]
        wrong += ['{"code":NaN}', '{"code":"\\u0000"}', '{"code":"\\ud800"}', b'{"code":"\xff"}']
        for body in wrong:
            with self.subTest(body=body[:40]):
                answer = self.post(body)
                self.assertEqual(answer.status, 400)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json; charset=utf-8")
                problem = answer.json
                self.assertEqual(problem["status"], 400)
                self.assertTrue(problem["title"] and problem["type"] and problem["traceId"])
                self.assertTrue(problem["errors"]["$"][0])

    def test_wrapped_bodies_and_missing_code_are_session_properties_missing(self):
        answer = self.post({"properties": {"code": "1", "codeInputType": "inline"}})
        self.assert_error(answer, 400, "SessionPropertiesMissing", "properties")
        for body in ({}, {"code": None}, {"codeInputType": "Inline"}):
            self.assert_error(self.post(body), 400, "SessionPropertiesMissing", "code")

    def test_wrong_members_are_named(self):
        rows = (
            ({"code": 5}, "code"),
            ({"code": "1", "codeInputType": "File"}, "codeInputType"),
            ({"code": "1", "codeInputType": 1}, "codeInputType"),
            ({"code": "1", "executionType": "later"}, "executionType"),
            ({"code": "1", "timeoutInSeconds": 0}, "timeoutInSeconds"),
            ({"code": "1", "timeoutInSeconds": 221}, "timeoutInSeconds"),
            ({"code": "1", "timeoutInSeconds": 1.5}, "timeoutInSeconds"),
            ({"code": "1", "timeoutInSeconds": "5"}, "timeoutInSeconds"),
            ({"code": "1", "timeoutInSeconds": -(2**70)}, "timeoutInSeconds"),
            ({"code": "#" + "x" * 1024 * 1024}, "code"),
        )
        for body, target in rows:
            with self.subTest(target=target, body=str(body)[:60]):
                answer = self.post(body)
                self.assert_error(answer, 400, "SessionRequestValidationFailed", target)
                self.assertIn(target, answer.json["error"]["message"])
        for body, target in (
            ({"code": "1", "outputStreamsMaxLength": 0}, "outputStreamsMaxLength"),
            ({"code": "1", "useEmptyKernel": "yes"}, "useEmptyKernel"),
        ):
            answer = self.post(body, version=NEWEST)
            self.assert_error(answer, 400, "SessionRequestValidationFailed", target)

    def test_what_is_not_for_python_or_not_offered_is_refused_by_name(self):
        for member, value in (("shellCommand", "ls"), ("execCommandAndArgs", ["ls"]), ("stdin", "x")):
            answer = self.post({member: value}, version=NEWEST)
            self.assert_error(answer, 400, "SessionRequestNotSupported", member)

    def test_null_and_unknown_members_change_nothing(self):
        body = {"code": "1", "timeoutInSeconds": None, "stdin": None, "other": [1], "codeInputType": None}
        self.assertEqual(self.post(body, version=NEWEST).json["result"]["executionResult"], 1)

    def test_code_of_one_mebibyte_runs(self):
        code = "#" * (1024 * 1024 - 3) + "\n42"
        self.assertEqual(self.post({"code": code}).json["result"]["executionResult"], 42)
        escaped = '{"code":"' + "\\u0023" * (1024 * 1024 - 3) + '\\n43"}'
        self.assertEqual(self.post(escaped).json["result"]["executionResult"], 43)

    def test_larger_bodies_are_413(self):
        connection = self.pool.connect()
        answer = self.post(b"x" * (8 * 1024 * 1024))
        connection.close()
        self.assertEqual(answer.status, 413)

    # ---- queries and paths ----

    def test_version_that_is_missing_or_unknown(self):
        for target in ("/executions?identifier=abcd", "/executions?identifier=abcd&api-version="):
            answer = self.pool.request("POST", target, "{}")
            self.assert_error(answer, 400, "SessionRequestValidationFailed", "api-version")
        answer = self.pool.request("POST", "/executions?identifier=abcd&api-version=1999-01-01", "{}")
        self.assertEqual((answer.status, answer.body), (401, b""))

    def test_identifiers_of_every_byte(self):
        allowed = set(range(0x21, 0x7F)) - {ord("\\")}
        for byte in range(256):
            target = "/executions/x?api-version=%s&identifier=abc%%%02X" % (VERSION, byte)
            answer = self.pool.request("GET", target)
            if byte in allowed:
                self.assert_error(answer, 404, "ExecutionNotFound")
            else:
                self.assert_error(answer, 400, "SessionRequestValidationFailed", "identifier")

    def test_identifier_that_is_missing_too_short_or_too_long(self):
        for identifier in ("", "abc", "x" * 129):
            answer = self.post({"code": "1"}, identifier)
            self.assert_error(answer, 400, "SessionRequestValidationFailed", "identifier")
        answer = self.pool.request("POST", "/executions?api-version=" + VERSION, "{}")
        self.assert_error(answer, 400, "SessionRequestValidationFailed", "identifier")
        self.assertEqual(self.post({"code": "1"}, "x" * 128).status, 202)
        self.pool.delete("x" * 128)

    def test_any_base_path_slashes_and_order_of_the_query(self):
        paths = (
            "/executions", "//executions/", "/a/b//executions",
            "/subscriptions/1/resourceGroups/2/sessionPools/3/executions",
        )
        for path in paths:
            target = path + "?" + query(identifier="protocol", extra="1", **{"api-version": VERSION})
            answer = self.pool.request("POST", target, '{"code":"1"}')
            self.assertEqual(answer.status, 202, path)
            execution = answer.json["id"]
            target = "%s/%s?api-version=%s&identifier=protocol" % (path, execution, VERSION)
            self.assertEqual(self.pool.request("GET", target).status, 200, target)

    def test_unknown_paths_and_methods(self):
        for method, path, status in (
            ("GET", "/", 404), ("POST", "/code/execute", 404), ("GET", "/executionsx", 404),
            ("GET", "/executions", 405), ("PUT", "/executions", 405), ("POST", "/session", 405),
            ("POST", "/metadata", 405),
        ):
            target = path + "?api-version=%s&identifier=abcd" % VERSION
            answer = self.pool.request(method, target)
            self.assertEqual(answer.status, status, (method, path))
            if status == 405:
                self.assertTrue(answer.headers["Allow"])

    def test_metadata_tells_runtime_level_and_limits(self):
        answer = self.pool.request("GET", "/pool/metadata?api-version=" + NEWEST)
        self.assertEqual(answer.status, 200)
        body = answer.json
        self.assertEqual(body["runtimes"][0]["name"], "Python")
        self.assertRegex(body["runtimes"][0]["version"], r"^3\.\d+\.\d+")
        self.assertEqual(body["sandbox"], {"level": self.pool.level, "selfTest": "passed"})
        self.assertEqual(body["limits"]["sessions"], 8 if self.pool.level == "full" else 4)
        self.assertRegex(body["createdAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")

    # ---- HTTP ----

    def test_foreign_hosts_and_pages_are_refused(self):
        for host in ("example.org", "localhost.example.org", "localhost:80x", "127.0.0.2", ""):
            answer = self.post({"code": "1"}, headers={"Host": host})
            self.assertIn(answer.status, (400, 403), host)
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1:1234", "[::1]", "[::1]:80"):
            self.assertEqual(self.post({"code": "1"}, headers={"Host": host}).status, 202, host)
        answer = self.post({"code": "1"}, headers={"Origin": "http://localhost"})
        self.assertEqual(answer.status, 403)
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)

    def raw(self, data):
        """The first line of the answer to these bytes; "" if the connection ends without."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(pool.PATIENCE)
            connection.connect(self.pool.path)
            try:
                connection.sendall(data)
            except OSError:  # it was refused before its end
                pass
            try:
                return connection.recv(65536).split(b"\r\n")[0].decode()
            except ConnectionError:
                return ""

    def test_malformed_http_is_refused(self):
        head = b"POST /executions HTTP/1.1\r\nHost: localhost\r\n"
        rows = (
            (b"POST /executions HTTP/1.1\r\n\r\n", ("403",)),
            (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", ("505", "")),
            (b"GET /" + b"a" * 100000, ("414", "")),
            (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20000, ("431", "")),
            (head + b"Content-Length: -5\r\n\r\n", ("400",)),
            (head + b"Content-Length: 99999999999999999999\r\n\r\n", ("413", "400")),
            (head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", ("400", "")),
        )
        for data, wanted in rows:
            with self.subTest(data=data[:60]):
                line = self.raw(data)
                self.assertIn(line.split(" ")[1] if line else "", wanted)

    def test_clients_that_go_away_early_harm_nobody(self):
        for data in (b"", b"\0" * 100, b"GET", b"POST /executions HTTP/1.1\r\nHost: loc"):
            for _ in range(5):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(self.pool.path)
                    connection.sendall(data)
        self.assertEqual(self.post({"code": "1"}).status, 202)

    def test_a_connection_is_kept_for_many_requests(self):
        connection = self.pool.connect()
        target = "/executions?api-version=%s&identifier=protocol" % VERSION
        for number in range(20):
            connection.request("POST", target, json.dumps({"code": str(number)}))
            body = json.loads(connection.getresponse().read())
            self.assertEqual(body["result"]["executionResult"], number)
        connection.close()

    def test_socket_and_directory_are_private(self):
        self.assertEqual(os.stat(self.pool.path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(self.pool.path)).st_mode & 0o777, 0o700)


if __name__ == "__main__":
    pool.main()
