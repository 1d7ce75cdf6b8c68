"""Security modules that may keep the library from being loaded."""

import os
from typing import NamedTuple, Optional

from .reading import read

_HOSTS = ("", "/host")
_DAEMON = "fapolicyd"


class Guards(NamedTuple):
    selinux: Optional[str]
    """``enforcing`` or ``permissive``; None where it is off or does not tell."""
    fapolicyd: Optional[str]
    """``running``; ``installed``, where no such process is seen; else None."""


def guards(root: str = "") -> Guards:
    return Guards(_selinux(root), _fapolicyd(root))


def _selinux(root: str) -> Optional[str]:
    for host in _HOSTS:
        text = read(root + host + "/sys/fs/selinux/enforce").text
        if text in ("0", "1"):
            return "enforcing" if text == "1" else "permissive"
    return None


def _fapolicyd(root: str) -> Optional[str]:
    for host in _HOSTS:
        if _runs(root + host + "/proc"):
            return "running"
    if any(os.path.isdir(root + host + "/run/" + _DAEMON) for host in _HOSTS):
        return "installed"
    return None


def _runs(proc: str) -> bool:
    try:
        pids = [name for name in os.listdir(proc) if name.isdigit()]
    except OSError:
        return False
    return any(read(os.path.join(proc, pid, "comm")).text == _DAEMON for pid in pids)
