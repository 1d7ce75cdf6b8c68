"""pid -> command line and, on cgroup v1, place; only of the process that had the pid at the time."""

import os
import time
from typing import Dict, NamedTuple, Optional, Set, Tuple

from ..clock import host_monotonic_ns
from ..roots import Roots
from .cgroups import place_from_lines
from .containers import Place, with_runtime
from .host_text import MOST, text_of

_TICK_NS = 1000000000 // os.sysconf("SC_CLK_TCK")
_LINES = 65536  # bytes of /proc/PID/cgroup: one path for each of a dozen hierarchies
_CLOCK_BOOTTIME = 7  # time.CLOCK_BOOTTIME, which Python 3.6 lacks

Key = Tuple[int, Optional[str]]  # pid and comm: an exec changes both comm and command line


class Process(NamedTuple):
    """``start``: when it was made, in clock ticks since boot: with the pid, its identity."""

    start: int
    cmdline: Optional[str]
    place: Optional[Place]

    def existed_at(self, ts_ns: int) -> bool:
        """Whether it was there at ``ts_ns`` (as in events). In doubt, within a tick: no."""
        start_ns = (self.start + 1) * _TICK_NS
        if start_ns >= 1 << 63:  # before the boot that a time namespace shows: the kernel's is unsigned
            start_ns -= 1 << 64
        return start_ns <= ts_ns + _booted_ns()


def _booted_ns() -> int:
    """What the boot clock, which goes on in suspend and is the time namespace's, is ahead of events'."""
    return int(time.clock_gettime(_CLOCK_BOOTTIME) * 1e9) - host_monotonic_ns()


class Processes:
    def __init__(self, roots: Roots, places: bool) -> None:
        """``places``: whether to read /proc/PID/cgroup too."""
        self._proc = roots.proc
        self._tasks = roots.tasks
        self._places = places

    def find(self, keys: Set[Key]) -> Dict[Key, Process]:
        found: Dict[Key, Process] = {}
        for key in keys:
            process = self._read(key[0])
            if process is not None:
                found[key] = process
        return found

    def still(self, key: Key, process: Process) -> bool:
        """Whether that process has the pid at this moment."""
        return self._start(key[0]) == process.start

    def _read(self, pid: int) -> Optional[Process]:
        start = self._start(pid)
        if start is None:
            return None
        cmdline = self._file(pid, "cmdline")
        lines = self._file(pid, "cgroup", _LINES) if self._places else None
        place = place_from_lines(lines) if lines else None
        if self._start(pid) != start:
            return None  # the pid changed hands between two of these files
        return Process(start, command(cmdline or b""), place and with_runtime(place, self._tasks))

    def _start(self, pid: int) -> Optional[int]:
        # comm, in parentheses, may hold spaces and parentheses itself.
        words = (self._file(pid, "stat") or b"").rpartition(b")")[2].split()
        return int(words[19]) if len(words) > 19 and words[19].isdigit() else None

    def _file(self, pid: int, name: str, most: int = MOST) -> Optional[bytes]:
        try:
            with open("%s/%d/%s" % (self._proc, pid, name), "rb") as file:
                return file.read(most)
        except OSError:
            return None  # ended, or not to be seen (hidepid)


def command(raw: bytes) -> Optional[str]:
    """Arguments end with NUL; what is empty (a kernel thread, a zombie) is not known."""
    return text_of(raw.rstrip(b"\0").replace(b"\0", b" ")) or None
