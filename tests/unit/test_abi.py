"""The ctypes mirror against the C header, and the loader's checks against libraries made for them."""
import ctypes
import os
import re
import struct
import subprocess
from typing import Any, Callable, Dict, List

import pytest
from retrans_ctypes import LibraryError, PermissionDenied, Tracer, UsageError, _abi, _library
from retrans_ctypes.capabilities import ATTACH, BUFFERS, CAN
from retrans_ctypes.records import Place
from retrans_ctypes.stats import Stats

CTYPES: Dict[str, Any] = {
    "int": ctypes.c_int, "size_t": ctypes.c_size_t, "void *": ctypes.c_void_p,
    "struct tcpretrans *": _abi.Handle, "struct tcpretrans_event *": ctypes.c_void_p,
    "struct tcpretrans **": ctypes.POINTER(_abi.Handle),
    "struct tcpretrans_opts *": ctypes.POINTER(_abi.Options),
    "struct tcpretrans_stats *": ctypes.POINTER(_abi.NativeStats),
    "struct tcpretrans_field *": ctypes.POINTER(_abi.NativeField),
    "struct tcpretrans_capabilities *": ctypes.POINTER(_abi.NativeCapabilities),
    "struct tcpretrans_filter *": ctypes.POINTER(_abi.NativeFilter),
    "struct tcpretrans_netns *": ctypes.POINTER(_abi.NativeNetns),
    "struct tcpretrans_ndjson *": _abi.NdjsonHandle,
    "struct tcpretrans_ndjson **": ctypes.POINTER(_abi.NdjsonHandle),
    "struct tcpretrans_text *": ctypes.POINTER(_abi.Text),
    "struct tcpretrans_count *": ctypes.POINTER(_abi.NativeCount),
    "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64, "uint64_t *": ctypes.POINTER(ctypes.c_uint64),
    "size_t *": ctypes.POINTER(ctypes.c_size_t), "char *": ctypes.c_char_p, "void": None,
    "tcpretrans_callback": _abi.EventCallback,
}


def c_type(declaration: str) -> Any:
    """Of 'const struct tcpretrans *tracer'."""
    plain = declaration.replace("const ", "").strip()
    match = re.match(r"(.*?)(\**)\w*$", plain) if " " in plain else None
    if match:
        plain = (match.group(1).strip() + " " + match.group(2)).strip()
    return CTYPES[plain]


def test_functions_are_those_of_the_header(header: str) -> None:
    declared = set(re.findall(r"TCPRETRANS_API ([^#;]*?\));", header))
    assert declared
    assert {row.prototype for row in _abi.FUNCTIONS.values()} == declared


@pytest.mark.parametrize("name", sorted(_abi.FUNCTIONS))
def test_types_are_those_of_the_prototype(name: str) -> None:
    row = _abi.FUNCTIONS[name]
    result, arguments = re.match(  # type: ignore[union-attr]
        r"(.*?)%s\((.*)\)$" % name, row.prototype).groups()
    assert row.result == c_type(result + "x" if result.endswith("*") else result)
    expected = [] if arguments == "void" else [c_type(one) for one in arguments.split(", ")]
    assert row.arguments == expected


def test_abi_version_is_that_of_the_header(header: str) -> None:
    assert "#define TCPRETRANS_ABI_VERSION %d " % _abi.ABI_VERSION in header


def test_stats_are_those_of_the_header(header: str) -> None:
    body = re.search(r"struct tcpretrans_stats \{(.*?)\}", header).group(1)  # type: ignore[union-attr]
    assert tuple(re.findall(r"uint64_t (\w+);", body)) == Stats._fields


def test_netns_rows_are_those_of_the_header(header: str) -> None:
    body = re.search(r"struct tcpretrans_netns \{(.*?)\}", header).group(1)  # type: ignore[union-attr]
    fields = [(name, getattr(ctypes, "c_" + kind)) for kind, name in re.findall(r"(uint\d+)_t (\w+);", body)]
    assert fields == _abi.NativeNetns._fields_


def test_conditions_are_those_of_the_header(header: str) -> None:
    body = re.search(r"struct tcpretrans_conditions \{(.*?)\}", header).group(1)  # type: ignore[union-attr]
    kinds = {"size_t": ctypes.c_size_t, "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64,
             "struct tcpretrans_range": _abi.NativeRange, "struct tcpretrans_prefix": _abi.NativePrefix}
    fields = []
    for kind, names in re.findall(r"(?:const )?((?:struct )?\w+)\s+([^;]*);", body):
        for name in names.split(","):
            plain = name.strip().lstrip("*")
            fields.append((plain, ctypes.POINTER(kinds[kind]) if "*" in name else kinds[kind]))  # type: ignore[type-var]
    assert fields == _abi.NativeConditions._fields_


