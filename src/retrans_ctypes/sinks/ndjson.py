"""NDJSON: one JSON object a line, one line an event."""

import json
from typing import Any, Dict

from ..clock import WallClock
from ..event import Event
from ..workload import Lookups, enrich
from . import Sink
from .output import Output


def encode(record: Dict[str, Any]) -> str:
    """One line, plain ASCII: other characters are escaped."""
    return json.dumps(record, separators=(",", ":"))


class NdjsonSink(Sink):
    """``type`` is ``"event"``, ``time`` is UTC; the rest are the fields of the event and its names."""

    def __init__(self, output: Output, clock: WallClock, lookups: Lookups) -> None:
        self._output = output
        self._clock = clock
        self._lookups = lookups

    def write(self, event: Event) -> None:
        record: Dict[str, Any] = {"type": "event", "time": self._clock.iso(event.ts_ns)}
        record.update(enrich(event, self._lookups).to_dict())
        self._output.line(encode(record))

    def flush(self) -> None:
        self._output.flush()
        self._clock.sample()
