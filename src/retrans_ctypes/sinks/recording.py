"""Events into a recording."""

import time
from typing import Any, Callable, Dict, NamedTuple, Optional

from ..clock import WallClock
from ..event import Event
from ..records import Buffer
from ..recording.writer import Writer
from . import Sink

COMMIT = 0.4  # seconds; less than follow() waits, so that each of its looks commits
LEDGER = 60.0  # seconds: looking for all namespaces and reading their counters takes a tenth of one,
CALM = 1000  # so it is left to a moment when no more events than that came since the last look
_PIECE = 1024 * Event.LAYOUT.size  # after which the file's size is looked at
_STEP_NS = 1000000  # what the clocks' offset differs by is noise, until somebody sets the wall clock


class Limits(NamedTuple):
    """When a file is full; None: never."""

    bytes: Optional[int] = None
    seconds: Optional[float] = None
    rotate: bool = False
    """The next file follows; otherwise that is the end."""


class RecordingSink(Sink):
    """Writes into what ``begin`` opens, a file at a time; a context manager. reopen() may be called by a
    signal handler.

    ``books`` has stats(), ledger() and turn(), as recording.books.Books. ``stop``: called once, when
    there shall be no more events. ``told``: called each time something was committed.
    """

    def __init__(
        self, begin: Callable[[], Writer], books: Any, limits: Limits, stop: Callable[[], None],
        told: Callable[["RecordingSink"], None] = lambda sink: None,
    ) -> None:
        self._begin = begin
        self._books = books
        self._limits = limits
        self._stop = stop
        self._told = told
        self._clock = WallClock()
        self._offset_ns = self._clock.offset_ns
        self._before = self._seen = 0
        self._begun = self._committed = self._accounted = time.monotonic()
        self.writer = begin()
        self._reopens = False
        self.full = False
        """Whether the size that it may have was reached, and ended it."""
        self.dropped = 0
        """Events that came after that."""

    @property
    def events(self) -> int:
        """Written so far, into all files."""
        return self._before + self.writer.events

    @property
    def kept(self) -> int:
        """Of these, those that stay in the files whatever comes."""
        return self._before + self.writer.kept

    def start(self) -> None:
        if not self._limits.rotate and self._at_its_size():
            self._end_here()

    def write(self, event: Event) -> None:
        self._put(event)

    def write_packed(self, batch: Buffer) -> None:
        self._clock.sample()
        if abs(self._clock.offset_ns - self._offset_ns) > _STEP_NS:
            self._offset_ns = self._clock.offset_ns
        for begin in range(0, len(batch), _PIECE):
            self._put(batch[begin:begin + _PIECE])
        self.flush()

    def flush(self) -> None:
        """Also where nothing came; commits what is older than that."""
        now = time.monotonic()
        if self._reopens:
            self._reopens = False
            self._turn()
        if now - self._committed < COMMIT:
            return
        self._committed = now
        ledger: Optional[Dict[str, Any]] = None
        if now - self._accounted >= LEDGER and self.events - self._seen <= CALM:
            self._accounted = now
            ledger = self._books.ledger()
        self._seen = self.events
        self.writer.keep(self._books.stats(), ledger)
        if self._limits.seconds is not None and now - self._begun >= self._limits.seconds:
            self._turn()
        self._told(self)

    def reopen(self) -> None:
        """At the next flush(), end what is written and begin what has its path by then."""
        self._reopens = True

    def finish(self) -> None:
        self.writer.keep(self._books.stats(), None)

    def end(self) -> None:
        """Write what the books say now, for the last time."""
        self.writer.end(self._books.stats(), self._books.ledger())

    def __enter__(self) -> "RecordingSink":
        return self

    def __exit__(self, *_: Any) -> None:
        self.writer.close()

    def _put(self, batch: Buffer) -> None:
        if self.full:
            self.dropped += len(batch) // Event.LAYOUT.size
            return
        self.writer.write(batch, self._offset_ns)
        if not self._at_its_size():
            return
        if self._limits.rotate:
            self._turn()
        else:
            self._end_here()

    def _at_its_size(self) -> bool:
        return self._limits.bytes is not None and self.writer.size() >= self._limits.bytes

    def _end_here(self) -> None:
        self.full = True
        self._stop()

    def _turn(self) -> None:
        """End this file, and begin the next one."""
        self.end()
        self._books.turn()
        ended, self.writer = self.writer, self._begin()
        self._before += ended.events
        self._begun = self._accounted = time.monotonic()
