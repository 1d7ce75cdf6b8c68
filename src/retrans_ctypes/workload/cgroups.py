"""cgroup id -> path, on cgroup v2, and the lines of /proc/PID/cgroup, on v1.

A cgroup's id is the inode of its directory, and the kernel gives each number once.
"""

import os
from typing import Dict, Iterator, List, Optional, Set, Tuple

from .containers import Place, place_of
from .host_text import MOST, text_of

LIMIT = 65536  # directories that one look goes through

# v1: the first of these that tells of a container is taken, else the first that tells of a unit.
# systemd's own hierarchy comes first, since all runtimes and units are in it.
_FIRST = ("name=systemd", "pids", "memory", "cpu,cpuacct", "cpu", "devices", "freezer")


def find_paths(tree: str, ids: Set[int], limit: int = LIMIT) -> Dict[int, str]:
    """The paths of those cgroups below ``tree`` whose ids are wanted; what is gone is left out."""
    left = set(ids)
    found: Dict[int, str] = {}
    for inode, path in _walk(os.fsencode(tree), limit):
        if inode in left:
            found[inode] = text_of(path) or "/"
            left.discard(inode)
            if not left:
                break
    return found


def joined(above: str, path: str) -> str:
    """The whole path, where only the part below ``above`` can be seen."""
    return above if above and path == "/" else above + path


def _walk(top: bytes, limit: int) -> Iterator[Tuple[int, bytes]]:
    """(inode, path below ``top``) of each directory."""
    try:
        yield os.stat(top).st_ino, b""
    except OSError:
        return
    waiting = [b""]
    seen = 1
    while waiting:
        path = waiting.pop()
        for inode, name in _folders(top + path):
            seen += 1
            if seen > limit:
                return
            below = path + b"/" + name
            yield inode, below
            waiting.append(below)


def _folders(folder: bytes) -> List[Tuple[int, bytes]]:
    try:
        with os.scandir(folder) as entries:
            return [(entry.inode(), entry.name) for entry in entries
                    if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # it went away meanwhile


def place_from_lines(lines: bytes) -> Optional[Place]:
    """The best of what /proc/PID/cgroup says, None where it says nothing."""
    places = [place_of(path) for path in _paths(lines)]
    for place in places:
        if place.container_id:
            return place
    for place in places:
        if place.unit:
            return place
    for place in places:
        if place.cgroup != "/":
            return place
    return places[0] if places else None


def _paths(lines: bytes) -> List[str]:
    """Paths of all hierarchies, the most telling first."""
    rows: List[Tuple[int, int, str]] = []
    for line in lines.split(b"\n")[:-1]:  # each ends with \n; what does not was cut
        parts = line.split(b":", 2)
        if len(parts) == 3 and _is_path(parts[2]):
            name = text_of(parts[1])
            rank = _FIRST.index(name) if name in _FIRST else len(_FIRST)
            rows.append((rank, len(rows), text_of(parts[2])))
    return [path for _, _, path in sorted(rows)]


def _is_path(path: bytes) -> bool:
    """Below /.. it lies outside of our own cgroup namespace; longer ones would have to be cut."""
    return path.startswith(b"/") and not path.startswith(b"/..") and len(path) <= MOST
