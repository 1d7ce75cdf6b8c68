"""Tracers that print each event as JSON while the storm rages: their CPU, losses and memory."""
import re
import tempfile
import time
from typing import IO, List

from .. import bpf
from ..children import BCC_COLUMNS, Bpftrace, Ours, Tracer
from ..row import Figures, Measurement, Row, Target
from ..storm import Storm

SECONDS = 3.0
FINISH = 1.0  # seconds to print what is still on its way


def events_in(file: IO[bytes]) -> int:
    """Lines that are events, ours or bpftrace's: both print others too."""
    file.seek(0)
    return sum(b'"type":"event"' in line or b'"type": "printf"' in line for line in file)


def lines_due(said: str) -> int:
    """Of how many events our tracer says that the kernel had them; failed attempts have no line."""
    summary, = re.findall(r"^\d+ events, .*", said, re.M)
    of = {what: int(number) for number, what in re.findall(r"(\d+) (events|failed|rate-limited|lost)\b", summary)}
    return of["events"] - of["failed"] + of.get("rate-limited", 0) + of["lost"]


class Following(Measurement):
    """One storm gives three rows."""

    rows = [
        Row("cpu", "user CPU for each event, `trace --json`", "µs", Target("<=", 0.2)),
        Row("lost", "events lost at the highest real rate", "%", Target("<=", 0, absolute=True),
            "{rate:,.0f} events/s beside ours, {rival[rate]:,.0f} beside bpftrace"),
        Row("memory", "peak memory (VmHWM), default ring, in that storm", "MB", Target("<=", 0.3)),
    ]
    rival_name = "bpftrace -f json"

    def __enter__(self) -> "Following":
        self.storm = Storm()
        return self

    def __exit__(self, *_: object) -> None:
        self.storm.__exit__()

    def figures(self, tracer: Tracer, output: IO[bytes]) -> Figures:
        """What the storm does to `tracer`, which prints a line for each event at least."""
        before, costs = tracer.usage(), bpf.costs(tracer.pid)
        with self.storm.raging():
            time.sleep(SECONDS)
        time.sleep(FINISH)
        user = tracer.usage().user - before.user
        calls = sum(cost.calls for cost in bpf.since(costs, bpf.costs(tracer.pid)))
        memory = tracer.peak_memory() / 1024
        tracer.interrupt()
        printed = events_in(output)
        return {"user": user, "printed": printed, "memory": memory, "calls": calls,
                "cpu": user * 1e6 / max(printed, 1)}

    def ours(self) -> Figures:
        with tempfile.TemporaryFile() as output, bpf.statistics(), Ours(output=output) as tracer:
            figures = self.figures(tracer, output)
            assert tracer.process.stderr is not None
            said = tracer.process.stderr.read().decode()
        events = lines_due(said)
        return dict(figures, lost=100.0 * (events - figures["printed"]) / events, rate=events / SECONDS)

    def rival(self) -> Figures:
        with tempfile.TemporaryFile() as output, bpf.statistics(), \
                Bpftrace(BCC_COLUMNS, "-f", "json", output=output) as tracer:
            figures = self.figures(tracer, output)
        events = figures["calls"]
        return dict(figures, lost=100.0 * (events - figures["printed"]) / events,
                    rate=events / SECONDS)


ALL: List[Measurement] = [Following()]
