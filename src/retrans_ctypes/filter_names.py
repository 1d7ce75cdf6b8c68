"""What stands for a cgroup, a network namespace or a user in a filter -> its number."""

import fcntl
import os
import pwd
import stat
from typing import Optional

from .errors import FilterError
from .roots import cgroup_mounts, host_roots

_CGROUP2 = "sockets know their cgroup of v2 only"
_HOST = "host"

_NS_GET_NSTYPE = 0xB703
_CLONE_NEWNET = 0x40000000


def cgroup_id(path: str) -> int:
    """The inode of a cgroup's folder; the path is that of the folder, or the one in the hierarchy."""
    mounted = cgroup_mounts(host_roots())
    tree = mounted.tree
    if tree is None:
        raise FilterError("there are no cgroups to filter by here: no cgroup2 is mounted, and %s" % _CGROUP2)
    above = mounted.above or ""
    inside = path[len(above):] if above and (path + "/").startswith(above + "/") else path
    in_tree = (path + "/").startswith(tree + "/")
    folder = path if in_tree else tree + "/" + inside.lstrip("/")
    try:
        about = os.stat(folder)
        # of the same file system: '..' may lead out of the tree
        if stat.S_ISDIR(about.st_mode) and about.st_dev == os.stat(tree).st_dev:
            return about.st_ino
    except (OSError, ValueError):
        pass
    if not in_tree and path.startswith("/") and "\0" not in path and os.path.isdir(path):  # 3.7 raises ValueError
        raise FilterError("%.255s is no cgroup below %s, and %s; give one of those" % (path, tree, _CGROUP2))
    raise FilterError("there is no cgroup %.255s below %s; give its path or its number" % (path, tree))


def netns_inode(name: str) -> int:
    """Of a file such as /proc/PID/ns/net, or of a name below /run/netns; 'host' is the host's own."""
    roots = host_roots()
    path = name if "/" in name else os.path.join(roots.netns, name)
    if name == _HOST and roots.pids_are_the_kernels():
        path = os.path.join(roots.proc, "1/ns/net")
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise FilterError("there is no network namespace %.255s (%.255s: %s); give its name below %s, a path such"
                          " as /proc/PID/ns/net, or its inode" % (
                              name, path, getattr(error, "strerror", error), roots.netns))
    try:
        if _is_netns(file):
            return os.fstat(file).st_ino
    finally:
        os.close(file)
    raise FilterError("%.255r is no network namespace (%.255s is another file); give its name below %s, a path such"
                      " as /proc/PID/ns/net, or its inode" % (name, path, roots.netns))


def _is_netns(file: int) -> bool:
    try:
        return fcntl.ioctl(file, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except OSError:
        return False


def user_id(name: str) -> int:
    """As the host's /etc/passwd says in a debug container, else as the C library does."""
    passwd = host_roots().passwd
    try:
        found = pwd.getpwnam(name).pw_uid if passwd is None else _from_file(passwd, name)
    except (KeyError, ValueError, OSError):
        found = None
    if found is None:
        raise FilterError("there is no user %.255s here; give another, or a number" % name)
    return found


def _from_file(passwd: str, name: str) -> Optional[int]:
    with open(passwd, "rb") as file:
        for line in file:
            words = line.split(b":")
            if len(words) > 2 and words[0] == os.fsencode(name) and words[2].isdigit():
                return int(words[2])
    return None
