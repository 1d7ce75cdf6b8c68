"""Counts of events for metrics: made while the events are packed, and read by other threads.

The counting is left to collections.Counter, which does it in C: an event becomes a tuple of the few
fields that choose its series, and a batch has far fewer different tuples than events.
"""

import threading
from bisect import bisect_left
from collections import Counter
from itertools import count
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ...counts import PREFIX4, PREFIX6
from ...event import KNOWN_SENT, KNOWN_STALL, REASONS, Event
from ...grouping import GROUPINGS, UNKNOWN, Grouping, by_prefix
from ...records import Buffer
from ..printable import printable
from ...workload import Enriched

OTHER = "other"
SERIES = 1000
LONGEST = 256
"""Letters of a label's value; a cgroup's path may have 4,096."""

BUCKETS = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120)
"""Upper ends of the stall histogram's buckets, in seconds; a last one has no end."""

_MICROSECONDS = [round(end * 1000000) for end in BUCKETS]

# What a series depends on besides the group, and what each group depends on.
_ALWAYS = ("known", "segs", "err", "family", "kind", "state", "reason")
_OWNER = ("owner_pid", "owner_comm", "owner_how")
_GROUP = {
    "flow": ("saddr", "daddr", "sport", "dport"), "remote": ("daddr",), "prefix": ("daddr",),
    "lport": ("sport",), "rport": ("dport",), "pid": _OWNER, "netns": ("netns",), "user": ("uid",)}
_PLACE = ("cgroup_id",) + _OWNER  # of a container, unit or cgroup: from the socket's or the owner's

_OPENED = {"SYN_SENT": "out", "SYN_RECV": "in", "NEW_SYN_RECV": "in"}
FAMILIES = {4: "ipv4", 6: "ipv6"}

Labels = Tuple[str, str, str, str]
"""reason, family, direction, group"""


class Snapshot(NamedTuple):
    """What a Tally had at one moment."""

    events: Dict[Labels, int]
    segs: Dict[Labels, int]
    """Without those whose segments this kernel does not count."""
    stalls: Dict[str, List[int]]
    """Reason -> events for each of BUCKETS and beyond, each for itself."""
    stall_us: Dict[str, int]
    failed: int
    groups: int


def labels_by(name: str, prefix4: int = PREFIX4, prefix6: int = PREFIX6) -> Optional[Grouping]:
    """The grouping for ``--by``; None for 'none' and for 'reason', which all series have anyway."""
    if name in ("none", "reason"):
        return None
    return by_prefix(prefix4, prefix6) if name == "prefix" else GROUPINGS[name]


class Tally:
    """Counts for each series, in bounded memory: groups beyond ``most`` are one, called OTHER.

    Nothing is ever forgotten, so no count goes down. ``lookups``: a Lookups for the names that
    ``grouping`` needs, or its like.
    """

    def __init__(self, grouping: Optional[Grouping], lookups: Any, most: int = SERIES) -> None:
        self.grouping = grouping
        self.most = most
        group = () if grouping is None else _GROUP.get(grouping.name, _PLACE)
        self._series = Event.picking(*_ALWAYS, *group)
        self._waiting = Event.picking("known", "stall_us", "err", "reason")
        self._lookups = lookups
        self._lock = threading.Lock()
        self._groups: Set[str] = set()
        self._events: Dict[Labels, int] = {}
        self._segs: Dict[Labels, int] = {}
        self._stalls: Dict[str, List[int]] = {}
        self._stall_us: Dict[str, int] = {}
        self._failed = 0

    def add(self, batch: Buffer) -> None:
        """Count these packed events in."""
        series = list(self._series.iter_unpack(batch))
        examples = dict(zip(series, count()))
        view, size = memoryview(batch), Event.LAYOUT.size
        with self._lock:
            for one, number in Counter(series).items():
                place = examples[one] * size
                self._count(Event(view[place:place + size]), number)
            self._add_stalls(batch)

    def snapshot(self) -> Snapshot:
        """All counts, from any thread."""
        with self._lock:
            return Snapshot(
                dict(self._events), dict(self._segs),
                {reason: list(counts) for reason, counts in self._stalls.items()}, dict(self._stall_us),
                self._failed, len(self._groups))

    def _count(self, event: Event, number: int) -> None:
        """``number`` events that differ from this one in nothing that counts here."""
        if event.failed:
            self._failed += number
            return
        labels = (event.reason or UNKNOWN, FAMILIES.get(event.family, UNKNOWN), direction(event),
                  self._group(event))
        self._events[labels] = self._events.get(labels, 0) + number
        segs = event.segs
        if segs is not None:
            self._segs[labels] = self._segs.get(labels, 0) + segs * number

    def _group(self, event: Event) -> str:
        if self.grouping is None:
            return ""
        key = self.grouping.key(Enriched(event, self._lookups.workload(event)))
        if not key:
            return UNKNOWN
        group = label(key)
        if group not in self._groups:
            if len(self._groups) >= self.most:
                return OTHER
            self._groups.add(group)
        return group

    def _add_stalls(self, batch: Buffer) -> None:
        for known, stall_us, err, reason in self._waiting.iter_unpack(batch):
            if not known & KNOWN_STALL or err and known & KNOWN_SENT:
                continue
            name = REASONS[reason] or UNKNOWN
            if name not in self._stalls:
                self._stalls[name] = [0] * (len(BUCKETS) + 1)
                self._stall_us[name] = 0
            self._stalls[name][bisect_left(_MICROSECONDS, stall_us)] += 1
            self._stall_us[name] += stall_us


def direction(event: Event) -> str:
    """Who opened the connection: ``out`` this host, ``in`` the peer. A connection tells that only until
    it is established; afterwards it is unknown."""
    return "in" if event.kind == "synack" else _OPENED.get(event.state, UNKNOWN)


def label(text: str) -> str:
    """A label's value: in one line, with no control characters, and not too long."""
    shown = printable(text[:LONGEST + 1])
    return shown if len(shown) <= LONGEST else shown[:LONGEST - 1] + "\u2026"
