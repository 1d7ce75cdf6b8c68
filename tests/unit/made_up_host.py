"""A host made of folders and files: what Lookups reads, without the kernel."""
import os
import time
from typing import Any, List

from fake_library import event
from retrans_ctypes.event import Event
from retrans_ctypes.workload import Lookups, Roots
from retrans_ctypes.workload.finder import Patience



def mount(folder: str, kind: str, options: str = "rw", root: str = "/") -> str:
    """A line of /proc/PID/mountinfo."""
    return "30 22 0:26 %s %s rw,relatime shared:9 - %s %s %s" % (root, folder, kind, kind, options)


CGROUP2 = mount("{0}/cgroup", "cgroup2")
HYBRID2 = mount("{0}/cgroup/unified", "cgroup2")
V1 = mount("{0}/cgroup/pids", "cgroup", "rw,pids")
SYSTEMD = mount("{0}/cgroup/systemd", "cgroup", "rw,xattr,name=systemd")


def now_ns() -> int:
    return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)


def ticks_ago(seconds: float) -> int:
    """A start time as /proc/PID/stat has it."""
    return int((time.clock_gettime(7) - seconds) * os.sysconf("SC_CLK_TCK"))


class MadeUpHost:
    """Each method adds something to it."""

    def __init__(self, folder: Any, *mounts: str) -> None:
        self.top = str(folder)
        for name in ("proc/self/ns", "cgroup", "netns", "pods", "tasks"):
            os.makedirs(self.path(name))
        os.symlink("cgroup:[4026531835]", self.path("proc/self/ns/cgroup"))
        os.symlink("pid:[4026531836]", self.path("proc/self/ns/pid"))
        self.write("proc/self/mountinfo", "\n".join(line.format(self.top) for line in mounts) + "\n")
        self.write("passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/false\nalso:x:33:33::/:\n")

    def move(self, kind: str, number: int) -> None:
        """Into another namespace."""
        os.unlink(self.path("proc/self/ns", kind))
        os.symlink("%s:[%d]" % (kind, number), self.path("proc/self/ns", kind))

    def path(self, *parts: str) -> str:
        return os.path.join(self.top, *parts)

    def write(self, name: str, text: Any) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)

    def cgroup(self, name: Any) -> int:
        """Makes a v2 cgroup; returns its id."""
        folder = os.path.join(os.fsencode(self.path("cgroup")), os.fsencode(name))
        os.makedirs(folder, exist_ok=True)
        return os.stat(folder).st_ino

    def process(self, pid: int, *, start: int, comm: str = "made up", cmdline: bytes = b"prog\0-x\0",
                cgroup: str = "0::/\n", netns: int = 0) -> None:
        self.write("proc/%d/stat" % pid, "%d (%s) S %s %d 0\n" % (pid, comm, "0 " * 18, start))
        self.write("proc/%d/cmdline" % pid, cmdline)
        self.write("proc/%d/cgroup" % pid, cgroup)
        link = self.path("proc", str(pid), "ns", "net")
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink("net:[%d]" % netns, link)

    def netns(self, name: str) -> int:
        self.write("netns/" + name, "")
        return os.stat(self.path("netns", name)).st_ino

    def roots(self) -> Roots:
        return Roots(proc=self.path("proc"), own=self.path("proc/self"), netns=self.path("netns"),
                     pods=self.path("pods"), tasks=self.path("tasks"), passwd=self.path("passwd"))

    def lookups(self, **options: Any) -> Lookups:
        options.setdefault("patience", Patience(most=10.0, share=1.0))
        return Lookups(self.roots(), **options)

    def workload(self, made: Event) -> Any:
        """The answer of lookups that have not seen anything yet."""
        with self.lookups() as lookups:
            return lookups.workload(made)


def owned(pid: int, how: int = 1, comm: bytes = b"made up", **values: Any) -> Event:
    """An event of now, with an owner."""
    values.setdefault("ts_ns", now_ns())
    return event(owner_pid=pid, owner_how=how, owner_comm=comm, **values)


def names(workload: Any, *fields: str) -> List[Any]:
    return [getattr(workload, field) for field in fields]
