"""Where this process lives: container or host, and what of the host it can see from there."""

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..workload.cgroups import place_from_lines
from ..roots import Roots, cgroup_mounts
from .reading import read

# Numbers of the first namespaces: include/linux/proc_ns.h. Those of mnt and net are fixed since
# Linux 6.17 only; before, process 1 tells.
_FIRST = {"cgroup": 4026531835, "ipc": 4026531839, "pid": 4026531836, "user": 4026531837,
          "uts": 4026531838}
_OF_PROCESS_1 = ("mnt", "net")
_MARKERS = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_VARIABLES = {"KUBERNETES_SERVICE_HOST": "kubernetes"}


class Surroundings(NamedTuple):
    container: Optional[str]
    """Which kind of container this is in, None where in none."""
    namespaces: Tuple[str, ...]
    """Kinds of namespaces that are not the host's."""
    host: Optional[str]
    """Where the host's root folder is, in a debug container."""
    host_pids: bool
    """Whether the processes of the whole host are seen, under the numbers that events have."""
    hidden_processes: Optional[str]
    """Why the command lines of other users' processes cannot be read, None where they can."""
    processes: int
    """How many there are to be seen."""
    closed_processes: int
    """Of these, how many do not show which namespaces they are in."""


def surroundings(roots: Roots, environment: Mapping[str, str], root: str = "") -> Surroundings:
    host_pids = roots.pids_are_the_kernels()
    own = _own_namespaces(roots)
    open_ones, closed = _count(roots.proc)
    return Surroundings(
        container=_container(roots, environment, root, own), namespaces=own,
        host=roots.host or None, host_pids=host_pids,
        hidden_processes=read(os.path.join(roots.proc, "1/cmdline")).problem,
        processes=open_ones + closed, closed_processes=closed)


def _link(path: str) -> Optional[str]:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _count(proc: str) -> Tuple[int, int]:
    """Processes whose namespaces can be read, and others; those that end meanwhile are neither."""
    counted = [0, 0]
    try:
        pids = [name for name in os.listdir(proc) if name.isdigit()]
    except OSError:
        return 0, 0
    for pid in pids:
        try:
            os.readlink(os.path.join(proc, pid, "ns/net"))
            counted[0] += 1
        except PermissionError:
            counted[1] += 1
        except OSError:
            pass
    return counted[0], counted[1]


def _own_namespaces(roots: Roots) -> Tuple[str, ...]:
    found: List[str] = []
    for kind, number in sorted(_FIRST.items()):
        link = _link(os.path.join(roots.own, "ns", kind))
        if link is not None and link != "%s:[%d]" % (kind, number):
            found.append(kind)
    if roots.pids_are_the_kernels():
        for kind in _OF_PROCESS_1:
            link = _link(os.path.join(roots.own, "ns", kind))
            of_first = _link(os.path.join(roots.proc, "1/ns", kind))
            if link is not None and of_first not in (link, None):
                found.append(kind)
    return tuple(sorted(found))


def _container(
    roots: Roots, environment: Mapping[str, str], root: str, own: Tuple[str, ...],
) -> Optional[str]:
    """A marker alone is none: an image's files may have been put on a host's disk."""
    if not own:
        return None
    place = place_from_lines((read(os.path.join(roots.own, "cgroup")).text or "").encode() + b"\n")
    kinds: Dict[str, bool] = {environment.get("container", ""): True}
    if place is not None and place.container_id:
        kinds[place.runtime or "of an unknown kind"] = True
    kinds.update({kind: True for file, kind in _MARKERS.items() if os.path.exists(root + file)})
    kinds.update({kind: True for name, kind in _VARIABLES.items() if name in environment})
    kinds.pop("", None)
    if kinds:
        return ", ".join(kinds)
    return "of an unknown kind" if {"pid", "user"} & set(own) else None


class Cgroups(NamedTuple):
    layout: str
    """``v2``, ``v1``, ``hybrid`` (both), or ``none``."""
    told_by: Optional[str]
    """How the pod, container or unit of an event is found: by the ``socket``'s own cgroup, on v2 alone;
    by its ``owner``; or None: not at all."""


def cgroups(roots: Roots) -> Cgroups:
    mounts = cgroup_mounts(roots)
    layout = {(True, True): "hybrid", (True, False): "v2", (False, True): "v1",
              (False, False): "none"}[mounts.tree is not None, mounts.v1]
    whole = roots.sees_all_cgroups()
    told_by = None
    if layout == "v2" and mounts.above is not None:
        told_by = "socket"
    elif mounts.v1 and whole and roots.pids_are_the_kernels():
        told_by = "owner"
    return Cgroups(layout, told_by)
