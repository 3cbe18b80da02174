"""headers.py TOP COMPILER LANGUAGE STANDARD [SOURCE] - public headers compile alone.

Each header is included by itself, twice, as strict LANGUAGE (c or c++) of the
STANDARD, without feature macros and with all warnings as errors. A SOURCE is
compiled besides: it uses what a header offers.
"""
import os
import shutil
import subprocess
import sys

import sources

HEADERS = "kernel/include/kernel/"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wundef", "-Wconversion", "-Wcast-qual",
            "-Wwrite-strings", "-Wformat=2", "-Werror"]
WARNINGS_OF = {"c": ["-Wstrict-prototypes", "-Wmissing-prototypes"], "c++": []}
# The macros use compound literals, which in C++ are an extension of the compilers.
SOURCE_WARNINGS_OF = {"c": [], "c++": ["-Wno-pedantic", "-Wno-missing-field-initializers",
                                       "-Wno-c99-extensions", "-Wno-unknown-warning-option"]}


def compile_text(top, compiler, language, standard, text, *more):
    command = [compiler, "-x", language, "-std=" + standard, "-fsyntax-only", *WARNINGS,
               *WARNINGS_OF[language], *more, "-I", os.path.join(top, "kernel/include"), "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode != 0 else ""


def main(top, compiler, language, standard, *paths):
    if shutil.which(compiler) is None:
        sys.exit(f"cannot find {compiler}, which compiles the headers: install it, "
                 "or let .ci/install-dependencies check do so")
    findings = sources.Findings()
    headers = [path for path in sources.files(top, ".h") if path.startswith(HEADERS)]
    for path in headers:
        name = path[len("kernel/include/"):]
        errors = compile_text(top, compiler, language, standard,
                              f"#include <{name}>\n#include <{name}>\nextern int nothing;\n")
        if errors:
            findings.add(path, 1, f"does not compile alone as {standard}:\n{errors}")
    for path in paths:
        errors = compile_text(top, compiler, language, standard, sources.read(top, path),
                              *SOURCE_WARNINGS_OF[language])
        if errors:
            findings.add(path, 1, f"does not compile as {standard}:\n{errors}")
    findings.end(len(headers))


main(*sys.argv[1:])
