"""Requests that do not come in time, and more clients than may be."""

import json
import re
import select
import ssl
import time
import unittest

import pool
import ways

BODY = b'{"code":"6 * 7"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
END = b"Connection: close\r\n\r\n"
CONNECTIONS = 20
METADATA = "/metadata?api-version=" + pool.NEWEST


class Slow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pools = ways.Pools("--request-timeout", "1", "--connections", str(CONNECTIONS))

    @classmethod
    def tearDownClass(cls):
        cls.pools.end()

    def assert_serves(self, kind, server):
        self.assertEqual(ways.run(server, kind, "6 * 7").result, 42)

    def assert_cut(self, kind, sock):
        """Ended by the server, with 408 where that can be said."""
        wanted = [] if kind == "tls" else ["408"]
        self.assertEqual(ways.statuses(ways.read_all(sock)), wanted)

    def starts(self, server, kind):
        """Beginnings of requests that never come to their end."""
        head = ways.head(server, kind)
        return (b"", b"P", head, head + LENGTH, head + LENGTH + b"\r\n", head + LENGTH + b"\r\n{",
                head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n",
                head + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 40000)

    def test_requests_that_do_not_come_to_their_end_are_cut_and_others_served_meanwhile(self):
        slow = []
        for kind, server in self.pools.ways:
            for start in self.starts(server, kind):
                slow.append((kind, ways.dial(server, kind)))
                ways.send(slow[-1][1], start)
        for kind, server in self.pools.ways:
            self.assert_serves(kind, server)
        for kind, sock in slow:
            self.assert_cut(kind, sock)
            sock.close()
        for kind, server in self.pools.ways:
            self.assert_serves(kind, server)

    def counted(self, event):
        text = ways.request(self.pools.plain, "unix", "GET", "/metrics").body.decode()
        return int(re.search(r'_connections_total\{event="%s"\} (\d+)' % event, text)[1])

    def test_connections_that_are_cut_are_counted(self):
        before = self.counted("too_slow")
        with ways.dial(self.pools.plain, "unix") as sock:
            self.assert_cut("unix", sock)
        self.assertEqual(self.counted("too_slow"), before + 1)

    def test_a_handshake_that_does_not_come_to_its_end_is_cut(self):
        socks = [ways.dial(self.pools.tls, "tcp") for _ in range(2)]
        ways.send(socks[1], b"\x16\x03\x01\x02\x00")
        for sock in socks:
            self.assertEqual(ways.statuses(ways.read_all(sock)), [])
            sock.close()
        self.assert_serves("tls", self.pools.tls)

    def test_bytes_one_by_one_do_not_win_time(self):
        drops = {}
        for kind, server in self.pools.ways:
            head = ways.head(server, kind)
            for start, drop in ((head + b"X: ", b"y"), (head + b"Content-Length: 1000\r\n\r\n", b" ")):
                sock = ways.dial(server, kind)
                sock.sendall(start)
                drops[sock] = kind, drop
        end = time.monotonic() + pool.PATIENCE
        while drops:
            self.assertLess(time.monotonic(), end, "they were not cut")
            for sock in select.select(list(drops), [], [], 0.02)[0]:
                self.assert_cut(drops.pop(sock)[0], sock)
                sock.close()
            for sock, (_, drop) in drops.items():
                ways.send(sock, drop)

    def test_much_at_first_does_not_win_time_for_the_rest(self):
        slow = [(kind, ways.dial(server, kind)) for kind, server in self.pools.ways]
        for (kind, sock), (_, server) in zip(slow, self.pools.ways):
            ways.send(sock, ways.head(server, kind) + b"Content-Length: 4000000\r\n\r\n" + b" " * 3000000)
        for kind, sock in slow:
            self.assert_cut(kind, sock)
            sock.close()

    def test_a_steady_body_may_take_longer(self):
        socks = [ways.dial(server, kind) for kind, server in self.pools.ways]
        for sock, (kind, server) in zip(socks, self.pools.ways):
            sock.sendall(ways.head(server, kind) + b"Content-Length: %d\r\n" % (14 * 1024 + len(BODY)) + END)
        for _ in range(14):  # 2.1 s, at several times the least rate
            self.assertFalse(select.select(socks, [], [], 0.15)[0], "one was cut")
            for sock in socks:
                sock.sendall(b" " * 1024)
        for sock in socks:
            sock.sendall(BODY)
            self.assertEqual(ways.statuses(ways.read_all(sock)), ["200"])
            sock.close()

    def test_whoever_waits_for_an_answer_is_not_cut(self):
        waiting = [ways.Way(server, kind) for kind, server in self.pools.ways]
        for number, connection in enumerate(waiting):
            body = json.dumps({"code": "import time; time.sleep(1.5); 'slept'"})
            connection.request("POST", ways.TARGET + "-%d" % number, body)
        for connection in waiting:
            self.assertEqual(pool.Execution(pool.Answer(connection.getresponse())).result, "slept")
            connection.close()

    def test_half_closed_requests_end_at_once(self):
        for kind, server in self.pools.ways[:2]:
            with self.subTest(way=kind):
                for start in self.starts(server, kind)[:-1]:
                    with ways.dial(server, kind) as sock:
                        sock.sendall(start)
                        sock.shutdown(1)  # no more will be sent
                        self.assertEqual(ways.statuses(ways.read_all(sock)), [])
                self.assert_serves(kind, server)

    def test_as_many_as_may_be_are_served_and_the_next_is_told(self):
        for kind, server in self.pools.ways:
            away = self.counted("turned_away")
            busy = [ways.Way(server, kind) for _ in range(CONNECTIONS)]
            for connection in busy:  # all of one session: one runs, the others wait for it
                connection.request("POST", ways.TARGET, json.dumps({"code": "while True: pass"}))
            pool.wait_until(lambda: self.refused(kind, server), "the next was refused")
            if kind != "tls":
                answer = ways.request(server, kind, "GET", METADATA)
                self.assertEqual(answer.status, 503)
                self.assertEqual(answer.headers["Retry-After"], "1")
                self.assertEqual(answer.json["error"]["code"], "TooManyConnections")
            for connection in busy:
                connection.close()
            pool.wait_until(lambda: not self.refused(kind, server), "there was room")
            self.assert_serves(kind, server)
            if kind != "tls":
                self.assertGreater(self.counted("turned_away"), away)

    def refused(self, kind, server):
        try:
            answer = ways.request(server, kind, "GET", METADATA)
            return answer.status == 503
        except (ConnectionError, ssl.SSLError):
            return True

    def test_a_connection_that_is_kept_for_nothing_makes_room(self):
        for kind, server in self.pools.ways:
            kept = [ways.Way(server, kind) for _ in range(CONNECTIONS)]
            for connection in kept:
                connection.request("GET", METADATA)
                connection.getresponse().read()
            self.assert_serves(kind, server)
            self.assertEqual(kept[0].sock.recv(1), b"")  # the one that waited longest
            kept[1].request("GET", METADATA)
            self.assertEqual(kept[1].getresponse().status, 200)
            for connection in kept:
                connection.close()


if __name__ == "__main__":
    pool.main()
