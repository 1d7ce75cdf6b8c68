"""What the kernel counted, as a table or as JSON."""

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..clock import WallClock, host_monotonic_ns
from ..counts import Count, Counts, Sum
from ..ndjson import encode
from .colours import HEADING, NONE, PLAIN, Colours, style_of_reason
from .output import Output
from .printable import printable

UNKNOWN = "unknown"

# What is counted by -> what several of it are called.
_MANY = {
    "flow": "flows", "remote": "remotes", "prefix": "prefixes", "lport": "ports", "rport": "ports",
    "pid": "processes", "cgroup": "cgroups", "reason": "reasons"}
_ONE = dict(_MANY, flow="flow", remote="remote", prefix="prefix", lport="port", rport="port",
            pid="process", cgroup="cgroup", reason="reason")

Find = Callable[[Iterable[int]], Dict[int, str]]


class Naming(NamedTuple):
    """How the numbers of a column are looked up: the name's own column, and who finds it."""

    column: str
    find: Find


Namings = Dict[str, Naming]
"""By what is counted."""


def amount(events: int, segs: Optional[int]) -> str:
    """In words: segments, or events where segments are not counted."""
    number, what = (events, "event") if segs is None else (segs, "segment")
    return "{:,} {}{}".format(number, what, "" if number == 1 else "s")


def remainder(by: str, others: Sum, beyond: Sum, kept: int) -> str:
    """The line below the rows shown: what all the others come to, empty where there are none."""
    parts = []
    if others.rows:
        many = (_ONE if others.rows == 1 else _MANY)[by]
        parts.append("{} in {:,} {}".format(amount(others.events, others.segs), others.rows, many))
    if beyond.events:
        parts.append("{} in {} beyond the {:,} that are kept apart".format(
            amount(beyond.events, beyond.segs), _MANY[by], kept))
    return "others: " + ", and ".join(parts) if parts else ""


class CountSink:
    """Base of the two below: they show counts whenever they are told to."""

    def __init__(self, output: Output, clock: WallClock, namings: Namings) -> None:
        self._output = output
        self._clock = clock
        self._namings = namings

    def show(self, counts: Counts) -> None:
        """As they are now."""
        raise NotImplementedError

    def _now_ns(self) -> int:
        self._clock.sample()
        return host_monotonic_ns()

    def _named(self, counts: Counts, rows: Iterable[Count]) -> Tuple[Tuple[str, ...], List[Tuple[Any, ...]]]:
        """Columns and keys, with the names of their numbers behind them."""
        keys = [row.key for row in rows]
        naming = self._namings.get(counts.by)
        if naming is None:
            return counts.columns, keys
        names = naming.find([key[0] for key in keys if key[0] is not None])
        return counts.columns + (naming.column,), [key + (names.get(key[0]),) for key in keys]


class TextCounts(CountSink):
    """A table of the largest; numbers come first, since what they are about may be long."""

    def __init__(
        self, output: Output, clock: WallClock, namings: Namings, top: int, timed: bool,
        colours: Colours = NONE,
    ) -> None:
        """``timed``: there will be several tables, each below its time."""
        super().__init__(output, clock, namings)
        self._top = top
        self._timed = timed
        self._colours = colours

    def show(self, counts: Counts) -> None:
        shown, others = counts.top(self._top)
        columns, keys = self._named(counts, shown)
        cells = [tuple(name.upper() for name in columns)]
        cells += [tuple(UNKNOWN if value is None else printable(str(value)) for value in key)
                  for key in keys]
        widths = [max(map(len, column)) for column in zip(*cells)]
        numbers = [("SEGMENTS", "EVENTS", "BYTES")]
        numbers += [(_number(row.segs), _number(row.events), _number(row.bytes)) for row in shown]
        self._output.line("")
        if self._timed:
            self._output.line(self._clock.text(self._now_ns()))
        styles = [HEADING]
        styles += [style_of_reason(row.key[0]) if counts.by == "reason" else PLAIN for row in shown]
        for number, cell, style in zip(numbers, cells, styles):
            texts = ["%*s" % (width, text) for width, text in zip((11, 11, 15), number)]
            texts += ["%-*s" % (width, text) for width, text in zip(widths, cell)]
            self._output.line(self._colours.paint("  ".join(texts).rstrip(), style))
        rest = remainder(counts.by, others, counts.beyond, len(counts.rows))
        if rest:
            self._output.line(rest)
        self._output.flush()


class NdjsonCounts(CountSink):
    """All rows, one object each, ``type`` is ``"count"``; then what they come to: ``"counts"``."""

    def show(self, counts: Counts) -> None:
        now = self._clock.iso(self._now_ns())
        columns, keys = self._named(counts, counts.rows)
        for row, key in zip(counts.rows, keys):
            record = {"type": "count", "time": now, "by": counts.by}  # type: Dict[str, Any]
            record.update(zip(columns, key))
            record.update(events=row.events, segs=row.segs, bytes=row.bytes)
            self._output.line(encode(record))
        beyond = counts.beyond._asdict()
        del beyond["rows"]
        self._output.line(encode(dict(
            counts.total._asdict(), type="counts", time=now, by=counts.by, beyond=beyond)))
        self._output.flush()


def _number(value: Optional[int]) -> str:
    return "-" if value is None else "{:,}".format(value)
