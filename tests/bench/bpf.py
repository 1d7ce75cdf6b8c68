"""What the kernel says about the BPF programs of a process."""
import ctypes
import json
import os
import platform
from contextlib import contextmanager
from typing import Dict, Iterator, List, NamedTuple, Set

from lab.host import tool
from lab.netns import libc

SYSCALL = {"x86_64": 321, "aarch64": 280}
GET_TASK_FD_QUERY, ENABLE_STATS = 20, 32
RINGBUF = 27
# Programs that run through all open files or sockets, and not for an event.
ITERATORS = ("look_at_open_socket", "settle_open_socket", "find_holders")


def call(command: int, attributes: "ctypes.Array[ctypes.c_char]") -> int:
    return int(libc.syscall(SYSCALL[platform.machine()], command, attributes, len(attributes)))


@contextmanager
def statistics() -> Iterator[None]:
    """The kernel measures each program meanwhile, which costs some nanoseconds a call."""
    fd = call(ENABLE_STATS, ctypes.create_string_buffer(16))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "the kernel does not measure BPF programs")
    try:
        yield
    finally:
        os.close(fd)


class Cost(NamedTuple):
    """Of one program since it was loaded."""

    name: str
    ns: int
    calls: int

    @property
    def is_iterator(self) -> bool:
        """By its name, of which the kernel keeps 15 characters."""
        return bool(self.name) and any(name.startswith(self.name) for name in ITERATORS)


def costs(pid: int) -> Dict[int, Cost]:
    """Of each program that a process holds, by id. Empty before it holds one."""
    held = programs_of(pid)
    return {row["id"]: Cost(row.get("name", ""), row.get("run_time_ns", 0), row.get("run_cnt", 0))
            for row in json.loads(tool("bpftool", "-j", "prog")) if row["id"] in held}


def since(before: Dict[int, Cost], after: Dict[int, Cost]) -> List[Cost]:
    """What each took between two looks."""
    return [Cost(now.name, now.ns - before[number].ns, now.calls - before[number].calls) if number in before
            else now for number, now in after.items()]


def attached_to_perf_event(pid: int, fd: int) -> bool:
    """Whether a program is attached to this descriptor of that process."""
    attributes = ctypes.create_string_buffer(48)
    ctypes.memmove(attributes, ctypes.byref((ctypes.c_uint32 * 2)(pid, fd)), 8)
    return call(GET_TASK_FD_QUERY, attributes) == 0


def ring_of(pid: int) -> int:
    """Id of the one ring buffer that a process holds."""
    rings = {int(told["map_id"]) for told in descriptors(pid) if int(told.get("map_type", 0)) == RINGBUF}
    ring, = rings
    return ring


def map_bytes(pid: int) -> Dict[int, int]:
    """What the kernel holds for each map of a process, by the map's id."""
    maps = (told for told in descriptors(pid) if "map_id" in told)
    return {int(told["map_id"]): int(told.get("memlock", 0)) for told in maps}


def descriptors(pid: int) -> Iterator[Dict[str, str]]:
    """What /proc tells of each."""
    folder = "/proc/{}/fdinfo".format(pid)
    for fd in os.listdir(folder):
        try:
            with open(os.path.join(folder, fd)) as info:
                yield dict(line.split(":", 1) for line in info.read().splitlines() if ":" in line)
        except FileNotFoundError:  # the folder's own descriptor, where the process is this one
            pass


def programs_of(pid: int) -> Set[int]:
    """Ids of those that a process holds, directly or through a link."""
    return {int(told["prog_id"]) for told in descriptors(pid) if "prog_id" in told}
