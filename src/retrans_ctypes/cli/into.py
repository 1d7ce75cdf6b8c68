"""``replay --into``: what was recorded, or a part of it, into another recording."""

import os
from typing import Any, List, Optional

from ..clock import WallClock
from ..errors import UsageError
from ..event import Event
from ..records import Buffer
from ..recording import Session
from ..recording.database import DatabaseWriter
from ..recording.lines import FileLinesWriter
from ..recording.writer import Writer, clean
from ..sinks import Sink
from ..sinks.output import Output
from .recording_files import LINES

_COMMIT = 65536  # events


class CopySink(Sink):
    """Each session becomes one there, with its own times, counts and ledger.

    ``names``: as cli.replay.RecordedNames. ``chosen``: the filter that chose events, as it was typed.
    """

    def __init__(self, path: str, clock: WallClock, names: Any, chosen: Optional[str]) -> None:
        self._path = path
        self._clock = clock
        self._names = names
        self._chosen = chosen
        self._writer: Optional[Writer] = None
        self._uncommitted = 0

    def refuse(self, paths: List[str]) -> None:
        """Raises UsageError where it is one of those that are read."""
        for path in paths:
            if os.path.exists(self._path) and os.path.exists(path) and os.path.samefile(path, self._path):
                raise UsageError("--into names %s, which is replayed: name another file" % self._path)

    def write(self, event: Event) -> None:
        self.write_packed(event)

    def write_packed(self, batch: Buffer) -> None:
        if not batch:
            return
        if self._writer is None:
            self._writer = self._begin(self._names.session)
        self._writer.write(batch, self._clock.offset_ns, self._names.found)
        self._uncommitted += len(batch) // Event.LAYOUT.size
        if self._uncommitted >= _COMMIT:
            self._uncommitted = 0
            self._writer.keep({}, None)

    def end_session(self, session: Session) -> None:
        """All of its events were written; ``session`` has what was recorded at its end."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if session.ended_ns is None:  # as its recorder left it
            writer.keep(session.stats or {}, session.ledger)
            writer.close()
        else:
            writer.end(session.stats or {}, session.ledger, session.ended_ns)

    def finish(self) -> None:
        """What was interrupted looks as if its recorder was killed."""
        if self._writer is not None:
            self._writer.keep({}, None)
            self._writer.close()

    def _begin(self, session: Session) -> Writer:
        chosen = " ".join(part for part in (session.filter, clean(self._chosen or "")) if part) or None
        session = session._replace(filter=chosen, ended_ns=None)
        if self._path.endswith(LINES):
            return FileLinesWriter(
                self._path, session, None, lambda descriptor, path: Output(descriptor, path).write)
        return DatabaseWriter(self._path, session._replace(stats=None, ledger=None), None)
