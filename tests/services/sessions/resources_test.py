"""Sessions as resources, the empty kernel, the Jupyter format, output limits."""

import datetime
import re
import unittest

import pool
from pool import NEWEST, VERSION, query

MIDDLE = "2025-02-02-preview"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")


def instant(text):
    return datetime.datetime.fromisoformat(text[:26] + "+00:00")


class Resources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--max-sessions", "24", "--cooldown", "120").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def setUp(self):
        for session in self.get("/listSessions", identifier=None).json["sessions"]:
            self.pool.delete(session["identifier"])

    def get(self, path, identifier="resources", version=MIDDLE, method="GET", headers=None, **names):
        if identifier is not None:
            names["identifier"] = identifier
        target = path + "?" + query(**{"api-version": version}, **names)
        return self.pool.request(method, target, headers=headers or {})

    def test_a_session_tells_its_times_and_using_it_moves_them(self):
        self.pool.run("1", "resources")
        first = self.get("/session")
        self.assertEqual(first.status, 200)
        body = first.json
        self.assertEqual(list(body), ["identifier", "createdAt", "lastAccessedAt", "expireAt", "etag"])
        self.assertEqual(body["identifier"], "resources")
        for name in ("createdAt", "lastAccessedAt", "expireAt"):
            self.assertRegex(body[name], TIME)
        idle = instant(body["expireAt"]) - instant(body["lastAccessedAt"])
        self.assertEqual(idle.total_seconds(), 120)
        self.assertEqual(self.get("/session").json, body)  # to look is not to use
        self.pool.run("1", "resources")
        again = self.get("/session").json
        self.assertEqual((again["createdAt"], again["etag"]), (body["createdAt"], body["etag"]))
        self.assertGreater(instant(again["lastAccessedAt"]), instant(body["lastAccessedAt"]))
        self.pool.delete("resources")
        self.pool.run("1", "resources")
        self.assertNotEqual(self.get("/session").json["etag"], body["etag"])

    def test_a_session_that_is_not_there_is_named(self):
        answer = self.get("/session", "no-such-session")
        self.assertEqual(answer.status, 404)
        error = answer.json["error"]
        self.assertEqual(error["code"], "NoSessionFoundError")
        self.assertEqual(error["message"], "Could not find session with name 'no-such-session'.")

    def test_sessions_are_listed_oldest_first_a_page_at_a_time(self):
        self.assertEqual(self.get("/listSessions", None).json, {"sessions": []})
        names = ["list-%02d" % number for number in range(22)]
        for name in names:
            self.get("/files", name)
        host = {"Host": "127.0.0.1:1", "X-Forwarded-Proto": "https"}
        answer = self.get("/base/listSessions", None, headers=host).json
        self.assertEqual([session["identifier"] for session in answer["sessions"]], names[:20])
        link = "https://127.0.0.1:1/base/listSessions?api-version=%s&skip=20" % MIDDLE
        self.assertEqual(answer["nextLink"], link)
        rest = self.get("/listSessions", None, skip=20).json
        self.assertEqual([session["identifier"] for session in rest["sessions"]], names[20:])
        self.assertNotIn("nextLink", rest)
        self.assertEqual(self.get("/listSessions", None, skip=99).json, {"sessions": []})
        for wrong in ("-1", "x", "9" * 10):
            answer = self.get("/listSessions", None, skip=wrong)
            self.assertEqual((answer.status, answer.json["error"]["target"]), (400, "skip"))

    def test_a_session_can_be_stopped(self):
        for base, name in (("", "local"), ("/subscriptions/1/resourceGroups/2/sessionPools/mine", "mine")):
            self.pool.run("x = 1", "resources")
            answer = self.get(base + "/.management/stopSession", version=NEWEST, method="POST")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
            self.assertEqual(answer.body.decode(), "Session resources in session pool %s stopped." % name)
            self.assertEqual(self.get("/session").status, 404)
            answer = self.get("/.management/stopSession", version=NEWEST, method="POST")
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.json["error"]["code"], "SessionWithIdentifierNotFound")

    def run_new(self, code, **members):
        return self.pool.run(code, "resources", NEWEST, **members)

    def test_an_empty_kernel_shares_no_variable_in_either_direction(self):
        self.run_new("from __future__ import annotations\nmine = 1\ndef f(): return mine")
        code = "import sys\nown = 2\n('mine' in globals(), sys.modules['__main__'].own, open('file', 'w').write('f'))"
        self.assertEqual(self.run_new(code, useEmptyKernel=True).result, [False, 2, 1])
        code = "import sys\n('own' in globals(), f(), sys.modules['__main__'].mine, open('file').read())"
        self.assertEqual(self.run_new(code).result, [False, 1, 1, "f"])
        failed = self.run_new("mine", useEmptyKernel=True)
        self.assertEqual(failed.status, "Failed")
        self.assertIn("NameError", failed.stderr)
        self.assertEqual(self.run_new("while True: pass", useEmptyKernel=True, timeoutInSeconds=1).state, "kept")
        self.assertEqual(self.run_new("mine", useEmptyKernel=False).result, 1)
        self.assertEqual(self.pool.run("mine", "resources", VERSION, useEmptyKernel=True).result, 1)

    def test_a_repeated_id_in_an_empty_kernel_and_an_asynchronous_one(self):
        body = {"code": "import time; time.sleep(.1); 7", "useEmptyKernel": True, "executionType": "Asynchronous"}
        headers = {"operation-id": "the-one"}
        first = self.pool.post("resources", body, NEWEST, headers)
        again = self.pool.post("resources", body, NEWEST, headers)
        for answer in (first, again):
            self.assertEqual(answer.status, 202)
            self.assertEqual(answer.headers["operation-id"], "the-one")
            self.assertTrue(answer.headers["Operation-Location"].startswith("/executions/the-one?"))
        location = first.headers["Operation-Location"]
        pool.wait_until(lambda: self.pool.request("GET", location).json["status"] == "Succeeded", "it ended")
        done = self.pool.request("GET", location)
        self.assertEqual(done.json["result"]["executionResult"], 7)
        self.assertRegex(done.headers["x-ms-overall-execution-time"], r"^\d+\.\d{4}$")


if __name__ == "__main__":
    pool.main()
