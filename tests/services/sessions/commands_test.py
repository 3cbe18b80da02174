"""Lines that begin with ! or %, and everything else, which they must leave alone."""

import unittest

import pool

# code, executionResult, stdout
TABLE = (
    ("!echo hello", "", "hello\n"),
    ("  !echo indented", "", "indented\n"),
    ("!echo one; echo two >&2", "", "one\n"),
    ("!true && echo 'a  b' | tr a-z A-Z", "", "A  B\n"),
    ("!echo \"$HOME\" ${HOME} '$none'", "", "/mnt/data /mnt/data $none\n"),
    ("!echo a \\\n  b\n1/1", 1.0, "a b\n"),
    ("x = !echo one; echo two\nx", ["one", "two"], ""),
    ("a, b = !printf '1\\n2'\n[b, a]", ["2", "1"], ""),
    ("!!echo value", ["value"], ""),
    ("!printf '\\377'", "", "\ufffd"),
    ("for i in range(2):\n    !echo {i}\n    x = i\nx", 1, "0\n1\n"),
    ("def f(n):\n    !echo in a function\n    return n\nf(3)", 3, "in a function\n"),
    ("if True:\n\t!echo tab", "", "tab\n"),
    ("!cat", "", ""),
    ("!ls /nowhere 2>/dev/null\n5", 5, ""),
    ("!exit 3\n_exit_code", 3, ""),
    ("x = !exit 4\n_exit_code", 4, ""),
    ("%%sh\nexit 5", "", ""),
    ("_exit_code", 5, ""),
    ("%cd /tmp", "", "/tmp\n"),
    ("%pwd", "/tmp", ""),
    ("here = %pwd\nhere", "/tmp", ""),
    ("%cd", "", "/mnt/data\n"),
    ("%matplotlib inline", "", ""),
    ("%matplotlib\n1", 1, ""),
    ("%%bash\nfor i in 1 2; do\n  echo $i\ndone", "", "1\n2\n"),
    ("\n# first\n%%sh\necho $0", "", "sh\n"),
    # not ours
    ("x = 7\ns = '''\n!echo no\n%cd /tmp\n'''\n!true\ns", "\n!echo no\n%cd /tmp\n", ""),
    ('s = """\\\n%time"""\n!true\ns', "%time", ""),
    ("s = 'a\\\n!b'\n!true\ns", "a!b", ""),
    ("t = (7\n%4)\n!true\nt", 3, ""),
    ("t = 7 \\\n  %4\n!true\nt", 3, ""),
    ("t = [ # ' (\n1]\n!true\nt", [1], ""),
    ("s = '#' ; t = \"'\"\n!true\ns + t", "#'", ""),
    ("s = r'\\\\'\n'''\n!echo x\n'''\n!true", "", ""),
    ("s = 'x = !ls'\n!true\ns", "x = !ls", ""),
    ("x = 5\nx != 4", True, ""),
    ("'a %s' % 'b'", "a b", ""),
    ("print('!')  # !no", "", "!\n"),
)


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def run_code(self, code, status="Succeeded", **members):
        execution = self.pool.run(code, "commands", **members)
        self.assertEqual((execution.status, execution.state), (status, "kept"), execution.raw)
        return execution

    def test_each_row_of_the_table_gives_its_result(self):
        for code, result, stdout in TABLE:
            with self.subTest(code=code):
                execution = self.run_code(code)
                self.assertEqual(execution.result, result)
                self.assertEqual(execution.stdout, stdout)

    def test_values_are_put_into_commands_and_what_is_none_stays(self):
        execution = self.run_code("x = 'v w'\n!echo {x} $x {x!r} {nope} {1 + 1} $$nope '$nope'")
        self.assertEqual(execution.stdout, "v w v w {x!r} {nope} 2 $nope\n")
        execution = self.run_code("!echo a b | awk '{print $2}'; echo {one,two}3 ${x}")
        self.assertEqual(execution.stdout, "b\n{one,two}3\n")

    def test_value_with_metacharacters_is_the_shell_s_to_read(self):
        execution = self.run_code("x = '; echo injected #'\n!echo {x}")
        self.assertEqual(execution.stdout, "\ninjected\n")  # as notebooks do
        execution = self.run_code("%cd '/tmp; echo no'", "Failed")
        self.assertIn("No such file or directory: '/tmp; echo no'", execution.stderr)

    def test_pip_runs_that_of_the_session_s_python_without_a_shell(self):
        execution = self.run_code("%pip --version; echo injected")
        self.assertNotIn("injected\n", execution.stdout)
        execution = self.run_code("%pip --version")
        self.assertIn("pip", execution.stdout + execution.stderr)

    def test_time_tells_the_time_and_gives_the_value(self):
        for code in ("%time 6 * 7", "%%time\nx = 6\nx * 7", "%%time\n!true\n6 * 7"):
            execution = self.run_code(code)
            self.assertEqual(execution.result, 42)
            self.assertRegex(execution.stdout, r"^CPU times: user .*\nWall time: [\d.]+ (ns|\u00b5s|m?s)\n$")
        self.assertEqual(self.run_code("%time y = 3\ny").result, 3)
        self.assertEqual(self.run_code("z = %time 5\nz").result, 5)

    def test_unknown_command_names_its_line_and_what_there_is(self):
        for code, line in (("x = 1\n%foo bar", 2), ("%%foo\nno python at all", 1), ("x\n%%time", 2)):
            execution = self.run_code(code, "Failed")
            self.assertIn("UsageError: line %d: %%" % line, execution.stderr)
            self.assertIn("%cd, %matplotlib, %pip", execution.stderr)
            self.assertNotIn("/opt", execution.stderr)
        self.assertIn("%matplotlib qt is not", self.run_code("%matplotlib qt", "Failed").stderr)

    def test_lines_keep_their_numbers_and_their_text_in_tracebacks(self):
        code = "!true \\\n  --x\nx = !true\n\n\ndef f():\n    !true\n    1/0\nf()"
        lines = self.run_code(code, "Failed").stderr.splitlines()
        self.assertIn(', line 8, in f', lines[3])
        self.assertEqual(lines[4], "    1/0")
        self.assertIn(', line 9, in <module>', lines[1])

    def test_error_within_a_command_shows_the_line_as_it_was_written(self):
        for code in (
            "x = 1\n%cd /nowhere",
            "x = 1\na_rather_long_name_for_a_variable = %cd /nowhere",
            "x = 1\n%time 1/0",
            "x = 1\nif x:\n    %time 1/0",
        ):
            errors = self.run_code(code, "Failed").stderr
            self.assertIn("    " + code.splitlines()[-1].strip() + "\n", errors)
            self.assertIn(", line %d, in" % len(code.splitlines()), errors)
            self.assertNotIn("/opt", errors)
            self.assertNotIn("__command__", errors)
            self.assertNotIn("^", errors)

    def test_syntax_error_beside_commands_shows_the_line_as_it_was_written(self):
        rows = (
            ("!ls\nif x\n  pass", "if x", 2),
            ("x = 1\n%time if\n", "%time if", 2),
            ("!ls \\\n  b\n\nfor\n", "for", 4),
            ("print('%d' % 5\n!ls", "print('%d' % 5", 1),
            ("def f(:\n  !ls", "def f(:", 1),
            ("x = = 1", "x = = 1", 1),
            ("x = 1\nx y = !ls", "x y = !ls", 2),
        )
        for code, text, line in rows:
            with self.subTest(code):
                errors = self.run_code(code, "Failed").stderr
                self.assertIn("SyntaxError", errors)
                self.assertIn(", line %d\n    %s\n" % (line, text), errors)
                self.assertNotIn("__command__", errors)
                self.assertNotIn("/opt", errors)

    def test_lines_of_a_cell_end_where_python_ends_them(self):
        execution = self.run_code("x = '\u2028 \x0c \x1c'\r\n!true\r\n1/0", "Failed")
        self.assertIn(", line 3, in <module>\n    1/0\n", execution.stderr)
        execution = self.run_code("x = '\u2028 \x0c \x1c'\r\n1/0", "Failed")
        self.assertIn(", line 2, in <module>\n    1/0\n", execution.stderr)

    def test_code_copied_from_a_block_runs(self):
        self.assertEqual(self.run_code("    x = 1\n    if x:\n        x = 2\n    x").result, 2)
        self.assertEqual(self.run_code("\n\tx = 5\n\n\tx").result, 5)
        errors = self.run_code("x = 1\n    y = 2", "Failed").stderr
        self.assertIn("IndentationError", errors)

    def test_await_stands_beside_commands(self):
        code = "import asyncio\n!true\nawait asyncio.sleep(0, 8)"
        self.assertEqual(self.run_code(code).result, 8)

    def test_command_that_waits_is_interrupted_at_the_deadline(self):
        for code in ("!sleep 60", "x = !sleep 60", "%%bash\nsleep 60"):
            execution = self.run_code(code, "Failed", timeoutInSeconds=1)
            self.assertIn("Request timed out", execution.stderr)

    def test_process_left_behind_by_a_command_holds_up_nothing(self):
        execution = self.run_code("x = !(sleep 60; echo late) & echo now\nx", timeoutInSeconds=20)
        self.assertEqual(execution.result, ["now"])
        execution = self.run_code("!(sleep 60; echo late) & echo now", timeoutInSeconds=20)
        self.assertEqual(execution.stdout, "now\n")
        self.assertEqual(self.run_code("print('next')").stdout, "next\n")

    def test_commands_and_displays_work_in_a_session_whose_modules_are_damaged(self):
        code = (
            "import builtins, json, linecache, sys\n"
            "json.dumps = linecache.cache = linecache.getline = sys.stdout = builtins.display = None"
        )
        self.pool.run(code, "damaged")
        self.assertEqual(self.pool.run("!echo fine", "damaged").stdout, "fine\n")
        code = "class A:\n    def _repr_png_(self): return b'1'\nA()"
        self.assertEqual(self.pool.run(code, "damaged").result["base64_data"], "MQ==")


if __name__ == "__main__":
    pool.main()
