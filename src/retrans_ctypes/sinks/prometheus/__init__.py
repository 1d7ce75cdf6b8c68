"""Retransmits as Prometheus metrics: docs/metrics.md has them all.

The extra [metrics] brings what writes them, prometheus-client; counting needs nothing.
"""

from typing import Iterable, Optional

from ...event import Event
from ...records import Buffer
from .. import Sink
from ..output import Output
from .exposition import exposition
from .families import Families, Readings
from .tally import Tally


class PrometheusSink(Sink):
    """Counts events in ``tally``. With ``output``, finish() writes the metrics there as text, with what
    ``readings`` tell besides."""

    def __init__(
        self, tally: Tally, output: Optional[Output] = None, readings: Readings = Readings(),
    ) -> None:
        self._tally = tally
        self._output = output
        self._families = None if output is None else Families(tally, lambda: readings)

    def write(self, event: Event) -> None:
        self.write_packed(event)

    def write_all(self, events: Iterable[Event]) -> None:
        self.write_packed(b"".join(events))

    def write_packed(self, batch: Buffer) -> None:
        self._tally.add(batch)

    def finish(self) -> None:
        if self._output is not None and self._families is not None:
            self._output.write(memoryview(exposition(self._families).text))
