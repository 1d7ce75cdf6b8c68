"""Where this machine has cgroups."""
import os
from contextlib import contextmanager
from typing import Iterator, List, Optional, Tuple


def v1_controller() -> Optional[str]:
    """A folder with cgroup v1 in it, if this machine still has that."""
    with open("/proc/mounts") as table:
        for line in table:
            _, folder, kind, options = line.split(" ")[:4]
            if kind == "cgroup" and options.split(",")[-1] == "pids":
                return folder
    return None


def v2_tree() -> str:
    """Where cgroup v2 is mounted."""
    with open("/proc/mounts") as table:
        folders = [line.split(" ")[1] for line in table if line.split(" ")[2] == "cgroup2"]
    assert folders, "no cgroup2 is mounted"
    return folders[0]


@contextmanager
def nested(name: str) -> Iterator[Tuple[str, str]]:
    """A cgroup and one inside it; both must be empty again in the end."""
    outer = os.path.join(v2_tree(), "{}-{}".format(name, os.getpid()))
    inner = os.path.join(outer, "inner")
    os.mkdir(outer)
    try:
        os.mkdir(inner)
        try:
            yield outer, inner
        finally:
            os.rmdir(inner)
    finally:
        os.rmdir(outer)


def in_cgroup(folder: str, command: List[str]) -> List[str]:
    """`command`, run in that cgroup."""
    return ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', folder] + command
