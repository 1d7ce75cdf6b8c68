"""A recording as NDJSON: the lines of ``trace --json``, in between those that say what they are."""

import json
import os
from typing import Any, Callable, Dict, Optional

from ..errors import RecordingError
from ..event import Event
from ..ndjson import NdjsonWriter, encode, replay_writer
from ..records import Buffer
from ..workload import Workload
from . import schema
from .place import open_locked, real_path
from .rows import Lookup
from .session import Session
from .writer import Writer, now_ns

_TYPES = ("event", schema.SESSION_LINE)  # that a recording begins with
_LOOK = 1 << 20  # bytes; no line is longer
_NOT_YET = ("number", "stats", "ledger")

Write = Callable[[memoryview], None]


class LinesWriter(Writer):
    """Writes ``session`` with ``write``, which takes bytes and keeps them at once."""

    def __init__(
        self, path: str, session: Session, lookup: Optional[Lookup], write: Write,
    ) -> None:
        self.path = path
        self._write = write
        self._bytes = 0
        self._writer = replay_writer() if lookup is None else _looking_up(lookup)
        fields = {name: value for name, value in session._asdict().items() if name not in _NOT_YET}
        if session.started_ns is None:
            fields["started_ns"] = now_ns()
        self._line(dict(fields, type=schema.SESSION_LINE))

    def write(self, batch: Buffer, offset_ns: int, same: Optional[Workload] = None) -> None:
        for lines in self._writer.lines(batch, offset_ns, None if same is None else same.to_dict()):
            self._put(lines)
        self.events += len(batch) // Event.LAYOUT.size
        self.kept = self.events

    def size(self) -> int:
        return self._bytes

    def keep(self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]]) -> None:
        pass  # every line is

    def end(
        self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]], ended_ns: Optional[int] = None,
    ) -> None:
        ended_ns = now_ns() if ended_ns is None else ended_ns
        self._line({"type": schema.END_LINE, "ended_ns": ended_ns, "stats": stats or None})
        if ledger is not None:
            self._line(dict(ledger, type=schema.LEDGER_LINE))  # it may come from a file that holds anything
        self.close()

    def close(self) -> None:
        pass

    def _line(self, record: Dict[str, Any]) -> None:
        first = {"type": record["type"]}
        first.update(record)
        self._put(memoryview(encode(first).encode("ascii") + b"\n"))

    def _put(self, data: memoryview) -> None:
        self._write(data)
        self._bytes += len(data)


class FileLinesWriter(LinesWriter):
    """Appends ``session`` to the file ``path``, which is made where there is none.

    ``writing``: gives for a descriptor and the file's name what writes there.
    """

    def __init__(
        self, path: str, session: Session, lookup: Optional[Lookup],
        writing: Callable[[int, str], Write],
    ) -> None:
        self._descriptor: Optional[int] = open_locked(real_path(path))
        try:
            begins = _append(self._descriptor, path)
            super().__init__(path, session, lookup, writing(self._descriptor, path))
            self._bytes += begins
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _looking_up(lookup: Lookup) -> NdjsonWriter:
    def names(event: Event) -> Dict[str, Any]:
        return lookup(event).to_dict()
    return NdjsonWriter(names)


def _append(descriptor: int, path: str) -> int:
    """Go to the file's end, of which a line that was never finished is cut off; returns where that is."""
    size = os.fstat(descriptor).st_size
    if size:
        first = os.pread(descriptor, _LOOK, 0).split(b"\n", 1)
        if len(first) < 2 or not is_ours(first[0]):
            raise RecordingError("%s is not a recording: name another file with -o, or remove it" % path)
        size = _whole_lines(descriptor, size)
        os.ftruncate(descriptor, size)
    os.lseek(descriptor, size, os.SEEK_SET)
    return size


def is_ours(line: bytes) -> bool:
    """Whether a recording may begin with this line."""
    try:
        record = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("type") in _TYPES


def _whole_lines(descriptor: int, size: int) -> int:
    """Where the last whole line ends."""
    while size:
        begin = max(0, size - _LOOK)
        found = os.pread(descriptor, size - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        size = begin
    return 0
