"""More than any network makes: recorded events, a million a second."""
import time
from typing import List

from .. import bpf
from ..children import Child, Ours
from ..row import Figures, Measurement, Row, Target
from .ring import filler

RATE = 1000000
SECONDS = 10
WAIT = 50  # looks at the ring, each after 0.1 s, until it must be empty


def read_up(fill: Child) -> int:
    """Bytes that are left when the reader has had its time."""
    for _ in range(WAIT):
        left, = fill.ask("waiting")
        if not left:
            break
        time.sleep(0.1)
    return left


class Flood(Measurement):
    """Through the ring of `trace --json`, whose lines go to /dev/null."""

    rows = [Row(
        "flood", "events lost at 1,000,000/s for 10 s, NDJSON to /dev/null", "%",
        Target("<=", 0, absolute=True),
        "{reached:,.0f} events/s reached; {written:,.0f} written and read, {failed:,.0f} found the ring full")]

    def ours(self) -> Figures:
        with Ours() as tracer, filler(bpf.ring_of(tracer.pid)) as fill:
            written, failed, took = fill.ask("rate {} {}".format(RATE, SECONDS))
            left = read_up(fill)
            if left:
                raise AssertionError("{} bytes were never read".format(left))
        return {"flood": 100.0 * failed / (written + failed), "written": written, "failed": failed,
                "reached": (written + failed) * 1e9 / took}


ALL: List[Measurement] = [Flood()]
