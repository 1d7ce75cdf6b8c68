"""Names from a host on which others chose them: cgroups, pods, network namespaces, processes, users, mounts."""
import json
import os
import re
import shutil
from typing import Any, Iterator, List

from choices import Choices
from made_up_host import CGROUP2, MadeUpHost
from retrans_ctypes.roots import cgroup_mounts
from retrans_ctypes.sinks.printable import printable
from retrans_ctypes.workload.cgroups import find_paths, joined, place_from_lines
from retrans_ctypes.workload.containers import Place, place_of, with_runtime
from retrans_ctypes.workload.host_text import MOST as MOST_BYTES
from retrans_ctypes.workload.namespaces import NamespaceNames
from retrans_ctypes.workload.numbers import cgroup_paths, commands
from retrans_ctypes.workload.pods import find_pods
from retrans_ctypes.workload.processes import Processes
from retrans_ctypes.workload.users import find_users
from where import scratch

MOST = 1024
_ID = "0123456789abcdef" * 4
_UID = "8e7f9a5c-11d2-4b3a-9c8d-0123456789ab"
_PARTS = ("docker-%s.scope" % _ID, _ID, "docker", "moby", "default", "crio-" + _ID, "libpod-%s.scope" % _ID, "kubepods.slice",
          "kubepods-pod%s.slice" % _UID.replace("-", "_"), "pod" + _UID, "pod" + "a" * 32, "nginx.service", "_cpu.service", "..",
          "kubepods-besteffort-pod%s.slice:cri-containerd:%s" % (_UID.replace("-", "_"), _ID), "a.scope", ".service", "")
WORDS = tuple(part.encode("ascii")[:60] for part in _PARTS if part) + (
    b"0::/", b"\n1:name=systemd:/", b"\n4:pids:/", b") S 1 ", b"net:[4026531840]", b":x:0:", b"\xc2\xb2", b"\xd9\xa1", b" - cgroup2 ")
_CONTAINER, _POD = re.compile("[0-9a-f]{64}$"), re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|[0-9a-f]{32}$")
_RUNTIMES = {None, "docker", "containerd", "cri-o", "podman"}

_folder = scratch()


def seeds() -> Iterator[bytes]:
    for part in _PARTS:
        yield b"\0/system.slice/kubepods/" + part.encode("ascii") + b"/x"
        yield b"\x01" + b"1:name=systemd:/%s\n4:pids:/docker/%s\n0::/\n" % (part.encode("ascii"), part.encode("ascii"))
    yield b"\x02" + b"7 (a) b) S " + b"0 " * 18 + b"77 0\n"
    yield b"\x02" + b"7 (a\n) S " + b"0 " * 18 + b"\xc2\xb2 0\n"
    yield b"\x03root:x:0:0::/root:/bin/sh\nweb:x:33:33\n:x:7:\nx:x:99999999999999999999:\n"
    yield b"\x0430 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n31 22 0:26 /..\\040\\777 /x rw shared:9 - cgroup none rw,pids\n"
    for first in range(5, 30):
        yield bytes([first % 6 if first % 6 > 4 else 5] + [first * place * 29 % 256 for place in range(1, 90)])


def one_input(data: bytes) -> None:
    kind, rest = data[:1] or b"\0", data[1:]
    (_path, _lines, _process, _passwd, _mounts, _folders)[kind[0] % 6](rest)


every_way = one_input


def _text(text: Any, most: int = 4 * MOST_BYTES) -> None:
    """That it can be written and shown."""
    if text is None:
        return
    text.encode("utf-8")
    assert len(text) <= most and printable(text).isprintable(), text
    assert json.loads(json.dumps(text)) == text


def _place(place: Place) -> None:
    for text in place:
        _text(text)
    assert place.runtime in _RUNTIMES
    assert place.container_id is None or _CONTAINER.match(place.container_id) and place.container_id in place.cgroup
    assert place.pod_uid is None or _POD.match(place.pod_uid), place
    assert place.unit is None or place.unit in place.cgroup and "/" not in place.unit, place
    _text(with_runtime(place, _folder).runtime)


