"""What the server listens at, what it tells of that, and when it refuses to begin."""

import fcntl
import http.client
import json
import os
import socket
import subprocess
import tempfile
import unittest

import pool
import ways


class Start(unittest.TestCase):
    """Servers that start in a certain way, or not at all."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.home = directory.name

    def path(self, name, content=None, mode=0o600):
        path = os.path.join(self.home, name)
        if content is not None:
            with open(path, "w") as file:
                file.write(content)
            os.chmod(path, mode)
        return path

    def assert_refused(self, status, *flags, says):
        server = pool.Pool(*flags)
        complaint = server.complaint()
        server.__exit__()
        self.assertIsNone(server.announcement)
        self.assertEqual(server.process.returncode, status, complaint)
        self.assertIn(says, complaint)
        self.assertEqual(complaint.count("\n"), 1, complaint)

    def test_without_tcp_there_is_no_port_and_no_token(self):
        with pool.Pool() as server:
            self.assertNotIn("tcp", server.announcement)
            self.assertEqual(sorted(os.listdir(os.path.dirname(server.path))), ["socket", "socket.json"])
            with open(server.announcement["file"]) as file:
                self.assertEqual(json.load(file), server.announcement)

    def test_a_port_can_be_chosen_and_a_taken_one_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            says = "127.0.0.1 port %d: Address already in use" % port
            self.assert_refused(73, "--tcp", "--port", str(port), says=says)
        with pool.Pool("--tcp", "--port", str(port)) as server:
            self.assertEqual(server.announcement["tcp"], "http://127.0.0.1:%d" % port)
            self.assertEqual(ways.run(server, "tcp", "1").result, 1)

    def test_files_beside_the_socket_go_with_the_server(self):
        os.mkdir(self.path("run"), 0o700)
        for left in ("socket.json", "socket.token"):
            self.path("run/" + left, "of a server that died", 0o644)
        with pool.Pool("--tcp", "--socket", self.path("run/socket")) as server:
            self.assertEqual(ways.run(server, "tcp", "1").result, 1)
            for name in ("file", "tokenFile"):
                self.assertEqual(os.stat(server.announcement[name]).st_mode & 0o7777, 0o600)
        self.assertEqual(os.listdir(self.path("run")), [])

    def test_a_link_in_place_of_a_file_is_not_followed(self):
        os.mkdir(self.path("run"), 0o700)
        victim = self.path("victim", "mine")
        os.symlink(victim, self.path("run/socket.token"))
        with pool.Pool("--tcp", "--socket", self.path("run/socket")) as server:
            self.assertEqual(ways.run(server, "tcp", "1").result, 1)
        with open(victim) as file:
            self.assertEqual(file.read(), "mine")

    def test_the_token_can_be_ones_own(self):
        own = "correct-horse_battery~staple+/9=="
        for content in (own, own + "\n"):
            with pool.Pool("--tcp", "--token-file", self.path("own", content)) as server:
                self.assertEqual(server.announcement["tokenFile"], self.path("own"))
                self.assertNotIn("socket.token", os.listdir(os.path.dirname(server.path)))
                self.assertEqual(ways.token(server), own)
                self.assertEqual(ways.run(server, "tcp", "1").result, 1)
            self.assertTrue(os.path.exists(self.path("own")))

    def test_token_files_that_cannot_be_used_are_named_with_the_reason(self):
        os.mkdir(self.path("directory"))
        os.mkfifo(self.path("fifo"), 0o600)
        rows = (
            (self.path("missing"), "No such file"), (self.path("directory"), "no regular file"),
            (self.path("fifo"), "no regular file"), (self.path("open", "x" * 40, 0o644), "chmod 600"),
            (self.path("empty", ""), "one line of 16"), (self.path("short", "x" * 15), "one line of 16"),
            (self.path("lines", "x" * 40 + "\ny\n"), "one line"), (self.path("blank", "x" * 40 + " "), "one line"),
            (self.path("nul", "x" * 40 + "\0"), "one line"), (self.path("long", "x" * 4097), "to 4096"),
            (self.path("umlaut", "\u00e4" * 40), "one line"),
        )
        for path, says in rows:
            with self.subTest(path=path):
                self.assert_refused(73, "--tcp", "--token-file", path, says=says)
                self.assert_refused(73, "--tcp", "--token-file", path, says=path)

    def test_certificates_and_keys_that_cannot_be_used_are_named_with_the_reason(self):
        certificate, key = ways.make_certificate(self.home)
        other_certificate, other_key = ways.make_certificate(self.home, "other.test")
        nonsense, missing = self.path("nonsense", "no PEM"), self.path("missing")
        locked = self.path("locked")
        subprocess.run(["openssl", "ec", "-in", key, "-out", locked, "-aes256", "-passout", "pass:x"],
                       check=True, capture_output=True)
        rows = [
            (missing, key, "the certificate " + missing + ": No such file"),
            (certificate, missing, "the key " + missing + ": No such file"),
            (self.home, key, "it must be a PEM file"),
            (nonsense, key, "the certificate " + nonsense + ": it is not PEM"),
            (certificate, nonsense, "the key " + nonsense + ": it is no PEM key"),
            (certificate, locked, "without a password"), (key, certificate, "it is not PEM"),
            (certificate, other_key, "does not belong to the certificate " + certificate),
            (other_certificate, key, "does not belong to the certificate " + other_certificate),
        ]
        if os.geteuid() != 0:
            rows.append((certificate, self.path("unreadable", "x", 0o000), "Permission denied"))
        for one, two, says in rows:
            with self.subTest(says=says):
                self.assert_refused(73, "--tcp", "--tls-certificate", one, "--tls-key", two, says=says)

    def test_settings_that_would_do_nothing_are_refused(self):
        certificate, key = ways.make_certificate(self.home)
        token = self.path("token", "x" * 40)
        self.assert_refused(73, "--token-file", token, says="--token-file: there is no TCP")
        self.assert_refused(73, "--tls-certificate", certificate, "--tls-key", key, says="there is no TCP")
        self.assert_refused(73, "--tcp", "--tls-certificate", certificate, says="go together")
        self.assert_refused(73, "--tcp", "--tls-key", key, says="go together")
        for names in ("http://a.test", "a.test:80", "a.test,", ",a.test", "a b", "a.test, b.test", "*.test"):
            self.assert_refused(73, "--host-name", names, says="name of a host")
        self.assert_refused(64, "--tcp", "--port", "65536", says="65535")
        self.assert_refused(64, "--tcp", "--bind", "0.0.0.0", says="unknown flag")


class Activation(unittest.TestCase):
    """Servers that get their sockets from whoever starts them."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.home = os.path.join(directory.name, "run")
        os.mkdir(self.home, 0o700)
        self.socket = os.path.join(self.home, "socket")

    def listen(self, address, family=socket.AF_UNIX):
        sock = socket.socket(family)
        self.addCleanup(sock.close)
        sock.bind(address)
        sock.listen()
        return sock

    def start(self, *socks, flags=(), count=None, pid=None):
        """A server whose descriptors 3, 4 .. are these sockets, as a manager passes them."""
        code = (
            "import os, sys\nfor number, sock in enumerate(%r): os.dup2(sock, 3 + number)\n"
            "os.environ['LISTEN_PID'] = str(%r or os.getpid())\nos.execv(sys.argv[1], sys.argv[1:])"
        )
        high = [fcntl.fcntl(sock, fcntl.F_DUPFD, 100) for sock in socks]
        spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(12)]  # so the lifeline is none of theirs
        try:
            return pool.Pool(
                *flags, before=["/usr/bin/python3", "-I", "-c", code % (high, pid)], pass_fds=high,
                environment={"LISTEN_FDS": str(len(socks) if count is None else count), "LISTEN_FDNAMES": "x",
                             "NOTIFY_SOCKET": os.path.join(self.home, "notify")},
            )
        finally:
            for file in high + spare:
                os.close(file)

    def assert_refused(self, *socks, says, **members):
        server = self.start(*socks, **members)
        complaint = server.complaint()
        server.__exit__()
        self.assertEqual(server.process.returncode, 73, complaint)
        self.assertIn(says, complaint)

    def test_sockets_that_are_handed_over_are_served_and_left_as_they_were(self):
        unix = self.listen(self.socket)
        tcp = self.listen(("127.0.0.1", 0), socket.AF_INET)
        six = self.listen(("::1", 0), socket.AF_INET6) if socket.has_ipv6 else None
        with socket.socket(socket.AF_UNIX) as early:  # connected before the server is there
            early.connect(self.socket)
            early.sendall(b"GET /metadata?api-version=%s HTTP/1.1\r\n" % pool.NEWEST.encode())
            with self.start(*filter(None, (unix, tcp, six))) as server:
                early.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
                early.settimeout(pool.PATIENCE)
                self.assertEqual(ways.statuses(ways.read_all(early)), ["200"])
                self.assertEqual(server.path, self.socket)
                self.assertEqual(server.announcement["tcp"], "http://127.0.0.1:%d" % tcp.getsockname()[1])
                for kind in ("unix", "tcp"):
                    self.assertEqual(ways.run(server, kind, "6 * 7").result, 42)
                if six is not None:
                    connection = http.client.HTTPConnection("::1", six.getsockname()[1], timeout=pool.PATIENCE)
                    connection.request("GET", "/metadata?api-version=" + pool.NEWEST)
                    self.assertEqual(connection.getresponse().status, 401)
                    connection.close()
                code = "import os; [name for name in os.environ if 'LISTEN' in name or 'NOTIFY' in name]"
                self.assertEqual(ways.run(server, "unix", code).result, [])
        self.assertEqual(os.listdir(self.home), ["socket"])
        self.assertEqual(unix.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
        with self.start(unix) as server:
            self.assertEqual(ways.run(server, "unix", "1").result, 1)

    def test_with_a_tcp_socket_alone_there_is_still_a_unix_socket(self):
        tcp = self.listen(("127.0.0.1", 0), socket.AF_INET)
        with self.start(tcp) as server:
            self.assertNotEqual(server.path, self.socket)
            for kind in ("unix", "tcp"):
                self.assertEqual(ways.run(server, kind, "1").result, 1)

    def test_sockets_meant_for_another_process_are_left_alone(self):
        unix = self.listen(self.socket)
        with self.start(unix, pid=1) as server:
            self.assertNotEqual(server.path, self.socket)

    def test_the_manager_is_told_of_start_and_end(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(os.path.join(self.home, "notify"))
            notify.settimeout(pool.PATIENCE)
            with self.start(self.listen(self.socket)) as server:
                self.assertEqual(notify.recv(100), b"READY=1")
                server.process.terminate()
                self.assertEqual(notify.recv(100), b"STOPPING=1")
                self.assertEqual(server.process.wait(pool.PATIENCE), 0)

    def test_sockets_that_cannot_be_used_are_named(self):
        unix = self.listen(self.socket)
        other = self.listen(os.path.join(self.home, "other"))
        abstract = self.listen("\0semkernel-test-%d" % os.getpid())
        world = self.listen(("0.0.0.0", 0), socket.AF_INET)
        deaf, datagram = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.assert_refused(world, says="TCP is served on 127.0.0.1 and [::1] only")
        self.assert_refused(unix, other, says="one is enough")
        self.assert_refused(abstract, says="absolute path")
        self.assert_refused(deaf, says="no listening stream socket")
        self.assert_refused(datagram, says="no listening stream socket")
        self.assert_refused(unix, count=2, says="descriptor 4")
        self.assert_refused(unix, count=9, says="at most 8")
        self.assert_refused(unix, flags=("--socket", self.home + "/mine"), says="leave --socket out")
        deaf.close()
        datagram.close()

    def test_a_socket_that_others_could_reach_tells_no_token(self):
        os.chmod(self.home, 0o755)
        unix = self.listen(self.socket)
        tcp = self.listen(("127.0.0.1", 0), socket.AF_INET)
        self.assert_refused(unix, tcp, says="--token-file")
        with self.start(unix) as server:
            self.assertNotIn("file", server.announcement)
            self.assertEqual(os.listdir(self.home), ["socket"])


class Whereabouts(unittest.TestCase):
    """--print-endpoint"""

    NAMES = ("SEMKERNEL_POOL_SOCKET", "SEMKERNEL_POOL_ENDPOINT", "SEMKERNEL_POOL_TOKEN_FILE")

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.home = directory.name
        self.environment = {"TMPDIR": self.home, "XDG_RUNTIME_DIR": os.path.join(self.home, "runtime")}
        os.mkdir(self.environment["XDG_RUNTIME_DIR"], 0o700)

    def ask(self, *flags):
        return subprocess.run([pool.program(), "--print-endpoint", *flags], capture_output=True, text=True,
                              env={**os.environ, **self.environment}, timeout=pool.PATIENCE)

    def told(self, *flags):
        """What a shell has after it has evaluated the answer."""
        done = self.ask(*flags)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        script = 'eval "$1"; exec env'
        shell = subprocess.run(["/bin/sh", "-c", script, "sh", done.stdout], capture_output=True, text=True, env={})
        lines = dict(line.split("=", 1) for line in shell.stdout.splitlines())
        return [lines.get(name) for name in self.NAMES]

    def assert_nobody(self, says, *flags):
        done = self.ask(*flags)
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        self.assertIn(says, done.stderr)

    def test_the_one_server_that_runs_is_told_and_then_nobody(self):
        self.assert_nobody("no server of this user runs")
        for variables in (self.environment, {"XDG_RUNTIME_DIR": "", "TMPDIR": self.home}):
            with pool.Pool(environment=variables) as server:
                self.assertEqual(self.told(), [server.path, "http://localhost", None])
            self.assert_nobody("no server of this user runs")

    def test_with_tcp_its_address_and_the_file_of_the_token_are_told(self):
        with pool.Pool("--tcp", environment=self.environment) as server:
            announcement = server.announcement
            self.assertEqual(self.told(), [server.path, announcement["tcp"], announcement["tokenFile"]])
            self.assertNotIn(ways.token(server), self.ask().stdout)

    def test_one_of_several_must_be_named(self):
        quoted = os.path.join(self.home, "it's $(here)")
        os.mkdir(quoted, 0o700)
        with pool.Pool(environment=self.environment) as one, pool.Pool(environment=self.environment) as two:
            done = self.ask()
            self.assertEqual((done.returncode, done.stdout), (69, ""))
            for server in (one, two):
                self.assertIn(server.path, done.stderr)
                self.assertEqual(self.told("--socket", server.path)[0], server.path)
        with pool.Pool("--socket", quoted + "/socket") as server:
            self.assertEqual(self.told("--socket", server.path)[0], quoted + "/socket")
        self.assert_nobody("answers at " + quoted, "--socket", quoted + "/socket")

    def test_a_server_that_a_connection_begins_is_waited_for(self):
        run = os.path.join(self.environment["XDG_RUNTIME_DIR"], "semkernel-sessiond")
        os.mkdir(run, 0o700)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(run + "/socket")
            sock.listen()
            asking = subprocess.Popen([pool.program(), "--print-endpoint"], stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, **self.environment})
            with sock.accept()[0]:  # it has come, and finds nothing yet
                with open(run + "/socket.json", "w", opener=lambda *a: os.open(*a, 0o600)) as text:
                    text.write('{"socket":"%s/socket",' % run)
                    text.flush()
                    text.write('"endpoint":"http://localhost"}\n')
                self.assertIn("SEMKERNEL_POOL_SOCKET='%s/socket'" % run, asking.communicate(timeout=pool.PATIENCE)[0])

    def test_what_a_dead_server_or_somebody_else_left_is_passed_over(self):
        left = os.path.join(self.home, "semkernel-sessions-left")
        os.mkdir(left, 0o700)
        file = os.path.join(left, "socket.json")
        with open(file, "w") as text:
            text.write('{"socket":"/x","endpoint":"http://localhost"}\n')
        self.assert_nobody("no server of this user runs")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(os.path.join(left, "socket"))
            sock.listen()
            os.chmod(file, 0o666)
            self.assert_nobody("no server of this user runs")
            os.chmod(file, 0o600)
            self.assertEqual(self.told()[1], "http://localhost")
            with open(file, "w") as text:
                text.write("nonsense\n")
            self.assert_nobody("is not its file")


if __name__ == "__main__":
    pool.main()
