"""unused.py TOP - functions that more than one file can see but one file uses.

A function that is not static is used outside its file, or is an entry that
someone else calls by name.
"""
import re
import sys

import sources

# Called by name from outside: programs, fuzzers, plugins, hosts.
ENTRIES = re.compile(r"^(main|LLVMFuzzer\w+|kernel_plugin_v1\w*)$")
DEFINITION = re.compile(r"^(?!static\b|typedef\b|struct\b[^(]*\{|enum\b|KP_|TEST|extern\b|return\b)"
                        r"[A-Za-z_][\w \t*]*?\**\b(\w+)\([^;{}]*\)\s*\{", re.MULTILINE)
MACRO = re.compile(r"^[ \t]*#[ \t]*define\b(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
PUBLIC = re.compile(r"^KERNEL_API\b[^;]*?(\w+)\s*\(", re.MULTILINE)


def main(top):
    findings = sources.Findings()
    code = {path: sources.code_only(sources.read(top, path))
            for path in sources.files(top, ".c", ".h")}
    public = {name for path, text in code.items() if path.startswith("kernel/include/")
              for name in PUBLIC.findall(text)}
    # A declaration in a header is no use; a macro there is one.
    used = {path: text if path.endswith(".c") else "".join(MACRO.findall(text))
            for path, text in code.items()}
    words = {path: set(re.findall(r"\w+", text)) for path, text in used.items()}
    checked = 0
    for path, text in code.items():
        if not path.endswith(".c"):
            continue
        for match in DEFINITION.finditer(text):
            name = match[1]
            checked += 1
            if ENTRIES.match(name) or name in public:
                continue
            if not any(name in words[other] for other in words if other != path):
                findings.add(path, sources.line_of(text, match.start()),
                             f"{name} is used in this file alone; make it static, or remove it")
    findings.end(checked)


main(sys.argv[1])
