"""``demo``: real retransmits in two network namespaces of its own, traced as they happen."""

import argparse
import pkgutil
import sys
from collections import Counter
from typing import Callable, List, Optional

from ..clock import WallClock
from ..errors import RetransError
from ..event import Event
from ..sinks.columns import columns, default_columns, names_shown
from ..sinks.output import Output
from ..sinks.text import TextSink
from ..tracer import Tracer
from ..workload import Lookups
from .follow import follow, introduce, tell
from .namespaces import LOSS_PERCENT, LossyPair
from .options import (
    Parser, add_color_option, add_time_options, add_verbose, colours_for, seconds, terminal_width, time_style,
)
from .signals import StopSignals

_PORT = 5201
_QUIET = 0.5  # seconds that tracing goes on after the traffic, so that both counts are complete


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    output = Output()
    style = time_style(options)
    shown = columns(default_columns(terminal_width(), style), style=style)
    with Lookups(names=names_shown(shown)) as lookups, StopSignals() as signals, \
            Tracer() as tracer, LossyPair() as pair:
        sink = TextSink(output, shown, WallClock(style), lookups, colours_for(options))
        signals.stop_with(tracer.stop)
        announce(pair, options.duration)
        introduce(tracer, options.verbose, ())
        start_traffic(pair, options.duration)
        seen: Counter[int] = Counter()
        follow(tracer, sink, output, of_pair(pair, seen), options.duration + _QUIET)
        compare(pair, seen, tracer)
    return 0


def of_pair(pair: LossyPair, seen: "Counter[int]") -> Callable[[Event], bool]:
    """Keeps the demo's own retransmits, and counts their segments for each namespace; where segments
    are not known, events."""
    def wanted(event: Event) -> bool:
        side = side_of(event, pair)
        if side is None or event.failed:
            return False
        segs = event.segs
        seen[side] += 1 if segs is None else segs
        return True
    return wanted


def side_of(event: Event, pair: LossyPair) -> Optional[int]:
    """In which of the two it was; by address where the namespace is not known."""
    for side, member in enumerate(pair.members):
        own = [pair.address(family, side) for family in (4, 6)]
        if event.netns == member.inode or event.netns is None and event.saddr in own:
            return side
    return None


def start_traffic(pair: LossyPair, duration: float) -> None:
    program = [sys.executable, "-I", "-c", traffic_program()]

    def start(side: int, job: str, *addresses: str) -> None:
        pair.start(side, program + [job, str(duration), str(_PORT)] + list(addresses))

    start(0, "knock", pair.silent_address())
    if pair.loss:
        start(1, "serve")
        start(0, "send", *(pair.address(family, 1) for family in pair.families))


def traffic_program() -> str:
    """The text of traffic.py, wherever it lies: no Python can be told to run a file inside a zip."""
    text = pkgutil.get_data(__package__, "traffic.py")
    if text is None:
        raise RetransError("the demo's traffic.py is not there: take the whole package")
    return text.decode("utf-8")


def announce(pair: LossyPair, duration: float) -> None:
    if pair.loss:
        how = "joined by a link that loses %d %% of the packets (%s)" % (LOSS_PERCENT, pair.loss)
    else:
        how = "and a connect that nobody answers (neither netem nor nft works here)"
    tell("Demo for %g seconds: two network namespaces (%s and -b), %s."
         % (duration, pair.members[0].name, how))


def compare(pair: LossyPair, seen: "Counter[int]", tracer: Tracer) -> None:
    """What was shown beside what the kernel counted itself, by the time tracing ended."""
    rows = tracer.ledger().rows if tracer.capabilities.ledger else ()
    of_namespace = {row.netns: row for row in rows}
    for side, member in enumerate(pair.members):
        if tracer.capabilities.ledger:
            row = of_namespace.get(member.inode)
            tell("%s: %d segments traced, %d by the kernel's own RetransSegs%s" % (
                member.name, seen[side], row.kernel or 0 if row else 0,
                ", %d lost, %d failed" % (row.lost, row.failed) if row and row.lost + row.failed else ""))
        else:
            tell("%s: %d events traced, %d segments by the kernel's own RetransSegs"
                 % (member.name, seen[side], pair.retransmitted(side)))
    stats = tracer.stats()
    if stats.lost:
        tell("%d events were lost because the ring buffer was full" % stats.lost)
    if stats.skipped_segs:
        tell("%d segments were lost because the kernel skipped our program, as it does where one runs"
             " already on that CPU" % stats.skipped_segs)


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "demo", "Makes two network namespaces with a lossy link, sends real TCP traffic through it, and"
                " traces the retransmits. Needs root and 'ip'; removes all it made.",
        examples=[
            ("", "ten seconds of it"),
            ("--duration 60", "a minute of it"),
            ("--color always | less -R", "in a pager"),
        ])
    result.add_argument("--duration", type=seconds, default=10.0, metavar="SECONDS",
                        help="default: 10")
    add_color_option(result)
    add_verbose(result)
    add_time_options(result)
    return result
