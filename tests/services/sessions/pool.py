"""A session pool for tests: starts semkernel-sessiond, speaks to it, ends it.

The program's path is the environment's SESSIOND; --as-user in the arguments drops root's
rights first, --no-cgroup does without control groups where there are some. Where the machine
cannot sandbox, the tests end as skipped (77), or as failed when SEMKERNEL_REQUIRE_SANDBOX is 1.
"""

import contextlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

VERSION = "2024-10-02-preview"
NEWEST = "2025-10-02-preview"
USER = 1000
PATIENCE = 30
CANNOT_SANDBOX = 78
LEVEL_FLAGS = []  # of every server


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """Status, headers and body of a response; `json` if it has one."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Execution:
    """The answer to an execution, taken apart."""

    def __init__(self, answer):
        assert answer.status in (200, 202), (answer.status, answer.body)
        body = answer.json
        self.raw = answer.body
        self.id = body["id"]
        self.status = body["status"]
        self.state = body.get("sessionState")
        result = body.get("result") or {}
        self.result = result.get("executionResult")
        self.displays = result.get("displays", [])
        self.stdout = result.get("stdout")
        self.stderr = result.get("stderr")
        self.ms = result.get("executionTimeInMilliseconds")


def query(**names):
    return urllib.parse.urlencode(names)


class Pool:
    """One running server. Use as a context manager."""

    def __init__(self, *flags, environment=None, lifeline=True, before=(), pass_fds=()):
        """`before` and `pass_fds`: a program that starts the server, and what it is given."""
        self.lifeline, self.cut = os.pipe()
        arguments = [*before, program(), *LEVEL_FLAGS, *flags]
        if lifeline:
            arguments += ["--lifeline", str(self.lifeline)]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            pass_fds=[self.lifeline, *pass_fds],
            env={**os.environ, "SEMKERNEL_SESSIOND_PREIMPORT": "none", **(environment or {})},
        )
        os.close(self.lifeline)
        line = self.process.stdout.readline()
        self.announcement = json.loads(line) if line else None
        if self.announcement is None:
            self.process.wait(PATIENCE)

    def complaint(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    @property
    def path(self):
        return self.announcement["socket"]

    @property
    def pid(self):
        return self.process.pid

    @property
    def level(self):
        return self.announcement["level"]

    def __enter__(self):
        assert self.announcement is not None, self.complaint()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            os.close(self.cut)
        self.process.stdout.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.errors.close()

    def connect(self):
        return Connection(self.path)

    def request(self, method, target, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, target, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def post(self, identifier, body, version=VERSION, headers=None):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        target = "/executions?" + query(**{"api-version": version, "identifier": identifier})
        return self.request("POST", target, body, headers)

    def run(self, code, identifier="test-session", version=VERSION, **members):
        return Execution(self.post(identifier, {"code": code, **members}, version))

    def get(self, identifier, execution, version=VERSION):
        names = query(**{"api-version": version, "identifier": identifier})
        return self.request("GET", "/executions/%s?%s" % (execution, names))

    def delete(self, identifier):
        names = query(**{"api-version": VERSION, "identifier": identifier})
        return self.request("DELETE", "/session?" + names)

    def below(self, pid):
        """The one child of a process."""
        with open("/proc/%d/task/%d/children" % (pid, pid)) as text:
            return int(text.read().split()[0])

    @property
    def init_pid(self):
        return self.below(self.pid)

    @property
    def server_pid(self):
        return self.below(self.init_pid)

    def children(self):
        """All processes that descend from the one that was started, and itself."""
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError):
                with open("/proc/%s/stat" % name) as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
        found, new = set(), {self.pid}
        while new:
            new = {pid for pid, parent in parents.items() if parent in new} - found
            found |= new
        return found


def groups_of(pid):
    """Control groups of a server, those of its slots among them."""
    found = []
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        if os.path.basename(directory).startswith("semkernel-%d-" % pid):
            found.append(directory)
            found.extend(os.path.join(directory, name) for name in names)
    return found


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long until " + what
        select.select([], [], [], 0.01)


_program = None


def program():
    return _program


def drop_rights(home):
    os.chown(home, USER, USER)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)


def prepare():
    """Copy the program to where every user can run it; become an ordinary user if asked."""
    global _program
    home = tempfile.mkdtemp(prefix="sk-")
    os.chmod(home, 0o711)
    _program = shutil.copy(os.environ["SESSIOND"], home + "/semkernel-sessiond")
    os.chmod(_program, 0o755)
    if "--as-user" in sys.argv:
        sys.argv.remove("--as-user")
        if os.geteuid() == 0:
            drop_rights(home)
    if "--no-cgroup" in sys.argv:
        sys.argv.remove("--no-cgroup")
        LEVEL_FLAGS.extend(("--level", "no-cgroup"))
    if "--landlock" in sys.argv:
        sys.argv.remove("--landlock")
        LEVEL_FLAGS.extend(("--allow-level", "landlock", "--level", "landlock"))
    os.environ.pop("XDG_RUNTIME_DIR", None)
    os.environ["TMPDIR"] = tempfile.tempdir = home
    return home


def main(level=None):
    """Run the tests; those that need a level are skipped where there is another."""
    home = prepare()
    try:
        trial = Pool()
        complaint = trial.complaint()
        trial.__exit__()
        if trial.process.returncode == CANNOT_SANDBOX:
            print("skipped:", complaint, flush=True)
            sys.exit(1 if os.environ.get("SEMKERNEL_REQUIRE_SANDBOX") == "1" else 77)
        if level not in (None, trial.level):
            print("skipped: this machine has level", trial.level, flush=True)
            sys.exit(77)
        unittest.main(verbosity=1)
    finally:
        shutil.rmtree(home, ignore_errors=True)