def test_text_is_that_of_the_header(header: str) -> None:
    body = re.search(r"struct tcpretrans_text \{(.*?)\}", header).group(1)  # type: ignore[union-attr]
    types = {"size_t": ctypes.c_size_t, "char *": ctypes.c_void_p, "int64_t": ctypes.c_int64,
             "uint32_t": ctypes.c_uint32}
    fields = [(name, types[kind]) for kind, name in re.findall(r"(char \*|\w+_t) ?(\w+);", " ".join(body.split()))]
    assert fields == _abi.Text._fields_
    flags = dict(re.findall(r"TCPRETRANS_(WITHOUT_\w+) = 1 << (\d+)", header))
    assert {name: 1 << int(bit) for name, bit in flags.items()} == {
        "WITHOUT_FAILED": _abi.WITHOUT_FAILED, "WITHOUT_LABELS": _abi.WITHOUT_LABELS}


def enum_of(header: str, name: str) -> List[str]:
    body = re.search(r"enum tcpretrans_%s \{(.*?)\}" % name, header).group(1)  # type: ignore[union-attr]
    return re.findall(r"TCPRETRANS_%s_(\w+)\s*= " % name.upper(), body)


def test_capabilities_are_those_of_the_header(header: str) -> None:
    for name, ours in (("attach", list(ATTACH.values())), ("buffer", list(BUFFERS.values())), ("can", list(CAN))):
        assert [word.lower() for word in enum_of(header, name)] == ours
    body = re.search(r"struct tcpretrans_capabilities \{(.*?)\}", header).group(1)  # type: ignore[union-attr]
    fields = [(name, getattr(ctypes, "c_" + kind)) for kind, name in re.findall(r"(uint\d+)_t (\w+);", body)]
    assert fields == _abi.NativeCapabilities._fields_


