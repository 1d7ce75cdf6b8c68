"""doctor's checks, one by one, on made-up hosts."""
import os
import struct
from typing import Any, Callable, Dict, List, Optional

import pytest
from made_up_host import CGROUP2, HYBRID2, SYSTEMD, V1, MadeUpHost
from retrans_ctypes.doctor import kernel
from retrans_ctypes.doctor.attempts import attempts
from retrans_ctypes.doctor.guards import guards
from retrans_ctypes.doctor.library import library
from retrans_ctypes.doctor.reading import number, read
from retrans_ctypes.doctor.rights import rights
from retrans_ctypes.doctor.surroundings import cgroups, surroundings
from retrans_ctypes.doctor.tracefs import tracefs
from retrans_ctypes.errors import LibraryError, UnsupportedKernel

NOBODY, ROOT = 65534, 0
BPF, PERFMON, ADMIN, PTRACE = 1 << 39, 1 << 38, 1 << 21, 1 << 19
INITIAL_USERS = "         0          0 4294967295\n"


def btf_file(types: int = 100, strings: int = 50, magic: int = 0xEB9F) -> bytes:
    header = struct.pack("HBBIIIII", magic, 1, 0, 24, 0, types, types, strings)
    return header + b"\0" * (types + strings)


@pytest.fixture
def host(tmp_path: Any) -> MadeUpHost:
    return MadeUpHost(tmp_path)


def test_small_files(host: MadeUpHost) -> None:
    host.write("a", b"  12\n")
    host.write("b", b"\xff\n")
    assert read(host.path("a")) == ("12", None) and number(host.path("a")) == 12
    assert read(host.path("b")) == ("\\xff", None) and number(host.path("b")) is None
    assert read(host.path("c")) == (None, "no such file or directory")
    assert read(host.top) == (None, "is a directory") and number(host.path("c")) is None


def test_the_kernels_own_btf(host: MadeUpHost) -> None:
    assert kernel.btf(host.top).problem == "no such file or directory"
    host.write("sys/kernel/btf/vmlinux", btf_file())
    assert kernel.btf(host.top) == (host.path("sys/kernel/btf/vmlinux"), False, 174, None)


@pytest.mark.parametrize("content, problem", [
    (b"", "is empty"), (b"\x7fELF" + b"\0" * 100, "is not BTF"), (btf_file()[:12], "is cut short: 12 bytes"),
    (btf_file()[:-1], "is cut short: 173 of 174 bytes"), (btf_file(magic=0x9FEB), "is for a machine of the other byte order"),
    (btf_file(types=0xffffffff - 50, strings=50)[:0] + struct.pack("HBBIIIII", 0xEB9F, 1, 0, 24, 0, 1 << 31, 1 << 31, 9) + b"\0" * 9,
     "is cut short: 33 of 2147483681 bytes"),
])
def test_a_bad_btf_file(host: MadeUpHost, content: bytes, problem: str) -> None:
    host.write("bad", content)
    assert kernel.btf(host.top, host.path("bad")).problem == problem


@pytest.mark.parametrize("path, problem", [
    ("/dev/zero", "is not a file"), ("/nowhere", "no such file or directory"), ("", "no such file or directory"), ("a\0b", "embedded null"),
])
def test_a_btf_file_that_is_none(path: str, problem: str) -> None:
    found = kernel.btf("", path)
    assert found.given and problem in (found.problem or "")


def test_settings(host: MadeUpHost) -> None:
    nothing = kernel.settings(host.top)
    assert nothing[:3] == (None, None, None) and isinstance(nothing.memlock_bytes, int)
    host.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    host.write("proc/sys/kernel/unprivileged_bpf_disabled", "2\n")
    host.write("proc/sys/kernel/perf_event_paranoid", "-1\n")
    assert kernel.settings(host.top)[:3] == ("integrity", 2, -1)


