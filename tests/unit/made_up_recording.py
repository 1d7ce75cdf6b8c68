"""Recordings with events that nobody traced."""
import json
import sqlite3
from typing import Any, Dict, Iterable, List, NamedTuple

from retrans_ctypes.clock import WallClock
from retrans_ctypes.event import Event
from retrans_ctypes.ndjson import encode
from retrans_ctypes.recording.schema import EVENT, NAMES, SESSION, statements
from retrans_ctypes.workload import UNKNOWN, Workload

OFFSET = 1700000000 * 10**9 + 123  # what the wall clock is ahead
STATS = {name: 0 for name in (
    "events", "segs", "failed", "lost", "lost_segs", "filtered", "filtered_segs", "missed", "drained",
    "failed_segs", "skipped_segs", "limited", "limited_segs")}
ROW = {"netns": None, "kernel": 7, "delivered": 7, "filtered": 0, "failed": 0, "limited": 0, "lost": 0,
       "unexplained": 0, "uncertainty": 0, "exact": True}
LEDGER = {"type": "ledger", "total": dict(ROW, unreadable=0), "namespaces": [dict(ROW, netns=4026531833)]}


class Recorded(NamedTuple):
    event: Event
    workload: Workload = UNKNOWN
    offset_ns: int = OFFSET
    session: int = 1


def names(**known: Any) -> Workload:
    return Workload(known.get(field.name) for field in Workload.FIELDS)


def session(**values: Any) -> Dict[str, Any]:
    """A row of the table, but for its id."""
    row: Dict[str, Any] = dict(
        host="web1", kernel="6.1.0 x86_64", boot_id="b", version="0.1.0", attach="tp_btf", buffer="ring",
        missing=[], filter=None, started_ns=OFFSET, ended_ns=OFFSET + 10**9, stats=dict(STATS, events=3, segs=7),
        ledger=LEDGER)
    row.update(values)
    return row


def column_values(made: Recorded) -> Dict[str, Any]:
    fields = made.event.to_dict()
    return dict({column: fields.get(column) for column in EVENT.names}, session=made.session,
                time_ns=made.event.ts_ns + made.offset_ns, packed=bytes(made.event))


class Database:
    """An SQLite recording in the making."""

    def __init__(self, path: str) -> None:
        self.path = str(path)
        self.database = sqlite3.connect(self.path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self._names: Dict[Workload, int] = {}
        for statement in statements():
            self.database.execute(statement)

    def session(self, **values: Any) -> None:
        row = session(**values)
        for name in ("missing", "stats", "ledger"):
            row[name] = None if row[name] is None else json.dumps(row[name], separators=(",", ":"))
        self.database.execute(SESSION.insert(), [None] + [row[name] for name in SESSION.names[1:]])

    def add(self, made: Iterable[Recorded]) -> None:
        self.database.execute("BEGIN")
        for one in made:
            row = column_values(one)
            row["id"] = None
            row["names"] = None if one.workload == UNKNOWN else self._number(one.workload)
            self.database.execute(EVENT.insert(), [row[name] for name in EVENT.names])
        self.database.execute("COMMIT")

    def end(self) -> None:
        self.database.execute("PRAGMA journal_mode = DELETE")
        self.database.close()

    def _number(self, workload: Workload) -> int:
        if workload not in self._names:
            number = self._names[workload] = len(self._names) + 1
            self.database.execute(NAMES.insert(), [number] + list(workload))
        return self._names[workload]


def database(path: Any, made: Iterable[Recorded], **values: Any) -> str:
    """One with a single session, ended in order."""
    writer = Database(path)
    writer.session(**values)
    writer.add(made)
    writer.end()
    return writer.path


def event_line(made: Recorded) -> str:
    fields = dict({"type": "event", "time": WallClock(offset_ns=made.offset_ns).iso(made.event.ts_ns)}, **made.event.to_dict())
    return encode(dict(fields, **made.workload.to_dict()))


def session_lines(made: Iterable[Recorded], **values: Any) -> List[str]:
    """Of a session that ended in order."""
    row = session(**values)
    start = {name: value for name, value in row.items() if name not in ("stats", "ledger")}
    return [encode(dict({"type": "session"}, **dict(start, ended_ns=None)))] + [event_line(one) for one in made] + [
        encode({"type": "end", "ended_ns": row["ended_ns"], "stats": row["stats"]}), encode(row["ledger"])]


def ndjson(path: Any, lines: Iterable[str]) -> str:
    with open(str(path), "w", encoding="ascii") as file:
        file.write("".join(line + "\n" for line in lines))
    return str(path)
