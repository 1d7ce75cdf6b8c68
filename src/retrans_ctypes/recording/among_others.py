"""SQLite databases in a folder where everybody can write, as /tmp is.

SQLite finds what belongs to a database by its name. A -journal is rolled back, and the file that it names is
removed; from a -wal pages are read; a -shm is written. It looks for a -journal whenever it opens a database
that it does not know yet for one in WAL mode, and on the way into and out of that mode it removes these files
or lays them anew: moments in which anybody could lay his own. So ours lie there before SQLite comes, where
nobody else can take them away (sticky bit), and what is written here is in WAL mode from before it is opened
until it is closed. https://www.sqlite.org/fileformat2.html has the bytes that say so.
"""

import os
import sqlite3
import tempfile
from typing import Dict, Iterable, Optional

from ..errors import RecordingError
from .place import BESIDE, refuse_strangers, unwritable
from .schema import MAGIC

_WAL_FILE, _INDEX, _JOURNAL = BESIDE

_VERSIONS, _WAL, _ONE_FILE = 18, b"\2\2", b"\1\1"  # where the header tells the mode, and how


class Placeholders:
    """Empty files of ours, by each name that SQLite may look for beside the database ``path``."""

    def __init__(self, path: str) -> None:
        """Raises RecordingError where somebody else's lie there, OutputError where none can be laid."""
        self._path = path
        self._ours: Dict[str, os.stat_result] = {}
        try:
            for end in BESIDE:
                self._lay(end)
            refuse_strangers(path)
            for end in BESIDE:  # also what a recorder that was killed left there
                self._ours[end] = os.lstat(path + end)
        except OSError as error:
            self.remove()
            if isinstance(error, FileNotFoundError):
                raise RecordingError("another user lays files beside %s at this moment, and takes them away: name"
                                     " another file with -o" % path)
            raise unwritable(path, error)
        except BaseException:
            self.remove()
            raise
        if self._ours[_JOURNAL].st_size:
            raise RecordingError("%s-journal is of somebody who did not finish, in a folder where everybody can write, so"
                                 " nothing is written there: name another file with -o" % path)

    def _lay(self, end: str) -> None:
        try:
            descriptor = os.open(
                self._path + end, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        self._ours[end] = os.fstat(descriptor)
        os.close(descriptor)

    def remove(self, moved: Optional[bool] = None) -> None:
        """Those that are still there, and as empty as they were. ``moved``: whether the database has another name
        by now; None where SQLite never came. It takes its own away, unless somebody reads or that is so."""
        for end in (_JOURNAL,) if moved is False else BESIDE:
            name = self._path + end
            try:
                now = os.lstat(name)
                done = moved and end == _INDEX and not os.path.lexists(self._path + _WAL_FILE)
                if os.path.samestat(now, self._ours[end]) and (done or not now.st_size):
                    os.unlink(name)
            except (KeyError, OSError):
                pass  # it is gone, or never was


def write_new(descriptor: int, path: str, statements: Iterable[str]) -> None:
    """Into the empty file ``path``: the database that ``statements`` make, in WAL mode. Raises OSError and
    what sqlite3 does."""
    with tempfile.TemporaryDirectory(prefix=".retrans-", dir=os.path.dirname(path)) as private:
        made = os.path.join(private, "new")
        database = sqlite3.connect(made, isolation_level=None)
        try:
            for statement in statements:
                database.execute(statement)
        finally:
            database.close()
        with open(made, "rb") as file:
            content = file.read()
    left = memoryview(content[:_VERSIONS] + _WAL + content[_VERSIONS + len(_WAL):])
    while left:
        left = left[os.pwrite(descriptor, left, len(content) - len(left)):]
    os.fsync(descriptor)


def enter_wal(descriptor: int) -> None:
    """Of a database that nobody writes. Raises OSError."""
    os.pwrite(descriptor, _WAL, _VERSIONS)
    os.fsync(descriptor)


def leave_wal(descriptor: int) -> None:
    """Of one that was closed, and of which nothing is in a -wal any more. Raises OSError."""
    if is_wal(descriptor):
        os.pwrite(descriptor, _ONE_FILE, _VERSIONS)


def is_wal(descriptor: int) -> bool:
    begin = os.pread(descriptor, _VERSIONS + len(_WAL), 0)
    return begin.startswith(MAGIC) and begin.endswith(_WAL)
