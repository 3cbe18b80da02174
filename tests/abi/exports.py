"""exports.py TOP NM LIBRARY - what the library exports is what was decided.

The list in exports.txt, the KERNEL_API functions of the public headers and the
symbols of the file are the same set: an export is a reviewed decision.
"""
import os
import re
import subprocess
import sys

PUBLIC = re.compile(r"^KERNEL_API\b[^;]*?(\w+)\s*\(", re.MULTILINE)


def declared(top):
    names = set()
    folder = os.path.join(top, "kernel", "include", "kernel")
    for header in os.listdir(folder):
        if header.endswith(".h"):
            with open(os.path.join(folder, header), encoding="utf-8") as file:
                names.update(PUBLIC.findall(file.read()))
    return names


def exported(nm, library):
    lines = subprocess.run([nm, "-D", "--defined-only", library], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    # What a sanitizer adds begins with two underscores.
    return {name for name in (line.split()[-1] for line in lines) if not name.startswith("__")}


def main(top, nm, library):
    path = os.path.join(top, "tests", "abi", "exports.txt")
    with open(path, encoding="utf-8") as file:
        decided = set(file.read().split())
    failed = False
    for name, names in (("the public headers declare", declared(top)),
                        (f"{os.path.basename(library)} exports", exported(nm, library))):
        for what, difference in (("but exports.txt lacks", names - decided),
                                 ("but exports.txt also has", decided - names)):
            if difference:
                failed = True
                print(f"{name} {len(names)} functions, {what}: {', '.join(sorted(difference))}")
    if not decided:
        sys.exit("exports.txt is empty")
    sys.exit(1 if failed else 0)


main(*sys.argv[1:])
