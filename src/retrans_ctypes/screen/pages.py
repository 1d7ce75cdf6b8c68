"""The pages: groups, one group's events, help."""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from ..clock import WallClock
from ..event import Event
from ..grouping import GROUPINGS
from ..ledger import Ledger
from ..sinks.columns import Column
from ..stats import Stats
from ..workload import enrich
from .flows import SHOWN
from .frame import (
    BAD, GOOD, LETTERS, PLAIN, STRONG, TITLE, Fitted, Frame, Line, Look, Table, cells, cut, fit, shorten, shown,
    width_of,
)
from .tally import EVENTS, SEGS, Tally, reasons
from .table import COLUMNS_BESIDE, amount, share, table, waiting, words
from .view import Row, View

_FLAT = 14  # terminals of fewer lines have a shorter head
_GAP = "  "

SORTED_BY = {"rate": "segments a second", "total": "segments", "ratio": "ratio", "stall": "mean stall",
             "worst": "worst stall", "name": "name"}


class Status(NamedTuple):
    """What the head tells."""

    host: str
    attach: str
    uptime: float
    """Seconds."""
    window: float
    """Seconds that ``recent`` covers."""
    recent: Tally
    total: Tally
    stats: Stats
    ledger: str
    """In a few words."""
    exact: Optional[bool]
    """Whether the ledger adds up; None: there is none, or nothing is known yet."""


def ledger_words(ledger: Ledger) -> Tuple[str, Optional[bool]]:
    """In a few words, and whether that is good, None for neither. While tracing goes on the counters are read one after
    the other, so what is no more than the uncertainty is nothing to tell."""
    total = ledger.total
    if total.uncertainty is None:
        return "ledger: doubt not bounded", None
    off = sum(max(0, abs(row.unexplained or 0) - (row.uncertainty or 0)) for row in ledger.rows)
    if off:
        return "ledger: %s unexplained" % amount(total.unexplained or off), False
    if ledger.unreadable:
        return "ledger: %d unreadable" % len(ledger.unreadable), None
    return ("ledger adds up" if total.exact else "ledger adds up within %s" % amount(total.uncertainty)), True


