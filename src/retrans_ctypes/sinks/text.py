"""One line an event, in columns."""

from typing import Any, Optional, Sequence

from ..clock import WallClock
from ..event import Event
from ..workload import enrich
from . import Sink
from .colours import HEADING, NONE, Colours
from .columns import Column
from .output import Output
from .printable import printable

BANNER = "Tracing retransmits ... Hit Ctrl-C to end"


class TextSink(Sink):
    """Banner, header, then a line for each event. ``lookups``: a Lookups, or its like."""

    def __init__(
        self, output: Output, columns: Sequence[Column], clock: WallClock, lookups: Any,
        colours: Colours = NONE, banner: Optional[str] = BANNER,
    ) -> None:
        self._banner = banner
        self._output = output
        self._columns = columns
        self._clock = clock
        self._lookups = lookups
        self._colours = colours

    def start(self) -> None:
        if self._banner:
            self._output.line(self._banner)
        self._output.line(self._colours.paint(
            self._row([column.title for column in self._columns]), HEADING))
        self._output.flush()

    def write(self, event: Event) -> None:
        record = enrich(event, self._lookups)
        cells = [printable(column.text(record, self._clock)) for column in self._columns]
        if self._colours.on:
            styles = [column.style(event) for column in self._columns]
            self._output.line(self._painted(cells, styles))
        else:
            self._output.line(self._row(cells))

    def flush(self) -> None:
        self._output.flush()
        self._clock.sample()

    def _row(self, cells: Sequence[str]) -> str:
        padded = [column.pad(cell) for column, cell in zip(self._columns, cells)]
        return " ".join(padded).rstrip()

    def _painted(self, cells: Sequence[str], styles: Sequence[str]) -> str:
        """As _row(), and the blanks around the cells stay as they are."""
        paint = self._colours.paint
        return " ".join(paint(cell, style) + column.pad(cell)[len(cell):] for column, cell, style in zip(
            self._columns, cells, styles)).rstrip()
