"""words.py TOP - functions and forms that C sources of ours do not use.

A rule is: a pattern, the folders it holds for, the files it does not hold for
(each of them a reviewed decision), and what to do instead.
"""
import re
import sys

import sources

LIBRARY = ("kernel/", "services/", "plugins/")
# Programs: the process is theirs.
NOT_LIBRARY = ("kernel/command/", "kernel/plugin_host/", "services/sessions/")
HOMES_OF_MALLOC = ("kernel/foundation/alloc.c", "kernel/alloc.c", "kernel/include/kernel/export.h")
ALL = ("kernel/", "services/", "plugins/", "samples/", "tests/")


def call(*names):
    return r"(?<![\w.>])(?:" + "|".join(names) + r")\s*\("


RULES = [
    (call("strcpy", "strcat", "sprintf", "vsprintf", "strncpy", "strncat", "gets", "stpcpy"),
     ALL, (), "writes without a bound that can be seen; use snprintf, memcpy or a buffer"),
    (call("strtok", "atoi", "atol", "atoll", "atof"),
     ALL, (), "hides errors; use strtoll and the like and look at what they report"),
    (call("alloca", "setjmp", "sigsetjmp", "longjmp", "siglongjmp"),
     ALL, ("tests/support/check.c",), "leaves no trace for a reader or a tool; do without"),
    (call("tmpnam", "mktemp", "tempnam"),
     ALL, (), "is open to others on the machine; use mkstemp or mkdtemp"),
    (call("system", "popen"),
     LIBRARY + ("samples/",), (), "runs a shell; use posix_spawn"),
    (call("sleep", "usleep", "nanosleep"),
     # Polling, the last resort, is shared: it has a deadline there.
     ALL, ("tests/support/",), "hopes instead of waiting; wait for the event"),
    (call("malloc", "calloc", "realloc", "free", "strdup", "strndup"),
     ("kernel/",), HOMES_OF_MALLOC + NOT_LIBRARY,
     "passes by the host's allocator; use that of alloc.h"),
    (call("printf", "puts", "putchar", "perror"),
     LIBRARY, NOT_LIBRARY, "prints, which a library does not do unasked; log or report an error"),
    (call("exit", "_exit", "quick_exit", "abort"),
     # A debug build stops where a plugin breaks its contract.
     LIBRARY, NOT_LIBRARY + ("kernel/call.c",), "ends the host's process; report an error"),
    (call("setlocale", "setenv", "putenv", "unsetenv", "clearenv", "chdir", "umask", "signal",
          "sigaction"),
     LIBRARY, NOT_LIBRARY, "changes the host's process; leave that to the host"),
    (call("getenv", "secure_getenv"),
     ("plugins/", "services/"), NOT_LIBRARY, "is the kernel's business; declare configuration"),
    (call("uv_spawn", "uv_queue_work", "uv_default_loop", "uv_replace_allocator"),
     LIBRARY, ("services/sessions/",), "takes what belongs to the host's process; use the kernel's process and pool"),
    # libcurl counts its users, but whose was the last one only the host knows.
    (call("curl_global_cleanup"),
     LIBRARY, (), "is the host's decision; leave it out"),
    (r"^\s*#\s*if\s+0\b",
     ALL, (), "is code that is not compiled; delete it"),
    (r"^\s*#\s*pragma\s+(?!GCC diagnostic|once)",
     ALL, (), "is not understood everywhere; do without"),
]


def is_excepted(path, exceptions):
    # Beside the program lies the module that starts it, which is a library.
    if path.startswith("services/sessions/module/"):
        exceptions = [entry for entry in exceptions if entry != "services/sessions/"]
    return any(path.startswith(entry) for entry in exceptions)


def check(findings, path, text):
    code = sources.code_only(text)
    comments = [m for m in sources.TOKEN.finditer(text) if m["line"]]
    for comment in comments:
        findings.add(path, sources.line_of(text, comment.start()),
                     "a comment that begins with two slashes; write /* */")
    for pattern, folders, exceptions, reason in RULES:
        if not path.startswith(folders) or is_excepted(path, exceptions):
            continue
        for match in re.finditer(pattern, code, re.MULTILINE):
            word = match[0].rstrip("( ").strip()
            findings.add(path, sources.line_of(code, match.start()), f"{word} {reason}")


def main(top):
    findings = sources.Findings()
    paths = sources.files(top, ".c", ".h")
    for path in paths:
        check(findings, path, sources.read(top, path))
    findings.end(len(paths))


main(sys.argv[1])
