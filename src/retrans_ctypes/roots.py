"""Where this host keeps what numbers and names are found in, also where we run in a container."""

import os
from typing import NamedTuple, Optional

from .mounts import Mount, mounts

# Numbers of the first namespaces: include/linux/proc_ns.h
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_FIRST_CGROUP_NAMESPACE = "cgroup:[4026531835]"

_PF_KTHREAD = 0x00200000  # include/linux/sched.h; kernel threads are in the first pid namespace only
_TOP_CGROUP = 1  # inode of the hierarchy's root folder


class Roots(NamedTuple):
    """Folders and files. ``host`` is what the host's own root folder is called here."""

    host: str = ""
    proc: str = "/proc"
    own: str = "/proc/self"
    netns: str = "/run/netns"
    pods: str = "/var/log/pods"
    tasks: str = "/run/containerd/io.containerd.runtime.v2.task"
    passwd: Optional[str] = None  # None: ask the C library, which asks whom the host says

    def pids_are_the_kernels(self) -> bool:
        """Whether the numbers in ``proc`` are those of the initial pid namespace, as in events."""
        if _is_kernel_thread(os.path.join(self.proc, "2/stat")):
            return True
        for process in (os.path.join(self.proc, "1"), self.own):
            try:
                link = os.readlink(os.path.join(process, "ns/pid"))
            except OSError:
                continue  # of process 1 only root may know
            if link:  # some kernels give an empty one instead of refusing
                return link == _FIRST_PID_NAMESPACE
        return False

    def sees_all_cgroups(self) -> bool:
        """Whether this process stands outside of all cgroup namespaces, which shorten paths."""
        try:
            return os.readlink(os.path.join(self.own, "ns/cgroup")) == _FIRST_CGROUP_NAMESPACE
        except OSError:
            return True  # a kernel without them

    def are_the_hosts(self) -> bool:
        """Whether the files here are the host's, as far as can be told; not those of a container."""
        if self.host or not self.pids_are_the_kernels():
            return self.host != ""
        try:
            return os.path.samefile(os.path.join(self.proc, "1/root"), "/")
        except OSError:  # not for us to know
            return self.sees_all_cgroups()


def _is_kernel_thread(stat: str) -> bool:
    try:
        with open(stat, "rb") as file:
            # the name, in parentheses, may hold anything; the flags are the ninth word
            return int(file.read(4096).rpartition(b")")[2].split()[6]) & _PF_KTHREAD != 0
    except (OSError, ValueError, IndexError):
        return False


def host_roots(host: str = "/host") -> Roots:
    """Those of this host; in a debug container, which has the host's root folder there, those."""
    if not os.path.isdir(host + "/proc/1"):
        return Roots()
    plain = Roots()
    return plain._replace(
        host=host, passwd=host + "/etc/passwd", proc=host + plain.proc, netns=host + plain.netns,
        pods=host + plain.pods, tasks=host + plain.tasks)


class CgroupMounts(NamedTuple):
    """``tree``: where cgroup v2 is mounted. ``above``: what goes before a path in there, None where
    that cannot be told. ``v1``: whether v1 controllers are in use too."""

    tree: Optional[str]
    above: Optional[str]
    v1: bool


def cgroup_mounts(roots: Roots) -> CgroupMounts:
    """What the mount table says about cgroups."""
    found = CgroupMounts(None, None, False)
    for mount in mounts(os.path.join(roots.own, "mountinfo")):
        if not (mount.folder + "/").startswith(roots.host + "/"):
            continue  # in a debug container: the container's own
        if mount.kind == "cgroup2":
            above = _above(mount, roots)
            if found.tree is None or found.above is None and above is not None:
                found = found._replace(tree=mount.folder, above=above)
        elif mount.kind == "cgroup" and "name=" not in mount.options:
            found = found._replace(v1=True)
    return found


def _above(mount: Mount, roots: Roots) -> Optional[str]:
    """A container may have only its own cgroup mounted. That is called / in a cgroup namespace."""
    try:
        if os.stat(mount.folder).st_ino == _TOP_CGROUP:
            return ""
    except OSError:
        return None
    if not roots.sees_all_cgroups() or mount.root.startswith("/.."):
        return None
    return mount.root.rstrip("/")