def groups_page(view: View, status: Status, look: Look, most: Optional[int] = None) -> Frame:
    """The page that one sees first. ``most``: rows at most."""
    head = _head(status, look) + [_about(view, look)]
    room = max(1, look.height - len(head) - 2)
    rows = view.rows if most is None else view.rows[:most]
    view.page = room
    chosen = min(view.chosen, len(rows) - 1)
    first = max(0, min(chosen - room // 2, len(rows) - room))
    made = table(view, rows[first:first + room], look, chosen - first if rows else None)
    return Frame(head, made, [_foot(view, look)])


def visible(view: View, look: Look) -> List[str]:
    """The names of the groups around the chosen one, as many as a page of this height has."""
    first = max(0, min(view.chosen - look.height // 2, len(view.rows) - look.height))
    names = [row.name for row in view.rows[first:first + look.height]]
    return names + [view.detail] if view.detail is not None and view.detail not in names else names


def detail_page(
    view: View, look: Look, events: Sequence[Event], picked: Sequence[Column], lookups: Any, clock: WallClock,
) -> Frame:
    """The events of one group, the newest at the bottom. ``lookups``: a Lookups, or its like."""
    name = shown(view.detail or "", look)
    title = view.grouping.name + " "
    head = [fit([(title, TITLE), (shorten(name, look.width - len(title), look), STRONG)], look.width)]
    row = next((row for row in view.rows if row.name == view.detail), None)
    if row is not None:
        head.append(_items(_summary(row), look))
    widths = _widths(picked, look.width)
    room = max(1, look.height - len(head) - 2)
    view.page = room
    view.back = max(0, min(view.back, len(events) - room))
    end = len(events) - view.back
    rows = [_event_cells(event, picked, widths, look, lookups, clock)
            for event in events[max(0, end - room):end]]
    fitted = [Fitted(cut(column.title, width), width) for column, width in zip(picked, widths)]
    keys = _PAUSED if view.paused else ()
    foot = _keys([("esc", "back"), ("up/down", "scroll"), ("space", "pause"), ("q", "quit")], look, keys)
    return Frame(head, Table(fitted, rows, marked=False), [foot])


def help_page(view: View, look: Look) -> Frame:
    """The keys, what the columns mean, and the letters of the reasons."""
    rows: List[List[Line]] = []
    width = max(1, look.width - 13)
    for key, text in HELP:
        rows.append([[(key, STRONG)], fit([(text, PLAIN)], width)])
    letters: Line = []
    for name, letter in LETTERS.items():
        letters += [(letter, name), (" %s " % name, PLAIN)]
    for column in COLUMNS_BESIDE:
        if column.doc and view.by in column.by:
            rows.append([[(column.title, STRONG)], fit([(column.doc, PLAIN)], width)])
    rows.append([[("reasons", STRONG)], fit(letters, width)])
    return Frame([_items([[("retrans top: keys and columns", TITLE)]], look)],
                 Table([Fitted("", 11), Fitted("", width)], rows[:look.height - 2], words=True),
                 [_keys([("any key", "back")], look)])


HELP = (
    ("q", "quit"),
    ("s < >", "sort by the next or previous column (the one with *)"),
    ("1 to %d" % len(SHOWN), "group by " + ", ".join(SHOWN)),
    ("g", "group by the next of them"),
    ("/", "show only rows with the text that is typed; Esc shows all"),
    ("space p", "pause and go on; events are counted meanwhile"),
    ("up down", "choose a row, also k j, page up, page down, home, end"),
    ("enter", "the row's last events; Esc goes back"),
    ("r", "forget all that was counted here"),
)

_PAUSED = (("PAUSED", BAD),)


def _head(status: Status, look: Look) -> List[Line]:
    recent = status.recent
    stats = status.stats
    first = _items([[("retrans top", TITLE)], [(shown(status.host, look), STRONG)],
                    [("up " + _clock(status.uptime), PLAIN)], [(status.attach, PLAIN)],
                    [("window %.0f s" % status.window, PLAIN)]], look)
    rates = _items([
        [(amount(recent[SEGS] / status.window), STRONG), (" seg/s", PLAIN)],
        [(amount(recent[EVENTS] / status.window), STRONG), (" events/s", PLAIN)],
        [(amount(status.total[SEGS]), STRONG), (" segments", PLAIN)],
        [(words(reasons(recent)), PLAIN)]], look)
    ledger = PLAIN if status.exact is None else GOOD if status.exact else BAD
    books = _items([
        [("lost %s" % amount(stats.lost), BAD if stats.lost else PLAIN)],
        [("limited %s" % amount(stats.limited), BAD if stats.limited else PLAIN)],
        [(status.ledger, ledger)],
        [("failed %s" % amount(stats.failed), PLAIN)] if stats.failed else [],
        [("filtered out %s" % amount(stats.filtered), PLAIN)] if stats.filtered else []], look)
    return [rates, books] if look.height < _FLAT else [first, rates, books]


def _about(view: View, look: Look) -> Line:
    """What the table is."""
    total = len(view.rows)
    title = "%s by %s" % (GROUPINGS[view.by].many, SORTED_BY[view.sort])
    items: List[Line] = [[(title, TITLE), (" (%s)" % amount(total), PLAIN)]]
    if view.paused:
        items.insert(0, [_PAUSED[0]])
    if view.filter or view.typing:
        items.append([("with '%s'" % shown(view.filter, look), STRONG)])
    return _items(items, look)


def _foot(view: View, look: Look) -> Line:
    if view.typing:
        return fit([("/", STRONG), (shown(view.filter, look)[-max(1, look.width - 22):], PLAIN), ("_", STRONG),
                    ("  enter keep  esc all", PLAIN)], look.width)
    return _keys(_FOOT, look)


_FOOT = (("q", "quit"), ("?", "help"), ("s", "sort"), ("g", "group"), ("/", "filter"), ("enter", "events"),
         ("space", "pause"), ("r", "reset"))


def _keys(keys: Sequence[Tuple[str, str]], look: Look, before: Sequence[Tuple[str, str]] = ()) -> Line:
    items: List[Line] = [[span] for span in before]
    return _items(items + [[(key, STRONG), (" " + text, PLAIN)] for key, text in keys], look)


def _items(items: Sequence[Line], look: Look) -> Line:
    """As many of the items as fit beside each other."""
    line: Line = []
    for item in items:
        if not item or not any(text for text, _ in item):
            continue
        with_gap = ([(_GAP, PLAIN)] if line else []) + list(item)
        if width_of(line) + width_of(with_gap) > look.width:
            if not line:
                return fit(with_gap, look.width)
            continue
        line += with_gap
    return line


def _summary(row: Row) -> List[Line]:
    return [[(amount(row.rate), STRONG), (" seg/s", PLAIN)], [(amount(row.total), STRONG), (" segments", PLAIN)],
            [("ratio " + share(row.ratio), PLAIN)],
            [("stall %s, worst %s" % (waiting(row.stall), waiting(row.worst)), PLAIN)],
            [(words(reasons(row.group.total)), PLAIN)]]


def _widths(picked: Sequence[Column], width: int) -> List[int]:
    """Those of the columns; what there is no room for is cut, and the last one takes what is left."""
    left = width
    widths = []
    for column in picked:
        widths.append(max(0, min(column.width, left)))
        left -= column.width + 1
    if left >= 0:
        widths[-1] += left + 1
    return widths


def _event_cells(
    event: Event, picked: Sequence[Column], widths: Sequence[int], look: Look, lookups: Any, clock: WallClock,
) -> List[Line]:
    record = enrich(event, lookups)
    row = []
    for column, width in zip(picked, widths):
        text = shown(column.text(record, clock), look)
        style = text if text in LETTERS and cells(text) <= width else PLAIN
        row.append([(shorten(text, width, look), style)])
    return row


def _clock(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    return "%d:%02d:%02d" % (minutes // 60, minutes % 60, left)
