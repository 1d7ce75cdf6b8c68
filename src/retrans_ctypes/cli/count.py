"""``count``: retransmits counted in the kernel, by what is asked for."""

import argparse
import math
import time
from typing import List, Optional

from ..clock import WallClock
from ..counts import COUNT_BY
from ..errors import UsageError
from ..rights import account
from ..sinks.counts import CountSink, Naming, NdjsonCounts, TextCounts
from ..ndjson import encode
from ..sinks.output import Output
from ..sinks.text import BANNER
from ..tracer import Tracer
from ..workload.numbers import cgroup_paths, commands
from .ending import end, honest_end
from .filter_options import add_filter_options, chosen_filter
from .follow import introduce, tell
from .options import (
    Parser, above, add_color_option, add_prefixes, add_time_options, add_user, add_verbose, add_ways, check_prefixes,
    colours_for, seconds, time_style,
)
from .signals import StopSignals

_TICK = 0.5  # seconds between looks at the clock and at the output's reader
_TOP = 20
_NAMINGS = {"pid": Naming("comm", commands), "cgroup": Naming("cgroup", cgroup_paths)}


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    check(options)
    chosen = chosen_filter(options)
    become = None if options.user is None else account(options.user)
    output = Output()
    with StopSignals() as signals, Tracer(
            filter=chosen, attach=options.attach, buffer=options.buffer,
            btf=options.btf, count_by=options.by, count_rows=options.rows or 0, prefix4=options.prefix4,
            prefix6=options.prefix6) as tracer:
        signals.stop_with(tracer.stop)
        kept = () if become is None else tracer.drop_rights(*become)
        introduce(tracer, options.verbose, kept)
        tell(BANNER)
        sink = make_sink(options, output)
        with honest_end(tracer, signals) as ending:
            try:
                watch(tracer, sink, output, options.interval, options.duration)
                end(tracer)
                sink.show(tracer.counts())
            finally:
                ledger = ending.account(limits=False)
            if options.json:
                output.line(encode(ledger))
                output.flush()
    return 0


def check(options: argparse.Namespace) -> None:
    """What the parser cannot tell."""
    if options.json and options.top is not None:
        raise UsageError("--top chooses the rows of the table; --json has all rows, so leave it out")
    check_prefixes(options)


def watch(
    tracer: Tracer, sink: CountSink, output: Output, interval: Optional[float],
    duration: Optional[float],
) -> None:
    """Show the counts every ``interval`` seconds, until the tracer is stopped or ``duration`` is over."""
    begun = time.monotonic()
    ends = begun + duration if duration else math.inf
    shows = begun + interval if interval else math.inf
    while not tracer.ended:
        now = time.monotonic()
        if now >= ends:
            tracer.stop()
        elif interval and now >= shows:
            sink.show(tracer.counts())
            shows += interval * ((now - shows) // interval + 1)
        tracer.poll(max(0, min(_TICK, ends - now, shows - now)))
        output.check_reader()


def make_sink(options: argparse.Namespace, output: Output) -> CountSink:
    if options.json:
        return NdjsonCounts(output, WallClock(), _NAMINGS)
    return TextCounts(output, WallClock(time_style(options)), _NAMINGS, options.top or _TOP,
                      options.interval is not None, colours_for(options))


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "count", "Counts retransmits in the kernel and shows the largest counts at the end, which is cheaper"
                 " than tracing each. What is not shown is in the last line.",
        examples=[
            ("", "by flow, until Ctrl-C"),
            ("--by remote --top 5", "the worst five"),
            ("--by prefix --interval 10", "each 10 seconds"),
            ("--by pid --rport 443", "who, to port 443"),
        ],
        short=["--by", "--top", "--interval", "--duration", "--json", "--port", "--raddr", "--reason"])
    keys = [name for name in COUNT_BY.values() if name != "none"]
    result.add_argument("--by", choices=keys, default="flow", metavar="KEY",
                        help="what to count by: %s (flow)" % ", ".join(keys))
    result.add_argument("--top", type=above(0), metavar="N", help="rows to show (%d)" % _TOP)
    result.add_argument("--rows", type=above(0), metavar="N",
                        help="rows that the kernel keeps apart (65,536)")
    add_prefixes(result)
    result.add_argument("--interval", type=seconds, metavar="SECONDS",
                        help="show the counts so far that often")
    result.add_argument("--duration", type=seconds, metavar="SECONDS", help="end by itself")
    result.add_argument("--json", action="store_true", help="all rows, one JSON object a line (NDJSON)")
    add_user(result)
    add_color_option(result)
    add_verbose(result)
    add_time_options(result)
    add_filter_options(result)
    add_ways(result)
    return result
