"""Figures of matplotlib, as notebooks show them."""

import base64
import struct
import unittest

import pool

IMPORT = "import matplotlib.pyplot as plt\n"


def size(image):
    """Width and height of a PNG, which begins and ends as one does."""
    data = base64.b64decode(image["base64_data"], validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[-8:-4] == b"IEND", data[:16]
    return struct.unpack(">II", data[16:24])


class Figures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pool.Pool().__enter__()
        cls.pool.run(IMPORT, "figures")

    @classmethod
    def tearDownClass(cls):
        cls.pool.__exit__()

    def run_code(self, code, status="Succeeded", **members):
        execution = self.pool.run(code, "figures", **members)
        self.assertEqual((execution.status, execution.state), (status, "kept"), execution.raw)
        execution.images = [shown for shown in execution.displays if shown["type"] == "image"]
        if type(execution.result) is dict:
            execution.images.insert(0, execution.result)
        return execution

    def test_open_figure_is_shown_at_the_end_and_closed(self):
        for show in ("plt.show()", "plt.show(block=True)", "None"):
            execution = self.run_code("plt.plot([1, 2])\n" + show)
            width, height = size(execution.result)
            self.assertTrue(400 < width < 700 and 300 < height < 550, (width, height))
            self.assertEqual((execution.displays, execution.stderr), ([], ""))
            self.assertEqual(self.run_code("plt.get_fignums()").result, [])

    def test_show_in_the_midst_ends_a_figure(self):
        execution = self.run_code("plt.plot([1])\nplt.show()\nplt.plot([1])\nplt.show()\n5")
        self.assertEqual((execution.result, len(execution.images)), (5, 2))
        images = [image["base64_data"] for image in execution.images]
        self.assertEqual(images[0], images[1])  # one line in each, of the first colour

    def test_several_figures_are_all_shown_in_their_order(self):
        code = "for inches in (2, 3, 4): plt.figure(figsize=(inches, 1)); plt.plot([1])"
        widths = [size(image)[0] for image in self.run_code(code).images]
        self.assertEqual(len(widths), 3)
        self.assertEqual(widths, sorted(widths))

    def test_figure_is_shown_once_however_often_it_is_named(self):
        for last in ("fig", "display(fig)", "display(fig); plt.show()"):
            with self.subTest(last):
                execution = self.run_code("fig, ax = plt.subplots()\nax.plot([1])\n" + last)
                self.assertEqual(len(execution.images), 1)
        execution = self.run_code("fig")  # closed by now
        size(execution.result)

    def test_figure_without_pyplot_is_shown_by_name(self):
        code = "from matplotlib.figure import Figure\nf = Figure((2, 2))\nf.subplots().plot([1])\n"
        self.assertEqual(self.run_code(code + "1").images, [])
        size(self.run_code(code + "f").result)
        size(self.run_code(code + "display(f)").result)

    def test_last_value_of_a_plot_does_not_stand_in_its_way(self):
        execution = self.run_code("plt.plot([1, 2])")
        size(execution.result)
        self.assertIn("Line2D", execution.displays[0]["text"])

    def test_other_backends_are_shown_the_same_way(self):
        code = "import matplotlib\nmatplotlib.use('%s')\nplt.plot([1])\nplt.show()"
        for backend in ("Agg", "svg", "Agg"):
            execution = self.run_code(code % backend)
            size(execution.result)
            self.assertEqual(execution.stderr, "")

    def test_pandas_plots_are_figures(self):
        code = "import pandas\npandas.Series([1, 2]).plot(); None"
        size(self.run_code(code).result)

    def test_resolution_is_a_hundred_dots_an_inch_whatever_the_figure_says(self):
        code = "fig = plt.figure(figsize=(4, 2), dpi=%d)\nfig.add_axes([0, 0, 1, 1])\nNone"
        for dpi in (50, 100, 300):
            width, height = size(self.run_code(code % dpi).result)
            self.assertTrue(400 <= width <= 500 and 200 <= height <= 300, (width, height))

    def test_legend_beside_the_axes_is_in_the_picture(self):
        code = "plt.figure(figsize=(2, 2)); plt.plot([1], label='name')\n"
        narrow = size(self.run_code(code).images[0])[0]
        wide = size(self.run_code(code + "plt.legend(loc=(2, 0)); None").images[0])[0]
        self.assertGreater(wide, narrow + 100)

    def test_figure_with_nothing_in_it_is_not_shown(self):
        self.assertEqual(self.run_code("plt.figure(); None").images, [])
        size(self.run_code("plt.figure().text(0, 0, 'only text'); None").images[0])

    def test_figure_of_too_many_pixels_is_left_out_and_closed(self):
        code = "plt.figure(figsize=(%s)); plt.plot([1]); None"
        for inches in ("1000, 10000", "1e9, 1e9", "70, 70"):
            execution = self.run_code(code % inches)
            self.assertEqual(execution.images, [])
            self.assertIn("left out: more than 40 million pixels at 100 dpi", execution.stderr)
            self.assertEqual(self.run_code("plt.get_fignums()").result, [])

    def test_text_far_outside_does_not_make_the_picture_large(self):
        code = "plt.figure(figsize=(2, 2)); plt.plot([1]); plt.text(1e6, 1e6, 'far'); None"
        self.assertLess(max(size(self.run_code(code).images[0])), 1000)

    def test_more_figures_than_sixteen_are_counted_not_drawn(self):
        code = (
            "import warnings; warnings.simplefilter('ignore')\n"
            "for i in range(300): plt.figure(figsize=(1, 1)).text(0, 0, str(i))"
        )
        execution = self.run_code(code)
        self.assertEqual(len(execution.images), 16)
        self.assertIn("284 displays left out", execution.stderr)
        self.assertEqual(self.run_code("plt.get_fignums()").result, [])

    def test_figure_that_cannot_be_drawn_fails_the_run_and_does_not_break_the_next(self):
        code = "plt.figure(); plt.plot([1])\nplt.figure(); plt.title('$\\\\frac{$')\n"
        execution = self.run_code(code, "Failed")
        self.assertIn("Expected \\frac{num}{den}", execution.stderr)
        self.assertNotIn("/opt", execution.stderr)
        self.assertEqual(len(execution.images), 1)
        self.assertEqual(self.run_code("plt.get_fignums()").result, [])
        execution = self.run_code(code + "1/0", "Failed")
        self.assertIn("ZeroDivisionError", execution.stderr.splitlines()[-1])
        self.assertIn("a figure failed, too", execution.stderr)

    def test_figures_of_code_that_raises_are_shown(self):
        execution = self.run_code("plt.plot([1])\n1/0", "Failed")
        self.assertEqual((execution.result, len(execution.images)), ("", 1))

    def test_figures_of_an_interrupted_run_are_closed_and_that_is_told(self):
        execution = self.run_code(
            "plt.plot([1])\nwhile True: pass", "Failed", timeoutInSeconds=1
        )
        self.assertIn("1 open figures left out", execution.stderr)
        self.assertEqual(self.run_code("plt.get_fignums()").result, [])

    def test_pyplot_may_be_loaded_again(self):
        size(self.run_code("import importlib; importlib.reload(plt); plt.plot([1]); None").result)


if __name__ == "__main__":
    pool.main()
