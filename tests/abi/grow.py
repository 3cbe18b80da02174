"""grow.py HEADER OUTPUT - plugin.h as a later release of this epoch may have it.

Every struct that may grow has grown at its end, and the minor version is higher. What
is compiled with it must run on today's kernel.
"""
import re
import sys

# Frozen for ever; and what never crosses the boundary.
FROZEN = {"kp_value", "kp_call", "kp_instance", "kp_named", "kp_http_header", "kp_bytes",
          "kp_elf_note"}
STRUCT = re.compile(r"^(?:typedef )?struct (kp_\w+) \{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}",
                    re.MULTILINE)


def main(header, output):
    with open(header, encoding="utf-8") as file:
        text = file.read()
    grown = []

    def grow(match):
        if match[1] in FROZEN:
            return match[0]
        grown.append(match[1])
        return match[0][:-1] + "    void *grown_by[3];\n}"

    text = STRUCT.sub(grow, text)
    text = re.sub(r"#define KP_MINOR 0u", "#define KP_MINOR 7u", text)
    for name in ("kp_param", "kp_function", "kp_plugin", "kp_module", "kp_host", "kp_result",
                 "kp_http_request", "kp_loop"):
        if name not in grown:
            sys.exit(f"{header}: found no struct {name} that could grow")
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


main(*sys.argv[1:])
