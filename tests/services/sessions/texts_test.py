"""texts_test.py PROGRAM TOP PAGE EXAMPLE - help, manual page and example name the same keys.

TOP is the source tree.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest

PROGRAM, TOP, PAGE, EXAMPLE = sys.argv[1:5]


def read(path):
    with open(path) as file:
        return file.read()


def table():
    """The keys of config.h, in their order."""
    return re.findall(r"^ *K\(\w+, *(\w+),", read(TOP + "/services/sessions/config/config.h"), re.MULTILINE)


def flags():
    return ["--" + key.replace("_", "-") for key in table()] + ["--help", "--version"]


class Texts(unittest.TestCase):
    def setUp(self):
        self.page = read(PAGE)
        self.help = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout

    def test_help_has_the_flags_of_the_table_and_no_others(self):
        self.assertEqual(re.findall(r"^  (--[\w-]+)", self.help, re.MULTILINE), flags())

    def test_manual_page_has_the_flags_of_the_table_and_no_others(self):
        found = re.findall(r"^\.TP\n\\fB(\\-\\-.*?)\\fR", self.page, re.MULTILINE)
        self.assertEqual([flag.replace("\\-", "-") for flag in found], flags())

    def test_manual_page_says_of_each_flag_what_help_says(self):
        plain = " ".join(self.help.split())
        for text in re.findall(r"^\\&(.*)$", self.page, re.MULTILINE):
            self.assertIn(" ".join(text.replace("\\-", "-").replace("\\e", "\\").split()), plain)

    def test_example_has_the_keys_of_the_table(self):
        found = re.findall(r"^#(\w+) =", read(EXAMPLE), re.MULTILINE)
        self.assertEqual(found, [key for key in table() if key != "config"])

    def test_the_program_takes_the_example(self):
        """A flag is read after the file: if it is the flag that is refused, the file was not."""
        result = subprocess.run([PROGRAM, "--config", EXAMPLE, "--max-sessions=0"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 64)
        self.assertTrue(result.stderr.startswith("semkernel-sessiond: --max-sessions: "), result.stderr)

    def test_manual_page_tells_the_version_and_leaves_no_mark(self):
        version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
        self.assertIn('"semkernel %s"' % version.split()[1], self.page)
        self.assertNotIn("@", self.page)

    def test_manual_page_is_formatted_without_complaint(self):
        if shutil.which("man") is None:  # no part of what the tests ask of a machine
            self.assertTrue(self.page.startswith(".TH "))
            return
        result = subprocess.run(
            ["man", "--warnings", "-l", PAGE],
            capture_output=True, text=True, check=True, env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C"},
        )
        self.assertEqual(result.stderr, "")
        self.assertIn("--max-sessions N", result.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
