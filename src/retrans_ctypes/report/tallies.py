"""What events come to for each socket and its owner, and from there for flows, remotes and so on."""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ..event import Event
from ..grouping import GROUPINGS, UNKNOWN, Grouping, flow
from ..sums import Sums
from ..workload import Enriched, Workload

MOST_GROUPS = 16384
"""Groups that are kept apart for each way of grouping."""


class Tally(Sums):
    """Sums, and what the advice rests on. Its times are of the wall clock."""

    __slots__ = ("dsacks", "reorderings", "timeouts", "limited")

    def __init__(self) -> None:
        super().__init__()
        self.dsacks = 0
        """Duplicates that peers reported between the events of a socket."""
        self.reorderings = 0
        self.timeouts = 0
        """Most timeouts in a row."""
        self.limited = 0
        """Segments that the rate limit kept back."""

    def join(self, other: "Tally") -> None:
        """As merge(), several times as fast: in a flood of connections this is what takes the time."""
        self.events += other.events
        self.segs += other.segs
        self.bytes += other.bytes
        self.sent += other.sent
        self.retransmitted += other.retransmitted
        self.dsacks += other.dsacks
        self.reorderings += other.reorderings
        self.limited += other.limited
        if other.stalls:
            self.stalls += other.stalls
            self.stall_us += other.stall_us
            self.worst_stall_us = max(self.worst_stall_us, other.worst_stall_us)
        if other.timeouts > self.timeouts:
            self.timeouts = other.timeouts
        if other.events:
            self.first_ns = min(self.first_ns or other.first_ns, other.first_ns)
            self.last_ns = max(self.last_ns, other.last_ns)
        reasons = self.reasons
        for reason, segs in other.reasons.items():
            reasons[reason] += segs


class Owned:
    """What one owner's use of one socket comes to, with an event that stands for all of them."""

    __slots__ = ("event", "workload", "tally")

    def __init__(self, event: Event, workload: Workload) -> None:
        self.event = event
        self.workload = workload
        self.tally = Tally()


class Group(NamedTuple):
    name: str
    tally: Tally


class Ranking:
    """Tallies by one grouping, in bounded memory.

    Where there are more than ``most`` groups, the smaller half of them goes into ``beyond`` together:
    so a group that becomes large late is seen, too.
    """

    def __init__(self, grouping: Grouping, most: int = MOST_GROUPS) -> None:
        self.grouping = grouping
        self.beyond = Tally()
        self.full = False
        """Whether some went there: there are more than ``most`` groups."""
        self._groups: Dict[str, Tally] = {}
        self.most = most

    def merge(self, owned: Owned, keep: bool = False) -> None:
        """``keep``: nobody else has its tally any more, so it can be that of a new group."""
        key = self.grouping.key(Enriched(owned.event, owned.workload)) or UNKNOWN
        tally = self._groups.get(key)
        if tally is None:
            if len(self._groups) >= self.most:
                self._shorten()
            tally = self._groups[key] = owned.tally if keep else Tally()
        if tally is not owned.tally:
            tally.join(owned.tally)

    def __len__(self) -> int:
        """How many groups there are by now."""
        return len(self._groups)

    def ranked(self) -> List[Group]:
        """All groups that are known, first the one with the most segments."""
        return [Group(*item) for item in sorted(
            self._groups.items(), key=lambda item: (-item[1].segs, -item[1].events, item[0]))]

    def known(self) -> List[Group]:
        """ranked() without the group of those that have none."""
        return [group for group in self.ranked() if group.name != UNKNOWN]

    def unknown(self) -> Optional[Tally]:
        """Of the events whose group is not known."""
        return self._groups.get(UNKNOWN)

    def _shorten(self) -> None:
        self.full = True
        ranked = self.ranked()
        for group in ranked[len(ranked) // 2:]:
            self.beyond.join(group.tally)
            del self._groups[group.name]


_BY_OWNER = ("pid", "container", "unit")

SHOWN = ("flow", "remote") + _BY_OWNER
"""What there is a table of, each one of GROUPINGS."""


def _service(record: Enriched) -> str:
    return record.event.remote


def _listener(record: Enriched) -> str:
    return record.event.local


class Rankings:
    """All that are needed. Complete after settle()."""

    def __init__(self) -> None:
        self.shown: Dict[str, Ranking] = {name: Ranking(GROUPINGS[name]) for name in SHOWN}
        self.services = Ranking(Grouping("service", "services", _service))
        """Remote address and port."""
        self.listeners = Ranking(Grouping("listener", "listeners", _listener))
        """Local address and port, of SYN-ACKs only."""
        self.limited = Ranking(Grouping("flow", "flows", flow), 1024)
        """Those of which the rate limit kept something back."""
        self.total = Tally()
        self._owners: Dict[Tuple[object, ...], Owned] = {}

    def merge(self, owned: Owned) -> None:
        """Count it in; its tally is not the caller's any more."""
        event, tally = owned.event, owned.tally
        owner = event.owner_pid, event.owner_comm, owned.workload
        if owner not in self._owners:
            if len(self._owners) >= MOST_GROUPS:
                self.settle()
            self._owners[owner] = Owned(event, owned.workload)
        self._owners[owner].tally.join(tally)
        self.shown["remote"].merge(owned)
        if tally.reasons.get("synack"):
            self.listeners.merge(owned)
        else:
            self.services.merge(owned)
        if tally.limited:
            self.limited.merge(owned)
        self.shown["flow"].merge(owned, keep=True)

    def settle(self) -> None:
        """Owners are much fewer than connections: what they come to is grouped at the end."""
        for owned in self._owners.values():
            self.total.join(owned.tally)
            for name in _BY_OWNER:
                self.shown[name].merge(owned)
        self._owners.clear()


MOST_OWNERS = 16
"""of one connection, that are kept apart."""


class Socket:
    """One connection: its cumulative counters as its last event had them, and whose it is."""

    __slots__ = ("sent", "again", "dsacks", "reorderings", "owner", "owned", "others")

    def __init__(self) -> None:
        self.sent = self.again = 0
        self.dsacks = self.reorderings = -1
        """-1: no event told them yet."""
        self.owner: Optional[Tuple[object, ...]] = None
        self.owned: Optional[Owned] = None
        self.others: Optional[Dict[Tuple[object, ...], Owned]] = None
        """By owner, where it has had several."""

    def change(self, owner: Tuple[object, ...], event: Event, workload: Workload) -> Owned:
        """Its events are ``owner``'s from now on."""
        if self.owner is not None and self.owned is not None:
            self.others = self.others or {}
            self.others[self.owner] = self.owned
        before = self.others.get(owner) if self.others else None
        self.owner, self.owned = owner, before or Owned(event, workload)
        return self.owned

    def spare(self) -> List[Owned]:
        """What its owners before came to, where they are many: the caller's from now on."""
        if self.others is None or len(self.others) < MOST_OWNERS:
            return []
        others, self.others = self.others, None
        return [owned for owned in others.values() if owned is not self.owned]

    def each(self) -> List[Owned]:
        found = dict(self.others or {})
        if self.owner is not None and self.owned is not None:
            found[self.owner] = self.owned
        return list(found.values())
