"""What this process may do."""

from typing import Dict, NamedTuple, Optional, Tuple

from ..rights import CAPABILITIES
from .reading import read, number

_SECCOMP = {"0": "none", "1": "strict", "2": "filter"}


class Rights(NamedTuple):
    """Capabilities are None where /proc does not tell them."""

    euid: int
    held: Optional[Tuple[str, ...]]
    missing: Optional[Tuple[str, ...]]
    unheard_of: Tuple[str, ...]
    """Capabilities that came with later kernels; CAP_SYS_ADMIN stands for them."""
    user_namespace: Optional[bool]
    """Whether this is inside a user namespace, where capabilities do not count for BPF."""
    seccomp: Optional[str]
    """``filter``: somebody, such as a container engine, forbids some system calls."""
    kept: Optional[Tuple[str, ...]] = None
    """What ``trace --user`` cannot drop on this kernel; None where the library cannot be asked."""

    def holds(self, name: str) -> Optional[bool]:
        return None if self.held is None else name in self.held

    def may_trace(self) -> Optional[bool]:
        """Whether the capabilities are enough to load and attach the programs."""
        if self.held is None:
            return None
        return "CAP_SYS_ADMIN" in self.held or {"CAP_BPF", "CAP_PERFMON"} <= set(self.held)


def rights(euid: int, root: str = "") -> Rights:
    status = _status(read(root + "/proc/self/status").text or "")
    last = number(root + "/proc/sys/kernel/cap_last_cap")
    unheard_of = tuple(name for name, bit in CAPABILITIES.items() if last is not None and bit > last)
    effective = _hexadecimal(status.get("CapEff"))
    held = missing = None
    if effective is not None:
        known = [name for name in CAPABILITIES if name not in unheard_of]
        held = tuple(name for name in known if effective >> CAPABILITIES[name] & 1)
        missing = tuple(name for name in known if name not in held)
    return Rights(euid, held, missing, unheard_of, _mapped(read(root + "/proc/self/uid_map").text),
                  _SECCOMP.get(status.get("Seccomp", "")))


def _status(text: str) -> Dict[str, str]:
    rows = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in rows}


def _hexadecimal(text: Optional[str]) -> Optional[int]:
    try:
        return None if text is None else int(text, 16)
    except ValueError:
        return None


def _mapped(uid_map: Optional[str]) -> Optional[bool]:
    """Only the first user namespace maps every user id to itself."""
    if uid_map is None:
        return None
    return uid_map.split() != ["0", "0", "4294967295"]
