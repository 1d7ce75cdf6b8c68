"""Recordings that are SQLite databases."""

import json
import os
import sqlite3
import struct
from itertools import groupby
from operator import sub
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import quote

from ..errors import RecordingError
from ..workload import UNKNOWN, Workload
from .among_others import is_wal
from .place import is_everybodys, is_ours
from .reading import Recording
from .schema import APPLICATION_ID, EVENT, EVENT_SIZE, NAMES, SESSION, TABLES, VERSION
from .session import Run, Session, holds, make_session, make_workload

PAGE = 8192  # events that are fetched at once
_PATIENCE = 5.0  # seconds that SQLite waits for another process
_MOST_NAMES = 16384  # rows of names that are remembered

_TIMES = struct.Struct("=Q%dx" % (EVENT_SIZE - 8))  # of each packed event
_ENDS = "SELECT (SELECT min(id) FROM event), (SELECT max(id) FROM event)"  # both at once would read all
# UnicodeDecodeError where the sentence quotes what is damaged, MemoryError where a damaged size is gigabytes
_FAILURES = (sqlite3.Error, UnicodeDecodeError, MemoryError)
_CANNOT_OPEN = "unable to open"
_SQLITE_MAX = (1 << 63) - 1

Row = Tuple[Any, ...]


class SqliteRecording(Recording):
    """Read in pages, each in a transaction of its own: what is slow to use them does not hold up the
    recorder that may be writing meanwhile."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        """``file``: ``path``, opened. It stays open for as long as the database, since closing it would
        take the locks of SQLite away."""
        super().__init__(path, file)
        self._real = os.path.realpath(path)  # where SQLite looks for what lies beside it
        self._first, self._last, self._reached = 1, 0, 1
        self._names: Dict[int, Workload] = {}
        self._sessions: Dict[int, Session] = {}
        self._database = self._open()
        try:
            self._check()
            self._load_sessions()
            self._go_through(*self._ask(_ENDS)[0])
        except BaseException:
            self._database.close()
            raise

    @property
    def sessions(self) -> List[Session]:
        self._load_sessions()
        return [self._sessions[number] for number in sorted(self._sessions)]

    @property
    def events(self) -> Optional[int]:
        return self._last - self._first + 1

    @property
    def done(self) -> Optional[float]:
        return (self._reached - self._first) / (self._last - self._first + 1) if self.events else 1.0

    def runs(self, since_ns: Optional[int] = None, until_ns: Optional[int] = None) -> Iterator[Run]:
        chosen, ends = "1", _ENDS
        if since_ns is not None or until_ns is not None:
            chosen = "time_ns >= %d AND time_ns < %d" % (
                _bounded(since_ns, -_SQLITE_MAX), _bounded(until_ns, _SQLITE_MAX))
            # The index tells where they lie; sorting them by id would take room for all of them.
            ends = "SELECT min(id), max(id) FROM event WHERE " + chosen
        self._go_through(*self._ask(ends)[0])
        while self._reached <= self._last:
            rows, names = self._page(chosen)
            if not rows:
                break
            yield from self._runs_of(rows, names)
        self._reached = self._last + 1

    def close(self) -> None:
        self._database.close()
        super().close()

    def _open(self) -> sqlite3.Connection:
        ways = self._ways()
        for way in ways:
            try:
                database = sqlite3.connect(
                    "file:%s?%s" % (quote(os.fsencode(self._real)), way), uri=True,
                    timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            except _FAILURES as error:
                raise self._wrong(error)
            try:
                # What could not be decoded would be an error; names may hold anything.
                database.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
                if way.endswith("unix-none"):
                    database.execute("PRAGMA locking_mode = EXCLUSIVE")  # needs no -shm file
                database.execute("PRAGMA cell_size_check = ON")
                database.execute("SELECT 1 FROM sqlite_master").fetchall()
                return database
            except _FAILURES as error:
                database.close()
                if way == ways[-1] or _CANNOT_OPEN not in str(error):
                    raise self._wrong(error)
        raise AssertionError("the last way returns or raises")

    def _go_through(self, first: Optional[int], last: Optional[int]) -> None:
        """From now on from row ``first`` to ``last``; None where there are no events."""
        if not {type(first), type(last)} <= {int, type(None)}:
            raise self._damaged("the rows of its events have no numbers")
        self._first = 1 if first is None else first
        self._last = 0 if last is None else last
        self._reached = self._first

    def _ways(self) -> List[str]:
        """A database in WAL mode wants to write beside it even to be read: only where nobody else can have
        laid what it would write into. It can be taken as it is, if no -wal file belongs to it; that
        file is read without locks else, as on a read-only disk."""
        try:
            ours = is_ours(self._real)
            alone = "mode=ro&vfs=unix-none" if self._has_wal() else "mode=ro&immutable=1"
        except OSError as error:
            raise RecordingError("%s cannot be read (%s): check where it is" % (self.path, error.strerror or error))
        return ["mode=ro", alone] if ours else [alone]

    def _has_wal(self) -> bool:
        """Raises RecordingError where it is another user's, who could have laid it."""
        if not is_wal(self._file.fileno()):
            return False
        try:
            about = os.lstat(self._real + "-wal")
        except FileNotFoundError:
            return False
        if is_everybodys(self._real) and about.st_uid not in (os.geteuid(), os.fstat(self._file.fileno()).st_uid):
            raise RecordingError("%s-wal belongs to another user than the recording, in a folder where everybody can"
                                 " write: remove it, or copy the recording elsewhere and read it there" % self.path)
        return about.st_size > 0

    def _check(self) -> None:
        """Whether it is a recording that this version can read."""
        if self._ask("PRAGMA application_id")[0][0] != APPLICATION_ID:
            raise RecordingError("%s is an SQLite database, but no recording: name one that 'record' made"
                                 % self.path)
        version = self._ask("PRAGMA user_version")[0][0]
        if version < 1:
            raise self._damaged("it has no version of its schema")
        if version > VERSION:
            raise RecordingError(
                "%s was recorded by a newer release (schema %d, and this one reads up to %d): read it with"
                " that release" % (self.path, version, VERSION))
        # Views, virtual tables, which have no root page either, and columns that are computed could take for ever.
        there = {name for name, in self._ask("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0")}
        for table in TABLES:
            columns = {row[1] for row in self._ask("PRAGMA table_info(%s)" % table.name)}
            if table.name not in there or not set(table.names) <= columns:
                raise self._damaged("its table '%s' is not that of a recording" % table.name)

    def _page(self, chosen: str) -> Tuple[List[Row], Dict[Optional[int], Workload]]:
        """The next events, and the names that they refer to, as both were at one moment."""
        self._ask("BEGIN")
        try:
            rows = self._ask(
                "SELECT id, session, time_ns, names, packed FROM event WHERE id BETWEEN ? AND ? AND %s"
                " ORDER BY id LIMIT ?" % chosen, self._reached, self._last, PAGE)
            self._check_rows(rows)
            names: Dict[Optional[int], Workload] = {None: UNKNOWN}
            for number in {row[3] for row in rows} - {None}:
                names[number] = self._workload(number)
            if not {row[1] for row in rows} <= set(self._sessions):
                self._load_sessions()
            return rows, names
        finally:
            self._ask("COMMIT")

    def _check_rows(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        ids, sessions, times, names, packed = zip(*rows)
        kinds = set(map(type, ids + sessions + times)) | set(map(type, names)) - {type(None)}
        if kinds != {int} or set(map(type, packed)) != {bytes} or set(map(len, packed)) != {EVENT_SIZE}:
            wrong = next(row for row in rows if not _is_event(row))
            raise self._damaged("row %.60r of its events is none" % (wrong[0],))
        # Else the next page would begin where this one did, again and again.
        if ids[0] < self._reached or list(ids) != sorted(set(ids)):
            raise self._damaged("the rows of its events are not in order")

    def _runs_of(self, rows: Sequence[Row], names: Dict[Optional[int], Workload]) -> Iterator[Run]:
        _, sessions, times, numbers, events = zip(*rows)
        joined = b"".join(events)
        offsets = map(sub, times, (ts_ns for ts_ns, in _TIMES.iter_unpack(joined)))
        begin = 0
        for (session, number, offset_ns), alike in groupby(zip(sessions, numbers, offsets)):
            end = begin + sum(1 for _ in alike)
            if session not in self._sessions:
                raise self._damaged("row %d of its events is of session %d, which is not there" % (
                    rows[begin][0], session))
            if not holds(offset_ns):
                raise self._damaged("row %d of its events is of a time that cannot be" % rows[begin][0])
            self._reached = rows[end - 1][0] + 1
            yield Run(self._sessions[session], joined[begin * EVENT_SIZE:end * EVENT_SIZE], offset_ns,
                      names[number])
            begin = end

    def _workload(self, number: int) -> Workload:
        known = self._names.get(number)
        if known is None:
            rows = self._ask("SELECT %s FROM names WHERE id = ?" % ", ".join(NAMES.names[1:]), number)
            if not rows:
                raise self._damaged("row %d of its names is not there, and events refer to it" % number)
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            known = self._names[number] = self._names_of(number, rows[0])
        return known

    def _names_of(self, number: int, row: Row) -> Workload:
        try:
            return make_workload(row)
        except ValueError as error:
            raise self._damaged("row %d of its names: %s" % (number, error))

    def _load_sessions(self) -> None:
        for row in self._ask("SELECT %s FROM session" % ", ".join(SESSION.names)):
            values = dict(zip(SESSION.names, row))
            number = values.pop("id")
            if type(number) is not int:
                raise self._damaged("a session of it has no number")
            try:
                for name in ("missing", "stats", "ledger"):
                    values[name] = None if values[name] is None else json.loads(values[name])
                self._sessions[number] = make_session(number, values)
            except (ValueError, TypeError, RecursionError) as error:
                raise self._damaged("its session %d: %s" % (number, error))

    def _ask(self, query: str, *values: Any) -> List[Row]:
        try:
            return self._database.execute(query, values).fetchall()
        except _FAILURES as error:
            raise self._wrong(error)

    def _wrong(self, error: Exception) -> RecordingError:
        text = str(error).split("\n")[0][:100] or "a value of it is too large"  # it may quote the file
        if "locked" in text or "busy" in text:
            return RecordingError("%s is held by another process (%s): try again" % (self.path, text))
        if _CANNOT_OPEN in text:
            return RecordingError("%s cannot be opened (%s): it and the -wal and -shm files beside it must be"
                                  " readable" % (self.path, text))
        return self._damaged(text)

    def _damaged(self, what: str) -> RecordingError:
        return RecordingError("%s is damaged or cut short (%s): copy it anew from where it was recorded, its -wal"
                              " file too if there is one" % (self.path, what))


def _is_event(row: Row) -> bool:
    number, session, time_ns, names, packed = row
    return (type(number) is type(session) is type(time_ns) is int and type(names) in (int, type(None))
            and type(packed) is bytes and len(packed) == EVENT_SIZE)


def _bounded(number: Optional[int], default: int) -> int:
    return default if number is None else max(-_SQLITE_MAX, min(number, _SQLITE_MAX))
