"""Files that follow each other: their names, and which of them are kept.

``retrans.db`` becomes ``retrans-20261122-230200Z.db``: the moment in UTC at which it was begun. A second
file of the same second has ``-2`` behind the ``Z``.
"""

import fcntl
import os
import re
import stat
import time
from typing import Iterator, List, NamedTuple, Optional, Tuple

from . import schema
from .lines import is_ours
from .place import BESIDE, create

_STAMP = "%Y%m%d-%H%M%SZ"
_FIRST_LINE = 1 << 16


class Keep(NamedTuple):
    """How many files, or how long; None: without end."""

    files: Optional[int] = None
    """The one being written is one of them."""
    seconds: Optional[float] = None
    """Since something was last written into it."""


class Series:
    """The files of ``path``."""

    def __init__(self, path: str, keep: Keep) -> None:
        self._folder = os.path.dirname(path)
        self._stem, self._end = os.path.splitext(os.path.basename(path))
        self._keep = keep
        self._last: Tuple[str, int] = ("", 0)
        self._like = re.compile(r"%s-([0-9]{8}-[0-9]{6}Z)(?:-([0-9]{1,9}))?%s\Z" % (
            re.escape(self._stem), re.escape(self._end)))

    def next(self) -> str:
        """The path of a file named by this moment, new and empty: it is made here, so that of two recorders
        that begin one in the same second each gets its own. Raises RecordingError and OutputError."""
        stamp = time.strftime(_STAMP, time.gmtime())
        taken = [number for (other, number), _ in self._files() if other == stamp]
        if self._last[0] == stamp:
            taken.append(self._last[1])  # it may have been removed meanwhile
        number = max(taken, default=0) + 1
        while not create(self._path(stamp, number)):
            number += 1
        self._last = stamp, number
        return self._path(stamp, number)

    def _path(self, stamp: str, number: int) -> str:
        name = stamp if number == 1 else "%s-%d" % (stamp, number)
        return os.path.join(self._folder, "%s-%s%s" % (self._stem, name, self._end))

    def remove_old(self, current: str) -> List[str]:
        """Remove what is not to be kept beside ``current``, oldest first; returns what is gone.

        Only regular files of this user that have such a name, are recordings, and that nobody writes.
        """
        others = [path for _, path in sorted(self._files()) if path != current]
        old = [] if self._keep.files is None else others[:max(0, len(others) + 1 - self._keep.files)]
        if self._keep.seconds is not None:
            old += [path for path in others if path not in old and self._age(path) > self._keep.seconds]
        return [path for path in old if _remove(path)]

    def _files(self) -> Iterator[Tuple[Tuple[str, int], str]]:
        """(order, path) of those that are named so."""
        try:
            names = os.listdir(self._folder or ".")
        except OSError:
            return
        for name in names:
            match = self._like.match(name)
            if match:
                yield (match.group(1), int(match.group(2) or 1)), os.path.join(self._folder, name)

    @staticmethod
    def _age(path: str) -> float:
        try:
            return time.time() - os.lstat(path).st_mtime
        except OSError:
            return 0


def _remove(path: str) -> bool:
    """Remove a recording, with what SQLite left beside it; False where it is none of ours, or cannot be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            return False
        if not _is_recording(os.pread(descriptor, _FIRST_LINE, 0)):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    for end in BESIDE:
        try:
            os.unlink(path + end)
        except OSError:
            pass  # it was ended in order, so there is none
    return True


def _is_recording(begin: bytes) -> bool:
    if begin.startswith(schema.MAGIC):
        return schema.header(begin).application == schema.APPLICATION_ID
    return is_ours(begin.split(b"\n", 1)[0])
