"""Numbers and times in words, the same in every format of a report."""

import time
from typing import Any, Optional

from ..sinks.printable import printable

UNKNOWN = "-"

NS = 10**9


def shown(value: Any) -> str:
    """Text of a host in one line that no terminal obeys; what is not known is a dash."""
    return UNKNOWN if value is None else printable(str(value))


def number(value: int) -> str:
    return "{:,}".format(value)


def amount(value: int, one: str, many: str = "") -> str:
    """``1 segment``, ``2,000 segments``."""
    return "%s %s" % (number(value), one if value == 1 else many or one + "s")


def share(part: int, whole: int) -> Optional[float]:
    """From 0 to 1; None where there is no whole, as of events in which nothing was sent."""
    return part / whole if whole else None


def percent(share: Optional[float]) -> str:
    """Of a share from 0 to 1. What is above none and below all never looks like that."""
    if share is None:
        return UNKNOWN
    value = share * 100
    if 0 < value < 0.01:
        return "<0.01 %"
    if value < 1:
        return "%.2g %%" % value
    if 99 < value < 100:
        return ">99 %"
    return "%.0f %%" % value if value >= 10 else "%.1f %%" % value


def span(micros: Optional[float]) -> str:
    """A time that something took, from microseconds to days."""
    if micros is None:
        return UNKNOWN
    if micros < 999.5:
        return "%.0f µs" % micros
    if micros < 999500:
        return "%.3g ms" % (micros / 1e3)
    seconds = micros / 1e6
    if seconds < 99.5:
        return "%.3g s" % seconds
    minutes, rest = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    while not parts[0][0]:
        del parts[0]
    return " ".join("%d %s" % part for part in parts[:2] if part[0])


class Zone:
    """Local time as it was at one moment, or UTC: one offset for the whole report, so that its times
    and axes neither jump nor repeat an hour."""

    def __init__(self, at_ns: Optional[int], utc: bool = False) -> None:
        local = time.localtime(time.time() if at_ns is None else _seconds(at_ns))
        self.offset = 0 if utc else local.tm_gmtoff
        """Seconds that it is ahead of UTC."""
        sign, minutes = "-" if self.offset < 0 else "+", abs(self.offset) // 60
        self.name = "UTC" if not self.offset else "UTC%s%02d:%02d" % (sign, minutes // 60, minutes % 60)
        if self.offset and local.tm_zone and local.tm_zone[0] not in "+-":
            self.name = "%s (%s)" % (printable(local.tm_zone), self.name)

    def date(self, at_ns: Optional[int]) -> str:
        """``2026-01-31``."""
        return UNKNOWN if at_ns is None else self._text("%Y-%m-%d", at_ns)

    def clock(self, at_ns: Optional[int], millis: bool = True) -> str:
        """``12:00:00.123``."""
        if at_ns is None:
            return UNKNOWN
        return self._text("%H:%M:%S", at_ns) + (".%03d" % (at_ns // 10**6 % 1000) if millis else "")

    def moment(self, at_ns: Optional[int], millis: bool = True) -> str:
        """Date and time."""
        return UNKNOWN if at_ns is None else "%s %s" % (self.date(at_ns), self.clock(at_ns, millis))

    def between(self, first_ns: int, last_ns: int) -> str:
        """``on 2026-01-31 between 12:00:00 and 12:10:00 UTC``."""
        if first_ns == last_ns:
            return "at %s %s" % (self.moment(first_ns), self.name)
        if self.date(first_ns) != self.date(last_ns):
            return "between %s and %s %s" % (self.moment(first_ns, False), self.moment(last_ns, False), self.name)
        millis = last_ns - first_ns < 10 * NS
        return "on %s between %s and %s %s" % (
            self.date(first_ns), self.clock(first_ns, millis), self.clock(last_ns, millis), self.name)

    def _text(self, format: str, at_ns: int) -> str:
        return time.strftime(format, time.gmtime(_seconds(at_ns) + self.offset))


def _seconds(at_ns: int) -> int:
    """Within what calendars know: a recording may hold any number."""
    return max(0, min(at_ns // NS, 253402214400))