def test_capabilities_cross_the_boundary(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    use_library(stub())
    with Tracer(attach="tp", buffer="perf", btf="stall: no\nnetns: \xe9") as tracer:
        can = tracer.capabilities
    assert (can.attach, can.buffer, can.missing) == ("tp", "perf", ("stall_us",))
    assert (can.ledger, can.reason, can.cookie, can.complete) == (True, False, True, False)
    assert can.notes == ("stall: no", "netns: \xe9")
    assert "by tp, perf buffer; never known here: reason, synack" in can.sentence()
    assert can.to_dict()["missing"] == ["stall_us"]


@pytest.mark.parametrize("wrong", [{"attach": "best"}, {"buffer": ""}, {"btf": ""}, {"btf": "a\0b"}])
def test_ways_that_cannot_be(stub: Callable[..., str], use_library: Callable[[str], None], wrong: Dict[str, str]) -> None:
    use_library(stub())
    with pytest.raises(UsageError):
        Tracer(**wrong)  # type: ignore[arg-type]


def test_a_good_library(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    """Events, options and counts cross the boundary unharmed: the stub echoes the options."""
    from retrans_ctypes import Filter

    use_library(stub())
    assert Tracer.library_version() == "0.1.0 abi 2, " + stub()
    with Tracer(filter=Filter(family=6), ring_bytes=4096) as tracer:
        events = tracer.poll()
        tracer.set_filter(Filter(family=4))
        with pytest.raises(UsageError, match="the stub wants no IPv6 now"):
            tracer.set_filter(Filter(family=6))
        assert [event.ts_ns for event in events] == [1000, 1001, 1002]
        event = events[0]
        assert (event.netns, event.uid, event.local, event.remote, event.kind, event.reason, event.state) == (
            6, None, "10.0.0.1:1234", "10.0.0.2:80", "synack", "synack", "SYN_RECV")
        assert event.err == -105 and event.failed
        assert tracer.stats() == Stats(*range(11, 24))
        os.fstat(tracer.fileno())


def refused(path: str, use_library: Callable[[str], None]) -> str:
    use_library(path)
    with pytest.raises(LibraryError) as caught:
        Tracer()
    assert caught.value.exit_code == 5
    message = str(caught.value)
    assert path in message and "\n" not in message
    return message


@pytest.mark.parametrize("macros, words", [
    ({"STUB_VERSION": '"0.2.0 abi 3"'}, ["abi 3", "needs abi 2"]),
    ({"STUB_VERSION": '"nonsense"'}, ["nonsense"]),
    ({"STUB_SHIFT": "4"}, ["'netns'", "at 132 there", "at 128 here"]),
    ({"STUB_NO_CLOSE": "1"}, ["tcpretrans_close"]),
])
def test_another_release(stub: Callable[..., str], use_library: Callable[[str], None],
                         macros: Dict[str, str], words: Any) -> None:
    message = refused(stub(**macros), use_library)
    assert all(word in message for word in words + ["same release"]), message


def test_fields_missing_on_either_side(stub: Callable[..., str], use_library: Callable[[str], None],
                                       monkeypatch: Any) -> None:
    places = list(_library.Event.places())
    monkeypatch.setattr(_library.Event, "places", lambda: iter(places + [Place("new", 128, 4)]))
    monkeypatch.setattr(_library, "_loaded", {})
    assert "only this package has the field 'new'" in refused(stub(), use_library)
    monkeypatch.setattr(_library.Event, "places", lambda: iter(places[:-1]))
    assert "only the library has the field 'limited_segs'" in refused(stub(), use_library)


def test_open_says_what_the_library_says(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    use_library(stub(STUB_OPEN_ERROR="EPERM"))
    with pytest.raises(PermissionDenied) as caught:
        Tracer()
    assert (str(caught.value), caught.value.errno) == ("the stub refuses", 1)


def rewritten(tmp_path: Any, source: str, change: Callable[[bytearray], Any]) -> str:
    with open(source, "rb") as file:
        content = bytearray(file.read())
    path = str(tmp_path / "libtcpretrans.so")
    changed = change(content)
    with open(path, "wb") as file:
        file.write(content if changed is None else changed)
    return path


@pytest.mark.parametrize("keep", [0, 1, 15, 63, 64, 500, 5000, -1])
def test_truncated(stub: Callable[..., str], use_library: Callable[[str], None], tmp_path: Any,
                   keep: int) -> None:
    """Refused before the loader maps it, which would kill the process with SIGBUS."""
    path = rewritten(tmp_path, stub(), lambda content: content[:keep])
    message = refused(path, use_library)
    expected = "is empty" if keep == 0 else "is not a shared library" if 0 < keep < 64 else "is cut short"
    assert expected in message


@pytest.mark.parametrize("machine, name", [(183, "aarch64"), (62, "x86_64"), (4711, "machine type 4711")])
def test_another_architecture(stub: Callable[..., str], use_library: Callable[[str], None], tmp_path: Any,
                              machine: int, name: str) -> None:
    if os.uname().machine == name:
        machine, name = 3, "i386"
    path = rewritten(tmp_path, stub(), lambda content: struct.pack_into("<H", content, 18, machine))
    message = refused(path, use_library)
    assert "is for " + name in message and "this Python is for " + os.uname().machine in message


def test_no_library_at_all(use_library: Callable[[str], None], tmp_path: Any) -> None:
    assert "is not there" in refused(str(tmp_path / "none.so"), use_library)
    assert "cannot be read" in refused(str(tmp_path), use_library)
    script = tmp_path / "script.so"
    script.write_text("#!/bin/sh\n" * 20)
    assert "is not a shared library" in refused(str(script), use_library)


def test_a_library_that_needs_another(use_library: Callable[[str], None], tmp_path: Any) -> None:
    """The loader's own words come through where nothing better is known."""
    source, path = tmp_path / "empty.c", tmp_path / "libtcpretrans.so"
    source.write_text("int nowhere_defined(void); int (*needs)(void) = nowhere_defined;\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(path), str(source)], check=True)
    assert "nowhere_defined" in refused(str(path), use_library)


def test_a_noexec_mount_is_recognised(stub: Callable[..., str], use_library: Callable[[str], None],
                                      monkeypatch: Any) -> None:
    def cannot_map(path: str) -> None:
        raise OSError(path + ": failed to map segment from shared object")

    monkeypatch.setattr(_library, "CDLL", cannot_map)
    monkeypatch.setattr(_library, "_loaded", {})
    assert "the loader says" in refused(stub(), use_library)
    monkeypatch.setattr(_library._elf, "on_noexec_mount", lambda path: True)
    assert "noexec" in refused(stub(), use_library)


def test_relative_paths_are_refused(use_library: Callable[[str], None]) -> None:
    """They would depend on the current folder, which may be anybody's."""
    message = refused("libtcpretrans.so", use_library)
    assert "absolute" in message


def test_beside_the_package_unless_told(monkeypatch: Any) -> None:
    beside = os.path.join(os.path.dirname(os.path.abspath(_library.__file__)), "libtcpretrans.so")
    for unset in (None, ""):
        monkeypatch.setenv("RETRANS_CTYPES_LIBRARY", unset or "")
        if unset is None:
            monkeypatch.delenv("RETRANS_CTYPES_LIBRARY")
        assert _library.library_path() == beside
