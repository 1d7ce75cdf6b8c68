"""The bill of materials and the audit, each compared with what really is in the libraries."""
import glob
import json
import os
import re
import shutil
import sys
import zipfile
from typing import Any, Dict, Iterator, List, Set

import pytest
from building import BUILD, NATIVE, environment, make, read, run, where_tarballs_are
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

SO, ARCHIVE = os.path.join(BUILD, "libtcpretrans.so"), os.path.join(BUILD, "libtcpretrans.a")
SBOM = os.path.join(BUILD, "sbom", "libtcpretrans.cdx.json")
STATIC = {"libbpf": "libbpf.a", "libelf": "libelf.a", "zlib": "libz.a"}  # where its objects come from
LICENCE_FILES = {"libbpf": {"LGPL-2.1-only": "LICENSE.LGPL-2.1", "BSD-2-Clause": "LICENSE.BSD-2-Clause"},
                 "libelf": {"LGPL-3.0-or-later": "COPYING-LGPLV3", "GPL-2.0-or-later": "COPYING-GPLV2"},
                 "zlib": {"Zlib": "LICENSE"}}

# How each says which version it is, in its own sources.
OWN_VERSION = {"libbpf": ("src/libbpf_version.h", r"MAJOR_VERSION (\d+)\n#define LIBBPF_MINOR_VERSION (\d+)"),
               "libelf": ("configure.ac", r"AC_INIT\(\[elfutils\],\[(\d+)\.(\d+)\]"),
               "zlib": ("zlib.h", r'#define ZLIB_VERSION "(\d+)\.(\d+)[.\d]*"')}


def sha256(path: str) -> str:
    return run(["sha256sum", path]).split()[0]


def validated(content: bytes) -> Dict[str, Any]:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode())
    assert error is None, error
    told: Dict[str, Any] = json.loads(content)
    return told


def components(told: Dict[str, Any]) -> Dict[str, Any]:
    return {one["name"]: one for one in told["components"]}


def licence(one: Dict[str, Any]) -> str:
    (choice,) = one["licenses"]
    return str(choice["expression"])


def names(path: str) -> Set[str]:
    """Functions that are defined there; local ones too."""
    return set(re.findall(r" [tT] (\w+)$", run(["nm", "--defined-only", path]), re.MULTILINE))


@pytest.fixture(scope="module")
def bill() -> Dict[str, Any]:
    make(NATIVE, "sbom")
    return validated(read(SBOM))


def test_lists_the_libraries_as_they_are(bill: Dict[str, Any]) -> None:
    for path in (SO, ARCHIVE):
        (digest,) = components(bill)[os.path.basename(path)]["hashes"]
        assert digest == {"alg": "SHA-256", "content": sha256(path)}
    told = {one["name"]: one["value"] for one in components(bill)["libtcpretrans.so"]["properties"]}
    assert set(told["retrans_ctypes:needs"].split()) == set(re.findall(r"NEEDED.*\[(.*)\]", run(["readelf", "-d", SO])))


def test_lists_what_the_archive_is_made_of(bill: Dict[str, Any]) -> None:
    """Every function comes from our sources or from a listed library, and from each of those come some."""
    left = names(ARCHIVE)
    for path in glob.glob(os.path.join(BUILD, "obj", "*.o")) + glob.glob(os.path.join(BUILD, "obj", "helpers", "*.o")):
        if os.path.basename(path) not in ("all.o", "libtcpretrans.whole.o"):
            left -= names(path)
    listed = set(components(bill)) - {"libtcpretrans.so", "libtcpretrans.a", "tcpretrans.bpf"}
    assert listed == set(STATIC)
    for name in listed:
        own = names(os.path.join(BUILD, "deps", STATIC[name]))
        assert len(left & own) > 10, name
        left -= own
    # what the compiler splits off a function is called after it
    assert not {name for name in left if "." not in name}


