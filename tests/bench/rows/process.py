"""A tracer's own process: how soon it is attached, and what it takes when nothing happens."""
import os
import time
from typing import List

from ..children import Bpftrace, Child, Ours, Tracer, TRACEPOINT
from ..row import Figures, Measurement, Row, Target


class Startup(Measurement):
    """From exec until it is attached."""

    rows = [Row("startup", "from exec to attached", "ms", Target("<=", 0.5))]
    rival_name = "bpftrace, one probe"

    def took(self, tracer: Tracer) -> Figures:
        tracer.interrupt()
        return {"startup": (tracer.attached - tracer.started) * 1e3}

    def ours(self) -> Figures:
        with Ours() as tracer:
            return self.took(tracer)

    def rival(self) -> Figures:
        with Bpftrace(TRACEPOINT + " { @ = count(); }") as tracer:
            return self.took(tracer)


def cpu_ns(child: Child) -> int:
    """CPU time of all threads, more exactly than in ticks."""
    folder = "/proc/{}/task".format(child.pid)
    total = 0
    for thread in os.listdir(folder):
        with open(os.path.join(folder, thread, "schedstat")) as told:
            total += int(told.read().split()[0])
    return total


class Idle(Measurement):
    """While nothing is retransmitted. One long run: there is nothing to compare it with."""

    SECONDS = 60
    most_runs = 1
    rows = [Row("idle", "idle CPU over 60 s", "%", Target("<", 0.1, absolute=True),
                "one run; what others on this machine have retransmitted meanwhile is in it")]

    def ours(self) -> Figures:
        with Ours() as tracer:
            time.sleep(1)
            before = cpu_ns(tracer)
            time.sleep(self.SECONDS)
            return {"idle": 100.0 * (cpu_ns(tracer) - before) / 1e9 / self.SECONDS}


ALL: List[Measurement] = [Startup(), Idle()]
