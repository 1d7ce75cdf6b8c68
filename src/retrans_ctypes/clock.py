"""Wall-clock time of events, which carry the host's CLOCK_MONOTONIC."""

import os
import time
from functools import lru_cache
from typing import Optional, Tuple

LOCAL, UTC, ISO, ISO_UTC = "local", "utc", "iso", "iso-utc"
WIDTHS = {
    LOCAL: len("15:50:35.123"),
    UTC: len("15:50:35.123Z"),
    ISO: len("2026-01-31T12:00:00.123456+01:00"),
    ISO_UTC: len("2026-01-31T12:00:00.123456Z"),
}
"""The styles of WallClock.text(), and how many letters each takes (before the year 10000)."""

_FIRST_TIME_NAMESPACE = "time:[4026531834]"  # include/linux/proc_ns.h


def host_monotonic_ns() -> int:
    """Now, as ``Event.ts_ns`` has it: the host's CLOCK_MONOTONIC, also in a time namespace."""
    return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9) - _ahead_ns()


@lru_cache(maxsize=None)
def _ahead_ns(own: str = "/proc/self") -> int:
    """What this process's CLOCK_MONOTONIC is ahead of the host's; 0 where that cannot be told.

    The file tells of the namespace that children get. Kernels before 5.6 have none of these.
    """
    try:
        ours = os.readlink(own + "/ns/time")
        if ours != _FIRST_TIME_NAMESPACE and ours == os.readlink(own + "/ns/time_for_children"):
            with open(own + "/timens_offsets", "rb") as offsets:
                seconds, nanos = next(line.split()[1:] for line in offsets if line.startswith(b"monotonic "))
                return int(seconds) * 1000000000 + int(nanos)
    except (OSError, ValueError, StopIteration):
        pass
    return 0


class WallClock:
    """Turns an event's ``ts_ns`` into seconds since the epoch, and into text.

    Events are fresh when they are shown, so the offset between the clocks is sampled again for each
    batch (``sample()``): after somebody set the clock, the new time shows at once. With ``offset_ns``
    it stays that: the offset that was right when old events were recorded.
    """

    def __init__(self, style: str = LOCAL, offset_ns: Optional[int] = None) -> None:
        self.offset_ns = 0
        """What the wall clock is ahead of the host's CLOCK_MONOTONIC."""
        self._style = style
        self._fixed = offset_ns is not None
        if offset_ns is not None:
            self.offset_ns = offset_ns
        self.sample()

    def sample(self) -> None:
        """Measure the offset between the two clocks anew."""
        if not self._fixed:
            self.offset_ns = int(time.time() * 1e9) - host_monotonic_ns()

    def seconds(self, ts_ns: int) -> float:
        """Seconds since the epoch, to about a microsecond."""
        return (ts_ns + self.offset_ns) / 1e9

    def text(self, ts_ns: int) -> str:
        """In the clock's style: with milliseconds (``local``, ``utc``), or as ISO 8601 (``iso``, ``iso-utc``)."""
        if self._style == ISO_UTC:
            return self.iso(ts_ns)
        if self._style == ISO:
            return self._local_iso(ts_ns)
        whole, nanos = divmod(ts_ns + self.offset_ns, 1000000000)
        utc = self._style == UTC
        now = time.gmtime(whole) if utc else time.localtime(whole)
        return "%s.%03d%s" % (time.strftime("%H:%M:%S", now), nanos // 1000000, "Z" if utc else "")

    def local(self, ts_ns: int) -> str:
        """``HH:MM:SS`` in the local time zone."""
        return time.strftime("%H:%M:%S", time.localtime((ts_ns + self.offset_ns) // 1000000000))

    def iso(self, ts_ns: int) -> str:
        """UTC with microseconds: ``2026-01-31T12:00:00.123456Z``."""
        whole, micros = self._rounded(ts_ns)
        return "%s.%06dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), micros)

    def _local_iso(self, ts_ns: int) -> str:
        """The local time zone's, with what that is ahead of UTC."""
        whole, micros = self._rounded(ts_ns)
        now = time.localtime(whole)
        sign, ahead = "-" if now.tm_gmtoff < 0 else "+", abs(now.tm_gmtoff) // 60
        return "%s.%06d%s%02d:%02d" % (
            time.strftime("%Y-%m-%dT%H:%M:%S", now), micros, sign, ahead // 60, ahead % 60)

    def _rounded(self, ts_ns: int) -> Tuple[int, int]:
        """Seconds and microseconds since the epoch."""
        return divmod((ts_ns + self.offset_ns + 500) // 1000, 1000000)
