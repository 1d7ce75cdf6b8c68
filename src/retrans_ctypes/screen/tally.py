"""Counts of many events as a list of numbers, which takes a fraction of the time that objects would."""

import operator
from typing import Dict, Iterable, List, Optional

from ..event import REASONS
from ..grouping import UNKNOWN

Tally = List[int]

EVENTS, SEGS, STALL, STALLS, WORST, SENT, AGAIN, REASON = range(8)
"""Places in the list. STALL is microseconds of waiting in STALLS events, and WORST of one; SENT is bytes
that the sockets have sent, AGAIN what of them was sent again. From REASON on: segments by the number
of their reason, 0 for unknown.
"""

_SIZE = REASON + len(REASONS)


def empty() -> Tally:
    return [0] * _SIZE


def add(tally: Tally, more: Tally) -> None:
    """Count in what ``more`` has."""
    worst = max(tally[WORST], more[WORST])
    tally[:] = map(operator.add, tally, more)
    tally[WORST] = worst


def summed(tallies: Iterable[Tally]) -> Tally:
    """All of them together; much quicker than adding each."""
    columns = list(zip(*tallies))
    if not columns:
        return empty()
    result = list(map(sum, columns))
    result[WORST] = max(columns[WORST])
    return result


def ratio(tally: Tally) -> Optional[float]:
    """What share of the bytes was sent again, from 0 to 1; None where that is not known."""
    return tally[AGAIN] / tally[SENT] if tally[SENT] else None


def mean_stall_us(tally: Tally) -> Optional[float]:
    return tally[STALL] / tally[STALLS] if tally[STALLS] else None


def worst_stall_us(tally: Tally) -> Optional[float]:
    return tally[WORST] if tally[STALLS] else None


def reasons(tally: Tally) -> Dict[str, int]:
    """Reason -> segments, without those that have none."""
    return {name or UNKNOWN: tally[REASON + number] for number, name in REASONS.items()
            if tally[REASON + number]}
