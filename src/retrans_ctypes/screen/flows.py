"""Counting of flows, from which every grouping is made when it is looked at.

A flow here is a connection together with its owner. Counting an event costs the same whatever is
shown; the groups are summed up from the flows for each redraw, so that another grouping shows
at once, and with all that was counted before.
"""

from collections import deque
from typing import Any, Deque, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ..event import KNOWN_BYTES, KNOWN_SEGS, KNOWN_SENT, KNOWN_STALL, REASONS, Event
from ..grouping import GROUPINGS, UNKNOWN, Grouping
from ..workload import Enriched, enrich
from .tally import AGAIN, EVENTS, REASON, SEGS, SENT, STALL, STALLS, WORST, Tally, add, empty, summed

RECENT = 200
"""So many events are kept of each group that is watched."""

MOST = 16384
"""Flows that are kept apart, unless told otherwise."""

OTHERS = "(others)"
"""The group of what is beyond the groups that are kept."""

SHOWN = ("flow", "remote", "prefix", "lport", "rport", "pid", "container", "unit")
"""The groupings, in the order of their keys."""

_KEY = ("cgroup_id", "saddr", "daddr", "owner_comm", "netns", "owner_pid", "sport", "dport", "family")
_KEYS = Event.picking(*_KEY)
_PICKED = Event.picking("known", "stall_us", "bytes_sent", "bytes_retrans", "segs", "err", "reason", *_KEY)
_SIZE = Event.LAYOUT.size
_NEWER = max(REASONS) + 1  # reasons from here on are of a newer library
_BACKLOG = 4096 * _SIZE  # bytes
_LOOKS = 2  # ticks in which names that were not known at first are asked for again

_Key = Tuple[Any, ...]


class Flow:
    """``counted``: what came since the last tick; ``total``: all before that."""

    __slots__ = ("event", "names", "socket", "counted", "total", "groups", "recent", "ticked", "looks")

    def __init__(self, record: Enriched, socket: List[int], tick: int) -> None:
        self.event, self.names = record  # of its first event
        self.socket = socket  # bytes_sent and bytes_retrans so far; flows of one connection share them
        self.counted: Optional[Tally] = None
        self.total = empty()
        self.groups: Dict[str, str] = {}
        self.recent: Optional[Deque[bytes]] = None
        self.ticked = tick  # when it was active last
        self.looks = _LOOKS

    @property
    def rank(self) -> Tuple[bool, int]:
        """Of the flows of a group the highest stands for it: the owner is known, and it was active last."""
        return self.event.owner_pid is not None, self.ticked

    @property
    def record(self) -> Enriched:
        return Enriched(self.event, self.names)

    def group(self, grouping: Grouping) -> str:
        """Which it belongs to; a name that is not known yet may be known later."""
        name = self.groups.get(grouping.name)
        if name is None:
            name = grouping.key(self.record)
            if name is None:
                return UNKNOWN
            self.groups[grouping.name] = name
        return name


class _Slot:
    """What came in a part of the window."""

    __slots__ = ("began", "flows", "old", "sum")

    def __init__(self, began: float) -> None:
        self.began = began
        self.flows: List[Tuple[Flow, Tally]] = []
        self.old = _Archive()  # of flows that are kept no more
        self.sum = empty()

    def forget(self, gone: Set[Flow], most: int) -> None:
        """Keep only the sums of these flows."""
        kept = []
        for flow, tally in self.flows:
            if flow in gone:
                self.old.put(flow, tally, most)
            else:
                kept.append((flow, tally))
        self.flows = kept


class _Archive(Dict[str, Dict[str, Tally]]):
    """Grouping -> group -> what flows that are kept no more came to. Flows themselves are among the others."""

    def __init__(self) -> None:
        super().__init__((name, {}) for name in SHOWN)

    def put(self, flow: Flow, tally: Tally, most: int) -> None:
        """``most``: groups of each grouping."""
        for by, groups in self.items():
            name = OTHERS if by == "flow" else flow.group(GROUPINGS[by])
            if name in groups:
                add(groups[name], tally)
            elif len(groups) < most:
                groups[name] = list(tally)
            else:
                add(groups.setdefault(OTHERS, empty()), tally)