def with_status(host: MadeUpHost, effective: int, last: int = 40, more: str = "") -> None:
    host.write("proc/self/status", "Name:\tx\nCapPrm:\tffff\nCapEff:\t%016x\n%s" % (effective, more))
    host.write("proc/sys/kernel/cap_last_cap", "%d\n" % last)
    host.write("proc/self/uid_map", INITIAL_USERS)


@pytest.mark.parametrize("effective, held, may", [
    (0, [], False), (BPF, ["CAP_BPF"], False), (BPF | PERFMON, ["CAP_BPF", "CAP_PERFMON"], True),
    (ADMIN, ["CAP_SYS_ADMIN"], True), (PTRACE | PERFMON, ["CAP_PERFMON", "CAP_SYS_PTRACE"], False),
])
def test_rights(host: MadeUpHost, effective: int, held: List[str], may: bool) -> None:
    with_status(host, effective)
    found = rights(NOBODY, host.top)
    assert (found.euid, list(found.held or ()), found.may_trace()) == (NOBODY, held, may)
    assert set(found.held or ()) | set(found.missing or ()) == {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}
    assert (found.user_namespace, found.seccomp, found.unheard_of) == (False, None, ())


def test_rights_on_an_older_kernel(host: MadeUpHost) -> None:
    with_status(host, ADMIN, last=37, more="Seccomp:\t2\n")
    found = rights(ROOT, host.top)
    assert found.unheard_of == ("CAP_BPF", "CAP_PERFMON") and found.missing == ("CAP_SYS_PTRACE",)
    assert found.may_trace() and found.seccomp == "filter"


def test_rights_in_a_user_namespace(host: MadeUpHost) -> None:
    with_status(host, ADMIN)
    host.write("proc/self/uid_map", "0 1000 1\n1 100000 65536\n")
    assert rights(ROOT, host.top).user_namespace is True


def test_rights_without_proc(tmp_path: Any) -> None:
    found = rights(ROOT, str(tmp_path))
    assert (found.held, found.missing, found.may_trace(), found.user_namespace) == (None, None, None, None)


TRACEPOINT = "events/tcp/tcp_retransmit_skb/id"
PLACES = ["sys/kernel/tracing", "sys/kernel/debug/tracing", "host/sys/kernel/tracing", "host/sys/kernel/debug/tracing"]


def mount(host: MadeUpHost, place: str) -> None:
    host.write(place + "/events/header_page", "")
    host.write(place + "/" + TRACEPOINT, "1\n")


@pytest.mark.parametrize("place", PLACES)
def test_tracefs_is_found(host: MadeUpHost, place: str) -> None:
    mount(host, place)
    found = tracefs(host.top)
    assert (found.path, found.tracepoint) == (host.path(place), True)
    assert [each.state for each in found.places] == ["missing"] * PLACES.index(place) + ["usable"]


def test_the_first_tracefs_is_taken(host: MadeUpHost) -> None:
    for place in PLACES:
        mount(host, place)
    assert tracefs(host.top).path == host.path(PLACES[0])


def test_tracefs_that_is_not_mounted(host: MadeUpHost) -> None:
    """As in a debug container: the folders are there and empty."""
    os.makedirs(host.path("sys/kernel/tracing"))
    os.makedirs(host.path("sys/kernel/debug"))
    found = tracefs(host.top)
    assert (found.path, found.tracepoint) == (None, False)
    assert [each.state for each in found.places] == ["empty", "missing", "missing", "missing"]


def test_tracefs_without_the_tracepoint(host: MadeUpHost) -> None:
    mount(host, PLACES[0])
    os.unlink(host.path(PLACES[0], TRACEPOINT))
    assert tracefs(host.top)[:2] == (host.path(PLACES[0]), False)


def test_tracefs_is_closed(host: MadeUpHost, monkeypatch: Any) -> None:
    """For root nothing is, so the kernel's answer is made up."""
    mount(host, PLACES[0])
    real = os.listdir

    def listdir(path: Any) -> List[str]:
        if str(path).startswith(host.path(PLACES[0])):
            raise PermissionError(13, "Permission denied")
        return real(path)
    monkeypatch.setattr(os, "listdir", listdir)
    assert tracefs(host.top).places[0] == (host.path(PLACES[0]), "closed", "permission denied")


