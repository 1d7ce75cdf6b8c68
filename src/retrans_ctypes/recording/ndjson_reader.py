"""Recordings that are NDJSON: the lines of ``--json``, with or without those that begin a session."""

import calendar
import json
import os
import re
import stat
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Tuple

from ..errors import RecordingError
from ..event import Event
from ..workload import UNKNOWN, Workload
from .reading import Recording
from .schema import END_LINE, LEDGER_LINE, SESSION_LINE
from .session import Run, Session, holds, make_session, make_workload

_MOST = 1 << 20  # bytes of a line: more than any has
_AT_ONCE = 8192  # events of a run
_MOST_NAMES = 16384  # that are remembered

_EVENT = "event"
_TYPES = (_EVENT, LEDGER_LINE, SESSION_LINE, END_LINE)
_START_OF_EVENT = b'{"type":"event",'
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z\Z")
_NAMES = [field.name for field in Workload.FIELDS]

Fields = Dict[str, Any]


class NdjsonRecording(Recording):
    """Read line by line. A last line that is cut, as a recorder that was killed leaves it, is left out."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        super().__init__(path, file)
        found = os.fstat(file.fileno())
        self._size = found.st_size if stat.S_ISREG(found.st_mode) else None
        self._lines = _Lines(path, file)
        self._sessions = _Sessions()
        self._scanned: List[Session] = []
        self._scanned_size = -1
        if not begins(file.peek(1)):  # type: ignore[attr-defined]
            raise RecordingError("%s is no recording: name one that 'record' or 'trace --json' made" % path)

    @property
    def sessions(self) -> List[Session]:
        """Through a pipe, those that runs() has met."""
        if self._size is None:
            return self._sessions.all
        size = os.fstat(self._file.fileno()).st_size
        if size != self._scanned_size:
            place = self._file.tell()
            self._file.seek(0)  # by now its path may be another file's
            try:
                self._scanned = _scan(_Lines(self.path, self._file))
            finally:
                self._file.seek(place)
            self._scanned_size = size
        return self._scanned

    @property
    def events(self) -> Optional[int]:
        return None

    @property
    def done(self) -> Optional[float]:
        return min(1.0, self._lines.read / self._size) if self._size else None

    def runs(self, since_ns: Optional[int] = None, until_ns: Optional[int] = None) -> Iterator[Run]:
        if self._size is not None:
            self._file.seek(0)
            self._lines, self._sessions = _Lines(self.path, self._file), _Sessions()
        gathered, names = _Gathered(), _Names()
        for line in self._lines:
            try:
                fields = self._lines.fields(line)
                if fields is None:
                    break
                yield from self._take(fields, gathered, names, since_ns, until_ns)
            except RecordingError:
                yield from gathered.run()
                raise
        yield from gathered.run()
        if self._lines.cut:
            self.remarks.append(
                "the last line of %s is cut, and left out: %s" % (self.path, (
                    "it is being written" if self.recorder_runs else "its recorder was killed, or the disk was full")))

    def _take(
        self, fields: Fields, gathered: "_Gathered", names: "_Names", since_ns: Optional[int],
        until_ns: Optional[int],
    ) -> Iterator[Run]:
        """What was gathered, if that is a run now, since the line does not belong to it."""
        try:
            if fields["type"] != _EVENT:
                yield from gathered.run()
                self._sessions.take(fields)
                return
            micros, event, workload = _micros(fields), Event.from_dict(fields), names.of(fields)
            offset_ns = micros * 1000 - event.ts_ns
            if not (holds(offset_ns - _ROUNDED) or holds(offset_ns + _ROUNDED)):
                raise ValueError("its 'ts_ns' cannot be %d" % event.ts_ns)
        except ValueError as error:
            raise self._lines.damaged(str(error))
        session = self._sessions.with_event(micros)
        if (since_ns is None or micros * 1000 >= since_ns) and (until_ns is None or micros * 1000 < until_ns):
            if not gathered.takes(session, event, micros, workload):
                yield from gathered.run()
                gathered.takes(session, event, micros, workload)


class _Lines:
    """The lines of a file, which may hold anything."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.read = 0
        """Bytes so far."""
        self.cut = False
        """The last line has no end."""
        self._path = path
        self._file = file
        self._number = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                line = self._file.readline(_MOST)
            except OSError as error:
                raise RecordingError("%s cannot be read on (%s)" % (self._path, error.strerror))
            if not line:
                return
            self.read += len(line)
            self._number += 1
            yield line

    def fields(self, line: bytes) -> Optional[Fields]:
        """Of the line that came last; None where that is cut. Raises RecordingError."""
        fields = _parsed(line)
        if fields is None:
            self.cut = len(line) < _MOST and not line.endswith(b"\n")
            if not self.cut:
                raise self.damaged("it is not the JSON of one")
        return fields

    def damaged(self, what: str) -> RecordingError:
        return RecordingError("line %d of %s is damaged (%s): take that line out, or copy the file anew" % (
            self._number, self._path, what))


def _parsed(line: bytes) -> Optional[Fields]:
    """The object of a line, None where it is not one of ours."""
    try:
        fields = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and isinstance(fields.get("type"), str) else None


