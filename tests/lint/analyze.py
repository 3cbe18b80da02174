"""analyze.py TOP BUILD TOOL - a tool that follows the paths through the code finds nothing.

TOOL is clang-tidy (what to look for stands in .clang-tidy) or gcc (its -fanalyzer).
The files and how they are compiled come from BUILD/compile_commands.json.
"""
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import sources

FOLDERS = ("kernel/", "services/", "plugins/", "samples/")
FINDING = re.compile(r"^(?P<path>[^\n:]+):(?P<line>\d+):\d+: (?:warning|error): (?P<what>.*)$",
                     re.MULTILINE)


def command_of(tool, build, path, entry):
    if tool == "clang-tidy":
        return [tool, "--quiet", "-p", build, path]
    words = shlex.split(entry["command"])[1:]
    words[words.index("-o") + 1] = os.devnull
    # It does not count references, and AddressSanitizer sees what is used too late.
    return [tool, *words, "-fanalyzer", "-Wno-analyzer-use-after-free", "-Wno-error"]


def main(top, build, tool):
    if shutil.which(tool) is None:
        sys.exit(f"cannot find {tool}, which analyses the code: install it, "
                 "or let .ci/install-dependencies check do so")
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = {os.path.realpath(entry["file"]): entry for entry in json.load(file)}
    wanted = {os.path.realpath(os.path.join(top, path))
              for path in sources.files(top, ".c") if path.startswith(FOLDERS)}

    def run(path):
        done = subprocess.run(command_of(tool, build, path, entries[path]), capture_output=True,
                              text=True, cwd=entries[path]["directory"])
        found = list(FINDING.finditer(done.stdout + done.stderr))
        failed = done.returncode != 0 and not found
        return path, found, done.stderr if failed else ""

    findings = sources.Findings()
    told = set()
    paths = sorted(wanted & set(entries))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, found, failure in pool.map(run, paths):
            if failure:
                findings.add(os.path.relpath(path, top), 1, f"{tool} failed:\n{failure}")
            for match in found:
                if match[0] not in told:
                    told.add(match[0])
                    findings.add(os.path.relpath(match["path"], top), match["line"], match["what"])
    findings.end(len(paths))


main(*sys.argv[1:])
