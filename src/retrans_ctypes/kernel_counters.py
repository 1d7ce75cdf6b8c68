"""The kernel's own RetransSegs, in each network namespace that can be reached."""

import os
import stat
from typing import Callable, Dict, Iterator, NamedTuple, Optional

from .mounts import mounts
from .roots import Roots, host_roots

# An open namespace file -> RetransSegs and cookie there; OSError where it cannot be entered.
Visit = Callable[[int], "Reading"]


class Reading(NamedTuple):
    """What one namespace's counter said."""

    segs: int
    """RetransSegs (/proc/net/snmp, RFC 4022 tcpRetransSegs) since the namespace was made."""
    cookie: int
    """The namespace's cookie, 0 where it is not known."""


# Inode of the namespace -> reading, None where it could not be read.
Readings = Dict[int, Optional[Reading]]


class _Way(NamedTuple):
    """To a namespace: its file, and its counters where a process shows them."""

    namespace: str
    counters: Optional[str]


class _Held(NamedTuple):
    descriptor: int  # of the counters; O_PATH, so it keeps no namespace alive
    cookie: int


class KernelCounters:
    """Those of every namespace that a process lives in or that is mounted somewhere.

    Namespaces that only a thread or an open descriptor keeps alive are not found. ``visit`` is tried
    first. Where the rights for that are missing, a process's /proc/PID/net shows the same counter.
    """

    def __init__(self, visit: Visit, roots: Optional[Roots] = None) -> None:
        self.visit = visit
        self._roots = host_roots() if roots is None else roots
        self._held: Dict[int, _Held] = {}

    def read(self) -> Readings:
        """Each namespace once."""
        readings: Readings = {}
        for way in self._ways():
            inode = _inode(way.namespace)
            if inode is not None and readings.get(inode) is None:
                readings[inode] = self._visited(way, inode) or _looked_at(way, inode)
        for inode, held in list(self._held.items()):  # close() may come meanwhile
            reading = None if readings.get(inode) else _reading_of_held(held)
            if reading is not None:
                readings[inode] = reading
        return readings

    def hold(self) -> None:
        """Before rights are dropped: keep a way to the counters that can be read now."""
        known = self.read()
        for way in self._ways():
            inode = _inode(way.namespace)
            reading = None if inode is None else known.get(inode)
            if inode is not None and reading is not None and inode not in self._held:
                self._hold(way, inode, reading.cookie)

    def close(self) -> None:
        """Let go of what hold() took."""
        while self._held:
            os.close(self._held.popitem()[1].descriptor)

    def _hold(self, way: _Way, inode: int, cookie: int) -> None:
        if way.counters is None:
            return
        try:
            descriptor = os.open(way.counters, os.O_PATH | os.O_CLOEXEC)
        except OSError:  # the process ended; or there are no more descriptors
            return
        if _inode(way.namespace) == inode:
            self._held[inode] = _Held(descriptor, cookie)
        else:
            os.close(descriptor)

    def _ways(self) -> Iterator[_Way]:
        own = self._roots.own
        yield _Way(own + "/ns/net", own + "/net/snmp")
        proc = self._roots.proc
        try:
            processes = [name for name in os.listdir(proc) if name.isdigit()]
        except OSError:
            return  # no /proc: no counter can be read
        for name in processes:
            yield _Way("%s/%s/ns/net" % (proc, name), "%s/%s/net/snmp" % (proc, name))
        # where `ip netns` and container engines keep namespaces
        for mount in mounts(own + "/mountinfo"):
            if mount.kind == "nsfs":
                yield _Way(mount.folder, None)

    def _visited(self, way: _Way, inode: int) -> Optional[Reading]:
        try:
            descriptor = os.open(way.namespace, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if os.fstat(descriptor).st_ino != inode:  # the process moved or its number was given away
                return None
            return self.visit(descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)


def _inode(path: str) -> Optional[int]:
    try:
        found = os.stat(path)
    except OSError:  # the process ended, or is not ours to look at
        return None
    # of what is not ours to look at, Linux 5.10 shows the folder instead
    return found.st_ino if stat.S_ISREG(found.st_mode) else None


def _looked_at(way: _Way, inode: int) -> Optional[Reading]:
    segs = None if way.counters is None else _segs(way.counters)
    if segs is None or _inode(way.namespace) != inode:  # it moved meanwhile
        return None
    return Reading(segs, 0)


def _reading_of_held(held: _Held) -> Optional[Reading]:
    segs = _segs("/proc/self/fd/%d" % held.descriptor)
    return None if segs is None else Reading(segs, held.cookie)


def _segs(path: str) -> Optional[int]:
    """Two lines begin with "Tcp:": names, then numbers in the same order."""
    try:
        with open(path, "rb") as file:
            names, numbers = [line.split() for line in file if line.startswith(b"Tcp:")][:2]
        return int(numbers[names.index(b"RetransSegs")])
    except (OSError, ValueError):
        return None
