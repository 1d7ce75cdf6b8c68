"""One pass over a recording's events, in bounded memory, at a price of some microseconds an event."""

from bisect import bisect_right
from collections import Counter
from typing import Any, Callable, Counter as CounterOf, Dict, Iterable, NamedTuple, Optional

from ..event import (
    KNOWN_BYTES, KNOWN_NETNS, KNOWN_OWNER, KNOWN_SEGS, KNOWN_SENT, KNOWN_SNDBUF, KNOWN_SOCK, KNOWN_STALL,
    REASONS, Event,
)
from ..grouping import UNKNOWN
from ..recording import Run
from ..workload import Workload
from .buckets import MOST_PREFIXES, OTHERS, TimeLine
from .silences import Silences
from .tallies import Rankings, Socket, Tally

MOST_SOCKETS = 16384
"""Connections whose counters are remembered, at least; twice that at most."""

_WANTED = ("ts_ns", "known", "stall_us", "bytes_sent", "bytes_retrans", "saddr", "daddr", "owner_comm", "netns",
           "owner_pid", "len", "segs", "err", "dsack_dups", "reord_seen", "sport", "dport", "family", "reason",
           "retransmits", "limited_segs")
_REASONS = [REASONS[number] or UNKNOWN for number in range(256)]
_SIZE = Event.LAYOUT.size
_PREFIX_BYTES = {4: 3, 6: 8}  # the /24 and /64 that grouping 'prefix' has

_READ = Event.picking(*_WANTED).iter_unpack
assert [place.name for place in Event.places() if place.name in _WANTED] == list(_WANTED)

Keep = Callable[[Event, Workload], bool]


class InSession:
    """What one session has."""

    def __init__(self) -> None:
        self.events = 0
        self.failed = 0


class Stalls:
    """Waiting times by reason, counted by the first of ``LIMITS`` that is above them."""

    LIMITS = [digit * 10**power for power in range(12) for digit in (1, 2, 5)]  # microseconds

    def __init__(self) -> None:
        self.reasons: Dict[str, CounterOf[int]] = {}

    def add(self, reason: str, stall_us: int) -> None:
        if reason not in self.reasons:
            self.reasons[reason] = Counter()
        self.reasons[reason][bisect_right(self.LIMITS, stall_us, 0, len(self.LIMITS) - 1)] += 1


class Failure(NamedTuple):
    """An attempt that the kernel could not send."""

    err: int
    remote: str


