"""The files that ``record`` writes, as its options ask for them."""

import argparse
import os
import re
from typing import Callable, Optional

from ..errors import RetransError, UsageError
from ..event import Event
from ..recording.lines import FileLinesWriter, LinesWriter
from ..recording.rotation import Keep, Series
from ..recording.session import Session
from ..recording.writer import Writer
from ..sinks.output import Output
from ..sinks.recording import Limits
from ..workload import Workload
from .options import above, age, file_size

STDOUT = "-"
LINES = (".ndjson", ".jsonl")  # what a file of that format is called
DATABASE = (".db", ".sqlite", ".sqlite3")
_BY_SIZE = 0.0  # an age that --rotate is not given
_LEAST = 256 << 10  # bytes: an empty database has some of them, and its WAL


class Files:
    """Opens one after the other. Raises UsageError for options that cannot be."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._lines = _is_lines(options)
        default = "retrans.ndjson" if self._lines else "retrans.db"
        self.path: str = default if options.output is None else options.output
        self.limits = Limits(options.max_size, options.rotate or None, options.rotate is not None)
        self._series = Series(self.path, options.keep or Keep()) if self.limits.rotate else None
        self.begun = 0
        self.removed = 0
        self._check(options)

    def _check(self, options: argparse.Namespace) -> None:
        if self.path == STDOUT and (not self._lines or options.rotate is not None or options.max_size):
            raise UsageError("'-o -' writes NDJSON to standard output, which has no end: leave --max-size, --rotate"
                             " and '--format db' out")
        if self._lines and self.path.endswith(DATABASE) or not self._lines and self.path.endswith(LINES):
            raise UsageError("-o names %s, and '--format %s' makes a file of another kind: leave --format out, or give"
                             " it another name" % (self.path, options.format))
        if options.rotate == _BY_SIZE and not options.max_size:
            raise UsageError("--rotate needs to know when: give --max-size too, or a time as in '--rotate 1h'")
        if options.keep and options.rotate is None:
            raise UsageError("--keep chooses among the files of --rotate, so it goes with that only")

    def next(self, session: Session, lookup: Callable[[Event], Workload]) -> Writer:
        """Raises RecordingError and OutputError."""
        if not self._lines:
            _database()  # where there is none, no file is made either
        path = self._series.next() if self._series else self.path
        goes_on = self.begun > 0 and _has_something(path)
        writer = self._open(path, session, lookup)
        self.begun += not goes_on
        if self._series:
            self.removed += len(self._series.remove_old(path))
        return writer

    def _open(self, path: str, session: Session, lookup: Callable[[Event], Workload]) -> Writer:
        if path == STDOUT:
            return LinesWriter("standard output", session, lookup, Output().write)
        if self._lines:
            return FileLinesWriter(path, session, lookup, _writing)
        return _database()(path, session, lookup, self.limits.bytes)


def _has_something(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """To be read by Files."""
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="where to (retrans.db), behind what it has; -: stdout")
    parser.add_argument("--format", choices=["db", "ndjson"],
                        help="SQLite, or JSON lines (as .ndjson, .jsonl are)")
    parser.add_argument("--max-size", type=file_size(_LEAST), metavar="SIZE",
                        help="end at that size, such as 100M; see --rotate")
    parser.add_argument("--rotate", nargs="?", const=_BY_SIZE, type=age, metavar="AGE",
                        help="begin the next file at --max-size, or that age (1h)")
    parser.add_argument("--keep", type=_keep, metavar="N|AGE",
                        help="of --rotate's files the newest N, or none older than such as 7d; else all")


def _database() -> Callable[..., Writer]:
    """DatabaseWriter; some builds of Python lack what it needs."""
    try:
        from ..recording.database import DatabaseWriter
    except ImportError as error:
        raise RetransError("this Python cannot write SQLite databases (%s): install its module sqlite3, or record"
                           " with --format ndjson" % error) from error
    return DatabaseWriter


def _is_lines(options: argparse.Namespace) -> bool:
    if options.format is not None:
        return bool(options.format == "ndjson")
    path = options.output or ""
    return bool(path == STDOUT or path.endswith(LINES))


def _keep(text: str) -> Optional[Keep]:
    """An argparse type: a number of files, or an age."""
    return Keep(files=above(0)(text)) if re.match(r"[0-9]+\Z", text) else Keep(seconds=age(text))


def _writing(descriptor: int, path: str) -> Callable[[memoryview], None]:
    return Output(descriptor, os.path.basename(path)).write
