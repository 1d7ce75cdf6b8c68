"""Wall-clock time of events, which carry CLOCK_MONOTONIC."""

import time


class WallClock:
    """Turns an event's ``ts_ns`` into seconds since the epoch.

    Events are fresh when they are shown, so the offset between the clocks is sampled again for each
    batch (``sample()``): after somebody set the clock, the new time shows at once.
    """

    def __init__(self) -> None:
        self.offset_ns = 0
        """What the wall clock is ahead of CLOCK_MONOTONIC."""
        self.sample()

    def sample(self) -> None:
        """Measure the offset between the two clocks anew."""
        self.offset_ns = int(time.time() * 1e9) - int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)

    def seconds(self, ts_ns: int) -> float:
        """Seconds since the epoch, to about a microsecond."""
        return (ts_ns + self.offset_ns) / 1e9

    def local(self, ts_ns: int) -> str:
        """``HH:MM:SS`` in the local time zone."""
        return time.strftime("%H:%M:%S", time.localtime(self.seconds(ts_ns)))

    def iso(self, ts_ns: int) -> str:
        """UTC with microseconds: ``2026-01-31T12:00:00.123456Z``."""
        whole, micros = divmod((ts_ns + self.offset_ns + 500) // 1000, 1000000)
        return "%s.%06dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), micros)


class FixedClock(WallClock):
    """For events of another time: the offset is what it is set to."""

    def __init__(self, offset_ns: int = 0) -> None:
        super().__init__()
        self.offset_ns = offset_ns

    def sample(self) -> None:
        """Measures nothing."""
