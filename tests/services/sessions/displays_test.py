"""What an execution shows beside its value: display() and the forms that objects have of themselves."""

import base64
import unittest

import pool
from pool import NEWEST

MIB = 1024 * 1024
PNG = (  # one white dot
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg==")

SHOWN = """
class Shown:
    def __init__(self, **forms): self.forms = forms
    def __repr__(self): return "<Shown>"
def form(name):
    def method(self): return self.forms.get(name)
    return method
for name in ("png", "jpeg", "svg", "html", "latex", "markdown", "json"):
    setattr(Shown, "_repr_%s_" % name, form(name))
"""


def image(data, format="png"):
    return {"type": "image", "format": format, "base64_data": base64.b64encode(data).decode()}


def text(data, media_type="text/html"):
    return {"type": "text", "mediaType": media_type, "text": data}


class Displays(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool().__enter__()
        cls.pool.run(SHOWN, "displays")

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def run_code(self, code, status="Succeeded", version=pool.VERSION, **members):
        execution = self.pool.run(code, "displays", version, **members)
        self.assertEqual((execution.status, execution.state), (status, "kept"), execution.raw)
        return execution

    def test_each_form_arrives_and_all_but_images_print_their_text(self):
        rows = (
            ("png=b'\\x89P'", image(b"\x89P"), [], ""),
            ("jpeg=b'\\xff'", image(b"\xff", "jpeg"), [], ""),
            ("svg='<svg/>'", image(b"<svg/>", "svg"), [], ""),
            ("html='<b>\u20ac</b>'", "", [text("<b>\u20ac</b>")], "<Shown>\n"),
            ("latex='$x$'", "", [text("$x$", "text/latex")], "$x$\n"),
            ("markdown='# x'", "", [text("# x", "text/markdown")], "# x\n"),
            ("json={'a': [1]}", "", [text('{"a": [1]}', "application/json")], "<Shown>\n"),
            ("", "", [], "<Shown>\n"),
            ("png=b'1', html='<b>'", image(b"1"), [], ""),
            ("html='<b>', markdown='x'", "", [text("<b>")], "<Shown>\n"),
        )
        for forms, result, displays, stdout in rows:
            with self.subTest(forms):
                execution = self.run_code("display(Shown(%s))" % forms)
                self.assertEqual(execution.result, result)
                self.assertEqual(execution.displays, displays)
                self.assertEqual(execution.stdout, stdout)
                self.assertEqual(execution.stderr, "")

    def test_value_of_the_last_expression_shows_its_forms_and_gives_its_text(self):
        rows = (
            ("Shown(png=b'1', html='<b>')", image(b"1"), []),
            ("Shown(html='<b>')", "<Shown>", [text("<b>")]),
            ("Shown()", "<Shown>", []),
            ("Shown", "<class '__main__.Shown'>", []),
        )
        for code, result, displays in rows:
            with self.subTest(code):
                execution = self.run_code(code)
                self.assertEqual((execution.result, execution.displays), (result, displays))
                self.assertEqual((execution.stdout, execution.stderr), ("", ""))

    def test_values_win_the_result_s_place_and_texts_leave_it_to_images(self):
        one, two = "display(Shown(png=b'1'))\n", "display(Shown(png=b'2'))\n"
        rows = (
            (one + "7", 7, [image(b"1")]),
            (one + "'text'", "text", [image(b"1")]),
            (one + "[1, None]", [1, None], [image(b"1")]),
            (one + two, image(b"1"), [image(b"2")]),
            (one + "object", image(b"1"), [text("<class 'object'>", "text/plain")]),
            (one + two + "None", image(b"1"), [image(b"2")]),
            ("display(Shown(html='a'))\n" + two, image(b"2"), [text("a")]),
        )
        for code, result, displays in rows:
            with self.subTest(code):
                execution = self.run_code(code)
                self.assertEqual((execution.result, execution.displays), (result, displays))

    def test_bundles_beat_single_forms_and_may_bring_forms_of_their_own(self):
        code = (
            "class B(Shown):\n    def _repr_mimebundle_(self, include=None, exclude=None):\n"
            "        return %s\nB(html='single')"
        )
        rows = (
            ("{'text/html': 'bundle'}", "<Shown>", [text("bundle")]),
            ("({'text/html': 'b'}, {})", "<Shown>", [text("b")]),
            ("{'text/plain': 'plain'}", "plain", [text("single")]),
            ("{'image/png': 'aGk='}", image(b"hi"), []),
            ("None", "<Shown>", [text("single")]),
        )
        for bundle, result, displays in rows:
            with self.subTest(bundle):
                execution = self.run_code(code % bundle)
                self.assertEqual((execution.result, execution.displays), (result, displays))
        execution = self.run_code("display({'application/vnd.x+json': {'a': 1}}, raw=True)")
        self.assertEqual(execution.displays, [text('{"a": 1}', "application/vnd.x+json")])

    def test_form_of_a_wrong_type_is_told_and_the_next_one_is_taken(self):
        rows = ("png=5", "png='no base64!'", "jpeg={}", "svg=7", "html=b'x'")
        for forms in rows:
            with self.subTest(forms):
                execution = self.run_code("Shown(%s, markdown='next')" % forms)
                self.assertEqual(execution.displays, [text("next", "text/markdown")])
                self.assertIn("display of Shown as", execution.stderr)
        for value in ("{1, 2}", "float('nan')", "[object]"):
            execution = self.run_code("Shown(json=%s)" % value)
            self.assertEqual((execution.result, execution.displays), ("<Shown>", []))
            self.assertIn("display of Shown as application/json left out", execution.stderr)

    def test_form_that_raises_is_told_with_its_line_and_the_next_one_is_taken(self):
        code = (
            "class Bad(Shown):\n    def _repr_png_(self):\n        raise OSError('no')\n"
            "Bad(html='next')"
        )
        execution = self.run_code(code)
        self.assertEqual(execution.displays, [text("next")])
        self.assertIn("\n    raise OSError('no')\n", execution.stderr)
        self.assertIn("OSError: no", execution.stderr)
        self.assertNotIn("/opt", execution.stderr)
        code = code.replace("OSError('no')", "SystemExit('no')")
        execution = self.run_code(code, "Failed")
        self.assertIn("SystemExit: no", execution.stderr)
        self.assertNotIn("/opt", execution.stderr)

    def test_what_was_displayed_before_an_exception_arrives(self):
        execution = self.run_code("display(Shown(png=b'1'))\n1/0", "Failed")
        self.assertEqual((execution.result, execution.displays), ("", [image(b"1")]))

    def test_pandas_tables_come_as_text_and_as_html(self):
        execution = self.run_code("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\ndf")
        self.assertEqual(execution.result, "   a\n0  1\n1  2")
        self.assertIn("<table", execution.displays[0]["text"])
        self.assertEqual(execution.displays[0]["mediaType"], "text/html")
        self.assertEqual(self.run_code("display(df)").stdout, "   a\n0  1\n1  2\n")
        self.assertEqual(self.run_code("df.a.sum()").result, "3")
        self.assertIn("Name: a, dtype: int64", self.run_code("df.a").result)

    def test_what_ipython_displays_is_displayed_whether_it_is_installed_or_not(self):
        hide = "import sys; sys.path[:] = [at for at in sys.path if 'dist-packages' not in at]\n"
        code = "from IPython.display import display, HTML, Image, Markdown, clear_output\n"
        shows = "display(Image(data=%r), HTML('<b>'), Markdown('# x'))\n" % base64.b64decode(PNG)
        for session, first in (("displays", ""), ("not-installed", hide)):
            with self.subTest(session):
                execution = self.pool.run(first + code + shows, session)
                self.assertEqual(execution.result, {"type": "image", "format": "png", "base64_data": PNG})
                self.assertEqual(execution.displays, [text("<b>"), text("# x", "text/markdown")])
                execution = self.pool.run("display(HTML('<b>')); clear_output(); HTML('<i>')", session)
                self.assertEqual(execution.displays, [text("<i>")])

    def test_stand_in_for_ipython_shows_files_and_tells_what_it_cannot(self):
        hide = "import sys; sys.path[:] = [at for at in sys.path if 'dist-packages' not in at]\n"
        code = hide + (
            "from IPython.display import *\nfrom IPython import get_ipython\nassert get_ipython() is None\n"
            "import IPython.display\n"
            "open('a.jpg', 'wb').write(b'\\xff\\xd8\\xff'); open('a.svg', 'w').write('<svg/>')\n"
            "display(IPython.display.SVG(filename='a.svg'), Latex('$x$'), Math('y'), JSON({'a': 1}))\n"
            "Image('a.jpg', width=100)")
        execution = self.pool.run(code, "not-installed")
        self.assertEqual(execution.stderr, "")
        self.assertEqual(execution.result, image(b"<svg/>", "svg"))
        self.assertEqual(execution.displays[:3], [
            text("$x$", "text/latex"), text("$\\displaystyle y$", "text/latex"),
            text('{"a": 1}', "application/json")])
        self.assertEqual(execution.displays[3], image(b"\xff\xd8\xff", "jpeg"))
        for code, message in (("Image(url='http://x/y.png')", "a session has no network"),
                              ("Image(data=b'GIF89a')", "Image() shows PNG and JPEG"),
                              ("HTML()", "HTML() needs data or filename"),
                              ("Markdown(filename='none')", "No such file or directory: 'none'"),
                              ("import IPython.kernel", "No module named 'IPython.kernel'")):
            with self.subTest(code):
                execution = self.pool.run(code, "not-installed")
                self.assertEqual((execution.status, execution.state), ("Failed", "kept"))
                self.assertIn(message, execution.stderr)
                self.assertNotIn("worker_ipython", execution.stderr)

    def test_numpy_values_come_as_their_text(self):
        self.assertEqual(self.run_code("import numpy\nnumpy.arange(3)").result, "array([0, 1, 2])")

    def test_more_displays_than_sixteen_are_counted(self):
        execution = self.run_code("for i in range(20): display(Shown(png=b'%d' % i))")
        self.assertEqual(execution.result, image(b"0"))
        self.assertEqual(execution.displays, [image(b"%d" % i) for i in range(1, 16)])
        self.assertIn("4 displays left out", execution.stderr)
        self.assertEqual(self.run_code("1").stderr, "")

    def test_display_that_is_too_large_is_told(self):
        execution = self.run_code("display(Shown(png=bytes(17 << 20)), Shown(png=b'1'))")
        self.assertEqual((execution.result, execution.displays), (image(b"1"), []))
        self.assertIn("display of %d bytes as image/png left out" % (17 * MIB), execution.stderr)
        execution = self.run_code("Shown(png=bytes(17 << 20))")
        self.assertEqual((execution.result, execution.displays), ("<Shown>", []))
        execution = self.run_code("for _ in range(3): display(Shown(png=bytes(8 << 20)))")
        self.assertEqual([len(execution.displays), len(execution.result["base64_data"])], [1, 11184812])
        self.assertIn("left out: too large", execution.stderr)

    def test_as_much_as_may_be_displayed_leaves_room_for_the_largest_result(self):
        code = "for _ in range(2): display(Shown(png=bytes(9 << 20)))\n'\\U0001f600' * (2 << 20)"
        execution = self.run_code(code)
        self.assertEqual((len(execution.displays), execution.stderr), (2, ""))
        self.assertTrue(execution.result.endswith("\n[%d characters cut]" % MIB))

    def test_display_of_a_child_process_is_left_out_and_that_is_told(self):
        code = "import os\nif os.fork() == 0: display(Shown(png=b'1'), 'text'); os._exit(0)\nos.wait()\n1"
        execution = self.run_code(code)
        self.assertEqual((execution.result, execution.displays), (1, []))
        self.assertEqual(execution.stdout, "'text'\n")
        self.assertIn("display in a child process", execution.stderr)

    def test_text_that_is_no_utf_8_and_nul_arrive_as_valid_json(self):
        execution = self.run_code("display({'text/html': 'a\\0b\\ud800c', 'text/plain': ''}, raw=True)")
        self.assertEqual(execution.displays, [text("a\0b?c")])

    def test_displays_of_a_worker_that_ends_are_lost_with_its_variables_and_that_is_told(self):
        code = SHOWN + "display(Shown(png=b'1'))\n"
        lost = self.pool.run(code + "import os; os._exit(1)", "ending")
        self.assertEqual((lost.status, lost.state, lost.displays), ("Failed", "lost", []))
        execution = self.pool.run(code, "ending")
        self.assertEqual((execution.state, execution.result), ("kept", image(b"1")))
        self.assertIn("variables are lost", execution.stderr)
        self.assertEqual(self.pool.run("display(Shown(png=b'2'))", "ending").stderr, "")

    def test_both_families_and_the_jupyter_format_have_displays(self):
        code = "display(Shown(png=b'1'), Shown(png=b'2'))"
        execution = self.run_code(code, version=NEWEST, returnJupyterFormatExecutionResult=True)
        self.assertEqual((execution.result, execution.displays), (image(b"1"), [image(b"2")]))
        execution = self.run_code(code + "\n'x'", version=NEWEST, returnJupyterFormat=True)
        self.assertEqual(execution.result, "'x'")
        names = pool.query(**{"api-version": "2024-02-02-preview", "identifier": "displays"})
        body = pool.json.dumps({"properties": {"code": code}})
        properties = self.pool.request("POST", "/code/execute?" + names, body).json["properties"]
        self.assertEqual((properties["result"], properties["displays"]), (image(b"1"), [image(b"2")]))

    def test_remembered_execution_still_has_its_displays(self):
        execution = self.run_code("display(Shown(png=b'1'), Shown(png=b'2'))")
        again = pool.Execution(self.pool.get("displays", execution.id))
        self.assertEqual((again.result, again.displays), (execution.result, [image(b"2")]))

    def test_display_is_there_in_an_empty_kernel_and_stays_out_of_the_variables(self):
        code = "display('x')\nsorted(name for name in globals() if name[0] != '_')"
        execution = self.run_code(code, version=NEWEST, useEmptyKernel=True)
        self.assertEqual((execution.stdout, execution.result), ("'x'\n", []))

    def test_raw_display_of_anything_but_a_dictionary_is_an_error(self):
        execution = self.run_code("display('x', raw=True)", "Failed")
        self.assertIn("TypeError: display(.., raw=True) takes dictionaries, not str", execution.stderr)

    def test_text_of_a_display_goes_where_print_goes(self):
        code = (
            "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f:\n"
            "    display('x')\nf.getvalue()"
        )
        self.assertEqual(self.run_code(code).result, "'x'\n")

    def test_result_of_a_hundred_megabytes_is_cut_with_a_note(self):
        result = self.run_code("'x' * 100_000_000").result
        self.assertTrue(result.endswith("\n[%d characters cut]" % (100_000_000 - MIB)))
        result = self.run_code("display(Shown(png=b'1'))\nbytes(2_000_000)").displays[0]["text"]
        self.assertTrue(result.endswith("characters cut]"), result[-40:])


if __name__ == "__main__":
    pool.main()