def _path(data: bytes) -> None:
    _place(place_of(data[:MOST_BYTES].decode("utf-8", "backslashreplace")))


def _lines(data: bytes) -> None:
    place = place_from_lines(data)
    if place is not None:
        _place(place)


def _process(data: bytes) -> None:
    """All that /proc has of a process, one after the other."""
    folder = os.path.join(_folder, "7")
    os.makedirs(folder, exist_ok=True)
    for name, content in zip(("stat", "cmdline", "cgroup", "comm"), (data, data[-100:], data, data[:20])):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    host = _roots(proc=_folder, own=folder)
    host.pids_are_the_kernels()
    for key, process in Processes(host, places=True).find({(7, None)}).items():
        assert process.start >= 0 and Processes(host, True).still(key, process)
        _text(process.cmdline)
        if process.place is not None:
            _place(process.place)
    for name in commands([7], host).values():
        _text(name)


def _roots(**folders: str) -> Any:
    from retrans_ctypes.workload import Roots
    return Roots(**folders)


def _passwd(data: bytes) -> None:
    path = os.path.join(_folder, "passwd")
    with open(path, "wb") as file:
        file.write(data)
    for uid, name in find_users(path, set(range(100))).items():
        assert uid < 100
        _text(name)


def _mounts(data: bytes) -> None:
    if b"\0" in re.sub(rb"\\[0-7]00", b"\0", data):
        return  # which is in no path, so the kernel writes none
    path = os.path.join(_folder, "mountinfo")
    with open(path, "wb") as file:
        file.write(data)
    found = cgroup_mounts(_roots(own=_folder))
    assert found.tree is None or found.v1 in (True, False)


def _folders(data: bytes) -> None:
    """Folders and links with such names."""
    choices, top = Choices(data), os.path.join(_folder, "host")
    host = MadeUpHost(top, CGROUP2)
    try:
        inodes = {os.stat(path).st_ino for path in _made(choices, host)}
        for folder in (host.path("cgroup"), host.path("pods")):
            for path in find_paths(folder, inodes).values():
                _place(place_of(joined("", path)))
        cgroup_paths(inodes, host.roots())
        for pod in find_pods(host.path("pods"), {_UID, ""}).values():
            _text(pod.namespace)
            _text(pod.name)
        names = NamespaceNames(host.path("netns"), host.path("proc"))
        for inode, name in names.find(inodes | {4026531840}).items():
            _text(name.name)
            assert names.still(inode, name)
    finally:
        shutil.rmtree(top)


def _made(choices: Choices, host: MadeUpHost) -> Iterator[str]:
    for _ in range(choices.byte() % 6):
        name: List[str] = [choices.one_of(_PARTS) if choices.byte() & 1 else choices.text() for _ in range(1 + choices.byte() % 2)]
        kind = choices.one_of(("cgroup", "pods", "netns", "proc"))
        if kind == "pods":
            name = ["_".join(name + [_UID])]
        raw = os.path.join(os.fsencode(host.path(kind)), *[
            part.encode("utf-8", "surrogateescape" if "\ud800" not in part else "replace").replace(b"\0", b"").replace(b"/", b"")[:250]
            for part in name if part not in ("", ".", "..")])
        try:
            if kind == "proc":
                os.makedirs(os.path.join(raw, b"ns"))
                os.symlink("net:[%s]" % choices.one_of(("4026531840", "\u00b2", "", "-1", "9" * 5000)), os.path.join(raw, b"ns/net"))
            elif kind == "netns":
                with open(raw, "wb"):
                    pass
            else:
                os.makedirs(raw)
        except OSError:
            continue
        yield os.fsdecode(raw)


def done() -> None:
    shutil.rmtree(_folder)
