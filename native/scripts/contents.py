# SPDX-License-Identifier: BSD-2-Clause
"""What the libraries are made of, by the pins in vendor/: for the bill of materials and for the audit."""
import re
from typing import Dict, List, NamedTuple, Set
from urllib.parse import quote

import sources
import wheels
from hardening import tool

OURS = "BSD-2-Clause"
OUR_BPF = "GPL-2.0-only OR BSD-2-Clause"


class Names(NamedTuple):
    """What vulnerability databases call it, with {} for the version."""

    purl: str
    cpe: str


NAMES = {
    "libbpf": Names("pkg:github/libbpf/libbpf@v{}", "cpe:2.3:a:libbpf_project:libbpf:{}:*:*:*:*:*:*:*"),
    "libelf": Names("pkg:generic/elfutils@{}", "cpe:2.3:a:elfutils_project:elfutils:{}:*:*:*:*:*:*:*"),
    "zlib": Names("pkg:github/madler/zlib@v{}", "cpe:2.3:a:zlib:zlib:{}:*:*:*:*:*:*:*"),
}
NEEDS = {"libbpf": ["libelf", "zlib"], "libelf": ["zlib"], "zlib": []}  # type: Dict[str, List[str]]


class Part(NamedTuple):
    """A pinned library that is linked in, or a package that is packed along."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str  # an SPDX expression
    purl: str
    cpe: str  # empty where none is known
    origin: str  # the package of the distribution that the file is the source of, as a purl, or empty


def names_of(name: str) -> Names:
    if name not in NAMES:
        sources.fail("scripts/contents.py knows no purl and no CPE name of {}; add them".format(name))
    return NAMES[name]


def linked() -> List[Part]:
    parts = []
    for pin in sources.read_lock():
        names = names_of(pin.name)
        package, _, revision = pin.package.partition("=")
        parts.append(Part(
            pin.name, pin.version, pin.file, pin.sha256, pin.licence.replace("_", " "),
            names.purl.format(pin.version), names.cpe.format(pin.version),
            "pkg:deb/debian/{}@{}?arch=source&distro={}".format(package, quote(revision, safe="~"), pin.suite)))
    return parts


def packages() -> List[Part]:
    """Pinned Python packages: one compiles the portable libraries, the others can be packed along."""
    return [Part(pin.name, pin.version, pin.file, pin.sha256, pin.licence,
                 "pkg:pypi/{}@{}".format(pin.name, pin.version), "", "") for pin in wheels.read_lock()]


def whole_licence(parts: List[Part]) -> str:
    """Of a library that contains our code, the BPF programs and these."""
    choices = [OURS, OUR_BPF] + [part.licence for part in parts]
    return " AND ".join("({})".format(one) if " " in one else one for one in choices)


def functions(archive: str) -> Set[str]:
    """Names of all that is defined in an archive, local ones too."""
    return set(re.findall(r"^[0-9a-f]+ [A-Za-z] (\S+)$", tool("nm", "--defined-only", archive), re.MULTILINE))
