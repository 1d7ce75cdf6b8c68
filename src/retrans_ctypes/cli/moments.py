"""Moments as options name them: --since 14:30, --until 2026-01-31T15:00:00Z."""

import argparse
import calendar
import re
import time
from datetime import datetime
from typing import NamedTuple, Optional, Tuple

_FORM = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?(?:(?:^|(?<=\d)[T ])(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
    r"(Z|[+-]\d\d:?\d\d)?\Z")
_DAY = 86400
_NS = 1000000000


class Moment(NamedTuple):
    """A point in time, or a time of day."""

    day: Optional[Tuple[int, int, int]]
    """Year, month, day."""
    clock: Tuple[int, int, int]
    ns: int
    zone: Optional[int]
    """Seconds that its clock is ahead of UTC; None: local time."""

    def at(self, near_ns: int) -> int:
        """In nanoseconds since the epoch; a time of day is that of the day of ``near_ns``."""
        if self.day is not None:
            return self._on(self.day)
        if self.zone is None:
            day = time.localtime(near_ns // _NS)
        else:
            day = time.gmtime(near_ns // _NS + self.zone)
        return self._on((day.tm_year, day.tm_mon, day.tm_mday))

    def after(self, start_ns: int) -> int:
        """As at(), but a time of day is the first one behind ``start_ns``."""
        moment = self.at(start_ns)
        return moment if self.day is not None or moment > start_ns else self.at(start_ns + _DAY * _NS)

    def _on(self, day: Tuple[int, int, int]) -> int:
        parts = day + self.clock
        if self.zone is None:
            seconds = int(time.mktime(parts + (0, 0, -1)))
        else:
            seconds = calendar.timegm(parts + (0, 0, 0)) - self.zone
        return seconds * _NS + self.ns


def moment(text: str) -> Moment:
    """An argparse type."""
    match = _FORM.match(text)
    parts = match.groups() if match else (None,) * 8
    year, month, day, hour, minute, second, fraction, zone = parts
    try:
        if year is None and hour is None:
            raise ValueError
        date = None if year is None else (int(year), int(month or 0), int(day or 0))
        clock = int(hour or 0), int(minute or 0), int(second or 0)
        datetime(*((date or (2000, 1, 1)) + clock))
        found = Moment(date, clock, int((fraction or "0").ljust(9, "0")), _zone(zone))
        found.at(0)
        return found
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            "'%s' is no moment: write 14:30, 14:30:05.250, '2026-01-31 14:30' (local time), or"
            " 2026-01-31T14:30:05Z" % text)


def _zone(text: Optional[str]) -> Optional[int]:
    if text is None or text == "Z":
        return None if text is None else 0
    seconds = int(text[1:3]) * 3600 + int(text[-2:]) * 60
    if seconds >= _DAY or int(text[-2:]) > 59:
        raise ValueError
    return -seconds if text[0] == "-" else seconds
