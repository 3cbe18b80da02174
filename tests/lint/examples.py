"""examples.py TOP COMPILER - what README and docs show is true.

A block of C that includes a header is compiled. Other blocks say what they are in
the line that opens them:

    ```c fragment                     part of something; not compiled
    ```c file=samples/a/a.c           stands in that file, line by line
    ```text output=samples/a/a.c      is the output that the opening comment of the
                                      sample promises (a test runs the sample)
"""
import os
import re
import subprocess
import sys

import sources

BLOCK = re.compile(r"^( *)```(\S*)([^\n]*)\n(.*?)^ *```[ ]*$", re.DOTALL | re.MULTILINE)
OUTPUT = re.compile(r"^ \* Output:\n(?: \*\n)?((?: \*(?:    .*)?\n)+)", re.MULTILINE)
FLAGS = ["-x", "c", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]


def output_of(text):
    """The output that a sample's opening comment promises, or None."""
    opening = re.match(r"/\*.*?\*/", text, re.DOTALL)
    match = OUTPUT.search(opening[0]) if opening else None
    if match is None:
        return None
    lines = [line[len(" *    "):] for line in match[1].rstrip("\n").split("\n")]
    return "\n".join(lines).rstrip("\n") + "\n"


def check_block(findings, top, compiler, path, line, kind, words, body):
    option = dict(word.split("=", 1) for word in words if "=" in word)
    source = option.get("file") or option.get("output")
    if source:
        if not os.path.isfile(os.path.join(top, source)):
            findings.add(path, line, f"{source}, which this block comes from, does not exist")
            return
        text = sources.read(top, source)
        if "file" in option and body not in text:
            findings.add(path, line, f"is no longer what stands in {source}; copy it again")
        if "output" in option and body != output_of(text):
            findings.add(path, line, f"is not the Output: of {source}; copy it again")
    elif kind == "c" and "fragment" not in words:
        if "#include" not in body:
            findings.add(path, line, "a block of C that cannot be compiled; complete it, or "
                                     "open it with ```c fragment or ```c file=...")
            return
        done = subprocess.run([compiler, *FLAGS, "-I", os.path.join(top, "kernel/include"), "-"],
                              input=body, capture_output=True, text=True)
        if done.returncode != 0:
            findings.add(path, line, f"does not compile:\n{done.stderr.strip()}")


def check_index(findings, top):
    """Whoever reads README.md hears of every sample."""
    readme = sources.read(top, "README.md") if "README.md" in sources.files(top) else ""
    samples = {path.split("/")[1] for path in sources.files(top, ".c")
               if path.startswith("samples/")}
    for sample in sorted(samples):
        if sample not in readme:
            findings.add("README.md", 1, f"does not mention samples/{sample}; say what it shows")


def main(top, compiler):
    findings = sources.Findings()
    checked = 0
    check_index(findings, top)
    for path in sources.files(top, ".md"):
        text = sources.read(top, path)
        for match in BLOCK.finditer(text):
            checked += 1
            indent, kind, words, body = match.groups()
            body = "\n".join(line.removeprefix(indent) for line in body.split("\n"))
            check_block(findings, top, compiler, path, sources.line_of(text, match.start()),
                        kind, words.split(), body)
    findings.end(checked)


if __name__ == "__main__":
    main(*sys.argv[1:])