class Group(NamedTuple):
    """``recent`` is what the window has, ``total`` what came since the start or the last reset."""

    name: str
    recent: Tally
    total: Tally
    flow: Optional[Flow]
    """One that stands for its flows, None where none is kept any more."""
    flows: int


class Flows:
    """Counts packed events. ``lookups`` finds names (a Lookups, or its like); ``slots``: how many ticks
    the window has; ``most``: how many flows are kept apart, which is four times the groups of each other
    grouping that may outlive their flows; ``failed``: keep failed attempts among the recent events."""

    def __init__(self, lookups: Any, slots: int, now: float, most: int = MOST, failed: bool = False) -> None:
        self._lookups = lookups
        self._most = most
        self._failed = failed
        self._slots: Deque[_Slot] = deque(maxlen=slots)
        self.keeping = True
        """Whether recent events are kept. Switched off, they stay as they are."""
        self.reset(now)

    def reset(self, now: float) -> None:
        """Forget all. ``now``: seconds on a clock that never goes back, here and in tick()."""
        self._flows: Dict[_Key, Flow] = {}
        self._sockets: Dict[_Key, List[int]] = {}
        self._old = _Archive()
        self._all = empty()
        self._active: List[Flow] = []
        self._slot = _Slot(now)  # the one that runs
        self._slots.clear()
        self._ticks = 0
        self._watching = GROUPINGS[SHOWN[0]]
        self._watched: Dict[str, Deque[bytes]] = {}
        self._backlog: Deque[bytes] = deque()
        self._backlog_bytes = 0

    def feed(self, batch: Any) -> None:
        """Count a batch of packed events. A failed attempt is no retransmit."""
        packed = bytes(batch)
        flows, keeping, failed = self._flows, self.keeping, self._failed
        place = -_SIZE
        for (known, cgroup, stall, sent, again, saddr, daddr, comm, netns, pid, segs, err, sport, dport,
             family, reason) in _PICKED.iter_unpack(packed):
            place += _SIZE
            bad = err and known & KNOWN_SENT
            if bad and not failed:
                continue
            key = cgroup, saddr, daddr, comm, netns, pid, sport, dport, family
            flow = flows.get(key)
            if flow is None:
                flow = self._begin(key, packed[place:place + _SIZE])
            if keeping and flow.recent is not None:
                flow.recent.append(packed[place:place + _SIZE])
            if bad:
                continue
            tally = flow.counted
            if tally is None:
                tally = flow.counted = empty()
                self._active.append(flow)
            if not known & KNOWN_SEGS:
                segs = 1
            tally[EVENTS] += 1
            tally[SEGS] += segs
            tally[REASON + (reason if reason < _NEWER else 0)] += segs
            if known & KNOWN_STALL:
                tally[STALLS] += 1
                tally[STALL] += stall
                if stall > tally[WORST]:
                    tally[WORST] = stall
            if known & KNOWN_BYTES:
                socket = flow.socket
                if sent < socket[0] or again < socket[1]:
                    socket[:] = 0, 0  # another socket has these ports by now
                tally[SENT] += sent - socket[0]
                tally[AGAIN] += again - socket[1]
                socket[:] = sent, again
        if keeping:
            self._remember(packed)
        if len(flows) > self._most:
            self._forget_some()

    def tick(self, now: float) -> None:
        """End the slot that runs, so that what came in it is shown, and begin one."""
        self._collect()
        self._slots.append(self._slot)
        self._slot = _Slot(now)
        self._ticks += 1

    @property
    def window(self) -> float:
        """Seconds that Group.recent covers; never 0."""
        return max(0.001, self._slot.began - self._slots[0].began) if self._slots else 0.001

    def groups(self, grouping: Grouping) -> Dict[str, Group]:
        """All groups by name, as of the last tick."""
        by = grouping.name
        found: Dict[str, List[Any]] = {
            name: [None, list(total), None, 0] for name, total in self._old[by].items()}
        for flow in self._flows.values():
            name = flow.groups.get(by) or flow.group(grouping)
            made = found.get(name)
            if made is None:
                found[name] = [None, list(flow.total), flow, 1]
                continue
            add(made[1], flow.total)
            made[3] += 1
            if made[2] is None or flow.rank > made[2].rank:
                made[2] = flow
        for slot in self._slots:
            parts = [(flow.groups.get(by) or flow.group(grouping), tally) for flow, tally in slot.flows]
            for name, tally in [*parts, *slot.old[by].items()]:
                made = found.get(name)
                if made is None:
                    made = found[name] = [None, empty(), None, 0]
                if made[0] is None:
                    made[0] = list(tally)
                else:
                    add(made[0], tally)
        nothing = empty()
        return {name: Group(name, made[0] or nothing, *made[1:]) for name, made in found.items()
                if made[0] or made[1][EVENTS]}

    def everything(self) -> Tuple[Tally, Tally]:
        """What came in the window, and what came at all, as of the last tick."""
        return summed(slot.sum for slot in self._slots), list(self._all)

    def watch(self, grouping: Grouping, names: Iterable[str]) -> None:
        """Keep the recent events of these groups, and of no others."""
        before = self._watched if grouping is self._watching else {}
        watched = {name: before[name] if name in before else deque(maxlen=RECENT) for name in names}
        new = watched.keys() - before.keys()
        if not new and len(watched) == len(self._watched):
            return
        self._watching, self._watched = grouping, watched
        for flow in self._flows.values():
            flow.recent = watched.get(flow.group(grouping))
        if new:
            self._find(new)

    def recent(self, name: str) -> List[Event]:
        """The last events of a watched group, oldest first."""
        return [Event(packed) for packed in self._watched.get(name, ())]

    def _begin(self, key: _Key, packed: bytes) -> Flow:
        socket = self._sockets.setdefault(_socket(key), [0, 0])
        flow = self._flows[key] = Flow(enrich(Event(packed), self._lookups), socket, self._ticks)
        if self._watched:
            flow.recent = self._watched.get(flow.group(self._watching))
        return flow

    def _collect(self) -> None:
        """What came since the last tick goes into the totals, and into the slot that runs."""
        counted = []
        for flow in self._active:
            tally = flow.counted
            assert tally is not None
            add(flow.total, tally)
            counted.append(tally)
            self._slot.flows.append((flow, tally))
            flow.counted = None
            flow.ticked = self._ticks
            if flow.looks and flow.names.cgroup is None:
                flow.looks -= 1
                flow.names = enrich(flow.event, self._lookups).workload
        self._active.clear()
        together = summed(counted)
        add(self._slot.sum, together)
        add(self._all, together)

    def _find(self, names: Any) -> None:
        """Take from the backlog what it has of groups that were not watched before."""
        for batch in self._backlog:
            for packed in Event.read(batch):
                flow = self._flows.get(_KEYS.unpack(packed))
                if flow is not None and flow.recent is not None and flow.group(self._watching) in names:
                    if self._failed or not packed.failed:
                        flow.recent.append(packed)

    def _remember(self, packed: bytes) -> None:
        self._backlog.append(packed)
        self._backlog_bytes += len(packed)
        while len(self._backlog) > 1 and self._backlog_bytes > _BACKLOG:
            self._backlog_bytes -= len(self._backlog.popleft())

    def _forget_some(self) -> None:
        """Keep three quarters of the flows, those that were active last; of the others the sums only."""
        self._collect()
        flows = self._flows
        gone = set()
        for key in sorted(flows, key=lambda key: flows[key].ticked)[:len(flows) - self._most * 3 // 4]:
            flow = flows.pop(key)
            gone.add(flow)
            self._old.put(flow, flow.total, self._most // 4)
        for slot in [*self._slots, self._slot]:
            slot.forget(gone, self._most // 16)
        self._sockets = {_socket(key): flow.socket for key, flow in flows.items()}


def _socket(key: _Key) -> _Key:
    """What of the key tells one connection from another."""
    _, saddr, daddr, _, netns, _, sport, dport, _ = key
    return saddr, daddr, netns, sport, dport
