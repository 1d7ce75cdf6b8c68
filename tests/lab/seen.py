"""What a Tracer saw in one namespace."""
import time
from typing import Any, Callable, List

from .counters import grace_period
from .netns import Namespace

SETTLED = 0.2  # seconds; no event is held back for that long


class Seen:
    """Collects a tracer's events, so that a test can ask for those of its own namespace.

    A tracer sees the whole host; other people's retransmits must not change a test's result.
    """

    def __init__(self, tracer: Any) -> None:
        self.tracer = tracer
        self.events: List[Any] = []

    def drain(self) -> None:
        """Take all that happened until now; a busy host must not keep us here for longer."""
        grace_period()  # of those before it, none is still being written
        enough = time.monotonic() + SETTLED
        while True:
            batch = self.tracer.poll(SETTLED)
            self.events.extend(batch)
            if not batch or batch[-1].ts_ns > enough * 1e9:
                return

    def of(self, namespace: Namespace) -> List[Any]:
        """All events of `namespace` so far."""
        self.drain()
        return [event for event in self.events if event.netns == namespace.inode]

    def until(self, namespace: Namespace, enough: Callable[[List[Any]], bool],
              seconds: float = 10.0) -> List[Any]:
        """As of(), once `enough` of them are there: the kernel counts before it tells us, and on a
        busy host it may be stopped in between for longer than a drain waits."""
        deadline = time.monotonic() + seconds
        while True:
            events = self.of(namespace)
            if enough(events) or time.monotonic() > deadline:
                return events


def sent(events: List[Any]) -> List[Any]:
    """Events of segments that left: a failed attempt carries an error and is no retransmit."""
    return [event for event in events if not event.err]


def segments(events: List[Any]) -> int:
    return sum(event.segs for event in sent(events))
