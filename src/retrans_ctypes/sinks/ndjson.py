"""NDJSON: one JSON object a line, one line an event."""

from typing import Any, Dict, Iterable

from ..clock import WallClock
from ..event import Event
from ..ndjson import NdjsonWriter, replay_writer
from ..records import Buffer
from ..workload import Lookups
from . import Sink
from .output import Output


class NdjsonSink(Sink):
    """``type`` is ``"event"``, ``time`` is UTC; the rest are the fields of the event and its names."""

    def __init__(
        self, output: Output, clock: WallClock, lookups: Lookups, failed: bool = True,
    ) -> None:
        def names(event: Event) -> Dict[str, Any]:
            return lookups.workload(event).to_dict()
        self._output = output
        self._clock = clock
        self._writer = NdjsonWriter(names, failed)

    def write(self, event: Event) -> None:
        self.write_packed(event)

    def write_all(self, events: Iterable[Event]) -> None:
        self.write_packed(b"".join(events))

    def write_packed(self, batch: Buffer) -> None:
        self._clock.sample()
        for lines in self._writer.lines(batch, self._clock.offset_ns):
            self._output.write(lines)


class RecordedNdjsonSink(Sink):
    """The same lines for what was recorded: all events of a batch have the names that ``lookups`` has for
    them at that moment. Works without the native library."""

    def __init__(self, output: Output, clock: WallClock, lookups: Any, failed: bool = True) -> None:
        self._output = output
        self._clock = clock
        self._lookups = lookups
        self._writer = replay_writer(failed)

    def write(self, event: Event) -> None:
        self.write_packed(event)

    def write_all(self, events: Iterable[Event]) -> None:
        self.write_packed(b"".join(events))

    def write_packed(self, batch: Buffer) -> None:
        if batch:
            names = self._lookups.workload(Event(batch[:Event.LAYOUT.size])).to_dict()
            for lines in self._writer.lines(batch, self._clock.offset_ns, names):
                self._output.write(lines)
