"""What code leaves behind: values, output, exceptions."""

import json
import unittest

import pool
from pool import NEWEST

MIB = 1024 * 1024

# code, executionResult, stdout, stderr (None: not empty), status
TABLE = (
    ("1 + 1", 2, "", "", "Succeeded"),
    ('print("hi")', "", "hi\n", "", "Succeeded"),
    ("x = 1", "", "", "", "Succeeded"),
    ('"abc"', "abc", "", "", "Succeeded"),
    ("1.5", 1.5, "", "", "Succeeded"),
    ("2.0", 2.0, "", "", "Succeeded"),
    ("True", True, "", "", "Succeeded"),
    ('[1,{"a":None}]', [1, {"a": None}], "", "", "Succeeded"),
    ("(1, 'x')", [1, "x"], "", "", "Succeeded"),
    ("None", "", "", "", "Succeeded"),
    ("object", "<class 'object'>", "", "", "Succeeded"),
    ("{1, 1}", "{1}", "", "", "Succeeded"),
    ("{1: 2}", "{1: 2}", "", "", "Succeeded"),
    ("b'x'", "b'x'", "", "", "Succeeded"),
    ("1+2j", "(1+2j)", "", "", "Succeeded"),
    ("float('nan')", "nan", "", "", "Succeeded"),
    ("[float('inf')]", "[inf]", "", "", "Succeeded"),
    ("-10**400", -(10**400), "", "", "Succeeded"),
    ("9007199254740993", 9007199254740993, "", "", "Succeeded"),
    ("1e300", 1e300, "", "", "Succeeded"),
    ("'a\\x00b'", "a\0b", "", "", "Succeeded"),
    ("'\\ud800'", "\ufffd", "", "", "Succeeded"),
    ("{'\\ud800': 1, '\\ud801': 2}", {"\ufffd": 2}, "", "", "Succeeded"),
    ("'\\U0001F600 \\u00e9'", "\U0001f600 \u00e9", "", "", "Succeeded"),
    ('"say \\"x\\" \\\\ \\n"', 'say "x" \\ \n', "", "", "Succeeded"),
    ("print('a'); raise ValueError('b')", "", "a\n", None, "Failed"),
    ('import sys; sys.stderr.write("w"); None', "", "", "w", "Succeeded"),
    ("", "", "", "", "Succeeded"),
    ("# only a comment", "", "", "", "Succeeded"),
    ("for i in range(2): print(i)", "", "0\n1\n", "", "Succeeded"),
    ("def f():\n    return 7\nf()", 7, "", "", "Succeeded"),
    ("import asyncio\nawait asyncio.sleep(0, 5)", 5, "", "", "Succeeded"),
    ("async def f(): return 3\nx = await f()\nx + 1", 4, "", "", "Succeeded"),
    ("print('\\ud800')", "", "\\ud800\n", "", "Succeeded"),
    ("import os; os.write(1, b'\\xff\\xfea\\x00')", 4, "\ufffd\ufffda\0", "", "Succeeded"),
    ("import os; os.system('echo from a shell')", 0, "from a shell\n", "", "Succeeded"),
    ("input()", "", "", None, "Failed"),
)


