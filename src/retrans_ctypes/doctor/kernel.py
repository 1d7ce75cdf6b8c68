"""The kernel itself: its release, its type information, and settings that limit tracing."""

import os
import resource
import struct
from typing import NamedTuple, Optional

from .reading import because, is_file, read, number

_MAGIC = 0xEB9F
_HEADER = struct.Struct("HBBIIIII")  # include/uapi/linux/btf.h: struct btf_header


class Kernel(NamedTuple):
    release: str
    machine: str


def kernel() -> Kernel:
    system = os.uname()
    return Kernel(system.release, system.machine)


class Btf(NamedTuple):
    """``problem``: why it cannot be used, None where it can. ``given``: named with --btf."""

    path: str
    given: bool
    bytes: Optional[int]
    problem: Optional[str]


def btf(root: str = "", given: Optional[str] = None) -> Btf:
    """The kernel's own type information, or the file that shall stand for it."""
    path = given if given is not None else root + "/sys/kernel/btf/vmlinux"
    try:
        size = os.path.getsize(path)
        if not is_file(path):
            problem: Optional[str] = "is not a file"
        else:
            with open(path, "rb") as file:
                problem = _wrong_with(file.read(_HEADER.size), size)
    except OSError as error:
        return Btf(path, given is not None, None, because(error))
    except ValueError as error:  # a path with a NUL
        return Btf(path, given is not None, None, str(error))
    return Btf(path, given is not None, size, problem)


def _wrong_with(start: bytes, size: int) -> Optional[str]:
    if start[:2] == struct.pack("H", _MAGIC)[::-1]:
        return "is for a machine of the other byte order"
    if start[:2] != struct.pack("H", _MAGIC):
        return "is not BTF" if start else "is empty"
    if len(start) < _HEADER.size:
        return "is cut short: %d bytes" % size
    _, _, _, length, types_at, types, strings_at, strings = _HEADER.unpack(start)
    ends_at = length + max(types_at + types, strings_at + strings)
    if size < ends_at:
        return "is cut short: %d of %d bytes" % (size, ends_at)
    return None


class Settings(NamedTuple):
    """None: the kernel does not have it, or does not tell."""

    lockdown: Optional[str]
    """none, integrity or confidentiality, of which only the last one forbids tracing."""
    unprivileged_bpf_disabled: Optional[int]
    perf_event_paranoid: Optional[int]
    memlock_bytes: Optional[int]
    """The limit of locked memory, -1 for none. Kernels before 5.11 count BPF maps towards it."""


def settings(root: str = "") -> Settings:
    sysctl = root + "/proc/sys/kernel/"
    return Settings(
        lockdown=_in_brackets(read(root + "/sys/kernel/security/lockdown").text or ""),
        unprivileged_bpf_disabled=number(sysctl + "unprivileged_bpf_disabled"),
        perf_event_paranoid=number(sysctl + "perf_event_paranoid"),
        memlock_bytes=_memlock())


def _in_brackets(text: str) -> Optional[str]:
    """``none [integrity] confidentiality``: the one in force."""
    for word in text.split():
        if word.startswith("[") and word.endswith("]"):
            return word[1:-1]
    return None


def _memlock() -> Optional[int]:
    try:
        soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    except (OSError, ValueError):
        return None
    return -1 if soft == resource.RLIM_INFINITY else soft
