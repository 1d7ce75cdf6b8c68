"""``trace``, the command that runs when none is named."""

import argparse
from typing import Callable, List, Optional

from .. import __version__
from ..clock import WallClock
from ..errors import LibraryError, UsageError
from ..event import Event
from ..ndjson import encode
from ..rights import account
from ..sinks import Sink
from ..sinks.columns import (
    MARKED, Column, bcc_columns, chosen_columns, columns, default_columns, describe, names_shown,
)
from ..sinks.count import NdjsonFlowCounts, TextFlowCounts
from ..sinks.ndjson import NdjsonSink
from ..sinks.output import Output
from ..sinks.text import BANNER, TextSink
from ..tracer import Tracer
from ..workload import Lookups
from .filter_options import add_filter_options, chosen_filter
from .follow import account_for, end, follow, introduce, storms, tell
from .options import (
    Parser, above, add_user, add_ways, rate, say, seconds, size, terminal_width,
)
from .signals import StopSignals


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    if options.version:
        return show_version()
    if options.columns == "help":
        say(describe())
        return 0
    if options.rate is None and options.burst:
        raise UsageError("--burst is part of a limit, and '--rate none' asks for none; leave one of them out")
    chosen = chosen_filter(options)
    become = None if options.user is None else account(options.user)
    output = Output()
    shown = shown_columns(options, terminal_width())
    with lookups_for(options, shown) as lookups, StopSignals() as signals, Tracer(
            filter=chosen, attach=options.attach, buffer=options.buffer, btf=options.btf,
            ring_bytes=options.ring_size, rate=options.rate, burst=options.burst) as tracer:
        signals.stop_with(tracer.stop)
        kept = () if become is None else tracer.drop_rights(*become)
        introduce(tracer, options.verbose, kept)
        if options.json:
            tell(BANNER)
        try:
            sink = make_sink(options, output, shown, lookups)
            follow(tracer, sink, output, wanted(options), options.duration)
        finally:
            end(tracer)
            if tracer.stats().limited:
                tell(storms(tracer.counts()))
            ledger = account_for(tracer)
        if options.json:
            output.line(encode(ledger))
            output.flush()
    return 0


def show_version() -> int:
    """The package's version stands, whatever is wrong with the library."""
    try:
        library = "libtcpretrans %s" % Tracer.library_version()
    except LibraryError as error:
        library = "libtcpretrans: %s" % error
    say("retrans_ctypes %s\n%s" % (__version__, library))
    return 0


def wanted(options: argparse.Namespace) -> Optional[Callable[[Event], bool]]:
    """Which events to show. A failed attempt is no retransmit, so it takes -v to see those.
    NdjsonSink leaves them out itself."""
    if options.verbose or options.json and not options.count:
        return None
    return lambda event: not event.failed


def shown_columns(options: argparse.Namespace, width: Optional[int]) -> List[Column]:
    if (options.json or options.count) and (options.compat or options.columns is not None):
        raise UsageError("-o and --compat choose the columns of text lines, so they go with neither"
                         " --json, which has every field, nor -c")
    if options.compat:
        return bcc_columns(options.sequence, options.lossprobe)
    if options.columns is not None:
        names = chosen_columns(options.columns)
    elif options.verbose or options.lossprobe:
        names = default_columns(width and max(width, MARKED))
    else:
        names = default_columns(width)
    return columns(names, options.sequence, options.lossprobe)


def lookups_for(options: argparse.Namespace, shown: List[Column]) -> Lookups:
    """Lookups of what is going to be shown, and of nothing else."""
    if options.count:
        return Lookups(names=())
    return Lookups() if options.json else Lookups(names=names_shown(shown))


def make_sink(
    options: argparse.Namespace, output: Output, shown: List[Column], lookups: Lookups,
) -> Sink:
    if options.count:
        return NdjsonFlowCounts(output) if options.json else TextFlowCounts(output)
    if options.json:
        return NdjsonSink(output, WallClock(), lookups, failed=options.verbose)
    return TextSink(output, shown, WallClock(), lookups)


def parser() -> argparse.ArgumentParser:
    result = Parser("[trace]", "Trace every TCP retransmission of this host.\n\n"
                               "Other commands: 'count' counts them in the kernel; 'demo' makes some\n"
                               "retransmits to look at; 'doctor' tells whether one can trace here, how\n"
                               "well, and what would make it better.")
    result.add_argument("-s", "--sequence", action="store_true", help="show sequence numbers")
    result.add_argument("-c", "--count", action="store_true",
                        help="count for each flow, and print the counts at the end")
    result.add_argument("-l", "--lossprobe", action="store_true",
                        help="mark tail loss probes with L")
    add_user(result)
    look = result.add_mutually_exclusive_group()
    look.add_argument("-o", "--columns", metavar="LIST",
                      help="columns to show, such as time,pid,comm,raddr; 'help' lists all")
    look.add_argument("--compat", choices=["bcc"],
                      help="the columns of bcc's tcpretrans; PID is the socket's owner")
    result.add_argument("--json", action="store_true", help="one JSON object a line (NDJSON)")
    result.add_argument("--duration", type=seconds, metavar="SECONDS", help="end by itself")
    result.add_argument("-v", "--verbose", action="store_true",
                        help="show attempts that failed too, marked with !")
    add_filter_options(result)
    way = add_ways(result)
    way.add_argument("--ring-size", type=size, default=0, metavar="SIZE",
                     help="buffer in the kernel, such as 16M, a power of two (2M for each CPU, 4M to 64M)")
    way.add_argument("--rate", type=rate, default=0, metavar="N|none",
                     help="events a second that each socket may have (10000), the rest is counted")
    way.add_argument("--burst", type=above(0), default=0, metavar="N",
                     help="events that each socket may have at once (twice the rate)")
    result.add_argument("--version", action="store_true", help="show versions and end")
    return result
