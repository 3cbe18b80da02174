"""documentation.py TOP - public declarations carry their contract in a comment.

Every KERNEL_API function and every callback type has a comment before it with a
[thread: ...] tag; who returns or hands out a pointer says [owned: ...] or
[borrowed: ...]. In plugin.h and service.h, where contracts are tables of function
pointers, each has [any], [loop], [plain] or [owner].
"""
import os
import re
import sys

import sources

HEADERS = "kernel/include/kernel/"
TABLES = ("plugin.h", "service.h")

TAG = re.compile(r"\[(\w+)(?:: ([^\]]*))?\]")
KNOWN = {"thread", "owned", "borrowed", "takes", "nullable", "since"}
THREADS = {"any", "loop", "any but loop", "chosen"}

# A comment, and the declaration that follows it at once.
DECLARATION = re.compile(r"""
    (?: (?P<comment> /\* (?: (?!\*/). )* \*/ ) \s* \n )?
    (?P<code> ^ (?: KERNEL_API \s [^;]* | typedef \s [^;{}]* \( \* \w+ \) [^;]* ) ; )
""", re.DOTALL | re.VERBOSE | re.MULTILINE)

SHORT_TAG = re.compile(r"\[(any|loop|plain|owner)\]")
STRUCT = re.compile(r"^(?:typedef )?struct \w+ \{.*?^\}", re.DOTALL | re.MULTILINE)
MEMBER = re.compile(r"\(\*\w+\)\([^;]*;")


def tags_of(comment):
    joined = re.sub(r"\s*\n \*\s*", " ", comment)
    return [(name, value) for name, value in TAG.findall(joined) if name in KNOWN]


def name_of(code):
    match = re.search(r"\(\*(\w+)\)", code) if code.startswith("typedef") else \
        re.search(r"(\w+)\s*\(", code[len("KERNEL_API"):])
    return match[1]


def check_declaration(findings, path, line, comment, code):
    name = name_of(code)
    if not comment:
        findings.add(path, line, f"{name} has no comment; say what it does for the caller")
        return
    tags = tags_of(comment)
    threads = [value for tag, value in tags if tag == "thread"]
    if not threads:
        findings.add(path, line, f"{name} has no [thread: ...]; say who may call it")
    for value in threads:
        if value not in THREADS:
            findings.add(path, line, f"{name}: [thread: {value}] is none of "
                                     f"{', '.join(sorted(THREADS))}")
    owner = [(tag, value) for tag, value in tags if tag in ("owned", "borrowed")]
    before_name = code[:code.index(name)]
    returns_pointer = "*" in before_name.replace("(*", "(")
    hands_out = re.search(r"\*\*\s*\w+", code) is not None
    if (returns_pointer or hands_out) and not owner:
        findings.add(path, line, f"{name} hands out a pointer; add [owned: ...] or [borrowed: ...]")
    for freed_by in re.findall(r"KERNEL_OWNED\((\w+)\)", code):
        if ("owned", freed_by) not in owner:
            findings.add(path, line, f"{name} is KERNEL_OWNED({freed_by}); say [owned: {freed_by}]")
    if any(tag == "takes" for tag, _ in tags) != name.endswith("_take"):
        findings.add(path, line, f"{name}: [takes: ...] and a name that ends in _take go together")


def check_tables(findings, path, text):
    checked = 0
    for struct in STRUCT.finditer(text):
        body = struct[0]
        for member in MEMBER.finditer(sources.without_comments(body)):
            checked += 1
            end = body.find("\n", member.end())
            beside = body[member.start():end]
            before = re.findall(r"/\*.*?\*/", body[:member.start()], re.DOTALL)
            if not SHORT_TAG.search(beside) and not (before and SHORT_TAG.search(before[-1])):
                findings.add(path, sources.line_of(text, struct.start() + member.start()),
                             f"{member[0].split(')')[0]}) has no [any], [loop], [plain] or [owner]")
    return checked


def main(top):
    findings = sources.Findings()
    checked = 0
    for path in sources.files(top, ".h"):
        if not path.startswith(HEADERS):
            continue
        text = sources.read(top, path)
        if not text.startswith("/*"):
            findings.add(path, 1, "no comment at the top; say what the header is for")
        if os.path.basename(path) in TABLES:
            checked += check_tables(findings, path, text)
            continue
        for match in DECLARATION.finditer(text):
            checked += 1
            check_declaration(findings, path, sources.line_of(text, match.start("code")),
                              match["comment"], match["code"])
        for line, keyword in enumerate(text.split("\n"), 1):
            if keyword.startswith("static inline"):
                findings.add(path, line, "an inline function; export it, or leave it out")
    findings.end(checked)


main(sys.argv[1])
