"""text.py TOP - form of all text files: characters, line lengths, words, top folder."""
import os
import re
import subprocess
import sys

import sources

COLUMNS = 100
# What the formatter leaves alone is set as a table; scripts hold programs as text.
COLUMNS_WIDE = 120
# Prose and tables are not wrapped; a file of test input is as it is.
NOT_WRAPPED = (".md", ".json", ".txt", ".pc.in")
INPUT = ("tests/fuzz/corpus/",)

LEFT_FOR_LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
# A folder that exists on one machine alone: a home with more below it.
MACHINE_PATH = re.compile(r"(?<![\w.>}$])/(?:home|root|Users)/\w[\w.-]*/\w")


def check(findings, path, text):
    wrapped = not path.endswith(NOT_WRAPPED)
    allowed_tab = os.path.basename(path) == "Makefile"
    usual = COLUMNS_WIDE if path.endswith(".py") else COLUMNS
    columns = usual
    for number, line in enumerate(text.split("\n"), 1):
        if "clang-format off" in line:
            columns = COLUMNS_WIDE
        elif "clang-format on" in line:
            columns = usual
        if wrapped and len(line) > columns:
            findings.add(path, number, f"{len(line)} columns, at most {columns}; wrap it")
        if "\t" in line and not (allowed_tab and line.startswith("\t")):
            findings.add(path, number, "a tab; indent with four spaces")
        if line != line.rstrip():
            findings.add(path, number, "blanks at the end of the line; remove them")
        if not line.isascii():
            findings.add(path, number, "a character that is not ASCII; write it in ASCII or escape it")
        if LEFT_FOR_LATER.search(line):
            findings.add(path, number, "left for later without a number; do it, or write TODO(#n)")
        if MACHINE_PATH.search(line):
            findings.add(path, number, "a path of one machine; make it relative or a parameter")
    if text and not text.endswith("\n"):
        findings.add(path, text.count("\n") + 1, "no newline at the end; add one")


def at_top(top):
    """What the project keeps at its top; where git does not know, what lies there."""
    try:
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", top, "ls-files"],
                                capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return os.listdir(top)
    return {path.split("/")[0] for path in listed.stdout.splitlines()}


def main(top):
    findings = sources.Findings()
    checked = 0
    for name in sorted(at_top(top)):
        if name not in sources.TOP and not name.startswith((".", "build")):
            findings.add(name, 1, "does not belong at the top; move it into one of the folders")
    own = os.path.join("tests", "lint", "text.py")
    for path in sources.files(top):
        if path.startswith(INPUT) or path == own:
            continue
        with open(os.path.join(top, path), "rb") as file:
            content = file.read()
        if b"\0" in content:
            findings.add(path, 1, "not a text file; sources alone are kept here")
            continue
        checked += 1
        check(findings, path, content.decode("utf-8", "replace"))
    findings.end(checked)


main(sys.argv[1])
