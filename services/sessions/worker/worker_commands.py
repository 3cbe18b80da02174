"""Lines of a cell that begin with ! or %, as notebooks have them.

Only a cell that is not Python is looked at, and in it only where a statement begins: never
inside a string, brackets or a continued line. Such a line becomes a call at its place, so
that all lines keep their numbers. `worker` is the file worker.py.
"""

import ast
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

COMMAND = re.compile(r"(\s*)(!!|!(?!=)|%%?(?=[A-Za-z_]))(.*)", re.S)
ASSIGNED = re.compile(r"(\s*)([\w.,\[\]* ]+?)\s*=\s*(!|%(?=[A-Za-z_]))(.*)", re.S)
CELL = re.compile(r"(?:[ \t]*(?:#.*)?\n)*%%(\w+)[ \t]*(.*)")
QUOTES = (3 * '"', 3 * "'", '"', "'")


class UsageError(Exception):
    """A line that begins with ! or % cannot be run."""

    __module__ = "builtins"  # so that it is told without ours


# ---- reading a cell ----


def parse(code, name):
    """The tree of a cell that is not Python as it stands; and what to call at its end, or None."""
    session = worker.session
    code = dedent(code.replace("\r\n", "\n").replace("\r", "\n"))
    worker.remember(name, code)
    cell = CELL.match(code)
    if cell is not None:
        start = code.count("\n", 0, cell.start(1)) + 1
        if cell[1] == "time":
            return time_cell(code, name, start, cell[2])
        return call_cell(name, start, cell[1], code[cell.end() + 1 :]), None
    lines, changed = rewrite(code)
    try:
        tree = tree_of("\n".join(lines), name)
    except SyntaxError as error:
        show_source(error, code)
        raise error from None
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) in changed:
            place(node, node.lineno, lines_of(code)[node.lineno - 1])
    return tree, None


def place(node, number, line):
    """Let a node stand for a whole line, so that no part of it is underlined in a traceback."""
    line = line.encode("utf-8", "replace")
    node.lineno = node.end_lineno = number
    node.col_offset = len(line) - len(line.lstrip())
    node.end_col_offset = len(line.rstrip())


def tree_of(code, name):
    return compile(code, name, "exec", worker.session.flags | ast.PyCF_ONLY_AST, True)


def lines_of(code):
    return code.split("\n")


