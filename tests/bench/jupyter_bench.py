"""jupyter_bench.py - the session pool beside a Jupyter kernel, in the same run and the same work.

Both are driven from Python, each by the usual way to speak to it: the kernel by Debian's
jupyter_client, the pool by http.client over its socket. The kernel runs without a sandbox.
A figure fails where the pool is not better.

SESSIOND names the server's program.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

try:
    from jupyter_client.manager import KernelManager
    import ipykernel  # noqa: F401 - what the manager starts
except ImportError as missing:
    sys.exit("cannot compare with a Jupyter kernel: %s; .ci/install-dependencies bench installs it"
             % missing)

STARTS = 5
ROUND_TRIPS = 1000
PATIENCE = 60
SKIPPED, CANNOT_SANDBOX = 77, 78
CODE = "print(1)"
PRINTED = "1\n"


def now():
    return time.perf_counter()


def percentile(values, share):
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def share_mib(pid):
    """Memory of a process and all below it; what several share counts for each in part."""
    with open("/proc/%d/smaps_rollup" % pid) as file:
        kib = sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return kib / 1024 + sum(share_mib(child) for child in children(pid))


def children(pid):
    found = []
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, thread)) as file:
            found += [int(word) for word in file.read().split()]
    return found


class Kernel:
    """A Jupyter kernel that was just started."""

    def __init__(self):
        self.manager = KernelManager(kernel_name="python3")
        start = now()
        self.manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self.start_time = now() - start

    def run(self):
        """Until the reply is there and everything printed, as a notebook waits."""
        start = now()
        text = ""
        wanted = self.client.execute(CODE, store_history=False)
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            content = message["content"]
            if message["parent_header"].get("msg_id") != wanted:
                continue
            if message["msg_type"] == "stream":
                text += content["text"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        taken = now() - start
        assert reply["content"]["status"] == "ok" and text == PRINTED, (reply, text)
        return taken

    def share_mib(self):
        return share_mib(self.manager.provisioner.process.pid)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Pool:
    """A session pool that was just started: with a warm worker, or with none."""

    def __init__(self, is_warm):
        start = now()
        flags = ["--warm-min", "1", "--log-level", "debug"] if is_warm else ["--warm-min", "0"]
        self.process = subprocess.Popen(
            [os.environ["SESSIOND"], "--lifeline", "0", "--preimport", "none", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_warm else None,
            text=True,
        )
        line = self.process.stdout.readline()
        self.start_time = now() - start
        if not line:
            sys.exit(self.failure())
        self.announcement = json.loads(line)
        self.connection = Connection(self.announcement["socket"])

    def failure(self):
        if self.process.stderr is not None:
            sys.stderr.write(self.process.stderr.read())
        required = os.environ.get("SEMKERNEL_REQUIRE_SANDBOX") == "1"
        return SKIPPED if self.process.wait() == CANNOT_SANDBOX and not required else 2

    def await_worker(self):
        for line in self.process.stderr:
            if " worker_ready " in line:
                return
        sys.exit("the session pool has ended")

    def run(self, identifier):
        start = now()
        self.connection.request(
            "POST",
            "/executions?api-version=2025-10-02-preview&identifier=" + identifier,
            json.dumps({"code": CODE}),
        )
        body = json.loads(self.connection.getresponse().read())
        taken = now() - start
        assert body["status"] == "Succeeded" and body["result"]["stdout"] == PRINTED, body
        return taken

    def share_mib(self):
        """Of its one sandbox, when whatever the start of the server needed is over."""
        (init,) = children(self.process.pid)
        (server,) = children(init)
        end = now() + PATIENCE
        while len(children(server)) > 1:
            assert now() < end, "the session pool does not come to rest"
            time.sleep(0.01)
        return sum(share_mib(sandbox) for sandbox in children(server))

    def close(self):
        self.connection.close()
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


class Table:
    """One line a figure; `failed` if the pool was not better."""

    def __init__(self):
        self.failed = False
        self.line("figure", "session pool", "Jupyter kernel", "verdict")

    def line(self, *columns):
        print("%-44s %14s %14s  %s" % columns, flush=True)

    def add(self, name, ours, theirs, unit):
        better = ours < theirs
        self.failed = self.failed or not better
        verdict = "%.1f times less" % (theirs / ours) if better else "FAILED: it is no better"
        self.line(name, "%.2f %s" % (ours, unit), "%.2f %s" % (theirs, unit), verdict)


def compare_starts(table):
    """By turns, so that all see the same machine, and one at a time, so that none shares memory."""
    starts, firsts, shares = ([], [], []), ([], []), ([], [])
    for _ in range(STARTS):
        with contextlib.closing(Kernel()) as kernel:
            firsts[1].append(kernel.run())
            starts[2].append(kernel.start_time + firsts[1][-1])
            shares[1].append(kernel.share_mib())
        with contextlib.closing(Pool(False)) as pool:
            starts[0].append(pool.run("cold"))
            starts[1].append(pool.start_time + starts[0][-1])
            shares[0].append(pool.share_mib())
        with contextlib.closing(Pool(True)) as pool:
            pool.await_worker()
            firsts[0].append(pool.run("warm"))
    cold, whole, theirs = (percentile(times, 0.5) * 1e3 for times in starts)
    table.add("start to first result, cold", cold, theirs, "ms")
    table.add("the same with the start of the server", whole, theirs, "ms")
    table.add("first execution by what is ready", *(percentile(t, 0.5) * 1e3 for t in firsts), "ms")
    table.add("idle memory", *(percentile(mib, 0.5) for mib in shares), "MiB")


def compare_round_trips(table):
    theirs, ours = [], []
    with contextlib.closing(Kernel()) as kernel, contextlib.closing(Pool(False)) as pool:
        kernel.run()
        pool.run("demo")
        for _ in range(ROUND_TRIPS):
            theirs.append(kernel.run() * 1e3)
            ours.append(pool.run("demo") * 1e3)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        table.add("round trip of print(1), " + name, percentile(ours, share),
                  percentile(theirs, share), "ms")


def main():
    home = tempfile.mkdtemp(prefix="sk-")
    os.environ["HOME"] = home  # the kernel writes its history and profile there
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else its debugger prints a warning
    table = Table()
    try:
        with contextlib.closing(Pool(False)) as pool:
            print("isolation level: %s; of the Jupyter kernel: none" % pool.announcement["level"])
        compare_starts(table)
        compare_round_trips(table)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
