"""Recordings in order, whose tables and lines hold values that nobody recorded."""
import copy
import json
import os
import sqlite3
import zlib
from typing import Any, Callable, Dict, Iterator, List

from choices import Choices, storable
from fake_library import packed
from made_up_recording import OFFSET, Recorded, column_values, event_line, names, session
from recordings import Reading
from retrans_ctypes.event import Event
from retrans_ctypes.recording.schema import EVENT, NAMES, SESSION, statements
from retrans_ctypes.workload import Workload

MOST = 2048
WORDS = (b"\x04\x10",)  # an odd text

_reading = Reading()
_CONSTRUCTS = (
    "CREATE VIEW more AS SELECT * FROM event", "ALTER TABLE event ADD COLUMN later TEXT",
    "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM event; END",
    "ALTER TABLE event RENAME TO e; CREATE VIEW event AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    " SELECT x AS id, 1 AS session, x AS time_ns, NULL AS names, zeroblob(256) AS packed FROM c",
    "ALTER TABLE names RENAME TO n; CREATE VIEW names AS SELECT * FROM names", "DROP TABLE names", "DROP TABLE session",
    "DROP INDEX event_time", "PRAGMA user_version = 0", "PRAGMA user_version = 2", "PRAGMA application_id = 1",
    "DELETE FROM session", "UPDATE event SET session = 7", "UPDATE event SET names = 99", "UPDATE event SET time_ns = 1e300",
    "UPDATE event SET packed = zeroblob(255)", "UPDATE event SET packed = CAST(packed AS TEXT)",
    "UPDATE event SET id = id - 9223372036854775807", "UPDATE session SET ledger = '{\"namespaces\":[{}]}'",
    "UPDATE session SET stats = '[' || hex(zeroblob(99999)) || ']'",
    "UPDATE session SET missing = '[[[[[[[[[[[[1]]]]]]]]]]]]'", "PRAGMA encoding = 'UTF-16'",
    "CREATE TABLE copy AS SELECT * FROM event; DROP TABLE event; ALTER TABLE copy RENAME TO event")


def seeds() -> Iterator[bytes]:
    for first in range(16):
        yield bytes([first] + [number * 37 % 256 for number in range(first, first + 200)])
    for place in range(len(_CONSTRUCTS)):
        yield bytes([1, place]) + bytes(40)


def _event(choices: Choices) -> Recorded:
    if choices.now_and_then():
        made = Event(choices.raw(Event.LAYOUT.size).ljust(Event.LAYOUT.size, b"\0"))
    else:
        made = Event(packed(ts_ns=choices.number() & (1 << 64) - 1, family=choices.one_of((4, 6, 0)),
                            state=choices.byte(), reason=choices.byte() % 10, kind=choices.byte() % 3,
                            owner_comm=choices.raw(choices.byte() % 17), segs=choices.byte(),
                            stall_us=choices.number() & (1 << 64) - 1, err=choices.byte() % 5 - 2))
    found = {field.name: choices.text() for field in Workload.FIELDS if choices.now_and_then(3)}
    return Recorded(made, names(**found), choices.number() if choices.now_and_then() else OFFSET)


def _session(choices: Choices) -> Dict[str, Any]:
    row = copy.deepcopy(session())  # what it holds is everybody's
    for name in ("stats", "ledger"):
        if choices.now_and_then(3):
            row[name] = json.loads(json.dumps(row[name]))
            choices.spoil(row[name])
    rows = row["ledger"].get("namespaces") if isinstance(row["ledger"], dict) else None
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        choices.spoil(rows[0])
    choices.spoil(row)
    return row


def _database(choices: Choices) -> Callable[[str], str]:
    construct = choices.one_of(_CONSTRUCTS) if choices.now_and_then(3) else ""
    sessions, made = [_session(choices)], [_event(choices) for _ in range(choices.byte() % 5)]
    spoilt: List[Dict[str, Any]] = []
    for one in made:
        try:
            row = column_values(one)
        except (ValueError, OverflowError, OSError):
            continue  # its own values cannot be shown as columns
        row.update(id=None, names=len(spoilt) + 1)
        choices.spoil(row, ("session", "time_ns", "names", "packed", "id", "saddr"))
        spoilt.append(row)

    def make(folder: str) -> str:
        path = os.path.join(folder, "retrans.db")
        database = sqlite3.connect(path, isolation_level=None)
        for statement in statements():
            database.execute(statement)
        for row in sessions:
            _insert(database, SESSION, dict(row, id=None))
        for number, one in enumerate(made, 1):
            _insert(database, NAMES, dict(zip(NAMES.names, (number, *one.workload))))
        for row in spoilt:
            _insert(database, EVENT, row)
        try:
            database.executescript(construct)
        except sqlite3.Error:
            pass  # the values do not let it
        database.close()
        return path
    return make


def _insert(database: sqlite3.Connection, table: Any, row: Dict[str, Any]) -> None:
    try:
        database.execute(table.insert(), [storable(row.get(name)) for name in table.names])
    except sqlite3.IntegrityError:
        pass  # a key that is there already, or none


def _lines(choices: Choices) -> Callable[[str], str]:
    lines: List[Any] = []
    if not choices.now_and_then():
        lines.append(dict({"type": "session"}, **_session(choices)))
    for _ in range(choices.byte() % 5):
        try:
            line = json.loads(event_line(_event(choices)))
        except (ValueError, OverflowError, OSError):
            continue
        choices.spoil(line)
        lines.append(line)
    lines += [{"type": "end", "ended_ns": choices.value(), "stats": _session(choices).get("stats")}]
    lines += [_session(choices).get("ledger")]
    if choices.now_and_then():
        lines.append(choices.value())
    text = "".join(json.dumps(line) + "\n" for line in lines)

    def make(folder: str) -> str:
        path = os.path.join(folder, "retrans.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path
    return make


def _made(data: bytes) -> Callable[[str], str]:
    choices = Choices(data)
    return _database(choices) if choices.byte() % 2 else _lines(choices)


def one_input(data: bytes) -> None:
    _reading.look(_made(data)(_reading.folder), zlib.crc32(data))


def every_way(data: bytes) -> None:
    _reading.look_every_way(_made(data))


def done() -> None:
    _reading.close()
