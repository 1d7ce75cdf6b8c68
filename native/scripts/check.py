# SPDX-License-Identifier: BSD-2-Clause
"""Check that the built libraries contain, need and export exactly what they should.

    check.py [--libbpf pinned|system | --target MACHINE-LIBC] [--without fortify|branches]...
             --header FILE --map FILE LIBRARY.so [LIBRARY.a]

Prints one line for each library, or one sentence for each thing that is wrong and exits with 1.
"""
import argparse
import os
import re
import sys
from typing import List, NamedTuple, Set, Tuple

import hardening
from hardening import tool

Version = Tuple[int, ...]

MAX_GLIBC = (2, 17)
MAX_LIBBPF = (1, 1, 0)  # what Debian 12 has
LOADERS = {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
MUSL = "libc.musl-{}.so.1"  # as in PEP 656; musl takes every libc.* for itself
LIBBPF = "libbpf.so.1"
MACHINES = {"Advanced Micro Devices X86-64": "x86_64", "AArch64": "aarch64"}

# What musl got after 1.2.0: its symbols carry no versions, and the wheel is tagged for musl 1.2.
NEWER_THAN_MUSL_1_2 = {
    "_Fork", "gettid", "reallocarray", "qsort_r", "preadv2", "pwritev2", "statx",
    "posix_getdents", "renameat2", "pthread_getname_np", "tcgetwinsize", "tcsetwinsize",
}


class Library(NamedTuple):
    """What the ELF file itself says."""

    machine: str
    needed: Set[str]
    glibc: Version  # the newest that any symbol asks for; (0,) where none does
    libbpf: Version
    imports: Set[str]

    @property
    def newest_symbol(self) -> str:
        return "musl 1.2" if MUSL.format(self.machine) in self.needed else "GLIBC_" + dotted(self.glibc)


def text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def header_functions(path: str) -> Set[str]:
    """Functions declared with TCPRETRANS_API."""
    return set(re.findall(r"^TCPRETRANS_API\b[^;{]*?\b(tcpretrans_\w+)\s*\(", text(path), re.MULTILINE))


def map_functions(path: str) -> Set[str]:
    return set(re.findall(r"^\s*([\w*?]+);", text(path).split("local:")[0], re.MULTILINE))


def dynamic_symbols(library: str) -> List[Tuple[str, bool]]:
    """(name, whether it is defined here) of all that the dynamic linker sees."""
    symbols = []
    for line in tool("readelf", "--wide", "--dyn-syms", library).splitlines():
        column = line.split()
        if len(column) >= 8 and column[4] in ("GLOBAL", "WEAK") and column[6] not in ("ABS", "Ndx"):
            symbols.append((column[7].split("@")[0], column[6] != "UND"))
    return symbols


def exports(library: str) -> Set[str]:
    return {name for name, defined in dynamic_symbols(library) if defined}


def archive_globals(library: str) -> Set[str]:
    lines = tool("nm", "--extern-only", "--defined-only", library).splitlines()
    return {line.split()[2] for line in lines if len(line.split()) == 3}


def newest(prefix: str, versions: str) -> Version:
    found = re.findall(r"\b" + prefix + r"_([0-9.]+)", versions)
    return max((tuple(int(n) for n in version.split(".")) for version in found), default=(0,))


def read(library: str) -> Library:
    machine = re.findall(r"Machine: +(.*\S)", tool("readelf", "--wide", "--file-header", library))[0]
    dynamic = tool("readelf", "--wide", "--dynamic", library)
    versions = tool("readelf", "--wide", "--version-info", library)
    return Library(
        MACHINES.get(machine, machine), set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)),
        newest("GLIBC", versions), newest("LIBBPF", versions),
        {name for name, defined in dynamic_symbols(library) if not defined})


def dotted(version: Version) -> str:
    return ".".join(str(n) for n in version)


