"""The project's files, and C text without its comments and strings.

Shared by the checks in this folder. Each check is a program that takes the top
folder, prints one line a finding, "path:line: what is wrong; what to do", and
fails if there was one.
"""
import os
import re
import sys

# What may stand at the top, besides dotfiles and build trees.
TOP = {"kernel", "services", "plugins", "samples", "tests", "docs", "CMakeLists.txt",
       "README.md", "LICENSE", "Makefile"}
DOTFILES = {".clang-format", ".clang-tidy", ".gitignore"}


def files(top, *endings):
    """Paths relative to the top of all files of ours, sorted; all of them without endings."""
    found = []
    for folder, subfolders, names in os.walk(top):
        if folder == top:
            subfolders[:] = [name for name in subfolders if name in TOP or name == ".ci"]
            names = [name for name in names if name in TOP or name in DOTFILES]
        subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), top)
            if not endings or name.endswith(endings):
                found.append(path)
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


TOKEN = re.compile(r"""
    (?P<block> /\*.*?\*/ )
  | (?P<line> //(?:\\\n|[^\n])* )
  | (?P<text> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
""", re.DOTALL | re.VERBOSE)


def blank(text):
    """The same length and lines, all else a space."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """C text whose comments are blank; positions and lines stay."""
    return TOKEN.sub(lambda m: m[0] if m["text"] else blank(m[0]), text)


def code_only(text):
    """C text whose comments and literals are blank; positions and lines stay."""
    return TOKEN.sub(lambda m: m[0][0] + blank(m[0][1:-1]) + m[0][-1] if m["text"] else blank(m[0]),
                     text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Findings:
    def __init__(self):
        self.count = 0

    def add(self, path, line, what):
        print(f"{path}:{line}: {what}")
        self.count += 1

    def end(self, checked):
        """Ends the program. A check that looked at nothing has not succeeded."""
        if checked == 0:
            sys.exit("nothing to check was found: is the folder given the top of the project?")
        print(f"{checked} checked, {self.count} findings")
        sys.exit(1 if self.count else 0)