def dedent(code):
    """Without the indentation of the first line, as notebooks run what was copied from a block."""
    first = next((line for line in lines_of(code) if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    if not indent:
        return code
    return "\n".join(line.removeprefix(indent) for line in lines_of(code))


def rewrite(code):
    """The cell's lines with calls in place of commands, and the numbers of those."""
    lines, changed = lines_of(code), set()
    quote, depth, continued = None, 0, False
    at = 0
    while at < len(lines):
        first = at
        if quote is None and depth == 0 and not continued:
            line = lines[at]
            while line.endswith("\\") and is_command(line) and at + 1 < len(lines):
                at += 1
                line = line[:-1] + lines[at]
            call = call_of(line, first + 1)
            if call is not None:
                lines[first : at + 1] = [call] + [""] * (at - first)
                changed.add(first + 1)
                at += 1
                continue
            at = first
        quote, depth, continued = scan(lines[at], quote, depth)
        at += 1
    return lines, changed


def is_command(line):
    return (COMMAND.fullmatch(line) or ASSIGNED.fullmatch(line)) is not None


def call_of(line, number):
    """The call that a command line stands for; None if it is none."""
    match = COMMAND.fullmatch(line)
    if match is not None:
        indent, mark, text = match.groups()
        target = ""
    else:
        match = ASSIGNED.fullmatch(line)
        if match is None:
            return None
        indent, target, mark, text = match.groups()
        target += " = "
        mark = {"!": "!!"}.get(mark, mark)
    return "%s%s__command__(%a, %a, %d)" % (indent, target, mark, text.strip(), number)


def scan(line, quote, depth):
    """Where the next line begins: in this string, so deep in brackets, as a continuation?"""
    at = 0
    while at < len(line):
        if quote is not None:
            if line[at] == "\\":
                at += 2
            elif line.startswith(quote, at):
                at += len(quote)
                quote = None
            else:
                at += 1
            continue
        character = line[at]
        if character == "#":
            return None, depth, False
        quote = next((mark for mark in QUOTES if line.startswith(mark, at)), None)
        depth += (character in "([{") - (character in ")]}")
        depth = max(depth, 0)
        at += 1 if quote is None else len(quote)
    continued = line.endswith("\\")
    if quote is not None and len(quote) == 1 and not continued:
        quote = None  # a mistake that ends with its line
    return quote, depth, continued and quote is None


def show_source(error, code):
    """Make a syntax error show the line as it was written."""
    lines = lines_of(code)
    if error.lineno is not None and 0 < error.lineno <= len(lines):
        error.text = lines[error.lineno - 1] + "\n"


# ---- running a line ----


def run(mark, text, line):
    if mark == "!":
        return shell(expand(text))
    if mark == "!!":
        return shell_lines(expand(text))
    if mark in SCRIPTS:
        return script(mark, text)
    name, _, rest = text.partition(" ")
    if mark == "%%" or name not in LINE_COMMANDS:
        known = mark == "%%" and name in CELL_COMMANDS
        raise UsageError(
            "line %d: %s%s %s; known are %s, and as the first line of a cell %s"
            % (
                line,
                mark,
                name,
                "must be the first line of its cell" if known else "is not known here",
                ", ".join("%" + other for other in LINE_COMMANDS),
                ", ".join("%%" + other for other in CELL_COMMANDS),
            )
        )
    return LINE_COMMANDS[name](rest.strip(), line)


def expand(text):
    """Put values into a command: {expression} and $variable, where there is such a thing."""

    def value(match):
        if match[0] in ("$$", "${"):
            return "$" if match[0] == "$$" else match[0]
        source = match[1] or match[2]
        names = worker.session.names
        if match[2] and source not in names:
            return match[0]
        try:
            return str(eval(source, names))
        except Exception:
            return match[0]

    return re.sub(r"\$\$|\$\{|\{([^{}]+)\}|\$([A-Za-z_]\w*)", value, text)


def run_process(command, **options):
    """Run it without input; its exit status is there as notebooks have it."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, **options)
    worker.session.names["_exit_code"] = done.returncode


def shell(text):
    """Run a command; what it prints is printed."""
    run_process(text, shell=True)


def shell_lines(text):
    """Run a command; the lines it prints."""
    with tempfile.TemporaryFile() as output:  # a process that stays behind holds up no file
        run_process(text, shell=True, stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        return output.read().decode("utf-8", "replace").splitlines()


def script(interpreter, text):
    """Run all of a cell's lines but the first."""
    with tempfile.TemporaryFile() as lines:
        lines.write(text.encode("utf-8", "replace"))
        lines.seek(0)
        run_process([interpreter], stdin=lines)


def pip(rest, line):
    run_process([sys.executable, "-m", "pip", *shlex.split(expand(rest))])


def change_directory(rest, line):
    words = shlex.split(expand(rest)) or ["~"]
    os.chdir(os.path.expanduser(words[0]))
    print(os.getcwd())


def working_directory(rest, line):
    return os.getcwd()


def choose_backend(rest, line):
    if rest not in ("", "inline", "agg"):
        raise UsageError(
            "line %d: %%matplotlib %s is not possible here: figures come as images, which is "
            "%%matplotlib inline" % (line, rest)
        )


class Clock:
    """Tells at its stop what has passed since it was made."""

    def __init__(self):
        self.start = self.now()

    def now(self):
        own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return (
            own.ru_utime + others.ru_utime,
            own.ru_stime + others.ru_stime,
            time.perf_counter(),
        )

    def stop(self):
        user, system, wall = (end - start for start, end in zip(self.start, self.now()))
        print(
            "CPU times: user %s, sys: %s, total: %s\nWall time: %s"
            % tuple(map(duration, (user, system, user + system, wall)))
        )


def duration(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("\u00b5s", 1e-6)):
        if seconds >= size:
            return "%.3g %s" % (seconds / size, unit)
    return "%d ns" % (seconds * 1e9)


def time_line(rest, line):
    """Run a statement, say how long it took, give its value."""
    name = "<cell-%d>" % worker.session.cell
    try:
        tree = tree_of(rest, name)
    except SyntaxError as error:
        error.lineno = error.end_lineno = line
        error.text, error.offset = "%time " + rest + "\n", None
        raise error from None
    for node in ast.walk(tree):
        if hasattr(node, "end_col_offset"):
            place(node, line, worker.linecache.getline(name, line))
    clock = Clock()
    try:
        return worker.session.run_tree(tree, name)
    finally:
        clock.stop()


# ---- whole cells ----


def time_cell(code, name, start, rest):
    lines = lines_of(code)
    lines[start - 1] = rest
    tree, finish = parse("\n".join(lines), name)
    worker.remember(name, code)
    clock = Clock()

    def stop():
        if finish is not None:
            finish()
        clock.stop()

    return tree, stop


def call_cell(name, start, command, body):
    mark, text = (command, body) if command in SCRIPTS else ("%%", command)
    tree = tree_of("__command__(%a, %a, %d)" % (mark, text, start), name)
    return ast.increment_lineno(tree, start - 1)


LINE_COMMANDS = {
    "cd": change_directory,
    "matplotlib": choose_backend,
    "pip": pip,
    "pwd": working_directory,
    "time": time_line,
}
SCRIPTS = ("bash", "sh")
CELL_COMMANDS = ("time", *SCRIPTS)
