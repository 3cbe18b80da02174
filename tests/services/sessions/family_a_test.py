"""The older API family: wrapped bodies, numbered objects, other words and other paths."""

import json
import re
import unittest

import pool
from pool import NEWEST, VERSION, query

VERSIONS = ("2024-02-02-preview", "2024-08-02-preview")
OLD = VERSIONS[0]
SPAN = re.compile(r"^\d+\.\d{4}$")
GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
BASES = (
    "", "//", "/subscriptions/1/resourceGroups/2/sessionPools/3",
    "/subscriptions/1/resourceGroups/code/sessionPools/execute", "/a//b",
)


class FamilyA(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def post(self, body, path="/code/execute", version=OLD, identifier="family-a", on=None):
        names = {"api-version": version}
        if identifier is not None:
            names["identifier"] = identifier
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return (on or self.pool).request("POST", path + "?" + query(**names), body)

    def execute(self, code, **members):
        properties = {"codeInputType": "inline", "executionType": "synchronous", "code": code}
        return self.post({"properties": {**properties, **members}})

    def assert_error(self, answer, status, code, target=None):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.json["error"]["code"], code)
        self.assertEqual(answer.json["error"].get("target"), target)
        self.assertEqual(answer.headers["x-ms-error-code"], code)

    def test_the_envelope_is_numbered_in_its_order_and_byte_for_byte_the_recorded_one(self):
        for version in VERSIONS:
            body = {"properties": {"code": "print('Hello world')", "timeoutInSeconds": 60}}
            answer = self.post(body, version=version)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
            text = re.sub(rb'(Milliseconds":)\d+', rb"\g<1>35", answer.body)
            self.assertEqual(
                text,
                b'{"$id":"1","properties":{"$id":"2","status":"Success","stdout":"Hello world\\n",'
                b'"stderr":"","result":"","executionTimeInMilliseconds":35}}',
            )

    def test_results_and_failures_have_their_words_and_no_text_is_null(self):
        rows = (
            ("1 + 1", "Success", 2, ""),
            ("x = 1", "Success", "", ""),
            ("None", "Success", "", ""),
            ("'abc'", "Success", "abc", ""),
            ("[1, {'a': None}]", "Success", [1, {"a": None}], ""),
            ("1 / 0", "Failure", "", "ZeroDivisionError"),
            ("raise SystemExit", "Failure", "", "SystemExit"),
        )
        for code, status, result, stderr in rows:
            with self.subTest(code=code):
                properties = self.execute(code).json["properties"]
                self.assertEqual(properties["status"], status)
                self.assertEqual(properties["result"], result)
                self.assertEqual(properties["stdout"], "")
                self.assertIn(stderr, properties["stderr"])
                self.assertEqual(properties["stderr"] == "", stderr == "")
        properties = self.execute("while True: pass", timeoutInSeconds=1).json["properties"]
        self.assertEqual(properties["status"], "Failure")
        self.assertIn("Request timed out waiting for code execution", properties["stderr"])

    def test_headers_tell_where_the_time_went(self):
        self.pool.delete("family-new")
        answer = self.post({"properties": {"code": "1"}}, identifier="family-new")
        self.assertEqual(answer.headers["x-ms-new-allocation"], "true")
        answer = self.post({"properties": {"code": "import time; time.sleep(.05)"}}, identifier="family-new")
        self.assertNotIn("x-ms-new-allocation", answer.headers)
        for name in (
            "x-ms-execution-request-time", "x-ms-execution-read-response-time",
            "x-ms-total-execution-service-time", "x-ms-preparation-time", "x-ms-allocation-time",
            "x-ms-overall-execution-time",
        ):
            self.assertRegex(answer.headers[name], SPAN, name)
        ms = answer.json["properties"]["executionTimeInMilliseconds"]
        self.assertEqual(answer.headers["x-ms-container-execution-duration"], str(ms))
        self.assertEqual(answer.headers["x-ms-allocation-retries"], "0")
        request = float(answer.headers["x-ms-execution-request-time"])
        self.assertTrue(ms <= request < ms + 1)
        self.assertGreaterEqual(request, 50)
        self.assertGreater(float(answer.headers["x-ms-overall-execution-time"]), request)
        for name in ("operation-id", "mise-correlation-id", "x-ms-session-guid"):
            self.assertRegex(answer.headers[name], GUID)
        again = self.post({"properties": {"code": "1"}}, identifier="family-new")
        same = answer.headers["x-ms-session-guid"]
        self.assertEqual(again.headers["x-ms-session-guid"], same)
        self.pool.delete("family-new")
        again = self.post({"properties": {"code": "1"}}, identifier="family-new")
        self.assertNotEqual(again.headers["x-ms-session-guid"], same)
        self.pool.delete("family-new")

    def test_both_families_reach_the_same_session(self):
        self.execute("shared = 5")
        self.assertEqual(self.pool.run("shared", "family-a").result, 5)

    def test_the_identifier_may_come_in_the_body_and_the_query_goes_before_it(self):
        body = {"properties": {"identifier": "family-body", "code": "own = 1"}}
        self.assertEqual(self.post(body, identifier=None).status, 200)
        self.assertEqual(self.pool.run("own", "family-body").result, 1)
        body["properties"]["code"] = "'own' in globals()"
        self.assertIs(self.post(body).json["properties"]["result"], False)
        for wrong in ({}, {"identifier": "abc"}, {"identifier": "a b cd"}, {"identifier": "x" * 129},
                      {"identifier": 5}, {"identifier": "x" * 500}, {"identifier": None}):
            answer = self.post({"properties": {"code": "1", **wrong}}, identifier=None)
            self.assert_error(answer, 400, "SessionRequestValidationFailed", "identifier")
        self.pool.delete("family-body")

    def test_the_legacy_operation_takes_both_shapes_and_answers_without_properties(self):
        inner = {"codeInputType": "inline", "executionType": "synchronous", "pythonCode": "print(1); 2"}
        for body in (inner, {"properties": inner}, {"properties": {"code": "print(1); 2"}}):
            answer = self.post(body, path="/python/execute")
            self.assertEqual(answer.status, 200)
            self.assertEqual(list(answer.json), ["$id", "status", "stdout", "stderr", "result",
                                                 "executionTimeInMilliseconds"])
            self.assertEqual((answer.json["stdout"], answer.json["result"]), ("1\n", 2))

    def test_the_older_name_of_the_code_and_duplicate_slashes_are_accepted(self):
        body = {"properties": {"codeInputType": "inline", "executionType": "synchronous",
                               "pythonCode": "3", "identifier": "family-a"}}
        for path in ("//code/execute", "/code//execute/", "/code%2Fexecute"):
            self.assertEqual(self.post(body, path=path).json["properties"]["result"], 3)

    def test_any_base_path_and_order_of_the_query(self):
        for base in BASES:
            for order in (("identifier", "api-version"), ("api-version", "identifier")):
                values = {"identifier": "family-a", "api-version": OLD}
                names = query(**{name: values[name] for name in order}) + "&path=&extra=%20"
                target = base + "/code/execute?" + names
                answer = self.pool.request("POST", target, '{"properties":{"code":"4"}}')
                self.assertEqual(answer.status, 200, target)

    def test_a_shape_of_the_other_family_is_session_properties_missing(self):
        for body in ({"code": "1"}, {}, {"properties": None}, {"properties": "x"}, {"properties": []}):
            self.assert_error(self.post(body), 400, "SessionPropertiesMissing", "properties")
        answer = self.post({"properties": {}})
        self.assert_error(answer, 400, "SessionPropertiesMissing", "code")
        answer = self.pool.post("family-a", {"properties": {"code": "1"}})
        self.assert_error(answer, 400, "SessionPropertiesMissing", "properties")
        answer = self.pool.post("family-a", {"pythonCode": "1"})
        self.assert_error(answer, 400, "SessionPropertiesMissing", "code")

    def test_a_lenient_pool_takes_either_shape_and_keeps_each_answer_its_own(self):
        with pool.Pool("--lenient") as lenient:
            for body in ({"code": "5"}, {"properties": {"code": "5"}}):
                answer = self.post(body, on=lenient)
                self.assertEqual(answer.json["properties"]["result"], 5)
                answer = lenient.post("family-a", body, NEWEST)
                self.assertEqual(answer.json["result"]["executionResult"], 5)
            self.assert_error(self.post({"properties": 1}, on=lenient), 400,
                              "SessionPropertiesMissing", "properties")

    def test_wrong_members_and_what_this_family_has_not(self):
        for member, value, code in (
            ("timeoutInSeconds", 221, "SessionRequestValidationFailed"),
            ("codeInputType", "file", "SessionRequestValidationFailed"),
            ("executionType", "Asynchronous", "SessionRequestNotSupported"),
            ("shellCommand", "ls", "SessionRequestNotSupported"),
        ):
            answer = self.execute("1", **{member: value})
            self.assert_error(answer, 400, code, member)
        answer = self.post('{"properties":{"code":"1"')
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json; charset=utf-8")

    def test_each_version_has_its_family_s_paths_only(self):
        every = ("code/execute", "python/execute", "executions", "executions/x", "session", "metadata")
        mine = {OLD: every[:2], VERSIONS[1]: every[:2], VERSION: every[2:], NEWEST: every[2:]}
        for version, paths in mine.items():
            for path in every:
                target = "/%s?%s" % (path, query(**{"api-version": version, "identifier": "family-a"}))
                status = self.pool.request("PUT", target).status
                self.assertEqual(status, 405 if path in paths else 404, (version, path))

    def test_version_that_is_missing_or_unknown(self):
        for target in ("/code/execute?identifier=abcd", "/python/execute?api-version=&identifier=abcd"):
            answer = self.pool.request("POST", target, "{}")
            self.assert_error(answer, 400, "SessionRequestValidationFailed", "api-version")
        for version in ("2023-08-01-preview", "2024-09-01", "x", "2024-02-02-preview%00"):
            target = "/code/execute?identifier=abcd&api-version=" + version
            answer = self.pool.request("POST", target, "{}")
            self.assertEqual((answer.status, answer.body), (401, b""), version)


if __name__ == "__main__":
    pool.main()
