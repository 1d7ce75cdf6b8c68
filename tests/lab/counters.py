"""The kernel's own counters of one namespace: the truth that events are compared with."""
import ctypes
import platform
import time
from typing import Callable, Dict

from .netns import Namespace


def parse(text: str, prefix: str) -> Dict[str, int]:
    """One pair of lines of /proc/net/snmp or netstat: names, then values."""
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith(prefix)]
    names, values = rows
    return {name: int(value) for name, value in zip(names, values)}


def read(namespace: Namespace) -> Dict[str, int]:
    """RetransSegs and friends (snmp, Tcp) with TCPSynRetrans and friends (netstat, TcpExt)."""
    counters = parse(namespace.read("snmp"), "Tcp:")
    counters.update(parse(namespace.read("netstat"), "TcpExt:"))
    return counters


MEMBARRIER_GLOBAL = 1


def grace_period() -> None:
    """Wait until all that the kernel does right now outside of processes is done.

    It counts a retransmit before it sends it, and traces it after that: who has seen it counted may
    still come too soon for the trace. A softirq is a reader of RCU, which membarrier() waits for.
    """
    number = {"x86_64": 324, "aarch64": 283}[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, MEMBARRIER_GLOBAL, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "membarrier() failed")


class Counters:
    """What the counters of a namespace gained since this object was made."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.before = read(namespace)

    def gained(self) -> Dict[str, int]:
        after = read(self.namespace)
        return {name: after[name] - self.before.get(name, 0) for name in after}

    def wait(self, name: str, at_least: int, seconds: float = 15.0) -> int:
        """Wait until counter `name` gained that much, and was traced."""
        return self.wait_until(lambda gained: gained[name] >= at_least,
                               "{} to grow by {}".format(name, at_least), seconds)[name]

    def wait_until(self, enough: Callable[[Dict[str, int]], bool], what: str,
                   seconds: float) -> Dict[str, int]:
        deadline = time.monotonic() + seconds
        while True:
            late = time.monotonic() > deadline
            gained = self.gained()
            if enough(gained):
                grace_period()
                return gained
            if late:
                raise AssertionError("waited {} s in vain for {}; the kernel counted {}".format(
                    seconds, what, {k: v for k, v in gained.items() if v and "etrans" in k}))
            time.sleep(0.01)
