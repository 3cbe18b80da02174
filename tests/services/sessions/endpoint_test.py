"""What the server listens at, what it tells of that, and when it refuses to begin."""

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
        self.assert_refused(64, "--tcp", "--port", "65536", says="65535")
        self.assert_refused(64, "--tcp", "--bind", "0.0.0.0", says="unknown flag")


if __name__ == "__main__":
    pool.main()
