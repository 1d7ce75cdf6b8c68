"""What the kernel counted: rows by flow, remote, port and the like, and what they come to."""

from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, Callable, Dict, Iterable, NamedTuple, Optional, Tuple

from .event import REASONS, endpoint
from .records import Names

COUNT_BY = Names({
    0: "none", 1: "flow", 2: "remote", 3: "prefix", 4: "lport", 5: "rport", 6: "pid", 7: "cgroup",
    8: "reason"})
"""By what can be counted. Mirrors enum tcpretrans_count_by."""

PREFIX4, PREFIX6 = 24, 64
"""Bits of a prefix, where nobody says otherwise."""


Packed = bytes  # these rows have a field of that name


class NativeRow(NamedTuple):
    """Mirrors struct tcpretrans_count."""

    events: int
    segs: int
    bytes: int
    number: int
    saddr: Packed
    daddr: Packed
    sport: int
    dport: int
    family: int


class Sum(NamedTuple):
    """What several rows come to."""

    rows: int
    """How many they are; 0 where that is not known."""
    events: int
    """Those that failed are not among them."""
    segs: Optional[int]
    """None where segments are not counted (``capabilities.ledger``)."""
    bytes: Optional[int]
    """Payload of the buffers sent; None where this way of attaching does not tell."""


class Count(NamedTuple):
    """One row."""

    key: Tuple[Any, ...]
    """What Counts.columns says; None in it: not known."""
    events: int
    """Those that failed are not among them."""
    segs: Optional[int]
    """Segments in them, as RetransSegs counts; None where segments are not counted."""
    bytes: Optional[int]
    """Payload of the buffers sent; None where this way of attaching does not tell."""


class Counts(NamedTuple):
    """All rows, those with the most segments first, all network namespaces together."""

    by: str
    """One of COUNT_BY."""
    columns: Tuple[str, ...]
    """Names of what is in each row's key."""
    rows: Tuple[Count, ...]
    """Those that the kernel keeps apart: at most ``count_rows`` of the Tracer."""
    beyond: Sum
    """What has no row of its own, since as many as are kept apart were there already."""

    @property
    def total(self) -> Sum:
        """All rows and what is beyond them."""
        return _sum([*self.rows, self.beyond], len(self.rows))

    def top(self, most: int) -> Tuple[Tuple[Count, ...], Sum]:
        """The first rows, at most so many, and what the others come to, ``beyond`` left out."""
        shown, others = self.rows[:most], self.rows[most:]
        return shown, _sum(others, len(others), self.total)


def _sum(parts: Iterable[Any], rows: int, like: Optional[Sum] = None) -> Sum:
    """``like`` tells what is known, where there may be no parts."""
    listed = list(parts)
    known = [like] if like else listed

    def of(name: str) -> Optional[int]:
        if any(getattr(part, name) is None for part in known):
            return None
        total: int = sum(getattr(part, name) for part in listed)
        return total
    return Sum(rows, sum(part.events for part in listed), of("segs"), of("bytes"))


def _address(family: int, packed: Packed) -> str:
    return inet_ntop(AF_INET, packed[:4]) if family == 4 else inet_ntop(AF_INET6, packed)


def _flow(row: NativeRow) -> Tuple[Any, ...]:
    return (endpoint(_address(row.family, row.saddr), row.sport),
            endpoint(_address(row.family, row.daddr), row.dport))


def _remote(row: NativeRow) -> Tuple[Any, ...]:
    return (_address(row.family, row.daddr),)


def _number(row: NativeRow) -> Tuple[Any, ...]:
    return (row.number,)


def _number_or_none(row: NativeRow) -> Tuple[Any, ...]:
    return (row.number or None,)


def _reason(row: NativeRow) -> Tuple[Any, ...]:
    return (REASONS[row.number],)


class _Kind(NamedTuple):
    columns: Tuple[str, ...]
    key: Callable[[NativeRow], Tuple[Any, ...]]


_KINDS: Dict[str, _Kind] = {
    "flow": _Kind(("local", "remote"), _flow),
    "remote": _Kind(("remote",), _remote),
    "lport": _Kind(("lport",), _number),
    "rport": _Kind(("rport",), _number),
    "pid": _Kind(("pid",), _number_or_none),
    "cgroup": _Kind(("cgroup_id",), _number_or_none),
    "reason": _Kind(("reason",), _reason),
}


def _prefix_kind(bits: Dict[int, int]) -> _Kind:
    return _Kind(("prefix",), lambda row: (
        "%s/%d" % (_address(row.family, row.daddr), bits[row.family]),))


def counts(
    by: str, rows: Iterable[NativeRow], beyond: NativeRow, prefix4: int = PREFIX4, prefix6: int = PREFIX6,
    segs: bool = True, bytes_known: bool = True,
) -> Counts:
    """From the library's rows. ``segs``, ``bytes_known``: whether these mean something here."""
    kind = _prefix_kind({4: prefix4, 6: prefix6}) if by == "prefix" else _KINDS[by]
    made = [Count(kind.key(row), row.events, row.segs if segs else None,
                  row.bytes if bytes_known else None) for row in rows]
    made.sort(key=lambda row: (-(row.segs or 0), -row.events, str(row.key)))
    return Counts(by, kind.columns, tuple(made), Sum(
        0, beyond.events, beyond.segs if segs else None, beyond.bytes if bytes_known else None))
