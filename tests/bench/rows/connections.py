"""What connections cost that never retransmit."""
from typing import List

from lab.netns import Namespace

from .. import bpf
from ..children import helper
from ..row import Figures, Measurement, Row, Target
from ..storm import traffic


class Cycles(Measurement):
    """connect, accept, send, receive, close, again and again over loopback."""

    NUMBER = 20000
    rows = [Row("connections", "all our programs, for each loopback connect+accept+send+recv+close", "µs",
                Target("<=", 5, absolute=True), "{calls:.1f} calls of our programs each")]

    def __enter__(self) -> "Cycles":
        self.namespace = Namespace()
        return self

    def __exit__(self, *_: object) -> None:
        self.namespace.close()

    def ours(self) -> Figures:
        with bpf.statistics(), helper("follow") as tracer:
            tracer.line()
            before = bpf.costs(tracer.pid)
            with traffic(self.namespace, "cycle", "127.0.0.1", 5201, self.NUMBER) as cycle:
                status = cycle.process.wait(60)
            assert status == 0, "the connections ended with status {}".format(status)
            spent = bpf.since(before, bpf.costs(tracer.pid))
        return {"connections": sum(cost.ns for cost in spent) / 1e3 / self.NUMBER,
                "calls": sum(cost.calls for cost in spent) / self.NUMBER}


ALL: List[Measurement] = [Cycles()]
