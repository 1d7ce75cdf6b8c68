"""The kernel's own RetransSegs, in each network namespace that can be reached."""

import os
from typing import Callable, Dict, Iterator, NamedTuple, Optional

# An open namespace file -> RetransSegs and cookie there; OSError where it cannot be entered.
ReadSegs = Callable[[int], "Reading"]


class Reading(NamedTuple):
    """What one namespace's counter said."""

    segs: int
    """RetransSegs (/proc/net/snmp, RFC 4022 tcpRetransSegs) since the namespace was made."""
    cookie: int
    """The namespace's cookie, 0 where the kernel has none."""


# Inode of the namespace -> reading, None where it could not be read.
Readings = Dict[int, Optional[Reading]]


def read_all(read: ReadSegs, proc: str = "/proc") -> Readings:
    """Every namespace that a process lives in or that is mounted somewhere, each once.

    Namespaces that only a thread or an open descriptor keeps alive are not found.
    """
    readings: Readings = {}
    for path in _candidates(proc):
        try:
            inode = os.stat(path).st_ino
        except OSError:  # the process ended, or is not ours to look at
            continue
        if readings.get(inode) is None:
            readings[inode] = _read(read, path, inode)
    return readings


def _candidates(proc: str) -> Iterator[str]:
    try:
        for name in os.listdir(proc):
            if name.isdigit():
                yield "%s/%s/ns/net" % (proc, name)
        yield from _mounted(proc + "/self/mountinfo")
    except OSError:  # no /proc: no counter can be read
        return


def _mounted(mountinfo: str) -> Iterator[str]:
    """Where `ip netns` and container engines keep namespaces: as mounts of nsfs. See proc(5)."""
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            mount, _, source = line.partition(" - ")
            if source.startswith("nsfs "):
                path = mount.split(" ")[4]
                yield path.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _read(read: ReadSegs, path: str, inode: int) -> Optional[Reading]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_ino != inode:  # the process moved or its number was given away
            return None
        return read(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