class Gathered:
    """All that a report is made of."""

    MOST_FAILURES = 4096

    def __init__(self, most_sockets: int = MOST_SOCKETS) -> None:
        self.rankings = Rankings()
        self.line = TimeLine()
        self.stalls = Stalls()
        self.silences = Silences()
        self.sessions: Dict[int, InSession] = {}
        self.reasons: CounterOf[str] = Counter()
        """In events; those of the tallies are in segments."""
        self.uncounted = 0
        """Events whose segments are not known; they count as one."""
        self.failures: CounterOf[Failure] = Counter()
        self._young: Dict[Any, Socket] = {}
        self._old: Dict[Any, Socket] = {}
        self._most_sockets = most_sockets

    @property
    def events(self) -> int:
        """How many so far, those that failed aside."""
        return sum(session.events for session in self.sessions.values())

    def add_all(self, runs: Iterable[Run], keep: Optional[Keep] = None) -> None:
        """Count in the events of ``runs``, those that ``keep`` says."""
        for run in runs:
            self.add(run, keep)
        self.finish()

    def add(self, run: Run, keep: Optional[Keep] = None) -> None:
        packed = run.packed
        if keep is not None:
            packed = b"".join(event for event in Event.read(packed) if keep(event, run.workload))
        if packed:
            self._add(packed, run)

    def finish(self) -> None:
        """Call it when all runs are in, before anything is read."""
        for sockets in (self._old, self._young):
            self._settle(sockets)
            sockets.clear()
        self.rankings.settle()

    def _add(self, packed: bytes, run: Run) -> None:
        session = self.sessions.setdefault(run.session.number, InSession())
        offset, workload, reasons = run.offset_ns, run.workload, self.reasons
        young, silent, heard = self._young, self.silences.add, self.silences.heard
        begin = end = 0
        place = -_SIZE
        step: Any = None
        for (ts_ns, known, stall, sent, again, saddr, daddr, comm, netns, pid, length, segs, err, dsacks,
                reordered, sport, dport, family, reason_number, timeouts, limited) in _READ(packed):
            place += _SIZE
            at = ts_ns + offset
            if err and known & KNOWN_SENT:
                session.failed += 1
                self._fail(Event(packed[place:place + _SIZE]))
                continue
            if not known & KNOWN_SEGS:
                segs = 1
                self.uncounted += 1
            reason = _REASONS[reason_number]
            session.events += 1
            reasons[reason] += 1

            key = saddr, daddr, sport, dport, family, netns if known & KNOWN_NETNS else None
            socket = young.get(key)
            if socket is None:
                socket = self._socket(key)
            owner = (pid, comm, workload) if known & KNOWN_OWNER else (None, None, workload)
            if socket.owner == owner:
                owned = socket.owned
            else:
                owned = socket.change(owner, Event(packed[place:place + _SIZE]), workload)
                for spare in socket.spare():
                    self.rankings.merge(spare)
            tally = owned.tally  # type: ignore[union-attr]
            tally.events += 1
            tally.segs += segs
            tally.reasons[reason] += segs
            if not tally.first_ns or at < tally.first_ns:
                tally.first_ns = at
            if at > tally.last_ns:
                tally.last_ns = at
            if known & KNOWN_SNDBUF:
                tally.bytes += length
            if known & KNOWN_STALL:
                tally.stalls += 1
                tally.stall_us += stall
                if stall > tally.worst_stall_us:
                    tally.worst_stall_us = stall
                self.stalls.add(reason, stall)
                if reason_number == 1 and stall >= Silences.LEAST_US:
                    silent(family, daddr, at - stall * 1000, at)
            if reason_number == 2:  # ACKs came
                heard(family, daddr, at)
            if known & KNOWN_SOCK and timeouts > tally.timeouts:
                tally.timeouts = timeouts
            if known & KNOWN_BYTES:
                _grow(socket, tally, sent, again, dsacks, reordered)
            if known & KNOWN_SEGS and limited:
                tally.limited += limited

            if not begin <= at < end:
                step, begin, end = self.line.step(at)
            step.reasons[reason] += segs
            prefix = family, daddr[:3] if family == 4 else daddr[:8]
            if prefix not in step.prefixes and len(step.prefixes) >= MOST_PREFIXES:
                prefix = OTHERS
            step.prefixes[prefix] += segs

    def _socket(self, key: Any) -> Socket:
        """One that is not among the young ones. Those unused for longest are forgotten, and counted."""
        socket = self._old.pop(key, None) or Socket()
        if len(self._young) >= self._most_sockets:
            self._settle(self._old)
            self._old.clear()
            self._old.update(self._young)
            self._young.clear()
        self._young[key] = socket
        return socket

    def _settle(self, sockets: Dict[Any, Socket]) -> None:
        for socket in sockets.values():
            for owned in socket.each():
                self.rankings.merge(owned)

    def _fail(self, event: Event) -> None:
        failure = Failure(event.err or 0, event.daddr)
        if failure not in self.failures and len(self.failures) >= self.MOST_FAILURES:
            failure = Failure(failure.err, "")
        self.failures[failure] += 1


def _grow(socket: Socket, tally: Tally, sent: int, again: int, dsacks: int, reordered: int) -> None:
    """What cumulative counters grew by since the socket's event before. What was sent before the first
    one is part of the ratio; duplicates that were reported before may be of another time."""
    if sent < socket.sent or again < socket.again:  # another socket has these ports by now
        socket.sent = socket.again = 0
        socket.dsacks = socket.reorderings = -1
    tally.sent += sent - socket.sent
    tally.retransmitted += again - socket.again
    socket.sent, socket.again = sent, again
    if socket.dsacks >= 0:
        tally.dsacks += max(0, dsacks - socket.dsacks)
        tally.reorderings += max(0, reordered - socket.reorderings)
    socket.dsacks, socket.reorderings = dsacks, reordered