def test_versions_are_those_of_the_sources_and_of_the_library(bill: Dict[str, Any]) -> None:
    for name, (file, pattern) in OWN_VERSION.items():
        found = re.search(pattern, read(os.path.join(BUILD, "src", name, file)).decode())
        version = components(bill)[name]["version"]
        assert found and version.split(".")[:2] == list(found.groups()), name
        assert version in components(bill)[name]["purl"] and ":" + version + ":" in components(bill)[name]["cpe"]
    content = read(SO)
    assert b"\0" + components(bill)["zlib"]["version"].encode() + b"\0" in content
    assert b"libbpf: " in content and b"invalid `Elf' handle" in content


def test_names_the_tarballs(bill: Dict[str, Any]) -> None:
    tarballs = {os.path.basename(path): sha256(path) for path in where_tarballs_are().values()}
    sources = [one["externalReferences"][0] for name, one in components(bill).items() if name in STATIC]
    assert {one["comment"]: one["hashes"][0]["content"] for one in sources} == tarballs


def test_licences_are_those_of_the_texts(bill: Dict[str, Any]) -> None:
    """Each licence that is named has its text beside the library, and the whole names those of all parts."""
    whole = licence(components(bill)["libtcpretrans.so"])
    for name, texts in LICENCE_FILES.items():
        assert licence(components(bill)[name]).split(" OR ") == list(texts)
        assert licence(components(bill)[name]) in whole
        for file in texts.values():
            assert os.path.getsize(os.path.join(BUILD, "licenses", name, file)) > 500
    assert "(GPL-2.0-only OR BSD-2-Clause)" in whole


def test_depends_on_what_it_lists(bill: Dict[str, Any]) -> None:
    depends = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert set(depends) == {"retrans_ctypes"} | set(components(bill))
    assert depends["libtcpretrans.so"] == ["libbpf", "libelf", "tcpretrans.bpf", "zlib"]


