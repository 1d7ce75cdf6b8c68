"""From packed events to rows of the table ``event``, as quickly as Python can."""

import struct
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from ..event import (
    _TEXTS4, _TEXTS6, KINDS, KNOWN_CGROUP_ID, KNOWN_NETNS, KNOWN_OWNER, KNOWN_SEGS, KNOWN_SENT, KNOWN_STALL,
    KNOWN_UID, REASONS, STATES, Event,
)
from ..ndjson import FEW, GOOD_FOR_NS
from ..records import Buffer, c_text
from ..workload import UNKNOWN, Workload

Row = Tuple[Any, ...]
Lookup = Callable[[Event], Workload]

_WANTED = (
    "ts_ns", "known", "cgroup_id", "stall_us", "saddr", "daddr", "owner_comm", "netns", "uid", "owner_pid", "segs",
    "err", "sport", "dport", "family", "kind", "state", "reason", "owner_how")
_SOME = Event.picking(*_WANTED)
_WHOLE = struct.Struct("%ds" % Event.LAYOUT.size)

_OFTEN = KNOWN_SEGS | KNOWN_STALL | KNOWN_SENT | KNOWN_NETNS | KNOWN_OWNER
_NAMED = KNOWN_CGROUP_ID | KNOWN_NETNS | KNOWN_UID | KNOWN_OWNER
_LARGEST = (1 << 63) - 1  # that SQLite has
_MOST = 16384


class _Comms(Dict[bytes, str]):
    """Bytes of a comm -> its text. Remembers so many."""

    def __missing__(self, packed: bytes) -> str:
        if len(self) >= _MOST:
            self.clear()
        text = self[packed] = c_text(packed)
        return text


class Rows:
    """Makes the rows of one session. ``add`` makes a row of ``names`` and returns its id.

    ``lookup`` is asked for names as NdjsonWriter does: once for all events of a cgroup, namespace, user
    and owner, and again for later batches; where these are large, after a second only.
    """

    def __init__(
        self, session: int, lookup: Optional[Lookup], add: Callable[[Workload], int],
    ) -> None:
        self._session = session
        self._lookup = lookup
        self._same: Optional[Workload] = None
        self._add = add
        self._comms = _Comms()
        self._ids: Dict[Any, Optional[int]] = {}
        self._until_ns = 0
        self._added: Dict[Workload, Optional[int]] = {UNKNOWN: None}

    def of(self, batch: Buffer, offset_ns: int, same: Optional[Workload] = None) -> List[Row]:
        """In the order of schema.EVENT's columns, without the id. ``same``: the names of them all."""
        self._same = same
        now_ns = int(time.monotonic() * 1e9)
        if now_ns > self._until_ns or same is not None or len(batch) <= FEW * Event.LAYOUT.size:
            self._ids.clear()
            self._until_ns = now_ns + GOOD_FOR_NS
        return list(self._rows(zip(_SOME.iter_unpack(batch), _WHOLE.iter_unpack(batch)), offset_ns))

    def _rows(self, unpacked: Iterable[Tuple[Row, Tuple[bytes]]], offset_ns: int) -> Iterable[Row]:
        session, comms, ids = self._session, self._comms, self._ids
        for (ts_ns, known, cgroup, stall, saddr, daddr, comm, netns, uid, pid, segs, err, sport, dport, family,
             kind, state, reason, how), (packed,) in unpacked:
            key = known & _NAMED, cgroup, comm, netns, uid, pid, how, state
            names = ids[key] if key in ids else self._names(key, packed)
            if family == 4:
                local, remote = _TEXTS4[saddr[:4]], _TEXTS4[daddr[:4]]
            else:
                local, remote = _TEXTS6[saddr], _TEXTS6[daddr]
            if known & _OFTEN == _OFTEN and stall < _LARGEST:
                yield (session, ts_ns + offset_ns, names, KINDS[kind], family, local, sport, remote, dport,
                       STATES[state], REASONS[reason], segs, stall, err, netns, pid, comms[comm], packed)
                continue
            yield (session, ts_ns + offset_ns, names, KINDS[kind], family, local, sport, remote, dport,
                   STATES[state], REASONS[reason], segs if known & KNOWN_SEGS else None,
                   min(stall, _LARGEST) if known & KNOWN_STALL else None, err if known & KNOWN_SENT else None,
                   netns if known & KNOWN_NETNS else None, pid if known & KNOWN_OWNER else None,
                   comms[comm] if known & KNOWN_OWNER else None, packed)

    def _names(self, key: Any, packed: bytes) -> Optional[int]:
        workload = self._same
        if workload is None:
            assert self._lookup is not None
            workload = self._lookup(Event(packed))
        if workload not in self._added:
            if len(self._added) >= _MOST:
                self._added = {UNKNOWN: None}
            self._added[workload] = self._add(workload)
        if len(self._ids) >= _MOST:
            self._ids.clear()
        found = self._ids[key] = self._added[workload]
        return found
