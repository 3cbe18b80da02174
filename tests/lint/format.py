"""format.py TOP - C sources are laid out as .clang-format says."""
import os
import shutil
import subprocess
import sys

import sources


def main(top):
    if shutil.which("clang-format") is None:
        sys.exit("cannot find clang-format, which checks the layout: install it, "
                 "or let .ci/install-dependencies check do so")
    findings = sources.Findings()
    paths = sources.files(top, ".c", ".h")
    for path in paths:
        done = subprocess.run(["clang-format", "--style=file", "--dry-run", "-Werror",
                               "--ferror-limit=1", os.path.join(top, path)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            line = (done.stderr.split(":") + ["", "1"])[1]
            findings.add(path, line, f"is laid out otherwise; run clang-format -i {path}")
    findings.end(len(paths))


main(sys.argv[1])
