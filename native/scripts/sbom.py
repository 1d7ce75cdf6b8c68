# SPDX-License-Identifier: BSD-2-Clause
"""Write what the libraries contain as a CycloneDX bill of materials: the same bytes from the same libraries.

    sbom.py --version V --target NAME [--system-libbpf V] [--extra PACKAGE]... --out FILE LIBRARY...

There is no time in it, and the serial number is made of the content.
"""
import argparse
import json
import os
import sys
import uuid
from typing import Any, Dict, List

import check
import contents
import sources

PROJECT = "retrans_ctypes"
BPF = "tcpretrans.bpf"


def expression(licence: str) -> List[Dict[str, str]]:
    return [{"expression": licence}]


def sha256(value: str) -> List[Dict[str, str]]:
    return [{"alg": "SHA-256", "content": value}]


def properties(**values: str) -> List[Dict[str, str]]:
    return [{"name": "{}:{}".format(PROJECT, name), "value": value} for name, value in sorted(values.items())]


def linked_part(part: contents.Part) -> Dict[str, Any]:
    return {
        "type": "library", "bom-ref": part.name, "name": part.name, "version": part.version, "scope": "required",
        "licenses": expression(part.licence), "cpe": part.cpe, "purl": part.purl,
        "externalReferences": [{"type": "source-distribution", "url": part.origin, "comment": part.file,
                                "hashes": sha256(part.sha256)}],
        "properties": properties(linked="statically, without the functions that nothing calls")}


def system_libbpf(version: str) -> Dict[str, Any]:
    """Not contained: whatever libbpf.so.1 the host has is used, and brings libelf and zlib itself."""
    names = contents.names_of("libbpf")
    return {
        "type": "library", "bom-ref": "libbpf", "name": "libbpf", "version": version, "scope": "required",
        "cpe": names.cpe.format(version), "purl": names.purl.format(version),
        "properties": properties(linked="dynamically: not contained, the version is that of the build machine")}


def packed_part(name: str) -> Dict[str, Any]:
    """A Python package of vendor/wheels.lock that is packed along."""
    (part,) = [part for part in contents.packages() if part.name == name]
    return {
        "type": "library", "bom-ref": part.name, "name": part.name, "version": part.version, "scope": "optional",
        "licenses": expression(part.licence), "purl": part.purl,
        "externalReferences": [{"type": "distribution", "url": part.purl, "comment": part.file,
                                "hashes": sha256(part.sha256)}]}


def library(path: str, version: str, target: str, licence: str) -> Dict[str, Any]:
    elf, name = check.read(path), os.path.basename(path)
    told = {"build": target}
    if elf.needed:
        told.update(needs=" ".join(sorted(elf.needed)), newest_symbol=elf.newest_symbol)
    return {"type": "library", "bom-ref": name, "name": name, "version": version, "scope": "required",
            "hashes": sha256(sources.sha256_of(path)), "licenses": expression(licence), "properties": properties(**told)}


def project(version: str, licence: str) -> Dict[str, Any]:
    return {"type": "application", "bom-ref": PROJECT, "name": PROJECT, "version": version,
            "licenses": expression(licence), "purl": "pkg:generic/{}@{}".format(PROJECT, version)}


def programs(version: str) -> Dict[str, Any]:
    return {"type": "library", "bom-ref": BPF, "name": BPF, "version": version, "scope": "required",
            "description": "the BPF programs that the library loads into the kernel",
            "licenses": expression(contents.OUR_BPF)}


def document(arguments: argparse.Namespace) -> Dict[str, Any]:
    version, system = arguments.version, arguments.system_libbpf
    linked = [] if system else contents.linked()
    licence = contents.whole_licence(linked)
    libraries = [library(path, version, arguments.target, licence) for path in arguments.libraries]
    parts = [system_libbpf(system)] if system else [linked_part(part) for part in linked]
    extras = [packed_part(name) for name in arguments.extra]
    own = [one["name"] for one in libraries]
    needs = {part["name"]: [] if system else contents.NEEDS[part["name"]] for part in parts}
    depends = dict({PROJECT: own + arguments.extra, BPF: []}, **needs)
    depends.update((name, [BPF] + sorted(needs)) for name in own)
    depends.update((name, []) for name in arguments.extra)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"lifecycles": [{"phase": "build"}], "component": project(version, licence)},
        "components": libraries + [programs(version)] + parts + extras,
        "dependencies": [{"ref": name, "dependsOn": sorted(on)} for name, on in sorted(depends.items())]}


def with_serial(told: Dict[str, Any]) -> Dict[str, Any]:
    content = json.dumps(told, sort_keys=True)
    return dict(told, serialNumber="urn:uuid:{}".format(uuid.uuid5(uuid.NAMESPACE_URL, content)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--version", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--system-libbpf", metavar="VERSION")
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--out", required=True)
    parser.add_argument("libraries", nargs="+")
    arguments = parser.parse_args()
    text = json.dumps(with_serial(document(arguments)), indent=1, sort_keys=True) + "\n"
    os.makedirs(os.path.dirname(arguments.out), exist_ok=True)
    scratch = "{}.{}.new".format(arguments.out, os.getpid())  # the make of a wheel may write the same just now
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(scratch, arguments.out)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit("sbom: {}; mend that, then run make again".format(error))
