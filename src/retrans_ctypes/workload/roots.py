"""Where this host keeps what names are found in."""

import os
import re
from typing import Iterator, Match, NamedTuple, Optional, Tuple

# Numbers of the first namespaces: include/linux/proc_ns.h
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_FIRST_CGROUP_NAMESPACE = "cgroup:[4026531835]"


class Roots(NamedTuple):
    """Folders and files. ``host`` is what the host's own root folder is called here."""

    host: str = ""
    proc: str = "/proc"
    own: str = "/proc/self"
    netns: str = "/run/netns"
    pods: str = "/var/log/pods"
    tasks: str = "/run/containerd/io.containerd.runtime.v2.task"
    passwd: Optional[str] = None  # None: ask the C library, which asks whom the host says

    def pids_are_the_kernels(self) -> bool:
        """Whether the numbers in ``proc`` are those of the initial pid namespace, as in events."""
        for process in (os.path.join(self.proc, "1"), self.own):
            try:
                return os.readlink(os.path.join(process, "ns/pid")) == _FIRST_PID_NAMESPACE
            except OSError:
                continue  # of process 1 only root may know
        return False

    def sees_all_cgroups(self) -> bool:
        """Whether this process stands outside of all cgroup namespaces, which shorten paths."""
        try:
            return os.readlink(os.path.join(self.own, "ns/cgroup")) == _FIRST_CGROUP_NAMESPACE
        except OSError:
            return True  # a kernel without them


def host_roots(host: str = "/host") -> Roots:
    """Those of this host; in a debug container, which has the host's root folder there, those."""
    if not os.path.isdir(host + "/proc/1"):
        return Roots()
    plain = Roots()
    return plain._replace(
        host=host, passwd=host + "/etc/passwd", proc=host + plain.proc, netns=host + plain.netns,
        pods=host + plain.pods, tasks=host + plain.tasks)


class CgroupMounts(NamedTuple):
    """``tree``: where cgroup v2 is mounted. ``v1``: whether v1 controllers are in use beside it."""

    tree: Optional[str]
    v1: bool


def cgroup_mounts(roots: Roots) -> CgroupMounts:
    """What the mount table says about cgroups."""
    tree, v1 = None, False
    for folder, kind, options in _mounts(os.path.join(roots.own, "mounts")):
        if not (folder + "/").startswith(roots.host + "/"):
            continue  # in a debug container: the container's own
        if kind == "cgroup2":
            tree = tree or folder
        elif kind == "cgroup" and "name=" not in options:
            v1 = True
    return CgroupMounts(tree, v1)


def _mounts(table: str) -> Iterator[Tuple[str, str, str]]:
    """(folder, file system, options) of each mount."""
    try:
        with open(table, "rb") as file:
            for line in file:
                words = line.split(b" ")
                if len(words) > 3:
                    folder = re.sub(rb"\\([0-7]{3})", _unescaped, words[1])
                    yield os.fsdecode(folder), os.fsdecode(words[2]), os.fsdecode(words[3])
    except OSError:
        return


def _unescaped(code: "Match[bytes]") -> bytes:
    """Blanks and the like are written in octal there."""
    return bytes((int(code.group(1), 8) & 0xff,))
