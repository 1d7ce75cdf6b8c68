"""Runs a load under tracer and oracle alike, and puts side by side what the two have seen."""
import time
from typing import Any, List, NamedTuple

from .comparison import Comparison, Pair, compare
from .link import Lab
from .loads import Load, running
from .oracle import Oracle
from .seen import Seen

RING_BYTES = 32 << 20
PATIENCE = 120.0


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
    deadline = time.monotonic() + PATIENCE
    mine = 0
    while mine < events:
        assert time.monotonic() < deadline, "only {} of {} events came".format(mine, events)
        batch = seen.tracer.poll(0.1)
        seen.events.extend(batch)
        mine += sum(event.netns == lab.client.inode for event in batch)


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
