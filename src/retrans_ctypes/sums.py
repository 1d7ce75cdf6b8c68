"""What many events come to: segments, bytes, waiting, reasons, and what share was sent twice."""

from collections import Counter, OrderedDict
from typing import Counter as CounterOf, Dict, List, Optional, Tuple

from .event import Event
from .grouping import UNKNOWN, Grouping, socket_key
from .workload import Enriched


class Sums:
    """Of one group."""

    __slots__ = ("events", "segs", "bytes", "stall_us", "stalls", "worst_stall_us", "reasons", "sent",
                 "retransmitted", "first_ns", "last_ns")

    def __init__(self) -> None:
        self.events = 0
        self.segs = 0
        """Where this kernel does not count segments, events."""
        self.bytes = 0
        """Payload of the events."""
        self.stall_us = 0
        """Waiting of all events in which it is known, together."""
        self.stalls = 0
        """Events in which it is known."""
        self.worst_stall_us = 0
        self.reasons: CounterOf[str] = Counter()
        """Reason -> segments."""
        self.sent = 0
        """Bytes that the sockets seen here have sent meanwhile, as far as their events tell."""
        self.retransmitted = 0
        """What of ``sent`` was sent again."""
        self.first_ns = 0
        """``ts_ns`` of the first event and of the last one."""
        self.last_ns = 0

    def add(self, event: Event) -> None:
        """Count one event in; a failed attempt is no retransmit, and is not for here."""
        segs = event.segs
        segs = 1 if segs is None else segs
        stall = event.stall_us
        self.events += 1
        self.segs += segs
        self.bytes += event.len or 0
        if stall is not None:
            self.stalls += 1
            self.stall_us += stall
            self.worst_stall_us = max(self.worst_stall_us, stall)
        self.reasons[event.reason or UNKNOWN] += segs
        self.first_ns = self.first_ns or event.ts_ns
        self.last_ns = event.ts_ns

    @property
    def ratio(self) -> Optional[float]:
        """bytes_retrans / bytes_sent of these sockets, from 0 to 1; None where that is not known."""
        return self.retransmitted / self.sent if self.sent else None

    @property
    def mean_stall_us(self) -> Optional[float]:
        """µs that an event had waited on average; None where that is known of none."""
        return self.stall_us / self.stalls if self.stalls else None

    def merge(self, other: "Sums") -> None:
        """Count in what ``other`` has."""
        for name in ("events", "segs", "bytes", "stall_us", "stalls", "sent", "retransmitted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.worst_stall_us = max(self.worst_stall_us, other.worst_stall_us)
        self.reasons.update(other.reasons)
        starts = [first for first in (self.first_ns, other.first_ns) if first]
        self.first_ns = min(starts) if starts else 0
        self.last_ns = max(self.last_ns, other.last_ns)


class GroupedSums:
    """Sums for each group, in bounded memory: the groups beyond ``most`` go into ``beyond`` together.

    A socket's bytes_sent counts from its beginning. Its first event here gives the whole count, since
    what it sent before is part of the ratio; each later one adds what it grew by.
    """

    def __init__(self, grouping: Grouping, most: int = 16384, sockets: int = 65536) -> None:
        self.grouping = grouping
        self.groups: Dict[str, Sums] = {}
        self.beyond = Sums()
        self._most = most
        self._sockets: "OrderedDict[Tuple[Optional[int], str, str], Tuple[int, int]]" = OrderedDict()
        self._most_sockets = sockets

    def add(self, record: Enriched) -> None:
        """Count one event in, unless it failed."""
        event = record.event
        if event.failed:
            return
        sums = self._sums(self.grouping.key(record) or UNKNOWN)
        sums.add(event)
        sent, again = self._grown(event)
        sums.sent += sent
        sums.retransmitted += again

    def largest(self, most: int) -> List[Tuple[str, Sums]]:
        """The groups with the most segments, first the largest."""
        ranked = sorted(self.groups.items(), key=lambda item: (-item[1].segs, -item[1].events, item[0]))
        return ranked[:most]

    @property
    def total(self) -> Sums:
        """All groups together."""
        total = Sums()
        for sums in [*self.groups.values(), self.beyond]:
            total.merge(sums)
        return total

    def _sums(self, key: str) -> Sums:
        sums = self.groups.get(key)
        if sums is None:
            if len(self.groups) >= self._most:
                return self.beyond
            sums = self.groups[key] = Sums()
        return sums

    def _grown(self, event: Event) -> Tuple[int, int]:
        """By how much the socket's bytes_sent and bytes_retrans grew since its event before."""
        sent, again = event.bytes_sent, event.bytes_retrans
        if sent is None or again is None:
            return 0, 0
        key = socket_key(event)
        before_sent, before_again = self._sockets.pop(key, (0, 0))
        if sent < before_sent or again < before_again:
            before_sent = before_again = 0  # another socket has these ports by now
        self._sockets[key] = sent, again
        if len(self._sockets) > self._most_sockets:
            self._sockets.popitem(last=False)
        return sent - before_sent, again - before_again
