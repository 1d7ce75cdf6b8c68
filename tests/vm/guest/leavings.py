"""What a tracer may leave in a kernel. In a guest everything is ours, so all of it must be as before."""
import ctypes
import os
import platform
import time
from typing import Dict, List, Set

libc = ctypes.CDLL(None, use_errno=True)
BPF_SYSCALL = {"x86_64": 321}.get(platform.machine(), 280)

# Commands of bpf() that give the next id (include/uapi/linux/bpf.h).
NEXT_ID = {"BPF program": 11, "BPF map": 12, "BPF link": 31}

PROBES = ["/sys/kernel/tracing/kprobe_events", "/sys/kernel/tracing/uprobe_events"]


def bpf_ids(command: int) -> Set[str]:
    found: Set[str] = set()
    attributes = (ctypes.c_uint32 * 3)()  # start_id, next_id, open_flags
    while libc.syscall(BPF_SYSCALL, command, attributes, ctypes.sizeof(attributes)) == 0:
        found.add(str(attributes[1]))
        attributes[0] = attributes[1]
    return found


def children() -> Set[str]:
    with open("/proc/thread-self/children") as pids:
        return set(pids.read().split())


def probes() -> Set[str]:
    lines: Set[str] = set()
    for path in PROBES:
        if os.path.exists(path):
            with open(path) as text:
                lines.update(text)
    return lines


def snapshot() -> Dict[str, Set[str]]:
    found = {what: bpf_ids(command) for what, command in NEXT_ID.items()}
    found["probe"] = probes()
    found["process"] = children()
    found["network device"] = set(os.listdir("/sys/class/net"))
    found["file descriptor"] = {os.readlink("/proc/self/fd/" + fd) if os.path.lexists("/proc/self/fd/" + fd)
                                else "" for fd in os.listdir("/proc/self/fd")} - {""}
    return found


def left(before: Dict[str, Set[str]], seconds: float = 5.0) -> List[str]:
    """What is there now and was not before; the kernel frees some things a moment after their last user."""
    deadline = time.monotonic() + seconds
    while True:
        after = snapshot()
        extra = ["{} {}".format(what, name) for what in after for name in sorted(after[what] - before[what])]
        if not extra or time.monotonic() > deadline:
            return extra
        time.sleep(0.05)
