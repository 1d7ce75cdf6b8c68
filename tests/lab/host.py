"""What the tests must leave as they found it: BPF programs and links, devices, namespaces, mounts.

Others use this machine meanwhile; where it can be told, what is theirs does not count.
"""
import gc
import json
import os
import re
import subprocess
import time
from typing import Dict, List, Set

OURS = "retrans"  # in the name of every namespace and folder that we or the demo make
TRACING = {"tracing", "raw_tracepoint", "tracepoint", "kprobe", "perf_event"}


def tool(*argv: str) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout


def descriptors() -> List[str]:
    """What this process has open, each by its number and by what it is. Not what an earlier test's
    garbage still holds, which may go at any moment."""
    gc.collect()
    found = []
    for number in os.listdir("/proc/self/fd"):
        path = "/proc/self/fd/" + number
        if os.path.lexists(path):  # not the one that reads the folder
            found.append("{}: {}".format(number, os.readlink(path)))
    return found


def parent_of(pid: int) -> int:
    with open("/proc/{}/stat".format(pid), errors="replace") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def is_strangers(pid: int) -> bool:
    """Neither this process, nor a child of it, nor an orphan that a child may have left."""
    first = pid
    while pid > 1:
        if pid == os.getpid():
            return False
        pid = parent_of(pid)
    return parent_of(first) > 1


def programs_of(pid: str) -> Set[int]:
    """Ids of the BPF programs that a process holds, directly or through a link."""
    held: Set[int] = set()
    for fd in os.listdir("/proc/{}/fdinfo".format(pid)):
        with open("/proc/{}/fdinfo/{}".format(pid, fd)) as info:
            held.update(int(line.split()[1]) for line in info if line.startswith("prog_id:"))
    return held


def strangers_programs() -> Set[int]:
    """Programs that other people's processes on this machine hold right now."""
    held: Set[int] = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if is_strangers(int(pid)):
                held |= programs_of(pid)
        except OSError:
            pass  # it ended meanwhile
    return held


def programs() -> Set[str]:
    """Tracing programs as `bpftool prog` lists them."""
    strangers = strangers_programs()
    return {"program {} {}".format(row["id"], row.get("name", ""))
            for row in json.loads(tool("bpftool", "-j", "prog")) if row["type"] in TRACING
            and row["id"] not in strangers}


def links() -> Set[str]:
    strangers = strangers_programs()
    rows = json.loads(tool("bpftool", "-j", "link") or "[]")
    return {"BPF link {} of program {}".format(row["id"], row.get("prog_id")) for row in rows
            if row.get("type") in TRACING and row.get("prog_id") not in strangers}


def is_ours(text: str) -> bool:
    """A name that we or the demo make, unless the process whose id it carries is somebody else's."""
    if OURS not in text:
        return False
    for pid in re.findall(r"retrans-demo-(\d+)", text):
        try:
            return not is_strangers(int(pid))
        except OSError:
            pass  # its process is gone
    return True


def names_in(folder: str) -> Set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def mounts() -> Set[str]:
    with open("/proc/self/mounts") as table:
        return {"mount " + line for line in table.read().splitlines() if is_ours(line)}


def children() -> Set[str]:
    """Child processes of the tests, by name."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if parent_of(int(pid)) == os.getpid():
                with open("/proc/{}/comm".format(pid)) as comm:
                    found.add("process {} {}".format(pid, comm.read().strip()))
        except OSError:
            pass  # it ended meanwhile
    return found


def snapshot() -> Dict[str, Set[str]]:
    """Everything that must be the same before and after."""
    return {
        "BPF programs": programs(),
        "BPF links": links(),
        "named network namespaces": set(filter(is_ours, names_in("/run/netns"))),
        "network devices": names_in("/sys/class/net"),
        "mounts": mounts(),
        "processes": children(),
    }


def left_over(before: Dict[str, Set[str]], seconds: float = 3.0) -> List[str]:
    """What is there now and was not before; what goes away within `seconds` is forgiven.

    The kernel frees programs and namespaces a moment after their last user.
    """
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        after = snapshot()
        extra = [item for kind in after for item in sorted(after[kind] - before[kind])]
        if not extra or late:
            return extra
        time.sleep(0.05)
