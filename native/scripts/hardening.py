# SPDX-License-Identifier: BSD-2-Clause
"""What the linker and the compiler do against exploits, as the library's own file shows it.

Each check gives sentences about what is wrong, none where all is as it should be.
"""
import os
import re
import subprocess
from typing import Collection, List, NamedTuple, Set

# By machine: what protects returns, as readelf names it in the file's properties, and what asks for it.
BRANCHES = {"x86_64": ({"SHSTK"}, "-fcf-protection=return"), "aarch64": ({"BTI", "PAC"}, "-mbranch-protection=standard")}


class Segment(NamedTuple):
    kind: str
    offset: int
    flags: str  # of R, W and E


def tool(*argv: str) -> str:
    return subprocess.check_output(argv, universal_newlines=True, env=dict(os.environ, LC_ALL="C"))


def segments(library: str) -> List[Segment]:
    row = re.compile(r"^ +(\w+) +0x(\w+)(?: 0x\w+){4} ([RWE ]{3}) 0", re.MULTILINE)
    return [Segment(kind, int(offset, 16), flags)
            for kind, offset, flags in row.findall(tool("readelf", "--wide", "--program-headers", library))]


def of_segments(found: List[Segment]) -> List[str]:
    wrong = []
    stack = [segment.flags for segment in found if segment.kind == "GNU_STACK"]
    loaded = [segment for segment in found if segment.kind == "LOAD"]
    if not stack or "E" in stack[0]:
        wrong.append("its stack would be executable: link with -z noexecstack")
    if any("W" in segment.flags and "E" in segment.flags for segment in loaded):
        wrong.append("a part of it is writable and executable at once")
    if any("E" in segment.flags and segment.offset == 0 for segment in loaded):
        wrong.append("its headers and constants are executable: link with -z separate-code")
    return wrong


def of_dynamic(library: str, found: List[Segment]) -> List[str]:
    dynamic = tool("readelf", "--wide", "--dynamic", library)
    wrong = [tag + " is set" for tag in ("TEXTREL", "RPATH", "RUNPATH") if re.search(r"\b{}\b".format(tag), dynamic)]
    if "BIND_NOW" not in dynamic or not any(segment.kind == "GNU_RELRO" for segment in found):
        wrong.append("it is not linked with -z relro -z now")
    return wrong


def of_calls(imports: Set[str], without: Collection[str]) -> List[str]:
    wrong = []
    if "__stack_chk_fail" not in imports:
        wrong.append("no function of it watches its stack: compile with -fstack-protector-strong")
    if "fortify" not in without and not any(name.endswith("_chk") for name in imports):
        wrong.append("no call of it has its sizes checked: compile with -D_FORTIFY_SOURCE=2")
    return wrong


def of_branches(library: str, machine: str, without: Collection[str]) -> List[str]:
    if "branches" in without or machine not in BRANCHES:
        return []
    wanted, flag = BRANCHES[machine]
    found = set(re.findall(r"\w+", " ".join(re.findall(r"feature: (.*)", tool("readelf", "--notes", library)))))
    if wanted <= found:
        return []
    return ["its returns are not protected ({} is not set): compile all of it with {}".format(
        ", ".join(sorted(wanted - found)), flag)]


def of_shared(library: str, machine: str, imports: Set[str], without: Collection[str]) -> List[str]:
    """`without`: what cannot be had, `fortify` (not from musl either) or `branches`."""
    found = segments(library)
    return (of_dynamic(library, found) + of_segments(found) + of_calls(imports, without)
            + of_branches(library, machine, without))


def of_archive(library: str, machine: str, without: Collection[str]) -> List[str]:
    """An object that does not say otherwise makes the stack of the program executable that it is linked into."""
    imports = set(re.findall(r" U (\w+)", tool("nm", "--undefined-only", library)))
    stack = re.findall(r" \.note\.GNU-stack +PROGBITS(?: +[0-9a-f]+){4} +([A-Z]*) ",
                       tool("readelf", "--wide", "--sections", library))
    wrong = [] if stack and "X" not in "".join(stack) else ["a program that it is linked into gets an executable stack"]
    return wrong + of_calls(imports, without) + of_branches(library, machine, without)
