"""What comes behind the ring: events that were recorded once are written into it again and again."""
import importlib.util
import os
import sys
import time
from contextlib import contextmanager
from typing import Callable, Iterator, List

from .. import places
from ..children import Child, helper, script
from ..row import Figures, Measurement, Row, Target
from ..storm import Storm

# The ring is filled to the brim until its reader has been busy for that long, or that often.
BUSY_NS = 300000000
FILLS = 200
SYSTEM_PYTHON = "/usr/bin/python3"


def record_events() -> None:
    """Some thousand real ones, in places.EVENTS."""
    with Storm() as storm, helper("follow", places.EVENTS) as follower:
        follower.line()
        with storm.raging():
            time.sleep(0.5)
        follower.end_input()
        follower.line()


@contextmanager
def filler(ring: int) -> Iterator[Child]:
    """The program that writes recorded events into a ring."""
    if not os.path.exists(places.EVENTS):
        record_events()
    with helper("fill", str(ring), places.EVENTS) as child:
        child.line()
        yield child


def million_events_a_second(reader: Child) -> float:
    """How fast `reader` empties its ring, by its own CPU time."""
    ring, = (int(word) for word in reader.line().split())
    events = nanoseconds = 0
    with filler(ring) as fill:
        reader.ask("")  # what was there before
        for _ in range(FILLS):
            if nanoseconds >= BUSY_NS:
                break
            fill.ask("full")
            count, took = reader.ask("")
            events += count
            nanoseconds += took
    return events * 1e3 / nanoseconds


class Readers(Measurement):
    """Two ways of reading a ring of the default size."""

    def __init__(self, row: Row, rival_name: str, ours: Callable[[], Child],
                 rival: Callable[[], Child]) -> None:
        self.rows = [row]
        self.rival_name = rival_name
        self.readers = ours, rival

    def speed(self, make: Callable[[], Child]) -> Figures:
        with make() as reader:
            return {self.rows[0].key: million_events_a_second(reader)}

    def ours(self) -> Figures:
        return self.speed(self.readers[0])

    def rival(self) -> Figures:
        return self.speed(self.readers[1])


class Database(Measurement):
    """What `record` does; there is a target for it, and no rival."""

    rows = [Row("sqlite", "events into SQLite, `record`", "events/s", Target(">=", 100000, absolute=True))]

    def ours(self) -> Figures:
        with script("read", "sqlite", python=sys.executable) as reader:
            return {"sqlite": 1e6 * million_events_a_second(reader)}


def python(way: str) -> Callable[[], Child]:
    return lambda: script("read", way, python=sys.executable if way != "numpy" else with_numpy())


def with_numpy() -> str:
    """A Python that has numpy: this one, or the system's."""
    return sys.executable if importlib.util.find_spec("numpy") else SYSTEM_PYTHON


ALL: List[Measurement] = [
    Readers(Row("drain", "C drain", "M events/s", Target(">=", 0.9)), "libbpf, empty callback",
            lambda: helper("drain", "ours"), lambda: helper("drain", "libbpf")),
    Readers(Row("numpy", "numpy batches", "M events/s", Target(">=", 0.5)), "C drain",
            python("numpy"), lambda: helper("drain", "ours")),
    Readers(Row("ndjson", "NDJSON to a file", "M events/s", Target(">=", 25)), "json.dumps",
            python("ndjson"), python("dumps")),
    Database(),
    Readers(Row("objects", "Event objects, six named fields read", "M events/s", Target(">=", 0.6)),
            "struct.iter_unpack, by index", python("events"), python("by-hand")),
]