def begins(start: bytes) -> bool:
    """Whether a recording may begin so; the first line may be longer than ``start``."""
    if any(start.startswith(b'{"type":"%s"' % name.encode("ascii")) for name in _TYPES):
        return True
    fields = _parsed(start.split(b"\n")[0])
    return fields is not None and fields["type"] in _TYPES


_LAST = ((1 << 63) - 1) // 1000 - 2
"""Microseconds that nanoseconds of 64 bits hold, whichever way they are rounded."""

_ROUNDED = 4000  # nanoseconds that a time may be off, by its microseconds and near that end


def _micros(fields: Fields) -> int:
    """When it was, in microseconds since the epoch."""
    text = fields.get("time")
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("its 'time' cannot be %.60r" % (text,))
    parts = [int(part) for part in match.groups()]
    micros = calendar.timegm((*parts[:6], 0, 0, 0)) * 1000000 + parts[6]
    if _LAST < abs(micros) <= _LAST + 3:  # about the last moment that can be, or the first: it was rounded
        micros = _LAST if micros > 0 else -_LAST
    if not holds(micros * 1000):
        raise ValueError("its 'time' cannot be %.60r" % (text,))
    return micros


class _Sessions:
    """The sessions that the lines so far tell of. Where none begins, events and a ledger make one."""

    def __init__(self) -> None:
        self.all: List[Session] = []
        self.running = False
        self._last_ns: Optional[int] = None

    def take(self, fields: Fields) -> None:
        """A line that is no event; one of a type from the future does not matter. Raises ValueError."""
        if fields["type"] == SESSION_LINE:
            self._begin(fields)
        elif fields["type"] == END_LINE:
            self._change(ended_ns=fields.get("ended_ns"), stats=fields.get("stats"))
        elif fields["type"] == LEDGER_LINE:
            if not self.running:
                self._begin({})
            self._change(ledger=fields)
            if self.all[-1].ended_ns is None:
                self._change(ended_ns=self._last_ns)
            self.running = False

    def with_event(self, micros: int) -> Session:
        """That of an event of this time."""
        if not self.running:
            self._begin({"started_ns": micros * 1000})
        self._last_ns = micros * 1000
        return self.all[-1]

    def _begin(self, fields: Fields) -> None:
        self.all.append(make_session(len(self.all) + 1, fields))
        self.running = True
        self._last_ns = self.all[-1].started_ns

    def _change(self, **values: Any) -> None:
        if not self.running:
            raise ValueError("it ends what has not begun")
        before = self.all[-1]
        self.all[-1] = make_session(before.number, dict(before._asdict(), missing=list(before.missing), **values))


def _scan(lines: _Lines) -> List[Session]:
    """The sessions of a file up to its end or its first damage, reading no more than must be of its events."""
    sessions = _Sessions()
    try:
        _scan_into(sessions, lines)
    except RecordingError:
        pass  # which is for runs() to tell
    return sessions.all


def _scan_into(sessions: _Sessions, lines: _Lines) -> None:
    last = b""
    for line in lines:
        if line.startswith(_START_OF_EVENT) and sessions.running:
            last = line
            continue
        fields = lines.fields(line)
        if fields is None:
            break
        try:
            for known in (_parsed(last), fields):
                if known is not None and known["type"] == _EVENT:
                    sessions.with_event(_micros(known))
            if fields["type"] != _EVENT:
                sessions.take(fields)
        except ValueError as error:
            raise lines.damaged(str(error))
        last = b""


class _Names:
    """Workloads of lines; each is made once."""

    def __init__(self) -> None:
        self._known: Dict[Tuple[Any, ...], Workload] = {}

    def of(self, fields: Fields) -> Workload:
        """Raises ValueError."""
        values = tuple(map(fields.get, _NAMES))
        try:
            known = self._known.get(values)
        except TypeError:
            raise ValueError("its names are none")
        if known is None:
            if len(self._known) >= _MOST_NAMES:
                self._known.clear()
            known = self._known[values] = make_workload(values)
        return known


class _Gathered:
    """Events that will be one run.

    Times are rounded to microseconds, so each event bounds what the wall clock can have been ahead; for
    all of a run there is an offset that gives each its own time again.
    """

    def __init__(self) -> None:
        self._events: List[Event] = []
        self._session: Optional[Session] = None
        self._workload = UNKNOWN
        self._least = self._above = 0

    def takes(self, session: Session, event: Event, micros: int, workload: Workload) -> bool:
        """Whether the event is one of them."""
        least = micros * 1000 - 500 - event.ts_ns
        if not self._events:
            self._session, self._workload, self._least, self._above = session, workload, least, least + 1000
        elif workload is not self._workload or len(self._events) >= _AT_ONCE:
            return False
        elif max(least, self._least) >= min(least + 1000, self._above):
            return False
        self._least, self._above = max(least, self._least), min(least + 1000, self._above)
        self._events.append(event)
        return True

    def run(self) -> Iterator[Run]:
        """What was gathered, if anything; they begin anew."""
        if self._events:
            assert self._session is not None
            offset_ns = max(-1 << 63, min((self._least + self._above) // 2, (1 << 63) - 1))
            yield Run(self._session, b"".join(self._events), offset_ns, self._workload)
            self._events = []
