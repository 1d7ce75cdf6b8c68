"""NDJSON: one JSON object a line, one line an event."""

import json
from typing import Any, Dict

from ..clock import WallClock
from ..event import Event
from . import Sink
from .output import Output


def encode(record: Dict[str, Any]) -> str:
    """One line, plain ASCII: other characters are escaped."""
    return json.dumps(record, separators=(",", ":"))


class NdjsonSink(Sink):
    """``type`` is ``"event"``, ``time`` is UTC; the rest are the event's public fields."""

    def __init__(self, output: Output, clock: WallClock) -> None:
        self._output = output
        self._clock = clock

    def write(self, event: Event) -> None:
        record: Dict[str, Any] = {"type": "event", "time": self._clock.iso(event.ts_ns)}
        record.update(event.to_dict())
        self._output.line(encode(record))

    def flush(self) -> None:
        self._output.flush()
        self._clock.sample()
