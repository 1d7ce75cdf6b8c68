"""A recording as an SQLite database.

It is a WAL database while it is written, so it can be read meanwhile, and what was committed outlives
this process. At the end it becomes an ordinary one: a single file, which can be read where nothing can
be written.
"""

import errno
import json
import os
import sqlite3
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Optional

from ..errors import OutputError, RecordingError, RetransError
from ..event import Event
from ..records import Buffer
from ..workload import Workload
from . import schema
from .among_others import Placeholders, enter_wal, leave_wal, write_new
from .place import is_everybodys, open_locked, real_path, unwritable
from .rows import Lookup, Rows
from .session import Session
from .writer import Writer, now_ns

_BUSY_SECONDS = 2.0  # that somebody else may hold the database locked; the kernel's buffer fills meanwhile
_WAL_PAGES = 1000  # after which they are moved into the database
_ROW_BYTES = 400  # about; docs/recording.md

_ADD_NAMES, _ADD_SESSION = schema.NAMES.insert(), schema.SESSION.insert()
_ADD_EVENT = schema.Table("event", schema.EVENT.columns[1:]).insert()


class DatabaseWriter(Writer):
    """Appends ``session`` to the database ``path``, which is made where there is none.

    ``lookup``: names of an event; None where each write() brings them. ``most``: about the size in bytes
    that it will have at most. Raises RecordingError and OutputError, as all its methods do.
    """

    def __init__(
        self, path: str, session: Session, lookup: Optional[Lookup], most: Optional[int] = None,
    ) -> None:
        self.path = path
        self._real = real_path(path)
        self._pending = 0
        self._kept: Dict[str, Any] = {}
        self._database: Optional[sqlite3.Connection] = None
        self._placeholders: Optional[Placeholders] = None
        self._lock: Optional[int] = open_locked(self._real)
        try:
            with self._told():
                self._open(most)
                self._number = self._begin(session)
            self._rows = Rows(self._number, lookup, self._add_names)
        except BaseException:
            self.close()
            raise

    def write(self, batch: Buffer, offset_ns: int, same: Optional[Workload] = None) -> None:
        with self._told():
            database = self._writing()
            rows = self._rows.of(batch, offset_ns, same)
            database.executemany(_ADD_EVENT, rows)
        self.events += len(rows)
        self._pending += len(rows)

    def size(self) -> int:
        assert self._lock is not None
        return os.fstat(self._lock).st_size + self._wal_bytes() + self._pending * _ROW_BYTES

    def keep(self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]]) -> None:
        with self._told():
            self._keep(stats=stats, ledger=ledger)
            self._commit()

    def end(
        self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]], ended_ns: Optional[int] = None,
    ) -> None:
        with self._told():
            self._keep(ended_ns=now_ns() if ended_ns is None else ended_ns, stats=stats, ledger=ledger)
            self._commit()
        self.close()

    def close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            self._finish(database)
        placeholders, self._placeholders = self._placeholders, None
        if placeholders is not None:
            placeholders.remove(None if database is None else self._moved())
        # Only now: closing any descriptor of the file lets SQLite's own locks go.
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _finish(self, database: sqlite3.Connection) -> None:
        """Make it a single file. Not where somebody reads it now, nor without space: then SQLite leaves its
        -wal, and it stays what it is, and whole."""
        assert self._lock is not None
        try:
            if database.in_transaction:
                database.execute("COMMIT")
            database.execute("PRAGMA busy_timeout = 0")
            # On the way out of WAL mode SQLite trusts in names, by which others may have laid something.
            last = "wal_checkpoint(TRUNCATE)" if self._placeholders else "journal_mode = DELETE"
            database.execute("PRAGMA " + last).fetchall()
        except sqlite3.Error:
            pass
        finally:
            database.close()
        try:
            # Where it was renamed meanwhile, too, SQLite leaves it a WAL database.
            if not self._wal_bytes():
                leave_wal(self._lock)
        except OSError:
            pass

    def _moved(self) -> bool:
        assert self._lock is not None
        try:
            return not os.path.samestat(os.lstat(self._real), os.fstat(self._lock))
        except OSError:
            return True

    def _open(self, most: Optional[int]) -> None:
        assert self._lock is not None
        new = os.fstat(self._lock).st_size == 0
        if not new:
            self._check(os.pread(self._lock, schema.HEADER_SIZE, 0))
        if is_everybodys(self._real):
            self._placeholders = Placeholders(self._real)
            try:
                if new:
                    write_new(self._lock, self._real, schema.statements())
                else:
                    enter_wal(self._lock)
            except OSError as error:
                raise unwritable(self.path, error)
            new = False
        database = self._database = sqlite3.connect(self._real, timeout=_BUSY_SECONDS, isolation_level=None)
        if new:
            # Before it is a WAL database, so that the file itself says from its first moment what it is.
            database.execute("BEGIN IMMEDIATE")
            for statement in schema.statements():
                database.execute(statement)
            database.execute("COMMIT")
        else:
            self._check_tables(database)
        pages = _WAL_PAGES if most is None else max(16, min(_WAL_PAGES, most // 8 // 4096))
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = %d" % pages):
            database.execute("PRAGMA " + pragma).fetchall()

    def _check(self, begin: bytes) -> None:
        """Raise RecordingError unless the database is a recording that can be appended to."""
        if not begin.startswith(schema.MAGIC):
            raise RecordingError("%s is not a recording: name another file with -o, or remove it" % self.path)
        header = schema.header(begin)
        if header.application != schema.APPLICATION_ID:
            raise RecordingError("%s is a database, but not a recording: name another file with -o" % self.path)
        if header.version != schema.VERSION:
            raise RecordingError("%s has schema %d, and this version writes schema %d: name another file with -o" % (
                self.path, header.version, schema.VERSION))
        # With a WAL, that may have what is missing here.
        if not self._wal_bytes() and os.path.getsize(self._real) < header.pages * header.page_size:
            raise self._damaged("its end is missing")

    def _check_tables(self, database: sqlite3.Connection) -> None:
        # What a trigger does with each event may take for ever, and no signal would end it.
        if database.execute("SELECT 1 FROM sqlite_master WHERE type = 'trigger'").fetchone():
            raise self._damaged("it has triggers")
        for table in schema.TABLES:
            found = [row[1] for row in database.execute("PRAGMA table_info(%s)" % table.name)]
            real = database.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND name = ?", (table.name,))
            if found != table.names or not real.fetchone():
                raise self._damaged("its table '%s' is missing or another" % table.name)

    def _begin(self, session: Session) -> int:
        row = dict(session._asdict(), id=None, missing=json.dumps(session.missing))
        if session.started_ns is None:
            row["started_ns"] = now_ns()
        cursor = self._writing().execute(_ADD_SESSION, [row[name] for name in schema.SESSION.names])
        number = cursor.lastrowid
        assert number is not None
        self._commit()
        return number

    def _writing(self) -> sqlite3.Connection:
        database = self._database
        assert database is not None
        if not database.in_transaction:
            database.execute("BEGIN IMMEDIATE")
        return database

    def _add_names(self, workload: Workload) -> int:
        number = self._writing().execute(_ADD_NAMES, (None,) + workload).lastrowid
        assert number is not None
        return number

    def _keep(self, **values: Any) -> None:
        """Put those that are new into the session's row."""
        for name, value in values.items():
            if value is None or value == {} or self._kept.get(name) == value:
                continue
            self._kept[name] = value
            text = json.dumps(value) if isinstance(value, dict) else value
            self._writing().execute("UPDATE session SET %s = ? WHERE id = ?" % name, (text, self._number))

    def _commit(self) -> None:
        database = self._database
        assert database is not None
        if database.in_transaction:
            database.execute("COMMIT")
            self.kept = self.events  # not where SQLite itself took everything back
        self._pending = 0

    def _wal_bytes(self) -> int:
        """0 of one that is neither ours nor the file owner's: where everybody can write, anybody may lay it
        once SQLite is done with its own."""
        assert self._lock is not None
        try:
            about = os.lstat(self._real + "-wal")
        except OSError:
            return 0
        return about.st_size if about.st_uid in (os.geteuid(), os.fstat(self._lock).st_uid) else 0

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._sentence(str(error)) from error
        except OverflowError as error:
            raise RecordingError("%s cannot hold an event of such a time, centuries away from now: take the package and"
                                 " libtcpretrans.so from the same release" % self.path) from error

    def _sentence(self, said: str) -> RetransError:
        if "full" in said:
            return OutputError("%s could not be written (No space left on device): free some space and start"
                               " again" % self.path, errno.ENOSPC)
        if "locked" in said:
            return RecordingError("another process holds %s locked: end it, or name another file with -o" % self.path)
        if "malformed" in said or "not a database" in said:
            return self._damaged(said)
        return OutputError("%s could not be written (%s): check where it is" % (self.path, said))

    def _damaged(self, why: str) -> RecordingError:
        return RecordingError("%s is damaged (%s), so nothing is appended to it: name another file with -o" % (
            self.path, why))