def difference(where: str, found: Set[str], wanted: Set[str]) -> List[str]:
    sentences = []
    if found - wanted:
        sentences.append("{} has what libtcpretrans.h does not declare: {}".format(
            where, ", ".join(sorted(found - wanted))))
    if wanted - found:
        sentences.append("{} lacks what libtcpretrans.h declares: {}".format(
            where, ", ".join(sorted(wanted - found))))
    return sentences


def check_needed(found: Library, libbpf: str, target: str) -> List[str]:
    """NEEDED and the newest symbols; `target` names machine and C library, or nothing in particular."""
    wrong = []
    machine, _, libc = target.partition("-")
    if target and found.machine != machine:
        wrong.append("it is for {}, not for {}".format(found.machine, machine))
    allowed = {MUSL.format(machine)} if libc == "musl" else LOADERS | ({LIBBPF} if libbpf == "system" else set())
    if found.needed - allowed:
        wrong.append("it needs " + ", ".join(sorted(found.needed - allowed)))
    if libbpf == "system" and LIBBPF not in found.needed:
        wrong.append("it does not need " + LIBBPF)
    if found.libbpf > MAX_LIBBPF:
        wrong.append("it needs LIBBPF_{}, newer than {}".format(dotted(found.libbpf), dotted(MAX_LIBBPF)))
    if libbpf == "pinned" and found.glibc > MAX_GLIBC:
        wrong.append("it needs GLIBC_{}, newer than {}".format(dotted(found.glibc), dotted(MAX_GLIBC)))
    if libc == "musl" and found.imports & NEWER_THAN_MUSL_1_2:
        wrong.append("it needs what musl 1.2.0 lacks: " + ", ".join(sorted(found.imports & NEWER_THAN_MUSL_1_2)))
    return wrong


def unchecked(needed: Set[str]) -> List[str]:
    """musl has none of the functions that check sizes."""
    return ["fortify"] if any(name.startswith("libc.musl") for name in needed) else []


def check_shared(library: str, arguments: argparse.Namespace, wanted: Set[str]) -> List[str]:
    found, libbpf = read(library), arguments.libbpf
    wrong = hardening.of_shared(library, found.machine, found.imports, arguments.without + unchecked(found.needed))
    wrong += difference("it", exports(library), wanted) + check_needed(found, libbpf, arguments.target)
    if not wrong:
        print("{}: {} bytes, NEEDED {}, {}, {}{} functions exported".format(
            library, os.path.getsize(library), " ".join(sorted(found.needed)), found.newest_symbol,
            "LIBBPF_{}, ".format(dotted(found.libbpf)) if libbpf == "system" else "", len(wanted)))
    return [library + ": " + sentence for sentence in wrong]


def check_archive(library: str, arguments: argparse.Namespace, wanted: Set[str]) -> List[str]:
    needed = {MUSL.format("")} if arguments.target.endswith("-musl") else set()  # type: Set[str]
    wrong = hardening.of_archive(library, read(library).machine, arguments.without + unchecked(needed))
    wrong += difference("it", archive_globals(library), wanted)
    if not wrong:
        print("{}: {} bytes, {} global functions".format(
            library, os.path.getsize(library), len(wanted)))
    return [library + ": " + sentence for sentence in wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--libbpf", choices=("pinned", "system"), default="pinned")
    parser.add_argument("--target", default="", metavar="MACHINE-LIBC")
    parser.add_argument("--without", choices=("fortify", "branches"), action="append", default=[],
                        help="what the compiler or its flags cannot give")
    parser.add_argument("--header", required=True)
    parser.add_argument("--map", required=True)
    parser.add_argument("libraries", nargs="+")
    arguments = parser.parse_args()
    wanted = header_functions(arguments.header)
    wrong = difference(arguments.map, map_functions(arguments.map), wanted)
    if not wanted:
        wrong.append(arguments.header + ": no TCPRETRANS_API function found")
    for library in arguments.libraries:
        if library.endswith(".a"):
            wrong += check_archive(library, arguments, wanted)
        else:
            wrong += check_shared(library, arguments, wanted)
    for sentence in wrong:
        print("check: " + sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
