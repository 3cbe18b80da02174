"""sample.py PROGRAM SOURCE - a sample prints what its opening comment promises.

Where the machine cannot sandbox a program, a sample that runs code says so with the
exit status 78: then it is skipped, unless SEMKERNEL_REQUIRE_SANDBOX is set.
"""
import difflib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
from examples import output_of  # noqa: E402

NO_SANDBOX = 78
SKIPPED = 77


def main(program, source):
    with open(source, encoding="utf-8") as file:
        promised = output_of(file.read())
    if promised is None:
        sys.exit(f"{source}: the opening comment has no Output: section to compare with")
    done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == NO_SANDBOX and not os.environ.get("SEMKERNEL_REQUIRE_SANDBOX"):
        print(f"skipped: {done.stderr.strip()}")
        sys.exit(SKIPPED)
    printed = done.stdout.rstrip("\n") + "\n"  # as in a comment, blank lines end nothing
    difference = list(difflib.unified_diff(promised.splitlines(True), printed.splitlines(True),
                                           "promised", "printed"))
    sys.stdout.writelines(difference)
    if done.returncode != 0:
        print(f"exit status {done.returncode}; standard error:\n{done.stderr}")
    sys.exit(1 if difference or done.returncode != 0 else 0)


main(*sys.argv[1:])
