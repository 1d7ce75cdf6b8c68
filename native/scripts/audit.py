# SPDX-License-Identifier: BSD-2-Clause
"""Print all that is pinned, whether the files here are those, and what is known to be missing, as Markdown tables.

    audit.py --archive libtcpretrans.a --venv FOLDER

Exits with 1 where a file is not what its pin says. No vulnerability database is asked: there is no network
in this. The names at the end are what to ask one with.
"""
import argparse
import glob
import os
import re
import sys
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence

import contents
import sources

# What one may want to know of a known vulnerability: is that code in the library at all? By a function of it.
FEATURES = {
    "libbpf": [("BTF and relocations to the running kernel", "bpf_core_calc_relo_insn"),
               ("/proc/config.gz, through zlib", "bpf_object__read_kconfig_file"),
               ("USDT and uprobes, never called", "usdt_manager_new"),
               ("linking of BPF objects", "bpf_linker__new"), ("printing types as C", "btf_dump__new"),
               ("its own readers of the two buffers", "ring_buffer__new"),
               ("XDP, traffic control and netlink", "libbpf_netlink_recv")],
    "libelf": [("reading ELF files", "elf_begin"), ("writing ELF files", "elf_update"),
               ("compressed sections of ELF files", "__libelf_decompress_elf"),
               ("archives' tables of symbols", "elf_getarsym"), ("zstd", "__libelf_decompress_zstd")],
    "zlib": [("inflate", "inflate"), ("deflate, reached by libelf's section compression", "deflate"),
             ("reading .gz files", "gzopen"), ("writing .gz files", "gzwrite"), ("minizip", "unzOpen")],
}

LIMITS = """\
- The sources are as their projects released them (zlib: as Debian repacks it, without what is not free). None of
  Debian's patches is applied: a mend that exists only as a patch of a distribution is not in here.
- libbpf is compiled without `skel_internal.c`. Of elfutils there is libelf alone, configured by
  `vendor/libbpf/libelf/config.h`: no zstd, no bzip2, no lzma, no threads, no translations.
- `vendor/libbpf/glibc217.c` stands for `fstat` and `fmemopen`, so that the result runs on glibc 2.17; its
  `fmemopen` reads only.
- What the compiler itself adds (helpers of libgcc, zig's start files) is in no table. The compilers for this
  machine, clang, bpftool and all that apt brings for the tests are the distribution's, and not pinned.
- Tools from [dev] are pinned by version; neither their sha256 nor what they need themselves is. They take part in
  tests, wheel, sdist, manual and site, and nothing of them gets into the libraries.
- LIBBPF=system contains none of the libraries below, and uses the distribution's.
"""


class Tool(NamedTuple):
    """A Python package of the build folder's virtual environment."""

    name: str
    version: str
    licence: str


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print("| {} |".format(" | ".join(head)))
    print("|{}".format(" --- |" * len(head)))
    for row in rows:
        print("| {} |".format(" | ".join(cell.replace("|", "\\|") for cell in row)))
    print()


def found_at(file: str) -> Optional[str]:
    folders = [folder for folder in (sources.user_folder(), sources.VENDOR, sources.FETCHED) if folder]
    return next((path for path in (os.path.join(folder, file) for folder in folders) if os.path.exists(path)), None)


def state(part: contents.Part) -> str:
    path = found_at(part.file)
    if path is None:
        return "not fetched"
    return "matches" if sources.sha256_of(path) == part.sha256 else "DIFFERS: " + path


def pinned_rows(parts: List[contents.Part], used: Dict[str, str]) -> List[List[str]]:
    return [[part.name, part.version, part.licence, used.get(part.name, "by the build"), part.file, part.sha256, state(part)]
            for part in parts]


def feature_rows(archive: str) -> List[List[str]]:
    functions = contents.functions(archive)
    return [[part, what, "in" if function in functions else "left out", function]
            for part, features in FEATURES.items() for what, function in features]


def field(name: str, metadata: str) -> str:
    found = re.search(r"^{}: *(.+)$".format(re.escape(name)), metadata, re.MULTILINE)
    return found.group(1).strip() if found else ""


def installed(venv: str) -> Dict[str, Tool]:
    """By name, in small letters and with dashes alone."""
    tools = {}
    for path in glob.glob(os.path.join(venv, "lib", "python3*", "site-packages", "*.dist-info", "METADATA")):
        with open(path, encoding="utf-8") as file:
            metadata = file.read().split("\n\n")[0]
        classifiers = re.findall(r"^Classifier: License ::.* :: (.*)$", metadata, re.MULTILINE)
        licence = field("License-Expression", metadata) or " and ".join(classifiers) or field("License", metadata)
        name = field("Name", metadata)
        tools[normal(name)] = Tool(name, field("Version", metadata), licence or "not stated")
    return tools


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned_tools() -> Dict[str, str]:
    """Version by name, from the [dev] extra."""
    with open(os.path.join(os.path.dirname(sources.NATIVE), "pyproject.toml"), encoding="utf-8") as file:
        extra = file.read().split("\ndev = [")[1].split("\n]")[0]
    return dict(re.findall(r'"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)"', extra))


def tool_rows(venv: str) -> List[List[str]]:
    there, pinned = installed(venv), pinned_tools()
    rows = []
    for name, version in sorted(pinned.items()):
        tool = there.get(normal(name))
        state = "not installed" if not tool else "installed" if tool.version == version else "INSTALLED IS " + tool.version
        rows.append([name, version, tool.licence if tool else "", "pinned", state])
    brought = [tool for name, tool in sorted(there.items()) if name not in {normal(one) for one in pinned}]
    return rows + [[tool.name, tool.version, tool.licence, "brought by another", "installed"] for tool in brought]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--venv", required=True)
    arguments = parser.parse_args()
    linked, packages = contents.linked(), contents.packages()
    used = {"ziglang": "compiles the portable libraries", "prometheus-client": "packed by EXTRAS=metrics"}
    head = ["name", "version", "licence", "used", "file", "sha256", "file here"]
    rows = pinned_rows(linked, {part.name: "in .so and .a, statically" for part in linked}) + pinned_rows(packages, used)
    print("## Pinned by sha256\n")
    table(head, rows)
    print("## What of it is in {}\n".format(os.path.basename(arguments.archive)))
    table(["library", "what", "here", "by its function"], feature_rows(arguments.archive))
    print("## Tools of the tests and of packing\n")
    table(["name", "version", "licence", "how", "here"], tool_rows(arguments.venv))
    print("## Known limits\n\n" + LIMITS)
    print("## Names to ask a vulnerability database with\n\n"
          "None was asked: this uses no network, and says nothing about known vulnerabilities.\n")
    table(["name", "purl", "CPE", "Debian's source package"],
          [[part.name, part.purl, part.cpe or "none known", part.origin or "none"] for part in linked]
          + [[part.name, part.purl, "none known", "none"] for part in packages])
    wrong = [row for row in rows if row[-1].startswith("DIFFERS")]
    for row in wrong:
        print("audit: {} is not the pinned {} {}: put the right file there, or delete it to have it fetched".format(
            row[-1].split(": ", 1)[1], row[0], row[1]), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit("audit: {}; mend that, then run make again".format(error))