@pytest.mark.parametrize("mounts, layout, told_by", [
    ([], "none", None), ([CGROUP2], "v2", "socket"), ([V1, SYSTEMD], "v1", "owner"), ([HYBRID2, V1], "hybrid", "owner"),
    ([CGROUP2, SYSTEMD], "v2", "socket"),
])
def test_cgroups(tmp_path: Any, mounts: List[str], layout: str, told_by: Optional[str]) -> None:
    host = MadeUpHost(tmp_path, *mounts)
    assert cgroups(host.roots()) == (layout, told_by)


@pytest.mark.parametrize("mounts, layout", [([CGROUP2], "v2"), ([V1], "v1")])
def test_cgroups_from_a_cgroup_namespace(tmp_path: Any, mounts: List[str], layout: str) -> None:
    host = MadeUpHost(tmp_path, *mounts)
    relink(host, "proc/self/ns/cgroup", "cgroup:[4026532001]")
    assert cgroups(host.roots()) == (layout, None)


def test_cgroups_of_a_pid_namespace(tmp_path: Any) -> None:
    """On v1 the owner tells, whom one has to see."""
    host = MadeUpHost(tmp_path, V1)
    relink(host, "proc/self/ns/pid", "pid:[4026532001]")
    assert cgroups(host.roots()).told_by is None


def relink(host: MadeUpHost, name: str, target: str) -> None:
    os.makedirs(os.path.dirname(host.path(name)), exist_ok=True)
    if os.path.lexists(host.path(name)):
        os.unlink(host.path(name))
    os.symlink(target, host.path(name))


def first_process(host: MadeUpHost) -> None:
    host.process(1, start=0)
    relink(host, "proc/1/ns/pid", "pid:[4026531836]")


def test_a_plain_host(host: MadeUpHost) -> None:
    """A container's marker on the disk does not make it a container."""
    first_process(host)
    host.write(".dockerenv", "")
    found = surroundings(host.roots(), {"container": "oci"}, host.top)
    assert found == (None, (), None, True, None, 1, 0)


CONTAINER_ID = "0123456789abcdef" * 4


