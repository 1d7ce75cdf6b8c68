"""Where this machine has cgroups."""
import os
from contextlib import contextmanager
from typing import Callable, Iterator, List, Optional, Tuple


def v1_controller(name: str = "pids") -> Optional[str]:
    """A folder with cgroup v1 in it, if this machine still has that."""
    with open("/proc/mounts") as table:
        for line in table:
            _, folder, kind, options = line.split(" ")[:4]
            if kind == "cgroup" and options.split(",")[-1] == name:
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


def _written(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


@contextmanager
def memory(name: str) -> Iterator[Callable[[int], str]]:
    """Makes cgroups that may have so many bytes of memory; they must be empty in the end."""
    v1 = v1_controller("memory")
    above = v1 or v2_tree()
    switch = os.path.join(above, "cgroup.subtree_control")
    made: List[str] = []

    def make(most: int) -> str:
        made.append(os.path.join(above, "{}-{}-{}".format(name, os.getpid(), len(made))))
        os.mkdir(made[-1])
        _written(os.path.join(made[-1], "memory.limit_in_bytes" if v1 else "memory.max"), str(most))
        return made[-1]
    off = False
    if not v1:
        with open(switch) as enabled:
            off = "memory" not in enabled.read().split()
        if off:
            _written(switch, "+memory")
    try:
        yield make
    finally:
        for folder in made:
            os.rmdir(folder)
        if off:
            _written(switch, "-memory")
