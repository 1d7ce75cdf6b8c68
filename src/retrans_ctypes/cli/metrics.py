"""``metrics``: retransmits as Prometheus metrics, over HTTP."""

import argparse
import os
import time
from typing import Callable, List

from .. import __version__
from ..extras import need
from ..grouping import GROUPINGS
from ..ledger import Ledger
from ..sinks.prometheus import PrometheusSink
from ..sinks.prometheus.exposition import Recent
from ..sinks.prometheus.families import Families, Readings
from ..sinks.prometheus.tally import SERIES, Tally, labels_by
from ..tracer import Tracer
from ..workload import Lookups
from .ending import honest_end
from .follow import follow, tell
from .listening import Address, address, listen, listens_at
from .live import add_live_options, tracing
from .options import Parser, above, add_prefixes, add_verbose, check_prefixes
from .serving import MetricsServer, Pages

_LISTEN = Address("127.0.0.1", 2112)


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    check_prefixes(options)
    for module in ("core", "exposition"):  # before --user, who may not be allowed to read them
        need("prometheus_client." + module, "metrics")
    grouping = labels_by(options.by, options.prefix4, options.prefix6)
    with listen(options.listen) as door, Lookups(names=grouping.names if grouping else ()) as lookups:
        tally = Tally(grouping, lookups, options.series)
        where = listens_at(door)
        if not where.loopback:
            tell("warning: anyone who reaches %s can read these metrics, and so which addresses this host talks"
                 " to; 127.0.0.1 is for this host alone" % (where,))
        with tracing(options) as (tracer, signals):
            families = Families(tally, readings_of(tracer), options.namespaces)
            pages = Pages(Recent(families), lambda: not tracer.ended, tell, any_name=not where.loopback)
            with honest_end(tracer, signals) as ending:
                try:
                    with MetricsServer(door, pages):
                        tell("Tracing retransmits; metrics are at http://%s/metrics ... Hit Ctrl-C to end" % (where,))
                        follow(tracer, PrometheusSink(tally), None, None, options.duration)
                finally:
                    ending.account()
    return 0


def readings_of(tracer: Tracer) -> Callable[[], Readings]:
    """What the tracer tells besides the events, whenever it is asked; from any thread."""
    able, system = tracer.capabilities, os.uname()
    started = time.time()
    build = {"version": __version__, "library": tracer.library_version().split(",")[0], "attach": able.attach,
             "buffer": able.buffer, "kernel": "%s %s" % (system.release, system.machine)}

    def read() -> Readings:
        """Raises ClosedError."""
        stats = tracer.stats()
        ledger: Ledger = tracer.ledger() if able.ledger else Ledger(())
        return Readings(stats._asdict(), ledger.to_dict() if able.ledger else None, not tracer.ended, started, build)
    return read


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "metrics", "Serve retransmits to Prometheus. docs/metrics.md has the metrics, a dashboard and alerts.",
        examples=[("", "on 127.0.0.1:2112"), ("--by container", "another label"),
                  ("--rport 443", "one service only"), ("--user nobody", "without rights")],
        short=["--listen", "--by", "--series", "--user", "--duration", "--rport", "--raddr", "-v"])
    keys = [name for name in GROUPINGS if name != "reason"] + ["none"]
    result.add_argument("--listen", type=address, default=_LISTEN, metavar="HOST:PORT",
                        help="where to listen (%s); port 0: any free one" % (_LISTEN,))
    result.add_argument("--by", choices=keys, default="prefix", metavar="KEY",
                        help="the label of whom it concerns (prefix): %s" % ", ".join(keys))
    result.add_argument("--series", type=above(0), default=SERIES, metavar="N",
                        help="values of that label, the rest is 'other' (%d)" % SERIES)
    result.add_argument("--namespaces", type=above(-1), default=0, metavar="N",
                        help="so many namespaces have a ledger of their own (0)")
    add_prefixes(result)
    add_verbose(result)
    add_live_options(result)
    return result
