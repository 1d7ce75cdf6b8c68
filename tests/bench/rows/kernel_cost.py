"""What programs in the kernel take for each event."""
import time
from typing import Callable, List, Optional

from lab.link import Lab

from .. import bpf
from ..children import BCC_COLUMNS, COUNT_BY_FLOW, Bpftrace, Child, Ours, helper
from ..row import Figures, Measurement, Row, Target
from ..storm import Storm, unanswered

SECONDS = 2.0
# The kernel keeps 15 characters of a name.
ON_THE_HOOK = ("on_retransmit_s", "empty")


def followed() -> Child:
    """A C program that is linked with our library and takes all events."""
    child = helper("follow")
    child.line()
    return child


def cost_per_event(tracer: Child, load: Callable[[], None],
                   events: Optional[Callable[[], int]] = None) -> Figures:
    """Run time of all programs of `tracer` over what `load` makes, by events: what `events` says, or
    else the calls of its only program."""
    before = bpf.costs(tracer.pid)
    began = time.monotonic()
    load()
    took = time.monotonic() - began
    spent = bpf.since(before, bpf.costs(tracer.pid))
    number = events() if events else sum(cost.calls for cost in spent)
    if not number:
        raise AssertionError("nothing was retransmitted")
    passes = sum(cost.ns for cost in spent if cost.is_iterator)
    total = sum(cost.ns for cost in spent)
    return {"ns": total / number, "rate": number / took, "without_passes": (total - passes) / number,
            "passes": passes / 1e6 / took, "events": number}


def events_of(follower: Child) -> Callable[[], int]:
    """How many events it was until the end, lost ones included."""
    def events() -> int:
        follower.end_input()
        written, lost = follower.line().split()[:2]
        return int(written) + int(lost)

    return events


def main_program(spent: List[bpf.Cost]) -> bpf.Cost:
    """The one that is called for each event; a rival has no other."""
    return max((cost for cost in spent if len(spent) == 1 or cost.name.startswith(ON_THE_HOOK)),
               key=lambda cost: cost.calls)


class OneStorm(Measurement):
    """Many events of few sockets, as fast as the machine makes them."""

    rows = [Row(
        "events", "kernel time for each event, all our programs, highest rate", "ns", Target("<=", 0.15),
        "{rate:,.0f} events/s beside ours, {rival[rate]:,.0f} beside bpftrace; of our time {passes:.2f} ms each "
        "second went into searches of open files")]
    rival_name = "bpftrace, bcc's columns"

    def __enter__(self) -> "OneStorm":
        self.storm = Storm()
        return self

    def __exit__(self, *_: object) -> None:
        self.storm.__exit__()

    def load(self) -> None:
        with self.storm.raging():
            time.sleep(SECONDS)

    def ours(self) -> Figures:
        with bpf.statistics(), followed() as tracer:
            figures = cost_per_event(tracer, self.load, events_of(tracer))
        return dict(figures, events=figures["ns"])

    def rival(self) -> Figures:
        with bpf.statistics(), Bpftrace(BCC_COLUMNS) as tracer:
            figures = cost_per_event(tracer, self.load)
        return dict(figures, events=figures["ns"])


class EachAnotherSocket(Measurement):
    """As many sockets as events: nothing that is remembered of a socket helps."""

    SOCKETS = 30000
    rows = [Row(
        "sockets", "the same, where every event is another socket", "ns", Target("<=", 0.4),
        "{sockets_made:,.0f} connects that nobody answers; the programs that see each of them begin are in it")]
    rival_name = "bpftrace, bcc's columns"

    def __enter__(self) -> "EachAnotherSocket":
        self.lab = Lab()
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.close()

    def load(self) -> None:
        """The first SYN is sent again after a second, the next one not before another has passed."""
        with unanswered(self.lab, self.SOCKETS):
            time.sleep(1.5)

    def ours(self) -> Figures:
        with bpf.statistics(), followed() as tracer:
            figures = cost_per_event(tracer, self.load, events_of(tracer))
        return dict(figures, sockets=figures["ns"], sockets_made=self.SOCKETS)

    def rival(self) -> Figures:
        with bpf.statistics(), Bpftrace(BCC_COLUMNS) as tracer:
            figures = cost_per_event(tracer, self.load)
        return dict(figures, sockets=figures["ns"])


class Rejected(OneStorm):
    """The program on the hook alone: what it takes to find out that nobody wants the event."""

    rows = [Row("filter", "main program, with a filter that rejects the event", "ns", Target("<=", 3))]
    rival_name = "empty program, same hook"

    def on_the_hook(self, tracer: Child) -> Figures:
        before = bpf.costs(tracer.pid)
        self.load()
        spent = main_program(bpf.since(before, bpf.costs(tracer.pid)))
        return {"filter": spent.ns / spent.calls}

    def ours(self) -> Figures:
        with bpf.statistics(), Ours("--rport", "9") as tracer:
            return self.on_the_hook(tracer)

    def rival(self) -> Figures:
        with bpf.statistics(), helper("empty") as tracer:
            tracer.line()
            return self.on_the_hook(tracer)


class Counting(OneStorm):
    """Nothing but counts, by flow."""

    rows = [Row("count", "kernel time for each event, `count --by flow`", "ns", Target("<=", 0.3))]
    rival_name = "bpftrace, @[flow] = count()"

    def ours(self) -> Figures:
        with bpf.statistics(), Ours("--by", "flow", command="count") as tracer:
            return {"count": self.by_calls(tracer)}

    def rival(self) -> Figures:
        with bpf.statistics(), Bpftrace(COUNT_BY_FLOW) as tracer:
            return {"count": self.by_calls(tracer)}

    def by_calls(self, tracer: Child) -> float:
        """All programs' time by calls of the one on the hook."""
        before = bpf.costs(tracer.pid)
        self.load()
        spent = bpf.since(before, bpf.costs(tracer.pid))
        return sum(cost.ns for cost in spent) / main_program(spent).calls


ALL: List[Measurement] = [OneStorm(), EachAnotherSocket(), Rejected(), Counting()]
