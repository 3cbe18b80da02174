"""units_test.py PROGRAM DIRECTORY - the systemd units: systemd understands them as they are meant."""

import os
import subprocess
import sys
import tempfile
import unittest

MANAGERS = ("system", "user")
NAME = "semkernel-sessiond"


class Units(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.home = directory.name

    def place(self, manager):
        """The units as they are installed, but with the program where it lies now."""
        for ending in (".service", ".socket"):
            with open(os.path.join(UNITS, manager, NAME + ending)) as file:
                text = file.read()
            lines = [line for line in text.splitlines() if line.startswith("ExecStart=")]
            for line in lines:
                self.assertTrue(line.startswith("ExecStart=/") and line.endswith("/bin/" + NAME), line)
                text = text.replace(line, "ExecStart=" + PROGRAM)
            with open(os.path.join(self.home, NAME + ending), "w") as file:
                file.write(text)

    def verify(self, manager):
        paths = [os.path.join(self.home, NAME + ending) for ending in (".service", ".socket")]
        return subprocess.run(
            ["systemd-analyze", "--" + manager, "--man=no", "verify", *paths],
            capture_output=True, text=True, env={**os.environ, "XDG_RUNTIME_DIR": self.home},
        )

    def test_units_are_without_fault(self):
        for manager in MANAGERS:
            with self.subTest(manager=manager):
                self.place(manager)
                done = self.verify(manager)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_fault_would_be_found(self):
        self.place("system")
        with open(os.path.join(self.home, NAME + ".service"), "a") as file:
            file.write("\n[Service]\nNoSuchSetting=yes\n")
        self.assertIn("NoSuchSetting", self.verify("system").stderr)

    def test_exposure_is_no_more_than_it_was(self):
        self.place("system")
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--threshold=56",
             os.path.join(self.home, NAME + ".service")],
            capture_output=True, text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    UNITS, PROGRAM = sys.argv.pop(), sys.argv.pop()
    unittest.main(verbosity=1)
