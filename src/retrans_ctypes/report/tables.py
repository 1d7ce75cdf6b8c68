"""The tables of a report: what they hold, not how they look."""

from typing import Any, Dict, List, NamedTuple, Tuple

from .facts import Facts
from .story import REASON_WORDS, ledger_rows
from .words import UNKNOWN, amount, number, percent, share, shown, span


class Column(NamedTuple):
    title: str
    numeric: bool = False


class Row(NamedTuple):
    cells: Tuple[str, ...]
    """The first one is a name, which may hold anything."""
    reasons: Dict[str, int] = {}
    rest: bool = False
    """What is not in the rows above, together."""


class Table(NamedTuple):
    title: str
    columns: Tuple[Column, ...]
    rows: List[Row]
    bars: bool = False
    """Each row has reasons."""
    note: str = ""


_TITLES = {
    "flow": ("Connections", "Connection"),
    "remote": ("Remote addresses", "Remote"),
    "pid": ("Processes", "Process (the socket's owner)"),
    "container": ("Containers", "Pod or container"),
    "unit": ("Units", "systemd unit"),
}
_ASKED = {"container": "No container is known in this recording.",
          "unit": "No systemd unit is known in this recording.",
          "pid": "No owner is known in this recording."}


def counted_title(facts: Facts) -> str:
    return "Events" if facts["counted"] == "events" else "Segments"


def tiles(facts: Facts) -> List[Tuple[str, str]]:
    """The few numbers that tell most."""
    total = facts["total"]
    found = [(counted_title(facts).lower() + " sent again", number(total["segments"]))]
    if total["events"]:
        found += [("connections", _groups(facts, "flow")), ("remote addresses", _groups(facts, "remote"))]
        found += [("of their bytes sent again", percent(total["ratio"])), ("mean wait", span(total["mean_stall_us"])),
                  ("worst wait", span(total["worst_stall_us"]))]
    return found + [_unexplained(facts)]


def _unexplained(facts: Facts) -> Tuple[str, str]:
    ledgers = [session["ledger"] for session in facts["sessions"]]
    if not ledgers or not all(ledger and ledger["total"] for ledger in ledgers):
        return "unexplained in the ledger", "unknown"
    totals = [ledger["total"] for ledger in ledgers]
    unreadable = sum(total.get("unreadable") or 0 for total in totals)
    return ("unexplained in the ledger" + (
        ", %s unreadable" % amount(unreadable, "counter") if unreadable else ""),
        number(sum(abs(total["unexplained"]) for total in totals)))


def _groups(facts: Facts, name: str) -> str:
    table = facts["worst"][name]
    return ("" if table["exact"] else "> ") + number(table["groups"])


def reasons_table(facts: Facts) -> Table:
    total = facts["total"]
    return Table("Reasons", (
        Column("Reason"), Column(counted_title(facts), True), Column("Share", True), Column("Events", True),
        Column("What it means")), [
            Row((reason, number(segments), percent(share(segments, total["segments"])),
                 number(total["reason_events"].get(reason, 0)), REASON_WORDS.get(reason, UNKNOWN)))
            for reason, segments in total["reasons"].items()])


def worst_tables(facts: Facts) -> List[Table]:
    """One for each way of grouping; where nothing is known by it, its rows are empty and its note says so."""
    if not facts["total"]["events"]:
        return []
    return [_worst(facts, name, *_TITLES[name]) for name in facts["worst"]]


def _worst(facts: Facts, name: str, title: str, one: str) -> Table:
    table = facts["worst"][name]
    columns = (Column(one), Column(counted_title(facts), True), Column("Share", True), Column("Bytes again", True),
               Column("Mean wait", True), Column("Worst wait", True))
    rows = [_cells(shown(row["name"]), row) for row in table["rows"]]
    if not rows:
        return Table(title, (), [], note=_ASKED.get(name, ""))
    if table["others"]:
        more = table["groups"] - len(table["rows"])
        name = "all others" if not table["exact"] else "%s others" % number(more) if more > 1 else "one other"
        rows.append(_cells(name, table["others"], rest=True))
    if table["unknown"]:
        rows.append(_cells("not known", table["unknown"], rest=True))
    return Table(title, columns, rows, bars=True)


def _cells(name: str, row: Dict[str, Any], rest: bool = False) -> Row:
    return Row((name, number(row["segments"]), percent(row["share"]), percent(row["ratio"]),
                span(row["mean_stall_us"]), span(row["worst_stall_us"])), row["reasons"], rest)


_LEDGER = ("kernel", "delivered", "filtered", "failed", "limited", "lost", "unexplained", "uncertainty")
_NAMESPACES = 30  # that the ledger's table has


def ledger_table(facts: Facts) -> Table:
    """The namespaces with the most first; of many small ones only how many there are."""
    many = len(facts["sessions"]) > 1
    found = ledger_rows(facts)
    found.sort(key=lambda item: -sum(item[1].get(name) or 0 for name in _LEDGER[1:6]))
    rows = []
    for session, row in found[:_NAMESPACES]:
        name = str(row.get("netns"))
        cells = [_count(row.get(field)) for field in _LEDGER]
        if row.get("kernel") is None:
            cells[0] = "unreadable"
        rows.append(Row((("session %d: " % session["number"] if many else "") + name, *cells)))
    rest = [row for _, row in found[_NAMESPACES:]]
    if rest:
        sums = [number(sum(row.get(field) or 0 for row in rest)) for field in _LEDGER]
        rows.append(Row(("%s others" % number(len(rest)), *sums), rest=True))
    return Table("Ledger", (Column("Namespace (inode)"),) + tuple(
        Column("rate-limited" if field == "limited" else field, True) for field in _LEDGER), rows)


def _count(value: Any) -> str:
    return number(value) if isinstance(value, int) else UNKNOWN