@pytest.mark.parametrize("lines, marker, environment, kind", [
    ("0::/docker/%s\n" % CONTAINER_ID, "x", {}, "docker"), ("0::/\n", ".dockerenv", {}, "docker"),
    ("0::/\n", "run/.containerenv", {"container": "podman"}, "podman"),
    ("0::/\n", "x", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"), ("0::/\n", "x", {}, "of an unknown kind"),
    ("0::/%s\n" % CONTAINER_ID, "x", {}, "of an unknown kind"),
])
def test_containers(host: MadeUpHost, lines: str, marker: str, environment: Dict[str, str], kind: str) -> None:
    relink(host, "proc/self/ns/pid", "pid:[4026532001]")
    host.write("proc/self/cgroup", lines)
    host.write(marker, "")
    found = surroundings(host.roots(), environment, host.top)
    assert (found.container, found.namespaces, found.host_pids) == (kind, ("pid",), False)


def test_namespaces_of_a_container_with_the_hosts_pids(host: MadeUpHost) -> None:
    first_process(host)
    for kind in ("mnt", "net"):
        relink(host, "proc/1/ns/" + kind, "%s:[1]" % kind)
    relink(host, "proc/self/ns/mnt", "mnt:[2]")
    relink(host, "proc/self/ns/net", "net:[1]")
    relink(host, "proc/self/ns/uts", "uts:[4026532002]")
    host.write("run/.containerenv", "")
    found = surroundings(host.roots(), {}, host.top)
    assert (found.container, found.namespaces, found.host_pids) == ("podman", ("mnt", "uts"), True)


def test_hidden_processes(host: MadeUpHost) -> None:
    relink(host, "proc/1/ns/pid", "pid:[4026531836]")  # and no cmdline, as with hidepid
    assert surroundings(host.roots(), {}, host.top).hidden_processes == "no such file or directory"


def test_closed_processes(host: MadeUpHost, monkeypatch: Any) -> None:
    first_process(host)
    for pid in (2, 3, 4):
        host.process(pid, start=0)
    os.unlink(host.path("proc/4/ns/net"))  # it ended meanwhile
    real = os.readlink

    def readlink(path: Any) -> str:
        if path == host.path("proc/2/ns/net"):
            raise PermissionError(13, "Permission denied")
        return real(path)
    monkeypatch.setattr(os, "readlink", readlink)
    found = surroundings(host.roots(), {}, host.top)
    assert (found.processes, found.closed_processes) == (3, 1)


def test_surroundings_without_proc(host: MadeUpHost) -> None:
    roots = host.roots()._replace(proc=host.path("none"), own=host.path("none/self"))
    found = surroundings(roots, {}, host.top)
    assert found == (None, (), None, False, "no such file or directory", 0, 0)


def test_guards(host: MadeUpHost) -> None:
    assert guards(host.top) == (None, None)
    os.makedirs(host.path("host/run/fapolicyd"))
    host.write("host/sys/fs/selinux/enforce", "0")
    assert guards(host.top) == ("permissive", "installed")
    host.write("sys/fs/selinux/enforce", "1")
    host.write("host/proc/77/comm", "fapolicyd\n")
    assert guards(host.top) == ("enforcing", "running")


def test_the_library(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    path = stub()
    use_library(path)
    found = library()
    assert found[:4] == (path, "0.1.0 abi 2", None, os.uname().machine)
    assert found.bytes == os.path.getsize(path) and len(found.sha256 or "") == 64


def test_a_library_that_is_not_there(use_library: Callable[[str], None]) -> None:
    use_library("/nowhere/lib.so")
    found = library()
    assert found._replace(problem=None) == ("/nowhere/lib.so", None, None, None, None, None, False)
    assert "/nowhere/lib.so is not there" in (found.problem or "")


def test_a_damaged_library(host: MadeUpHost, use_library: Callable[[str], None]) -> None:
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF"):
        host.write("lib.so", content)
        use_library(host.path("lib.so"))
        found = library()
        assert found.problem and found.version is None and found.machine is None
        assert found.bytes == len(content) and found.sha256


def test_a_library_nobody_can_tell_where(use_library: Callable[[str], None]) -> None:
    use_library("lib.so")
    found = library()
    assert found.path is None and "absolute" in (found.problem or "")


class Opened:
    def __init__(self, closed: List[Any], options: Any) -> None:
        self.capabilities: Any = options
        self.closed = closed

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *error: Any) -> None:
        self.closed.append(self.capabilities)


def test_every_way_is_opened_and_closed() -> None:
    asked: List[Any] = []
    closed: List[Any] = []

    def open_one(**options: Any) -> Opened:
        asked.append(options)
        if options.get("attach") == "tp":
            raise UnsupportedKernel("no tracefs")
        if options.get("attach") == "kprobe":
            raise MemoryError
        return Opened(closed, options)

    found = attempts(open_one, "/some/btf")
    file = "/some/btf"  # two ways take none
    assert asked == [
        {"btf": file}, {"attach": "tp_btf", "btf": None}, {"attach": "raw_tp", "btf": file},
        {"attach": "tp", "btf": None}, {"attach": "kprobe", "btf": file},
        {"buffer": "ring", "btf": file}, {"buffer": "perf", "btf": file}]
    assert closed == [options for options in asked if options.get("attach") not in ("tp", "kprobe")]
    assert found.attach["tp"] == (None, "no tracefs") and found.attach["kprobe"].refusal == "MemoryError"
    assert found.first_that_works() == "tp_btf" and found.chosen.works


def test_a_library_error_is_a_refusal_too() -> None:
    def refuse(**options: Any) -> Any:
        raise LibraryError("it is damaged")
    found = attempts(refuse, None)
    assert found.first_that_works() is None and found.chosen.refusal == "it is damaged"
