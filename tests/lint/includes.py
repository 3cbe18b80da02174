"""includes.py TOP - who may include whom; arrows between the folders point one way.

The first rule whose folder a file is in says what it may include in angle
brackets, beside the headers of the system; in quotes a file may include its own
folder's headers and those of the folders named there.
"""
import os
import re
import sys

import sources

# Headers of C11 that a public header may use.
STANDARD = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "string.h"}

FOREIGN = re.compile(r"^(uv\.h|uv/|cjson/|cJSON|curl/|microhttpd\.h|gnutls/|seccomp\.h|kernel/)")

FOUNDATION = "kernel/foundation"
PLUGIN = {"kernel/plugin.h"}
SERVICE = {"kernel/plugin.h", "kernel/service.h"}
# What a user has installed.
INSTALLED = {"kernel/"}

# The session pool is many rooms. Each may include those in front of it, by ROOM/HEADER.
POOL = "services/sessions"
POOL_ROOMS = [POOL + "/" + room for room in (
    "base", "config", "telemetry", "sandbox", "worker", "http", "pool", "protocol")]


def pool_rules():
    foreign = {"uv.h", "kernel/version.h"}
    own = {POOL + "/sandbox": {"seccomp.h"}, POOL + "/http": {"microhttpd.h", "gnutls/"}}
    for at, room in enumerate(POOL_ROOMS):
        yield room + "/", foreign | own.get(room, set()), (FOUNDATION, *POOL_ROOMS[:at])
    yield POOL + "/", foreign, (FOUNDATION, *POOL_ROOMS)


# folder, foreign headers in angle brackets, folders whose headers it may include in quotes
RULES = [
    ("kernel/foundation/", {"cjson/", "cJSON"}, ()),
    ("kernel/command/", INSTALLED, ()),
    ("kernel/plugin_host/", {"kernel/", "uv.h"}, (FOUNDATION,)),
    ("kernel/", {"kernel/", "uv.h"}, (FOUNDATION,)),
    ("services/http/", SERVICE | {"curl/"}, (FOUNDATION,)),
    ("services/sessions/module/", SERVICE, (FOUNDATION,)),
    *pool_rules(),
    ("services/", SERVICE, (FOUNDATION,)),
    # Whoever wants to write a plugin copies one of these.
    ("plugins/math/", PLUGIN, ()),
    ("plugins/text/", PLUGIN, ()),
    ("plugins/time/", PLUGIN, ()),
    ("plugins/", PLUGIN, (FOUNDATION,)),
    ("samples/", INSTALLED | {"uv.h"}, ()),
]

# A library whose types we turn into ours in so many files of a binary.
HOMES = [
    (re.compile(r"^cjson/|^cJSON"), "kernel/foundation/", 1),
    (re.compile(r"^dlfcn\.h$"), "kernel/", 2),  # loading a file; where this library lies
    (re.compile(r"^curl/"), "services/http/", 1),
    (re.compile(r"^microhttpd\.h$"), "services/sessions/http/", 1),
    (re.compile(r"^gnutls/"), "services/sessions/http/", 1),
    (re.compile(r"^seccomp\.h$"), "services/sessions/sandbox/", 1),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(text):
    for match in INCLUDE.finditer(sources.without_comments(text)):
        yield sources.line_of(text, match.start()), match[1] == "<", match[2]


def allowed(name, names):
    return any(name == entry or (entry.endswith("/") and name.startswith(entry)) or
               (entry == "cJSON" and name.startswith(entry)) for entry in names)


def lies_in(top, folders, name):
    """Is this a header of one of the folders, named from there or from the pool's?"""
    full = os.path.join(POOL, name)
    return any(os.path.exists(os.path.join(top, folder, name)) or
               (full.startswith(folder + "/") and os.path.exists(os.path.join(top, full)))
               for folder in folders)


def check_public(findings, path, text):
    for line, angled, name in includes(text):
        if not angled:
            findings.add(path, line, f'"{name}" in a public header; write <kernel/{name}>')
        elif name not in STANDARD and not name.startswith("kernel/"):
            findings.add(path, line, f"<{name}> in a public header; forward-declare what it needs")
        elif os.path.basename(path) == "plugin.h" and name.startswith("kernel/"):
            findings.add(path, line, f"<{name}> in plugin.h, which is one file; write it there")
    guard = "KERNEL_" + re.sub(r"\W", "_", path.split("include/kernel/")[1]).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        findings.add(path, 1, f"no guard of its own name; write #ifndef {guard}")


def check_private(findings, top, path, text):
    folder, foreign, quoted = next(rule for rule in RULES if path.startswith(rule[0]))
    own = os.path.dirname(path)
    for line, angled, name in includes(text):
        if name.endswith(".c") or "../" in name:
            findings.add(path, line, f"{name} is not a header by its name; name a header")
        elif angled and FOREIGN.match(name) and not allowed(name, foreign):
            findings.add(path, line, f"<{name}> is not for {folder}; "
                                     f"it may include {', '.join(sorted(foreign)) or 'nothing'}")
        elif angled and FOUNDATION not in (own,) + quoted and \
                os.path.exists(os.path.join(top, FOUNDATION, name)):
            findings.add(path, line, f"<{name}> is the foundation's, which is not for {folder}")
        elif not angled and not lies_in(top, (own,) + quoted, name):
            # A header that the build generates lies in no folder.
            if not re.search(r"_generated\.h$|_data\.h$", name):
                findings.add(path, line, f'"{name}" lies in none of '
                                         f"{', '.join((own,) + quoted)}; arrows point downwards")
    header = os.path.splitext(path)[0] + ".h"
    if path.endswith(".c") and os.path.exists(os.path.join(top, header)):
        first = next(includes(text), None)
        if first is None or first[2] != os.path.basename(header):
            findings.add(path, first[0] if first else 1,
                         f"its own header comes first, which proves that {header} is complete")


def check_homes(findings, top, paths):
    for pattern, folder, most in HOMES:
        users = []
        for path in paths:
            if path.startswith(folder) and any(pattern.match(name) for _, angled, name in
                                               includes(sources.read(top, path)) if angled):
                users.append(path)
        if len(users) > most:
            findings.add(users[-1], 1, f"{pattern.pattern} is included by {', '.join(users)}; "
                                       "a library has one home in a binary")


def main(top):
    findings = sources.Findings()
    paths = [path for path in sources.files(top, ".c", ".h") if not path.startswith("tests/")]
    for path in paths:
        text = sources.read(top, path)
        if path.startswith("kernel/include/"):
            check_public(findings, path, text)
        else:
            check_private(findings, top, path, text)
    check_homes(findings, top, paths)
    findings.end(len(paths))


main(sys.argv[1])
