"""The table of groups: its columns, and which of them there is room for."""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..clock import WallClock
from ..sinks.columns import COLUMNS
from .flows import SHOWN
from .frame import BAD, PLAIN, STRONG, Fitted, Line, Look, Table, bar, cells, shorten, shown
from .tally import SEGS, reasons
from .view import Row, View

_BAD_RATIO = 0.05
_BAD_STALL_US = 1000000

# The narrowest that a name may become, below and from 60 columns on; how wide it is where there is room.
_NARROW, _MIDDLE = 22, 30
_USUAL = {"flow": 43, "remote": 26, "prefix": 26, "lport": 12, "rport": 12, "pid": 24, "container": 40, "unit": 30}
_BAR_MOST = 20
_EXTRA, _LAST = 5, 7  # from these ranks on, a column is there only if the usual, or the longest, name has room

TITLES = {"flow": "FLOW", "remote": "REMOTE", "prefix": "PREFIX", "lport": "LOCAL PORT", "rport": "REMOTE PORT",
          "pid": "PROCESS", "container": "CONTAINER", "unit": "UNIT"}


class Column(NamedTuple):
    """A column beside the name: the lower its ``rank``, the sooner there is room for it."""

    title: str
    width: int
    rank: int
    cell: Callable[[Row, int, Look], Line]
    doc: str
    right: bool = True
    sort: str = ""
    by: Sequence[str] = SHOWN
    """The groupings that have it."""


def amount(number: float) -> str:
    """In up to 7 letters."""
    if number < 10 and number != int(number):
        return "%.1f" % number
    if number < 99999.5:
        return "{:,.0f}".format(number)
    for unit in "kMGT":
        number /= 1000
        if number < 999.5:
            break
    return "%.*f%s" % (0 if number >= 100 else 1, number, unit)


def share(value: Optional[float]) -> str:
    return "-" if value is None else "%.*f%%" % (0 if value >= 0.995 else 1, value * 100)


def waiting(micros: Optional[float]) -> str:
    """In up to 6 letters."""
    if micros is None:
        return "-"
    if micros < 999500:
        return "%.*fms" % (0 if micros >= 99950 else 1, micros / 1000)
    return "%.*fs" % (0 if micros >= 99950000 else 1, micros / 1000000)


def words(counted: Dict[str, int]) -> str:
    """Reasons with their shares, the largest first."""
    total = sum(counted.values())
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return " ".join("%s %.0f%%" % (name, 100 * count / total) for name, count in ranked)


def _reasons(row: Row) -> Dict[str, int]:
    """Those of the window; where nothing is in it, of all."""
    return reasons(row.group.recent if row.group.recent[SEGS] else row.group.total)


def _text(text: Callable[[Row], str]) -> Callable[[Row, int, Look], Line]:
    return lambda row, width, look: [(shorten(shown(text(row), look), width, look), PLAIN)]


def _waiting(value: Callable[[Row], Optional[float]]) -> Callable[[Row, int, Look], Line]:
    def cell(row: Row, width: int, look: Look) -> Line:
        micros = value(row)
        return [(waiting(micros), BAD if micros is not None and micros >= _BAD_STALL_US else PLAIN)]
    return cell


def _ratio(row: Row, width: int, look: Look) -> Line:
    value = row.ratio
    return [(share(value), BAD if value is not None and value >= _BAD_RATIO else PLAIN)]


def _workload(row: Row) -> str:
    flow = row.group.flow
    return COLUMNS["workload"].text(flow.record, WallClock()) if flow else "-"


_FLOW = re.compile(r"^.*(:[0-9]+) -> ")
"""What of a flow's name is left out where there is little room: the local address."""

_OTHER = tuple(name for name in SHOWN if name != "flow")

COLUMNS_BESIDE = (
    Column("OWNER", 20, 6, _text(lambda row: row.owner), "process that uses the flow's socket, and its pid",
           right=False, by=("flow",)),
    Column("FLOWS", 7, 6, lambda row, width, look: [(amount(row.group.flows), PLAIN)],
           "flows of the group", by=_OTHER),
    Column("SEG/S", 7, 0, lambda row, width, look: [(amount(row.rate), STRONG)],
           "segments sent again a second, over the last seconds", sort="rate"),
    Column("TOTAL", 7, 3, lambda row, width, look: [(amount(row.total), PLAIN)],
           "segments sent again since the start or 'r'", sort="total"),
    Column("RATIO", 6, 1, _ratio, "bytes sent again, of all bytes that these sockets sent", sort="ratio"),
    Column("STALL", 6, 4, _waiting(lambda row: row.stall), "how long data waited to be sent again: mean",
           sort="stall"),
    Column("WORST", 6, 5, _waiting(lambda row: row.worst), "and the longest, over the last seconds", sort="worst"),
    Column("WHY", 6, 2, lambda row, width, look: bar(_reasons(row), width), "reasons, by their share",
           right=False),
    Column("REASONS", 28, 8, _text(lambda row: words(_reasons(row))), "the same in words", right=False),
    Column("WORKLOAD", 26, 7, _text(_workload), "pod, else container, else unit, else cgroup", right=False,
           by=("flow",)),
)


def table(view: View, rows: Sequence[Row], look: Look, chosen: Optional[int] = None) -> Table:
    """``rows`` are the ones to show; ``chosen`` is the place of the one that stands out."""
    names = [shown(row.label, look) for row in rows]
    name_width, columns = _fitting(view, max(map(cells, names), default=0), look.width)
    if view.by == "flow" and name_width < _MIDDLE:
        names = [_FLOW.sub(r"\1>", name) for name in names]
    fitted = [Fitted(_title(TITLES[view.by], "name", view), name_width)]
    fitted += [Fitted(_title(column.title, column.sort, view), width, column.right) for column, width in columns]
    lines: List[List[Line]] = []
    for row, name in zip(rows, names):
        line = [[(shorten(name, name_width, look), PLAIN)]]
        lines.append(line + [column.cell(row, width, look) for column, width in columns])
    return Table(fitted, lines, chosen)


def _title(title: str, sort: str, view: View) -> str:
    return title + "*" if sort and sort == view.sort else title


def _fitting(view: View, longest: int, width: int) -> Tuple[int, List[Tuple[Column, int]]]:
    """How wide the name is, and the columns beside it with their widths."""
    least = min(_NARROW if width < 60 else _MIDDLE, _USUAL[view.by])
    usual = max(_USUAL[view.by], least)
    longest = min(max(longest, usual), max(usual, width // 2))
    left = width - 1 - least  # the mark of the chosen row
    taken: List[Column] = []
    for column in sorted(COLUMNS_BESIDE, key=lambda column: column.rank):
        if view.by not in column.by:
            continue
        wished = least if column.rank < _EXTRA else usual if column.rank < _LAST else longest
        if column.width + 1 > left - (wished - least):
            break
        taken.append(column)
        left -= column.width + 1
    more = min(left, longest - least)
    bars = min(left - more, _BAR_MOST - 6)
    return least + more, [
        (column, column.width + (bars if column.title == "WHY" else 0))
        for column in COLUMNS_BESIDE if column in taken]
