"""The tables of a recording, and the lines of one that is NDJSON.

What is here is what docs/recording.md documents. A change that a reader of this version would trip
over takes a new VERSION.
"""

import struct
from typing import List, NamedTuple, Tuple

from ..event import Event
from ..workload import Workload

APPLICATION_ID = 0x72747273
"""``PRAGMA application_id``: tells a recording from other databases."""

VERSION = 1
"""``PRAGMA user_version``."""

EVENT_SIZE = Event.LAYOUT.size
"""Bytes of ``event.packed``."""

MAGIC = b"SQLite format 3\0"
"""What every SQLite database begins with."""

HEADER_SIZE = 100
_HEADER = struct.Struct(">16xH10xI28xI4xI28x")

SESSION_LINE = "session"
"""``type`` of the NDJSON line that begins a session: Session's fields by name, ``number``, ``stats`` and
``ledger`` aside, and ``ended_ns`` null."""

END_LINE = "end"
"""``type`` of the NDJSON line that ends its events: ``ended_ns`` and ``stats``. The ledger's line follows."""


LEDGER_LINE = "ledger"
"""``type`` of the NDJSON line that has the ledger, as ``trace --json`` ends with it."""


class Header(NamedTuple):
    """What matters of a database's first 100 bytes (https://www.sqlite.org/fileformat.html)."""

    page_size: int
    pages: int
    version: int
    """PRAGMA user_version."""
    application: int
    """PRAGMA application_id."""


def header(begin: bytes) -> Header:
    """Of a file that begins with MAGIC; all zero where it ends within its header."""
    if len(begin) < HEADER_SIZE:
        return Header(0, 0, 0, 0)
    page_size, pages, version, application = _HEADER.unpack(begin[:HEADER_SIZE])
    return Header(65536 if page_size == 1 else page_size, pages, version, application)


class Column(NamedTuple):
    """One row of the documentation, too."""

    name: str
    type: str
    doc: str


class Table(NamedTuple):
    name: str
    columns: Tuple[Column, ...]

    @property
    def names(self) -> List[str]:
        return [column.name for column in self.columns]

    def create(self) -> str:
        """The statement that makes it."""
        columns = ",\n  ".join("%s %s" % (column.name, column.type) for column in self.columns)
        return "CREATE TABLE %s (\n  %s\n)" % (self.name, columns)

    def insert(self) -> str:
        """The statement that adds a row, its values in the order of the columns."""
        return "INSERT INTO %s (%s) VALUES (%s)" % (
            self.name, ", ".join(self.names), ", ".join("?" * len(self.columns)))


_KEY = "INTEGER PRIMARY KEY"

SESSION = Table("session", (
    Column("id", _KEY, "From 1 on, one for each run of `record`"),
    Column("host", "TEXT", "Name of the host"),
    Column("kernel", "TEXT", "Its release and machine, such as `6.1.0-50-cloud-amd64 x86_64`"),
    Column("boot_id", "TEXT", "/proc/sys/kernel/random/boot_id: tells a boot of the host from another"),
    Column("version", "TEXT", "Of retrans_ctypes"),
    Column("attach", "TEXT", "Way of attaching: docs/attaching.md"),
    Column("buffer", "TEXT", "`ring` or `perf`"),
    Column("missing", "TEXT", "JSON list: fields of the event that are never known with it"),
    Column("filter", "TEXT", "Options that chose events, as they were typed; NULL: all events"),
    Column("started_ns", "INTEGER", "Since the epoch"),
    Column("ended_ns", "INTEGER", "NULL: it still records, or was killed"),
    Column("stats", "TEXT", "JSON object: what the kernel side counted, losses too; about a second old"
                            " while it records"),
    Column("ledger", "TEXT", "JSON object: the ledger as `--json` has it; while it records about a minute"
                             " old, older in a storm; NULL before"),
))

NAMES = Table("names", (Column("id", _KEY, "What `event.names` refers to"),) + tuple(
    Column(field.name, "INTEGER" if field.json_type == "integer" else "TEXT", field.doc)
    for field in Workload.FIELDS))

EVENT = Table("event", (
    Column("id", _KEY, "In the order in which they came from the kernel"),
    Column("session", "INTEGER NOT NULL REFERENCES session", "`session.id`"),
    Column("time_ns", "INTEGER NOT NULL", "When, since the epoch, in UTC; indexed"),
    Column("names", "INTEGER REFERENCES names", "`names.id`; NULL: no name is known"),
    Column("kind", "TEXT", "This and the following are the event's fields: docs/fields.md"),
    Column("family", "INTEGER", ""),
    Column("saddr", "TEXT", ""),
    Column("sport", "INTEGER", ""),
    Column("daddr", "TEXT", ""),
    Column("dport", "INTEGER", ""),
    Column("state", "TEXT", ""),
    Column("reason", "TEXT", ""),
    Column("segs", "INTEGER", ""),
    Column("stall_us", "INTEGER", ""),
    Column("err", "INTEGER", ""),
    Column("netns", "INTEGER", ""),
    Column("owner_pid", "INTEGER", ""),
    Column("owner_comm", "TEXT", ""),
    Column("packed", "BLOB NOT NULL", "All fields: %d bytes, little-endian, native/tcpretrans_event.h"
           % EVENT_SIZE),
))

TABLES = (SESSION, NAMES, EVENT)
INDEXES = ("CREATE INDEX event_time ON event (time_ns)",)


def statements() -> List[str]:
    """What makes an empty database a recording; in one transaction."""
    return [table.create() for table in TABLES] + list(INDEXES) + [
        "PRAGMA application_id = %d" % APPLICATION_ID, "PRAGMA user_version = %d" % VERSION]


def markdown(table: Table) -> str:
    """The documentation's table of ``table``."""
    lines = ["| column | type | meaning |", "| --- | --- | --- |"]
    lines += ["| `%s` | %s | %s |" % (column.name, column.type.split()[0], column.doc)
              for column in table.columns]
    return "\n".join(lines) + "\n"
