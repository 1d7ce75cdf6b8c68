"""What an event costs on a host with many open sockets, or with many flows that lose."""
import time
from contextlib import ExitStack
from typing import List

from .. import bpf
from ..row import Figures, Measurement, Row, Target
from ..storm import PORT, Storm, shares, traffic
from .kernel_cost import cost_per_event, events_of, followed

FEW_SOCKETS, MANY_SOCKETS = 1000, 100000
FEW_FLOWS, MANY_FLOWS = 10, 100000
SECONDS = 2.0
HELD_PORT = PORT + 100

# Nothing costs the same with caches that are full; twice that would be growth.
FLAT = Target("<=", 1.5)


def slab() -> float:
    """MB of small kernel objects, socket storage among them."""
    with open("/proc/meminfo") as info:
        return next(int(line.split()[1]) / 1e3 for line in info if line.startswith("Slab:"))


def cost(storm: Storm, key: str) -> Figures:
    """Searches of open files apart, which are bounded by time and not by events."""
    before = slab()
    with bpf.statistics(), followed() as tracer:
        held = slab() - before
        maps = sum(bpf.map_bytes(tracer.pid).values()) / 1e6

        def load() -> None:
            with storm.raging():
                time.sleep(SECONDS)

        figures = cost_per_event(tracer, load, events_of(tracer))
    return dict(figures, slab=max(held, 0.0), maps=maps, **{key: figures["without_passes"]})


class Sockets(Measurement):
    """The same storm beside open sockets that do nothing."""

    rows = [Row("open-sockets", "cost for each event beside 100,000 open sockets, searches apart", "ns", FLAT,
                "searches of open files took {passes:.1f} ms each second, {rival[passes]:.1f} beside 1,000; "
                "maps {maps:.1f} MB, {rival[maps]:.1f} beside 1,000; slab grew by {slab:.1f} MB at the start, by "
                "{rival[slab]:.1f} beside 1,000")]
    rival_name = "ours beside 1,000"

    def beside(self, sockets: int) -> Figures:
        with Storm() as storm, ExitStack() as stack:
            for number, count in enumerate(shares(sockets)):
                stack.enter_context(traffic(storm.lab.client, "hold", "127.0.0.1", HELD_PORT + number, count))
            return cost(storm, "open-sockets")

    def ours(self) -> Figures:
        return self.beside(MANY_SOCKETS)

    def rival(self) -> Figures:
        return self.beside(FEW_SOCKETS)


class Flows(Measurement):
    """As many events of more flows."""

    rows = [Row("flows", "cost for each event with 100,000 flows that lose, searches apart", "ns", FLAT,
                "{rate:,.0f} events/s, {rival[rate]:,.0f} with 10; searches took {passes:.1f} ms each second, "
                "{rival[passes]:.1f} with 10; maps {maps:.1f} MB")]
    rival_name = "ours with 10"

    def with_flows(self, number: int) -> Figures:
        with Storm(number) as storm:
            return cost(storm, "flows")

    def ours(self) -> Figures:
        return self.with_flows(MANY_FLOWS)

    def rival(self) -> Figures:
        return self.with_flows(FEW_FLOWS)


ALL: List[Measurement] = [Sockets(), Flows()]
