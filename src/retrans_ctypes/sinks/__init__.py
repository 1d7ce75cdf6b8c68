"""Where events go. A sink is anything with these methods."""

from typing import Iterable

from ..event import Event
from ..records import Buffer


class Sink:
    """Base of the sinks; each method's default does nothing."""

    def start(self) -> None:
        """Once, when tracing has begun."""

    def write(self, event: Event) -> None:
        """For each event."""

    def flush(self) -> None:
        """After each batch, and every half second where none comes: show now what was written."""

    def finish(self) -> None:
        """Once, when tracing has ended."""

    def write_all(self, events: Iterable[Event]) -> None:
        """A batch: write each, then flush."""
        for event in events:
            self.write(event)
        self.flush()

    def write_packed(self, batch: Buffer) -> None:
        """As write_all(), for events that are still packed."""
        self.write_all(Event.read(batch))
