"""Files of a session over the REST API, in both families, and what code does about them."""

import http.client
import os
import re
import signal
import threading
import unittest
import urllib.parse

import pool
from pool import NEWEST, VERSION, query

OLD = "2024-02-02-preview"
MIDDLE = "2025-02-02-preview"
A = (OLD, "2024-08-02-preview")
B = (VERSION, MIDDLE, NEWEST)
TIME = {7: re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$"),
        9: re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")}
BOUND = "----bound"
BLOCK = 1024 * 1024


def form(content, name="a.txt", disposition=None, bound=BOUND, headers=b""):
    """A multipart body with one file."""
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    if disposition is None:
        disposition = b'form-data; name="file"; filename="' + name + b'"'
    bound = bound.encode()
    return (b"--" + bound + b"\r\nContent-Disposition: " + disposition + b"\r\n" + headers +
            b"\r\n" + content + b"\r\n--" + bound + b"--\r\n")


def quote(name):
    return urllib.parse.quote(name, safe="")


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--max-sessions", "3").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def setUp(self):
        self.pool.delete("files")

    def target(self, place, version, identifier="files", **names):
        return place + "?" + query(identifier=identifier, **{"api-version": version}, **names)

    def call(self, method, place, version=VERSION, body=None, headers=None, **names):
        return self.pool.request(method, self.target(place, version, **names), body, headers)

    def upload(self, content, name="a.txt", version=VERSION, path=None, **options):
        names = {} if path is None else {"path": path}
        place = "/files/upload" if version in A else "/files"
        kind = options.pop("type", "multipart/form-data; boundary=" + BOUND)
        return self.call("POST", place, version, form(content, name, **options),
                         {"Content-Type": kind}, **names)

    def download(self, name, version=VERSION, **names):
        place = "/files/content/%s" if version in A else "/files/%s/content"
        return self.call("GET", place % name, version, **names)

    def list(self, version=VERSION, **names):
        answer = self.call("GET", "/files", version, **names)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["value"]

    def run_code(self, code):
        execution = self.pool.run(code, "files")
        self.assertEqual(execution.stderr, "")
        return execution.result

    def assert_error(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.json["error"]["code"], code)
        self.assertEqual(answer.headers["x-ms-error-code"], code)

    # ---- shapes ----

    def test_the_older_family_numbers_its_objects_and_tells_times_with_seven_digits(self):
        for version in A:
            self.assertEqual(self.call("GET", "/files", version, path="").body, b'{"$id":"1","value":[]}')
            answer = self.upload(b"content", "cert.txt", version)
            self.assertEqual(answer.status, 200)
            text = re.sub(rb'(Time":")[^"]*', rb"\g<1>T", answer.body)
            one = b'"filename":"cert.txt","size":7,"lastModifiedTime":"T"}}'
            wanted = b'{"$id":"1","value":[{"$id":"2","properties":{"$id":"3",' + one + b"]}"
            self.assertEqual(text, wanted)
            time = answer.json["value"][0]["properties"]["lastModifiedTime"]
            self.assertRegex(time, TIME[7])
            answer = self.call("GET", "/files/cert.txt", version)
            self.assertEqual(re.sub(rb'(Time":")[^"]*', rb"\g<1>T", answer.body),
                             b'{"$id":"1","properties":{"$id":"2",' + one)
            answer = self.download("cert.txt", version)
            self.assertEqual((answer.status, answer.body), (200, b"content"))
            self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
            self.assertEqual(answer.headers["Content-Length"], "7")
            self.upload(b"", "b.txt", version)
            self.run_code("import os; os.mkdir('sub')")
            numbers = re.findall(rb'"\$id":"(\d+)"', self.call("GET", "/files", version).body)
            self.assertEqual(numbers, [b"1", b"2", b"3", b"4", b"5"])
            answer = self.call("DELETE", "/files/cert.txt", version)
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assert_error(self.download("cert.txt", version), 404, "FileNotFound")
            self.pool.delete("files")

    def test_the_newer_family_is_flat_and_lists_directories(self):
        for version in B:
            self.assertEqual(self.call("GET", "/files", version).body, b'{"value":[]}')
            answer = self.upload(b"a,b\n", "table.CSV", version)
            self.assertEqual(answer.status, 200)
            one = answer.json
            self.assertRegex(one.pop("lastModifiedAt"), TIME[9])
            self.assertEqual(one, {"name": "table.CSV", "type": "file", "contentType": "text/csv",
                                   "sizeInBytes": 4, "directory": "."})
            self.run_code("import os; os.mkdir('sub'); open('sub/x', 'w').write('12')")
            listed = self.list(version)
            for entry in listed:
                self.assertRegex(entry.pop("lastModifiedAt"), TIME[9])
            self.assertEqual(listed, [
                {"name": "sub", "type": "directory", "sizeInBytes": 4096, "directory": "."}, one])
            below = self.list(version, path="sub")
            self.assertEqual([(entry["name"], entry["directory"]) for entry in below], [("x", "sub")])
            self.assertEqual(self.call("GET", "/files/x", version, path="sub").json["sizeInBytes"], 2)
            self.assertEqual(self.call("DELETE", "/files/x", version, path="/mnt/data/sub").status, 204)
            self.assertEqual(self.list(version, path="sub"), [])
            self.pool.delete("files")

    def test_the_newest_version_lists_recursively(self):
        self.run_code("import os; os.makedirs('a/b/c'); [open(p + '/f', 'w') for p in ('a', 'a/b/c')]; 0")
        listed = [(e["directory"], e["name"]) for e in self.list(NEWEST, recursive="true")]
        self.assertEqual(listed, [(".", "a"), ("a", "b"), ("a", "f"), ("a/b", "c"), ("a/b/c", "f")])
        self.assertEqual(len(self.list(NEWEST, recursive="False")), 1)
        self.assertEqual(len(self.list(VERSION, recursive="true")), 1)
        answer = self.call("GET", "/files", NEWEST, recursive="deep")
        self.assert_error(answer, 400, "SessionRequestValidationFailed")

    def test_files_are_those_of_the_code_in_both_directions(self):
        self.upload(b"\0\xff\r\n--x", "bytes")
        self.assertEqual(self.run_code("list(open('/mnt/data/bytes', 'rb').read())"), [0, 255, 13, 10, 45, 45, 120])
        self.run_code("open('/mnt/data/bytes', 'ab').write(b'!')")
        self.assertEqual(self.download("bytes").body, b"\0\xff\r\n--x!")
        self.run_code("import os; os.remove('bytes')")  # it is the session's own
        self.assertEqual(self.list(), [])

    def test_the_first_call_with_an_identifier_makes_its_session(self):
        self.pool.delete("files")
        self.assertEqual(self.list(), [])
        self.upload(b"1")
        self.assertEqual(self.run_code("open('a.txt').read()"), "1")
        self.pool.delete("files")
        self.assertEqual(self.list(), [])
        self.assert_error(self.download("a.txt"), 404, "FileNotFound")

    # ---- what clients send ----

    def test_names_come_quoted_as_tokens_and_extended(self):
        rows = (
            (b'form-data; name="file"; filename="a b.txt"', "a b.txt"),
            (b"form-data; name=file; filename=plain.txt; filename*=utf-8''plain.txt", "plain.txt"),
            (b"form-data; name=file; filename=\"=?utf-8?B?w6k=?=\"; filename*=utf-8''%C3%A9.txt", "\u00e9.txt"),
            ("form-data; name=\"file\"; filename=\"\u20ac.txt\"".encode(), "\u20ac.txt"),
            (b'form-data; filename="first.txt"; name="file"', "first.txt"),
            (b'FORM-DATA; Name="file"; FileName="case.txt"', "case.txt"),
            (b'form-data; name="file"; filename="/mnt/data/full.txt"', "full.txt"),
            (b'form-data; name="file"; filename="semi;colon=1.txt"', "semi;colon=1.txt"),
        )
        for disposition, name in rows:
            for version in (OLD, VERSION):
                answer = self.upload(b"x", version=version, disposition=disposition)
                self.assertEqual(answer.status, 200, (disposition, answer.body))
                self.assertEqual(self.download(quote(name), version).body, b"x", name)

    def test_boundaries_come_quoted_and_parts_without_a_file_are_skipped(self):
        quoted = self.upload(b"x", type='multipart/form-data; boundary="%s"' % BOUND)
        self.assertEqual(quoted.status, 200)
        field = b"--" + BOUND.encode() + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
        kind = {"Content-Type": "multipart/form-data; charset=x; boundary=" + BOUND}
        answer = self.call("POST", "/files", body=b"preamble\r\n" + field + form(b"y") + b"end", headers=kind)
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.download("a.txt").body, b"y")
        self.assertEqual(self.upload(b"z", headers=b"Content-Type: text/plain\r\n").status, 200)

    def test_a_form_that_calls_itself_json_is_taken_for_what_it_is(self):
        for kind in ("application/json", "application/json; charset=utf-8"):
            answer = self.call("POST", "/files", body=form(b"\r\n--bo\r\nx"), headers={"Content-Type": kind})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.download("a.txt").body, b"\r\n--bo\r\nx")
        end = ("--%s--\r\n" % BOUND).encode()
        for body in (b"", b"{}", b'{"a":1}', b"--", b"--\r\n\r\n", b"--" + b"x" * 300 + b"\r\n", b"-x\r\n", end):
            answer = self.call("POST", "/files", body=body, headers={"Content-Type": "application/json"})
            self.assert_error(answer, 400, "SessionRequestValidationFailed")

    def test_content_that_looks_like_a_boundary_is_content(self):
        mark = b"\r\n--" + BOUND.encode()
        nearly = (mark[:-1], b"\r" + mark[:-1] + b"\r\r\n--", b"--" + mark[4:])
        for content in (b"", b"\r", b"\r\n", b"\r\n\r\n-", *nearly):
            self.assertEqual(self.upload(content).status, 200)
            self.assertEqual(self.download("a.txt").body, content)

    def test_the_legacy_upload_and_paths_with_raw_or_encoded_slashes(self):
        kind = {"Content-Type": "multipart/form-data; boundary=" + BOUND}
        answer = self.call("POST", "//python/uploadFile", OLD, form(b"old", "old.txt"), kind)
        self.assertEqual(answer.json["value"][0]["properties"]["filename"], "old.txt")
        self.upload(b"deep", "d.txt", path="one/two")
        base = "/subscriptions/1/resourceGroups/files/sessionPools/content"
        for path in ("/files/one/two/d.txt/content", "/files/one%2Ftwo%2Fd.txt/content/",
                     "//files//one//two/d.txt//content", base + "/files/one/two/d.txt/content"):
            self.assertEqual(self.call("GET", path).body, b"deep", path)
        for path in ("/files/content/one/two/d.txt", base + "/files/content/one%2Ftwo/d.txt/"):
            self.assertEqual(self.call("GET", path, OLD).body, b"deep", path)
        self.assertEqual(self.download("d.txt", path="/mnt/data//one/two/").body, b"deep")

    def test_names_like_operations_are_names(self):
        for name in ("content", "upload", "files", "executions", "session", "metadata", "%25",
                     "a%2520b", "%23", "a&b;c=d"):
            real = urllib.parse.unquote(name)
            self.assertEqual(self.upload(b"n", real).status, 200, name)
            self.assertEqual(self.call("GET", "/files/" + name).json["name"], real)
            self.assertEqual(self.download(name).body, b"n")
            self.assertEqual(self.call("DELETE", "/files/" + name).status, 204)

    # ---- bad names ----

    def test_names_that_may_not_be_are_refused_on_upload(self):
        rows = (
            ("..", "FileNameInvalid"), (".", "FileNameInvalid"), ("", "FileNameInvalid"),
            ("../a", "FilePathInvalid"), ("a/../../b", "FilePathInvalid"), ("/etc/passwd", "FileNameInvalid"),
            ("/mnt/data/../x", "FilePathInvalid"), ("/mnt/datax", "FileNameInvalid"), ("/mnt/data", "FileNameInvalid"),
            ("a\0b", "FileNameInvalid"), ("a\nb", "FileNameInvalid"), ("a\x7fb", "FileNameInvalid"),
            ("a\\b", "FileNameInvalid"), ("a\u0085b", "FileNameInvalid"), ("a*b", "FileNameInvalid"),
            ("a\udcffb", "FileNameInvalid"), ("x" * 256, "FileNameInvalid"), ("x" * 4096, "FileNameInvalid"),
            ("a/" * 33 + "b", "FilePathInvalid"), ("d.x/b", "FilePathInvalid"), ("dir/", "FileNameInvalid"),
            (".semkernel-up-0123456789abcdef", "FileNameInvalid"),
        )
        for name, code in rows:
            for version in (OLD, VERSION):
                with self.subTest(name=name[:40], version=version):
                    self.assert_error(self.upload(b"x", name, version), 400, code)
        self.assertEqual(self.list(), [])
        self.assertEqual(self.upload(b"x", "x" * 255).status, 200)
        self.assertEqual(self.download("x" * 255).body, b"x")
        for path in ("..", "a/../b", "/etc", "/mnt", "a.b", "a\\b", "a\nb", "/".join("a" * 33), "x" * 256):
            self.assert_error(self.upload(b"x", path=path), 400, "FilePathInvalid")
            self.assert_error(self.call("GET", "/files", path=path), 400, "FilePathInvalid")

    def test_names_that_may_not_be_are_refused_on_the_other_operations(self):
        for name in ("%2E%2E", "..%2F..%2Fetc%2Fpasswd", "a%00b", "a%0Ab", "a%5Cb", "%FF", "x" * 256,
                     "x" * 4096, "%2E"):
            for answer in (self.download(name), self.download(name, OLD), self.call("GET", "/files/" + name),
                           self.call("DELETE", "/files/" + name)):
                self.assertEqual(answer.status, 400, (name, answer.body))
                self.assertIn(answer.json["error"]["code"], ("FileNameInvalid", "FilePathInvalid"))

    def test_bodies_that_are_no_form_with_one_file(self):
        kind = "multipart/form-data; boundary=" + BOUND
        end = ("--%s--\r\n" % BOUND).encode()
        two = form(b"1", "a.txt")[: -len(end)] + form(b"2", "b.txt")
        for header, body in (
            ("text/plain", b"x"), ("multipart/form-data", form(b"x")), ("multipart/form-data; boundary=", form(b"x")),
            (kind + "x" * 300, form(b"x")), (kind, b""), (kind, b"nothing"), (kind, form(b"x")[:-8]),
            (kind, end), (kind, two), (kind, form(b"x", disposition=b'form-data; name="file"')),
            (kind, form(b"x").replace(b"bound\r\n", b"bound!\r\n", 1)),
            (kind, form(b"x", headers=b"Content-Transfer-Encoding: base64\r\n")),
            (kind, form(b"x", headers=b"X: " + b"y" * 20000 + b"\r\n")),
        ):
            with self.subTest(header=header[:60], body=body[:40]):
                answer = self.call("POST", "/files", body=body, headers={"Content-Type": header})
                self.assert_error(answer, 400, "SessionRequestValidationFailed")
        self.assertEqual(self.list(), [])
        self.assertEqual(self.run_code("import os; os.listdir()"), [])

    # ---- sizes ----

    def test_large_files_come_and_go_whole_and_the_server_does_not_grow(self):
        before = self.memory()
        content = bytes(range(256)) * (64 * BLOCK // 256) + b"tail"
        self.assertEqual(self.upload(content).json["sizeInBytes"], len(content))
        self.assertEqual(self.download("a.txt").body, content)
        self.assertEqual(self.download("a.txt", OLD).body, content)
        self.assertLess(self.memory() - before, 24 * BLOCK)

    def memory(self):
        with open("/proc/%d/status" % self.pool.server_pid) as text:
            return int(re.search(r"VmHWM:\s+(\d+)", text.read()).group(1)) * 1024

    def test_more_than_the_limit_is_413_and_more_than_the_space_507_and_nothing_is_left(self):
        self.assert_error(self.upload(b"x" * (128 * BLOCK + 1)), 413, "FileTooLarge")
        self.assertEqual(self.run_code("import os; os.listdir()"), [])
        fill = "open('big', 'wb').write(bytes(100 * 1024 * 1024))"
        pool.wait_until(lambda: self.pool.run(fill, "files").status == "Succeeded", "space is free")
        self.assert_error(self.upload(b"x" * (40 * BLOCK)), 507, "InsufficientStorage")
        pool.wait_until(lambda: self.run_code("import os; os.listdir()") == ["big"], "it was cleared")
        self.run_code("import os; os.remove('big')")
        pool.wait_until(lambda: self.upload(b"x" * (40 * BLOCK)).status == 200, "space is free")

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        self.upload(b"before")
        body = form(b"y" * (8 * BLOCK))
        head = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
                "Content-Type: multipart/form-data; boundary=%s\r\n\r\n")
        head %= (self.target("/files", VERSION), len(body), BOUND)
        connection = self.pool.connect()
        connection.connect()
        connection.sock.sendall(head.encode() + body[: 4 * BLOCK])
        pool.wait_until(lambda: len(self.run_code("import os; os.listdir()")) == 2, "it has begun")
        self.assertEqual(len(self.list()), 1)
        connection.close()
        pool.wait_until(lambda: self.run_code("import os; os.listdir()") == ["a.txt"], "it was cleared")
        self.assertEqual(self.download("a.txt").body, b"before")

    def test_a_download_that_breaks_off_and_a_file_that_shrinks_harm_nobody(self):
        self.run_code("open('big', 'wb').write(bytes(64 * 1024 * 1024))")
        for shrinks in (False, True):
            connection = self.pool.connect()
            connection.request("GET", self.target("/files/big/content", VERSION))
            response = connection.getresponse()
            response.read(BLOCK)
            if shrinks:
                self.run_code("open('big', 'wb').close()")
                with self.assertRaises(Exception):
                    while response.read(BLOCK):
                        pass
                    raise EOFError
            connection.close()
        self.assertEqual(self.download("big").body, b"")

    def test_a_server_that_ends_cuts_what_is_half_through(self):
        body = form(b"y" * (8 * BLOCK))
        head = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
                "Content-Type: multipart/form-data; boundary=%s\r\n\r\n")
        head %= (self.target("/files", VERSION), len(body), BOUND)
        with pool.Pool() as ending:
            self.assertEqual(ending.run("open('big', 'wb').write(bytes(32 << 20))", "files").result, 32 << 20)
            upload, download = ending.connect(), ending.connect()
            upload.connect()
            upload.sock.sendall(head.encode() + body[: 3 * BLOCK])
            download.request("GET", self.target("/files/big/content", VERSION))
            response = download.getresponse()
            response.read(BLOCK)
            os.kill(ending.pid, signal.SIGTERM)
            self.assertEqual(ending.process.wait(pool.PATIENCE), 0, ending.complaint())
            with self.assertRaises(http.client.IncompleteRead):
                response.read()
            upload.close()
            download.close()

    # ---- what code does about them ----

    def test_links_devices_and_pipes_lead_nowhere(self):
        self.run_code("import os; os.symlink('/etc/passwd', 'link'); os.symlink('/', 'root'); os.symlink('.', 'here')"
                      "; os.symlink('/proc/self/fd', 'fds'); open('real', 'w').write('r')")
        for name in ("link", "root/etc/passwd", "here/real", "fds/0", "root"):
            self.assert_error(self.download(name), 404, "FileNotFound")
            self.assert_error(self.call("GET", "/files/" + name, OLD), 404, "FileNotFound")
            self.assert_error(self.call("DELETE", "/files/" + name), 404, "FileNotFound")
        for path in ("root", "here", "root/etc"):
            self.assertEqual(self.call("GET", "/files", path=path).status, 404)
            self.assert_error(self.upload(b"x", path=path), 404, "FileNotFound")
        self.assertEqual([entry["name"] for entry in self.list()], ["real"])
        self.assertEqual(self.upload(b"new", "link").status, 200)  # in place of the link
        self.assertEqual(self.run_code("import os; (os.path.islink('link'), open('link').read())"), [False, "new"])
        self.assert_error(self.upload(b"x", "sub", path="real"), 404, "FileNotFound")
        self.run_code("import os; os.mkdir('dir')")
        self.assert_error(self.upload(b"x", "dir"), 400, "FileNameInvalid")
        self.assert_error(self.call("DELETE", "/files/dir"), 400, "FileNameInvalid")
        self.assert_error(self.download("dir"), 404, "FileNotFound")

    def test_a_file_and_a_link_that_change_places_give_the_file_or_nothing(self):
        self.run_code("import os\nopen('real', 'w').write('mine'); os.symlink('/etc/passwd', 'link')\n"
                      "os.mkdir('d'); open('d/f', 'w').write('mine'); os.symlink('/etc', 'e')")
        race = ("import ctypes\nswap = ctypes.CDLL(None).renameat2\n"
                "while True:\n swap(-100, b'real', -100, b'link', 2); swap(-100, b'd', -100, b'e', 2)")
        racer = threading.Thread(target=self.pool.run, args=(race, "files"), kwargs={"timeoutInSeconds": 4})
        racer.start()
        seen = set()
        while racer.is_alive():
            for answer in (self.download("real"), self.download("d/f"), self.call("DELETE", "/files/link"),
                           self.upload(b"up", "passwd", path="d")):
                self.assertIn(answer.status, (200, 204, 404))
                seen.add(answer.status)
                self.assertNotIn(b"root:", answer.body)
            self.upload(b"mine", "link")
        racer.join()
        self.assertIn(200, seen)
        self.assertIn(404, seen)

    def test_two_thousand_directories_deep(self):
        self.run_code("import os\nfor _ in range(2000):\n os.mkdir('d'); os.chdir('d')\n"
                      "open('bottom', 'w').close()\nos.chdir('/mnt/data')")
        self.assertEqual(len(self.list(NEWEST, recursive="true")), 33)
        self.assertEqual(len(self.list()), 1)
        self.assertEqual(self.pool.delete("files").status, 204)
        self.assertEqual(self.list(), [])

    def test_names_that_are_no_text_are_shown_encoded_and_cannot_be_asked_for(self):
        self.run_code("for n in (b'\\xff%', b'a\\nb', b'\\xc2\\x85', b'plain+~'): open(n, 'w').close()")
        names = sorted(entry["name"] for entry in self.list())
        self.assertEqual(names, ["%C2%85", "%FF%25", "a%0Ab", "plain+~"])
        self.assertEqual(self.download("plain+~").status, 200)
        self.assertEqual(self.download("%FF%25").status, 400)

    def test_ten_thousand_files_come_a_page_at_a_time(self):
        with pool.Pool("--data-inodes", "20000") as large:
            code = "for i in range(10500): open('%05d' % i, 'w').close()"
            self.assertEqual(large.run(code, "files").stderr, "")
            target = "/base" + self.target("/files", NEWEST)
            names, pages = [], 0
            while target is not None:
                body = large.request("GET", target).json
                names += [entry["name"] for entry in body["value"]]
                pages += 1
                link = body.get("nextLink")
                self.assertTrue(link is None or link.startswith("http://localhost/base/files?"), link)
                target = link and link[len("http://localhost"):]
            self.assertEqual((pages, len(names), len(set(names))), (10, 10000, 10000))
            older = large.request("GET", self.target("/files", OLD)).json["value"]
            self.assertEqual(len(older), 10000)
            answer = large.request("GET", self.target("/files", NEWEST, skip="-1"))
            self.assert_error(answer, 400, "SessionRequestValidationFailed")

    # ---- sessions and pool ----

    def test_a_full_pool_refuses_and_a_place_that_becomes_free_is_waited_for(self):
        for name in ("files-1", "files-2", "files-3"):
            self.pool.run("1", name)
        answer = self.call("GET", "/files")
        self.assertEqual((answer.status, answer.json["code"]), (429, "SessionsCountExceedsLimit"))
        answer = self.upload(b"x" * 4 * BLOCK)
        self.assertEqual((answer.status, answer.json["code"]), (429, "SessionsCountExceedsLimit"))
        for name in ("files-1", "files-2", "files-3"):
            self.pool.delete(name)
            self.assertEqual(self.call("GET", "/files").json, {"value": []})
            self.pool.delete("files")

    def test_missing_identifiers_and_methods(self):
        answer = self.pool.request("GET", "/files?api-version=" + VERSION)
        self.assert_error(answer, 400, "SessionRequestValidationFailed")
        for version, path, methods in ((VERSION, "/files", "GET, POST"), (VERSION, "/files/a", "GET, DELETE"),
                                       (OLD, "/files/upload", "GET, POST, DELETE"), (OLD, "/files", "GET")):
            answer = self.call("PUT", path, version)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, methods), path)


if __name__ == "__main__":
    pool.main()
