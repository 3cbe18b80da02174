"""Bytes that are no proper requests."""

import json
import unittest

import pool
import ways

BODY = b'{"code":"6 * 7"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
END = b"Connection: close\r\n\r\n"


class Malformed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pools = ways.Pools("--request-timeout", "3")

    @classmethod
    def tearDownClass(cls):
        cls.pools.end()

    def assert_serves(self, kind, server):
        self.assertEqual(ways.run(server, kind, "6 * 7").result, 42)

    def raw(self, kind, server, data):
        """All that is answered to these bytes until the connection ends."""
        with ways.dial(server, kind) as sock:
            ways.send(sock, data)
            return ways.read_all(sock)

    def check(self, rows):
        """Each row: bytes behind the first lines of a request, and the statuses that answer them."""
        for kind, server in self.pools.ways:
            head = ways.head(server, kind)
            for data, *wanted in rows:
                with self.subTest(way=kind, data=data[:60]):
                    got = ways.statuses(self.raw(kind, server, head + data))
                    self.assertIn(got[:1], [[status] for status in wanted])
            self.assert_serves(kind, server)

    def check_lines(self, rows):
        """Each row: a request line, and the statuses that answer it."""
        for kind, server in self.pools.ways:
            for line, *wanted in rows:
                with self.subTest(way=kind, line=line[:60]):
                    data = ways.head(server, kind, line) + END
                    self.assertIn("".join(ways.statuses(self.raw(kind, server, data))), wanted)
            self.assert_serves(kind, server)

    def test_request_lines_that_are_none_are_refused(self):
        target = ways.TARGET
        self.check_lines((
            ("GET", "400", ""), ("GET " + target, "400"), (" ", "400", ""), ("GET  HTTP/1.1", "400", "404"),
            ("GET %s HTTP/0.9" % target, "400", "505"), ("GET %s HTTP/2.0" % target, "505"),
            ("GET %s HTTP/9.9" % target, "505"), ("GET %s http/1.1" % target, "400", "505"),
            ("GET %s HTTP/1.1 x" % target, "400", "404", "505"), ("PRI * HTTP/2.0", "505"),
            ("GET nonsense HTTP/1.1", "400"), ("OPTIONS * HTTP/1.1", "400"),
            ("GET http://localhost%s HTTP/1.1" % target, "400"), ("CONNECT localhost:80 HTTP/1.1", "400"),
            ("GET /" + "a" * 40000 + " HTTP/1.1", "414"), ("A" * 40000 + " / HTTP/1.1", "414", "431"),
        ))

    def test_methods_that_no_operation_has_are_refused_and_head_has_no_body(self):
        rows = [("%s %s HTTP/1.1" % (method, ways.TARGET), "405")
                for method in ("GET", "OPTIONS", "TRACE", "CONNECT", "PUT", "PATCH", "post", "P@ST", "M" * 1000)]
        self.check_lines(rows)
        for kind, server in self.pools.ways:
            data = ways.head(server, kind, "HEAD %s HTTP/1.1" % ways.TARGET) + END
            answer = self.raw(kind, server, data)
            self.assertEqual(ways.statuses(answer), ["405"])
            self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_nothing_of_a_traced_request_comes_back(self):
        for kind, server in self.pools.ways:
            data = ways.head(server, kind, "TRACE %s HTTP/1.1" % ways.TARGET) + b"X-Secret: echo\r\n" + END
            self.assertNotIn(b"echo", self.raw(kind, server, data))

    def test_headers_that_are_none_are_refused(self):
        self.check((
            (b"nonsense\r\n" + END, "400"), (b": x\r\n" + END, "400"), (b"X Y: z\r\n" + END, "400"),
            (b"X\0Y: z\r\n" + END, "400"), (b"Content-Length : 5\r\n" + END, "400"),
            (b"X(Y): z\r\n" + END, "400"), (b"\xff: z\r\n" + END, "400"), (b"Host: localhost\r\n" + END, "400"),
            (b"Authorization: x\r\nAuthorization: y\r\n" + END, "400"),
        ))
        for kind, server in self.pools.ways:
            folded = ("POST %s HTTP/1.1\r\n folded: x\r\nHost: localhost\r\n\r\n" % ways.TARGET).encode()
            self.assertEqual(ways.statuses(self.raw(kind, server, folded)), ["400"])

    def test_too_large_heads_are_431_and_large_ones_are_read(self):
        self.check((
            (b"X: y\r\n" * 20000 + END, "431"), (b"X: " + b"y" * 40000 + b"\r\n" + END, "431"),
            (b"X" * 40000 + b": y\r\n" + END, "431"),
            (b"X: " + b"y" * 16000 + b"\r\n" + LENGTH + END + BODY, "200"),
        ))

    def test_lengths_that_are_none_or_two_are_refused(self):
        self.check((
            (b"Content-Length: -1\r\n" + END, "400"), (b"Content-Length: +16\r\n" + END + BODY, "400"),
            (b"Content-Length: 0x10\r\n" + END + BODY, "400"), (b"Content-Length: 16, 16\r\n" + END + BODY, "400"),
            (b"Content-Length: 16 16\r\n" + END + BODY, "400"), (b"Content-Length: 1e1\r\n" + END, "400"),
            (LENGTH * 2 + END + BODY, "400"), (LENGTH + b"Content-Length: 3\r\n" + END + BODY, "400"),
            (LENGTH + b"Transfer-Encoding: chunked\r\n" + END + BODY, "400"),
            (b"Transfer-Encoding: chunked\r\n" * 2 + END, "400"),
            (b"Content-Length: 99999999999999999999\r\n" + END, "413"),
            (b"Content-Length: 9999999999999999999\r\n" + END, "413"),
            (b"Content-Length: 200000000\r\n" + END, "413"),
        ))

    def test_what_follows_a_refused_request_is_no_request(self):
        smuggled = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s" % (ways.TARGET.encode(), LENGTH + END + BODY)
        for kind, server in self.pools.ways:
            for lines in (LENGTH + b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n" + LENGTH,
                          b"Transfer-Encoding: xchunked\r\n"):
                answer = self.raw(kind, server, ways.head(server, kind) + lines + b"\r\n0\r\n\r\n" + smuggled)
                self.assertEqual(ways.statuses(answer), ["400"])
                self.assertNotIn(b"42", answer.split(b"\r\n\r\n")[1])

    def test_chunked_bodies_are_read_and_abused_ones_are_refused(self):
        chunked = b"Transfer-Encoding: chunked\r\n" + END
        size = b"%x" % len(BODY)
        self.check((
            (chunked + b"5\r\n" + BODY[:5] + b"\r\nb\r\n" + BODY[5:] + b"\r\n0\r\n\r\n", "200"),
            (chunked + size + b";a=b\r\n" + BODY + b"\r\n0\r\n\r\n", "200"),
            (chunked + size + b"\r\n" + BODY + b"\r\n0\r\nHost: example.org\r\n\r\n", "200"),
            (chunked + b"0" * 10 + size + b"\r\n" + BODY + b"\r\n0\r\n\r\n", "200", "400"),
            (chunked + b"zz\r\n", "400"), (chunked + b"-5\r\nabcde\r\n0\r\n\r\n", "400"),
            (chunked + b"0x10\r\n" + BODY + b"\r\n0\r\n\r\n", "400"),
            (chunked + size + b"\r\n" + BODY + b"XX0\r\n\r\n", "400"),
            (chunked + b"fffffffffffffffff\r\nabc", "413", "400"),
            (chunked + b"\r\n\r\n", "400"),
            (b"Transfer-Encoding: gzip, chunked\r\n" + END, "400"), (b"Transfer-Encoding: xchunked\r\n" + END, "400"),
            (b"Transfer-Encoding: identity\r\n" + END, "400"), (b"Transfer-Encoding:\r\n" + END, "400"),
        ))

    def test_bodies_that_are_larger_than_code_may_be_are_413_on_each_way(self):
        for kind, server in self.pools.ways:
            for lines in (b"Content-Length: 8000000\r\n" + END + b"x" * 8000000,
                          b"Transfer-Encoding: chunked\r\n" + END + b"7a1200\r\n" + b"x" * 8000000 + b"\r\n0\r\n\r\n"):
                self.assertEqual(ways.statuses(self.raw(kind, server, ways.head(server, kind) + lines)), ["413"])
            self.assert_serves(kind, server)

    def test_requests_in_one_piece_are_answered_in_their_order(self):
        for kind, server in self.pools.ways:
            one = ways.head(server, kind) + b"Content-Length: %d\r\n\r\n%s"
            codes = [json.dumps({"code": "'number %d'" % number}).encode() for number in range(5)]
            data = b"".join(one % (len(code), code) for code in codes)
            last = ways.head(server, kind, "GET /nothing?api-version=%s HTTP/1.1" % pool.NEWEST) + END
            answer = self.raw(kind, server, data + last)
            self.assertEqual(ways.statuses(answer), ["200"] * 5 + ["404"])
            at = [answer.index(b"number %d" % number) for number in range(5)]
            self.assertEqual(at, sorted(at))

    def test_expectations_are_met_before_the_body_and_not_for_refused_requests(self):
        for kind, server in self.pools.ways:
            with ways.dial(server, kind) as sock:
                sock.sendall(ways.head(server, kind) + LENGTH + b"Expect: 100-continue\r\n" + END)
                self.assertTrue(sock.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n"))
                sock.sendall(BODY)
                self.assertEqual(ways.statuses(ways.read_all(sock)), ["200"])
            refused = ways.head(server, kind) + LENGTH + b"Origin: x\r\nExpect: 100-continue\r\n\r\n"
            self.assertEqual(ways.statuses(self.raw(kind, server, refused)), ["403"])
            unknown = ways.head(server, kind, "POST /nothing HTTP/1.1") + LENGTH + b"Expect: 100-continue\r\n\r\n"
            self.assertEqual(ways.statuses(self.raw(kind, server, unknown)), ["404"])

    def test_bytes_at_random_are_refused(self):
        handshake = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"
        for data in (bytes(range(256)) * 4, b"\0" * 1000 + b"\r\n\r\n", handshake):
            socks = [ways.dial(server, kind) for kind, server in self.pools.ways]
            for sock in socks:
                ways.send(sock, data)
            for sock in socks:
                self.assertIn(ways.statuses(ways.read_all(sock)), ([], ["400"], ["408"]))
                sock.close()
        for kind, server in self.pools.ways:
            self.assert_serves(kind, server)


if __name__ == "__main__":
    pool.main()
