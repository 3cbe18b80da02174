"""How clients reach the pool, and which of them may ask."""

import json
import os
import ssl
import unittest
import urllib.parse

import pool
import ways

METADATA = "/metadata?api-version=" + pool.NEWEST
MIB = 1024 * 1024


class Everywhere(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pools = ways.Pools("--host-name", "front.test,other.test")

    @classmethod
    def tearDownClass(cls):
        cls.pools.end()

    def metadata(self, kind, server, **headers):
        return ways.request(server, kind, "GET", METADATA, headers=headers).status

    # ---- what works on each way ----

    def test_code_runs_on_each_way(self):
        for kind, server in self.pools.ways:
            self.assertEqual(ways.run(server, kind, "6 * 7").result, 42)

    def test_clients_of_family_a_and_of_any_base_path_are_served(self):
        base = "/subscriptions/1/resourceGroups/2/sessionPools/3/code/execute?"
        target = base + pool.query(**{"api-version": "2024-02-02-preview", "identifier": "ways-session"})
        for kind, server in self.pools.ways:
            body = json.dumps({"properties": {"code": "print('hello')", "codeInputType": "inline"}})
            headers = {"Content-Type": "application/json", "User-Agent": "azure"}
            answer = ways.request(server, kind, "POST", target, body, headers)
            self.assertEqual(answer.json["properties"]["stdout"], "hello\n")

    def test_a_connection_is_kept_on_each_way(self):
        for kind, server in self.pools.ways:
            connection = ways.Way(server, kind)
            for number in range(10):
                connection.request("POST", ways.TARGET, json.dumps({"code": str(number)}))
                body = json.loads(connection.getresponse().read())
                self.assertEqual(body["result"]["executionResult"], number)
            connection.close()

    def test_a_client_that_hangs_up_interrupts_its_call_on_each_way(self):
        for kind, server in self.pools.ways:
            ways.run(server, kind, "import time, os; done = 'no'")
            code = "open('begun', 'w').close()\ntry: time.sleep(60)\nfinally: done = 'interrupted'"
            connection = ways.Way(server, kind)
            connection.request("POST", ways.TARGET, json.dumps({"code": code}))
            files = "/files/begun?" + ways.TARGET.split("?")[1]
            pool.wait_until(lambda: ways.request(server, kind, "GET", files).status == 200, "it ran")
            connection.close()
            self.assertEqual(ways.run(server, kind, "os.remove('begun'); done").result, "interrupted")

    def test_large_files_come_and_go_on_each_way(self):
        content = bytes(range(256)) * (20 * MIB // 256)
        query = ways.TARGET.split("?")[1]
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n%s\r\n--b--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        for kind, server in self.pools.ways:
            answer = ways.request(server, kind, "POST", "/files?" + query, form % content, headers)
            self.assertEqual(answer.json["sizeInBytes"], len(content))
            answer = ways.request(server, kind, "GET", "/files/large/content?" + query)
            self.assertEqual(answer.body, content)
            ways.request(server, kind, "DELETE", "/files/large?" + query)

    # ---- Host and Origin ----

    def test_foreign_hosts_and_pages_are_refused_on_each_way(self):
        long = "a" * 300
        for kind, server in self.pools.ways:
            for host in ("example.org", "localhost.example.org", "localhost:80x", "127.0.0.2", "::1",
                         "front.test.example.org", "front", "front.test,other.test", "[::1", "[::1]x",
                         "localhost:", long, "wild.test", "127.0.0.1.wild.test", "0.0.0.0", ""):
                wanted = 200 if host == "localhost:" else 403
                if kind == "tls" and host == "127.0.0.1.wild.test":
                    wanted = 403  # a star stands for one label
                self.assertEqual(self.metadata(kind, server, Host=host), wanted, host)
            for host in ("localhost", "LOCALHOST:80", "127.0.0.1:1234", "[::1]", "[::1]:80",
                         "front.test", "Other.Test:443"):
                self.assertEqual(self.metadata(kind, server, Host=host), 200, host)
            for origin in ("http://localhost", "null", "", "https://example.org"):
                self.assertEqual(self.metadata(kind, server, Origin=origin), 403, origin)

    def test_names_of_the_certificate_are_accepted_over_tls_alone(self):
        for kind, server in self.pools.ways:
            for host in ("pool.test", "POOL.test:8443", "a.wild.test"):
                wanted = 200 if kind == "tls" else 403
                self.assertEqual(self.metadata(kind, server, Host=host), wanted, host)
        self.assertEqual(self.metadata("unix", self.pools.tls, Host="pool.test"), 403)

    def test_no_answer_invites_pages_of_other_origins(self):
        for kind, server in self.pools.ways:
            for headers in ({}, {"Origin": "http://localhost"}):
                answer = ways.request(server, kind, "OPTIONS", METADATA, headers=headers)
                self.assertFalse([name for name in answer.headers if "access-control" in name.lower()])

    # ---- the token ----

    def test_tcp_asks_for_the_token_and_says_so(self):
        for kind, server in self.pools.ways[1:]:
            right = ways.token(server)
            for value in (None, "", "Bearer", "Bearer ", "Bearer  ", "Bearer x", "Bearer " + right[:-1],
                          "Bearer " + right + "0", "Bearer " + ("1" if right[0] == "0" else "0") + right[1:],
                          "Bearer " + right * 20, "Bearer" + right, right, "Basic " + right,
                          "Bearer " + "x" * 8000, "Bearer\t" + right, "Bearer " + right + ",x",
                          "Bearer \xff\xfe", "Bearer %00"):
                with self.subTest(way=kind, value=(value or "")[:40]):
                    headers = {} if value is None else {"Authorization": value.encode("latin-1")}
                    answer = ways.request(server, kind, "GET", METADATA, None, headers, token=False)
                    self.assertEqual(answer.status, 401)
                    wanted = "Bearer" if value is None else 'Bearer error="invalid_token"'
                    self.assertEqual(answer.headers["WWW-Authenticate"], wanted)
                    self.assertEqual(answer.headers["x-ms-error-code"], "Unauthorized")
                    self.assertEqual(answer.json["error"]["code"], "Unauthorized")
                    self.assertNotIn(right, answer.body.decode())
            for value in ("Bearer " + right, "bearer " + right, "BEARER   " + right):
                headers = {"Authorization": value}
                answer = ways.request(server, kind, "GET", METADATA, None, headers, token=False)
                self.assertEqual(answer.status, 200, value[:10])

    def test_nothing_is_run_and_no_path_is_told_without_the_token(self):
        for kind, server in self.pools.ways[1:]:
            body = json.dumps({"code": "open('ran', 'w').close()"})
            for method, target in (("POST", ways.TARGET), ("GET", "/nothing"), ("DELETE", "/session")):
                answer = ways.request(server, kind, method, target, body, token=False)
                self.assertEqual(answer.status, 401)
            self.assertEqual(ways.run(server, kind, "import os; os.path.exists('ran')").result, False)

    def test_the_unix_socket_takes_any_token_and_needs_none(self):
        for value in ("Bearer of-another-pool", "Basic eDp5", "Bearer"):
            self.assertEqual(self.metadata("unix", self.pools.plain, Authorization=value), 200)

    def test_a_body_without_a_token_is_not_read_for_ever(self):
        for kind, server in self.pools.ways[1:]:
            sock = ways.dial(server, kind)
            start = "POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % ways.TARGET
            with self.assertRaises((ConnectionError, ssl.SSLError)), sock:
                sock.sendall(start.encode())
                for _ in range(1000):
                    sock.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    def test_the_token_is_random_and_told_in_private_files_only(self):
        plain, tls = self.pools.plain, self.pools.tls
        self.assertRegex(ways.token(plain), r"^[0-9a-f]{64}$")
        self.assertNotEqual(ways.token(plain), ways.token(tls))
        with open(plain.announcement["file"]) as file:
            told = json.load(file)
        self.assertEqual(told, {**plain.announcement, "token": ways.token(plain)})
        for name in ("file", "tokenFile"):
            self.assertEqual(os.stat(plain.announcement[name]).st_mode & 0o7777, 0o600)
            directory, base = os.path.split(plain.announcement[name])
            self.assertEqual(directory, os.path.dirname(plain.path))
            self.assertTrue(base.startswith("socket."))

    def test_the_token_is_in_no_argument_environment_or_sandbox(self):
        server = self.pools.plain
        ways.run(server, "tcp", "import os")
        secret = ways.token(server).encode()
        for pid in server.children():
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, name), "rb") as file:
                    self.assertNotIn(secret, file.read())
        self.assertNotIn(secret.decode(), json.dumps(server.announcement))
        code = (
            "found = []\n"
            "for top, _, names in os.walk('/'):\n"
            "    if top.startswith(('/proc', '/sys', '/usr')): continue\n"
            "    found += [n for n in names if n.endswith(('.token', '.json')) and 'socket' in n]\n"
            "found += [k for k in os.environ if 'TOKEN' in k or 'LISTEN' in k]\nfound"
        )
        self.assertEqual(ways.run(server, "tcp", code).result, [])

    def test_code_cannot_connect_to_the_pool_over_tcp(self):
        address = urllib.parse.urlsplit(self.pools.plain.announcement["tcp"])
        code = "import socket\ntry: socket.create_connection(('127.0.0.1', %d), 5)\nexcept OSError: 'refused'"
        self.assertNotEqual(address.port, 0)
        execution = ways.run(self.pools.plain, "unix", (code % address.port).replace("'refused'", "print('refused')"))
        self.assertEqual(execution.stdout, "refused\n")

    # ---- TCP and TLS ----

    def test_tcp_listens_on_the_loopback_interface_alone(self):
        ports = {"%04X" % urllib.parse.urlsplit(s.announcement["tcp"]).port
                 for s in (self.pools.plain, self.pools.tls)}
        bound = []
        for name in ("tcp", "tcp6"):
            with open("/proc/net/" + name) as lines:
                for line in list(lines)[1:]:
                    address, port = line.split()[1].split(":")
                    if port in ports and line.split()[3] == "0A":
                        bound.append((name, address))
        self.assertEqual(bound, [("tcp", "0100007F")] * 2)

    def test_the_certificate_is_shown_and_old_versions_are_refused(self):
        with ways.dial(self.pools.tls, "tls") as sock:
            self.assertIn(sock.version(), ("TLSv1.2", "TLSv1.3"))
            names = [value for _, value in sock.getpeercert()["subjectAltName"]]
            self.assertIn("pool.test", names)
        self.assertTrue(self.pools.tls.announcement["tcp"].startswith("https://127.0.0.1:"))
        with self.assertRaises(ssl.SSLCertVerificationError):
            ways.dial(self.pools.tls, "tls", "other.example.org")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with ways.dial(self.pools.tls, "tcp") as sock, self.assertRaises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(sock)

    def test_plain_text_on_the_tls_port_is_not_answered(self):
        with ways.dial(self.pools.tls, "tcp") as sock:
            ways.send(sock, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertNotIn(b"HTTP/1.1 ", ways.read_all(sock))
        self.assertEqual(ways.run(self.pools.tls, "tls", "1").result, 1)


if __name__ == "__main__":
    pool.main()
