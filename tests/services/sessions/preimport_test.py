"""What a session's Python has when its first code comes: modules, fonts, packages."""

import concurrent.futures
import contextlib
import importlib.metadata
import os
import subprocess
import unittest

import pool

MODULES = "import sys\n[name for name in ('numpy', 'matplotlib.pyplot', 'json') if name in sys.modules]"
EX_USAGE = 64


def metadata(server):
    """The answer comes when packages and fonts are known."""
    answer = server.request("GET", "/metadata?" + pool.query(**{"api-version": pool.NEWEST}))
    assert answer.status == 200, answer.body
    return answer.json


def start(preimport, *flags):
    return pool.Pool("--verbose", *flags, environment={"SEMKERNEL_SESSIOND_PREIMPORT": preimport})


def wait_until_warm(server):
    pool.wait_until(lambda: "worker_warm" in server.complaint(), "a worker was warm")


class Preimport(unittest.TestCase):
    def test_warm_workers_have_imported_numpy_and_pyplot_by_themselves(self):
        with start("", "--warm-min", "1") as server:  # an empty variable is none
            wait_until_warm(server)
            execution = server.run(MODULES)
            self.assertEqual(execution.result, ["numpy", "matplotlib.pyplot", "json"])
            execution = server.run("plt = sys.modules['matplotlib.pyplot']; plt.plot([1]); None")
            self.assertEqual(execution.result["type"], "image")
            self.assertEqual(server.run("sorted(globals())[:1]", "another-session").result, ["__builtins__"])

    def test_only_workers_that_wait_import(self):
        with start("numpy", "--warm-min", "0") as server:
            self.assertEqual(server.run(MODULES).result, ["json"])
        with start("none", "--warm-min", "1") as server:
            metadata(server)
            wait_until_warm(server)  # it was given the fonts
            self.assertEqual(server.run(MODULES).result, ["json"])

    def test_an_order_is_not_kept_waiting_by_imports_that_are_still_to_come(self):
        names = ",".join(["encodings.cp%d" % number for number in (437, 850, 1250, 1251)] * 30)
        with start(names, "--warm-min", "2") as server:
            for number in range(3):
                self.assertEqual(server.run("6 * 7", "session-%d" % number).result, 42)

    def test_modules_that_are_missing_are_reported_and_no_error(self):
        with start("this,no_such_module.part, json", "--warm-min", "1") as server:
            wait_until_warm(server)
            self.assertIn("imports=all missing", server.complaint())
            self.assertIn("no_such_module no_such_module.part", server.complaint())
            self.assertEqual(server.run("1").stdout, "")  # this prints a poem

    def test_default_leaves_small_sessions_their_memory(self):
        with start("", "--warm-min", "1", "--memory", "128M") as server:
            metadata(server)
            wait_until_warm(server)
            self.assertEqual(server.run(MODULES).result, ["json"])

    def test_wrong_names_are_refused_with_their_reason(self):
        for names, wrong in (("numpy,os; x", "os; x"), (".a", ".a"), ("a.", "a."), ("a b", "a b"), ("1a", "1a")):
            done = subprocess.run(
                [pool.program(), "--preimport", names], capture_output=True, text=True
            )
            self.assertEqual(done.returncode, EX_USAGE)
            self.assertIn('--preimport: "%s" is not the name of a module' % wrong, done.stderr)
        done = subprocess.run(
            [pool.program(), "--preimport", "a" * 5000], capture_output=True, text=True
        )
        self.assertIn("--preimport is too long", done.stderr)


class Survey(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool("--warm-min", "0", "--max-sessions", "8").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def test_metadata_lists_the_packages_of_the_sessions_python(self):
        answer = metadata(self.pool)
        packages = {package["name"]: package["version"] for package in answer["preInstalledPackages"]}
        self.assertEqual(packages["numpy"], importlib.metadata.version("numpy"))
        self.assertEqual(packages["pandas"], importlib.metadata.version("pandas"))
        self.assertEqual(list(packages), sorted(packages, key=str.lower))
        self.assertEqual(answer["runtimes"], [{"name": "Python", "version": self.pool.run(
            "import platform; platform.python_version()").result}])
        self.assertEqual(
            sorted(answer["jupyterKernel"]), ["description", "name", "projectUrl", "version"]
        )

    def test_everybody_who_asks_at_once_gets_the_same_answer(self):
        with pool.Pool("--warm-min", "0") as server:
            connection = server.connect()  # and one does not wait for it
            connection.request("GET", "/metadata?" + pool.query(**{"api-version": pool.NEWEST}))
            with concurrent.futures.ThreadPoolExecutor(4) as threads:
                answers = [threads.submit(metadata, server) for _ in range(4)]
                connection.close()
                packages = [answer.result()["preInstalledPackages"] for answer in answers]
            self.assertTrue(packages[0])
            self.assertEqual(packages[1:], packages[:1] * 3)

    def test_server_ends_while_packages_are_being_found_out(self):
        with pool.Pool("--warm-min", "0") as server:
            connection = server.connect()
            connection.request("GET", "/metadata?" + pool.query(**{"api-version": pool.NEWEST}))
            inside = server.children()
            server.process.terminate()
            server.process.wait(pool.PATIENCE)
            self.assertEqual(server.process.returncode, 0)
            connection.close()
            self.assertFalse(list(filter(pool.is_alive, inside)))

    def test_matplotlib_finds_its_list_of_fonts_and_need_not_make_it(self):
        metadata(self.pool)
        self.pool.delete("fonts-session")
        code = (
            "import os\ndef fonts():\n"
            "    return [(entry.name, entry.stat().st_mtime_ns) for entry in os.scandir('/tmp/mpl')]\n"
            "before = fonts()\n"
        )
        self.assertEqual(self.pool.run(code + "len(before)", "fonts-session").result, 1)
        code = "import matplotlib.font_manager\n[before == fonts(), before[0][0]]"
        same, name = self.pool.run(code, "fonts-session").result
        self.assertTrue(same)
        self.assertRegex(name, r"^fontlist-v\d+\.json$")

    def test_list_of_fonts_costs_no_descriptor_and_is_each_session_s_own(self):
        metadata(self.pool)
        code = (
            "import os\nname = '/tmp/mpl/' + os.listdir('/tmp/mpl')[0]\n"
            "open(name, 'a').write('spoiled')\nsorted(os.listdir('/proc/self/fd'), key=int)"
        )
        self.assertEqual(self.pool.run(code, "spoiling-session").result, ["0", "1", "2", "3", "4"])
        code = "import json, os\ntype(json.load(open('/tmp/mpl/' + os.listdir('/tmp/mpl')[0]))).__name__"
        self.assertEqual(self.pool.run(code, "clean-session").result, "dict")

    def test_nobody_can_write_to_the_list_that_the_server_gives_away(self):
        metadata(self.pool)
        directory = "/proc/%d/fd/" % self.pool.server_pid
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):
                if "memfd:fonts" in os.readlink(directory + name):
                    with open(directory + name, "r+b", buffering=0) as fonts:
                        self.assertRaises(PermissionError, fonts.write, b"x")
                    return
        self.fail("the server has no list of fonts")

    def test_session_that_was_restarted_keeps_what_it_has_made_of_the_list(self):
        metadata(self.pool)
        self.pool.run("import os, shutil; shutil.rmtree('/tmp/mpl'); os.symlink('/mnt/data', '/tmp/mpl')", "restarted")
        self.pool.run("os._exit(0)", "restarted")
        self.assertEqual(self.pool.run("import os; os.listdir('/mnt/data')", "restarted").result, [])


if __name__ == "__main__":
    pool.main()
