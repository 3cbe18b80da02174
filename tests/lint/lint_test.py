"""lint_test.py - each rule of the checks in this folder finds what it is there to find.

A case is: the check, a path, the text that stands there, and a part of the finding,
or None where nothing is to be found.
"""
import os
import subprocess
import sys
import tempfile

LINT = os.path.dirname(os.path.abspath(__file__))
COMPILER = sys.argv[1]

HEADER = "/* What it is for. */\n#ifndef KERNEL_A_H\n#define KERNEL_A_H\n%s#endif\n"

CASES = [
    ("text", "kernel/a.c", "int a;\n", None),
    ("text", "kernel/a.c", "\tint a;\n", "a tab"),
    ("text", "Makefile", "a:\n\tb\n", None),
    ("text", "kernel/a.c", "int a; \n", "blanks at the end"),
    ("text", "kernel/a.c", "int a;", "no newline"),
    ("text", "kernel/a.c", "/* caf\u00e9 */\n", "not ASCII"),
    ("text", "kernel/a.c", "/*" + "x" * 97 + "*/\n", "101 columns"),
    ("text", "README.md", "x" * 101 + "\n", None),
    ("text", "kernel/a.c", "/* TO" + "DO: later */\n", "left for later"),
    ("text", "kernel/a.c", "/* TO" + "DO(#12): later */\n", None),
    ("text", "docs/a.md", "see /ho" + "me/someone/x\n", "path of one machine"),
    ("text", "docs/a.md", "below /home\n", None),
    ("text", "src/a.c", "int a;\n", "does not belong at the top"),
    ("text", "kernel/a.bin", "a\0b\n", "not a text file"),

    ("words", "kernel/a.c", "int a = sizeof(int); /* strcpy(a) */\n", None),
    ("words", "kernel/a.c", "void a(char *b) { strcpy(b, b); }\n", "strcpy writes without a bound"),
    ("words", "tests/a.c", "int a(char *b) { return atoi(b); }\n", "atoi hides errors"),
    ("words", "tests/a.c", "void a(void) { usleep(5); }\n", "usleep hopes"),
    ("words", "kernel/a.c", "void a(void) { free(0); }\n", "free passes by"),
    ("words", "services/a/a.c", "void a(void) { free(0); }\n", None),
    ("words", "kernel/a.c", "void a(void) { x->free(0); kernel__free(0); }\n", None),
    ("words", "plugins/a/a.c", "void a(void) { printf(\"\"); }\n", "printf prints"),
    ("words", "kernel/a.c", "void a(void) { exit(1); }\n", "exit ends"),
    ("words", "kernel/command/a.c", "void a(void) { exit(1); }\n", None),
    ("words", "plugins/a/a.c", "char *a = getenv(\"A\");\n", "getenv is the kernel's"),
    ("words", "kernel/a.c", "void a(void) { uv_spawn(0); }\n", "uv_spawn takes"),
    ("words", "kernel/a.c", "int a; /" + "/ why\n", "begins with two slashes"),
    ("words", "kernel/a.c", "const char *a = \"http:/" + "/b\";\n", None),
    ("words", "kernel/a.c", "#if 0\nint a;\n#endif\n", "code that is not compiled"),

    ("includes", "kernel/a.c", "#include <uv.h>\n#include <kernel/kernel.h>\n", None),
    ("includes", "kernel/a.c", "#include <curl/curl.h>\n", "<curl/curl.h> is not for kernel/"),
    ("includes", "kernel/foundation/a.c", "#include <kernel/status.h>\n", "is not for"),
    ("includes", "plugins/math/a.c", "#include <kernel/kernel.h>\n", "is not for plugins/math/"),
    ("includes", "plugins/math/a.c", "#include \"json.h\"\n", "lies in none of plugins/math"),
    ("includes", "samples/a/a.c", "#include <kernel/kernel.h>\n#include <stdio.h>\n", None),
    ("includes", "samples/a/a.c", "#include \"../kernel/a.h\"\n", "not a header by its name"),
    ("includes", "services/http/a.c", "#include <kernel/service.h>\n#include <curl/a.h>\n", None),
    ("includes", "services/http/a.c", "#include <kernel/kernel.h>\n", "is not for services/http/"),
    ("includes", "kernel/include/kernel/a.h", HEADER % "#include <stddef.h>\n", None),
    ("includes", "kernel/include/kernel/a.h", HEADER % "#include <uv.h>\n", "in a public header"),
    ("includes", "kernel/include/kernel/b.h", HEADER % "", "no guard of its own name"),

    ("documentation", "kernel/include/kernel/a.h",
     HEADER % "/* Does it. [thread: any] */\nKERNEL_API void kernel_a(void);\n", None),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % "\nKERNEL_API void kernel_a(void);\n", "kernel_a has no comment"),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % "/* Does it. */\nKERNEL_API void kernel_a(void);\n", "no [thread: ...]"),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % "/* Does it. [thread: mine] */\nKERNEL_API void kernel_a(void);\n", "is none of"),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % "/* Make it. [thread: any] */\nKERNEL_API char *kernel_a(void);\n", "hands out"),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % "/* Make. [thread: any] */\nKERNEL_API void kernel_a(char **out);\n", "hands out"),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % ("/* Makes it. [thread: any] [owned: b] */\n"
               "KERNEL_API char *kernel_a(void) KERNEL_OWNED(c);\n"), "say [owned: c]"),
    ("documentation", "kernel/include/kernel/a.h",
     HEADER % ("/* Told. [thread: chosen]\n * [borrowed: b, until return] */\n"
               "typedef void (*kernel_a_cb)(const char *b);\n"), None),
    ("documentation", "kernel/include/kernel/plugin.h",
     "/* P. */\nstruct a {\n    int (*b)(int); /* [any] */\n};\n", None),
    ("documentation", "kernel/include/kernel/plugin.h",
     "/* P. */\nstruct a {\n    int (*b)(int); /* no tag */\n};\n", "(*b) has no [any]"),

    ("unused", "kernel/a.c", "int a(void)\n{\n    return 1;\n}\n", "a is used in this file alone"),
    ("unused", "kernel/a.c", "static int a(void)\n{\n}\nint main(void)\n{\n}\n", None),

    ("examples", "samples/a/a.c", "int a;\n", "does not mention samples/a"),
    ("examples", "README.md", "```c\n#include <stdio.h>\nint a;\n```\n", None),
    ("examples", "README.md", "```c\n#include <stdio.h>\nint a\n```\n", "does not compile"),
    ("examples", "README.md", "```c\nint a;\n```\n", "cannot be compiled"),
    ("examples", "README.md", "```c fragment\nint a\n```\n", None),
    ("examples", "README.md", "```c file=samples/a.c\nint a;\n```\n", "does not exist"),
    ("examples", "README.md", "```c file=README.md\nint a;\n```\n", None),
]

