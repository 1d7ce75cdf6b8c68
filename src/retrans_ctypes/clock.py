"""Wall-clock time of events, which carry CLOCK_MONOTONIC."""

import time


class WallClock:
    """Turns an event's ``ts_ns`` into seconds since the epoch.

    Events are fresh when they are shown, so the offset between the clocks is sampled again for each
    batch (``sample()``): after somebody set the clock, the new time shows at once.
    """

    def __init__(self) -> None:
        self._offset = 0.0
        self.sample()

    def sample(self) -> None:
        """Measure the offset between the two clocks anew."""
        self._offset = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)

    def seconds(self, ts_ns: int) -> float:
        """Seconds since the epoch, to about a microsecond."""
        return self._offset + ts_ns / 1e9

    def local(self, ts_ns: int) -> str:
        """``HH:MM:SS`` in the local time zone."""
        return time.strftime("%H:%M:%S", time.localtime(self.seconds(ts_ns)))

    def iso(self, ts_ns: int) -> str:
        """UTC with microseconds: ``2026-01-31T12:00:00.123456Z``."""
        whole, micros = divmod(round(self.seconds(ts_ns) * 1e6), 1000000)
        return "%s.%06dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), micros)