class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def run_code(self, code, **members):
        return self.pool.run(code, "results", **members)

    def test_each_row_of_the_table_gives_its_result(self):
        for code, result, stdout, stderr, status in TABLE:
            with self.subTest(code=code):
                execution = self.run_code(code)
                self.assertEqual(execution.status, status, execution.stderr)
                self.assertEqual(execution.result, result)
                self.assertIs(type(execution.result), type(result))
                self.assertEqual(execution.stdout, stdout)
                if stderr is not None:
                    self.assertEqual(execution.stderr, stderr)
                else:
                    self.assertIn("Traceback", execution.stderr)
                self.assertEqual(execution.state, "kept")
                self.assertGreaterEqual(execution.ms, 0)

    def test_variables_stay_and_the_last_value_is_kept_in_underscore(self):
        self.run_code("kept = 20\nkept + 1")
        self.assertEqual(self.run_code("_ + kept").result, 41)
        self.run_code("None")
        self.assertEqual(self.run_code("_").result, 41)

    def test_future_statements_hold_for_the_cells_after(self):
        self.run_code("from __future__ import annotations")
        self.run_code("def f(x: not_defined): pass")
        self.assertEqual(self.run_code("f.__annotations__").result, {"x": "not_defined"})

    def test_classes_of_cells_can_be_pickled_and_cells_are_main(self):
        code = "import pickle\nclass A: pass\ntype(pickle.loads(pickle.dumps(A()))).__module__"
        self.assertEqual(self.run_code(code).result, "__main__")
        self.assertEqual(self.run_code("__name__").result, "__main__")

    def test_modules_in_the_session_s_directory_can_be_imported(self):
        self.run_code("open('own_module.py', 'w').write('value = 8')")
        self.assertEqual(self.run_code("import own_module; own_module.value").result, 8)

    def test_traceback_shows_the_source_line_and_no_frame_of_ours(self):
        execution = self.run_code("def inner():\n    return {}['missing']\n\ninner()")
        self.assertEqual(execution.status, "Failed")
        self.assertIn("    return {}['missing']", execution.stderr)
        self.assertIn("KeyError: 'missing'", execution.stderr)
        self.assertIn("<cell-", execution.stderr)
        self.assertNotIn("w.py", execution.stderr)
        self.assertNotIn("/opt", execution.stderr)

    def test_traceback_of_awaited_code_shows_no_frame_of_the_loop(self):
        execution = self.run_code("async def f():\n    return 1 / 0\n\nawait f()")
        files = [line for line in execution.stderr.splitlines() if line.startswith("  File")]
        self.assertEqual(len(files), 2, execution.stderr)
        self.assertTrue(all('File "<cell-' in line for line in files), files)

    def test_traceback_shows_lines_of_functions_from_earlier_cells(self):
        self.run_code("def earlier():\n    raise OSError('from before')")
        self.assertIn("    raise OSError('from before')", self.run_code("earlier()").stderr)

    def test_syntax_error_points_to_the_line(self):
        execution = self.run_code("x = 1\nif x\n  pass")
        self.assertEqual(execution.status, "Failed")
        self.assertIn("SyntaxError", execution.stderr)
        self.assertIn("if x", execution.stderr)
        self.assertNotIn("w.py", execution.stderr)

    def test_chained_exceptions_are_all_shown(self):
        code = "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e"
        errors = self.run_code(code).stderr
        self.assertIn("ZeroDivisionError", errors)
        self.assertIn("direct cause", errors)
        self.assertIn("ValueError: second", errors)

    def test_output_and_traceback_stand_one_after_the_other(self):
        code = "import sys\nsys.stderr.write('before')\n1/0"
        errors = self.run_code(code).stderr
        self.assertTrue(errors.startswith("before\nTraceback"), errors)

    def test_system_exit_fails_and_keeps_the_session(self):
        self.run_code("here = 5")
        for code in ("import sys; sys.exit(3)", "exit()", "raise SystemExit('bye')"):
            execution = self.run_code(code)
            self.assertEqual(execution.status, "Failed")
            self.assertIn("SystemExit", execution.stderr)
            self.assertEqual(execution.state, "kept")
        self.assertEqual(self.run_code("here").result, 5)

    def test_keyboard_interrupt_of_the_code_is_an_exception_like_others(self):
        execution = self.run_code("raise KeyboardInterrupt")
        self.assertEqual(execution.status, "Failed")
        self.assertIn("KeyboardInterrupt", execution.stderr)
        self.assertEqual(self.run_code("1").result, 1)

    def test_deadline_interrupts_again_what_has_caught_the_first_one(self):
        code = (
            "import time\nkept = 5\ntry: time.sleep(60)\nexcept BaseException: print('caught')\ntime.sleep(60)")
        execution = self.run_code(code, timeoutInSeconds=1)
        self.assertEqual((execution.status, execution.state), ("Failed", "kept"))
        self.assertEqual(execution.stdout, "caught\n")
        self.assertEqual(self.run_code("kept").result, 5)

    def test_recursion_and_deep_values_are_told_and_survived(self):
        self.assertIn("RecursionError", self.run_code("def f(): f()\nf()").stderr)
        deep = self.run_code("x = []\nfor _ in range(100): x = [x]\nx").result
        self.assertEqual(deep.count("["), 101)
        self.assertEqual(self.run_code("x = []\nx.append(x)\nx").result, "[[...]]")
        self.assertIn("Error", self.run_code("(" * 500 + ")" * 500).stderr)

    def test_unprintable_values_have_a_name(self):
        code = "class Bad:\n    def __repr__(self): raise OSError('no')\nBad()"
        self.assertEqual(self.run_code(code).result, "<unprintable Bad>")
        self.assertEqual(self.run_code("1 << 20000").result, "<unprintable int>")
        code = "class E(Exception):\n    def __str__(self): raise OSError('no')\nraise E"
        execution = self.run_code(code)
        self.assertEqual(execution.status, "Failed")
        self.assertIn("E", execution.stderr)

    def test_large_results_are_cut_with_a_note(self):
        result = self.run_code("'x' * (3 * 1024 * 1024)").result
        self.assertTrue(result.endswith("[%d characters cut]" % (2 * MIB)), result[-80:])
        self.assertEqual(result[:MIB], "x" * MIB)
        result = self.run_code("list(range(1000000))").result
        self.assertIsInstance(result, str)
        self.assertTrue(result.startswith("[0, 1, 2"))
        self.assertIn("characters cut]", result[-40:])

    def test_large_exceptions_keep_head_and_name(self):
        errors = self.run_code("def a(n): b(n)\ndef b(n):\n    if n: a(n - 1)\n    1/0\na(400)").stderr
        self.assertIn("ZeroDivisionError: division by zero", errors)
        self.assertIn("characters cut]", self.run_code("raise ValueError('m' * 1000000)").stderr)

    def test_large_output_is_cut_with_a_note(self):
        execution = self.run_code("print('a' * (2 * 1024 * 1024), end='')")
        self.assertEqual(execution.status, "Succeeded")
        self.assertEqual(execution.stdout, "a" * MIB + "\n[%d characters cut]" % MIB)

    def test_a_cut_leaves_no_half_character(self):
        execution = self.run_code("print('x' + '\\u20ac' * (400 * 1024), end='')")
        self.assertNotIn("\ufffd", execution.stdout)
        self.assertIn("characters cut]", execution.stdout)

    def test_output_of_children_and_of_the_code_keeps_its_order(self):
        code = (
            "import subprocess\nprint('one', end=' ')\n"
            "subprocess.run(['echo', 'two'])\nprint('three')"
        )
        self.assertEqual(self.run_code(code).stdout, "one two\nthree\n")

    def test_output_of_a_process_left_behind_reaches_no_later_answer(self):
        code = (
            "import subprocess\n"
            "script = 'while [ ! -e /tmp/go ]; do sleep 0.01; done; echo late'\n"
            "p = subprocess.Popen(['sh', '-c', script])\n"
            "print('first')"
        )
        self.assertEqual(self.run_code(code).stdout, "first\n")
        execution = self.run_code("open('/tmp/go', 'w').close(); p.wait(); print('second')")
        self.assertEqual(execution.stdout, "second\n")

    def test_newest_version_cuts_output_silently_at_4096_characters(self):
        execution = self.pool.run("print('\\u20ac' * 5000)", "results", NEWEST)
        self.assertEqual(execution.stdout, "\u20ac" * 4096)
        execution = self.pool.run("print('a' * 50)", "results", NEWEST, outputStreamsMaxLength=10)
        self.assertEqual(execution.stdout, "a" * 10)

    def test_jupyter_format_gives_primitives_as_their_repr(self):
        rows = (("1", "1"), ("'nan'", "'nan'"), ("float('nan')", "nan"), ("True", "True"))
        for code, wanted in rows:
            execution = self.pool.run(
                code, "results", NEWEST, returnJupyterFormatExecutionResult=True
            )
            self.assertEqual(execution.result, wanted)
        execution = self.pool.run("None", "results", NEWEST, returnJupyterFormat=True)
        self.assertIsNone(execution.result)

    def test_answers_are_json_whatever_the_code_prints(self):
        execution = self.run_code("import os\nfor i in range(256): os.write(1, bytes([i]))")
        json.loads(execution.raw)
        self.assertEqual(len(execution.stdout), 256)


if __name__ == "__main__":
    pool.main()