# Every check refuses to call it success when there was nothing to look at.
EMPTY = ["text", "words", "includes", "documentation", "unused", "examples"]


def run(check, top):
    command = [sys.executable, "-B", os.path.join(LINT, check + ".py"), top]
    if check == "examples":
        command.append(COMPILER)
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def problem_of(check, path, text, wanted):
    with tempfile.TemporaryDirectory() as top:
        os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(top, path), "w", encoding="utf-8") as file:
            file.write(text)
        # Something that is right, so that there is always something to check.
        os.makedirs(os.path.join(top, "docs"), exist_ok=True)
        with open(os.path.join(top, "docs", "right.md"), "w", encoding="utf-8") as file:
            file.write("```sh\nmake run\n```\n")
        status, output = run(check, top)
    if wanted is None:
        return None if status == 0 else f"found something in what is right:\n{output}"
    return None if status != 0 and wanted in output else f"wanted '{wanted}', got:\n{output}"


def main():
    failed = 0
    for check, path, text, wanted in CASES:
        problem = problem_of(check, path, text, wanted)
        if problem:
            failed += 1
            print(f"{check} on {path} with {text!r}: {problem}")
    for check in EMPTY:
        with tempfile.TemporaryDirectory() as top:
            if run(check, top)[0] == 0:
                failed += 1
                print(f"{check} succeeds where there is nothing to check")
    print(f"{len(CASES) + len(EMPTY) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
