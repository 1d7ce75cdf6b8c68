"""Runs a load under tracer and oracle alike, and puts side by side what the two have seen."""
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, NamedTuple

from .comparison import Comparison, Pair, compare
from .link import Lab
from .loads import Load, running
from .netns import Namespace
from .oracle import Oracle
from .seen import Seen

RING_BYTES = 32 << 20
PATIENCE = 30.0        # seconds to wait for anything
PATIENCE_EACH = 0.03   # more of them for each event of a load


class Proof(NamedTuple):
    """What one load came to."""

    load: Load
    comparison: Comparison
    tracer_missed: int  # times the kernel skipped the tracer's programs
    oracle_missed: int

    @property
    def pairs(self) -> List[Pair]:
        return self.comparison.pairs


def collect(seen: Seen, lab: Lab, events: int) -> None:
    deadline = time.monotonic() + PATIENCE + PATIENCE_EACH * events
    mine = 0
    while mine < events:
        assert time.monotonic() < deadline, "only {} of {} events came".format(mine, events)
        batch = seen.tracer.poll(0.1)
        seen.events.extend(batch)
        mine += sum(event.netns == lab.client.inode for event in batch)


class Watched:
    """What tracer and oracle saw while a `watching` block ran; `pairs` once it has ended."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.pairs: List[Pair] = []

    def wait(self, namespace: Namespace, what: str, enough: Callable[[List[Any]], bool]) -> List[Any]:
        """Wait until the events of `namespace` are enough."""
        deadline = time.monotonic() + PATIENCE
        while True:
            events = self.seen.of(namespace)
            if enough(events):
                return events
            assert time.monotonic() < deadline, "waited in vain for {}; there is {}".format(
                what, [event.reason for event in events])


@contextmanager
def watching(namespace: Namespace) -> Iterator[Watched]:
    """Trace and record what a test does, without anything getting lost."""
    from retrans_ctypes import Tracer

    with Oracle() as oracle:
        with Tracer(ring_bytes=RING_BYTES) as tracer:
            watched = Watched(Seen(tracer))
            yield watched
            traced = watched.seen.of(namespace)
    watched.pairs = compare(traced, oracle.truths(namespace.inode)).pairs


def prove(load: Load, events: int) -> Proof:
    """Let `load` run until it has made that many events."""
    from retrans_ctypes import Tracer

    with Lab() as lab:
        with Oracle() as oracle:
            with Tracer(ring_bytes=RING_BYTES) as tracer:
                seen: Any = Seen(tracer)
                with running(lab, load):
                    collect(seen, lab, events)
                traced = seen.of(lab.client)
                stats = tracer.stats()
        assert stats.lost == 0, stats
        return Proof(load, compare(traced, oracle.truths(lab.client.inode)), stats.missed, oracle.missed)