def test_same_bytes_twice_and_a_number_of_its_own(bill: Dict[str, Any]) -> None:
    before = read(SBOM)
    os.remove(SBOM)
    make(NATIVE, "sbom", env=environment(SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo"))
    assert read(SBOM) == before
    assert "timestamp" not in bill["metadata"]
    packed = json.loads(read(os.path.join(BUILD, "sbom", "retrans_ctypes.cdx.json")))
    assert packed["serialNumber"] != bill["serialNumber"]


def test_system_libbpf_is_not_contained(system_library: str) -> None:
    make(NATIVE, "LIBBPF=system", "sbom")
    told = components(validated(read(os.path.join(os.path.dirname(system_library), "sbom", "libtcpretrans.cdx.json"))))
    assert sorted(told) == ["libbpf", "libtcpretrans.a", "libtcpretrans.so", "tcpretrans.bpf"]
    assert told["libbpf"]["version"] == run(["pkg-config", "--modversion", "libbpf"]).strip()
    assert "not contained" in told["libbpf"]["properties"][0]["value"]
    assert "Zlib" not in licence(told["libtcpretrans.so"])
    assert not names(system_library) & names(os.path.join(BUILD, "deps", "libz.a"))


def in_wheel() -> bytes:
    make(NATIVE, "wheel")
    (wheel,) = glob.glob(os.path.join(BUILD, "wheel", "*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        (record,) = [line for line in archive.read("retrans_ctypes-0.1.0.dist-info/RECORD").decode().splitlines()
                     if "/sboms/" in line]
        assert "sha256=" in record
        return archive.read("retrans_ctypes-0.1.0.dist-info/sboms/retrans_ctypes.cdx.json")


def in_pyz(*arguments: str) -> bytes:
    told = make(NATIVE, "pyz", "MANUAL=no", *arguments)
    with zipfile.ZipFile(os.path.join(NATIVE, re.findall(r"native/(\S+\.pyz)", told)[0])) as archive:
        return archive.read("retrans_ctypes/sboms/retrans_ctypes.cdx.json")


def test_wheel_and_bundle_hold_theirs() -> None:
    """The library in them is the .so alone, and the hash is that of the one that they hold."""
    for content in (in_wheel(), in_pyz()):
        told = components(validated(content))
        assert sorted(told) == ["libbpf", "libelf", "libtcpretrans.so", "tcpretrans.bpf", "zlib"]
        assert told["libtcpretrans.so"]["hashes"][0]["content"] == sha256(SO)


def test_bundle_with_metrics_lists_what_that_brings() -> None:
    told = components(validated(in_pyz("EXTRAS=metrics")))
    extra = told["prometheus-client"]
    assert extra["purl"] == "pkg:pypi/prometheus-client@0.17.1" and licence(extra) == "Apache-2.0"
    (metadata,) = glob.glob(os.path.join(BUILD, "extras", "prometheus-client", "unpacked", "*.dist-info", "METADATA"))
    assert "\nVersion: {}\n".format(extra["version"]) in read(metadata).decode()


def test_installed_with_the_library(installed: str) -> None:
    content = read(os.path.join(installed, "usr/share/doc/libtcpretrans/libtcpretrans.cdx.json"))
    (digest,) = components(validated(content))["libtcpretrans.so"]["hashes"]
    assert digest["content"] == sha256(os.path.join(installed, "usr/lib/libtcpretrans.so"))


def rows(said: str, heading: str) -> List[List[str]]:
    """Cells of the table below a heading, without the two lines of its head."""
    lines = said.split("## " + heading)[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| ")][2:]


@pytest.fixture(scope="module")
def audit() -> str:
    return make(NATIVE, "audit")


def test_audit_lists_every_pin(audit: str, bill: Dict[str, Any]) -> None:
    found = {row[4]: row for row in rows(audit, "Pinned by sha256")}
    for name in ("libbpf/sources.lock", "wheels.lock"):
        for line in read(os.path.join(NATIVE, "vendor", name)).decode().splitlines():
            if line and not line.startswith("#"):
                project, version, file, digest = line.split()[:4]
                assert found[file][:2] == [project, version] and found[file][5] == digest
    for path in where_tarballs_are().values():
        assert found[os.path.basename(path)][6] == "matches"
    asked = {row[0]: row[1:3] for row in rows(audit, "Names to ask")}
    for name in STATIC:
        assert asked[name] == [components(bill)[name]["purl"], components(bill)[name]["cpe"]]
    assert "None was asked: this uses no network" in audit


def test_audit_tells_what_is_left_out(audit: str) -> None:
    """By functions that the sources do have, so that a name which changes there is noticed."""
    defined = names(ARCHIVE)
    for part, _, here, function in rows(audit, "What of it is in"):
        assert (here == "in") == (function in defined)
        sources = glob.glob(os.path.join(BUILD, "src", part, "**", "*.c"), recursive=True)
        assert any(function.encode() in read(path) for path in sources), function
    assert not {name for name in defined if "zstd" in name.lower() or name.startswith(("lzma_", "BZ2_"))}


def test_audit_lists_the_tools(audit: str) -> None:
    tools = {row[0]: row for row in rows(audit, "Tools of the tests")}
    assert tools["cyclonedx-python-lib"][3:] == ["pinned", "installed"]
    assert tools["packaging"][3] == "brought by another"


@pytest.fixture
def other_file(tmp_path: Any) -> Iterator[str]:
    """A folder where a pinned file is another."""
    for path in where_tarballs_are().values():
        shutil.copy(path, str(tmp_path))
    changed = str(tmp_path / "zlib_1.3.dfsg+really1.3.1.orig.tar.gz")
    with open(changed, "ab") as file:
        file.write(b"more")
    yield changed


def test_audit_finds_another_file(other_file: str) -> None:
    said = run([sys.executable, os.path.join(NATIVE, "scripts", "audit.py"), "--archive", ARCHIVE, "--venv",
                os.path.join(BUILD, "venv")], 1, env=environment(RETRANS_DIST=os.path.dirname(other_file)))
    assert "audit: {} is not the pinned zlib 1.3.1".format(other_file) in said
    assert [row[6] for row in rows(said, "Pinned by sha256") if row[0] == "zlib"] == ["DIFFERS: " + other_file]


def test_audit_needs_no_network() -> None:
    assert "## Known limits" in make(NATIVE, "audit", before=["unshare", "--net"])
